"""Enrolling an agent by a short code that a person reads off a page and types on a board.

A code is good once and for minutes. The agent makes its token up itself and keeps it *before* it
shows the code: whoever is cut off in between says both again and is known, and a code that
somebody saw later makes nothing any more. Only a keyed hash of the code is stored.

A code is for an agent or for a plugin, as the person chose who made it: people speak through a
plugin, so a program beside a printer must not become one by saying so.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from basis.errors import Invalid, NotAllowed, NotFound
from printers import registry
from printers.models import AgentRow, EnrolmentRow
from printers.protocol import AgentKind

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without what looks like another character: 0 and O, 1 and I and L, U and V."""

CODE_CHARS = 8
GOOD_S = 900
TOKEN = re.compile(rf"{registry.AGENT_TOKEN}[A-Za-z0-9_-]{{40,80}}")
MOST_PRINTERS = 64

MADE_FOR = {
    AgentKind.AGENT: "the agent beside OctoPrint",
    AgentKind.PLUGIN: "the plugin inside OctoPrint",
}


class CodeRefused(NotFound):
    """The code is not one of this hub's, was used already, or is over: make a new one on the
    workshop's page, *Connect a printer*."""

    code = "code_refused"


def new_code() -> str:
    """`K7QF-M2XD`: 39 bits, enough for minutes and a handful of tries."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))
    return f"{text[:4]}-{text[4:]}"


def new_token() -> str:
    """A token that an agent makes up for itself."""
    return registry.AGENT_TOKEN + secrets.token_urlsafe(32)


def code_digest(code: str, *, secret: str) -> str:
    """What is kept of a code. Typed with or without its dash, in any case.

    secret : the hub's own, for a hash of 39 bits without it is found again within the hour.
    """
    said = "".join(each for each in code.upper() if each.isalnum())
    return hmac.digest(secret.encode(), f"enrol:{said}".encode(), hashlib.sha256).hex()


def offer_code(
    session: Session,
    *,
    workshop_id: UUID,
    printers: Iterable[UUID],
    digest: str,
    now: datetime,
    kind: AgentKind = AgentKind.AGENT,
) -> EnrolmentRow:
    """Keep a code for some printers of a workshop. Raises Invalid for none, or too many."""
    ids = [str(each) for each in printers]
    if not 1 <= len(ids) <= MOST_PRINTERS:
        raise Invalid(f"choose 1 to {MOST_PRINTERS} printers that the agent stands beside")
    if kind is AgentKind.PLUGIN and len(ids) != 1:
        raise Invalid("a plugin speaks for its own OctoPrint: choose that printer alone")
    row = EnrolmentRow(
        workshop_id=workshop_id,
        digest=digest,
        kind=kind,
        printers=ids,
        created_at=now,
        expires_at=now + timedelta(seconds=GOOD_S),
    )
    session.add(row)
    session.flush()
    return row


def use_code(
    session: Session,
    *,
    digest: str,
    token: str,
    now: datetime,
    kind: AgentKind = AgentKind.AGENT,
) -> AgentRow:
    """The agent that a code makes, known by `token` from now on.

    Saying the same code and token again gives the same agent. Raises CodeRefused, Invalid for what
    is no token, and for a code that was made for the other `kind`: it stays good.
    """
    if not TOKEN.fullmatch(token):
        raise Invalid(f"a token is {registry.AGENT_TOKEN} and 40 to 80 of A-Z a-z 0-9 _ -")
    row = session.scalar(
        select(EnrolmentRow)
        .where(EnrolmentRow.digest == digest)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise CodeRefused("no such code: look for a typing mistake, or make a new one")
    if row.agent_id is not None:
        return _again(session, row.agent_id, token)
    if row.expires_at <= now:
        raise CodeRefused("this code is over: make a new one on the workshop's page")
    if kind is not row.kind:
        raise Invalid(f"this code is for {MADE_FOR[row.kind]}: make one for {MADE_FOR[kind]}")
    agent, _ = registry.enrol_agent(
        session,
        workshop_id=row.workshop_id,
        name=f"{kind.value} of {now:%Y-%m-%d}",
        printers=[UUID(each) for each in row.printers],
        now=now,
        token=token,
        kind=kind,
    )
    used = session.execute(
        update(EnrolmentRow)
        .where(EnrolmentRow.id == row.id, EnrolmentRow.agent_id.is_(None))
        .values(agent_id=agent.id)
        .returning(EnrolmentRow.id)
    )
    if used.scalar() is None:  # two boards in the same moment: only one agent may stay
        raise CodeRefused("this code was used a moment ago: make a new one")
    return agent


def _again(session: Session, agent_id: UUID, token: str) -> AgentRow:
    agent = session.get_one(AgentRow, agent_id)
    if not hmac.compare_digest(agent.digest, registry.token_digest(token)):
        raise CodeRefused("this code was used already: make a new one on the workshop's page")
    if agent.revoked_at is not None:
        raise NotAllowed("this agent was revoked: enrol again with a new code")
    return agent
