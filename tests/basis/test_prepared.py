"""A prepared statement says what SQLAlchemy's own road says."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import bindparam, select, update

from basis.db import Database
from basis.prepared import IDLE_CONNECTIONS, Prepared
from printers.models import AgentRow, Bed, PrinterRow
from tests.support.builders import Shop, shop

ASKED = select(
    PrinterRow.id, PrinterRow.bed, PrinterRow.accepting, PrinterRow.seen_at, PrinterRow.name
).where(
    PrinterRow.agent_id == bindparam("agent", required=False),
    PrinterRow.bed.in_([Bed.CLEAR, Bed.OCCUPIED]),
)


@pytest.fixture
def stocked(database: Database) -> Shop:
    return shop(database)


@pytest.fixture
def prepared(database: Database) -> Iterator[Prepared]:
    made = Prepared(database.engine, ASKED)
    yield made
    made.close()


def test_values_come_as_the_models_read_them(
    database: Database, stocked: Shop, prepared: Prepared
) -> None:
    with database.reading() as session:
        expected = [tuple(row) for row in session.execute(ASKED, {"agent": stocked.agent})]
    rows = prepared(agent=stocked.agent)
    assert rows == expected
    assert isinstance(rows[0][0], UUID)
    assert rows[0][1] in Bed
    assert prepared(agent=UUID(int=0)) == []


def test_each_call_sees_what_was_committed(
    database: Database, stocked: Shop, prepared: Prepared
) -> None:
    for minutes in (1, 2):
        at = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
        with database.writing() as session:
            session.execute(update(PrinterRow).values(seen_at=at))
        assert {row[3] for row in prepared(agent=stocked.agent)} == {at}


def test_many_threads_may_ask_and_few_connections_stay(stocked: Shop, prepared: Prepared) -> None:
    first = prepared(agent=stocked.agent)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: prepared(agent=stocked.agent), range(200)))
    assert all(each == first for each in answers)
    assert len(prepared._free) <= IDLE_CONNECTIONS


def test_a_broken_connection_is_not_used_again(
    database: Database, stocked: Shop, prepared: Prepared
) -> None:
    prepared(agent=stocked.agent)
    prepared._free[0].dbapi_connection.close()
    with pytest.raises(Exception, match="closed"):
        prepared(agent=stocked.agent)
    assert len(prepared(agent=stocked.agent)) == 1
    with database.reading() as session:
        assert session.scalar(select(AgentRow.id)) == stocked.agent
