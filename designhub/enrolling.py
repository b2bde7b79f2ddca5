"""Enrolling agents by a short code: what people read off a page, and what an agent gets for it."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.orm import Session

from basis import clock
from designhub import auth
from designhub.hub import Hub, secret_key
from printers import enrolment, queries
from printers.enrolment import CodeRefused
from printers.models import EnrolmentRow, WorkshopRow
from printers.protocol import AgentKind, EnrolAsk, Enrolled, PrinterName


def offer(
    hub: Hub,
    session: Session,
    *,
    workshop_id: UUID,
    printers: Iterable[UUID],
    kind: AgentKind = AgentKind.AGENT,
) -> tuple[EnrolmentRow, str]:
    """A new code for printers of one workshop, and its text, which is kept nowhere."""
    code = enrolment.new_code()
    row = enrolment.offer_code(
        session,
        workshop_id=workshop_id,
        printers=printers,
        kind=kind,
        digest=enrolment.code_digest(code, secret=secret_key(hub.settings)),
        now=clock.now(),
    )
    return row, code


def enrol(hub: Hub, asked: EnrolAsk, *, address: str) -> Enrolled:
    """The agent that a code makes. Raises CodeRefused, and TooMany after too many wrong codes from
    one address."""
    now, subjects = clock.now(), [f"enrol@{address[:50]}"]
    auth.check_throttle(hub, subjects, now=now)
    digest = enrolment.code_digest(asked.code[:40], secret=secret_key(hub.settings))
    token = asked.token or enrolment.new_token()
    try:
        with hub.database.writing() as session:
            agent = enrolment.use_code(
                session, digest=digest, token=token, now=now, kind=asked.kind
            )
            rows = queries.printers_of(session, agent.id)
            workshop = session.get_one(WorkshopRow, agent.workshop_id)
    except CodeRefused:
        auth.note_failure(hub, subjects, now=now)
        raise
    return Enrolled(
        agent=agent.id,
        name=agent.name,
        token=token,
        workshop=workshop.title,
        printers=[PrinterName(printer=row.id, name=row.name) for row in rows],
        hub_key=hub.keys.current(),
    )
