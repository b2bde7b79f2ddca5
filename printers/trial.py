"""A cube sliced for a printer before it takes work: do its settings make G-code that may run on it?

A vendor's profile, or a workshop's own file, may be complete and yet give no plastic, no time, or
moves that the guard refuses. A cube of 20 mm finds that out before a maker's order does.
"""

import itertools
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from basis.errors import HubError, Unavailable
from basis.jail import Limits
from printers.capability import MATERIALS, Choices, Profile
from printers.slicer import LIMITS, PROGRAM, NotPrintable, Sliced, slice_plate

__all__ = ["Tried", "tried"]

EDGE_MM = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How the cube went: what it would take of each material, or why there is none."""

    fault: str
    """In words for the workshop; empty when every cube passed."""
    said: str
    """`PLA 4.1 g in 23 min`, and so on."""


def materials_of(profile: Profile) -> list[str]:
    """What to try: the families it has settings for, or else the first that it gets hot enough
    for."""
    if profile.tuning is not None and profile.tuning.filaments:
        return list(profile.tuning.filaments)
    able = [
        name
        for name, stuff in MATERIALS.items()
        if profile.heat_c(stuff) <= (profile.max_nozzle_c, profile.max_bed_c)
        and profile.heat_c(stuff)[1] <= profile.max_bed_c
    ]
    return able[:1] or ["PLA"]


def tried(profile: Profile, *, scratch: Path, wall_s: float, program: str = PROGRAM) -> Tried:
    """Slice a cube of each material for a printer and send the result through its guard.

    Raises Unavailable when this machine cannot slice at all: that is no fault of the printer.
    """
    passed: list[str] = []
    for name in materials_of(profile):
        try:
            limits = replace(LIMITS, wall_s=wall_s)
            sliced = _cube(profile, name, scratch=scratch, limits=limits, program=program)
        except Unavailable:
            raise
        except HubError as exc:
            return Tried(fault=f"{name}: {exc}", said=", ".join(passed))
        passed.append(f"{name} {sliced.mass_mg / 1_000:.1f} g in {sliced.duration_s // 60} min")
    return Tried(fault="", said=", ".join(passed))


def _cube(
    profile: Profile, material: str, *, scratch: Path, limits: Limits, program: str
) -> Sliced:
    """One cube. Mass and time of nothing are a failure here, whatever the slicer's exit says."""
    layer_um = min(200, profile.nozzle_um // 2)
    with tempfile.TemporaryDirectory(prefix="trial-", dir=scratch) as made:
        folder = Path(made)
        part, job = folder / "cube.stl", folder / "job"
        part.write_bytes(cube_stl(EDGE_MM))
        job.mkdir()
        choices = Choices(material=material, layer_height_um=max(50, layer_um))
        sliced = slice_plate(
            part, profile=profile, choices=choices, folder=job, limits=limits, program=program
        )
    if sliced.mass_mg <= 0 or sliced.duration_s <= 0:
        raise NotPrintable("the cube takes no material or no time: check the slicer's settings")
    return sliced


def cube_stl(edge_mm: float) -> bytes:
    """A cube as a binary STL, each face as two triangles seen counter-clockwise from outside."""
    faces = []
    for axis, side in itertools.product(range(3), (0.0, 1.0)):
        u, v = [other for other in range(3) if other != axis]
        square = np.zeros((4, 3))
        square[:, axis] = side
        square[[1, 2], u] = 1.0
        square[[2, 3], v] = 1.0
        outward = np.cross(square[1] - square[0], square[2] - square[0])[axis] > 0
        if outward != bool(side):
            square = square[::-1]
        faces += [square[[0, 1, 2]], square[[0, 2, 3]]]
    triangles = np.zeros(12, dtype=[("n", "<f4", 3), ("corners", "<f4", (3, 3)), ("a", "<u2")])
    triangles["corners"] = np.array(faces) * edge_mm
    return b"a cube for trial".ljust(80, b"\0") + (12).to_bytes(4, "little") + triangles.tobytes()
