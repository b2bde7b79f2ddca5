"""The sheet of a mesh: how it looks in each pose, drawn when somebody first asks, then kept."""

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore

from basis import jail
from basis.blobs import Blobs
from basis.db import Database
from basis.errors import HubError, NotFound, TooMany
from designs.analysis import command, insist_on_machine, read_only
from designs.facts import MeshFacts, Pose
from designs.models import MeshRow

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Sheets that one process draws at the same time: each takes a second of a core or some, and the
threads that wait for them answer nobody else."""

MOST_WAITING = 4
WAIT_S = 4.0
AGAIN_S = 5
SHEET_BYTES = 4_000_000
LIMITS = jail.Limits(
    memory_bytes=1_500_000_000, cpu_s=20, wall_s=30.0, file_bytes=SHEET_BYTES, output_bytes=2_000
)

places, queue = BoundedSemaphore(AT_ONCE), BoundedSemaphore(AT_ONCE + MOST_WAITING)


def keep_sheet(mesh_id: int, *, database: Database, blobs: Blobs, scratch: Path) -> str:
    """The sha256 of a mesh's sheet, or nothing when it has none: no poses, or too hard to draw,
    which is a fact about the mesh and not tried again.

    Raises NotFound for no such mesh, TooMany while others are drawn, Unavailable when this machine
    cannot draw at all.
    """
    with _place():
        with database.reading() as session:
            row = session.get(MeshRow, mesh_id)
            if row is None or row.facts is None or row.stl_sha256 is None:
                raise NotFound(f"there is no measured mesh {mesh_id}")
            known, stl_sha256 = row.sheet_sha256, row.stl_sha256
            facts = MeshFacts.from_json(row.facts)
        if known is not None:  # drawn for somebody else while this one waited
            return known
        made = ""
        if facts.poses:
            stl, both_sides = blobs.path(stl_sha256), not facts.watertight
            png = drawn(stl, facts.poses, both_sides=both_sides, scratch=scratch)
            made = blobs.put([png], most_bytes=SHEET_BYTES).sha256 if png else ""
        with database.writing() as session:
            session.get_one(MeshRow, mesh_id).sheet_sha256 = made
        return made


@contextmanager
def _place() -> Iterator[None]:
    """One of the places to draw, after a short wait in a short queue. Raises TooMany."""
    if not queue.acquire(blocking=False):
        raise _busy()
    try:
        if not places.acquire(timeout=WAIT_S):
            raise _busy()
        try:
            yield
        finally:
            places.release()
    finally:
        queue.release()


def _busy() -> TooMany:
    return TooMany("other pictures are being drawn: look again", again_s=AGAIN_S)


def drawn(
    stl: Path,
    poses: Sequence[Pose],
    *,
    both_sides: bool,
    scratch: Path,
    limits: jail.Limits = LIMITS,
) -> bytes | None:
    """The sheet of an STL that we wrote, one tile for each pose; None when it cannot be drawn."""
    asked = {"downs": [pose.down for pose in poses], "both_sides": both_sides}
    with tempfile.TemporaryDirectory(prefix="sheet-", dir=scratch) as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copyfile(stl, folder / "in.stl")
        ended = jail.run(
            [*command("sheet"), json.dumps(asked)],
            folder=folder,
            limits=limits,
            read_only=read_only(),
        )
        if ended.how is jail.How.OK:
            try:
                return jail.read_result(folder, "out.png", limit_bytes=SHEET_BYTES)
            except HubError as exc:
                log.warning("what was drawn cannot be read: %s", exc)
                return None
    said = ended.stderr.decode("utf-8", "replace")[-500:]
    if ended.how is jail.How.FAILED:
        insist_on_machine(said)
    log.warning("a sheet was not drawn, the child ended %s: %s", ended.how, said)
    return None
