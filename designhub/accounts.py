"""What becomes of an account: signing up, invitations, passwords, address, profile, closing.

Each verb takes an open transaction and never commits. Mail is only owed here (`designhub.mail`);
whoever calls puts the ids in `Owed` into the queue after the commit.
"""

import unicodedata
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from basis.errors import Conflict, Invalid, NotAllowed, NotFound, NotYours
from basis.settings import Settings
from designhub import auth, links, mail
from designhub.hub import Hub
from designhub.language import LANGUAGES
from designhub.models import AccountRow, Letter, LinkKind, LinkRow, TokenRow
from printers import queries as printers
from printers import registry
from router import queries as jobs
from router import quoting

SIGN_UPS = 4
"""As many times the limit of failed sign-ins: 40 in five minutes, unless set otherwise."""

MOST_DISPLAY, MOST_ABOUT = 80, 2_000
MOST_INVITATIONS = 200
"""Shown on one page, the newest; older ones are long over."""

NOBODYS_PASSWORD = "!"  # noqa: S105 - no password has this for its hash


class Uninvited(NotYours):
    """Registration asks for an invitation, and there is none that works."""


class StillAtWork(NotAllowed):
    """Something is still owed to or by this account."""


# Signing up.


def count_sign_up(hub: Hub, *, by: str, mail: bool, now: datetime) -> None:
    """Note that a client asks for an account, and perhaps for a mail. A class that signs up behind
    one address is let in; a program that makes accounts, or fills the boxes of strangers, is not.
    Raises TooMany."""
    auth.count_try(hub, "sign-up", by=by, now=now, times=SIGN_UPS)
    if mail:
        auth.count_try(hub, "mail", by=by, now=now)


def sign_up(
    session: Session,
    settings: Settings,
    *,
    name: str,
    password: str,
    invitation: str = "",
    now: datetime,
) -> AccountRow:
    """Make an account as far as registration allows. An invitation is used up by it.

    Raises Uninvited or NotYours when it does not, and what `auth.create_account` raises.
    """
    whom = settings.operator_contact or "this hub's operator"
    if settings.registration == "closed":
        raise NotYours(f"accounts are made by the operator: ask {whom} for one")
    if settings.registration == "open":
        return auth.create_account(session, name=name, password=password, now=now)
    try:
        link = links.follow(session, LinkKind.INVITATION, invitation, now=now)
    except NotFound as exc:
        raise Uninvited(f"an invitation that still works is needed: ask {whom} for one") from exc
    row = auth.create_account(session, name=name, password=password, now=now)
    link.used_by = row.id
    return row


def invite(
    session: Session, settings: Settings, *, by: UUID | None, note: str, days: int, now: datetime
) -> tuple[LinkRow, str]:
    """A link for one new account, and its secret. Raises NotAllowed where registration takes none.

    by : the operator who made it; nobody when it was made by command.
    """
    if settings.registration != "invitation":
        raise NotAllowed(
            f"registration is {settings.registration}, so nobody needs an invitation:"
            " DESIGNHUB_REGISTRATION=invitation asks for one"
        )
    lasts = timedelta(days=max(1, min(days, 90)))
    return links.make(
        session,
        LinkKind.INVITATION,
        account_id=by,
        lasts=lasts,
        note=plain_text(note, most=80),
        now=now,
    )


def invitations(session: Session) -> list[tuple[LinkRow, str | None]]:
    """Invitations, the newest first, each with the name of who used it."""
    rows = session.execute(
        select(LinkRow, AccountRow.name)
        .outerjoin(AccountRow, AccountRow.id == LinkRow.used_by)
        .where(LinkRow.kind == LinkKind.INVITATION)
        .order_by(LinkRow.made_at.desc(), LinkRow.id)
        .limit(MOST_INVITATIONS)
    )
    return [(row[0], row[1]) for row in rows]


def take_back_invitation(session: Session, link_id: UUID, *, now: datetime) -> None:
    """Let an invitation work no more; one that was used stays used."""
    session.execute(
        update(LinkRow)
        .where(
            LinkRow.id == link_id,
            LinkRow.kind == LinkKind.INVITATION,
            LinkRow.used_at.is_(None),
        )
        .values(used_at=now)
    )


# Passwords and sessions.


def change_password(session: Session, account_id: UUID, new: str, *, now: datetime) -> int | None:
    """Set another password: every session ends, every link to reset it too; tokens stay.

    Gives the mail that is owed about it, if there is an address. Raises BadPassword.
    """
    row = session.get_one(AccountRow, account_id)
    row.password_hash = auth.password_hash(new)
    row.sessions += 1
    links.take_back(session, row.id, LinkKind.RESET, now=now)
    if row.mail is None:
        return None
    return mail.owe(session, Letter.CHANGED, whom=row.mail, account=row, now=now)


def reset(session: Session, secret: str, new: str, *, now: datetime) -> int | None:
    """Set the password of whoever was sent this link. Raises NotFound, BadPassword."""
    link = links.follow(session, LinkKind.RESET, secret, now=now)
    if link.account_id is None:
        raise NotFound("this link belongs to nobody")
    return change_password(session, link.account_id, new, now=now)


def end_sessions(session: Session, account_id: UUID) -> None:
    """Sign somebody out everywhere."""
    session.execute(
        update(AccountRow)
        .where(AccountRow.id == account_id)
        .values(sessions=AccountRow.sessions + 1)
    )


# Profile and address.


def describe(
    session: Session, account_id: UUID, *, display: str, about: str, language: str
) -> AccountRow:
    """Keep what somebody says of themselves, as plain text. Raises Invalid."""
    row = session.get_one(AccountRow, account_id)
    if len(display) > MOST_DISPLAY:
        raise Invalid(f"a shown name has at most {MOST_DISPLAY} characters")
    if len(about) > MOST_ABOUT:
        raise Invalid(f"a text about somebody has at most {MOST_ABOUT:,} characters")
    row.display = plain_text(display, most=MOST_DISPLAY)
    row.about = plain_text(about, most=MOST_ABOUT, lines=True)
    row.language = language if language in LANGUAGES else ""
    return row


def ask_mail(session: Session, account_id: UUID, address: str, *, now: datetime) -> int:
    """Owe a link to an address, which is the account's once it is followed. Raises BadAddress."""
    row = session.get_one(AccountRow, account_id)
    whom = mail.address(address)
    links.take_back(session, row.id, LinkKind.MAIL, now=now)
    return mail.owe(session, Letter.CONFIRM, whom=whom, account=row, now=now)


def confirm_mail(session: Session, secret: str, *, now: datetime) -> AccountRow:
    """Somebody followed the link: the address is theirs. Raises NotFound, Conflict."""
    link = links.follow(session, LinkKind.MAIL, secret, now=now)
    row = None if link.account_id is None else session.get(AccountRow, link.account_id)
    if row is None or row.closed_at is not None:
        raise NotFound("this link belongs to nobody")
    row.mail = link.mail
    try:
        session.flush()
    except IntegrityError as exc:
        raise Conflict("this address belongs to another account here") from exc
    return row


def forget_mail(session: Session, account_id: UUID, *, now: datetime) -> None:
    """Keep no address of somebody any more."""
    session.get_one(AccountRow, account_id).mail = None
    links.take_back(session, account_id, LinkKind.MAIL, LinkKind.RESET, now=now)


# The end.


def close(session: Session, account_id: UUID, *, now: datetime) -> None:
    """Let nobody sign in as this account any more, and its printers take nothing new. Its designs,
    its workshops and its name stay: orders and the book name them.

    Raises StillAtWork while a job of it is open.
    """
    row = session.get_one(AccountRow, account_id)
    if open_jobs := jobs.unfinished_of(session, account_id):
        raise StillAtWork(f"{open_jobs} jobs of yours are open: end them first")
    for workshop in printers.workshops(session, owner_id=account_id):
        registry.close_workshop(session, workshop, now=now)
    row.password_hash, row.closed_at, row.operator = NOBODYS_PASSWORD, now, False
    row.sessions += 1
    row.mail, row.display, row.about = None, "", ""
    quoting.forget_places(session, maker_id=account_id)
    session.execute(
        update(TokenRow)
        .where(TokenRow.account_id == account_id, TokenRow.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    links.take_back(session, account_id, *LinkKind, now=now)


def reopen(session: Session, account_id: UUID) -> None:
    """Let somebody sign in again whose account was closed; they have a new password already."""
    session.get_one(AccountRow, account_id).closed_at = None


def plain_text(text: str, *, most: int, lines: bool = False) -> str:
    """What somebody typed, without the characters that nobody sees: some turn other text round."""
    kept = (
        letter
        for letter in text.replace("\r\n", "\n")
        if (lines and letter == "\n") or unicodedata.category(letter)[0] != "C"
    )
    return "".join(kept).strip()[:most]
