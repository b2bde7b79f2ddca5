"""What idle agents are told out of memory is what they would be told anew."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from basis import clock
from basis.db import Database
from designhub import answers, idle
from designhub.idle import PATH
from designhub.seen import SEEN_EVERY_S, Seen
from printers import registry
from printers.models import AgentRow, PrinterRow, WorkshopRow
from router.stirring import Stirring
from router.waiting import NO_JOB, NOT_CLEAR
from tests.support import builders
from tests.support.hubs import PASSWORD, OpenHub
from tests.support.idle_agents import Agent
from tests.support.statements import counted


@pytest.fixture
def agent(hub: OpenHub) -> Agent:
    """One whose printers have been looked at: what it is told from now on is kept."""
    made = Agent(hub)
    hub.hub.stirring.look()
    return made


def another(agent: Agent, *, printers: int = 1) -> tuple[UUID, dict[str, str], list[UUID]]:
    """A second agent of the same workshop with printers of its own: id, header, printers."""
    with agent.hub.hub.database.writing() as session:
        where = session.get_one(WorkshopRow, agent.shop.workshop)
        made = [builders.printer(session, where, seen=clock.now()).id for _ in range(printers)]
        speaker = builders.agent(session, where, made)
        session.execute(
            update(PrinterRow).where(PrinterRow.id.in_(made)).values(machine_state="Operational")
        )
    agent.hub.hub.stirring.look()
    return speaker, agent.hub.agent_token(speaker), made


def post(agent: Agent, body: bytes, header: dict[str, str] | None = None) -> TestResponse:
    given = {"Content-Type": "application/json", **(header or agent.header)}
    return agent.client.post(PATH, data=body, headers=given)


def looked_up(agent: Agent, ask: Callable[[], object]) -> bool:
    """Whether the database was asked for an answer."""
    before = agent.desk.looked_up
    ask()
    return agent.desk.looked_up > before


def test_one_answer_is_kept_for_each_agent_whatever_it_asks(agent: Agent) -> None:
    for blanks in range(5):
        body = json.dumps({"printers": [agent.state()]}) + " " * blanks
        said = {"data": body, "content_type": "application/json", "headers": agent.header}
        assert agent.client.post(PATH, **said).status_code == 200
    assert agent.desk.answered == 5
    assert agent.desk.remembered == 1


def test_a_question_that_differs_by_one_byte_is_another(agent: Agent) -> None:
    state = json.dumps(agent.state(ready=True))
    ready = b'{"printers": [%b], "wait_s": 0}' % state.encode()
    resting = ready.replace(b"true", b"null").replace(b"null", b"false")
    assert post(agent, ready).get_json()["why_not"] == {str(agent.shop.printer): NO_JOB}
    assert post(agent, resting).get_json()["why_not"] == {}
    assert post(agent, ready[:-1] + b"]").status_code == 422
    longer = ready.replace(b'"wait_s": 0', b'"wait_s": 1')
    assert looked_up(agent, lambda: post(agent, longer))
    # The last of the two that can be answered here is the one that is kept.
    post(agent, ready)
    assert not looked_up(agent, lambda: post(agent, ready))


def test_two_agents_that_say_the_same_hear_each_their_own(agent: Agent) -> None:
    _, theirs, _ = another(agent)
    ours = json.dumps({"printers": [agent.state()]}).encode()
    assert post(agent, ours).status_code == 200
    assert not looked_up(agent, lambda: post(agent, ours))
    assert post(agent, ours, theirs).status_code == 403
    assert not looked_up(agent, lambda: post(agent, ours))  # a stranger's word changes nothing
    assert post(agent, b'{"printers": []}').status_code == 200
    assert post(agent, b'{"printers": []}', theirs).status_code == 200


def test_no_part_of_a_question_can_pass_for_a_token(agent: Agent) -> None:
    """Token and question are hashed together: moving bytes from one to the other is no way in."""
    body = json.dumps({"printers": [agent.state()]}).encode()
    assert post(agent, body).status_code == 200
    bearer = agent.header["Authorization"]
    for cut in (1, 5, len("Bearer dha_") + 1):
        shorter = {"Authorization": bearer[:-cut]}
        assert post(agent, bearer[-cut:].encode() + body, shorter).status_code == 401
        assert post(agent, bearer[-cut:].encode() + b"\n" + body, shorter).status_code == 401
    assert post(agent, body[1:], {"Authorization": bearer + "{"}).status_code == 401
    assert post(agent, body, {"Authorization": bearer + "\u00e9"}).status_code == 401
    assert post(agent, body, {"Authorization": ""}).status_code == 401


def test_hostile_questions_are_explained_and_not_kept(agent: Agent) -> None:
    agent.ask()
    kept, quick = agent.desk.remembered, agent.desk.answered
    printer = str(agent.shop.printer)
    for body in (
        b"",
        b"\n",
        b"null",
        b"[]",
        b'{"printers": {}}',
        b'{"printers": [{"printer": null}]}',
        b'{"printers": [{"printer": "%b", "ready": "yes"}]}' % printer.encode(),
        b'{"printers": [{"printer": "%b", "text": 1e999}]}' % printer.encode(),
        b'{"wait_s": NaN}',
        b'{"printers": [' + b"[" * 30_000,
        b"\x00" * 60_000,
    ):
        for _ in range(2):
            assert post(agent, body).status_code == 422, body[:40]
    assert (agent.desk.remembered, agent.desk.answered) == (kept, quick)


def test_a_printer_named_twice_is_answered_once(agent: Agent) -> None:
    for _ in range(2):
        answer = agent.ask(agent.state(), agent.state())
        assert answer.get_json()["why_not"] == {str(agent.shop.printer): NO_JOB}
    agent.hub.hub.stirring.look()
    assert agent.desk.remembered == 1


def test_an_agent_has_no_more_answers_than_printers(agent: Agent) -> None:
    speaker, header, printers = another(agent, printers=3)

    def ask(*which: int) -> None:
        states = [agent.state(printer=str(printers[each])) for each in which]
        body = json.dumps({"printers": states}).encode()
        assert post(agent, body, header).status_code == 200

    before = agent.desk.remembered
    for which in ((0,), (1,), (2,), (2, 1), (1, 2), (0, 1), (0, 1, 2), (2, 1, 0), (1,)):
        ask(*which)
        assert agent.desk.remembered - before <= len(printers)
    ask(0, 1, 2)
    assert agent.desk.remembered - before == 1
    # One of the three changes: what was told of all goes.
    with agent.hub.hub.database.writing() as session:
        registry.occupied(session, printer_id=printers[1], now=clock.now())
    agent.hub.hub.stirring.look()
    assert agent.desk.remembered == before
    assert looked_up(agent, lambda: ask(0, 1, 2))
    assert speaker


def test_memory_is_bounded(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    _, header, printers = another(agent, printers=6)
    monkeypatch.setattr(answers, "MOST_KEPT", 4)
    for printer in printers:
        body = json.dumps({"printers": [agent.state(printer=str(printer))]}).encode()
        post(agent, body, header)
        assert not looked_up(agent, lambda body=body: post(agent, body, header))  # type: ignore[misc]
        assert agent.desk.remembered <= 4


def test_an_answer_is_looked_up_anew_after_a_while(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.ask()
    assert not looked_up(agent, agent.ask)
    monkeypatch.setattr(idle, "KEPT_S", -1.0)
    agent.ask(agent.state(ready=False))
    assert looked_up(agent, lambda: agent.ask(agent.state(ready=False)))


def test_what_changed_while_it_was_looked_up_is_not_kept(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change and the look that finds it fall between the statement and the keeping."""
    hub = agent.hub.hub
    real = hub.glances

    def slow(**values: Any) -> list[tuple[Any, ...]]:
        rows = real(**values)
        with hub.database.writing() as session:
            registry.occupied(session, printer_id=agent.shop.printer, now=clock.now())
        hub.stirring.look()
        return rows

    monkeypatch.setattr(agent.desk, "_glances", slow)
    assert agent.ask().get_json()["why_not"] == {str(agent.shop.printer): NO_JOB}  # just before
    monkeypatch.setattr(agent.desk, "_glances", real)
    assert agent.ask().get_json()["why_not"] == {str(agent.shop.printer): NOT_CLEAR}


def test_nothing_kept_before_the_looking_broke_is_told_after_it(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    stirring = agent.hub.hub.stirring
    agent.ask()
    assert not looked_up(agent, agent.ask)
    look = Stirring._look

    def broken(_: Stirring) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(Stirring, "_look", broken)
    stirring.look_at_once()
    monkeypatch.setattr(Stirring, "_look", look)
    stirring.look_at_once()
    assert agent.desk.remembered == 0
    assert looked_up(agent, agent.ask)


def test_new_words_end_what_was_told_to_the_old_ones(agent: Agent) -> None:
    """Else the hub would show "Printing" of a machine that says "Operational" again."""
    agent.ask()
    assert agent.quickly()
    assert not agent.quickly(agent.state(text="Printing"))
    assert not agent.quickly()  # the view writes it down at once
    with agent.hub.hub.database.reading() as session:
        assert session.get_one(PrinterRow, agent.shop.printer).machine_state == "Operational"


def test_a_revoked_agent_is_refused_from_the_next_look_on(agent: Agent) -> None:
    agent.hub.hub.stirring.look()
    agent.ask()
    with agent.hub.hub.database.writing() as session:
        registry.revoke_agent(
            session, workshop_id=agent.shop.workshop, agent_id=agent.shop.agent, now=clock.now()
        )
    agent.hub.hub.stirring.look()
    assert agent.ask().status_code == 401


def test_revoking_on_its_page_is_heard_at_once(agent: Agent) -> None:
    agent.ask()
    assert agent.quickly()
    with agent.hub.hub.database.reading() as session:
        slug = session.get_one(WorkshopRow, agent.shop.workshop).slug
    owner = agent.hub.client("owner")
    assert owner.form(f"/workshops/{slug}/agents/{agent.shop.agent}/revoke").status_code == 303
    assert agent.ask().status_code == 401


def test_a_closed_account_takes_its_agents_along_at_once(agent: Agent) -> None:
    agent.ask()
    assert agent.quickly()
    owner = agent.hub.client("owner")
    assert owner.form("/me/close", password=PASSWORD).status_code == 303
    assert agent.ask().status_code == 401


def test_a_revoked_agent_that_names_no_printer_is_refused(agent: Agent) -> None:
    """Nothing of such a question could be forgotten by its printers, so it is never kept."""
    body = b'{"printers": []}'
    assert post(agent, body).status_code == 200
    assert looked_up(agent, lambda: post(agent, body))
    with agent.hub.hub.database.writing() as session:
        registry.revoke_agent(
            session, workshop_id=agent.shop.workshop, agent_id=agent.shop.agent, now=clock.now()
        )
    assert post(agent, body).status_code == 401


def test_a_sign_of_life_is_due_when_the_last_one_is_old(agent: Agent) -> None:
    """The desk counts from what the database knows, not from when it began to keep the answer."""
    seen, database = agent.hub.hub.seen, agent.hub.hub.database
    seen.close()
    noted: list[UUID] = []
    agent.desk._seen = Noting(database, noted)
    old = clock.now() - timedelta(seconds=SEEN_EVERY_S - 5)
    with database.writing() as session:
        session.execute(update(PrinterRow).values(seen_at=old))
    agent.ask(agent.state(ready=False))
    assert noted == []
    with database.writing() as session:
        session.execute(update(PrinterRow).values(seen_at=old - timedelta(seconds=10)))
    agent.ask(agent.state(ready=True))
    agent.ask(agent.state(ready=True))
    assert noted == [agent.shop.agent]


class Noting(Seen):
    """Remembers who was noted, and writes nothing."""

    def __init__(self, database: Database, noted: list[UUID]) -> None:
        super().__init__(database)
        self.noted = noted

    def note(self, agent_id: UUID, texts: Any) -> None:
        self.noted.append(agent_id)


def test_signs_of_life_are_written_of_the_right_machines(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, each by an index; of a printer that changed hands only by its new agent."""
    monkeypatch.setattr(registry, "MOST_IN_ONE", 2)
    shop = builders.shop(database)
    now = clock.now()
    with database.writing() as session:
        where = session.get_one(WorkshopRow, shop.workshop)
        printers = [builders.printer(session, where).id for _ in range(5)]
        new = builders.agent(session, where, printers)
        said = {
            new: dict.fromkeys(printers[:4], "Operational") | {printers[3]: "x" * 100},
            shop.agent: {printers[0]: "mine", printers[4]: "mine", shop.printer: "Printing"},
            uuid4(): {shop.printer: "nobody's"},
        }
        registry.seen_many(session, said, now=now)
    with database.reading() as session:
        rows = {row.id: row for row in session.scalars(select(PrinterRow))}
        agents = {row.id: row.seen_at for row in session.scalars(select(AgentRow))}
    assert [rows[each].machine_state for each in printers[:3]] == ["Operational"] * 3
    assert rows[printers[3]].machine_state == "x" * 60
    assert [rows[each].seen_at for each in printers[:4]] == [now] * 4
    assert rows[printers[4]].seen_at == builders.NOW
    assert (rows[shop.printer].machine_state, rows[shop.printer].seen_at) == ("Printing", now)
    assert agents == {new: now, shop.agent: now}


def test_looks_and_signs_of_life_read_no_whole_table(hub: OpenHub) -> None:
    """Looked at four times a second, and written all day: neither may grow with what ended."""
    shop, database = hub.shop(), hub.hub.database
    plans: list[str] = []

    def explain(
        connection: Any, _c: object, statement: str, parameters: Any, _x: object, many: bool
    ) -> None:
        if statement.startswith(("SELECT", "UPDATE")) and not many:
            plan = connection.connection.driver_connection.execute(
                f"EXPLAIN QUERY PLAN {statement}", parameters
            )
            plans.extend(row[-1] for row in plan)

    event.listen(database.engine, "before_cursor_execute", explain)
    hub.hub.stirring.look()
    hub.hub.stirring.look()
    with database.writing() as session:
        texts = dict.fromkeys([shop.printer, *(uuid4() for _ in range(20))], "Operational")
        registry.seen_many(session, {shop.agent: texts}, now=clock.now())
    event.remove(database.engine, "before_cursor_execute", explain)
    tables = ("printer", "agent", "job", "run")
    assert any("run_deadline" in step for step in plans)
    assert any("job_queue" in step for step in plans)
    assert [step for step in plans if step in [f"SCAN {table}" for table in tables]] == []


def test_nothing_is_written_for_a_question_out_of_memory(agent: Agent) -> None:
    agent.ask()
    with counted(agent.hub.hub.database) as statements:
        for _ in range(20):
            assert agent.quickly()
    assert not [each for each in statements if not each.startswith("SELECT")]
