"""Several parts in one order, by the pages, the API and the command line."""

import re
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from designhub.auth import Scope
from designhub.commands.orders import _part
from designhub.web import kit as kits
from designs.models import DesignRow, Visibility
from designs.queries import PrintablePart
from printers.capability import COMMON
from router.quoting import MOST_PARTS
from tests.designhub.test_api import problem
from tests.designhub.test_make_pages import choice, ordering, plain
from tests.designhub.test_pages import MOST_STATEMENTS, check_shape
from tests.support import builders, solids
from tests.support.builders import Shop
from tests.support.hubs import Client, OpenHub
from tests.support.statements import counted

SHAPES = {
    "Bracket": solids.box(20, 20, 20),
    "Knob": solids.box(10, 10, 10),
    "Plate": solids.box(40, 40, 2),
}


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    return hub.shop()


@pytest.fixture
def kit(hub: OpenHub, shop: Shop) -> list[PrintablePart]:
    """A design of three parts."""
    with hub.hub.database.writing() as session:
        found = builders.parts(session, shop.owner, SHAPES, blobs=hub.hub.blobs)
        builders.ref(session, found[0])
    return found


def address_of(hub: OpenHub, part: PrintablePart) -> str:
    with hub.hub.database.reading() as session:
        return f"/owner/{session.get_one(DesignRow, part.design_id).slug}"


def query(*items: tuple[PrintablePart, int], **wish: str) -> str:
    return urlencode({f"copies-{part.part_id}": copies for part, copies in items} | wish)


def ordered(client: Client, wish: str) -> str:
    """The address of an order, made in two clicks from the answers."""
    answers = client.get(f"/make?{wish}").text
    chosen = client.form("/make", choice(answers))
    assert chosen.status_code == 303, chosen.text
    made = client.form("/orders", ordering(client.get(str(chosen.location)).text))
    assert made.status_code == 303, made.text
    return str(made.location)


def test_make_it_near_me_leads_to_all_parts_at_once(hub: OpenHub, kit: list[PrintablePart]) -> None:
    client = hub.client()
    page = client.get(address_of(hub, kit[0])).text
    check_shape(page, "a design of three parts")
    (href,) = re.findall(r'<a class="button large" href="(/make[^"]+)"', page)
    assert href.count("copies-") == 3
    form = client.get(href.replace("&amp;", "&")).text
    check_shape(form, "the form of three parts")
    for part in kit:
        assert re.search(rf'name="copies-{part.part_id}"[^>]* value="1"', form), part.name
    assert "Make 3 parts of Design" in form
    # The same choice stands on the page of the design, as a form that needs no script.
    inside = page.split('<form action="/make">')[1].split("</form>")[0]
    assert len(re.findall(r'name="copies-\d+"', inside)) == 3


def test_a_kit_from_the_question_to_the_order(hub: OpenHub, kit: list[PrintablePart]) -> None:
    bracket, knob, plate = kit
    client = hub.client("maker")
    wish = query((bracket, 3), (knob, 1), (plate, 0), place="Oslo")
    page = plain(client.get(f"/make?{wish}").text)
    assert "Make 2 parts of Design" in page and "answer" in page
    assert re.search(rf'name="copies-{plate.part_id}"[^>]* value="0"', page)  # still on offer
    location = ordered(client, wish)
    page = plain(client.get(location).text)
    check_shape(page, "an order of two parts")
    for said in ("Bracket, copy 1 of 3", "Bracket, copy 3 of 3", ">Knob</a>"):
        assert said in page, said
    assert "Bracket: 3 copies" in page.replace("\n", "") and "Knob: 1 copy" in page
    assert "Cancel what is not begun (4 copies)" in page
    (again,) = re.findall(r'href="(/make\?[^"]+)"', page)
    assert client.get(again.replace("&amp;", "&")).status_code == 200
    assert f"copies-{bracket.part_id}=3" in again and str(plate.part_id) not in again
    listed = plain(client.get("/orders").text)
    assert "2 parts of Design" in listed and "Bracket, copy 2 of 3" in listed
    (first, *_others) = re.findall(r'href="(/jobs/[^"]+)"', page)
    job = plain(client.get(first).text)
    assert "copy 1 of 3" in job and "of the whole order" in job
    assert client.form(f"{location}/cancel").status_code == 303
    assert "Order again" in client.get(location).text


def test_the_shares_of_the_jobs_sum_to_the_price(hub: OpenHub, kit: list[PrintablePart]) -> None:
    client = hub.client("maker")
    page = client.get(ordered(client, query((kit[0], 2), (kit[1], 1), place="Oslo"))).text
    shares, prices = [], set()
    for job in dict.fromkeys(re.findall(r'href="(/jobs/[^"]+)"', page)):
        said = plain(client.get(job).text)
        ((share, price),) = re.findall(r"([\d.]+) EUR of the ([\d.]+) EUR of the whole order", said)
        shares.append(round(float(share) * 100))
        prices.add(round(float(price) * 100))
    assert len(shares) == 3 and {sum(shares)} == prices


def test_one_part_is_as_easy_as_ever(hub: OpenHub, kit: list[PrintablePart]) -> None:
    page = hub.client().get(f"/make/{kit[0].part_id}").text
    assert page.count('type="number"') == 5 and 'name="copies"' in page
    assert "Several parts in one order" in page
    only = hub.client().get(f"/make?{query((kit[0], 2), place='Oslo')}").text
    assert (
        'action="/make/' in only.split('id="quote-1"')[1]
    )  # asked for alone, it is an order of one


@pytest.mark.parametrize(
    ("said", "status", "word"),
    [
        ("", 404, "names no part"),
        ("copies-{a}=0&place=Oslo", 422, "choose at least one part"),
        ("copies-{a}=x&place=Oslo", 422, "copies-{a}: "),
        ("copies-x=1", 422, "names no part"),
        ("copies-9999=1&place=Oslo", 404, "there is no part"),
        ("copies-{a}=100&copies-{b}=1&place=Oslo", 422, "1 to 100"),
    ],
)
def test_a_kit_that_cannot_be_read_says_why(
    hub: OpenHub, kit: list[PrintablePart], said: str, status: int, word: str
) -> None:
    names = {"a": kit[0].part_id, "b": kit[1].part_id}
    answer = hub.client().get(f"/make?{said.format(**names)}")
    assert answer.status_code == status
    assert word.format(**names) in answer.text
    check_shape(answer.text, said)


def test_a_part_of_a_private_design_is_nobodys_to_ask_for(
    hub: OpenHub, shop: Shop, kit: list[PrintablePart]
) -> None:
    wish = query((kit[0], 1), (shop.part, 1), place="Oslo")
    assert "Part" in hub.client("maker").get(f"/make?{wish}").text  # of two designs
    with hub.hub.database.writing() as session:
        session.execute(
            update(DesignRow)
            .where(DesignRow.id == kit[0].design_id)
            .values(visibility=Visibility.PRIVATE)
        )
    assert hub.client("maker").get(f"/make?{wish}").status_code == 404
    assert hub.client("owner").get(f"/make?{wish}").status_code == 200


def test_who_cannot_make_all_of_it_says_which_part(
    hub: OpenHub, shop: Shop, kit: list[PrintablePart]
) -> None:
    bed_mm = COMMON["virtual"].bed_x_mm
    with hub.hub.database.writing() as session:
        (tray,) = builders.parts(session, shop.owner, {"Tray": solids.box(bed_mm + 1, 9, 9)})
    page = plain(hub.client().get(f"/make?{query((kit[0], 1), (tray, 1), place='Oslo')}").text)
    assert "No workshop can make all of it as you asked" in page
    assert "Nearly" in page and "Tray: its bed is" in page and "(you can leave it out)" in page
    assert "1 printer: Tray: their bed is too small" in page
    assert "Leave this part out here" in page


def test_a_design_of_very_many_parts_offers_as_many_as_fit_one_order(
    hub: OpenHub, shop: Shop
) -> None:
    with hub.hub.database.writing() as session:
        shape = solids.box(5, 5, 5)
        many = builders.parts(
            session, shop.owner, {f"Part {n}": shape for n in range(MOST_PARTS + 20)}
        )
        builders.ref(session, many[0])
    href = kits.address([part.part_id for part in many])
    assert href.count("=1") >= MOST_PARTS and href.count("=0") == 20
    with counted(hub.hub.database) as statements:
        page = hub.client().get(f"{href}&place=Oslo")
    assert page.status_code == 200 and len(statements) <= MOST_STATEMENTS
    check_shape(page.text, "sixty parts")


def test_pages_of_large_orders_cost_few_statements(hub: OpenHub, kit: list[PrintablePart]) -> None:
    client = hub.client("maker")
    location = ordered(client, query((kit[0], 20), (kit[1], 20), (kit[2], 20), place="Oslo"))
    job = re.findall(r'href="(/jobs/[^"]+)"', client.get(location).text)[0]
    wish = query((kit[0], 2), (kit[1], 2), place="Oslo")
    for path in (location, "/orders", job, f"/make?{wish}", address_of(hub, kit[0])):
        with counted(hub.hub.database) as statements:
            assert client.get(path).status_code == 200
        assert len(statements) <= MOST_STATEMENTS, (path, statements)


def test_the_api_takes_several_parts_also_of_several_designs(
    hub: OpenHub, shop: Shop, kit: list[PrintablePart]
) -> None:
    with hub.hub.database.writing() as session:
        builders.ref(session, shop.part)
    maker, client = hub.token(shop.maker, Scope.ORDER, Scope.READ), hub.app.test_client()
    one = address_of(hub, kit[0]).removeprefix("/")
    other = address_of(hub, shop.part).removeprefix("/")
    ask = {
        "design": one,
        "place": "Oslo",
        "parts": [
            {"part": "bracket", "copies": 2},
            {"part": "knob"},
            {"design": other, "copies": 1},
        ],
    }
    found = client.post("/api/v1/quotes", json=ask, headers=maker)
    assert found.status_code == 201, found.text
    quote = found.get_json()["quotes"][0]
    assert [(each["part"], each["copies"]) for each in quote["parts"]] == [
        *(("Bracket", 2), ("Knob", 1), ("Part", 1)),
    ]
    assert quote["copies"] == 4
    assert quote["mass_mg"] == sum(each["mass_mg"] * each["copies"] for each in quote["parts"])
    assert quote["total_minor"] == sum(line["amount_minor"] for line in quote["lines"])
    body = {"quote": quote["id"], "key": "once"}
    made = client.post("/api/v1/orders", json=body, headers=maker).get_json()
    again = client.post("/api/v1/orders", json=body, headers=maker).get_json()
    assert made == again
    assert [len(each["jobs"]) for each in made["parts"]] == [2, 1, 1]
    assert [job for each in made["parts"] for job in each["jobs"]] == made["jobs"]
    assert client.get(f"/api/v1/orders/{made['id']}", headers=maker).get_json() == made
    assert client.get("/api/v1/orders", headers=maker).get_json()["orders"] == [made]
    job = client.get(f"/api/v1/jobs/{made['jobs'][1]}", headers=maker).get_json()
    assert (job["part"], job["copy"], job["copies"]) == ("bracket", 2, 2)


def test_the_api_refuses_a_wish_that_says_two_things(
    hub: OpenHub, shop: Shop, kit: list[PrintablePart]
) -> None:
    client = hub.app.test_client()
    ask = {"design": address_of(hub, kit[0])[1:], "place": "Oslo", "parts": [{"part": "knob"}]}
    for more in ({"part": "knob"}, {"copies": 2}, {"parts": [{"part": "knob"}] * 2}):
        problem(client.post("/api/v1/quotes", json=ask | more), 422, "invalid")
    many = {"parts": [{"part": "knob"}] * (MOST_PARTS + 1)}
    problem(client.post("/api/v1/quotes", json=ask | many), 422, "invalid")
    problem(client.post("/api/v1/quotes", json=ask | {"parts": [{}]}), 404, "not_found")
    problem(
        client.post("/api/v1/quotes", json=ask | {"parts": [{"copies": 0, "part": "knob"}]}),
        422,
        "invalid",
    )


@pytest.mark.parametrize(
    ("text", "part", "copies"),
    [
        ("lid", "lid", 5),
        ("lid:2", "lid", 2),
        (None, None, 5),
        ("a:b", "a:b", 5),
        ("a:b:3", "a:b", 3),
    ],
)
def test_a_part_on_the_command_line(text: str | None, part: str | None, copies: int) -> None:
    said = _part(text, copies=5)
    assert (said.part, said.copies) == (part, copies)
