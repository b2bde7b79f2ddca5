"""CO2e of making and carrying one order, in whole milligrams, from one versioned factor file.

Each figure travels with its source, and with whether we checked it there: a factor read from a copy
is shown as unchecked. Direct and well-to-wheel figures are never added up.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from basis.errors import NotFound
from basis.units import ceil_div
from printers.offer import Mode

CURRENT = "hub-2026-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One number with its origin."""

    value: int
    source: str
    checked: bool

    @property
    def said(self) -> str:
        """The source in words, with a mark when it was not checked."""
        return self.source if self.checked else f"{self.source} [not checked at its source]"


@dataclass(frozen=True, slots=True)
class Factors:
    """A factor set as published."""

    id: str
    sha256: str
    data: Mapping[str, Any]

    def grid(self, country: str) -> Factor:
        """mg CO2e per kWh of electricity."""
        table = self.data["grid"]
        return _factor(table.get(country, table["world"]), "mg_per_kwh")

    def material(self, material: str) -> Factor:
        """mg CO2e per kg of filament."""
        table = self.data["material"]
        return _factor(table.get(material, table["other"]), "mg_per_kg")

    def circuity(self, country: str) -> Factor:
        """Road distance over great circle, in thousandths."""
        table = self.data["circuity_per_mille"]
        return _factor(table.get(country, table["other"]), "value")

    def single(self, name: str, key: str = "value") -> Factor:
        """A factor that is one number: `energy`, `waste_bp`, `packaging_mg`."""
        return _factor(self.data[name], key)

    def transport(self, mode: Mode) -> tuple[Factor, bool]:
        """The factor of a mode, and whether the vehicle is shared (mg per t·km) or the whole trip
        counts whatever the mass (mg per km)."""
        entry = self.data["transport"][mode.value]
        shared = entry["kind"] == "shared"
        return _factor(entry, "mg_per_t_km" if shared else "mg_per_km"), shared


@cache
def factors(name: str = CURRENT) -> Factors:
    """A published factor set. Sets are never edited: a better figure makes a new one."""
    place = files("router").joinpath("factors", f"{name}.json")
    if not name.replace("-", "").isalnum() or not place.is_file():
        raise NotFound(f"there is no factor set {name!r}")
    text = place.read_bytes()
    return Factors(id=name, sha256=hashlib.sha256(text).hexdigest(), data=json.loads(text))


def energy_mwh(used: Factors, *, rated_power_w: int, duration_s: int) -> int:
    """Electricity of a print, from the power supply's rating: an estimate, rounded up."""
    share = used.single("energy", "per_mille_of_rated_power").value
    return ceil_div(rated_power_w * duration_s * share, 3_600)


def print_mg(used: Factors, *, energy_mwh: int, mass_mg: int, country: str, material: str) -> int:
    """CO2e of electricity and filament, waste included, of one try."""
    electricity = ceil_div(energy_mwh * used.grid(country).value, 1_000_000)
    with_waste = ceil_div(mass_mg * (10_000 + used.single("waste_bp").value), 10_000)
    return electricity + ceil_div(with_waste * used.material(material).value, 1_000_000)


def transport_mg(used: Factors, *, mode: Mode, distance_m: int, mass_mg: int) -> int:
    """CO2e of carrying one order. A shared vehicle counts the mass and its packaging one way; a
    dedicated trip counts the vehicle there and back, whatever the mass."""
    factor, shared = used.transport(mode)
    if shared:
        carried_mg = mass_mg + used.single("packaging_mg").value
        # 1 t·km is 10⁹ mg times 10³ m.
        return ceil_div(carried_mg * distance_m * factor.value, 10**12)
    return ceil_div(2 * distance_m * factor.value, 1_000)


def _factor(entry: Mapping[str, Any], key: str) -> Factor:
    return Factor(value=entry[key], source=entry["source"], checked=entry["checked"])
