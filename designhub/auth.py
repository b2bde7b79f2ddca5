"""Who is asking, and what they may do: passwords, tokens with scopes, sessions, throttling.

Programs say a token (`Authorization: Bearer …`, or as the password of HTTP Basic, as git does);
people sign in with a password and keep a signed cookie. The API takes no cookie, so no foreign page
can speak for somebody; forms carry a CSRF token. Everything is refused that a scope does not name.
"""

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import wraps
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import ParamSpec, TypeVar
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Request, g, request
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from basis import clock
from basis.db import Database
from basis.errors import Conflict, Invalid, NotFound, NotSignedIn, NotYours, TooMany
from designhub.hub import Hub, this_hub
from designhub.models import AccountRow, FailedSignIn, TokenRow
from printers.queries import KnownAgent, agent_by_digest
from printers.registry import AGENT_TOKEN, token_digest

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])?")
_RESERVED = """
    about account accounts admin agents api assets atom book commons confirm council designs
    docs downloads enrol entries events explore favicon feed fund git glossary healthz help home
    hub invitations jobs language languages licence licences license login logout make map me
    metrics new notices oauth operator orders parts passport passports people pictures places
    printers privacy quotes readyz reset robots root search security session settings shares
    sign-in sign-out sign-up static status style support system terms tokens upload users
    versions workshop workshops www
"""
RESERVED = frozenset(_RESERVED.split())
"""Words of our own addresses: nobody's name, or their designs would hide a page."""

ACCOUNT_TOKEN = "dht_"  # noqa: S105 - the visible beginning of every account's token
PASSWORD_CHARACTERS = (10, 200)
REMEMBERED_S = 60.0
MOST_TOKENS = 500
"""Of one account, in a list."""

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class BadName(Invalid):
    """This cannot be the name of an account."""


class ReservedName(Invalid):
    """This name is a word of the hub's own addresses."""


class BadPassword(Invalid):
    """A password is too short or too long."""


class NameTaken(Conflict):
    """Somebody else has this name."""


class Scope(StrEnum):
    """What a token may do; a password may do all."""

    READ = "read"  # see one's own private things; every token may
    PUSH = "push"  # push designs, create and change them
    ORDER = "order"  # ask for quotes, order, cancel, receive
    OPERATE = "operate"  # workshops, printers, beds, verdicts


ALL = frozenset(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A signed-in person, or a program with their token."""

    id: UUID
    name: str
    operator: bool
    scopes: frozenset[Scope]


# Accounts and tokens.


def create_account(
    session: Session, *, name: str, password: str, operator: bool = False, now: datetime
) -> AccountRow:
    """Make an account. Raises Invalid for the name or password, Conflict when the name is taken."""
    if not NAME.fullmatch(name):
        raise BadName(f"{name[:60]!r} cannot be a name: a-z, 0-9 and - inside, at most 39")
    if name in RESERVED:
        raise ReservedName(f"{name!r} is a word of the hub's own addresses; choose another name")
    if session.scalar(select(AccountRow.id).where(AccountRow.name == name)) is not None:
        raise NameTaken(f"{name!r} is taken; choose another name")
    row = AccountRow(
        name=name, password_hash=password_hash(password), operator=operator, created_at=now
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as exc:  # in the same moment
        raise NameTaken(f"{name!r} is taken; choose another name") from exc
    return row


def password_hash(password: str) -> str:
    """What is kept of a new password. Raises BadPassword."""
    least, most = PASSWORD_CHARACTERS
    if not least <= len(password) <= most:
        raise BadPassword(f"a password has {least} to {most} characters")
    return _hasher.hash(_bytes(password))


def create_token(
    session: Session,
    *,
    account_id: UUID,
    name: str,
    scopes: Iterable[Scope],
    now: datetime,
    days: int | None = None,
) -> tuple[TokenRow, str]:
    """Make a token; its text is returned this once and kept nowhere."""
    text = ACCOUNT_TOKEN + secrets.token_urlsafe(32)
    row = TokenRow(
        account_id=account_id,
        name=name[:80],
        digest=token_digest(text),
        scopes=" ".join(sorted({Scope.READ, *scopes})),
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    session.add(row)
    session.flush()
    return row, text


def tokens_of(session: Session, account_id: UUID) -> list[TokenRow]:
    """An account's tokens that were not revoked, the newest first."""
    return list(
        session.scalars(
            select(TokenRow)
            .where(TokenRow.account_id == account_id, TokenRow.revoked_at.is_(None))
            .order_by(TokenRow.created_at.desc())
            .limit(MOST_TOKENS)
        )
    )


def revoke_token(session: Session, *, account_id: UUID, token_id: UUID, now: datetime) -> None:
    """Let a token work no more. Saying it twice is harmless. Raises NotFound for another's."""
    found = session.scalar(
        update(TokenRow)
        .where(TokenRow.id == token_id, TokenRow.account_id == account_id)
        .values(revoked_at=func.coalesce(TokenRow.revoked_at, now))
        .returning(TokenRow.id)
    )
    if found is None:
        raise NotFound(f"you have no token {token_id}")


def sign_in(hub: Hub, *, name: str, password: str, address: str) -> Caller:
    """The account behind a name and password.

    Raises NotSignedIn without saying which of the two was wrong, TooMany after too many failures
    of one name or from one address.
    """
    row = _account(hub, name)
    stored = _NOBODY if row is None else row.password_hash
    if row is None or not _remembered.has(row, password):
        now, who = clock.now(), name if NAME.fullmatch(name) else "?"
        subjects = [f"name:{who}", f"address:{address[:50]}", f"{who}@{address[:50]}"]
        check_throttle(hub, subjects, now=now)
        if not _password_is_right(stored, password) or row is None:
            note_failure(hub, subjects, now=now)
            raise NotSignedIn("the name or the password is wrong")
        _remembered.put(row, password)
    return Caller(id=row.id, name=row.name, operator=row.operator, scopes=ALL)


def _account(hub: Hub, name: str) -> AccountRow | None:
    """The account of this name. What can be no name is not asked for: it may hold characters that
    a database refuses."""
    if not NAME.fullmatch(name):
        return None
    with hub.database.reading() as session:
        return session.scalar(select(AccountRow).where(AccountRow.name == name))


def token_caller(database: Database, text: str) -> Caller:
    """The account behind a token. Raises NotSignedIn when it is unknown, over or revoked."""
    now = clock.now()
    with database.reading() as session:
        found = session.execute(
            select(TokenRow, AccountRow)
            .join(AccountRow, AccountRow.id == TokenRow.account_id)
            .where(TokenRow.digest == token_digest(text), TokenRow.revoked_at.is_(None))
        ).first()
    if found is None:
        raise NotSignedIn("this token is unknown or was revoked; make a new one")
    token, owner = found[0], found[1]
    if token.expires_at is not None and token.expires_at < now:
        raise NotSignedIn(f"this token ended on {token.expires_at:%Y-%m-%d}; make a new one")
    if token.last_used_at is None or token.last_used_at < now - timedelta(minutes=5):
        with database.writing() as session:
            session.execute(
                update(TokenRow).where(TokenRow.id == token.id).values(last_used_at=now)
            )
    scopes = frozenset(Scope(word) for word in token.scopes.split())
    return Caller(id=owner.id, name=owner.name, operator=owner.operator, scopes=scopes)


# The request under way.


def caller_of(asked: Request) -> Caller | None:
    """Who asks by the Authorization header: nobody, or a person or their program.

    Raises NotSignedIn for wrong credentials: they are never taken for nobody.
    """
    given = asked.authorization
    if given is None:
        if asked.headers.get("Authorization"):
            raise NotSignedIn("the Authorization header is neither Bearer nor Basic")
        return None
    hub = this_hub()
    if given.type == "bearer" and given.token:
        return token_caller(hub.database, given.token)
    if given.type == "basic" and given.username is not None:
        password = given.password or ""
        if password.startswith(ACCOUNT_TOKEN):
            return token_caller(hub.database, password)
        address = whence(asked.remote_addr)
        return sign_in(hub, name=given.username, password=password, address=address)
    raise NotSignedIn("say a token as Bearer, or a name and password as Basic")


def needs(scope: Scope) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """Let a view run only for a signed-in caller with `scope`; the caller is `g.caller`."""

    def decorate(view: Callable[Given, Answer]) -> Callable[Given, Answer]:
        @wraps(view)
        def guarded(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
            caller = caller_of(request)
            if caller is None:
                raise NotSignedIn("sign in, or say a token in the Authorization header")
            require(caller, scope)
            g.caller = caller
            return view(*args, **kwargs)

        guarded.__dict__["scope"] = scope  # for the description of the API
        return guarded

    return decorate


def require(caller: Caller, scope: Scope) -> None:
    """Raises NotYours when the caller's token lacks a scope."""
    if scope not in caller.scopes:
        raise NotYours(f"this token may not {scope}; make one with that scope")


def optional_caller() -> Caller | None:
    """The caller of a view that anybody may see."""
    caller = caller_of(request)
    g.caller = caller
    return caller


def agent_only(view: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Let a view run only for an agent's token; the agent is `g.agent`."""

    @wraps(view)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        g.agent = agent_of(request)
        return view(*args, **kwargs)

    return guarded


def agent_of(asked: Request) -> KnownAgent:
    """The agent whose token came with the request. Raises NotSignedIn."""
    given = asked.authorization
    token = given.token if given is not None and given.type == "bearer" else None
    if not token or not token.startswith(AGENT_TOKEN):
        raise NotSignedIn("an agent's token is needed: enrol the printer again to get one")
    with this_hub().database.reading() as session:
        agent = agent_by_digest(session, token_digest(token))
    if agent is None:
        raise NotSignedIn("this agent's token is unknown or was revoked: enrol it again")
    return agent


# Passwords.

_hasher = PasswordHasher()
_NOBODY = _hasher.hash(secrets.token_hex(16))
"""Checked when a name is unknown, so that the answer takes as long as for a known one."""


def _bytes(password: str) -> bytes:
    """JSON may hold half a character, which plain UTF-8 refuses."""
    return password.encode("utf-8", "surrogatepass")


def _password_is_right(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, _bytes(password[: PASSWORD_CHARACTERS[1]]))
    except (VerificationError, InvalidHashError):
        return False


class _Remembered:
    """Passwords found right a moment ago: one push asks three times, and Argon2id is slow by
    intent. Only a keyed hash is kept, under a key that dies with the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._until: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def has(self, row: AccountRow, password: str) -> bool:
        """Whether this was the account's password a moment ago, and the account has no new one."""
        with self._lock:
            return time.monotonic() < self._until.get(self._name(row, password), 0.0)

    def put(self, row: AccountRow, password: str) -> None:
        with self._lock:
            if len(self._until) > 1_000:
                self._until.clear()
            self._until[self._name(row, password)] = time.monotonic() + REMEMBERED_S

    def _name(self, row: AccountRow, password: str) -> bytes:
        said = f"{row.id}:{len(row.password_hash)}:{row.password_hash}:{password}"
        return hmac.digest(self._key, said.encode("utf-8", "surrogatepass"), hashlib.sha256)


_remembered = _Remembered()


def whence(address: str | None) -> str:
    """The client behind an address, as limits count it: of IPv6 its /64, for whoever has one
    address of it has them all."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((found.packed[:8] + bytes(8), 64)))


def count_try(hub: Hub, what: str, *, by: str, now: datetime, times: int = 1) -> None:
    """Note that something was asked for that one client, or one account, may ask for only so
    often, such as mail: `times` as often as sign-ins may fail.

    Raises TooMany instead when it was asked for as often already. Two in the same moment do not
    both get the last: the one transaction counts and notes.
    """
    settings = hub.settings
    subject, since = f"{what}@{by[:50]}", now - timedelta(seconds=settings.sign_in_window_s)
    with hub.database.writing() as session:
        session.execute(delete(FailedSignIn).where(FailedSignIn.at < since))
        asked = select(func.count()).where(FailedSignIn.subject == subject, FailedSignIn.at > since)
        if (session.scalar(asked) or 0) < settings.sign_in_tries * times:
            session.add(FailedSignIn(subject=subject, at=now))
            return
    raise TooMany("asked too often; wait a little", again_s=settings.sign_in_window_s)


def check_throttle(hub: Hub, subjects: list[str], *, now: datetime) -> None:
    """Raises TooMany when one of the subjects failed too often lately."""
    settings = hub.settings
    since = now - timedelta(seconds=settings.sign_in_window_s)
    with hub.database.reading() as session:
        counted = session.execute(
            select(FailedSignIn.subject, func.count())
            .where(FailedSignIn.subject.in_(subjects), FailedSignIn.at > since)
            .group_by(FailedSignIn.subject)
        ).all()
    # A name alone is stopped late, or anybody could lock somebody out from elsewhere.
    most = settings.sign_in_tries
    if any(tries >= (most * 10 if who.startswith("name:") else most) for who, tries in counted):
        raise TooMany("too many tries; wait a little", again_s=settings.sign_in_window_s)


def note_failure(hub: Hub, subjects: list[str], *, now: datetime) -> None:
    """Count a failed try against each subject."""
    since = now - timedelta(seconds=hub.settings.sign_in_window_s)
    with hub.database.writing() as session:
        session.execute(delete(FailedSignIn).where(FailedSignIn.at < since))
        session.add_all(FailedSignIn(subject=subject, at=now) for subject in subjects)
