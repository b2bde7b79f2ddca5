"""Links that work once: made, looked at, followed, taken back.

The secret is 32 random bytes, told when the link is made and kept nowhere: the table has its
sha256. A lookup compares digests, so how long it takes tells nothing of a secret.
"""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from basis.errors import NotFound
from designhub.models import LinkKind, LinkRow
from printers.registry import token_digest

KEPT = timedelta(days=30)
"""How long a link that ended stays, so that its maker sees what became of it."""


def make(
    session: Session,
    kind: LinkKind,
    *,
    account_id: UUID | None,
    lasts: timedelta,
    now: datetime,
    mail: str = "",
    note: str = "",
) -> tuple[LinkRow, str]:
    """A new link and its secret, which is returned this once."""
    secret = secrets.token_urlsafe(32)
    row = LinkRow(
        kind=kind,
        account_id=account_id,
        digest=token_digest(secret),
        mail=mail,
        note=note[:80],
        made_at=now,
        expires_at=now + lasts,
    )
    session.add(row)
    session.flush()
    return row, secret


def look(session: Session, kind: LinkKind, secret: str, *, now: datetime) -> LinkRow | None:
    """The link behind a secret while it works; following it is another act."""
    return session.scalar(
        select(LinkRow).where(
            LinkRow.digest == token_digest(secret[:200]),
            LinkRow.kind == kind,
            LinkRow.used_at.is_(None),
            LinkRow.expires_at > now,
        )
    )


def follow(session: Session, kind: LinkKind, secret: str, *, now: datetime) -> LinkRow:
    """Use a link up. Of two who follow it in the same moment one gets it.

    Raises NotFound when it is unknown, used, taken back or over; which of these is not said.
    """
    row: LinkRow | None = session.scalar(
        update(LinkRow)
        .where(
            LinkRow.digest == token_digest(secret[:200]),
            LinkRow.kind == kind,
            LinkRow.used_at.is_(None),
            LinkRow.expires_at > now,
        )
        .values(used_at=now)
        .returning(LinkRow)
    )
    if row is None:
        raise NotFound("this link works no more: it was used, or its time is over; ask for another")
    return row


def take_back(session: Session, account_id: UUID, *kinds: LinkKind, now: datetime) -> None:
    """End all open links of these kinds that an account has."""
    session.execute(
        update(LinkRow)
        .where(LinkRow.account_id == account_id, LinkRow.kind.in_(kinds), LinkRow.used_at.is_(None))
        .values(used_at=now)
    )


def sent_since(session: Session, mail: str, moment: datetime) -> int:
    """How many links were sent to an address since a moment."""
    asked = select(func.count()).where(LinkRow.mail == mail, LinkRow.made_at > moment)
    return session.scalar(asked) or 0


def forget(session: Session, *, now: datetime) -> None:
    """Remove links that ended long ago, and the addresses in them."""
    session.execute(delete(LinkRow).where(LinkRow.expires_at < now - KEPT))
