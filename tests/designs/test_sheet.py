"""Sheets of poses: each tile shows the part as it would lie, drawn once, whatever the mesh is."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select, update

from basis import jail
from basis.blobs import Blobs
from basis.db import Database
from basis.errors import NotFound, TooMany
from designs import lying
from designs.lying import drawn, keep_sheet
from designs.mesh import MeshRefused
from designs.models import MeshRow
from designs.poses import SIDES, poses_of
from designs.sheet import TILE_PX, sheet
from designs.stl import stl_pieces
from designs.topology import Corners
from tests.support import builders, solids
from tests.support.builders import Shop
from tests.support.meshes import cube

BOX = np.asarray(solids.box(10, 20, 40), dtype=np.float32)


def tiles(png: bytes, tile_px: int = TILE_PX) -> list[NDArray[np.int64]]:
    with Image.open(BytesIO(png)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(np.int64)
    assert pixels.shape[1] == tile_px and len(pixels) % tile_px == 0
    return [pixels[start : start + tile_px] for start in range(0, len(pixels), tile_px)]


@pytest.fixture
def kept(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def shop(database: Database, kept: Blobs) -> Shop:
    return builders.shop(database, corners=BOX, blobs=kept)


def test_each_tile_shows_the_part_as_it_lies() -> None:
    """Lying on its left, a box of 10 × 20 × 40 looks as one of 40 × 20 × 10 that stands."""
    down = [SIDES["bottom"], SIDES["left"], SIDES["front"]]
    stands, left, front = tiles(sheet(BOX, down, both_sides=False))
    for lies, size in ((left, (40, 20, 10)), (front, (10, 40, 20))):
        corners = np.asarray(solids.box(*size), dtype=np.float32)
        [alike] = tiles(sheet(corners, [SIDES["bottom"]], both_sides=False))
        assert (np.abs(lies - alike).sum(axis=2) > 30).mean() < 0.005
        assert (np.abs(lies - stands).sum(axis=2) > 30).mean() > 0.1


def test_the_part_stands_on_a_piece_of_bed() -> None:
    [tile] = tiles(sheet(BOX, [SIDES["bottom"]], both_sides=False))
    warm = (tile[:, :, 0] > tile[:, :, 2] + 5) & (tile[:, :, 0] < 230)
    part = tile[:, :, 2] > tile[:, :, 0] + 20
    assert warm.mean() > 0.03 and part.mean() > 0.1
    assert np.flatnonzero(warm.any(axis=1)).max() > np.flatnonzero(part.any(axis=1)).max()


def test_a_sheet_has_a_tile_for_every_pose_and_is_kept(
    database: Database, kept: Blobs, shop: Shop, tmp_path: Path
) -> None:
    mesh_id = mesh_of(database)
    made = keep_sheet(mesh_id, database=database, blobs=kept, scratch=tmp_path)
    assert len(tiles(kept.path(made).read_bytes())) == len(poses_of(BOX)) == 7
    kept.path(shop.part.stl_sha256).unlink()  # nothing is drawn a second time
    assert keep_sheet(mesh_id, database=database, blobs=kept, scratch=tmp_path) == made
    with pytest.raises(NotFound):
        keep_sheet(mesh_id + 1, database=database, blobs=kept, scratch=tmp_path)


def test_what_cannot_be_drawn_is_not_tried_again(
    database: Database, kept: Blobs, shop: Shop, tmp_path: Path
) -> None:
    facts = shop.part.facts.to_json() | {"poses": []}
    with database.writing() as session:
        session.execute(update(MeshRow).values(facts=facts))
    mesh_id = mesh_of(database)
    assert keep_sheet(mesh_id, database=database, blobs=kept, scratch=tmp_path) == ""
    with database.reading() as session:
        assert session.get_one(MeshRow, mesh_id).sheet_sha256 == ""


def mesh_of(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(select(MeshRow.id)).one()


def test_few_are_drawn_at_once_and_few_wait(
    database: Database, kept: Blobs, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh_id = mesh_of(database)
    for room, wait_s in ((lying.places, 0.01), (lying.queue, 60.0)):  # a full queue is not joined
        monkeypatch.setattr(lying, "WAIT_S", wait_s)
        taken = 0
        while room.acquire(blocking=False):
            taken += 1
        try:
            with pytest.raises(TooMany):
                keep_sheet(mesh_id, database=database, blobs=kept, scratch=tmp_path)
        finally:
            for _ in range(taken):
                room.release()
    assert keep_sheet(mesh_id, database=database, blobs=kept, scratch=tmp_path)


def test_who_waited_for_the_same_part_finds_it_drawn(
    database: Database, kept: Blobs, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh_id, real, times = mesh_of(database), lying.drawn, list[int]()
    monkeypatch.setattr(lying, "places", BoundedSemaphore(1))
    monkeypatch.setattr(lying, "WAIT_S", 60.0)

    def counted(*args: Any, **how: Any) -> bytes | None:
        times.append(1)
        return real(*args, **how)

    monkeypatch.setattr(lying, "drawn", counted)
    with ThreadPoolExecutor(3) as pool:
        asked = [
            pool.submit(keep_sheet, mesh_id, database=database, blobs=kept, scratch=tmp_path)
            for _ in range(3)
        ]
        assert len({each.result() for each in asked}) == len(times) == 1


@pytest.mark.parametrize(
    ("corners", "limits"),
    [
        pytest.param(np.concatenate([cube()] * 20_000), lying.LIMITS, id="sheets_over_sheets"),
        pytest.param(
            BOX,
            jail.Limits(
                memory_bytes=80_000_000, cpu_s=20, wall_s=30, file_bytes=10_000, output_bytes=2_000
            ),
            id="too_little_memory",
        ),
        pytest.param(
            BOX,
            jail.Limits(
                memory_bytes=1_500_000_000, cpu_s=20, wall_s=0.05, file_bytes=10, output_bytes=2_000
            ),
            id="too_little_time",
        ),
    ],
)
def test_a_mesh_that_is_too_hard_has_no_sheet(
    tmp_path: Path, corners: Corners, limits: jail.Limits
) -> None:
    path = tmp_path / "mesh.stl"
    path.write_bytes(b"".join(stl_pieces(corners)))
    poses = poses_of(BOX)
    assert drawn(path, poses, both_sides=False, scratch=tmp_path, limits=limits) is None
    assert [each for each in tmp_path.iterdir() if each != path] == []  # nothing is left behind


def test_a_sheet_without_poses_is_refused() -> None:
    with pytest.raises(MeshRefused):
        sheet(BOX, [], both_sides=False)
    broken = BOX.copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(MeshRefused):
        sheet(broken, [SIDES["bottom"]], both_sides=False)
