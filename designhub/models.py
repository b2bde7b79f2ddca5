"""People's accounts and their tokens. Names live here and nowhere else; other tables carry ids."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from basis.db import Base


class AccountRow(Base):
    """A person, or a group that signs in as one; `name` is the owner in its designs' address."""

    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(39), unique=True)
    password_hash: Mapped[str]
    created_at: Mapped[datetime]
    operator: Mapped[bool] = mapped_column(default=False)
    """May do what the hub's operator may: everything but read other people's secrets."""


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
