"""What a job and an order say in every state, to whom, and what can be done there."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from basis import clock
from commons.models import BalanceRow
from designhub.web import job_words
from printers.models import WorkshopRow
from printers.offer import Mode
from printers.protocol import ReportEvent
from router import jobs, lease, talking
from router.history import ENDED_JOBS
from router.models import HappeningRow, JobRow, OrderRow, RunRow
from router.states import JOB_TRANSITIONS, OPEN, RUN_TRANSITIONS, Job, Run
from tests.designhub.test_pages import MOST_STATEMENTS, check_shape
from tests.support import builders
from tests.support.builders import Shop
from tests.support.hubs import OpenHub
from tests.support.statements import counted

STREET = "Storgata 1\n0155 Oslo"
EVIL = '<script>alert("x")</script> https://evil.example/'


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    """Somebody who orders, and whom they order from."""
    made = hub.shop()
    with hub.hub.database.writing() as session:
        session.execute(update(WorkshopRow).values(address=STREET))
    return made


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def brought(hub: OpenHub, shop: Shop, state: Run, **wish: Any) -> UUID:
    """A job whose run came to a state by what really happens."""
    job, now = hub.ordered(shop, **wish)[0], clock.now()
    with hub.hub.database.writing() as session:
        run = builders.take(session, shop, now=now)
        assert run is not None
        if state is Run.RELEASED:
            builders.report(session, shop, run, ReportEvent.RELEASED, now=now)
        if state in (Run.LEASED, Run.RELEASED):
            return job
        builders.permit(session, shop, run, now=now)
        if state is Run.PERMITTED:
            return job
        far = {"progress_ppm": 425_000, "layer": 41, "layers": 100}
        builders.beat(session, shop, run, printing=True, now=now, **far)
        if state is Run.PAUSED:
            builders.beat(session, shop, run, paused=True, seconds_left=310, now=now)
        if state is Run.UNKNOWN:
            lease.expire(session, now=now + timedelta(hours=1))
        if state is Run.FAILED:
            builders.report(session, shop, run, ReportEvent.FAILED, now=now)
        if state in (Run.PRINTED, Run.PASSED):
            builders.report(session, shop, run, ReportEvent.FINISHED, now=now)
        if state is Run.PASSED:
            jobs.passed(session, job_id=job, by=shop.owner, now=now)
    return job


def test_every_state_has_a_row_of_its_own() -> None:
    assert list(job_words.NEXT) == list(Job) and all(type(each) is Job for each in job_words.NEXT)
    assert list(job_words.NEXT_OF_RUN) == list(Run)
    assert all(type(each) is Run for each in job_words.NEXT_OF_RUN)


def test_every_happening_has_words() -> None:
    words = {f"job.{event}" for _, event in JOB_TRANSITIONS}
    words |= {f"run.{event}" for _, event in RUN_TRANSITIONS}
    words |= {f"late.{event}" for event in ReportEvent}
    words |= {"job.begun", "run.stop_asked", "run.moves_unbidden", talking.MESSAGE}
    words |= {"run.waits_filament", "run.waits_printer", "run.ejected", "run.spool_changed"}
    words |= {"said.at_printer"}
    assert words == set(job_words.HAPPENINGS)
    marked = job_words.GOOD | job_words.LOOK | job_words.BAD
    assert marked <= words
    assert all(job_words.kind_of(each) in ("", "good", "warn", "bad") for each in words)


@pytest.mark.parametrize("state", [*Job, *Run])
def test_every_state_says_what_is_next_to_both_sides(state: Job | Run) -> None:
    job, run = (Job.ASSIGNED, state) if isinstance(state, Run) else (state, None)
    for workshop in (False, True):
        for collected in (False, True):
            said = job_words.next_step(job, run, workshop=workshop, collected=collected)
            assert len(said) > 10 and said.endswith(".")
    assert job_words.job_state(job, run)
    assert job_words.kind_of_state(job, run) in ("", "good", "warn", "bad")


@pytest.mark.parametrize("state", list(Run))
def test_the_page_of_a_job_in_every_state_of_its_run(hub: OpenHub, shop: Shop, state: Run) -> None:
    job = brought(hub, shop, state)
    with hub.hub.database.reading() as session:
        row = session.get_one(JobRow, job)
        run = session.scalars(select(RunRow).where(RunRow.job_id == job)).one()
        assert run.state is state
    for who in ("maker", "owner"):
        client = hub.client(who)
        with counted(hub.hub.database) as statements:
            page = client.get(f"/jobs/{job}")
        assert page.status_code == 200 and len(statements) <= MOST_STATEMENTS, statements
        check_shape(page.text, f"{state} for {who}")
        open_run = state if state in OPEN else None
        assert job_words.job_state(row.state, open_run) in page.text
        live = f'data-live="/jobs/{job}/events"' in page.text
        assert live is (row.state not in ENDED_JOBS)
        judging = 'action="/jobs/' in page.text and "It failed</button>" in page.text
        assert judging is (who == "owner" and state in (Run.PRINTED, Run.UNKNOWN))
        assert ("/retry" in page.text) is (who == "owner" and state is Run.FAILED)
        assert ("Stop the print and cancel</button>" in page.text) is (
            state in (Run.PERMITTED, Run.PRINTING, Run.PAUSED, Run.UNKNOWN)
        )


@pytest.mark.parametrize("state", [Job.ORDERED, Job.ASKED, Job.CANCELLED, Job.UNROUTABLE])
def test_the_page_of_a_job_without_a_run(hub: OpenHub, shop: Shop, state: Job) -> None:
    job = hub.ordered(shop, ready=False)[0]
    with hub.hub.database.writing() as session:
        session.execute(update(JobRow).values(state=state, reason="because of this"))
    page = hub.client("maker").get(f"/jobs/{job}").text
    check_shape(page, state)
    assert str(job_words.JOBS[state]) in page and "because of this" in page
    assert ("Order again" in page) is (state in ENDED_JOBS)
    assert ("/agree" in hub.client("owner").get(f"/jobs/{job}").text) is (state is Job.ASKED)


def test_a_run_that_nobody_knows_of_says_what_is_proved_and_what_is_not(
    hub: OpenHub, shop: Shop
) -> None:
    job = brought(hub, shop, Run.UNKNOWN)
    page = plain(hub.client("maker").get(f"/jobs/{job}").text)
    assert "A person of the workshop must look at the printer." in page
    assert "The printer was seen printing it" in page
    assert "At the last word 42 % of the file were sent to it." in page
    assert "It was in layer 41 of 100 then." in page
    assert "Whether it went on to its end." in page and "Whether something lies" in page
    assert "left" not in page.split("What happens next")[0].split("42 %")[1]  # nobody counts
    owner = plain(hub.client("owner").get(f"/jobs/{job}").text)
    assert "Go and look at the printer." in owner and "You looked at it" in owner
    assert "as last heard: 42 %" in owner and "about three quarters" in owner
    said: dict[str, Any] = {"reason": "came off the bed", "printed": "750000"}
    assert hub.client("owner").form(f"/jobs/{job}/failed", **said).status_code == 303
    with hub.hub.database.reading() as session:
        row = session.get_one(JobRow, job)
        lot = session.scalars(select(BalanceRow.amount).where(BalanceRow.unit == "mg"))
        assert -(-(row.mass_mg or 0) * 3 // 4) in list(lot)  # of waste


def test_a_failed_run_says_what_was_said_of_it(hub: OpenHub, shop: Shop) -> None:
    job = brought(hub, shop, Run.PRINTED)
    owner = hub.client("owner")
    said = {"reason": "came off the bed", "cause": "<b>bent</b>", "printer_at_fault": "on"}
    assert owner.form(f"/jobs/{job}/failed", said).location == f"/jobs/{job}"
    page = hub.client("maker").get(f"/jobs/{job}").text
    assert "came off the bed: &lt;b&gt;bent&lt;/b&gt;" in page
    assert "At fault: the printer." in page and "What is known" in page
    assert "The workshop decides whether to try again. If you cancel" in page


@pytest.mark.parametrize(
    ("state", "mode", "shown"),
    [
        (Run.RELEASED, Mode.FOOT, False),  # it waits again
        (Run.LEASED, Mode.FOOT, True),
        (Run.PRINTED, Mode.FOOT, True),
        (Run.PASSED, Mode.FOOT, True),
        (Run.FAILED, Mode.FOOT, False),
        (Run.PRINTED, Mode.PARCEL, False),
    ],
)
def test_the_street_is_for_who_comes_to_fetch_what_is_made(
    hub: OpenHub, shop: Shop, state: Run, mode: Mode, shown: bool
) -> None:
    job = brought(hub, shop, state, modes=frozenset({mode}))
    assert ("Storgata" in hub.client("maker").get(f"/jobs/{job}").text) is shown
    with hub.hub.database.reading() as session:
        order = session.scalars(select(OrderRow.id)).one()
    for path in (f"/orders/{order}", "/orders", "/workshops"):
        assert "Storgata" not in hub.client("maker").get(path).text


def test_maker_and_workshop_write_to_each_other(hub: OpenHub, shop: Shop) -> None:
    job = hub.ordered(shop)[0]
    maker, owner = hub.client("maker"), hub.client("owner")
    text = f"  Where\r\nis it?\x07 {EVIL} \n"
    answer = maker.form(f"/jobs/{job}/messages", text=text)
    assert answer.status_code == 303 and answer.location == f"/jobs/{job}#messages"
    owner.form(f"/jobs/{job}/messages", text="On its way.")
    page = owner.get(f"/jobs/{job}").text
    assert "Where\nis it? &lt;script&gt;" in page and "<script>" not in page
    assert 'href="https://evil' not in page and "<strong>the maker</strong>" in page
    assert page.count("A message") == 0  # they stand by themselves, not in the history
    check_shape(page, "messages")
    with hub.hub.database.reading() as session:
        kept = session.scalars(select(HappeningRow).where(HappeningRow.what == "message")).all()
    assert [each.actor for each in kept] == [f"account:{shop.maker}", f"account:{shop.owner}"]


def test_messages_have_bounds(hub: OpenHub, shop: Shop) -> None:
    job, maker = hub.ordered(shop)[0], hub.client("maker")
    path = f"/jobs/{job}/messages"
    for text in ("", " \n ", "x" * 2_001):
        refused = maker.form(path, text=text)
        assert refused.status_code == 422 and "1 to 2,000 characters" in refused.text
    assert maker.form(path, text="x" * 2_000).status_code == 303
    for _ in range(talking.MOST_AN_HOUR - 1):
        maker.form(path, text="again")
    refused = maker.form(path, text="once too often")
    assert refused.status_code == 429 and "once too often</textarea>" in refused.text
    assert hub.client("owner").form(path, text="enough").status_code == 303


def test_orders_stand_in_the_order_of_need(hub: OpenHub, shop: Shop) -> None:
    maker = hub.client("maker")
    empty = maker.get("/orders").text
    assert "You have ordered nothing yet" in empty and 'href="/designs"' in empty
    done = brought(hub, shop, Run.PASSED)
    over = hub.ordered(shop, copies=2)
    for job in over:
        maker.form(f"/jobs/{job}/cancel")
    going = hub.ordered(shop)[0]
    page = maker.get("/orders").text
    check_shape(page, "orders")
    assert page.index("On the way") < page.index(f"/jobs/{going}") < page.index("Over")
    assert f"/jobs/{done}" not in page and "cancelled" in page
    assert "You have ordered nothing" in hub.client("owner").get("/orders").text


def test_an_order_shows_its_copies_and_cancels_what_is_not_begun(hub: OpenHub, shop: Shop) -> None:
    first, second, third = hub.ordered(shop, copies=3)
    now = clock.now()
    with hub.hub.database.writing() as session:
        order = session.scalars(select(OrderRow.id)).one()
        lines = session.execute(select(OrderRow)).scalar_one().quote.lines
        run = builders.take(session, shop, now=now)
        assert run is not None and run.job_id == first
    maker = hub.client("maker")
    with counted(hub.hub.database) as statements:
        page = maker.get(f"/orders/{order}")
    assert len(statements) <= MOST_STATEMENTS, statements
    check_shape(page.text, "order")
    assert f'data-live="/orders/{order}/events"' in page.text
    assert "Cancel what is not begun (2 copies)" in page.text
    assert maker.form(f"/orders/{order}/cancel").location == f"/orders/{order}"
    with hub.hub.database.writing() as session:
        states = {job.id: job.state for job in session.scalars(select(JobRow))}
        assert states == {first: Job.ASSIGNED, second: Job.CANCELLED, third: Job.CANCELLED}
        builders.permit(session, shop, run, now=now)
        builders.report(session, shop, run, ReportEvent.FINISHED, now=now)
        jobs.passed(session, job_id=first, by=shop.owner, now=now)
    page = maker.get(f"/orders/{order}")
    assert "1 of 1 made" in plain(page.text) and "data-live" not in page.text
    owed = sum(-(-line["amount_minor"] // 3) for line in lines)  # odd cents go to the first copy
    assert f"{owed / 100:.2f} EUR" in plain(page.text) and f"/book/orders/{order}" in page.text
    again = re.findall(r'href="(/make/[^"]+)"', page.text)[0].replace("&amp;", "&")
    assert "copies=3" in again and maker.get(again).status_code == 200


def test_pages_move_without_script_only_while_nobody_types(hub: OpenHub, shop: Shop) -> None:
    looks = '<noscript><meta http-equiv="refresh"'
    moving = brought(hub, shop, Run.PRINTING)
    page: Callable[[str], str] = lambda path: hub.client("maker").get(path).text  # noqa: E731
    assert looks in page(f"/jobs/{moving}")
    assert looks not in page(f"/jobs/{moving}?still")
