"""From refs to rows, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from basis.db import Database
from basis.errors import NotFound
from designhub.models import AccountRow
from designs.models import Analysis, DesignRow, RefRow, VersionRow, Visibility
from designs.store import Store
from designs.versions import expect_refs, read_refs, refs_due
from tests.support.git_server import Work

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def design(database: Database) -> int:
    with database.writing() as session:
        account = AccountRow(name="ada", password_hash="-", created_at=NOW)
        session.add(account)
        session.flush()
        row = DesignRow(
            owner_id=account.id,
            slug="box",
            title="box",
            visibility=Visibility.PUBLIC,
            created_at=NOW,
        )
        session.add(row)
        session.flush()
        return row.id


@pytest.fixture
def store(tmp_path: Path, design: int) -> Iterator[Store]:
    store = Store(tmp_path / "repositories")
    store.create(design)
    yield store
    store.close()


@pytest.fixture
def work(tmp_path: Path, store: Store, design: int) -> Work:
    work = Work(tmp_path / "work")
    work.git("remote", "add", "origin", str(store.path(design)))
    return work


def read(
    database: Database, store: Store, design: int, *, now: datetime = NOW, done: bool = True
) -> list[int]:
    with database.writing() as session:
        return read_refs(session, store, design_id=design, now=now, done=done)


def refs(database: Database) -> dict[str, str]:
    with database.reading() as session:
        rows = session.execute(
            select(RefRow.ref, VersionRow.commit).join(
                VersionRow, VersionRow.id == RefRow.version_id
            )
        )
        return {row.ref: row.commit for row in rows}


def dated(work: Work, files: dict[str, bytes], *, at_s: int) -> str:
    for name, content in files.items():
        (work.folder / name).write_bytes(content)
    work.git("add", "--all")
    more = {"GIT_COMMITTER_DATE": f"@{at_s} +0000"}
    work.git("commit", "--quiet", "-m", "x", more=more)
    return work.head()


def test_each_commit_is_one_version_oldest_first(
    database: Database, store: Store, design: int, work: Work
) -> None:
    old = dated(work, {"a": b"1"}, at_s=1_000_000)
    work.git("tag", "-a", "-m", "x", "z-old")
    passed_by = dated(work, {"a": b"2"}, at_s=2_000_000)
    new = dated(work, {"a": b"3"}, at_s=3_000_000)
    work.git("tag", "a-new")
    work.git("tag", "no-commit", work.blob(b"x"))
    work.git("push", "--quiet", "origin", "main", "main:same", "--tags")
    due = read(database, store, design)
    with database.reading() as session:
        rows = session.scalars(select(VersionRow).order_by(VersionRow.id)).all()
        pushed_at = session.get_one(DesignRow, design).pushed_at
    assert [row.commit for row in rows] == [old, new]
    assert [row.id for row in rows] == due
    assert passed_by not in refs(database).values()
    assert pushed_at == NOW
    assert refs(database) == {
        "refs/heads/main": new,
        "refs/heads/same": new,
        "refs/tags/a-new": new,
        "refs/tags/z-old": old,
    }


def test_reading_again_changes_nothing(
    database: Database, store: Store, design: int, work: Work
) -> None:
    work.commit({"a": b"1"})
    work.git("push", "--quiet", "origin", "main")
    due = read(database, store, design)
    assert read(database, store, design, now=LATER) == due
    with database.reading() as session:
        assert session.get_one(DesignRow, design).pushed_at == NOW
        assert session.scalars(select(RefRow.updated_at)).all() == [NOW]


def test_refs_move_and_go_but_versions_stay(
    database: Database, store: Store, design: int, work: Work
) -> None:
    first = work.commit({"a": b"1"})
    work.git("push", "--quiet", "origin", "main", "main:try")
    [version] = read(database, store, design)
    with database.writing() as session:
        row = session.get_one(VersionRow, version)
        row.analysis, row.analysed_at = Analysis.DONE, NOW
    second = work.commit({"a": b"2"})
    work.git("push", "--quiet", "origin", "main", ":try")
    due = read(database, store, design, now=LATER)
    assert refs(database) == {"refs/heads/main": second}
    assert version not in due
    assert len(due) == 1
    with database.reading() as session:
        commits = session.scalars(select(VersionRow.commit)).all()
        assert session.get_one(DesignRow, design).pushed_at == LATER
    assert set(commits) == {first, second}


def test_a_crash_after_the_push_is_found_and_repaired(
    database: Database, store: Store, design: int, work: Work
) -> None:
    with database.writing() as session:
        expect_refs(session, design_id=design)
    commit = work.commit({"a": b"1"})
    work.git("push", "--quiet", "origin", "main")  # and here the hub dies
    with database.reading() as session:
        assert refs_due(session) == [design]
    read(database, store, design)
    assert refs(database) == {"refs/heads/main": commit}
    with database.reading() as session:
        assert refs_due(session) == []


def test_refs_stay_due_while_another_push_is_under_way(
    database: Database, store: Store, design: int
) -> None:
    with database.writing() as session:
        expect_refs(session, design_id=design)
    read(database, store, design, done=False)
    with database.reading() as session:
        assert refs_due(session) == [design]


def test_many_refs_at_once(database: Database, store: Store, design: int, work: Work) -> None:
    lines = []
    for number in range(600):
        lines += ["commit refs/heads/main", f"committer A <a@b> {number} +0000", "data 1", "m"]
        lines += [f"reset refs/tags/v{number}", "from refs/heads/main", ""]
    work.git("fast-import", "--quiet", stdin="\n".join(lines).encode())
    work.git("push", "--quiet", "origin", "main", "--tags")
    due = read(database, store, design)
    assert len(due) == 600
    assert read(database, store, design) == due
    with database.reading() as session:
        ids = session.scalars(select(VersionRow.id).order_by(VersionRow.committed_at)).all()
    assert list(ids) == due


def test_an_unknown_design(database: Database, store: Store, design: int) -> None:
    with pytest.raises(NotFound):
        read(database, store, design + 1)
    with database.writing() as session, pytest.raises(NotFound):
        expect_refs(session, design_id=design + 1)
