"""What a version's analysis keeps: also of files that end the child, once and for good."""

from pathlib import Path

import pytest
from sqlalchemy import select

from basis.blobs import Blobs
from basis.db import Database
from designs import analysis, publishing
from designs.models import Analysis, MeshRow, VersionRow
from designs.store import Store
from tests.designs.test_analysis import SLOW
from tests.designs.test_versions import NOW, design, read, store, work
from tests.support.git_server import Work
from tests.support.meshes import binary_stl, cube

__all__ = ["design", "store", "work"]  # fixtures


def analysed(database: Database, store: Store, tmp_path: Path, due: list[int]) -> None:
    for version_id in due:
        publishing.analyse_version(
            version_id,
            database=database,
            store=store,
            blobs=Blobs(tmp_path / "blobs"),
            scratch=tmp_path,
            now=NOW,
        )


def meshes(database: Database) -> list[tuple[Analysis, str | None]]:
    with database.reading() as session:
        rows = session.scalars(select(MeshRow).order_by(MeshRow.id))
        return [(row.analysis, row.refusal) for row in rows]


@pytest.mark.parametrize(
    ("content", "limit", "value", "refusal"),
    [
        (SLOW, "LARGE_CPU_S", 2, "too_slow"),
        (binary_stl(cube()), "MEMORY_BYTES", 100_000_000, "too_complex"),
        (binary_stl(cube()), "STL_BYTES", 100, "crashed"),
    ],
)
def test_how_a_file_ends_its_child_is_a_fact_that_is_not_found_out_twice(
    content: bytes,
    limit: str,
    value: int,
    refusal: str,
    database: Database,
    store: Store,
    work: Work,
    design: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(analysis, limit, value)
    work.commit({"README.md": b"# One\n", "part.stl": content})
    work.git("push", "--quiet", "origin", "main")
    analysed(database, store, tmp_path, read(database, store, design))
    assert meshes(database) == [(Analysis.REFUSED, refusal)]
    monkeypatch.undo()  # a child of today would measure it; nobody starts one
    work.commit({"README.md": b"# Another\n", "again.stl": content})
    work.git("push", "--quiet", "origin", "main")
    due = read(database, store, design)
    analysed(database, store, tmp_path, due)
    assert meshes(database) == [(Analysis.REFUSED, refusal)]
    with database.reading() as session:
        version = session.get_one(VersionRow, due[0])
        assert version.analysis is Analysis.DONE and len(version.parts) == 2
        assert {part.mesh.refusal for part in version.parts} == {refusal}
    assert not list(tmp_path.glob("measure-*"))
