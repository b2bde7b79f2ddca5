"""What a stranger with time on their hands, a double click and a power cut do to the pages."""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from basis import clock
from designhub import auth, enrolling
from designhub.models import AccountRow, MailRow
from designhub.slots import Slots
from designs import catalogue
from designs.models import Visibility
from printers.models import AgentRow, SpoolRow
from router.models import OrderRow, QuoteRow
from tests.designhub.test_make_pages import chosen, ordering
from tests.designhub.test_upload import BOX, designs, file, made, versions
from tests.support import builders
from tests.support.hubs import PASSWORD, Client, OpenHub, opened


def from_address(client: Client, path: str, address: str, **fields: str) -> TestResponse:
    """Press a button from elsewhere."""
    with client.flask.session_transaction() as cookie:
        cookie.setdefault("csrf", "token-of-the-test")
        fields["csrf"] = cookie["csrf"]
    return client.flask.post(
        path, data=fields, headers={"Accept": "text/html"}, environ_base={"REMOTE_ADDR": address}
    )


def at_once(*works: Callable[[], TestResponse]) -> list[TestResponse]:
    """Let some requests meet."""
    gate, found = threading.Barrier(len(works)), [None] * len(works)

    def go(number: int) -> None:
        gate.wait(10)
        found[number] = works[number]()  # type: ignore[call-overload]

    threads = [threading.Thread(target=go, args=(number,)) for number in range(len(works))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert None not in found
    return found  # type: ignore[return-value]


# Floods.


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
        (None, "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_a_client_is_its_address_or_its_network(address: str | None, client: str) -> None:
    assert auth.whence(address) == client


def test_accounts_are_not_made_by_the_thousand(tmp_path: Path) -> None:
    with opened(tmp_path, sign_in_tries=1) as hub:
        client = hub.client()

        def sign_up(name: str, address: str) -> int:
            answer = from_address(client, "/sign-up", address, name=name, password="short")
            return answer.status_code

        found = [sign_up("ada", f"2001:db8:0:1::{number}") for number in range(5)]
        assert found == [422, 422, 422, 422, 429]  # one network, whatever its last digits
        assert sign_up("ada", "2001:db8:0:2::1") == 422
        answer = from_address(client, "/sign-up", "2001:db8:0:1::9", name="eve", password=PASSWORD)
        assert answer.status_code == 429 and "Wait" in answer.text
        body = {"name": "eve", "password": PASSWORD}
        api = hub.app.test_client()
        where = {"REMOTE_ADDR": "2001:db8:0:1::9"}
        assert api.post("/api/v1/accounts", json=body, environ_base=where).status_code == 429
        with hub.hub.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(AccountRow)) == 0


def test_nobody_sends_mail_to_strangers_by_signing_up(tmp_path: Path) -> None:
    with opened(tmp_path, sign_in_tries=2) as hub:
        found = [
            from_address(
                hub.client(),
                "/sign-up",
                "192.0.2.1",
                name=f"eve{number}",
                password=PASSWORD,
                mail=f"victim{number}@example.org",
            ).status_code
            for number in range(4)
        ]
        assert found == [303, 303, 429, 429]
        with hub.hub.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(MailRow)) == 2


def test_one_account_asks_for_few_mails(tmp_path: Path) -> None:
    with opened(tmp_path, sign_in_tries=3) as hub:
        hub.account("eve")
        client = hub.client("eve")

        def ask(number: int) -> TestResponse:
            fields = {"mail": f"victim{number}@example.org", "password": PASSWORD}
            return from_address(client, "/me/mail", f"192.0.2.{number}", **fields)

        assert [ask(number).status_code for number in range(4)] == [303, 303, 303, 429]
        with hub.hub.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(MailRow)) == 3
        assert client.form("/me/mail", password=PASSWORD, remove="on").status_code == 303


def test_resets_asked_for_at_once_are_counted_one_by_one(tmp_path: Path) -> None:
    with opened(tmp_path, sign_in_tries=3) as hub:
        asks = [
            lambda: from_address(hub.client(), "/reset", "192.0.2.1", whom="ada") for _ in range(8)
        ]
        found = sorted(each.status_code for each in at_once(*asks))
        assert found == [200] * 3 + [429] * 5


# Uploads.


def test_places_are_counted_in_all_and_of_one() -> None:
    slots, ada, bob, eve = Slots(3, most_of_one=2), UUID(int=1), UUID(int=2), UUID(int=3)
    assert [slots.take(who) for who in (ada, ada, ada, bob, eve)] == [
        *(True, True, False, True, False),
    ]
    slots.give_back(ada)
    assert slots.take(eve) and not slots.take(bob)


def test_too_many_uploads_are_told_to_wait_and_a_place_comes_back(hub: OpenHub) -> None:
    hub.account("ada")
    ada, others = hub.client("ada"), [UUID(int=n) for n in range(1, 5)]
    for who in others:
        assert hub.hub.uploads.take(who)
    refused = made(ada, files=[file(BOX, "lid.stl")])
    assert refused.status_code == 429 and refused.headers["Retry-After"] == "15"
    assert "Nothing was kept" in refused.text and designs(hub) == []
    assert made(ada, title="Empty").status_code == 429  # a form that may bring files waits too
    for who in others:
        hub.hub.uploads.give_back(who)
    # Whatever becomes of an upload, its place is free again.
    for _ in range(6):
        assert made(ada, title="", files=[file(b"", "lid.stl")]).status_code == 422
    assert made(ada, files=[file(BOX, "lid.stl")]).status_code == 303
    assert [hub.hub.uploads.take(who) for who in others] == [True] * 4


# Power cuts and double clicks.


def test_what_a_crash_left_empty_is_filled_by_sending_the_form_again(hub: OpenHub) -> None:
    account = hub.account("ada")
    ada = hub.client("ada")
    with hub.hub.database.writing() as session:  # what is there when the hub dies in between
        row = catalogue.create(
            session,
            owner_id=account,
            slug="hose-coupling",
            title="Hose coupling",
            description="",
            visibility=Visibility.PRIVATE,
            now=clock.now(),
        )
    assert made(ada, files=[file(BOX, "lid.stl")], description="Joins").status_code == 303
    (design,) = designs(hub)
    assert (design.id, design.description) == (row.id, "Joins")
    assert design.visibility is Visibility.PUBLIC  # as the second form says
    assert len(versions(hub)) == 1
    again = made(ada, files=[file(BOX, "lid.stl")])  # now it is not empty any more
    assert again.status_code == 409 and len(versions(hub)) == 1


def test_nobody_fills_the_empty_design_of_another(hub: OpenHub) -> None:
    hub.account("ada")
    hub.account("eve")
    assert made(hub.client("ada")).status_code == 303
    assert made(hub.client("eve"), files=[file(BOX, "lid.stl")]).status_code == 303
    owners = {each.owner_id: each.pushed_at for each in designs(hub)}
    assert len(owners) == 2 and list(owners.values()).count(None) == 1


def test_a_double_click_makes_one_design_with_one_version(hub: OpenHub) -> None:
    hub.account("ada")
    clients = [hub.client("ada") for _ in range(2)]
    answers = at_once(
        *(lambda c=client: made(c, files=[file(BOX, "lid.stl")]) for client in clients)
    )
    codes = sorted(each.status_code for each in answers)
    assert codes in ([303, 303], [303, 409]), codes
    (design,) = designs(hub)
    (version,) = versions(hub)
    assert version.design_id == design.id
    assert clients[0].get("/ada/hose-coupling").status_code == 200


def test_a_double_click_orders_once(hub: OpenHub) -> None:
    shop = hub.shop()
    clients = [hub.client("maker") for _ in range(2)]
    location = chosen(clients[0], shop)
    fields = ordering(clients[0].get(location).text)
    first, second = at_once(*(lambda c=client: c.form("/orders", fields) for client in clients))
    assert first.status_code == second.status_code == 303
    assert first.location == second.location
    with hub.hub.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(OrderRow)) == 1


def test_of_two_tabs_the_older_is_told(hub: OpenHub) -> None:
    hub.account("ada")
    ada = hub.client("ada")
    assert made(ada).status_code == 303
    path = "/ada/hose-coupling/settings"

    def seen(page: str) -> str:
        return str(re.findall(r'name="seen" value="([^"]+)"', page)[0])

    old = seen(ada.get(path).text)
    fields = {"title": "One", "description": "first tab", "visibility": "public"}
    assert ada.form(path, fields, seen=old).status_code == 303
    fields = {"title": "Two", "description": "second tab", "visibility": "private"}
    late = ada.form(path, fields, seen=old)
    assert late.status_code == 409 and "changed meanwhile" in late.text
    assert 'value="Two"' in late.text and "second tab</textarea>" in late.text  # nothing is lost
    assert designs(hub)[0].title == "One"
    assert ada.form(path, fields, seen=seen(late.text)).status_code == 303
    assert designs(hub)[0].title == "Two"


# Other people's things under one's own address.


def test_what_is_anothers_is_not_reached_through_ones_own(hub: OpenHub) -> None:
    """Pages whose address names two things: one's own first, another's second."""
    shop = hub.shop()
    eve = hub.account("eve")
    with hub.hub.database.writing() as session:
        place = builders.workshop(session, eve, slug="eves")
        machine = builders.printer(session, place)
        printer = machine.id
        agent = session.scalars(select(AgentRow.id)).one()
        row, _code = enrolling.offer(
            hub.hub, session, workshop_id=shop.workshop, printers=[shop.printer]
        )
    client = hub.client("eve")
    assert client.get(f"/workshops/eves/connect/{row.id}").status_code == 404
    assert client.form(f"/workshops/eves/agents/{agent}/revoke").status_code == 404
    attached = f"/workshops/eves/attach/{shop.printer}/detach"
    assert client.form(attached).status_code == 403  # the operator's alone
    assert client.form(f"/printers/{printer}/spools/0/unload").status_code == 404
    with hub.hub.database.reading() as session:
        assert session.get_one(AgentRow, agent).revoked_at is None
        assert session.get_one(SpoolRow, shop.spool).slot is not None


def test_nobody_orders_by_the_quote_of_another(hub: OpenHub) -> None:
    shop = hub.shop()
    hub.account("eve")
    fields = ordering(hub.client("maker").get(chosen(hub.client("maker"), shop)).text)
    assert hub.client("eve").form("/orders", fields).status_code == 404
    with hub.hub.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(OrderRow)) == 0
        assert session.scalar(select(func.count()).select_from(QuoteRow)) == 1


def test_every_button_whose_address_names_two_things_is_tried_above(hub: OpenHub) -> None:
    """A new one must be said here, with its test."""
    tried = {
        "/workshops/<slug>/agents/<uuid:agent_id>/revoke",
        "/printers/<uuid:printer_id>/spools/<int:slot>/unload",
        "/workshops/<slug>/attach/<uuid:printer_id>/detach",
    }
    words = {"/jobs/<uuid:job_id>/<word>"}  # a verb, no thing
    of_one = {f"/<owner>/<slug>/{word}" for word in ("upload", "settings", "remove")}  # test_access
    found = {
        rule.rule
        for rule in hub.app.url_map.iter_rules()
        if rule.endpoint.startswith("web.") and "POST" in (rule.methods or ())
        if len(rule.arguments) > 1
    }
    assert found <= tried | words | of_one, found - tried - words - of_one
