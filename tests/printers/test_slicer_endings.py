"""How the slicer ends: its silent failures, its crashes, and programs that a file names.

The real PrusaSlicer shows what it does when nobody forbids it; our own way shows that it is
forbidden, or found. Endings that no sound slicer shows come from one that is made to fail.
"""

import dataclasses
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from basis import jail
from designs.facts import FileLimits
from designs.readers import read
from printers import slicer
from printers.capability import COMMON, Choices, Profile
from printers.gcode import GcodeRefused, measure
from printers.slicer import (
    BadMesh,
    BadSettings,
    NotPrintable,
    SlicerCrashed,
    SlicerMissing,
    TooBig,
    TooMuchWork,
    job_ini,
    slice_plate,
)
from printers.tuning import Tuning
from tests.support.meshes import model_xml, threemf
from tests.support.solids import ball, box, write_stl

pytestmark = pytest.mark.slicer

MK3S, PLA = COMMON["mk3s"], Choices(material="PLA")


def sliced(corners: ArrayLike, folder: Path, **given: Any) -> slicer.Sliced:
    part = write_stl(folder / "in.stl", corners)
    job = folder / "job"
    job.mkdir()
    return slice_plate(part, **{"profile": MK3S, "choices": PLA, "folder": job, **given})


def raw(folder: Path, *options: str, files: Sequence[str] = ("part.stl",)) -> int:
    """What PrusaSlicer ends with when it is asked by hand, without a wall."""
    return subprocess.run(
        ["prusa-slicer", "-g", *options, "-o", "out.gcode", *files],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        timeout=120,
    ).returncode


# --- what it says yes to --------------------------------------------------------------------------


def test_a_leaning_sheet_is_not_taken_for_a_part_too_large(tmp_path: Path) -> None:
    """Closed on both sides and without a thickness, and no side of its box is zero: the slicer
    finds no hull, and says that it could not fit on the bed."""
    face = np.array([[(0, 0, 0), (20, 0, 0), (20, 20, 20)], [(0, 0, 0), (20, 20, 20), (0, 20, 20)]])
    with pytest.raises(NotPrintable, match="give it a thickness"):
        sliced(np.concatenate([face, face[:, ::-1]]), tmp_path)


@pytest.mark.parametrize(
    ("size_mm", "profile", "options", "reason"),
    [
        ((20, 20, 60), dataclasses.replace(MK3S, height_mm=50), (), r"height|Z would go"),
        (
            (245, 205, 1),
            MK3S,
            ("--brim-type", "outer_only", "--brim-width", "5", "--skirts", "0"),
            "beyond the bed",
        ),
        ((20, 20, 1), MK3S, ("--dont-arrange",), "beyond the bed"),
    ],
    ids=["taller than the printer", "a brim beyond the bed", "a part beside the bed"],
)
def test_what_the_slicer_writes_in_silence_the_guard_refuses(
    size_mm: tuple[float, float, float],
    profile: Profile,
    options: tuple[str, ...],
    reason: str,
    tmp_path: Path,
) -> None:
    bed = "0x0,250x0,250x210,0x210"
    lines = job_ini(profile, PLA).splitlines()
    ini = [f"bed_shape = {bed}" if line.startswith("bed_shape") else line for line in lines]
    (tmp_path / "job.ini").write_text("\n".join(ini) + "\n")
    aside = 300 if "--dont-arrange" in options else -1
    write_stl(tmp_path / "part.stl", box(*size_mm, at=(aside, 0, 0)))
    assert raw(tmp_path, "--load", "job.ini", *options) == 0
    with (tmp_path / "out.gcode").open("rb") as file, pytest.raises(GcodeRefused, match=reason):
        measure(file, profile.guard())


def test_the_slicer_is_asked_in_one_way_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file that we wrote, no script, nothing that turns its own checks off, no display."""
    asked: list[tuple[list[str], dict[str, str]]] = []
    real = jail.run

    def heard(argv: Sequence[str], **how: Any) -> jail.Ended:
        asked.append((list(argv), dict(how.get("environment", {}))))
        return real(argv, **how)

    monkeypatch.setattr(jail, "run", heard)
    sliced(box(10, 10, 1), tmp_path, copies=2)
    argv, around = asked[-1]
    assert argv == [
        *("prusa-slicer", "-g", "--load", "job.ini", "--loglevel", "1", "--post-process", ""),
        *("--duplicate", "2", "-o", "out.gcode", "part.stl"),
    ]
    assert not {"DISPLAY", "WAYLAND_DISPLAY"} & around.keys()
    assert "\npost_process = \n" in (tmp_path / "job" / "job.ini").read_text()


def test_what_it_says_of_settings_is_passed_on(tmp_path: Path) -> None:
    """The layer is thin enough for the nozzle, and the line far too wide for the layer."""
    tuning = Tuning.from_json({"settings": {"perimeter_extrusion_width": "2.5"}, "filaments": {}})
    with pytest.raises(BadSettings, match=r"refuses these choices: .*\w{4,}"):
        sliced(box(10, 10, 1), tmp_path, profile=dataclasses.replace(MK3S, tuning=tuning))


def test_one_triangle_is_no_part(tmp_path: Path) -> None:
    with pytest.raises((BadMesh, NotPrintable)):
        sliced(np.array([[(0, 0, 0), (10, 0, 5), (0, 10, 10)]]), tmp_path)


HEAVY = ball(40, rings=260, sides=500)


def test_the_limit_of_cpu_ends_a_slice(tmp_path: Path) -> None:
    with pytest.raises(TooMuchWork, match="too long"):
        sliced(HEAVY, tmp_path, limits=dataclasses.replace(slicer.LIMITS, cpu_s=1))


@pytest.mark.parametrize("memory_bytes", [240_000_000, 280_000_000, 330_000_000])
def test_too_little_memory_ends_a_slice_for_good(memory_bytes: int, tmp_path: Path) -> None:
    """It says so, or breaks, or finds no hull: never a word on the choices or the number of copies,
    and nothing to be tried again."""
    few = dataclasses.replace(slicer.LIMITS, memory_bytes=memory_bytes)
    with pytest.raises((TooMuchWork, SlicerCrashed, NotPrintable)):
        sliced(HEAVY, tmp_path, limits=few)


def test_two_slices_differ_in_bytes_and_agree_in_what_they_take(tmp_path: Path) -> None:
    """So a slice is known by what it was made from, never by what came out."""
    made = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        made.append(sliced(ball(12, rings=24, sides=36), tmp_path / name))
    one, other = made
    assert one.cache_key == other.cache_key
    assert one.filament_um == pytest.approx(other.filament_um, rel=1e-4)
    assert one.duration_s == pytest.approx(other.duration_s, abs=1)


# --- one that fails -------------------------------------------------------------------------------

ENDINGS = {
    "an abort that says why": (
        "echo 'Objects could not fit on the bed' >&2; kill -ABRT $$",
        TooBig,
        "order fewer",
    ),
    "an abort": ("kill -ABRT $$", SlicerCrashed, "crashed on this part"),
    "a broken pointer": ("echo words >&2; kill -SEGV $$", SlicerCrashed, "crashed on this part"),
    "success and no file": ("exit 0", SlicerCrashed, "without a result"),
    "a full disk": ("echo 'failed\nIs the disk full?' >&2; exit 1", SlicerMissing, "disk full"),
    "a broken install": (
        "echo 'error while loading shared libraries: libx.so' >&2; exit 127",
        SlicerMissing,
        "libx.so",
    ),
    "no, without a word": ("exit 1", BadSettings, "no reason given"),
    "no, in other words": ("echo 'x\033[31m is wrong' >&2; exit 1", BadSettings, r"x\?\[31m is"),
    "a link in place of a file": ("ln -s /etc/passwd out.gcode", SlicerCrashed, "without a result"),
    "an empty file": (": > out.gcode", GcodeRefused, "prints nothing|no line"),
    "a file of another's": ("echo 'M997' > out.gcode", GcodeRefused, "M997"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending_has_its_meaning(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does, kind, words = ENDINGS[name]
    broken = tmp_path / "slicer"
    broken.write_text(
        f'#!/bin/sh\n[ "$1" = --help ] && echo PrusaSlicer-2.5.0 && exit\n{does}\n',
    )
    broken.chmod(0o755)
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)  # without namespaces the other user must be able to reach it
    monkeypatch.setattr(jail, "isolation", lambda: jail.Isolation.LIMITS)
    with pytest.raises(kind, match=words) as refused:
        sliced(box(10, 10, 1), tmp_path, program=str(broken))
    assert type(refused.value) is kind
    assert len(str(refused.value)) > 20, "it says what to do"


# --- programs that a file names -------------------------------------------------------------------


def test_a_script_named_in_a_3mf_never_runs(tmp_path: Path) -> None:
    """The control shows that this slicer runs it, with our settings too, unless it is told not to.
    To us it is no STL, whatever it is called; read as a 3MF only its triangles are left of it."""
    mark, script = tmp_path / "mark", tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n")
    script.chmod(0o755)
    model = model_xml(build='<item objectid="1" transform="9 0 0 0 9 0 0 0 9 0 0 0"/>')
    config = f"; the first line is not read\n; post_process = {script}\n"
    evil = threemf(model, others={"Metadata/Slic3r_PE.config": config})
    (tmp_path / "evil.3mf").write_bytes(evil)
    without = [each for each in job_ini(MK3S, PLA).splitlines() if "post_process" not in each]
    (tmp_path / "printer.ini").write_text("\n".join(without) + "\n")
    (tmp_path / "job.ini").write_text(job_ini(MK3S, PLA))

    def ran(*options: str) -> bool:
        mark.unlink(missing_ok=True)
        assert raw(tmp_path, *options, files=("evil.3mf",)) == 0
        return mark.exists()

    assert ran()
    assert ran("--load", "printer.ini")
    assert not ran("--load", "printer.ini", "--post-process", "")
    assert not ran("--load", "job.ini")
    mark.unlink(missing_ok=True)
    (tmp_path / "part.stl").write_bytes(evil)
    (tmp_path / "job").mkdir()
    with pytest.raises(BadMesh):
        slice_plate(tmp_path / "part.stl", profile=MK3S, choices=PLA, folder=tmp_path / "job")
    assert list((tmp_path / "job").iterdir()) == []
    corners = read("evil.3mf", memoryview(evil), limits=FileLimits()).corners
    (tmp_path / "read").mkdir()
    assert sliced(corners, tmp_path / "read").mass_mg > 0
    assert not mark.exists()
