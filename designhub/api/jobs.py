"""Orders and jobs, and what people say of them."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, g
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis import clock
from basis.errors import NotFound
from designhub import access, worker
from designhub.api import schema, shown
from designhub.api.openapi import describes, said
from designhub.auth import Scope, needs, require
from designhub.hub import this_hub
from router import jobs, queries

bp = Blueprint("jobs_api", __name__, url_prefix="/api/v1")


@bp.post("/orders")
@describes("Accept a quote", takes=schema.OrderAsk, gives=schema.Order, status=201, who="account")
@needs(Scope.ORDER)
def order() -> ResponseReturnValue:
    """One job for each copy; the price is reserved. Sending the same key again orders nothing."""
    hub, asked = this_hub(), said(schema.OrderAsk)
    with hub.database.writing() as session:
        made = jobs.order(
            session,
            quote_id=asked.quote,
            maker_id=g.caller.id,
            idempotency_key=asked.key,
            now=clock.now(),
        )
        row = queries.order_by_id(session, made.id)
        answer = shown.order(row)
        sliced = [str(job.id) for job in row.jobs]
    for job_id in sliced:
        hub.queue.soon(worker.slice_job, job_id)
    return answer.to_json(), 201


@bp.get("/orders")
@describes("My orders", gives=schema.Orders, who="account")
@needs(Scope.READ)
def orders() -> ResponseReturnValue:
    """The newest first."""
    with this_hub().database.reading() as session:
        rows = queries.orders_of(session, g.caller.id)
        return schema.Orders(orders=[shown.order(row) for row in rows]).to_json()


@bp.get("/orders/<uuid:order_id>")
@describes("One of my orders", gives=schema.Order, who="account")
@needs(Scope.READ)
def show_order(order_id: UUID) -> ResponseReturnValue:
    """With the states of its jobs."""
    with this_hub().database.reading() as session:
        row = queries.order_by_id(session, order_id)
        if row.maker_id != g.caller.id and not g.caller.operator:
            raise NotFound(f"there is no order {order_id}")
        return shown.order(row).to_json()


@bp.get("/jobs/<uuid:job_id>")
@describes("One job", gives=schema.Job, who="account")
@needs(Scope.READ)
def show(job_id: UUID) -> ResponseReturnValue:
    """For its maker and its workshop: state, runs, and everything that happened."""
    with this_hub().database.reading() as session:
        access.job_roles(session, g.caller, job_id)
        return shown.job(queries.job_story(session, job_id)).to_json()


@bp.post("/jobs/<uuid:job_id>/passed")
@describes("The part is good", gives=schema.Job, who="account")
@needs(Scope.OPERATE)
def passed(job_id: UUID) -> ResponseReturnValue:
    """Said by a person of the workshop who looked at it. What is fetched there is done with this;
    what is carried is done when it was received."""
    return _say(
        job_id,
        ("workshop",),
        lambda session: jobs.passed(session, job_id=job_id, by=g.caller.id, now=clock.now()),
    )


@bp.post("/jobs/<uuid:job_id>/failed")
@describes("The part is not good", takes=schema.FailedAsk, gives=schema.Job, who="account")
@needs(Scope.OPERATE)
def failed(job_id: UUID) -> ResponseReturnValue:
    """Said by a person of the workshop who looked, with the cause and whose fault it was."""
    asked = said(schema.FailedAsk)

    def say(session: Session) -> object:
        now = clock.now()
        jobs.failed(
            session,
            job_id=job_id,
            by=g.caller.id,
            cause=asked.cause,
            job_at_fault=asked.job_at_fault,
            printer_at_fault=asked.printer_at_fault,
            now=now,
        )
        return jobs.retry(session, job_id=job_id, by=g.caller.id, now=now) if asked.again else None

    return _say(job_id, ("workshop",), say)


@bp.post("/jobs/<uuid:job_id>/retry")
@describes("Try a failed job again", gives=schema.Job, who="account")
@needs(Scope.OPERATE)
def retry(job_id: UUID) -> ResponseReturnValue:
    """A person authorises one more try on the same printer."""
    return _say(
        job_id,
        ("workshop",),
        lambda session: jobs.retry(session, job_id=job_id, by=g.caller.id, now=clock.now()),
    )


@bp.post("/jobs/<uuid:job_id>/agree")
@describes("Make it at the quoted price all the same", gives=schema.Job, who="account")
@needs(Scope.OPERATE)
def agree(job_id: UUID) -> ResponseReturnValue:
    """For a job that stopped because its slice needs much more than was quoted."""
    return _say(
        job_id,
        ("workshop",),
        lambda session: jobs.agree(session, job_id=job_id, by=g.caller.id, now=clock.now()),
    )


@bp.post("/jobs/<uuid:job_id>/received")
@describes("The maker has the part", gives=schema.Job, who="account")
@needs(Scope.READ)
def received(job_id: UUID) -> ResponseReturnValue:
    """Said by the maker, or by the workshop that handed it over: the job is settled and done."""

    def say(session: Session) -> object:
        return jobs.received(session, job_id=job_id, by=g.caller.id, now=clock.now())

    return _say(job_id, ("maker", "workshop"), say)


@bp.post("/jobs/<uuid:job_id>/cancel")
@describes("Cancel a job", gives=schema.Job, who="account")
@needs(Scope.READ)
def cancel(job_id: UUID) -> ResponseReturnValue:
    """At once before its printer has the permit; afterwards the printer is told to stop, and the
    job ends when there is evidence of what became of it."""

    def say(session: Session) -> object:
        return jobs.cancel(session, job_id=job_id, by=g.caller.id, now=clock.now())

    return _say(job_id, ("maker", "workshop"), say)


def _say(
    job_id: UUID, roles: tuple[str, ...], say: Callable[[Session], object]
) -> ResponseReturnValue:
    """One verb in one transaction, by somebody who may; the answer is the job afterwards."""
    with this_hub().database.writing() as session:
        has = access.job_roles(session, g.caller, job_id)
        access.need_role(has, *roles)
        require(g.caller, Scope.OPERATE if "workshop" in has else Scope.ORDER)
        say(session)
        session.flush()
        session.expire_all()
        return shown.job(queries.job_story(session, job_id)).to_json()
