"""Make the meshes and pictures of the sample designs from their OpenSCAD sources.

    python designs/samples/build.py [name ...]

Every mesh and picture in the sample folders comes from here, and running it again changes nothing.
Lengths are mm, angles degrees, z is up.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from designs.stl import read_stl, stl_pieces

FOLDER = Path(__file__).parent
LIMIT_S = 300  # the slowest part takes about ten seconds
MOST_TRIANGLES = 20_000  # 1 MB

Array = NDArray[np.float64]
Colour = tuple[int, int, int]

ORANGE: Colour = (236, 128, 52)
TEAL: Colour = (38, 146, 146)
BLUE: Colour = (66, 118, 190)
SAND: Colour = (226, 190, 96)
GLASS: Colour = (120, 180, 214)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """One STL file of a sample: the source with some of its parameters set."""

    name: str
    values: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One thing in a picture: where it stands, and how it looks."""

    colour: Colour
    values: Mapping[str, float | str] = field(default_factory=dict)
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turned_deg: float = 0.0  # around z
    opacity: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample design: its source, the meshes made of it, and what its picture shows."""

    source: str
    meshes: tuple[Mesh, ...]
    pieces: tuple[Piece, ...]
    azimuth_deg: float
    elevation_deg: float


# Two barbs are enough for a thin hose, and it prints while one waits.
SMALL_COUPLING: Mapping[str, float | str] = {
    "lower_hose": 8,
    "upper_hose": 6,
    "barbs": 2,
    "wall": 1.4,
    "grip_rim": 1.5,
    "grip_height": 3,
}

SAMPLES: Mapping[str, Sample] = {
    "face-shield-headband": Sample(
        source="headband.scad",
        meshes=(Mesh(name="headband"),),
        pieces=(
            Piece(colour=ORANGE),
            Piece(colour=GLASS, values={"show": "sheet"}, opacity=0.3),
        ),
        azimuth_deg=150,
        elevation_deg=24,
    ),
    "hose-coupling": Sample(
        source="coupling.scad",
        meshes=(
            Mesh(name="coupling-13-10"),
            Mesh(name="coupling-8-6", values=SMALL_COUPLING),
        ),
        pieces=(
            Piece(colour=TEAL, at=(-13, 0, 0), turned_deg=12),
            Piece(colour=SAND, values=SMALL_COUPLING, at=(13, -7, 0), turned_deg=20),
        ),
        azimuth_deg=-25,
        elevation_deg=24,
    ),
    "hinge-box": Sample(
        source="hinge-box.scad",
        meshes=(Mesh(name="hinge-box"),),
        pieces=(
            Piece(colour=BLUE, values={"opening": 112}),
            Piece(colour=SAND, values={"opening": 0}, at=(-2, -76, 0)),
        ),
        azimuth_deg=-128,
        elevation_deg=34,
    ),
}


def openscad(source: Path, values: Mapping[str, float | str]) -> Array:
    """The triangles, (n, 3, 3) mm, that OpenSCAD makes of `source` with these parameters.

    Parameters go through a set file: on the command line they would be program text. OpenSCAD
    ignores a wrong set without failing, so any warning counts as a failure here.

    Raises RuntimeError with OpenSCAD's own words.
    """
    with tempfile.TemporaryDirectory() as folder:
        sets, mesh = Path(folder, "sets.json"), Path(folder, "out.stl")
        texts = {name: str(value) for name, value in values.items()}
        sets.write_text(json.dumps({"parameterSets": {"hub": texts}, "fileFormatVersion": "1"}))
        command = ["openscad", "-p", str(sets), "-P", "hub", "-o", str(mesh), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if done.returncode or re.search("ERROR|WARNING|Parameter Set", done.stderr):
            raise RuntimeError(f"{source.name}: {done.stderr.strip()}")
        text = memoryview(mesh.read_bytes())
    corners = read_stl(text, most_triangles=MOST_TRIANGLES).astype(np.float64)
    # OpenSCAD rounds to six digits, which can draw two corners of a sliver together.
    apart = [np.any(corners[:, i] != corners[:, i - 1], axis=1) for i in range(3)]
    return in_order(corners[np.logical_and.reduce(apart)])


def in_order(triangles: Array) -> Array:
    """The same triangles, each from its least corner on, sorted: OpenSCAD writes the same ones
    every time, but in an order that follows its memory."""
    corner = np.unique(triangles.reshape(-1, 3), axis=0, return_inverse=True)[1].reshape(-1, 3)
    turns = (corner.argmin(axis=1)[:, None] + np.arange(3)) % 3
    rows = np.arange(len(corner))[:, None]
    first, second, third = corner[rows, turns].T
    sorted_: Array = triangles[rows, turns][np.lexsort((third, second, first))]
    return sorted_


class Canvas:
    """Draws lit triangles, seen from one side without perspective, with a shadow on the ground.

    For a page one looks at first: several things from a chosen side, glass among them, as large as
    the paper. `designs.preview` draws the plain, fast, square picture of any part.
    """

    SIZE = (1024, 768)
    FINER = 3  # drawn this much larger, then shrunk: smooth edges
    MARGIN = 0.07
    SKY = (250, 250, 248)

    def __init__(self, *, azimuth_deg: float, elevation_deg: float) -> None:
        a, e = np.radians([azimuth_deg, elevation_deg])
        toward = np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
        right = np.array([np.cos(a), np.sin(a), 0.0])
        self.axes = np.stack([right, np.cross(toward, right), toward])
        self.light = np.array([-0.45, 0.6, 0.66]) @ self.axes  # over the left shoulder

    def picture(self, things: list[tuple[Array, Colour, float]]) -> Image.Image:
        """The picture of (triangles, colour, opacity), the opaque ones first."""
        width, height = (n * self.FINER for n in self.SIZE)
        ground = min(float(t[:, :, 2].min()) for t, _, _ in things)
        # What hovers throws its shadow somewhere else, which looks like a stain; glass throws none.
        standing = [t for t, _, a in things if a == 1 and t[:, :, 2].min() < ground + 1]
        seen = np.concatenate([t.reshape(-1, 3) @ self.axes.T for t, _, _ in things])
        low, high = seen.min(axis=0), seen.max(axis=0)
        scale = (1 - 2 * self.MARGIN) * min(np.array([width, height]) / (high - low)[:2])
        middle = (low + high) / 2

        def on_screen(triangles: Array) -> Array:
            points = (triangles @ self.axes.T - middle) * scale
            return np.array(points * [1, -1, 1] + [width / 2, height / 2, 0])

        colours = np.empty((height, width, 3))
        colours[:] = self.SKY
        shadow = np.concatenate([np.empty((0, 3, 3)), *(self._shadow(t, ground) for t in standing)])
        dark = self._soft(self._covered(on_screen(shadow), (height, width)))
        colours *= 1 - 0.22 * dark[:, :, None]
        depth = np.full((height, width), -np.inf)
        for triangles, colour, opacity in things:
            layer = depth if opacity == 1 else depth.copy()
            face = self._nearest(on_screen(triangles), layer)
            lit = self._lit(triangles, colour, face, layer, scale)
            hit = face >= 0
            colours[hit] = (1 - opacity) * colours[hit] + opacity * lit[hit]
        image = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
        return image.resize(self.SIZE, Image.Resampling.LANCZOS)

    def _shadow(self, triangles: Array, ground: float) -> Array:
        """The triangles as the light throws them on the ground."""
        thrown: Array = triangles - (triangles[:, :, 2:] - ground) / self.light[2] * self.light
        return thrown

    def _covered(self, screen: Array, shape: tuple[int, int]) -> NDArray[np.bool_]:
        both_sides = np.concatenate([screen, screen[:, ::-1]])
        covered: NDArray[np.bool_] = self._nearest(both_sides, np.full(shape, -np.inf)) >= 0
        return covered

    def _soft(self, mask: NDArray[np.bool_]) -> Array:
        image = Image.fromarray((mask * 255).astype(np.uint8))
        return np.asarray(image.filter(ImageFilter.GaussianBlur(7 * self.FINER)), float) / 255

    @staticmethod
    def _nearest(screen: Array, depth: Array) -> NDArray[np.int64]:
        """Which triangle is nearest in every pixel, or -1; `depth` is updated in place."""
        height, width = depth.shape
        face = np.full(depth.shape, -1)
        x, y, z = np.moveaxis(screen, 2, 0)
        doubled = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (
            y[:, 1] - y[:, 0]
        )
        for i in np.flatnonzero(doubled < -1e-9):  # y points down, so facing us is clockwise
            x0, x1 = max(int(np.ceil(x[i].min())), 0), min(int(x[i].max()), width - 1)
            y0, y1 = max(int(np.ceil(y[i].min())), 0), min(int(y[i].max()), height - 1)
            if x0 > x1 or y0 > y1:
                continue
            px, py = np.arange(x0, x1 + 1)[None, :], np.arange(y0, y1 + 1)[:, None]
            share = [
                ((x[i, k] - px) * (y[i, m] - py) - (x[i, m] - px) * (y[i, k] - py)) / doubled[i]
                for k, m in ((1, 2), (2, 0), (0, 1))
            ]
            near = share[0] * z[i, 0] + share[1] * z[i, 1] + share[2] * z[i, 2]
            window = np.s_[y0 : y1 + 1, x0 : x1 + 1]
            wins = (np.minimum.reduce(share) >= -1e-5) & (near > depth[window])
            depth[window][wins] = near[wins]
            face[window][wins] = i
        return face

    def _lit(
        self,
        triangles: Array,
        colour: Colour,
        face: NDArray[np.int64],
        depth: Array,
        scale: float,
    ) -> Array:
        """Colour of every pixel: light, and a darker line where the surface breaks off or bends."""
        normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        bright = 0.56 + 0.44 * np.maximum(normals @ self.light, 0) + 0.12 * (normals @ self.axes[2])
        lit = np.array(colour) * np.append(bright, 1.0)[face][:, :, None]
        normal = np.append(normals, [[0, 0, 0]], axis=0)[face]
        line = np.zeros(face.shape, bool)
        for axis in (0, 1):
            with np.errstate(invalid="ignore"):  # empty minus empty, nothing to outline
                jump = np.abs(depth - np.roll(depth, 1, axis)) > 1.5 * scale
            bend = (normal * np.roll(normal, 1, axis)).sum(axis=2) < 0.85
            line |= (jump | bend) & (np.roll(face, 1, axis) >= 0)
        line = np.asarray(Image.fromarray(line).convert("L").filter(ImageFilter.MaxFilter(3))) > 0
        lit[line] *= 0.62
        return np.asarray(lit, dtype=np.float64)


def placed(triangles: Array, piece: Piece) -> Array:
    """The triangles where the picture wants them."""
    c, s = np.cos(np.radians(piece.turned_deg)), np.sin(np.radians(piece.turned_deg))
    return np.array(triangles @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + piece.at)


def build(name: str) -> None:
    """Write the meshes and the picture of one sample into its folder."""
    sample, folder = SAMPLES[name], FOLDER / name
    source = folder / sample.source
    (folder / "meshes").mkdir(exist_ok=True)
    for mesh in sample.meshes:
        corners = openscad(source, mesh.values).astype(np.float32)
        (folder / "meshes" / f"{mesh.name}.stl").write_bytes(b"".join(stl_pieces(corners)))
    canvas = Canvas(azimuth_deg=sample.azimuth_deg, elevation_deg=sample.elevation_deg)
    things = [(placed(openscad(source, p.values), p), p.colour, p.opacity) for p in sample.pieces]
    canvas.picture(things).save(folder / "picture.png", optimize=True)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or SAMPLES:
        build(chosen)
