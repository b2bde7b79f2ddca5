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
from router.globe import find_place
from router.models import QuoteRow
from router.quote import Inputs, Preset

NUMBERS: Mapping[str, int] = {
    "copies": 1,
    "layer_height_um": 200,
    "infill_pct": 20,
    "perimeters": 2,
    "brim_mm": 0,
}
"""Whole numbers of the form, with what is meant by an empty field."""

LOCAL = "%Y-%m-%dT%H:%M"
"""How a browser writes a moment without a zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Everything but the part. Texts are as a person typed them."""

    place: str
    copies: int = 1
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

    @classmethod
    def read(cls, given: MultiDict[str, str]) -> Self:
        """A wish from an address or a form. Raises Invalid for what is no number."""
        return cls(
            place=given.get("place", "").strip(),
            material=given.get("material", "").strip() or "PLA",
            colour=given.get("colour", "").strip(),
            preset=given.get("preset", "") or Preset.BALANCED.value,
            modes=tuple(given.getlist("modes")),
            deadline=given.get("deadline", "").strip(),
            supports="supports" in given,
            **{name: _whole(given, name) for name in NUMBERS},
        )

    @classmethod
    def of_quote(cls, row: QuoteRow, *, place: str) -> Self:
        """What was asked for when a quote was made; `place` where the quote does not know it."""
        inputs, choices = Inputs.from_json(row.inputs), row.choices
        # Seconds were cut off when it was kept; the form knows minutes.
        due = row.created_at + timedelta(seconds=inputs.late_after_s + 30)
        return cls(
            place=row.place or place,
            copies=row.copies,
            material=choices["material"],
            colour=choices.get("colour") or "",
            preset=inputs.preset,
            deadline=due.strftime(f"{LOCAL}Z") if inputs.late_after_s else "",
            layer_height_um=choices["layer_height_um"],
            infill_pct=choices["infill_pct"],
            perimeters=choices["perimeters"],
            supports=choices["supports"],
            brim_mm=choices["brim_mm"],
        )

    @property
    def fields(self) -> list[tuple[str, str]]:
        """As fields of a form or an address: only what differs from what an empty form means."""
        usual = replace(Wish(place=""), material="")
        texts = ("place", "material", "colour", "preset", "deadline")
        found = [(name, str(getattr(self, name))) for name in (*texts, *NUMBERS)]
        found = [(name, text) for name, text in found if text != str(getattr(usual, name))]
        found += [("modes", mode) for mode in self.modes]
        return [*found, ("supports", "on")] if self.supports else found

    def address(self, part_id: int) -> str:
        """The page that asks the workshops for a part with this wish."""
        return f"/make/{part_id}?{urlencode(self.fields)}"

    def due(self) -> datetime | None:
        """The deadline. Without a zone it is by the clock of the place: there the part is needed.

        Raises Invalid for no time, NotFound for an unknown place.
        """
        if not self.deadline:
            return None
        try:
            moment = datetime.fromisoformat(self.deadline)
        except ValueError as exc:
            raise Invalid(f"deadline: {self.deadline[:40]!r} is not a date with a time") from exc
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(find_place(self.place).time_zone))
        try:
            return moment.astimezone(UTC)
        except OverflowError as exc:
            raise Invalid(f"deadline: {self.deadline[:40]!r} is too far away") from exc

    def asked(self) -> schema.QuoteAsk:
        """The same as the API's question; the part is named elsewhere."""
        due = self.due()
        return schema.QuoteAsk(
            design="",
            place=self.place,
            copies=self.copies,
            material=self.material,
            colour=self.colour or None,
            layer_height_um=self.layer_height_um,
            infill_pct=self.infill_pct,
            perimeters=self.perimeters,
            supports=self.supports,
            brim_mm=self.brim_mm,
            preset=self.preset,
            modes=list(self.modes),
            deadline=due.isoformat() if due else None,
        )


def _whole(given: MultiDict[str, str], name: str) -> int:
    text = given.get(name, "").strip()
    if not text:
        return NUMBERS[name]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"{name}: {text[:40]!r} is not a whole number")
    return int(text)
