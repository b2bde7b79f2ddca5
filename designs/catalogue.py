"""Making, changing and removing designs, and the words that find them."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from basis.errors import Conflict, Invalid, NotAllowed
from designs.models import DesignRow, Visibility, WordRow

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,78}[a-z0-9])?")
WORD = re.compile(r"[^\W_]{2,60}")
MOST_WORDS = 400
RESTORE_DAYS = 30
"""How long a removed design can be brought back; its address stays taken for ever."""
TITLE_WEIGHT, TEXT_WEIGHT, README_WEIGHT = 100, 10, 1


def create(
    session: Session,
    *,
    owner_id: UUID,
    slug: str,
    title: str,
    description: str,
    visibility: Visibility,
    now: datetime,
) -> DesignRow:
    """Make an empty design; its repository is made by `designs.store` under its number.

    Raises Invalid for the name, Conflict when the owner has one of that name.
    """
    if not SLUG.fullmatch(slug) or slug.endswith(".git") or ".." in slug:
        raise Invalid(
            f"{slug[:90]!r} cannot name a design: a-z, 0-9, and - _ . inside, at most 80, not"
            " ending in .git"
        )
    known = session.scalar(
        select(DesignRow).where(DesignRow.owner_id == owner_id, DesignRow.slug == slug)
    )
    if known is not None:
        where = "in the bin: restore it, or choose another name"
        raise Conflict(
            f"you have a design {slug!r} already" + (f", {where}" if known.deleted_at else "")
        )
    row = DesignRow(
        owner_id=owner_id,
        slug=slug,
        title=title.strip()[:200] or slug,
        description=description.strip()[:4_000],
        visibility=visibility,
        created_at=now,
    )
    session.add(row)
    session.flush()
    index_words(session, row, readme="", names=())
    return row


def change(
    session: Session,
    row: DesignRow,
    *,
    title: str | None = None,
    description: str | None = None,
    visibility: Visibility | None = None,
) -> None:
    """Say something else of a design; what is None stays. It is found by the new words at once, by
    those of an old title until its next version is read."""
    if title is not None:
        row.title = title.strip()[:200] or row.slug
    if description is not None:
        row.description = description.strip()[:4_000]
    if visibility is not None:
        row.visibility = visibility
    known = set(session.scalars(select(WordRow.word).where(WordRow.design_id == row.id)))
    for text, weight in ((row.title, TITLE_WEIGHT), (row.description, TEXT_WEIGHT)):
        fresh = dict.fromkeys(words_of(text))
        session.add_all(
            WordRow(word=word, design_id=row.id, weight=weight)
            for word in fresh
            if word not in known
        )
        known |= fresh.keys()
    session.flush()


def remove(row: DesignRow, *, now: datetime) -> None:
    """Take a design out of sight; its repository stays, for orders and the book refer to it."""
    row.deleted_at = now


def restore(row: DesignRow, *, now: datetime) -> None:
    """Bring a removed design back. Raises NotAllowed when that was too long ago."""
    if row.deleted_at is not None and row.deleted_at < now - timedelta(days=RESTORE_DAYS):
        raise NotAllowed(
            f"{row.slug!r} was removed more than {RESTORE_DAYS} days ago: ask the hub's operator"
        )
    row.deleted_at = None


def forget(session: Session, row: DesignRow) -> None:
    """Undo the making of a design that never had a version."""
    session.execute(delete(WordRow).where(WordRow.design_id == row.id))
    session.delete(row)
    session.flush()


def index_words(session: Session, row: DesignRow, *, readme: str, names: Iterable[str]) -> None:
    """Let a design be found by its name, title, description, part names and README."""
    weights: dict[str, int] = {}
    for text, weight in (
        (f"{row.slug} {row.title}", TITLE_WEIGHT),
        (" ".join([row.description, *names]), TEXT_WEIGHT),
        (readme, README_WEIGHT),
    ):
        for word in words_of(text):
            weights.setdefault(word, weight)
    session.execute(delete(WordRow).where(WordRow.design_id == row.id))
    session.add_all(
        WordRow(word=word, design_id=row.id, weight=weight)
        for word, weight in list(weights.items())[:MOST_WORDS]
    )


def words_of(text: str) -> list[str]:
    """The words of a text as they are indexed and searched: folded, two letters or more."""
    return WORD.findall(text[:200_000].casefold())
