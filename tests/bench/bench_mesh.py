"""How long measuring takes, as ratios to the least that could be done.

The limit is one pass in blocks over the mapped binary STL: volume, area, box and nothing else.
Against it, interleaved in one run: reading and all facts in this process; trimesh for the same
facts; and the whole child with its start, walls, canonical STL and picture.

    python -m tests.bench.bench_mesh [triangles …]
"""

import mmap
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh

from designs.analysis import Measured, measure
from designs.facts import FileLimits, UnitSource
from designs.mesh import facts_of
from designs.readers import read
from designs.stl import FACET, stl_pieces

PAIRS = 7


def ball(triangles: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A closed bumpy ball of about so many triangles: longitude by latitude, no two faces alike."""
    around = max(4, round((triangles / 2) ** 0.5))
    down = max(3, triangles // (2 * around) + 1)
    theta = np.linspace(0, np.pi, down + 1)[:, None]
    phi = np.arange(around)[None, :] * 2 * np.pi / around
    radius = 40 + 2 * np.sin(5 * theta) ** 2 * np.cos(7 * phi)
    x, y = radius * np.sin(theta) * np.cos(phi), radius * np.sin(theta) * np.sin(phi)
    points = np.stack([x, y, radius * np.cos(theta)], axis=-1)
    points[0], points[-1] = points[0].mean(axis=0), points[-1].mean(axis=0)
    right = np.roll(points, -1, axis=1)
    # Two triangles between neighbours, one where a ring has shrunk to a pole.
    below = np.stack([points[:-2], points[1:-1], right[1:-1]], axis=2)
    above = np.stack([points[1:-1], right[2:], right[1:-1]], axis=2)
    return np.concatenate([below.reshape(-1, 3, 3), above.reshape(-1, 3, 3)]).astype(np.float32)


def one_pass(path: Path) -> tuple[float, float]:
    """Volume and area with the least work: the limit that everything else is compared with."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    corners = np.frombuffer(mapped, dtype=FACET, offset=84)["corners"]
    area = volume = 0.0
    for start in range(0, len(corners), 65_536):
        block = corners[start : start + 65_536].reshape(-1, 9).T
        c = np.ascontiguousarray(block, dtype=np.float32)
        c.min(axis=1)
        c.max(axis=1)
        ux, uy, uz, vx, vy, vz = c[3] - c[0], c[4] - c[1], c[5] - c[2], *(c[6:9] - c[0:3])
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        area += float(np.sqrt(nx * nx + ny * ny + nz * nz).sum(dtype=np.float64)) / 2
        volume += float((c[0] * nx + c[1] * ny + c[2] * nz).sum(dtype=np.float64)) / 6
    return volume, area


def ours(path: Path) -> tuple[float, float]:
    """Read strictly, all facts, in this process."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    found = read("a.stl", memoryview(mapped), limits=FileLimits())
    facts = facts_of(found.corners, unit="millimeter", unit_source=UnitSource.FORMAT)
    return facts.volume_mm3, facts.area_mm2


def with_trimesh(path: Path) -> tuple[float, float]:
    """The same facts from trimesh."""
    mesh = trimesh.load_mesh(path)
    _ = mesh.is_watertight, mesh.is_winding_consistent, mesh.euler_number, mesh.body_count
    return float(mesh.volume), float(mesh.area)


def in_the_child(path: Path) -> tuple[float, float]:
    """What a push waits for: everything, with the child's start and walls."""
    with tempfile.TemporaryDirectory() as folder:
        [part] = measure([("a.stl", path)], folder=Path(folder))
    assert isinstance(part, Measured)
    return part.facts.volume_mm3, part.facts.area_mm2


def main() -> None:
    """Print a table of medians and ratios for the sizes named in the arguments."""
    sizes = [int(word) for word in sys.argv[1:]] or [10_000, 100_000, 1_000_000]
    ways: tuple[Callable[[Path], tuple[float, float]], ...]
    ways = (one_pass, ours, with_trimesh, in_the_child)
    print(f"{'triangles':>10} {'way':>14} {'median s':>9} {'ratio to one pass (min–max)':>30}")  # noqa: T201
    for size in sizes:
        mesh = ball(size)
        with tempfile.NamedTemporaryFile(suffix=".stl") as file:
            file.writelines(stl_pieces(mesh))
            file.flush()
            path = Path(file.name)
            truth = one_pass(path)
            times: dict[str, list[float]] = {way.__name__: [] for way in ways}
            for turn in range(PAIRS + 1):
                for way in ways if turn % 2 else reversed(ways):
                    started = time.perf_counter()
                    said = way(path)
                    times[way.__name__].append(time.perf_counter() - started)
                    assert np.allclose(said, truth, rtol=1e-3), (way.__name__, said, truth)
        for name, taken in times.items():
            pairs = zip(taken[1:], times["one_pass"][1:], strict=True)  # the first warmed up
            ratios = [one / limit for one, limit in pairs]
            middle, spread = statistics.median(ratios), f"{min(ratios):.1f}–{max(ratios):.1f}"
            seconds = statistics.median(taken[1:])
            print(f"{len(mesh):>10} {name:>14} {seconds:>9.3f} {middle:>14.1f} ({spread})")  # noqa: T201


if __name__ == "__main__":
    main()
