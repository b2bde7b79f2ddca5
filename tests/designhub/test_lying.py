"""How a part lies on the bed, on the pages: pictures and figures of every pose, without script."""

import re
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import select, update

from designhub.web import lying as shown
from designs import lying
from designs.models import DesignRow, MeshRow, Visibility
from router.models import OrderRow
from tests.designhub.test_make_pages import chosen, ordering
from tests.designhub.test_pages import MOST_STATEMENTS, check_shape
from tests.support.builders import Shop
from tests.support.hubs import OpenHub
from tests.support.statements import counted


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    """Somebody who orders, whom they order from, and a part with a picture."""
    made = hub.shop()
    picture = hub.hub.blobs.put([b"\x89PNG\r\n\x1a\n" + b"picture"], most_bytes=1_000)
    with hub.hub.database.writing() as session:
        session.execute(update(MeshRow).values(picture_sha256=picture.sha256))
    return made


def test_every_way_to_lie_is_shown_with_its_figures(hub: OpenHub, shop: Shop) -> None:
    client, path = hub.client(), f"/make/{shop.part.part_id}"
    with counted(hub.hub.database) as statements:
        page = client.get(path).text
    assert len(statements) <= MOST_STATEMENTS
    check_shape(page, "poses")
    sheet = f"/parts/{shop.part.part_id}/poses.png"
    assert page.count(f'src="{sheet}"') == page.count('name="orientation"') == 7
    assert page.count('loading="lazy"') >= 7  # nothing is drawn for whoever does not look
    assert 'alt="Part on the bed: On its left side"' in page
    assert 'value="as_modelled" data-down="0 0 -1" data-down-for="#viewer" checked' in page
    assert 'value="left" data-down="-1 0 0"' in page
    words = page.replace("\u00a0", " ")
    assert words.count("20 × 20 × 20 mm · 0 mm² overhang, 400 mm² on the bed") == 8
    turned = client.get(f"{path}?orientation=left").text
    assert re.search(r'value="left"[^>]* checked', turned)
    assert re.search(r'id="viewer"[^>]* data-down="-1 0 0"><?[^<]*<img class="picture pose', turned)
    assert "<figcaption" in turned and client.get(f"{path}?orientation=sideways").status_code == 200


def test_a_part_that_cannot_be_turned_says_so(hub: OpenHub, shop: Shop) -> None:
    facts = shop.part.facts.to_json() | {"poses": []}
    with hub.hub.database.writing() as session:
        session.execute(update(MeshRow).values(facts=facts))
    client = hub.client()
    page = client.get(f"/make/{shop.part.part_id}").text
    assert "It is printed as it was modelled" in page and 'name="orientation"' not in page
    assert client.get(f"/parts/{shop.part.part_id}/poses.png").status_code == 404


def test_a_sheet_is_drawn_once_and_kept_by_who_may_see_it(hub: OpenHub, shop: Shop) -> None:
    client, path = hub.client(), f"/parts/{shop.part.part_id}/poses.png"
    first = client.get(path)
    assert first.status_code == 200 and first.content_type == "image/png", first.text
    with Image.open(BytesIO(first.data)) as image:
        assert image.size == (384, 7 * 384)
    assert first.headers["Cache-Control"].startswith("public, max-age=")
    assert "Set-Cookie" not in first.headers and "Cookie" not in first.headers.get("Vary", "")
    hub.hub.blobs.path(shop.part.stl_sha256).unlink()  # nothing to draw it from any more
    with counted(hub.hub.database) as statements:
        again = client.flask.get(
            path, headers={"If-None-Match": first.headers["ETag"]}, buffered=True
        )
    assert again.status_code == 304 and len(statements) <= 3
    with hub.hub.database.writing() as session:
        session.execute(update(DesignRow).values(visibility=Visibility.PRIVATE))
    assert client.get(path).status_code == 404
    own = hub.client("owner").get(path)
    assert own.status_code == 200 and own.headers["Cache-Control"] == "private, no-cache"


def test_others_wait_or_look_again(
    hub: OpenHub, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lying, "WAIT_S", 0.01)
    taken = [lying.places.acquire(blocking=False) for _ in range(lying.AT_ONCE)]
    try:
        busy = hub.client().get(f"/parts/{shop.part.part_id}/poses.png")
    finally:
        for _ in taken:
            lying.places.release()
    assert busy.status_code == 429 and int(busy.headers["Retry-After"]) == lying.AGAIN_S


def test_what_is_ordered_is_shown_as_it_will_lie(hub: OpenHub, shop: Shop) -> None:
    client = hub.client("maker")
    location = chosen(client, shop, "place=Oslo&orientation=front")
    made = client.form("/orders", ordering(client.get(location).text))
    with hub.hub.database.reading() as session:
        order = session.scalars(select(OrderRow)).one()
        pages = [location, f"/orders/{order.id}", f"/jobs/{order.jobs[0].id}"]
    assert made.status_code == 303
    for path in pages:
        with counted(hub.hub.database) as statements:
            page = client.get(path).text
        check_shape(page, path)
        assert len(statements) <= MOST_STATEMENTS, path
        assert f'class="picture pose pose-front" src="/parts/{shop.part.part_id}/poses.png"' in page
        assert "on the bed: On its front" in page
    usual = hub.ordered(shop)[0]
    assert f'src="/parts/{shop.part.part_id}.png"' in client.get(f"/jobs/{usual}").text


def test_the_ways_are_those_that_can_be_ordered(hub: OpenHub, shop: Shop) -> None:
    with hub.hub.database.reading() as session:
        mesh = session.scalars(select(MeshRow)).one()
    assert [way.orientation for way in shown.ways(mesh)] == [
        *("as_modelled", "best", "top", "left", "right", "front", "back")
    ]
    assert shown.ways(MeshRow()) == []
