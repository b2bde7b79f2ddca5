"""Marks of what pages show, messages, and quotes of one chosen printer, on both databases."""

from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from basis import clock
from basis.db import Database
from basis.errors import Invalid, NotFound, TooMany
from printers.hours import DAYS
from printers.models import WorkshopRow
from printers.offer import Duty
from router import queries, talking, watching
from router.models import HappeningRow, JobRow, OrderRow, QuoteRow
from router.quoting import quote_at
from tests.support import builders as b
from tests.support.builders import NOW, Shop, later
from tests.support.databases import counted


@pytest.fixture
def world(database: Database) -> Shop:
    return b.shop(database)


def marks(database: Database, world: Shop, job: UUID) -> list[watching.Mark]:
    """The marks of a job, of its order and of its workshop, by five statements."""
    with database.reading() as session, counted(database) as said:
        order = session.scalars(select(JobRow.order_id).where(JobRow.id == job)).one()
        found = [
            watching.jobs(session, [job])[job],
            watching.orders(session, [order])[order],
            watching.workshops(session, [world.workshop])[world.workshop],
        ]
    assert len(said) == 1 + 5
    return found


def test_every_mark_changes_with_what_is_shown(database: Database, world: Shop) -> None:
    job = b.ordered(database, world)[0]
    before = marks(database, world, job)
    assert marks(database, world, job) == before
    with database.writing() as session:
        talking.write(session, job_id=job, by=world.maker, text="Hello", now=NOW)
    written = marks(database, world, job)
    assert all(old != new for old, new in zip(before, written, strict=True))
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        b.beat(session, world, run, printing=True, progress_ppm=10_000, seconds_left=600)
    printing = marks(database, world, job)
    assert all(old != new for old, new in zip(written, printing, strict=True))
    with database.writing() as session:
        b.beat(session, world, run, printing=True, progress_ppm=19_999, seconds_left=610)
    assert marks(database, world, job) == printing  # the page would look the same
    found = [printing]
    for nozzle_c in (40, 44, 212, 215, 217):
        with database.writing() as session:
            said: dict[str, Any] = {
                "nozzle_c": nozzle_c,
                "nozzle_target_c": 215,
                "progress_ppm": 19_999,
            }
            b.beat(session, world, run, printing=True, seconds_left=610, **said)
        found.append(marks(database, world, job))
    news = [one != then for one, then in pairwise(found)]
    assert news == [True, False, True, False, False]  # warming up, and then it holds


def test_a_workshop_s_mark_changes_with_duty_and_when_quiet_hours_begin(
    database: Database, world: Shop
) -> None:
    job = b.ordered(database, world)[0]
    found = [marks(database, world, job)[2]]
    for duty in (Duty.PAUSED, Duty.MAINTENANCE, Duty.DRAINING, Duty.OPEN):
        with database.writing() as session:
            b.rest(session, world, duty)
        found.append(marks(database, world, job)[2])
    with database.writing() as session:
        row = session.get_one(WorkshopRow, world.workshop)
        # All day today, and nothing more: the change of the row itself is no part of the mark.
        today = DAYS[clock.now().astimezone(ZoneInfo(row.time_zone)).weekday()]
        row.quiet = {"days": {today: "00:00–24:00"}, "must_be_over": False}
    found.append(marks(database, world, job)[2])
    assert all(old != new for old, new in pairwise(found))


def test_what_is_not_there_has_no_mark(database: Database, world: Shop) -> None:
    with database.reading() as session:
        assert watching.jobs(session, [world.maker]) == {}
        assert watching.orders(session, [world.maker]) == {}
        assert watching.workshops(session, [world.maker]) == {world.maker: (None, None)}


def test_messages_are_lines_of_the_history_within_bounds(database: Database, world: Shop) -> None:
    job = b.ordered(database, world)[0]
    with database.writing() as session:
        talking.write(
            session, job_id=job, by=world.maker, text=" a\x00\x1b[1m\r\nb \u202e", now=NOW
        )
        row = session.scalars(select(HappeningRow).where(HappeningRow.what == "message")).one()
        assert row.note == "a[1m\nb" and row.before == row.after == "ready"
        with pytest.raises(Invalid, match="1 to 2,000"):
            talking.write(session, job_id=job, by=world.maker, text="\x00", now=NOW)
        for _ in range(talking.MOST_AN_HOUR - 1):
            talking.write(session, job_id=job, by=world.maker, text="again", now=NOW)
        with pytest.raises(TooMany):
            talking.write(session, job_id=job, by=world.maker, text="again", now=later(60))
        talking.write(session, job_id=job, by=world.owner, text="enough", now=later(60))
        talking.write(session, job_id=job, by=world.maker, text="later", now=later(3_700))


def test_showing_answers_keeps_nothing_and_choosing_keeps_one(
    database: Database, world: Shop
) -> None:
    request = b.request(world.part, copies=2)
    with database.writing() as session:
        row = quote_at(
            session,
            printer_id=world.printer,
            request=request,
            maker_id=world.maker,
            now=NOW,
            quote_s=60,
            unseen_s=600,
        )
        asked = b.ask(session, request, maker=world.maker).quotes[0]
        assert row is not None
        assert (row.total_minor, row.inputs_sha256) == (asked.total_minor, asked.inputs_sha256)
        assert session.scalar(select(func.count()).select_from(QuoteRow)) == 2
        assert queries.quote(session, row.id, maker_id=world.maker) is row
        assert queries.ordered_by(session, row.id, maker_id=world.maker) is None
        for stranger in (world.owner, None):
            with pytest.raises(NotFound):
                queries.quote(session, row.id, maker_id=stranger)
        late = quote_at(
            session,
            printer_id=world.printer,
            request=request,
            maker_id=world.maker,
            now=later(3_600),  # its agent was silent too long
            quote_s=60,
            unseen_s=600,
        )
        assert late is None
        assert session.scalar(select(func.count()).select_from(OrderRow)) == 0
