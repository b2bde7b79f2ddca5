"""What the map shows: workshops, and the names of cities when somebody comes near."""

import math
from dataclasses import dataclass

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from basis.errors import Invalid
from designhub.hub import this_hub
from designhub.language import ngettext
from printers import queries
from router.globe import cities_in

bp = Blueprint("maps", __name__)

MOST_WORKSHOPS = 2_000
MOST_CITIES = 60
WORKSHOPS_S, CITIES_S = 60, 86_400
DIGITS = 2
"""Of a degree, about a kilometre: everybody sees in which town a workshop is, nobody its door."""


@bp.get("/map/places.json")
def places() -> ResponseReturnValue:
    """All workshops as GeoJSON (RFC 7946)."""
    with this_hub().database.reading() as session:
        rows = queries.workshop_places(session, most=MOST_WORKSHOPS)
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Point",
                "coordinates": [_rounded(row.lon_udeg), _rounded(row.lat_udeg)],
            },
            "properties": {
                "title": row.title,
                "href": f"/workshops/{row.slug}",
                "kind": "workshop",
                "text": f"{row.place} · "
                + ngettext("%(n)s printer", "%(n)s printers", row.printers),
                "rank": row.printers,
            },
        }
        for row in rows
    ]
    answer = jsonify({"type": "FeatureCollection", "features": features})
    answer.headers["Cache-Control"] = f"private, max-age={WORKSHOPS_S}"  # in the reader's language
    return answer


@bp.get("/map/places")
def cities() -> ResponseReturnValue:
    """The largest cities in `bbox=west,south,east,north`, in degrees, the largest first."""
    west, south, east, north = _box(request.args.get("bbox", ""))
    found = cities_in(west=west, south=south, east=east, north=north, most=MOST_CITIES)
    answer = jsonify(
        [
            {"name": each[0], "lat": each[1] / 1e6, "lon": each[2] / 1e6, "people": each[5]}
            for each in found
        ]
    )
    answer.headers["Cache-Control"] = f"public, max-age={CITIES_S}"
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Map pictures of another host, if the operator chose one, and whose they are."""

    url: str
    credit: str


def tiles() -> Tiles:
    """What the map is drawn over."""
    settings = this_hub().settings
    return Tiles(url=settings.tile_url, credit=settings.tile_credit)


def _rounded(udeg: int) -> float:
    return round(udeg / 1e6, DIGITS)


def _box(text: str) -> tuple[float, float, float, float]:
    """Raises Invalid for what is no box on the globe. West of 170 and east of −170 is a box over
    the line of dates."""
    try:
        west, south, east, north = (float(part) for part in text[:100].split(","))
    except ValueError as exc:
        raise Invalid("bbox: expected west,south,east,north in degrees") from exc
    fine = all(map(math.isfinite, (west, south, east, north))) and -90 <= south <= north <= 90
    if not fine or not (-180 <= west <= 180 and -180 <= east <= 180):
        raise Invalid(f"bbox: {text[:100]!r} is no box of degrees on the globe")
    return west, south, east, north
