"""What the map is told: towns, not doors, and never more than it can show."""

import re
from pathlib import Path

import pytest
from sqlalchemy import select

from basis.errors import Invalid
from basis.settings import read_settings
from designhub.web.maps import MOST_CITIES
from designhub.web.script_words import WORDS
from printers.models import WorkshopRow
from tests.support import builders
from tests.support.hubs import OpenHub, opened
from tests.support.statements import counted

ASSETS = Path(__file__).parents[2] / "designhub/assets"


def test_workshops_are_told_by_their_town_in_one_statement(hub: OpenHub) -> None:
    shop = hub.shop()
    with hub.hub.database.writing() as session:
        for number in range(30):
            builders.workshop(session, shop.owner, title=f"Workshop {number}")
        row = session.scalars(select(WorkshopRow).where(WorkshopRow.id == shop.workshop)).one()
        row.lat_udeg, row.lon_udeg, row.title = 59_912_345, 10_746_789, "<b>Corner</b>"
    with counted(hub.hub.database) as statements:
        answer = hub.client().get("/map/places.json")
    assert len(statements) == 1 and len(answer.get_json()["features"]) == 31
    first = answer.get_json()["features"][0]
    assert first["geometry"] == {"type": "Point", "coordinates": [10.75, 59.91]}
    assert first["properties"] == {
        "title": "<b>Corner</b>",
        "href": f"/workshops/{row.slug}",
        "kind": "workshop",
        "text": "Oslo, NO · 1 printer",
        "rank": 1,
    }
    assert answer.content_type == "application/json"


def test_cities_come_by_size_and_within_bounds(hub: OpenHub) -> None:
    client = hub.client()
    with counted(hub.hub.database) as statements:
        answer = client.get("/map/places?bbox=4,57,32,72")
    assert statements == [] and answer.headers["Cache-Control"].startswith("public")
    names = [each["name"] for each in answer.get_json()]
    assert {"Oslo", "Stockholm", "Helsinki"} <= set(names[:10]) and len(names) == MOST_CITIES
    people = [each["people"] for each in answer.get_json()]
    assert people == sorted(people, reverse=True)
    over_the_line = client.get("/map/places?bbox=170,-25,-170,-10").get_json()
    assert "Suva" in [each["name"] for each in over_the_line]
    assert all(abs(each["lon"]) >= 170 for each in over_the_line)
    assert client.get("/map/places?bbox=-150,-50,-140,-45").get_json() == []


@pytest.mark.parametrize(
    "box",
    [
        "",
        "1,2,3",
        "1,2,3,x",
        "nan,0,1,1",
        "0,inf,1,1",
        "0,50,1,40",
        "-181,0,1,1",
        "0,0,1,91",
        "0" * 999,
    ],
)
def test_what_is_no_box_is_refused(hub: OpenHub, box: str) -> None:
    assert hub.client().get("/map/places", query_string={"bbox": box}).status_code == 422


def test_another_host_is_asked_only_where_the_operator_chose_one(
    hub: OpenHub, tmp_path: Path
) -> None:
    page = hub.client().get("/style")
    assert "img-src 'self' data: blob:;" in page.headers["Content-Security-Policy"]
    assert "data-tiles" not in page.text
    address = "https://tiles.example:8443/s/{z}/{x}/{y}.png?a=1"
    with opened(tmp_path / "other", tile_url=address, tile_credit="© <Mappers>") as other:
        page = other.client().get("/style")
        policy = page.headers["Content-Security-Policy"]
        assert "img-src 'self' data: blob: https://tiles.example:8443;" in policy
        assert f'data-tiles="{address}" data-tiles-credit="© &lt;Mappers&gt;"' in page.text


@pytest.mark.parametrize(
    "address",
    [
        "tiles.example/{z}/{x}/{y}",
        "https://a.example/{z}/{x}",
        "https://a.example; /{z}/{x}/{y}",
        "https://a.example,b.example/{z}{x}{y}",
        "javascript:{z}{x}{y}",
        "https://*/{z}{x}{y}",
    ],
)
def test_a_wrong_address_of_tiles_stops_the_start(address: str) -> None:
    with pytest.raises(Invalid, match="TILE_URL"):
        read_settings({"DESIGNHUB_TILE_URL": address})


def test_scripts_say_what_can_be_translated_and_nothing_else(hub: OpenHub) -> None:
    said = set()
    for path in (*ASSETS.glob("*.js"), *ASSETS.glob("behaviours/*.js")):
        said |= set(re.findall(r'say\(\s*"([^"]+)"', path.read_text("utf-8")))
    assert said == {each.message for each in WORDS}
    answer = hub.client().get("/static/words/de.json")
    assert answer.get_json().keys() == said and answer.headers["Cache-Control"].startswith("public")
    assert hub.client().get("/static/words/xx.json").status_code == 404
