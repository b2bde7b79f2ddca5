"""What one printer offers to the world: place, price by line, carriage, and material loaded.

Frozen values without rows behind them; `printers.queries.offers` reads them from the database.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from basis.errors import Invalid
from basis.units import ceil_div
from printers.capability import Profile
from printers.quiet import Quiet

MOST_MINOR = 10_000_000
"""No single price is larger than this many minor units: a typo, not a price."""


class Duty(StrEnum):
    """What its workshop lets a printer do. Whatever it is, a print under way goes on."""

    OPEN = "open"  # quoted, and starts what waits for it
    PAUSED = "paused"  # starts nothing, takes no order; what waits waits on
    DRAINING = "draining"  # makes what waits for it, takes no order
    MAINTENANCE = "maintenance"  # somebody works at it: starts nothing, takes no order


STARTS = frozenset({Duty.OPEN, Duty.DRAINING})
"""In these a print may start."""


class Mode(StrEnum):
    """How a part travels. What the maker does alone costs nothing here, yet counts its CO2e."""

    FOOT = "foot"
    BICYCLE = "bicycle"
    CAR = "car"  # a dedicated trip, there and back
    PARCEL = "parcel"  # a shared van, by mass and distance


COLLECTED = frozenset({Mode.FOOT, Mode.BICYCLE, Mode.CAR})
"""The maker fetches it at the workshop: it changes hands there and nothing has to be carried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a workshop asks for its work, in minor units of its currency. Material is priced by
    the spool. Everything scarce has a line; the design itself never has."""

    per_hour_minor: int
    """Machine time."""
    labour_minor: int
    """Setting up, taking off and looking, for each copy."""
    contribution_bp: int = 1_000
    """Share for the design's commons, in 1/10,000 of material, machine time and labour."""

    def __post_init__(self) -> None:
        for name in ("per_hour_minor", "labour_minor"):
            if not 0 <= getattr(self, name) <= MOST_MINOR:
                raise Invalid(f"{name} must be 0 to {MOST_MINOR:,}, got {getattr(self, name)}")
        if not 0 <= self.contribution_bp <= 10_000:
            raise Invalid(f"contribution_bp must be 0 to 10,000, got {self.contribution_bp}")

    def to_json(self) -> dict[str, Any]:
        """For the row."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back, or from a person. Raises Invalid naming the key at fault."""
        return cls(
            **whole_numbers(
                data, required=("per_hour_minor", "labour_minor"), optional=("contribution_bp",)
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Carriage:
    """One way a part can leave a workshop, and what that costs."""

    mode: Mode
    base_minor: int = 0
    per_km_minor: int = 0
    most_km: int = 20_000

    def __post_init__(self) -> None:
        for name in ("base_minor", "per_km_minor", "most_km"):
            if not 0 <= getattr(self, name) <= MOST_MINOR:
                raise Invalid(f"{name} must be 0 to {MOST_MINOR:,}, got {getattr(self, name)}")

    def price_minor(self, *, distance_m: int) -> int:
        """What carrying one order over `distance_m` costs, rounded up once."""
        return self.base_minor + ceil_div(self.per_km_minor * distance_m, 1_000)

    def to_json(self) -> dict[str, Any]:
        """For the row."""
        return {**asdict(self), "mode": self.mode.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back, or from a person. Raises Invalid naming the key at fault."""
        rest = {key: value for key, value in data.items() if key != "mode"}
        try:
            mode = Mode(data.get("mode", ""))
        except ValueError:
            known = ", ".join(Mode)
            raise Invalid(f"mode {data.get('mode')!r} is not one of: {known}") from None
        numbers = whole_numbers(rest, optional=("base_minor", "per_km_minor", "most_km"))
        return cls(mode=mode, **numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Filament in one slot."""

    spool: UUID
    material: str
    colour: str
    free_mg: int
    """Left on the spool, less what open jobs reserved."""
    price_per_kg_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One printer as routing sees it."""

    printer: UUID
    workshop: UUID
    printer_name: str
    workshop_title: str
    workshop_slug: str
    place: str
    lat_udeg: int
    lon_udeg: int
    country: str
    time_zone: str
    currency: str
    profile: Profile
    loaded: tuple[Loaded, ...]
    prices: Prices
    carriage: tuple[Carriage, ...]
    accepting: bool
    tried: bool = True
    """Whether a cube could be sliced for it as it is now."""
    bed_clear: bool
    seen_at: datetime | None
    idle_since: datetime
    passed: int
    failed: int
    took_per_mille: int = 1_000
    took_runs: int = 0
    mass_per_mille: int = 1_000
    mass_slices: int = 0
    """What its record says of estimates: `printers.models.PrinterRow`."""
    duty: Duty = Duty.OPEN
    quiet: Quiet | None = None
    most_pieces: int = 1
    """Most copies of a part that its workshop puts on one plate."""


def whole_numbers(
    data: Mapping[str, Any], *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> dict[str, int]:
    """The named whole numbers of a JSON object; nothing else may be in it.

    Raises Invalid naming every key that is missing, unknown or not a whole number.
    """
    missing = [name for name in required if name not in data]
    unknown = sorted(set(data) - set(required) - set(optional))
    wrong = [name for name, value in data.items() if type(value) is not int]
    if missing or unknown or wrong:
        said = (("missing", missing), ("unknown", unknown), ("not a whole number", wrong))
        raise Invalid("; ".join(f"{what}: {', '.join(names)}" for what, names in said if names))
    return dict(data)
