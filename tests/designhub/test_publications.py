"""Released versions in the open book: which are written, when, and that nothing private is."""

import time
from pathlib import Path

import pytest
from sqlalchemy import Executable, delete, select, update

from commons import audit, verify
from commons import queries as commons
from commons.store import Entry
from designhub import publications
from designhub.api import schema
from designhub.auth import Scope
from designs.models import Analysis, DesignRow, RefRow, VersionRow, Visibility
from tests.support.builders import NOW, Shop
from tests.support.git_server import Work
from tests.support.hub_process import RunningHub
from tests.support.hubs import OpenHub
from tests.support.solids import box, stl
from tests.support.statements import counted

SECRET = "Zwergenlampe"


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    """Its one design has a release, and a title that the book must not tell."""
    made = hub.shop()
    with hub.hub.database.writing() as session:
        version = session.scalars(select(VersionRow)).one()
        session.add_all(
            RefRow(design_id=version.design_id, ref=ref, version_id=version.id, updated_at=NOW)
            for ref in ("refs/tags/v1", "refs/tags/v1.0", "refs/heads/main")
        )
        session.execute(update(DesignRow).values(title=SECRET, description=SECRET, slug="lamp"))
    return made


def recorded(hub: OpenHub) -> int:
    with hub.hub.database.writing() as session:
        return publications.record(session, now=NOW)


def written(hub: OpenHub) -> list[Entry]:
    with hub.hub.database.reading() as session:
        entries = commons.entries(session, kind="event").entries
    return [each for each in entries if each.key.endswith("/published")]


def test_a_release_is_written_once_by_number_commit_and_licence(hub: OpenHub, shop: Shop) -> None:
    assert [recorded(hub), recorded(hub)] == [1, 0]
    [entry] = written(hub)
    with hub.hub.database.reading() as session:
        version = session.scalars(select(VersionRow)).one()
        lines = list(audit.export(session))
    assert entry.key == f"design:{version.design_id}@{version.commit}/published"
    assert entry.by == f"member:{shop.owner}"
    assert "CC0-1.0" in str(entry.body)
    assert verify.verify(lines).ok
    assert SECRET.encode() not in b"".join(lines) and b"lamp" not in b"".join(lines)


@pytest.mark.parametrize(
    "but",
    [
        update(DesignRow).values(visibility=Visibility.PRIVATE),
        update(DesignRow).values(deleted_at=NOW),
        update(VersionRow).values(analysis=Analysis.DUE),
        delete(RefRow).where(RefRow.ref.startswith("refs/tags/")),
    ],
    ids=["private", "removed", "not measured", "no tag"],
)
def test_what_is_not_released_to_everybody_stays_unwritten(
    hub: OpenHub, shop: Shop, but: Executable
) -> None:
    with hub.hub.database.writing() as session:
        session.execute(but)
    assert recorded(hub) == 0


def test_making_a_design_public_writes_its_releases(hub: OpenHub, shop: Shop) -> None:
    header, client = hub.token(shop.owner, *Scope), hub.app.test_client()
    for visibility, count in (("private", 0), ("public", 1), ("private", 1), ("public", 1)):
        change = {"visibility": visibility}
        client.patch("/api/v1/designs/owner/lamp", json=change, headers=header)
        assert len(written(hub)) == count


def test_one_statement_when_nothing_is_owed(hub: OpenHub, shop: Shop) -> None:
    recorded(hub)
    with counted(hub.hub.database) as statements:
        assert recorded(hub) == 0
    assert len(statements) == 1


def test_a_tag_on_a_measured_commit_is_written_when_it_comes(
    running_hub: RunningHub, tmp_path: Path
) -> None:
    ada = running_hub.person()
    commit = ada.push("shims", {"shim.stl": stl(box(5, 5, 1))}, folder=tmp_path)
    running_hub.measured(f"{ada.name}/shims", commit)
    number = ada.api.ask(schema.Design, "GET", f"/designs/{ada.name}/shims").id
    key, end = f"design:{number}@{commit}/published", time.monotonic() + 30
    assert key not in keys(ada.api.ask(schema.BookEntries, "GET", "/book/entries"))
    work = Work(tmp_path / "shims")
    work.git("tag", "v1")
    work.git("push", "--quiet", ada.address("shims"), "v1")
    while key not in keys(ada.api.ask(schema.BookEntries, "GET", "/book/entries")):
        assert time.monotonic() < end, "it is not in the book"
        time.sleep(0.02)


def keys(page: schema.BookEntries) -> set[str]:
    return {each.key for each in page.entries}
