"""Orders and jobs, and what people say of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from flask import Blueprint, g
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis import clock
from basis.errors import NotFound
from designhub import access, worker
from designhub.api import schema, shown
from designhub.api.openapi import describes, said
from designhub.auth import Caller, Scope, needs, require
from designhub.hub import Hub, this_hub
from designs import queries as designs
from printers import protocol
from router import jobs, queries
from router import provenance as provenances
from router.models import OrderRow, RunRow

bp = Blueprint("jobs_api", __name__, url_prefix="/api/v1")


@bp.post("/orders")
@describes("Accept a quote", takes=schema.OrderAsk, gives=schema.Order, status=201, who="account")
@needs(Scope.ORDER)
def order() -> ResponseReturnValue:
    """One job for each copy of each part; the price is reserved. Sending the same key again orders
    nothing."""
    asked = said(schema.OrderAsk)
    row = accept(this_hub(), quote_id=asked.quote, key=asked.key, maker_id=g.caller.id)
    with this_hub().database.reading() as session:
        return shown.order(row, _titles(session, [row])).to_json(), 201


def accept(hub: Hub, *, quote_id: UUID, key: str, maker_id: UUID) -> OrderRow:
    """Order by a quote in one transaction, then let its jobs be sliced; the page does the same."""
    with hub.database.writing() as session:
        made = jobs.order(
            session, quote_id=quote_id, maker_id=maker_id, idempotency_key=key, now=clock.now()
        )
        row = queries.order_by_id(session, made.id)
    for job in row.jobs:
        hub.queue.soon(worker.slice_job, str(job.id))
    return row


@bp.get("/orders")
@describes("My orders", gives=schema.Orders, who="account")
@needs(Scope.READ)
def orders() -> ResponseReturnValue:
    """The newest first."""
    with this_hub().database.reading() as session:
        rows = queries.orders_of(session, g.caller.id)
        titles = _titles(session, rows)
        return schema.Orders(orders=[shown.order(row, titles) for row in rows]).to_json()


@bp.get("/orders/<uuid:order_id>")
@describes("One of my orders", gives=schema.Order, who="account")
@needs(Scope.READ)
def show_order(order_id: UUID) -> ResponseReturnValue:
    """With the states of its jobs."""
    with this_hub().database.reading() as session:
        row = access.own_order(session, g.caller, order_id)
        return shown.order(row, _titles(session, [row])).to_json()


def _titles(session: Session, rows: Sequence[OrderRow]) -> dict[int, tuple[str, str]]:
    """Of the parts of some orders, by one statement."""
    return designs.titles(session, {item.part_id for row in rows for item in row.quote.items})


@bp.get("/jobs/<uuid:job_id>")
@describes("One job", gives=schema.Job, who="account")
@needs(Scope.READ)
def show(job_id: UUID) -> ResponseReturnValue:
    """For its maker and its workshop: state, runs, and everything that happened."""
    with this_hub().database.reading() as session:
        access.job_roles(session, g.caller, job_id)
        return shown.job(queries.job_story(session, job_id)).to_json()


@bp.get("/runs/<uuid:run_id>/provenance")
@describes("What exactly a run prints", gives=protocol.Signed, who="account")
@needs(Scope.READ)
def provenance(run_id: UUID) -> ResponseReturnValue:
    """For the job's maker and workshop: a document in canonical JSON, and the hub's signature over
    its bytes. `designhub verify` checks a file against it."""
    return signed_run(g.caller, run_id).to_json()


def signed_run(caller: Caller, run_id: UUID) -> protocol.Signed:
    """What the hub signed for a run of a job of the caller's. Raises NotFound."""
    with this_hub().database.reading() as session:
        run = session.get(RunRow, run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}, or none of yours")
        access.job_roles(session, caller, run.job_id)
        return provenances.of_run(session, run_id)


@bp.post("/jobs/<uuid:job_id>/passed")
@describes("The part is good", gives=schema.Job, who="account")
@needs(Scope.OPERATE)
def passed(job_id: UUID) -> ResponseReturnValue:
    """Said by a person of the workshop who looked at it. What is fetched there is done with this;
    what is carried is done when it was received."""
    return _say(job_id, "passed")


@bp.post("/jobs/<uuid:job_id>/failed")
@describes("The part is not good", takes=schema.FailedAsk, gives=schema.Job, who="account")
@needs(Scope.OPERATE)
def failed(job_id: UUID) -> ResponseReturnValue:
    """Said by a person of the workshop who looked, with the cause and whose fault it was. Of
    several copies on a plate some may be good: those pass."""
    asked = said(schema.FailedAsk)
    with this_hub().database.writing() as session:
        fail(session, g.caller, job_id, asked)
        return _afterwards(session, job_id)


@bp.post("/jobs/<uuid:job_id>/retry")
@describes("Try a failed job again", gives=schema.Job, who="account")
@needs(Scope.OPERATE)
def retry(job_id: UUID) -> ResponseReturnValue:
    """A person authorises one more try on the same printer."""
    return _say(job_id, "retry")


@bp.post("/jobs/<uuid:job_id>/agree")
@describes("Make it at the quoted price all the same", gives=schema.Job, who="account")
@needs(Scope.OPERATE)
def agree(job_id: UUID) -> ResponseReturnValue:
    """For a job that stopped because its slice needs much more than was quoted."""
    return _say(job_id, "agree")


@bp.post("/jobs/<uuid:job_id>/received")
@describes("The maker has the part", gives=schema.Job, who="account")
@needs(Scope.READ)
def received(job_id: UUID) -> ResponseReturnValue:
    """Said by the maker, or by the workshop that handed it over: the job is settled and done."""
    return _say(job_id, "received")


@bp.post("/jobs/<uuid:job_id>/cancel")
@describes("Cancel a job", gives=schema.Job, who="account")
@needs(Scope.READ)
def cancel(job_id: UUID) -> ResponseReturnValue:
    """At once before its printer has the permit; afterwards the printer is told to stop, and the
    job ends when there is evidence of what became of it."""
    return _say(job_id, "cancel")


class Verb(Protocol):
    """Something a person says of a job."""

    def __call__(self, session: Session, *, job_id: UUID, by: UUID, now: datetime) -> object: ...


VERBS: Mapping[str, tuple[Verb, tuple[str, ...]]] = {
    "passed": (jobs.passed, ("workshop",)),
    "retry": (jobs.retry, ("workshop",)),
    "agree": (jobs.agree, ("workshop",)),
    "received": (jobs.received, ("maker", "workshop")),
    "cancel": (jobs.cancel, ("maker", "workshop")),
}
"""What may be said of a job without a further word, and by whom."""


def say(session: Session, caller: Caller, job_id: UUID, word: str) -> None:
    """Say one of `VERBS` of a job. Raises NotFound, NotYours, and what the verb itself raises."""
    verb, roles = VERBS[word]
    _check_role(session, caller, job_id, *roles)
    verb(session, job_id=job_id, by=caller.id, now=clock.now())


def fail(session: Session, caller: Caller, job_id: UUID, asked: schema.FailedAsk) -> None:
    """Say that a part is not good, why, and perhaps that it is tried again at once."""
    _check_role(session, caller, job_id, "workshop")
    now = clock.now()
    job = jobs.failed(
        session,
        job_id=job_id,
        by=caller.id,
        cause=asked.cause,
        job_at_fault=asked.job_at_fault,
        printer_at_fault=asked.printer_at_fault,
        now=now,
        good=asked.good,
        printed_ppm=asked.printed_ppm,
    )
    if asked.again:
        jobs.retry(session, job_id=job.id, by=caller.id, now=now)


def _check_role(session: Session, caller: Caller, job_id: UUID, *wanted: str) -> None:
    roles = access.job_roles(session, caller, job_id)
    access.need_role(roles, *wanted)
    if "maker" in roles & set(wanted) and Scope.ORDER in caller.scopes:
        return
    require(caller, Scope.OPERATE if "workshop" in roles else Scope.ORDER)


def _say(job_id: UUID, word: str) -> ResponseReturnValue:
    with this_hub().database.writing() as session:
        say(session, g.caller, job_id, word)
        return _afterwards(session, job_id)


def _afterwards(session: Session, job_id: UUID) -> ResponseReturnValue:
    session.flush()
    session.expire_all()
    return shown.job(queries.job_story(session, job_id)).to_json()
