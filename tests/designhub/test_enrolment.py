"""Enrolling by a short code: on the page, by the API, once, for minutes, and not by guessing."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from basis import clock
from designhub import accounts
from printers.enrolment import ALPHABET, new_code, new_token
from printers.models import AgentRow, EnrolmentRow, PrinterRow, WorkshopRow
from tests.designhub.test_pages import check_shape
from tests.support import builders
from tests.support.builders import Shop
from tests.support.hubs import Client, OpenHub

TOKEN = new_token()


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    return hub.shop()


def connect_page(hub: OpenHub) -> str:
    with hub.hub.database.reading() as session:
        return f"/workshops/{session.scalars(select(WorkshopRow.slug)).one()}/connect"


def code_of(hub: OpenHub, shop: Shop, owner: Client, *, kind: str = "agent") -> tuple[str, str]:
    """(page, code) as the owner gets them."""
    made = owner.form(connect_page(hub), printers=str(shop.printer), kind=kind)
    assert made.status_code == 303
    page = owner.get(made.location).text
    check_shape(page, "connecting")
    found = re.findall(r'code-big mono">([^<]+)<', page)
    assert (f"--enrol {found[0]}" in page) == (kind == "agent")
    return made.location, found[0]


def say(hub: OpenHub, code: str, **more: Any) -> TestResponse:
    return hub.app.test_client().post("/api/v1/agents/enrol", json={"code": code, **more})


def hello(hub: OpenHub, token: str) -> TestResponse:
    return hub.app.test_client().post(
        "/api/v1/agents/me/hello",
        json={"program": "test"},
        headers={"Authorization": f"Bearer {token}"},
    )


def test_a_code_is_easy_to_read_aloud() -> None:
    code = new_code()
    assert re.fullmatch(rf"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", code)
    assert not set("01OILU") & set(ALPHABET) and len({new_code() for _ in range(50)}) == 50


def test_a_code_makes_an_agent_once_and_the_page_says_how_far_it_is(
    hub: OpenHub, shop: Shop
) -> None:
    owner = hub.client("owner")
    page, code = code_of(hub, shop, owner)
    assert "Waiting for the agent" in owner.get(page).text
    assert "shown in the browser that made it" in hub.client("owner").get(page).text
    with hub.hub.database.reading() as session:
        kept = session.scalars(select(EnrolmentRow)).one()
        assert code not in str(vars(kept)) and code.replace("-", "") not in str(vars(kept))
    typed = code.lower().replace("-", " ")
    made = say(hub, typed, token=TOKEN)
    assert made.status_code == 200, made.text
    said = made.get_json()
    assert said["token"] == TOKEN and said["printers"][0]["printer"] == str(shop.printer)
    assert say(hub, code, token=TOKEN).get_json() == said  # its answer was lost: said again
    other = say(hub, code, token=new_token())
    assert (other.status_code, other.get_json()["title"]) == (404, "code_refused")
    assert "make a new one" in other.get_json()["detail"]
    assert "asks OctoPrint for a key" in owner.get(page).text
    assert hello(hub, TOKEN).get_json()["printers"][0]["printer"] == str(shop.printer)
    state = {"printer": str(shop.printer), "ready": True, "text": "Operational"}
    hub.app.test_client().post(
        "/api/v1/agents/me/ask",
        json={"printers": [state]},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    done = owner.get(page).text
    assert "Connected." in done and "data-live" not in done and code not in done


def test_an_old_agent_is_refused_and_a_revoked_one_too(hub: OpenHub, shop: Shop) -> None:
    owner = hub.client("owner")
    before = hub.agent_token(shop.agent)["Authorization"].split()[1]
    token = say(hub, code_of(hub, shop, owner)[1]).get_json()["token"]
    assert hello(hub, before).get_json()["printers"] == []
    with hub.hub.database.reading() as session:
        agent = session.scalars(select(PrinterRow.agent_id)).one()
    page = connect_page(hub)
    assert "agent of" in owner.get(page).text
    revoke = page.replace("/connect", f"/agents/{agent}/revoke")
    assert owner.form(revoke).status_code == 303
    assert hello(hub, token).status_code == 401
    with hub.hub.database.reading() as session:
        assert session.scalars(select(PrinterRow.agent_id)).one() is None
        assert session.get_one(AgentRow, agent).revoked_at is not None


def test_a_code_ends_and_a_removed_printer_is_not_for_it(hub: OpenHub, shop: Shop) -> None:
    owner = hub.client("owner")
    page, code = code_of(hub, shop, owner)
    with hub.hub.database.writing() as session:
        session.execute(update(EnrolmentRow).values(expires_at=clock.now() - timedelta(seconds=1)))
    answer = say(hub, code, token=TOKEN)
    assert answer.status_code == 404 and "over" in answer.get_json()["detail"]
    assert "This code is over" in owner.get(page).text
    _, second = code_of(hub, shop, owner)
    assert owner.form(f"/printers/{shop.printer}/remove").status_code == 303
    assert say(hub, second, token=TOKEN).status_code == 404
    assert hello(hub, TOKEN).status_code == 401  # nothing was half made


def test_guessing_has_to_wait(hub: OpenHub, shop: Shop) -> None:
    _, code = code_of(hub, shop, hub.client("owner"))
    tries = [say(hub, "AAAA-AAAA", token=TOKEN) for _ in range(hub.hub.settings.sign_in_tries)]
    assert {answer.status_code for answer in tries} == {404}
    waits = say(hub, code, token=TOKEN)
    assert waits.status_code == 429 and int(waits.headers["Retry-After"]) > 0
    for wrong in ({}, {"code": 3}, {"code": code, "token": 5}):
        answer = hub.app.test_client().post("/api/v1/agents/enrol", json=wrong)
        assert answer.status_code == 422


def test_a_token_that_could_be_guessed_is_refused(hub: OpenHub, shop: Shop) -> None:
    _, code = code_of(hub, shop, hub.client("owner"))
    for weak in ("dha_short", "x" * 60, f"dha_{'a' * 30} {'b' * 20}"):
        assert say(hub, code, token=weak).status_code == 422


def test_a_code_is_made_for_ones_own_printers_only(hub: OpenHub, shop: Shop) -> None:
    hub.account("other")
    page = connect_page(hub)
    assert hub.client("other").form(page, printers=str(shop.printer)).status_code == 403
    assert hub.client("owner").form(page, printers=str(shop.workshop)).status_code == 422


def test_who_leaves_takes_agents_codes_and_the_address_along(hub: OpenHub, shop: Shop) -> None:
    owner = hub.client("owner")
    token = hub.agent_token(shop.agent)["Authorization"].split()[1]
    _, code = code_of(hub, shop, owner)
    with hub.hub.database.writing() as session:
        session.execute(update(WorkshopRow).values(address="Torggata 1"))
        accounts.close(session, shop.owner, now=clock.now())
    assert hello(hub, token).status_code == 401
    assert say(hub, code, token=TOKEN).status_code == 404
    with hub.hub.database.reading() as session:
        assert session.scalars(select(WorkshopRow.address)).one() is None


def test_a_plugin_is_what_its_code_was_made_for(hub: OpenHub, shop: Shop) -> None:
    owner = hub.client("owner")
    _, code = code_of(hub, shop, owner, kind="plugin")
    refused = say(hub, code, token=TOKEN)
    assert refused.status_code == 422
    assert "this code is for the plugin" in refused.get_json()["detail"]
    assert say(hub, code, token=TOKEN, kind="plugin").status_code == 200  # it was not used up
    with hub.hub.database.reading() as session:
        [agent] = session.scalars(select(AgentRow).where(AgentRow.kind == "plugin"))
        assert agent.name.startswith("plugin of ")
    assert "people speak through it" in owner.get(connect_page(hub)).text


def test_an_agent_becomes_no_plugin_by_saying_so(hub: OpenHub, shop: Shop) -> None:
    _, code = code_of(hub, shop, hub.client("owner"))
    refused = say(hub, code, token=TOKEN, kind="plugin")
    assert refused.status_code == 422
    assert "make one for the plugin" in refused.get_json()["detail"]
    assert hello(hub, TOKEN).status_code == 401
    assert say(hub, code, token=TOKEN).status_code == 200


def test_a_plugin_is_not_enrolled_for_several_printers(hub: OpenHub, shop: Shop) -> None:
    with hub.hub.database.writing() as session:
        place = session.scalars(select(WorkshopRow)).one()
        second = builders.printer(session, place, seen=clock.now()).id
    both = {"printers": [str(shop.printer), str(second)], "kind": "plugin"}
    refused = hub.client("owner").form(connect_page(hub), data=both)
    assert refused.status_code == 422 and "choose that printer alone" in refused.text
