"""From the refs of a repository to rows: a version for each commit that a tag or branch names.

`refs_due` is set before a push may change anything and cleared once its refs are read, so a crash
in between is found by the sweep. Reading them again changes nothing.
"""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from basis.errors import NotFound
from designs.models import Analysis, DesignRow, RefRow, VersionRow
from designs.objects import Commit
from designs.store import Store

MESSAGE_CHARACTERS = 10_000
"""Longer commit messages are cut in the row; the repository has them whole."""
IDS_AT_ONCE = 500
"""Values in one `IN (...)`: well below what any database takes."""


def expect_refs(session: Session, *, design_id: int) -> None:
    """Note that a push is about to begin. Commit this before git may change a ref."""
    _locked(session, design_id).refs_due = True


def refs_due(session: Session) -> list[int]:
    """Designs of which a push was taken, or broke off, whose refs are not read yet."""
    due = select(DesignRow.id).where(DesignRow.refs_due).order_by(DesignRow.id)
    return list(session.scalars(due))


def read_refs(
    session: Session, store: Store, *, design_id: int, now: datetime, done: bool
) -> list[int]:
    """Bring versions and refs up to what the repository says now.

    A commit that several refs name is one version; versions are only added, oldest first, while
    refs come, move and go. Refs that name no commit are passed over. `done` says that no push is
    under way any more, so nothing is due after this. Returns the ids of versions whose analysis is
    due.
    Raises NotFound when there is no such design or repository.
    """
    # The refs are read while the row is locked: of two pushes that end together, neither can put
    # back what it read before the other.
    design = _locked(session, design_id)
    found = {ref.name: ref.commit for ref in store.refs(design_id) if ref.commit is not None}
    versions = _versions(session, store, design_id, set(found.values()), now=now)
    rows = session.scalars(select(RefRow).where(RefRow.design_id == design_id))
    known = {row.ref: row for row in rows}
    for gone in known.keys() - found.keys():
        session.execute(delete(RefRow).where(RefRow.design_id == design_id, RefRow.ref == gone))
    changed = bool(known.keys() - found.keys())
    for name, commit in found.items():
        version_id = versions[commit]
        row = known.get(name)
        if row is None:
            session.add(
                RefRow(design_id=design_id, ref=name, version_id=version_id, updated_at=now)
            )
        elif row.version_id != version_id:
            row.version_id, row.updated_at = version_id, now
        else:
            continue
        changed = True
    if changed:
        design.pushed_at = now
    if done:
        design.refs_due = False
    session.flush()
    due = select(VersionRow.id).where(
        VersionRow.design_id == design_id, VersionRow.analysis == Analysis.DUE
    )
    return list(session.scalars(due.order_by(VersionRow.id)))


def _locked(session: Session, design_id: int) -> DesignRow:
    row = session.scalar(select(DesignRow).where(DesignRow.id == design_id).with_for_update())
    if row is None:
        raise NotFound(f"there is no design {design_id}")
    return row


def _versions(
    session: Session, store: Store, design_id: int, commits: set[str], *, now: datetime
) -> dict[str, int]:
    """The version id of each commit; those not met before are added, oldest first."""
    known = _known(session, design_id, commits)
    fresh = store.commits(design_id, commits - known.keys())
    rows = [
        _row(design_id, commit, now=now)
        for commit in sorted(fresh, key=lambda each: (each.committed_at, each.id))
    ]
    session.add_all(rows)
    session.flush()
    return known | {row.commit: row.id for row in rows}


def _known(session: Session, design_id: int, commits: set[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    wanted = sorted(commits)
    for start in range(0, len(wanted), IDS_AT_ONCE):
        some = wanted[start : start + IDS_AT_ONCE]
        rows = select(VersionRow).where(
            VersionRow.design_id == design_id, VersionRow.commit.in_(some)
        )
        known |= {row.commit: row.id for row in session.scalars(rows)}
    return known


def _row(design_id: int, commit: Commit, *, now: datetime) -> VersionRow:
    return VersionRow(
        design_id=design_id,
        commit=commit.id,
        committed_at=commit.committed_at,
        author=commit.author[:200],
        message=commit.message[:MESSAGE_CHARACTERS],
        pushed_at=now,
    )
