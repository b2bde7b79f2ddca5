"""Released versions of public designs stand in the open book: by number, commit and licence.

The book is public for good, so it never holds a title, and nothing of a design while it is private.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, String, cast, select
from sqlalchemy.orm import Session

from commons import book
from commons.models import EntryRow
from designs.models import Analysis, DesignRow, RefRow, VersionRow, Visibility

AT_ONCE = 200
"""Entries of one transaction: writers of the book wait for each other."""


def record(session: Session, *, now: datetime, design_id: int | None = None) -> int:
    """Write what is owed of one design, or of all: versions that a tag names, measured, and not in
    the book yet. Returns how many were written; at `AT_ONCE` there may be more.

    For whoever measures a version, reads a push, or makes a design public. Repeating is harmless.
    """
    owed = (
        select(VersionRow, DesignRow.owner_id)
        .join(DesignRow, DesignRow.id == VersionRow.design_id)
        .where(
            DesignRow.visibility == Visibility.PUBLIC,
            DesignRow.deleted_at.is_(None),
            VersionRow.analysis == Analysis.DONE,
            select(RefRow.ref)
            .where(RefRow.version_id == VersionRow.id, RefRow.ref.startswith("refs/tags/"))
            .exists(),
            ~select(EntryRow.seq).where(EntryRow.key == _key()).exists(),
        )
        .order_by(VersionRow.id)
        .limit(AT_ONCE)
    )
    if design_id is not None:
        owed = owed.where(VersionRow.design_id == design_id)
    found = session.execute(owed).all()
    for version, owner_id in found:
        fact = book.version_published(
            design=version.design_id,
            commit=version.commit,
            by=owner_id,
            licence=version.licence or "no licence was read",
            at=now,
        )
        book.record(session, fact, now=now)
    return len(found)


def _key() -> ColumnElement[str]:
    """The key of `book.version_published`, as the database computes it."""
    design = cast(VersionRow.design_id, String)
    return "design:" + design + "@" + VersionRow.commit + "/published"
