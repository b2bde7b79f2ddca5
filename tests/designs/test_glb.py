"""Models to look at: another reader sees the same part, and no mesh makes one too large."""

import gzip
import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import trimesh
from numpy.typing import ArrayLike

from designs.glb import MOST_BYTES, MOST_TRIANGLES, check_packed, glb, packed_glb
from designs.mesh import MeshRefused, box_of, shape_of
from designs.topology import Corners
from tests.support.meshes import cube
from tests.support.solids import ball, cone


def read(data: bytes) -> trimesh.Trimesh:
    """As somebody else's program reads it, in mm and with z up again."""
    scene: Any = trimesh.load(BytesIO(data), file_type="glb")
    mesh: trimesh.Trimesh = scene.to_mesh()
    upright = np.diag((1_000.0, 0.0, 0.0, 1.0))
    upright[1, 2], upright[2, 1] = -1_000, 1_000
    mesh.apply_transform(upright)
    return mesh


def plain(corners: ArrayLike) -> Corners:
    """A solid as our readers give it."""
    return np.asarray(corners, dtype=np.float32)


def head(data: bytes) -> dict[str, object]:
    size = int.from_bytes(data[12:16], "little")
    found: dict[str, object] = json.loads(data[20 : 20 + size])
    return found


SHAPES = {
    "a cube far from the origin": cube(20, at=(310, -40, 0)),
    "a flat cone": plain(cone(80, 3)),
    "a ball": plain(ball(35, rings=40, sides=60)),
    "a sheet": cube(20)[:2],
}


@pytest.mark.parametrize("corners", SHAPES.values(), ids=SHAPES.keys())
def test_another_reader_sees_the_same_part(corners: Corners) -> None:
    found = read(glb(corners))
    flat = np.asarray(corners, dtype=np.float64).reshape(-1, 3)
    side = float(np.ptp(flat, axis=0).max())
    assert found.bounds == pytest.approx(
        np.array([flat.min(axis=0), flat.max(axis=0)]), abs=side / 60_000
    )
    assert found.area == pytest.approx(shape_of(corners, box_of(corners)).area_mm2, rel=2e-4)
    assert len(found.faces) == len(corners)


def test_corners_are_stored_once_and_bytes_repeat() -> None:
    data = glb(cube(20))
    accessors = head(data)["accessors"]
    assert isinstance(accessors, list) and accessors[0]["count"] == 8
    assert data == glb(cube(20)) and packed_glb(cube(20)) == packed_glb(cube(20))
    assert gzip.decompress(packed_glb(cube(20))) == data


def test_many_triangles_are_thinned_out_and_it_says_so() -> None:
    corners = plain(ball(35, rings=100, sides=200))
    data = glb(corners, most_triangles=5_000)
    meshes = head(data)["meshes"]
    assert isinstance(meshes, list)
    said = meshes[0]["extras"]
    assert said["triangles"] == len(corners) and 2_000 < said["shown"] <= 5_000
    found = read(data)
    assert found.bounds == pytest.approx(np.array([[-35] * 3, [35] * 3]), abs=2)
    assert found.area == pytest.approx(4 * np.pi * 35**2, rel=0.05)


def test_a_soup_of_triangles_stays_under_the_limit() -> None:
    """No two share a corner, and all are large: the worst there is for an index and for cells."""
    soup = np.random.default_rng(7).uniform(-90, 90, (MOST_TRIANGLES, 3, 3)).astype(np.float32)
    data = glb(soup)
    assert len(data) <= MOST_BYTES
    check_packed(gzip.compress(data, 1))
    with pytest.raises(MeshRefused, match="too many large triangles"):
        glb(soup[:2_000], most_triangles=1_000)


def test_what_is_no_place_is_refused() -> None:
    for bad in (np.nan, np.inf, 1e9):
        mesh = cube(20)
        mesh[3, 1, 2] = bad
        with pytest.raises(MeshRefused):
            glb(mesh)
    with pytest.raises(MeshRefused, match="no triangle"):
        glb(np.ones((4, 3, 3), dtype=np.float32))


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"glTF" * 100),
        gzip.compress(b"\0" * (MOST_BYTES + 1)),
        packed_glb(cube(20))[:-20],
        gzip.compress(b""),
    ],
    ids=["another head", "too large", "cut off", "empty"],
)
def test_what_is_no_model_of_ours_is_not_kept(data: bytes) -> None:
    with pytest.raises(ValueError):
        check_packed(data)
