"""Distances known on paper, and places as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis.errors import Invalid, NotFound
from router.globe import (
    EARTH_M,
    check_point,
    find_place,
    great_circle_m,
    nearest_city,
    udeg,
)

QUARTER_M = round(EARTH_M * 3.141592653589793 / 2)
DEGREE_M = 111_195
"""One degree of a great circle: 6371.0088 km × π / 180."""

LAT = st.integers(-90_000_000, 90_000_000)
LON = st.integers(-180_000_000, 180_000_000)
POINT = st.tuples(LAT, LON)


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((0, 0), (0, 0), 0),
        ((0, 0), (0, 1_000_000), DEGREE_M),  # along the equator
        ((0, 0), (1_000_000, 0), DEGREE_M),  # along a meridian
        ((60_000_000, 0), (60_000_000, 1_000_000), 55_597),  # half as far, at 60° north
        ((0, 179_500_000), (0, -179_500_000), DEGREE_M),  # across the antimeridian
        ((0, 180_000_000), (0, -180_000_000), 0),  # one meridian with two names
        ((89_500_000, 10_000_000), (89_500_000, -170_000_000), DEGREE_M),  # across the pole
        ((90_000_000, 0), (90_000_000, 123_000_000), 0),  # the pole has every longitude
        ((0, 0), (90_000_000, 0), QUARTER_M),
        ((90_000_000, 0), (-90_000_000, 0), 2 * QUARTER_M + 1),
        ((0, 0), (0, 180_000_000), 2 * QUARTER_M + 1),
        ((0, 0), (0, 9), 1),  # a metre is not lost
    ],
)
def test_distances_known_on_paper(a: tuple[int, int], b: tuple[int, int], metres: int) -> None:
    assert abs(great_circle_m(a, b) - metres) <= 1


@given(POINT, POINT, POINT)
def test_a_distance_is_a_distance(
    a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]
) -> None:
    assert great_circle_m(a, a) == 0
    assert great_circle_m(a, b) == great_circle_m(b, a)
    assert great_circle_m(a, c) <= great_circle_m(a, b) + great_circle_m(b, c) + 2


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Oslo", "Oslo, NO"),
        ("  oslo ", "Oslo, NO"),
        ("Düsseldorf", "Düsseldorf, DE"),
        ("dusseldorf", "Düsseldorf, DE"),
        ("lodz", "Łódź, PL"),
        ("são paulo", "São Paulo, BR"),
        ("Paris", "Paris, FR"),  # of several the largest
        ("Paris, US", "Paris, US"),
        ("paris,us", "Paris, US"),
        ("München", "Munich, DE"),  # as its people call it
        ("東京", "Tokyo, JP"),
    ],
)
def test_cities_are_found_as_people_write_them(text: str, name: str) -> None:
    assert find_place(text).name == name


def test_a_city_tells_its_country_and_time_zone() -> None:
    place = find_place("Berlin")
    assert (place.country, place.time_zone) == ("DE", "Europe/Berlin")
    assert great_circle_m((place.lat_udeg, place.lon_udeg), (52_520_000, 13_405_000)) < 5_000


def test_a_point_lies_near_the_nearest_city() -> None:
    place = find_place("59.9, 10.7")
    assert (place.lat_udeg, place.lon_udeg) == (59_900_000, 10_700_000)
    assert (place.name, place.country) == ("near Oslo, NO", "NO")


def test_the_nearest_city_is_found_across_the_antimeridian() -> None:
    assert nearest_city(-17_800_000, -179_999_000).country == "FJ"


def test_an_unknown_city_gets_a_hint() -> None:
    with pytest.raises(NotFound, match=r"no city 'Amstredam' is known; did you mean Amsterdam"):
        find_place("Amstredam")
    with pytest.raises(NotFound, match=r"'Oslo' in DE is known"):
        find_place("Oslo, de")
    with pytest.raises(NotFound, match="give it as latitude,longitude"):
        find_place("qqqqqqqqqq")


@pytest.mark.parametrize("text", ["90.000001,0", "-91,0", "0,180.1", "0,-181", "1e9,0"])
def test_a_point_off_the_globe_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not between"):
        find_place(text)


@pytest.mark.parametrize("text", ["90,180", "-90,-180", "0,0"])
def test_the_edges_of_the_globe_are_on_it(text: str) -> None:
    lat, lon = text.split(",")
    place = find_place(text)
    assert (place.lat_udeg, place.lon_udeg) == (udeg(lat), udeg(lon))
    check_point(place.lat_udeg, place.lon_udeg)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "north", ""])
def test_degrees_are_finite_numbers(text: str) -> None:
    with pytest.raises(Invalid, match="not a number of degrees"):
        udeg(text)


@pytest.mark.parametrize("text", ["", "   ", "x" * 201])
def test_a_place_has_a_name_of_sensible_length(text: str) -> None:
    with pytest.raises(Invalid, match="1 to 200 characters"):
        find_place(text)
