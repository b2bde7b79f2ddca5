"""A workshop's own settings of the slicer for one printer: names on a list, values within bounds.

They come out of the slicer's bundles (`printers.presets`) or out of a workshop's own file
(`printers.own_ini`), and stand in the printer's profile.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from basis.errors import Invalid
from printers.materials import MATERIALS
from printers.slicer_keys import FILAMENT, MACHINE, PART, Form, Word

__all__ = ["Tuning", "Values"]

MAX_ORIGIN = 400


class Values(dict[str, Any]):
    """Settings by name. Hashable, so that printers with equal profiles share what is computed of
    them; whoever changes one after it was made breaks that."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What is set otherwise than this hub would. Raises Invalid for a name or a value off the
    list."""

    origin: str = ""
    """Where the settings are from, in words."""
    settings: Values
    """Of the machine and of how a part is laid down."""
    filaments: Values
    """Of families of filament, by the family's name."""

    def __post_init__(self) -> None:
        if not isinstance(self.origin, str) or not self.origin.isprintable():
            raise Invalid("the origin of slicer settings is one line of text")
        if len(self.origin) > MAX_ORIGIN:
            raise Invalid(f"the origin of slicer settings has at most {MAX_ORIGIN} characters")
        object.__setattr__(self, "settings", _checked(self.settings, {**MACHINE, **PART}))
        if not isinstance(self.filaments, Mapping) or not self.filaments.keys() <= MATERIALS.keys():
            raise Invalid(f"slicer settings of filaments are for: {', '.join(MATERIALS)}")
        filaments = {name: _checked(each, FILAMENT) for name, each in self.filaments.items()}
        object.__setattr__(self, "filaments", Values(filaments))

    def of(self, material: str) -> Mapping[str, str]:
        """The settings for one family of filament."""
        found: Mapping[str, str] = self.filaments.get(material, {})
        return found

    def as_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Any) -> Self:
        """Raises Invalid for what is none."""
        try:
            return cls(**said)
        except TypeError as exc:
            raise Invalid(f"slicer settings: {exc}") from exc


def _checked(values: Any, forms: Mapping[str, Form | Word]) -> Values:
    if not isinstance(values, Mapping):
        raise Invalid("slicer settings are names with values")
    if unknown := sorted(map(str, values.keys() - forms.keys())):
        raise Invalid(f"slicer settings that may not be set here: {', '.join(unknown)[:300]}")
    for name, value in values.items():
        if not isinstance(value, str) or not forms[name].fullmatch(value):
            raise Invalid(f"the slicer's {name} must be {forms[name]}, got {str(value)[:40]!r}")
    return Values(values)
