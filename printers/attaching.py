"""Writing down which printers the hub tends itself: wishes from the page, and how they went.

Only the process of `designhub.attached` connects to a printer; what passes between it and the page
stands in `AttachedRow`. The key is sealed on its way through.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from basis.errors import Conflict, Invalid, NotFound
from printers import registry
from printers.addresses import checked_url
from printers.models import AgentRow, AttachedRow, Attaching, PrinterRow

NAME = "attached to the hub"
"""What the hub's own agent of a workshop is called."""

MOST_URL = 300
MOST_KEY = 200
MOST_WORDS = 500


def sealed(key: str, *, secret: str) -> str:
    """A key as it is kept: only who has the hub's secret can use it."""
    return _box(secret).encrypt(key.encode()).decode()


def opened(text: str, *, secret: str) -> str:
    """The key again. Raises Invalid when the hub's secret is another by now."""
    try:
        return _box(secret).decrypt(text.encode()).decode()
    except InvalidToken as exc:
        raise Invalid("its key was sealed with another secret of this hub: attach it anew") from exc


def _box(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"attached:{secret}".encode()).digest()))


def ask(
    session: Session,
    *,
    printer: PrinterRow,
    url: str,
    sealed_key: str,
    by: UUID,
    now: datetime,
) -> AttachedRow:
    """Wish that the hub tends a printer. Saying it anew begins anew.

    sealed_key : "" when OctoPrint's owner shall be asked for one.

    Raises Invalid for what is no address of an OctoPrint, Conflict for one that another printer
    has: two printers of one machine would print onto one bed.
    """
    if len(url) > MOST_URL:
        raise Invalid(f"an address has at most {MOST_URL} characters")
    address = checked_url(url.strip())
    same = (
        select(PrinterRow.name)
        .join(AttachedRow, AttachedRow.printer_id == PrinterRow.id)
        .where(AttachedRow.url == address, AttachedRow.printer_id != printer.id)
    )
    if (name := session.scalar(same.limit(1))) is not None:
        raise Conflict(f"that OctoPrint is the printer {name!r} already: each needs its own")
    row = session.get(AttachedRow, printer.id)
    if row is None:
        row = AttachedRow(printer_id=printer.id)
        session.add(row)
    row.url, row.sealed_key, row.asked_by, row.asked_at = address, sealed_key, by, now
    row.state, row.dialogue, row.trouble = Attaching.ASKED, "", ""
    session.flush()
    registry.noted(
        session, printer_id=printer.id, by=by, what="attached.asked", now=now, note=address
    )
    return row


def waiting(row: AttachedRow, *, dialogue: str) -> None:
    """Its owner was asked for a key, on this page of OctoPrint."""
    row.state, row.dialogue, row.trouble = Attaching.WAITING, dialogue[:500], ""


def troubled(row: AttachedRow, why: str) -> None:
    """It cannot be attached; a person reads why."""
    row.state, row.dialogue, row.trouble = Attaching.TROUBLE, "", why[:MOST_WORDS]


def attach(
    session: Session, row: AttachedRow, *, sealed_key: str, secret: str, now: datetime
) -> AgentRow:
    """The hub's own agent speaks for it from now on, in place of any other."""
    printer = session.get_one(PrinterRow, row.printer_id)
    token = token_of(session, printer.workshop_id, secret=secret)
    agent = session.scalar(select(AgentRow).where(AgentRow.digest == registry.token_digest(token)))
    if agent is None:
        agent, _ = registry.enrol_agent(
            session,
            workshop_id=printer.workshop_id,
            name=NAME,
            printers=[printer.id],
            now=now,
            token=token,
        )
    printer.agent_id = agent.id
    row.state, row.sealed_key, row.dialogue, row.trouble = Attaching.ATTACHED, sealed_key, "", ""
    session.flush()
    registry.occupied(session, printer_id=printer.id, now=now)  # nobody has watched it until now
    return agent


def token_of(session: Session, workshop_id: UUID, *, secret: str) -> str:
    """The token of the hub's own agent for a workshop; another one after each that was revoked."""
    ended = select(func.count()).where(
        AgentRow.workshop_id == workshop_id,
        AgentRow.name == NAME,
        AgentRow.revoked_at.is_not(None),
    )
    said = f"attached:{workshop_id}:{session.scalar(ended) or 0}"
    digest = hmac.digest(secret.encode(), said.encode(), hashlib.sha256)
    return registry.AGENT_TOKEN + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def detach(session: Session, *, printer_id: UUID, by: UUID, now: datetime) -> None:
    """The hub tends it no more, and forgets its key; harmless to repeat."""
    row = session.get(AttachedRow, printer_id)
    if row is None:
        return
    printer = session.get_one(PrinterRow, printer_id)
    agent = None if printer.agent_id is None else session.get(AgentRow, printer.agent_id)
    if agent is not None and agent.name == NAME:
        printer.agent_id = None
    session.delete(row)
    session.flush()
    registry.noted(session, printer_id=printer_id, by=by, what="detached", now=now)


def all_rows(session: Session) -> list[tuple[AttachedRow, PrinterRow]]:
    """Every wish and what came of it, with the printer."""
    found = session.execute(
        select(AttachedRow, PrinterRow)
        .join(PrinterRow, PrinterRow.id == AttachedRow.printer_id)
        .order_by(AttachedRow.asked_at)
    )
    return [(row[0], row[1]) for row in found]


def of_workshop(session: Session, workshop_id: UUID) -> dict[UUID, AttachedRow]:
    """Those of one workshop, by printer."""
    found = session.scalars(
        select(AttachedRow)
        .join(PrinterRow, PrinterRow.id == AttachedRow.printer_id)
        .where(PrinterRow.workshop_id == workshop_id)
    )
    return {row.printer_id: row for row in found}


def one(session: Session, printer_id: UUID) -> AttachedRow:
    """The wish for a printer. Raises NotFound."""
    row = session.get(AttachedRow, printer_id)
    if row is None:
        raise NotFound(f"printer {printer_id} is not attached to this hub")
    return row
