"""What a maker asks for, as it stands in an address, in a form and in a stored quote."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from basis.errors import Invalid
from designhub.api import schema
from designs.facts import AS_MODELLED
from router.globe import Place, find_place
from router.models import QuoteRow
from router.quote import Inputs, Preset

NUMBERS: Mapping[str, int] = {
    "layer_height_um": 200,
    "infill_pct": 20,
    "perimeters": 2,
    "brim_mm": 0,
}
"""Whole numbers of the form, with what is meant by an empty field."""

COPIES_OF = "copies-"
"""Before a part's number: a field that says how many copies of it, where several may be meant."""

LOCAL = "%Y-%m-%dT%H:%M"
"""How a browser writes a moment without a zone."""


MOST_NAMED = 400
"""Parts that one form may offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Everything that is asked for. Texts are as a person typed them."""

    place: str
    items: tuple[tuple[int, int], ...]
    """(part, copies), as they were named."""
    material: str = "PLA"
    colour: str = ""
    preset: str = Preset.BALANCED.value
    modes: tuple[str, ...] = ()
    deadline: str = ""
    layer_height_um: int = 200
    infill_pct: int = 20
    perimeters: int = 2
    supports: bool = False
    brim_mm: int = 0
    orientation: str = AS_MODELLED

    @classmethod
    def read(cls, given: MultiDict[str, str], *, part_id: int | None = None) -> Self:
        """A wish from an address or a form, for one part or for those that it names. Raises
        Invalid for what is no number, or for no part at all."""
        said = copies_of(given, part_id=part_id)
        items = [(part, whole(text, name=_field(part, part_id))) for part, text in said.items()]
        chosen = tuple((part, copies) for part, copies in items if copies)
        if not chosen:
            raise Invalid("choose at least one part: say how many copies of it")
        return cls(
            place=given.get("place", "").strip(),
            items=chosen,
            material=given.get("material", "").strip() or "PLA",
            colour=given.get("colour", "").strip(),
            preset=given.get("preset", "") or Preset.BALANCED.value,
            modes=tuple(given.getlist("modes")),
            deadline=given.get("deadline", "").strip(),
            supports="supports" in given,
            orientation=given.get("orientation", "") or AS_MODELLED,
            **{
                name: whole(given.get(name, "").strip() or str(usual), name=name)
                for name, usual in NUMBERS.items()
            },
        )

    @classmethod
    def of_quote(cls, row: QuoteRow, *, place: str) -> Self:
        """What was asked for when a quote was made; `place` where the quote does not know it."""
        inputs, choices = Inputs.from_json(row.inputs), row.choices
        # Seconds were cut off when it was kept; the form knows minutes.
        due = row.created_at + timedelta(seconds=inputs.late_after_s + 30)
        return cls(
            place=row.place or place,
            items=tuple((item.part_id, item.copies) for item in row.items),
            material=choices["material"],
            colour=choices.get("colour") or "",
            preset=inputs.preset,
            deadline=due.strftime(f"{LOCAL}Z") if inputs.late_after_s else "",
            layer_height_um=choices["layer_height_um"],
            infill_pct=choices["infill_pct"],
            perimeters=choices["perimeters"],
            supports=choices["supports"],
            orientation=choices.get("orientation", AS_MODELLED),
            brim_mm=choices["brim_mm"],
        )

    @property
    def fields(self) -> list[tuple[str, str]]:
        """As fields of a form or an address: only what differs from what an empty form means."""
        usual = replace(Wish(place="", items=()), material="")
        texts = ("place", "material", "colour", "preset", "deadline", "orientation")
        found = [(name, str(getattr(self, name))) for name in (*texts, *NUMBERS)]
        found = [(name, text) for name, text in found if text != str(getattr(usual, name))]
        found += self._copies
        found += [("modes", mode) for mode in self.modes]
        return [*found, ("supports", "on")] if self.supports else found

    @property
    def _copies(self) -> list[tuple[str, str]]:
        if len(self.items) > 1:
            return [(f"{COPIES_OF}{part}", str(copies)) for part, copies in self.items]
        return [("copies", str(copies)) for _part, copies in self.items if copies != 1]

    @property
    def path(self) -> str:
        """The page that takes this wish: of its part, or of several."""
        return f"/make/{self.items[0][0]}" if len(self.items) == 1 else "/make"

    @property
    def address(self) -> str:
        """The page that asks the workshops with this wish."""
        return f"{self.path}?{urlencode(self.fields)}"

    def due(self) -> datetime | None:
        """The deadline. Without a zone it is by the clock of the place: there the part is needed.

        Raises Invalid for no time, NotFound for an unknown place.
        """
        return due_at(self.deadline, place=find_place(self.place)) if self.deadline else None

    def asked(self) -> schema.QuoteAsk:
        """The same as the API's question; the parts are named elsewhere."""
        due = self.due()
        return schema.QuoteAsk(
            design="",
            place=self.place,
            material=self.material,
            colour=self.colour or None,
            layer_height_um=self.layer_height_um,
            infill_pct=self.infill_pct,
            perimeters=self.perimeters,
            supports=self.supports,
            orientation=self.orientation,
            brim_mm=self.brim_mm,
            preset=self.preset,
            modes=list(self.modes),
            deadline=due.isoformat() if due else None,
        )


def due_at(text: str, *, place: Place) -> datetime | None:
    """A moment as a person or a browser writes it, by the clock of a place where it has no zone.
    Raises Invalid for no time."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise Invalid(f"deadline: {text[:40]!r} is not a date with a time") from exc
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(place.time_zone))
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise Invalid(f"deadline: {text[:40]!r} is too far away") from exc


def copies_of(given: MultiDict[str, str], *, part_id: int | None = None) -> dict[int, str]:
    """How many copies of which parts an address or a form says, as it was typed: of one part by
    `copies`, else by a field for each, also of those that are left out. Raises Invalid for a field
    that names no part."""
    if part_id is not None:
        return {part_id: given.get("copies", "").strip() or "1"}
    named = [name for name in given if name.startswith(COPIES_OF)]
    return {_part(name): given.get(name, "").strip() or "0" for name in named[:MOST_NAMED]}


def whole(text: str, *, name: str) -> int:
    """A whole number as a person types it. Raises Invalid."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"{name}: {text[:40]!r} is not a whole number")
    return int(text)


def _field(part: int, part_id: int | None) -> str:
    return "copies" if part_id is not None else f"{COPIES_OF}{part}"


def _part(name: str) -> int:
    text = name.removeprefix(COPIES_OF)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"{name[:40]!r} names no part: a part has a number")
    return int(text)
