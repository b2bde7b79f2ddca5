"""People's accounts, their tokens, links that work once, and mail that is owed. Names live here and
nowhere else; other tables carry ids."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from basis.db import Base, EnumByValue


class AccountRow(Base):
    """A person, or a group that signs in as one; `name` is the owner in its designs' address."""

    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(39), unique=True)
    password_hash: Mapped[str]
    created_at: Mapped[datetime]
    operator: Mapped[bool] = mapped_column(default=False)
    """May do what the hub's operator may: everything but read other people's secrets."""
    display: Mapped[str] = mapped_column(String(80), default="", server_default="")
    """How they want to be called; `name` where it is empty."""
    about: Mapped[str] = mapped_column(Text, default="", server_default="")
    mail: Mapped[str | None] = mapped_column(String(254), index=True, unique=True)
    """Lower case, and only after a link sent there was followed: an address that somebody merely
    typed could be anybody's."""
    language: Mapped[str] = mapped_column(String(8), default="", server_default="")
    """What they are written to in; empty: what they read when they asked."""
    sessions: Mapped[int] = mapped_column(default=0, server_default="0")
    """Grows when they sign out everywhere: a cookie of an older number is nobody's."""
    notices_seen: Mapped[int] = mapped_column(default=0, server_default="0")
    """The newest happening that they marked as read."""
    closed_at: Mapped[datetime | None]


class TokenRow(Base):
    """A key somebody made for a program. Only its sha256 is kept: 32 random bytes need no salt."""

    __tablename__ = "token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(200))
    """Words of `designhub.auth.Scope`, sorted, with a space between."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class FailedSignIn(Base):
    """One failed sign-in, kept for as long as the throttle looks back."""

    __tablename__ = "failed_sign_in"
    __table_args__ = (Index("failed_sign_in_subject_at", "subject", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(120))
    """`name:<account>`, `address:<where from>`, or both as `<account>@<where from>`."""
    at: Mapped[datetime]


class LinkKind(StrEnum):
    """What following a link does."""

    INVITATION = "invitation"  # make an account
    RESET = "reset"  # set a new password
    MAIL = "mail"  # confirm an address


class LinkRow(Base):
    """A link that works once until it ends. Only the sha256 of its secret is kept."""

    __tablename__ = "link"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[LinkKind] = mapped_column(EnumByValue(LinkKind))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"), index=True)
    """Who made the invitation (nobody: the hub's own machine), or whose password or address."""
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    mail: Mapped[str] = mapped_column(String(254), default="", index=True)
    """Where it was sent."""
    note: Mapped[str] = mapped_column(String(80), default="")
    """For whom an invitation was made, in its maker's words."""
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    """When it was followed, or taken back."""
    used_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))


class Letter(StrEnum):
    """What a mail says."""

    RESET = "reset"  # a link to set a new password
    CONFIRM = "confirm"  # a link to confirm the address
    CHANGED = "changed"  # the password was changed


class MailRow(Base):
    """A mail that is owed; gone once it was sent. Its text is made when it is sent, so that no
    link ever stands here."""

    __tablename__ = "mail_out"

    id: Mapped[int] = mapped_column(primary_key=True)
    letter: Mapped[Letter] = mapped_column(EnumByValue(Letter))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    whom: Mapped[str] = mapped_column(String(254))
    """The address; for a reset the name or address that was typed, whether there is one or not."""
    language: Mapped[str] = mapped_column(String(8))
    tries: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[datetime]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    """When to try next; empty once it was given up."""
    fault: Mapped[str] = mapped_column(Text, default="")
