"""Pictures: something is drawn, it is the nearest thing, and it is always the same."""

from io import BytesIO

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from PIL import Image

from designs.mesh import MeshRefused
from designs.preview import PAPER, picture
from tests.support.meshes import Mesh, cube, turned


def drawn(mesh: Mesh, **how: object) -> NDArray[np.int64]:
    with Image.open(BytesIO(picture(mesh, **how))) as image:  # type: ignore[arg-type]
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(np.int64)


def is_part(pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(pixels - np.array(PAPER)).sum(axis=2) > 30)


def test_a_cube_fills_the_frame_but_for_its_margin() -> None:
    part = is_part(drawn(cube()))
    assert part.shape == (512, 512)
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    assert longest == pytest.approx(512 * 0.92, abs=3)
    assert rows[0] + rows[-1] == pytest.approx(511, abs=2)
    assert columns[0] + columns[-1] == pytest.approx(511, abs=2)
    # Its outline is a hexagon without holes: every row is one run of pixels.
    assert (np.abs(np.diff(part.astype(int), axis=1)).sum(axis=1) <= 2).all()


def test_the_top_is_the_brightest_side() -> None:
    pixels = drawn(cube()).sum(axis=2)
    assert pixels[120, 256] > pixels[320, 340] > pixels[320, 130]


def test_the_nearest_triangle_wins_whatever_the_order() -> None:
    front, back = cube(10, at=(0, -30, 0)), cube(10, at=(0, 30, 0))
    for mesh, colours in (
        (np.concatenate([front, back]), [(255, 0, 0)] * 12 + [(0, 0, 255)] * 12),
        (np.concatenate([back, front]), [(0, 0, 255)] * 12 + [(255, 0, 0)] * 12),
    ):
        pixels = drawn(mesh, colours=np.array(colours, dtype=np.uint8))
        red = (pixels[:, :, 0] > 60) & (pixels[:, :, 2] < 30)
        blue = (pixels[:, :, 2] > 60) & (pixels[:, :, 0] < 30)
        assert red.sum() > 2_000
        assert blue.sum() > 2_000
    inner = np.concatenate([cube(10, at=(5, 5, 5)), cube(20)])
    colours = [(255, 0, 0)] * 12 + [(0, 0, 255)] * 12
    pixels = drawn(inner, colours=np.array(colours, dtype=np.uint8))
    assert not ((pixels[:, :, 0] > 60) & (pixels[:, :, 2] < 30)).any()


def test_the_same_mesh_gives_the_same_bytes() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=3).triangles.astype(np.float32)
    assert picture(mesh) == picture(mesh.copy())
    assert picture(mesh) == picture(mesh * np.float32(4))


def test_large_and_far_parts_are_drawn_alike() -> None:
    near = is_part(drawn(cube()))
    assert (is_part(drawn(cube(at=(9_000, -9_000, 9_000)))) != near).mean() < 0.01
    assert (is_part(drawn(cube(50_000))) != near).mean() < 0.01


def test_small_triangles_leave_no_holes() -> None:
    fine = trimesh.creation.icosphere(subdivisions=6, radius=10).triangles.astype(np.float32)
    part = is_part(drawn(fine))
    assert part.mean() == pytest.approx(np.pi / 4 * 0.92**2, abs=0.01)
    across = np.hypot(*np.meshgrid(*[np.arange(512) - 255.5] * 2))
    assert part[across < 230].all()  # its radius is 235.5


def test_an_open_sheet_seen_from_behind_is_drawn() -> None:
    top = cube()[[11, 5]]
    sheet = np.array([[(0, 0, 0), (0, 9, 0), (9, 9, 0)]], dtype=np.float32)
    assert is_part(drawn(sheet)).any()
    assert is_part(drawn(turned(sheet))).any()
    assert is_part(drawn(top, both_sides=True)).any()


def test_very_many_large_triangles_are_drawn_coarser_or_not_at_all() -> None:
    sheets = np.concatenate([cube()] * 200)
    assert (is_part(drawn(sheets)) != is_part(drawn(cube()))).mean() < 0.02
    with pytest.raises(MeshRefused) as refused:
        picture(np.concatenate([cube()] * 20_000))
    assert refused.value.code == "not_drawn"


def test_a_blank_picture_is_refused() -> None:
    line = np.array([[(0, 0, 0), (1, 1, 1), (2, 2, 2)]], dtype=np.float32)
    with pytest.raises(MeshRefused) as refused:
        picture(line)
    assert refused.value.code == "not_drawn"
    broken = cube()
    broken[3, 1, 1] = np.nan
    with pytest.raises(MeshRefused) as refused:
        picture(broken)
    assert refused.value.code == "not_finite"
    with pytest.raises(MeshRefused):
        picture(cube()[:0])
