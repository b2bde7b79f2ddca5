"""Offers and needs without a database: one that fits, to be changed on one axis at a time."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from printers.capability import COMMON
from printers.offer import Carriage, Loaded, Mode, Offer, Prices
from router.matching import Body, Need
from router.quote import Inputs, Item
from tests.support.builders import NOW

SPOOL = Loaded(
    spool=UUID(int=1), material="PLA", colour="black", free_mg=100_000, price_per_kg_minor=2_500
)

PROFILE = replace(
    COMMON["mk3s"],
    bed_x_mm=250,
    bed_y_mm=210,
    height_mm=200,
    nozzle_um=400,
    max_nozzle_c=260,
    max_bed_c=100,
)


def offer(**changes: Any) -> Offer:
    """A printer that is seen, accepts, and has 100 g of black PLA."""
    said: dict[str, Any] = {
        "printer": UUID(int=10),
        "workshop": UUID(int=20),
        "printer_name": "one",
        "workshop_title": "Workshop",
        "workshop_slug": "workshop",
        "place": "Oslo",
        "lat_udeg": 59_912_730,
        "lon_udeg": 10_746_090,
        "country": "NO",
        "time_zone": "Europe/Oslo",
        "currency": "EUR",
        "profile": PROFILE,
        "loaded": (SPOOL,),
        "prices": Prices(per_hour_minor=200, labour_minor=300),
        "carriage": (Carriage(mode=Mode.PARCEL, base_minor=500, per_km_minor=10),),
        "accepting": True,
        "bed_clear": True,
        "seen_at": NOW,
        "idle_since": NOW,
        "passed": 0,
        "failed": 0,
    }
    return Offer(**said | changes)


def body(part: str = "a plate", **changes: int) -> Body:
    """100 × 50 × 20 mm."""
    size_um = {"size_x_um": 100_000, "size_y_um": 50_000, "size_z_um": 20_000}
    return Body(part=part, **size_um | changes)


def need(**changes: Any) -> Need:
    """A part of 100 × 50 × 20 mm and 50 g in PLA of any colour."""
    said: dict[str, Any] = {
        "bodies": (body(),),
        "mass_mg": 50_000,
        "material": "PLA",
        "colour": None,
        "layer_height_um": 200,
        "margin_um": 3_000,
    }
    return Need(**said | changes)


def item(**changes: Any) -> Item:
    """One part of 100 g and 4 h."""
    said: dict[str, Any] = {
        "part": "a plate",
        "copies": 1,
        "mass_mg": 100_000,
        "mass_source": "estimated",
        "duration_s": 14_400,
        "duration_source": "estimated",
    }
    return Item(**said | changes)


def inputs(**changes: Any) -> Inputs:
    """One part of 100 g and 4 h, sent as a parcel over 10 km as the crow flies."""
    said: dict[str, Any] = {
        "items": (item(),),
        "material": "PLA",
        "material_per_kg_minor": 2_500,
        "prices": Prices(per_hour_minor=200, labour_minor=300, contribution_bp=1_000),
        "carriage": Carriage(mode=Mode.PARCEL, base_minor=500, per_km_minor=10),
        "mode": "parcel",
        "great_circle_m": 10_000,
        "circuity_per_mille": 1_300,
        "country": "NO",
        "rated_power_w": 240,
        "passed": 0,
        "failed": 0,
        "queue_s": 0,
        "bed_clear": True,
        "idle_h": 0,
        "late_after_s": 0,
        "preset": "balanced",
        "factors": "hub-2026-1",
    }
    return Inputs(**said | changes)
