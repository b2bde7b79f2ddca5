"""What a person may say at the printer through the plugin, and what nobody else may."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from basis import clock
from printers.at_printer import Board
from printers.models import AgentRow, Bed, PrinterNoteRow, PrinterRow
from printers.protocol import AgentKind, ReportEvent
from router import jobs
from router.models import HappeningRow, JobRow
from router.states import Job
from tests.support import builders
from tests.support.builders import Shop
from tests.support.hubs import OpenHub


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    """A shop whose agent is a plugin."""
    made = hub.shop()
    kind(hub, made, AgentKind.PLUGIN)
    return made


def kind(hub: OpenHub, shop: Shop, kind: AgentKind) -> None:
    with hub.hub.database.writing() as session:
        session.execute(update(AgentRow).where(AgentRow.id == shop.agent).values(kind=kind))


def say(hub: OpenHub, shop: Shop, what: str, **said: Any) -> TestResponse:
    return hub.app.test_client().post(
        f"/api/v1/agents/me/{what}",
        json={"printer": str(shop.printer), **said},
        headers=hub.agent_token(shop.agent),
    )


def board(answer: TestResponse) -> Board:
    assert answer.status_code == 200, answer.text
    return Board.from_json(answer.get_json())


def printed(hub: OpenHub, shop: Shop, *, end: ReportEvent = ReportEvent.FINISHED) -> str:
    """A job whose print came to this end; its id."""
    [job] = hub.ordered(shop)
    now = clock.now()
    with hub.hub.database.writing() as session:
        run = builders.take(session, shop, now=now)
        assert run is not None
        builders.permit(session, shop, run, now=now)
        builders.report(session, shop, run, ReportEvent.STARTED, now=now)
        builders.report(session, shop, run, end, now=now)
    return str(job)


def state(hub: OpenHub, job: str) -> Job:
    with hub.hub.database.reading() as session:
        return {str(row.id): row.state for row in session.scalars(select(JobRow))}[job]


def bed(hub: OpenHub, shop: Shop) -> Bed:
    with hub.hub.database.reading() as session:
        return session.get_one(PrinterRow, shop.printer).bed


def test_the_board_says_how_the_printer_stands_and_what_is_next(hub: OpenHub, shop: Shop) -> None:
    free = board(say(hub, shop, "board"))
    assert (free.bed_clear, free.may_clear, free.judge) == (True, False, [])
    assert free.next == "No job waits for it."
    assert free.page == f"/printers/{shop.printer}"
    job = printed(hub, shop)
    after = board(say(hub, shop, "board"))
    assert (after.bed_clear, after.may_clear, after.asks) == (False, True, True)
    assert [str(each.job) for each in after.judge] == [job]
    assert "whether it is good" in after.next
    assert {"came off the bed", "other"} <= {each.key for each in after.causes}


def test_a_person_says_good_and_clear_and_their_name_is_kept(hub: OpenHub, shop: Shop) -> None:
    job = printed(hub, shop)
    for _ in range(2):  # a second press changes nothing
        after = board(say(hub, shop, "looked", job=job, good=True, by="jo\n<b>"))
        assert after.judge == []
    assert state(hub, job) is Job.DONE
    assert bed(hub, shop) is Bed.OCCUPIED  # two things
    assert board(say(hub, shop, "bed-clear", by="jo")).bed_clear
    with hub.hub.database.reading() as session:
        notes = session.scalars(
            select(HappeningRow.note).where(HappeningRow.what == "said.at_printer")
        ).all()
        beds = session.scalars(
            select(PrinterNoteRow.note).where(PrinterNoteRow.what == "bed.clear")
        ).all()
    assert notes == ["said at the printer by jo<b>"]
    assert "said at the printer by jo" in beds
    page = hub.client("maker").get(f"/jobs/{job}").text
    assert "said at the printer by jo&lt;b&gt;" in page


def test_a_person_says_failed_with_cause_and_blame(hub: OpenHub, shop: Shop) -> None:
    job = printed(hub, shop)
    nothing = say(hub, shop, "looked", job=job, good=False, by="jo", cause=" ")
    assert nothing.status_code == 422
    assert state(hub, job) is Job.ASSIGNED
    said = {"cause": "layers shifted", "printer_at_fault": True}
    for _ in range(2):  # a second press changes nothing, and adds no line
        board(say(hub, shop, "looked", job=job, good=False, by="jo", **said))
    with hub.hub.database.reading() as session:
        whats = list(session.scalars(select(HappeningRow.what)))
    assert (whats.count("said.at_printer"), whats.count("run.fail")) == (1, 1)
    assert state(hub, job) is Job.FAILED
    with hub.hub.database.reading() as session:
        row = next(iter(session.scalars(select(JobRow))))
        assert (row.reason, row.runs[-1].printer_at_fault) == ("layers shifted", True)
        assert row.runs[-1].job_at_fault is False


def test_a_word_that_comes_again_is_not_taken_for_the_next_try(hub: OpenHub, shop: Shop) -> None:
    job = printed(hub, shop)
    [seen] = board(say(hub, shop, "board")).judge
    word = {"job": job, "run": str(seen.run), "good": False, "by": "jo", "cause": "layers shifted"}
    board(say(hub, shop, "looked", **word))
    now = clock.now()
    with hub.hub.database.writing() as session:
        jobs.retry(session, job_id=UUID(job), by=shop.owner, now=now)
        jobs.clear_bed(session, printer_id=shop.printer, by=shop.owner, now=now)
        run = builders.take(session, shop, now=now)
        assert run is not None and run.id != seen.run
        builders.permit(session, shop, run, now=now)
        builders.report(session, shop, run, ReportEvent.FINISHED, now=now)
    for good in (False, True):
        after = board(say(hub, shop, "looked", **word | {"good": good}))
        assert [each.run for each in after.judge] == [run.id]
    assert state(hub, job) is Job.ASSIGNED


def test_the_bed_gate_holds_here_too(hub: OpenHub, shop: Shop) -> None:
    [_] = hub.ordered(shop)
    now = clock.now()
    with hub.hub.database.writing() as session:
        run = builders.take(session, shop, now=now)
        assert run is not None
        builders.permit(session, shop, run, now=now)
    refused = say(hub, shop, "bed-clear", by="jo")
    assert (refused.status_code, refused.get_json()["title"]) == (409, "not_allowed")
    assert bed(hub, shop) is Bed.OCCUPIED
    assert not board(say(hub, shop, "board")).may_clear


@pytest.mark.parametrize("what", ["looked", "bed-clear"])
def test_an_agent_beside_octoprint_speaks_for_nobody(hub: OpenHub, shop: Shop, what: str) -> None:
    job = printed(hub, shop)
    kind(hub, shop, AgentKind.AGENT)
    refused = say(hub, shop, what, job=job, good=True, by="jo")
    assert refused.status_code == 403
    assert "workshop's page" in refused.get_json()["detail"]
    assert (state(hub, job), bed(hub, shop)) == (Job.ASSIGNED, Bed.OCCUPIED)


@pytest.mark.parametrize("what", ["board", "looked", "bed-clear"])
def test_a_plugin_speaks_for_its_own_printer_only(hub: OpenHub, shop: Shop, what: str) -> None:
    job = printed(hub, shop)
    with hub.hub.database.writing() as session:
        place = session.get_one(PrinterRow, shop.printer).workshop
        other = builders.printer(session, place, seen=clock.now())
        builders.agent(session, place, [other.id])
        theirs = other.id
    refused = say(hub, shop, what, printer=str(theirs), job=job, good=True, by="jo")
    assert refused.status_code == 403
    assert say(hub, shop, what, printer=str(uuid4()), job=job, good=True, by="jo").status_code in (
        403,
        404,
    )


def test_a_job_of_another_printer_is_not_there(hub: OpenHub, shop: Shop) -> None:
    job = printed(hub, shop)
    with hub.hub.database.writing() as session:
        place = session.get_one(PrinterRow, shop.printer).workshop
        other = builders.printer(session, place, seen=clock.now())
        agent = builders.agent(session, place, [other.id])
        session.execute(update(AgentRow).where(AgentRow.id == agent).values(kind=AgentKind.PLUGIN))
        theirs = other.id
    answer = hub.app.test_client().post(
        "/api/v1/agents/me/looked",
        json={"printer": str(theirs), "job": job, "good": True, "by": "jo"},
        headers=hub.agent_token(agent),
    )
    assert answer.status_code == 404
    assert state(hub, job) is Job.ASSIGNED
