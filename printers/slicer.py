"""From a checked mesh to G-code for one printer, by PrusaSlicer in its jail.

The slicer is a large program that runs what a file tells it to (a 3MF may name a script), crashes
on bad geometry, and says yes to parts taller than the printer. So it is given only a binary STL
written here from finite triangles, and settings written here key by key; what it answers is read by
our own guard.

SliceRefused              the same part with the same choices will fail again: do not repeat
├── BadMesh               not a binary STL of finite triangles
├── TooBig, TooTall       larger than the printer, brim and copies included
├── NotPrintable          no layer can be cut out of it
├── TooThin               thinner than the nozzle's line
├── NoFootprint           nothing of it rests on the bed
├── TooMuchWork           over the limits of time, memory or size
└── SlicerCrashed         the program itself broke on it
SlicerMissing             not installed, not what we know, or out of disk: the operator must act
BadSettings, GcodeRefused the choices, or what came out, do not suit the printer
"""

import hashlib
import json
import re
import signal
import tempfile
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from basis import jail
from basis.errors import Invalid, NotFound, TooLarge, Unavailable
from basis.jail import Ended, How, Limits
from basis.turning import Direction, turned
from basis.units import ceil_div
from printers.capability import Choices, Profile, margin_um, material
from printers.estimates import estimates
from printers.gcode import Measured, measure
from printers.own_codes import check_own_codes
from printers.slicer_ini import BadSettings, apart_mm, job_ini

__all__ = [
    "BadSettings",
    "Sliced",
    "cache_key",
    "copies_that_fit",
    "engine_version",
    "job_ini",
    "most_on_a_plate",
    "slice_plate",
]

PROGRAM = "prusa-slicer"
ENGINE = "PrusaSlicer"
MAX_TRIANGLES = 5_000_000
MAX_COPIES = 200
MAX_COORDINATE_MM = 100_000
MAX_GCODE_BYTES = 200_000_000
ESTIMATES_BYTES = 65_536

LIMITS = Limits(
    memory_bytes=3_000_000_000, cpu_s=300, wall_s=600.0, file_bytes=MAX_GCODE_BYTES, open_files=128
)
"""Five million triangles took 71 s and 1.1 GB; a part of everyday size takes a few seconds."""

_STL = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


class SliceRefused(Invalid):
    """This part cannot be sliced for this printer with these choices; repeating will not help."""

    code = "slice_refused"


class BadMesh(SliceRefused):
    """The file is not the checked binary STL that slicing starts from."""

    code = "bad_mesh"


class TooBig(SliceRefused):
    """Part, brim and copies need more bed than there is."""

    code = "too_big"


class TooTall(SliceRefused):
    """The part is higher than the printer."""

    code = "too_tall"


class NotPrintable(SliceRefused):
    """The slicer finds nothing solid to cut into layers."""

    code = "not_printable"


class TooThin(SliceRefused):
    """All of it is thinner than what the nozzle lays down."""

    code = "too_thin"


class NoFootprint(SliceRefused):
    """The part touches the bed in no area."""

    code = "no_footprint"


class TooMuchWork(SliceRefused):
    """Slicing passed its limit of time, memory or output."""

    code = "too_much_work"


class SlicerCrashed(SliceRefused):
    """The slicer broke on this part."""

    code = "slicer_crashed"


class SlicerMissing(Unavailable):
    """There is no slicer on this machine, or it does not answer as one."""

    code = "slicer_missing"


# What the slicer says on its error output, and what that means for the designer or the workshop.
_SAYINGS: tuple[tuple[bytes, type[SliceRefused], str], ...] = (
    (  # before the next one: without a hull it then says that the part does not fit
        b"Unable to create convex hull",
        NotPrintable,
        "this part encloses no space: give it a thickness in every direction; if it has one and is "
        "very large, simplify the mesh",
    ),
    (
        b"could not fit on the bed",
        TooBig,
        "the copies do not fit on the bed together: order fewer a plate, or take a larger printer",
    ),
    (
        b"No layers were detected",
        NotPrintable,
        "no layer can be cut out of this part: close its open edges, and check its unit and size",
    ),
    (
        b"The print is empty",
        TooThin,
        "all walls of this part are thinner than the nozzle's line: thicken them, or use a finer "
        "nozzle",
    ),
    (
        b"no extrusions in the first layer",
        NoFootprint,
        "nothing of this part rests on the bed: turn it, give it a flat face, or order a brim",
    ),
    (
        b"Loading of a model file failed",
        BadMesh,
        "the slicer cannot read this mesh: export it again as a closed solid",
    ),
)


_MACHINE_SAYS = (
    *(b"error while loading shared libraries", b"failed to execute", b"bwrap:"),
    *(b"Is the disk full?", b"No space left on device"),
)
"""Words about this machine, not the part: its operator must act, and no order ends by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliced:
    """G-code that passed the guard, and what printing it will take."""

    gcode: Path
    sha256: str
    sha1: str
    """As OctoPrint names a file's content."""
    size: int
    mass_mg: int
    mass_source: str
    duration_s: int
    duration_source: str
    filament_um: int
    layers: int
    box_um: tuple[int, int, int, int, int, int]
    engine: str
    cache_key: str
    warnings: tuple[str, ...]


def slice_plate(
    stl: Path,
    *,
    profile: Profile,
    choices: Choices,
    copies: int = 1,
    down: Direction | None = None,
    folder: Path,
    program: str = PROGRAM,
    limits: Limits = LIMITS,
) -> Sliced:
    """Slice `copies` of one part for one printer; the result lies in `folder` as `out.gcode`.

    stl    : binary STL, mm, z up; any place, it is set down on the bed, and turned by 90° when it
             fits only so.
    down   : what of the mesh lies on the bed, where it is not printed as it stands.
    folder : an empty job folder, which the caller removes; may be handed to another user.

    Raises SliceRefused, BadSettings or GcodeRefused (all Invalid) when this part, printer and
    choices cannot go together, SlicerMissing when the machine cannot slice at all. Two runs differ
    in their bytes: reuse a result by its `cache_key`, never compare contents.
    """
    ini = job_ini(profile, choices)
    content = _read_stl(stl)
    corners, warnings = _placed(content, profile=profile, choices=choices, copies=copies, down=down)
    version = engine_version(program)
    (folder / "job.ini").write_text(ini, encoding="ascii")
    (folder / "part.stl").write_bytes(_stl_bytes(corners))
    ended = jail.run(
        [
            *(program, "-g", "--load", "job.ini", "--loglevel", "1"),
            *("--post-process", ""),  # as the settings say; either alone stops a script
            *("--duplicate", str(copies), "-o", "out.gcode", "part.stl"),
        ],
        folder=folder,
        limits=limits,
        environment={"MALLOC_ARENA_MAX": "2", "LC_ALL": "C"},  # many cores reserve much memory
    )
    try:
        gcode = _output(ended, folder)
    except TooBig as exc:
        x_um, y_um = (int(um) for um in corners.max(axis=(0, 1))[:2] * 1_000)
        sure = copies_that_fit(profile, choices, (x_um, y_um))
        raise TooBig(f"{exc}; {sure} of them surely do") from exc
    measured = measure(BytesIO(gcode), profile.guard())
    check_own_codes(gcode, profile)
    said = estimates(gcode[-ESTIMATES_BYTES:])
    mass_mg, mass_source = _mass(measured, profile=profile, choices=choices)
    if said.duration_s == 0:
        raise NotPrintable("the slicer expects this part to take no time: check its unit and size")
    engine = f"{ENGINE} {version}"
    return Sliced(
        gcode=folder / "out.gcode",
        sha256=hashlib.sha256(gcode).hexdigest(),
        sha1=hashlib.sha1(gcode, usedforsecurity=False).hexdigest(),
        size=len(gcode),
        mass_mg=mass_mg,
        mass_source=mass_source,
        duration_s=said.duration_s,
        duration_source=f"estimate of {engine}",
        filament_um=measured.filament_um,
        layers=measured.layers,
        box_um=measured.box_um,
        engine=engine,
        cache_key=cache_key(
            stl_sha256=hashlib.sha256(content).hexdigest(),
            ini=ini,
            engine_version=version,
            copies=copies,
            down=down,
        ),
        warnings=warnings,
    )


def cache_key(
    *,
    stl_sha256: str,
    ini: str,
    engine_version: str,
    copies: int,
    down: Direction | None = None,
) -> str:
    """A name for everything that decides a slice, known before slicing."""
    parts = [ENGINE, engine_version, stl_sha256, hashlib.sha256(ini.encode()).hexdigest(), copies]
    if down is not None:
        parts.append([round(part, 6) for part in down])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def copies_that_fit(profile: Profile, choices: Choices, size_um: tuple[int, int]) -> int:
    """How many copies of a part with such a base surely lie on one bed, in rows as it stands. Of
    parts that are no boxes more may fit, for the slicer lets them reach into each other's corners.
    """
    gap_um, edge_um = apart_mm(choices) * 1_000, 2 * margin_um(profile, choices)
    rows = [
        max(0, (bed_mm * 1_000 - edge_um + gap_um) // (um + gap_um))
        for bed_mm, um in zip((profile.bed_x_mm, profile.bed_y_mm), size_um, strict=True)
    ]
    return min(MAX_COPIES, rows[0] * rows[1])


def most_on_a_plate(
    profile: Profile, choices: Choices, *, size_um: tuple[int, int], triangles: int
) -> int:
    """How many copies of a part surely lie on one bed, turned by 90° where it fits only so, and are
    no more work to slice than the largest part; at least one."""
    x_um, y_um = size_um
    straight = copies_that_fit(profile, choices, (x_um, y_um))
    room = straight or copies_that_fit(profile, choices, (y_um, x_um))
    return max(1, min(room, MAX_TRIANGLES // max(1, triangles)))


@cache
def engine_version(program: str = PROGRAM) -> str:
    """The slicer's own version, asked once. Raises SlicerMissing with what to install."""
    with tempfile.TemporaryDirectory(prefix="slicer-") as folder:
        try:
            ended = jail.run([program, "--help"], folder=Path(folder), limits=LIMITS)
        except Unavailable as exc:
            raise SlicerMissing(f"{exc}: install it (Debian: apt install prusa-slicer)") from exc
    found = re.search(rb"PrusaSlicer-(\d+\.\d+\.\d+)", ended.stdout)
    if found is None:
        raise SlicerMissing(
            f"{program} does not answer as PrusaSlicer ({ended.how}): {_quoted(ended.stderr)}"
        )
    return found[1].decode()


def _read_stl(stl: Path) -> bytes:
    """The file's bytes if its size is that of a binary STL, to the byte."""
    most = 84 + _STL.itemsize * MAX_TRIANGLES
    with stl.open("rb") as file:
        content = file.read(most + 1)
    count = int.from_bytes(content[80:84], "little")
    if len(content) < 84 or len(content) != 84 + _STL.itemsize * count:
        raise BadMesh(
            "not a binary STL whose header names its own size (at most "
            f"{MAX_TRIANGLES} triangles): only a checked mesh is sliced, never an uploaded file"
        )
    if count == 0:
        raise BadMesh("this mesh has no triangles: export the part again")
    return content


def _placed(
    content: bytes,
    *,
    profile: Profile,
    choices: Choices,
    copies: int,
    down: Direction | None = None,
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The part's corners, (n, 3, 3) mm, moved to the origin and turned if it must be.

    Raises TooBig and TooTall before the slicer has any work.
    """
    if not 1 <= copies <= MAX_COPIES:
        raise Invalid(f"copies must be from 1 to {MAX_COPIES}, got {copies}")
    corners = np.frombuffer(content, dtype=_STL, offset=84)["corners"].astype(np.float64)
    if not np.isfinite(corners).all() or np.abs(corners).max() > MAX_COORDINATE_MM:
        raise BadMesh(f"a corner is not a number, or over {MAX_COORDINATE_MM} mm: repair the mesh")
    if down is not None:
        corners = turned(corners, down)
    corners -= corners.min(axis=(0, 1))
    x_um, y_um, z_um = (int(um) for um in np.ceil(corners.max(axis=(0, 1)) * 1000 - 0.5))
    if 0 in (x_um, y_um, z_um):
        raise NotPrintable("this mesh is flat: give it a thickness, and check its unit")
    if z_um > profile.height_mm * 1000:
        raise TooTall(
            f"the part is {z_um / 1000:g} mm tall, {profile.name} prints up to "
            f"{profile.height_mm} mm: lay it down, split it, or take a taller printer"
        )
    edge_um = 2 * margin_um(profile, choices)
    free_x_um, free_y_um = profile.bed_x_mm * 1000 - edge_um, profile.bed_y_mm * 1000 - edge_um
    straight = x_um <= free_x_um and y_um <= free_y_um
    crosswise = y_um <= free_x_um and x_um <= free_y_um
    if not straight and not crosswise:
        raise TooBig(
            f"the part is {x_um / 1000:g} × {y_um / 1000:g} mm; with its brim or skirt "
            f"{profile.name} holds {free_x_um / 1000:g} × {free_y_um / 1000:g} mm: split it, order "
            "less brim, or take a larger printer"
        )
    if straight:
        return corners.astype(np.float32), ()
    corners = np.stack((-corners[..., 1], corners[..., 0], corners[..., 2]), axis=-1)
    corners -= corners.min(axis=(0, 1))
    return corners.astype(np.float32), ("turned by 90° on the bed, because it fits only so",)


def _stl_bytes(corners: NDArray[np.float32]) -> bytes:
    """A binary STL with nothing in it but the corners."""
    triangles = np.zeros(len(corners), dtype=_STL)
    triangles["corners"] = corners
    # PrusaSlicer takes a file for text unless a byte over 127 comes early, and corners without a
    # negative number may have none; nobody reads the attribute.
    triangles["attribute"] = 0xFFFF
    header = b"written by the hub".ljust(80, b"\0")  # never "solid": others take that for text
    return header + len(corners).to_bytes(4, "little") + triangles.tobytes()


def _output(ended: Ended, folder: Path) -> bytes:
    """The G-code the slicer left, or the reason why there is none."""
    if ended.how is not How.OK:
        raise _refusal(ended)
    try:
        return jail.read_result(folder, "out.gcode", limit_bytes=MAX_GCODE_BYTES)
    except NotFound as exc:
        raise SlicerCrashed(f"the slicer ended without a result: {_quoted(ended.stderr)}") from exc
    except TooLarge as exc:
        raise _too_large() from exc


def _refusal(ended: Ended) -> SliceRefused | BadSettings:
    """Known words decide before the exit code: it aborts when it says that a part is too big.

    Raises SlicerMissing for words about this machine.
    """
    if ended.how is How.FAILED and any(words in ended.stderr for words in _MACHINE_SAYS):
        raise SlicerMissing(f"the slicer cannot work on this machine: {_quoted(ended.stderr)}")
    for words, kind, meaning in _SAYINGS:
        if words in ended.stderr or words in ended.stdout:
            return kind(meaning)
    if ended.how is How.TOO_SLOW:
        return TooMuchWork("slicing took too long: simplify the mesh, or order fewer copies")
    if ended.how is How.TOO_COMPLEX:
        return TooMuchWork("slicing needs too much memory: simplify the mesh")
    if ended.returncode == -signal.SIGXFSZ:
        return _too_large()
    if ended.how is How.CRASHED:
        return SlicerCrashed(
            "the slicer crashed on this part: check the mesh for faults, or choose other settings"
        )
    return BadSettings(f"the slicer refuses these choices: {_quoted(ended.stderr)}")


def _too_large() -> TooMuchWork:
    return TooMuchWork(
        f"the G-code would be over {MAX_GCODE_BYTES // 1_000_000} MB: order thicker layers, less "
        "infill or fewer copies"
    )


def _mass(measured: Measured, *, profile: Profile, choices: Choices) -> tuple[int, str]:
    """mg of filament in the G-code itself, by our density: the slicer's may be missing."""
    stuff = material(choices.material)
    # π/4 as 355/452, so that it stays in whole numbers; a cm³ has 10¹² µm³.
    volume_um3 = measured.filament_um * profile.filament_um**2 * 355 // 452
    mass_mg = ceil_div(volume_um3 * stuff.density_mg_per_cm3, 10**12)
    density = f"{stuff.density_mg_per_cm3 / 1000:g} g/cm³"
    return mass_mg, f"filament length in the G-code × its cross-section × {density} ({stuff.name})"


def _quoted(words: bytes) -> str:
    """The last words of a program, fit for a message."""
    text = " ".join(words.decode("utf-8", "replace").split())
    shown = "".join(c if c.isprintable() else "?" for c in text[-300:])
    return shown or "no reason given"
