"""What stood in a database of an earlier release is there, and means the same, after migrating."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from sqlalchemy import (
    CHAR,
    JSON,
    Boolean,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Table,
    Uuid,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError

from basis.db import Base, Database
from designhub.migrate import _config, migrate
from router import bookkeeping, queries
from router.models import JobRow, OrderRow
from router.quoting import recomputed
from router.states import Job
from tests.house.test_migrations import fresh
from tests.router.worlds import inputs
from tests.support.builders import NOW

__all__ = ["fresh"]  # the fixture: an empty database of either kind


def at(database: Database, revision: str) -> MetaData:
    """Bring an empty database to an earlier release; its tables as they were."""
    with database.engine.execution_options(hub_writes=True).begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    then = MetaData()
    then.reflect(database.engine)
    return then


def put(connection: Connection, table: Table, **said: Any) -> Any:
    """A row of an earlier release; what is not said and must be there is filled in by its type."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.name in said or column.nullable:
            continue
        if column.server_default is not None and column.name != "id":
            continue
        if isinstance(column.type, DateTime):
            row[column.name] = NOW.replace(tzinfo=None)
        elif isinstance(column.type, JSON):
            row[column.name] = {}
        elif isinstance(column.type, Uuid):
            row[column.name] = uuid4()
        elif isinstance(column.type, CHAR):  # how SQLite keeps one
            row[column.name] = uuid4().hex
        elif isinstance(column.type, Boolean):
            row[column.name] = False
        elif isinstance(column.type, Integer):
            row[column.name] = len(table.name)
        else:
            row[column.name] = "x"
    connection.execute(table.insert(), row | said)
    return (row | said)["id"]


def of_one_part() -> dict[str, Any]:
    """The inputs of a quote as they were stored while a quote had one part."""
    stored = inputs().to_json()
    (one,) = stored.pop("items")
    del one["part"]
    return json.loads(json.dumps(stored | one | {"copies": 2}))  # type: ignore[no-any-return]


def an_order(connection: Connection, tables: Any) -> UUID:
    """Two copies of one part, ordered."""
    account = put(connection, tables["account"], name="ada")
    design = put(connection, tables["design"], owner_id=account)
    version = put(connection, tables["version"], design_id=design)
    mesh = put(connection, tables["mesh"], analysis="due")
    part = put(connection, tables["part"], version_id=version, mesh_id=mesh)
    workshop = put(connection, tables["workshop"], owner_id=account)
    printer = put(connection, tables["printer"], workshop_id=workshop, bed="clear")
    spool = put(connection, tables["spool"], printer_id=printer)
    quote = put(
        connection,
        tables["quote"],
        part_id=part,
        printer_id=printer,
        spool_id=spool,
        copies=2,
        mass_mg=100_000,
        duration_s=14_400,
        estimated_s=12_000,
        lines=[{"label": "material", "amount_minor": 501, "source": "estimated"}],
        inputs=of_one_part(),
        expires_at=(NOW + timedelta(hours=1)).replace(tzinfo=None),
    )
    order = put(connection, tables["customer_order"], maker_id=account, quote_id=quote)
    for copy in (1, 2):
        job = put(
            connection,
            tables["job"],
            order_id=order,
            copy=copy,
            printer_id=printer,
            state="ready" if copy == 1 else "ordered",
            gcode_sha256="0" * 64 if copy == 1 else None,
        )
        put(connection, tables["happening"], id=copy, job_id=job, actor="hub")
    return UUID(str(order))


def test_an_order_of_one_part_is_one_of_several_with_one(fresh: Database) -> None:
    then = at(fresh, "0006")
    with fresh.engine.execution_options(hub_writes=True).begin() as connection:
        order_id = an_order(connection, then.tables)
    migrate(fresh)
    with fresh.reading() as session:
        (order,) = session.scalars(select(OrderRow))
        assert order.id == order_id
        order = queries.order_by_id(session, order_id)
        (item,) = order.quote.items
        assert (item.position, item.copies, item.mass_mg, item.estimated_s) == (
            *(0, 2, 100_000, 12_000),
        )
        assert [(job.number, job.copy, job.item_id) for job in order.jobs] == [
            (1, 1, item.id),
            (2, 2, item.id),
        ]
        assert [job.state for job in order.jobs] == [Job.READY, Job.ORDERED]
        assert recomputed(order.quote).lines[0].amount_minor == 500  # 200 g at 25.00 a kilogram
        shares = [each for ((_label, each),) in bookkeeping.lines_of_jobs(order.quote, order.jobs)]
        assert shares == [251, 250]
        assert len(queries.history_of(session, [job.id for job in order.jobs])) == 2


def test_what_a_table_refused_before_it_was_made_anew_it_refuses_still(fresh: Database) -> None:
    migrate(fresh)
    with fresh.engine.connect() as connection:
        found = inspect(connection)
        for name, table in Base.metadata.tables.items():
            if name.startswith("test_"):
                continue
            wanted = {each.name for each in table.constraints if "check" in str(each.name)}
            assert {each["name"] for each in found.get_check_constraints(name)} == wanted, name
    if fresh.engine.dialect.name == "sqlite":
        with fresh.engine.connect() as connection:
            assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    with pytest.raises(IntegrityError), fresh.writing() as session:
        session.add(
            JobRow(
                order_id=uuid4(),
                number=1,
                item_id=uuid4(),
                copy=1,
                printer_id=uuid4(),
                reserved_mg=0,
                created_at=NOW,
            )
        )
