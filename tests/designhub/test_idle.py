"""Idle agents are answered before Flask, and only they."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from basis import clock
from designhub.api.agents import AFTER_HELD_S
from designhub.idle import MOST_BYTES, PATH
from printers import registry
from printers.models import AgentRow, PrinterRow
from printers.offer import Duty
from printers.protocol import PrinterState, Question
from router.waiting import MAINTENANCE, NO_JOB, NOT_CLEAR, PAUSED
from tests.support.builders import Shop, rest
from tests.support.hub_process import hub_process
from tests.support.hubs import OpenHub
from tests.support.idle_agents import Agent
from tests.support.statements import counted


@pytest.fixture
def agent(hub: OpenHub) -> Agent:
    return Agent(hub)


def test_an_idle_question_costs_one_statement_and_no_session(agent: Agent) -> None:
    with counted(agent.hub.hub.database) as statements:
        answer = agent.ask()
    assert agent.desk.answered == 1
    # The one is the driver's own; a look for all agents may come in between.
    assert not [each for each in statements if "agent" in each.lower()]
    found = answer.get_json()
    assert found["work"] == []
    assert found["why_not"] == {str(agent.shop.printer): NO_JOB}
    poll_s = agent.hub.hub.settings.poll_s
    assert poll_s * 0.9 <= found["again_s"] <= poll_s * 1.1
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Length"] == str(len(answer.data))


def test_what_an_agent_really_says_while_it_waits_is_answered_quickly(agent: Agent) -> None:
    state = PrinterState(printer=agent.shop.printer, ready=True, text="Operational")
    said = Question(printers=[state]).to_json()
    answer = agent.client.post(PATH, json=said, headers=agent.header)
    assert answer.status_code == 200
    assert agent.desk.answered == 1


def test_the_same_question_is_answered_without_the_database(agent: Agent) -> None:
    agent.hub.hub.stirring.look()
    assert agent.quickly()
    looked_up = agent.desk.looked_up
    first = agent.ask().get_json()
    assert all(agent.quickly() for _ in range(5))
    assert agent.desk.looked_up == looked_up
    assert first["why_not"] == agent.ask().get_json()["why_not"]


CHANGES: dict[str, tuple[Callable[[Session, Shop], object], str]] = {
    "paused": (
        lambda session, shop: rest(session, shop, Duty.PAUSED, now=clock.now()),
        PAUSED,
    ),
    "maintained": (
        lambda session, shop: rest(session, shop, Duty.MAINTENANCE, now=clock.now()),
        MAINTENANCE,
    ),
    "occupied": (
        lambda session, shop: registry.occupied(session, printer_id=shop.printer, now=clock.now()),
        NOT_CLEAR,
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_reason_is_the_one_of_this_moment(agent: Agent, what: str) -> None:
    change, reason = CHANGES[what]
    agent.hub.hub.stirring.look()
    agent.ask()
    with agent.hub.hub.database.writing() as session:
        change(session, agent.shop)
    agent.hub.hub.stirring.look()
    assert agent.ask().get_json()["why_not"] == {str(agent.shop.printer): reason}
    owner = agent.hub.client("owner")
    mend = "bed-clear" if what == "occupied" else "duty"
    owner.form(f"/printers/{agent.shop.printer}/{mend}", duty="open")
    agent.hub.hub.stirring.look()
    assert agent.ask().get_json()["why_not"] == {str(agent.shop.printer): NO_JOB}


def test_a_job_that_becomes_ready_is_leased_at_the_next_question(agent: Agent) -> None:
    agent.hub.hub.stirring.look()
    assert agent.quickly()
    assert agent.quickly()
    agent.hub.ordered(agent.shop)
    agent.hub.hub.stirring.look()
    assert len(agent.ask().get_json()["work"]) == 1
    # Whoever lost that answer asks again, and it is no idle question.
    assert len(agent.ask().get_json()["work"]) == 1


def test_a_thread_looks_by_itself_while_agents_ask(agent: Agent) -> None:
    assert agent.quickly()
    agent.hub.ordered(agent.shop)
    until = time.monotonic() + 20
    while not agent.ask().get_json()["work"]:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_question_that_was_held_is_asked_again_at_once(agent: Agent) -> None:
    assert agent.ask(wait_s=1).get_json()["again_s"] == AFTER_HELD_S
    while agent.hub.hub.held.take():
        pass  # no place is left
    assert agent.ask(wait_s=1).get_json()["again_s"] > AFTER_HELD_S


def test_a_held_question_is_answered_when_a_job_becomes_ready(agent: Agent) -> None:
    places = agent.hub.hub.held.free
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(agent.ask, wait_s=25)
        until = time.monotonic() + 20
        while agent.hub.hub.held.free == places:
            assert time.monotonic() < until
            time.sleep(0.01)
        began = time.monotonic()
        agent.hub.ordered(agent.shop)
        assert len(held.result(30).get_json()["work"]) == 1
        assert time.monotonic() - began < 20  # not at the end of its 25 s


def test_a_held_question_lets_the_hub_end(agent: Agent) -> None:
    places = agent.hub.hub.held.free
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(agent.ask, wait_s=25)
        until = time.monotonic() + 20
        while agent.hub.hub.held.free == places:
            assert time.monotonic() < until
            time.sleep(0.01)
        began = time.monotonic()
        agent.hub.hub.live.close()
        assert held.result(30).get_json()["work"] == []
        assert time.monotonic() - began < 20


def test_nothing_is_kept_while_nobody_looks(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(agent.hub.hub.stirring, "_look", broken)
    agent.hub.hub.stirring._looked_s = float("-inf")
    looked_up = agent.desk.looked_up
    assert all(agent.quickly() for _ in range(3))
    assert agent.desk.looked_up == looked_up + 3


def test_a_printer_that_changed_hands_is_refused_to_its_old_agent(agent: Agent) -> None:
    agent.hub.hub.stirring.look()
    agent.ask()
    with agent.hub.hub.database.writing() as session:
        registry.enrol_agent(
            session,
            workshop_id=agent.shop.workshop,
            name="another",
            printers=[agent.shop.printer],
            now=clock.now(),
        )
    agent.hub.hub.stirring.look()
    assert agent.ask().status_code == 403


def test_whatever_is_new_goes_to_the_view(agent: Agent) -> None:
    assert agent.quickly()
    assert not agent.quickly(agent.state(foreign=True))
    assert not agent.quickly(agent.state(text="Printing"))
    assert agent.quickly(agent.state(text="Printing"))  # written down by now
    assert not agent.quickly(agent.state(text="Printing"), wait_s=1)  # may be held
    assert not agent.quickly(agent.state(printer=str(uuid4()), text="Printing"))


def test_nonsense_is_explained_by_the_view(agent: Agent) -> None:
    def post(data: bytes, **headers: str) -> TestResponse:
        given = {"Content-Type": "application/json", **agent.header, **headers}
        return agent.client.post(PATH, data=data, headers=given)

    question = json.dumps({"printers": [agent.state()]}).encode()
    assert post(question).status_code == 200
    quick = agent.desk.answered
    assert post(b"{").status_code == 422
    assert post(b"[" * 50_000).status_code == 422
    assert post(b"\xff\xfe").status_code == 422
    assert post(b'{"printers": [{"printer": 1}]}').status_code == 422
    assert post(question, Authorization="Bearer dha_wrong").status_code == 401
    assert post(question, Authorization="Basic YTpi").status_code == 401
    assert post(question + b" " * MOST_BYTES).status_code == 200  # long, but right
    assert agent.desk.answered == quick


def test_signs_of_life_are_written_for_many_at_once(agent: Agent) -> None:
    database, long_ago = agent.hub.hub.database, clock.now() - timedelta(minutes=2)

    def seen() -> set[Any]:
        with database.reading() as session:
            printers = set(session.scalars(select(PrinterRow.seen_at)))
            return printers | set(session.scalars(select(AgentRow.seen_at)))

    with database.writing() as session:
        session.execute(update(PrinterRow).values(seen_at=long_ago))
        session.execute(update(AgentRow).values(seen_at=long_ago))
    assert agent.quickly()
    agent.hub.hub.seen.close()
    assert min(seen()) > long_ago + timedelta(minutes=1)
    # One that was written is not written again so soon; and a stranger's word changes no printer.
    before = seen()
    assert agent.quickly()
    agent.hub.hub.seen.note(uuid4(), {agent.shop.printer: "mine"})
    with counted(database) as statements:
        agent.hub.hub.seen.write(now=clock.now())
    assert len([each for each in statements if each.startswith("UPDATE")]) <= 2
    assert seen() == before


def test_the_desk_steps_aside_when_the_database_does_not_answer(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> list[Any]:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(agent.desk, "_glances", broken)
    assert not agent.quickly()
    assert agent.ask().get_json()["why_not"] == {str(agent.shop.printer): NO_JOB}


def test_a_real_server_answers_it_over_a_kept_connection(hub: OpenHub) -> None:
    shop: Shop = hub.shop()
    header = hub.agent_token(shop.agent)
    body = {"printers": [{"printer": str(shop.printer), "ready": True, "text": "Operational"}]}
    with hub_process(hub.hub.settings.data_dir) as process, requests.Session() as session:
        for _ in range(5):
            answer = session.post(f"{process.url}{PATH}", json=body, headers=header, timeout=10)
            assert answer.status_code == 200
            assert answer.json()["why_not"] == {str(shop.printer): NO_JOB}
