"""Asking workshops for a part and ordering by a quote, as a person does it by the pages."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from basis import clock
from designhub import accounts
from designhub.web import quote_words
from designhub.web.wish import Wish
from printers.models import PrinterRow, SpoolRow
from router import queries
from router.globe import suggest
from router.matching import Axis
from router.models import OrderRow, QuoteRow
from router.quote import Inputs
from tests.designhub.test_pages import MOST_STATEMENTS, check_shape
from tests.support import builders
from tests.support.builders import Shop
from tests.support.hubs import Client, OpenHub
from tests.support.statements import counted


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    """Somebody who orders, and whom they order from."""
    return hub.shop()


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def choice(page: str, rank: int = 1) -> dict[str, str]:
    """The hidden fields of the form that chooses an answer."""
    form = page.split(f'id="quote-{rank}"')[1].split("</form>")[0]
    fields = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return {name: value for name, value in fields if name != "csrf"}


def chosen(client: Client, shop: Shop, query: str = "place=Oslo") -> str:
    """The address of a quote, chosen as a person does."""
    path = f"/make/{shop.part.part_id}"
    answer = client.form(path, choice(client.get(f"{path}?{query}").text))
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def ordering(page: str) -> dict[str, str]:
    """The fields of the form that orders."""
    form = page.split('action="/orders"')[1].split("</form>")[0]
    return dict(re.findall(r'name="(quote|key)" value="([^"]+)"', form))


def quotes_kept(hub: OpenHub) -> int:
    with hub.hub.database.reading() as session:
        return session.scalar(select(func.count()).select_from(QuoteRow)) or 0


def test_asking_stands_in_the_address_and_writes_nothing(hub: OpenHub, shop: Shop) -> None:
    client, path = hub.client(), f"/make/{shop.part.part_id}"
    wish = "place=Oslo&copies=2&modes=foot&modes=parcel&infill_pct=35"
    page = client.get(f"{path}?{wish}")
    text = plain(page.text)
    assert page.status_code == 200 and quotes_kept(hub) == 0
    check_shape(page.text, "answers")
    assert 'data-kind="you"' in text and "<details open>" in page.text  # the infill is not usual
    assert "<details open>" not in client.get(f"{path}?place=Oslo&infill_pct=20").text
    assert "2 answers" in text and "fetched on foot" in text and "sent as a parcel" in text
    assert 'data-lat="59.91273"' in text and 'data-map-from="#found"' in text
    for said in ("Machine time", "Work by hand", "Risk of failing", "not checked at its source"):
        assert said in text, said
    assert 'value="Oslo"' in text and re.search(r'value="foot" checked', text)
    assert 'value="35"' in text and "% of all" in text


def test_the_place_is_remembered_for_the_next_part(hub: OpenHub, shop: Shop) -> None:
    client, path = hub.client(), f"/make/{shop.part.part_id}"
    assert 'value="Bergen"' not in client.get(path).text
    client.get(f"{path}?place=Bergen")
    again = client.get(path).text
    assert 'value="Bergen"' in again and 'id="answers"' not in again


def test_only_what_is_loaded_can_be_chosen(hub: OpenHub, shop: Shop) -> None:
    page = hub.client().get(f"/make/{shop.part.part_id}").text
    assert "<option selected>PLA</option>" in page and "<option>PETG" not in page
    assert "<option>black</option>" in page
    asked = hub.client().get(f"/make/{shop.part.part_id}?place=Oslo&material=PETG").text
    assert "<option selected>PETG</option>" in asked  # what was asked for stays chosen


def test_who_cannot_is_told_in_words_and_in_counts(hub: OpenHub, shop: Shop) -> None:
    client, path = hub.client(), f"/make/{shop.part.part_id}"
    near = client.get(f"{path}?place=Oslo&material=PETG").text
    assert "Nearly" in near and "PLA is loaded, not PETG (the workshop can change that)" in near
    assert "1 printer: another material is loaded" in near
    assert "Choose a material that is loaded somewhere." in near
    far = client.get(f"{path}?place=Oslo&material=ABS&brim_mm=20&copies=100").text
    assert "it has no closed chamber (another printer is needed)" in far
    assert "1 printer that cannot, and why" in far
    with hub.hub.database.writing() as session:
        session.execute(update(PrinterRow).values(accepting=False))
        session.execute(update(SpoolRow).values(slot=None))
    check_shape(client.get(path).text, "nothing loaded anywhere")


def test_every_reason_has_its_words() -> None:
    assert set(Axis) == set(quote_words.STANDING)
    for axis in Axis:
        assert str(axis.value) in quote_words.AXES


@pytest.mark.parametrize(
    ("field", "value", "status", "said"),
    [
        ("place", "Xyzzyville", 404, "no city"),
        ("copies", "-3", 422, "copies"),
        ("copies", "101", 422, "copies"),
        ("copies", "9" * 40, 422, "copies"),
        ("material", "wood", 422, "wood"),
        ("deadline", "tomorrow", 422, "deadline"),
        ("deadline", "0001-01-01T00:00", 422, "deadline"),
        ("preset", "best", 422, "presets"),
        ("modes", "rocket", 422, "ways"),
        ("infill_pct", "101", 422, "infill_pct"),
        ("colour", "x" * 200, 422, "colour"),
    ],
)
def test_a_wish_that_cannot_be_read_comes_back_with_the_form(
    hub: OpenHub, shop: Shop, field: str, value: str, status: int, said: str
) -> None:
    wish: dict[str, Any] = {"place": "Oslo", field: value}
    answer = hub.client().get(f"/make/{shop.part.part_id}", query_string=wish)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text and said in answer.text
    assert "Ask the workshops" in answer.text
    check_shape(answer.text, field)


def test_a_deadline_is_by_the_clock_of_the_place(hub: OpenHub, shop: Shop) -> None:
    wish = Wish(place="New York City, US", items=(), deadline="2036-07-01T09:00")
    assert f"{wish.due():%Y-%m-%d %H:%M}" == "2036-07-01 13:00"
    wish = Wish(place="Oslo", items=(), deadline="2036-07-01T09:00Z")
    assert f"{wish.due():%H:%M}" == "09:00"
    page = hub.client().get(f"/make/{shop.part.part_id}?place=Oslo&deadline=2036-07-01T09:00").text
    assert "2036-07-01 07:00 UTC" in page and 'value="2036-07-01T09:00"' in page
    assert "too late" not in page
    late = hub.client().get(f"/make/{shop.part.part_id}?place=Oslo&deadline=2020-07-01T09:00").text
    assert "too late" in late and "gone by" in late


def test_a_wish_survives_its_quote(hub: OpenHub, shop: Shop) -> None:
    client = hub.client("maker")
    query = "place=59.9,10.7&copies=3&colour=black&preset=greenest&supports=on&infill_pct=40"
    location = chosen(client, shop, f"{query}&modes=parcel&deadline=2036-07-01T09:00")
    with hub.hub.database.reading() as session:
        quote_id = UUID(location.rpartition("/")[2])
        row = queries.quote(session, quote_id, maker_id=shop.maker)
    wish = Wish.of_quote(row, place="elsewhere")
    assert (wish.place, wish.colour, wish.preset) == ("59.9,10.7", "black", "greenest")
    assert wish.items == ((shop.part.part_id, 3),)
    assert wish.supports and wish.infill_pct == 40 and wish.deadline == "2036-07-01T07:00Z"
    assert row.maker_id == shop.maker and Inputs.from_json(row.inputs).mode == "parcel"
    again = client.get(wish.address).text
    assert 'value="2036-07-01T09:00"' in again and "3" in again


def test_two_presses_order_and_a_third_orders_nothing(hub: OpenHub, shop: Shop) -> None:
    client = hub.client("maker")
    location = chosen(client, shop)
    page = client.get(location)
    check_shape(page.text, "quote")
    assert "What happens next" in page.text and "Nothing was ordered" not in page.text
    fields = ordering(page.text)
    first, second = (client.form("/orders", fields) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.location == second.location
    with hub.hub.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(OrderRow)) == 1
    again = client.get(location).text
    assert "You have ordered this." in again and 'action="/orders"' not in again
    assert hub.client("owner").get(location).status_code == 404
    assert hub.client("owner").form("/orders", fields).status_code == 404
    assert client.form("/orders", quote="x", key="y").status_code == 422


def test_who_is_not_signed_in_comes_back_to_the_same_quote(hub: OpenHub, shop: Shop) -> None:
    client = hub.client()
    location = chosen(client, shop)
    page = client.get(location).text
    assert "Sign in to order" in page and 'action="/orders"' not in page
    sign_in = re.findall(r'href="(/sign-in\?next=[^"]+)"', page)[-1]
    back = client.form(sign_in, name="maker", password="a long enough password", next=location)
    assert back.location == location
    assert client.form("/orders", ordering(client.get(location).text)).status_code == 303


def test_a_quote_that_ended_is_asked_anew_and_read_again(hub: OpenHub, shop: Shop) -> None:
    client = hub.client("maker")
    location = chosen(client, shop, "place=Oslo&copies=2&preset=cheapest")
    fields = ordering(client.get(location).text)
    with hub.hub.database.writing() as session:
        session.execute(update(QuoteRow).values(expires_at=clock.now() - timedelta(seconds=1)))
    page = client.get(location).text
    assert "does not bind any more" in page and 'action="/orders"' not in page
    answer = client.form("/orders", fields)
    assert answer.status_code == 303 and answer.location.endswith("?instead")
    new = client.get(answer.location).text
    assert "This is the new one" in new and "2 copies" in new
    assert ordering(new)["quote"] != fields["quote"]
    assert client.form("/orders", ordering(new)).status_code == 303
    again = client.form(f"{location}/again")
    assert again.location.endswith("?instead") and again.location != answer.location


def test_a_printer_that_cannot_any_more_leads_back_to_all_answers(hub: OpenHub, shop: Shop) -> None:
    client = hub.client("maker")
    location = chosen(client, shop)
    path = f"/make/{shop.part.part_id}"
    form = choice(client.get(f"{path}?place=Oslo").text)
    fields = ordering(client.get(location).text)
    with hub.hub.database.writing() as session:
        session.execute(update(PrinterRow).values(accepting=False))
    answer = client.form("/orders", fields)
    assert answer.location.startswith(f"{path}?place=Oslo")
    refused = client.form(path, form)
    assert refused.status_code == 409 and "ask the workshops again" in refused.text
    for wrong in ({"printer": "x"}, {"mode": "rocket"}, {"printer": str(shop.maker)}):
        assert client.form(path, form | wrong).status_code in (404, 422)


def test_places_are_suggested_the_largest_first(hub: OpenHub) -> None:
    assert suggest("trondh") == ["Trondheim, NO"]
    assert suggest("dussel")[0] == "Düsseldorf, DE"
    assert suggest("x") == [] and suggest("") == [] and len(suggest("ber")) == 8
    answer = hub.client().get("/places?place=trondh")
    assert answer.text == '<option value="Trondheim, NO">'
    assert hub.client().get("/places?place=%22%3E%3Cscript%3E").text == ""


def test_asking_costs_few_statements_whatever_the_number_of_printers(
    hub: OpenHub, shop: Shop
) -> None:
    client = hub.client("maker")
    location, path = chosen(client, shop), f"/make/{shop.part.part_id}"
    with hub.hub.database.writing() as session:
        for _ in range(40):
            other = builders.workshop(session, builders.account(session))
            machine = builders.printer(session, other, seen=clock.now())
            builders.spool(session, machine, by=shop.owner)
    client.get(f"{path}?place=Oslo")  # fills the index
    for address in (path, f"{path}?place=Oslo", location):
        with counted(hub.hub.database) as statements:
            assert client.get(address).status_code == 200
        assert len(statements) <= MOST_STATEMENTS, (address, statements)


def test_a_closed_account_leaves_no_place_behind(hub: OpenHub, shop: Shop) -> None:
    chosen(hub.client("maker"), shop)
    with hub.hub.database.writing() as session:
        assert session.scalars(select(QuoteRow.place)).all() == ["Oslo"]
        accounts.close(session, shop.maker, now=clock.now())
        assert session.scalars(select(QuoteRow.place)).all() == [None]


def test_how_a_part_lies_is_asked_kept_and_told(hub: OpenHub, shop: Shop) -> None:
    """In the address, in the form, in the quote, and on the page of the job that comes of it."""
    client, path = hub.client("maker"), f"/make/{shop.part.part_id}"
    page = client.get(f"{path}?place=Oslo&orientation=left").text
    check_shape(page, "turned")
    assert re.search(r'value="left"[^>]* checked', page) and "<details open>" in page
    location = chosen(client, shop, "place=Oslo&orientation=left")
    with hub.hub.database.reading() as session:
        quote = session.scalars(select(QuoteRow)).one()
        assert quote.choices["orientation"] == "left"
        assert ("orientation", "left") in Wish.of_quote(quote, place="Oslo").fields
    ordered = client.form("/orders", ordering(client.get(location).text))
    assert ordered.status_code == 303, ordered.text
    with hub.hub.database.reading() as session:
        job = session.scalars(select(OrderRow)).one().jobs[0].id
    assert "turned: On its left side" in client.get(f"/jobs/{job}").text
    wrong = client.get(f"{path}?place=Oslo&orientation=sideways")
    assert wrong.status_code == 422 and "orientation must be one of" in wrong.text
