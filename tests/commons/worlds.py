"""A small workshop for the tests of the book: short ways to say common facts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from basis.db import Database
from commons import audit, settlement
from commons.book import (
    Fact,
    job_voided,
    order_reserved,
    part_passed,
    part_received,
    record,
    run_ended,
)

NOW = datetime(2026, 3, 1, 10, 15, tzinfo=UTC)
COMMIT = "5f2c" * 10
LINES = (("material", 500), ("machine time", 200), (settlement.CONTRIBUTION, 71))


def printed(job: object, *, run: int = 1, **changes: Any) -> Fact:
    """A run on printer 3 that took 530 g and made a part of 452 g."""
    said: dict[str, Any] = {
        "run_key": f"printer:3/job:{job}/run:{run}",
        "printer_id": 3,
        "workshop_id": 1,
        "agent_id": "4c",
        "design": 88,
        "commit": COMMIT,
        "part": "bracket.stl",
        "lots": [("lot:pla-7", 530_000)],
        "outcome": "printed",
        "filament_source": "measured: extruder",
        "energy_mwh": 120_000,
        "energy_source": "estimated: printer's power",
        "machine_s": 3_600,
        "good_mg": 452_000,
        "at": NOW,
    }
    return run_ended(**said | changes)


def ordered(order: object = 1, *, jobs: int = 2, **changes: Any) -> Fact:
    """An order of 7.71 EUR by member 9 at workshop 1."""
    said: dict[str, Any] = {
        "order_id": order,
        "maker_id": 9,
        "workshop_id": 1,
        "lines": LINES,
        "currency": "EUR",
        "jobs": jobs,
        "at": NOW,
    }
    return order_reserved(**said | changes)


def shares(copy: int = 0, *, jobs: int = 2) -> tuple[settlement.Share, ...]:
    """Who gets what of one copy of that order."""
    lines = settlement.per_job(LINES, weights=[1] * jobs)[copy]
    return settlement.shares(lines, workshop_id=1, design_id=88)


def passed(job: object, order: object = 1, *, copy: int = 0, **changes: Any) -> Fact:
    """The part of run 1 of a job was looked at and taken."""
    said: dict[str, Any] = {
        "job_id": job,
        "order_id": order,
        "run_key": f"printer:3/job:{job}/run:1",
        "maker_id": 9,
        "workshop_id": 1,
        "design_id": 88,
        "shares": shares(copy),
        "currency": "EUR",
        "by": "member:w",
        "at": NOW,
    }
    return part_passed(**said | changes)


def received(job: object, order: object = 1, *, copy: int = 0, **changes: Any) -> Fact:
    """The maker has the part, carried over 12,345 m."""
    said: dict[str, Any] = {
        "job_id": job,
        "order_id": order,
        "maker_id": 9,
        "workshop_id": 1,
        "shares": shares(copy),
        "currency": "EUR",
        "mass_mg": 452_000,
        "distance_m": 12_345,
        "by": "member:9",
        "at": NOW,
    }
    return part_received(**said | changes)


def voided(job: object, order: object = 1, *, copy: int = 1, **changes: Any) -> Fact:
    """The job will not be paid."""
    amount = sum(share.amount_minor for share in shares(copy))
    said: dict[str, Any] = {
        "job_id": job,
        "order_id": order,
        "amount_minor": amount,
        "currency": "EUR",
        "reason": "cancelled",
        "by": "hub",
        "at": NOW,
    }
    return job_voided(**said | changes)


def a_story() -> list[Fact]:
    """An order of two copies: one is printed at the second try and received, one is cancelled."""
    return [
        ordered(),
        printed(1, run=2, outcome="failed", good_mg=0, lots=[("pla-7", 90_000)]),
        printed(1),
        passed(1),
        received(1),
        voided(2),
    ]


def say(database: Database, *facts: Fact) -> None:
    """Record facts, each in a transaction of its own and a second after the one before."""
    for second, fact in enumerate(facts):
        with database.writing() as session:
            record(session, fact, now=NOW + timedelta(seconds=second))


def exported(database: Database) -> list[bytes]:
    """The lines of the export."""
    with database.reading() as session:
        return list(audit.export(session))
