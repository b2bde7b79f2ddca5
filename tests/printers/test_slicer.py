"""The real PrusaSlicer in its jail: what comes out, and every way in which it does not."""

import dataclasses
import hashlib
import io
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from basis import jail
from basis.errors import Invalid
from printers import slicer
from printers.capability import COMMON, Choices, Profile, margin_um
from printers.gcode import GcodeRefused, measure
from printers.slicer import (
    BadMesh,
    BadSettings,
    NoFootprint,
    NotPrintable,
    Sliced,
    SlicerMissing,
    TooBig,
    TooMuchWork,
    TooTall,
    TooThin,
    cache_key,
    copies_that_fit,
    engine_version,
    job_ini,
    slice_plate,
)
from printers.slicer_ini import KEYS, render
from tests.support.solids import ball, box, cone, stl, write_stl

pytestmark = pytest.mark.slicer

MK3S, VIRTUAL = COMMON["mk3s"], COMMON["virtual"]
PLA = Choices(material="PLA")


def sliced(corners: ArrayLike, folder: Path, **given: Any) -> Sliced:
    part = write_stl(folder / "in.stl", corners)
    job = folder / "job"
    job.mkdir()
    return slice_plate(part, **{"profile": MK3S, "choices": PLA, "folder": job, **given})


def test_a_box_weighs_and_measures_what_it_must(tmp_path: Path) -> None:
    """20 × 20 × 5 mm at 100 %: 2 cm³, 2.48 g of PLA, and the purge and skirt of our own making."""
    choices = dataclasses.replace(PLA, infill_pct=100)
    done = sliced(box(20, 20, 5), tmp_path, choices=choices)
    content = done.gcode.read_bytes()
    assert done.size == len(content)
    assert done.sha256 == hashlib.sha256(content).hexdigest()
    assert done.sha1 == hashlib.sha1(content, usedforsecurity=False).hexdigest()
    assert 2_480 <= done.mass_mg <= 2_480 * 1.08
    assert "1.24 g/cm³ (PLA)" in done.mass_source
    assert done.layers == 25
    assert done.box_um[2] == 200
    assert done.box_um[5] == 5_000
    reach_um = 10_000 + margin_um(MK3S, choices)
    assert 125_000 - reach_um <= done.box_um[0] <= 115_000
    assert 135_000 <= done.box_um[3] <= 125_000 + reach_um
    assert done.engine == f"PrusaSlicer {engine_version()}" == done.duration_source.split(" of ")[1]
    assert 120 <= done.duration_s <= 3_600
    assert done.warnings == ()


def test_two_copies_take_twice_as_much(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    brim = Choices(material="PETG", brim_mm=3)
    one = sliced(box(20, 20, 5), tmp_path / "one", choices=brim)
    two = sliced(box(20, 20, 5), tmp_path / "two", choices=brim, copies=2)
    purge_um = 16_000  # the start code's, once a plate
    double_um = 2 * (one.filament_um - purge_um)
    assert two.filament_um - purge_um == pytest.approx(double_um, rel=0.01)
    assert one.cache_key != two.cache_key


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize("material", ["PLA", "TPU"])
def test_every_common_printer_slices(name: str, material: str, tmp_path: Path) -> None:
    done = sliced(
        box(10, 10, 3), tmp_path, profile=COMMON[name], choices=Choices(material=material)
    )
    assert done.mass_mg > 0


def test_the_virtual_printer_is_never_waited_for(tmp_path: Path) -> None:
    lines = sliced(box(8, 8, 4), tmp_path, profile=VIRTUAL).gcode.read_text().splitlines()
    assert not [line for line in lines if line.startswith(("M109", "M190", "G4"))]
    assert [line for line in lines if line.startswith("M104 S215")]


# --- what is refused before the slicer sees it ----------------------------------------------------

NOT_OURS = {
    "empty": b"",
    "zeros": bytes(84),
    "garbage": os.urandom(1_000),
    "cut off": stl(box(9, 9, 9))[:-1],
    "too long": stl(box(9, 9, 9)) + b"\0",
    "text": b"solid a\nfacet normal 0 0 1\n outer loop\n",
    "not a number": stl(box(9, 9, float("nan"))),
    "infinite": stl(box(9, 9, float("inf"))),
    "as large as a house": stl(box(9, 9, 1e6)),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_what_is_not_a_checked_stl_never_reaches_the_slicer(name: str, tmp_path: Path) -> None:
    part = tmp_path / "part.stl"
    part.write_bytes(NOT_OURS[name])
    with pytest.raises(BadMesh):
        slice_plate(part, profile=MK3S, choices=PLA, folder=tmp_path, program="no-such-slicer")


def three_mf(script: Path) -> bytes:
    """A 3MF whose settings name a script, padded so that it is also a well-sized binary STL."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("Metadata/Slic3r_PE.config", f"; post_process = {script}\n")
        archive.writestr("3D/3dmodel.model", "<model/>")
    content = body.getvalue()
    count = -(-(len(content) - 84) // 50)
    padded = content[:80] + count.to_bytes(4, "little") + content[84:]
    return padded.ljust(84 + 50 * count, b"\0")


def test_a_3mf_is_refused_before_the_slicer(tmp_path: Path) -> None:
    part = tmp_path / "part.stl"
    part.write_bytes(three_mf(tmp_path / "script")[:-7])
    with pytest.raises(BadMesh):
        slice_plate(part, profile=MK3S, choices=PLA, folder=tmp_path, program="no-such-slicer")


def test_only_corners_reach_the_slicer(tmp_path: Path) -> None:
    """A header or an attribute that means something to some reader is not passed on."""
    part, job = tmp_path / "part.stl", tmp_path / "job"
    job.mkdir()
    content = bytearray(stl(box(9, 9, 3), header=b"PK\x03\x04 solid post_process = /bin/sh"))
    content[84 + 48 : 84 + 50] = b"\x12\x34"
    part.write_bytes(bytes(content))
    slice_plate(part, profile=MK3S, choices=PLA, folder=job)
    rewritten = (job / "part.stl").read_bytes()
    assert rewritten[:2] != b"PK"
    assert b"post_process" not in rewritten
    assert rewritten.count(b"\x12\x34") == 0


@pytest.mark.parametrize(
    ("corners", "kind"),
    [
        (box(260, 20, 20), TooBig),
        (box(220, 220, 20), TooBig),
        (box(20, 20, 210.01), TooTall),
        (box(20, 20, 0), NotPrintable),
    ],
)
def test_too_large_is_known_without_slicing(
    corners: ArrayLike, kind: type[Invalid], tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        sliced(corners, tmp_path, program="no-such-slicer")
    assert str(caught.value).count(":") >= 1, "it says what to do"


@pytest.mark.parametrize("brim_mm", [0, 5])
def test_the_largest_part_leaves_room_for_its_brim(brim_mm: int, tmp_path: Path) -> None:
    choices = dataclasses.replace(PLA, brim_mm=brim_mm, infill_pct=0)
    edge_mm = 2 * margin_um(MK3S, choices) / 1000
    done = sliced(box(250 - edge_mm, 210 - edge_mm, 0.4), tmp_path, choices=choices)
    assert min(done.box_um[:2]) >= 0
    assert done.box_um[0] < 2_000
    (tmp_path / "more").mkdir()
    with pytest.raises(TooBig):
        sliced(box(250.01 - edge_mm, 10, 0.4), tmp_path / "more", choices=choices)


def test_a_part_that_fits_only_turned_is_turned(tmp_path: Path) -> None:
    done = sliced(box(100, 230, 0.4), tmp_path)
    assert done.warnings == ("turned by 90° on the bed, because it fits only so",)
    assert done.box_um[3] - done.box_um[0] > 230_000 > done.box_um[4] - done.box_um[1]


def test_the_tallest_part_prints_to_the_top(tmp_path: Path) -> None:
    """All its numbers are positive: a file the slicer would take for text, were it not marked."""
    low = dataclasses.replace(MK3S, height_mm=30)
    assert sliced(box(5, 5, 30), tmp_path, profile=low).box_um[5] == 30_000


# --- what the slicer itself refuses ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("corners", "copies", "kind", "advice"),
    [
        (box(20, 20, 2), 200, TooBig, "order fewer"),
        (box(20, 20, 20)[2:], 1, NotPrintable, "close its open edges"),
        (box(0.02, 0.02, 0.02), 1, NotPrintable, "check its unit"),
        (box(0.2, 0.2, 10), 1, TooThin, "thicken"),
        (cone(10, 20), 1, NoFootprint, "turn it"),
    ],
    ids=["copies", "open", "tiny", "pillar", "tip"],
)
def test_what_the_slicer_says_no_to(
    corners: ArrayLike, copies: int, kind: type[Invalid], advice: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=advice):
        sliced(corners, tmp_path, copies=copies)
    assert not (tmp_path / "job" / "out.gcode").exists()


def test_what_the_slicer_repairs_is_printed_whole(tmp_path: Path) -> None:
    """Turned inside out, floating above the bed: the same box, so the same filament."""
    used = []
    for name, corners in [
        ("plain", box(20, 20, 5)),
        ("inside out", box(20, 20, 5)[:, ::-1]),
        ("floating", box(20, 20, 5, at=(-300, 70, 50))),
    ]:
        (tmp_path / name).mkdir()
        used.append(sliced(corners, tmp_path / name).filament_um)
    assert used[1] == pytest.approx(used[0], rel=0.001)
    assert used[2] == pytest.approx(used[0], rel=0.001)


def test_g_code_for_one_printer_does_not_pass_another(tmp_path: Path) -> None:
    """The slicer's answer is read by a guard that knows the bed, whatever the slicer was told."""
    done = sliced(box(20, 20, 1), tmp_path)
    small = dataclasses.replace(VIRTUAL, bed_x_mm=120, bed_y_mm=120)
    with done.gcode.open("rb") as file, pytest.raises(GcodeRefused, match="beyond the bed"):
        measure(file, small.guard())


def test_limits_end_a_slice(tmp_path: Path) -> None:
    corners = ball(30, rings=40, sides=90)
    for name, limits, reason in [
        ("time", dataclasses.replace(slicer.LIMITS, wall_s=0.05), "too long"),
        ("file", dataclasses.replace(slicer.LIMITS, file_bytes=100_000), "would be over"),
    ]:
        (tmp_path / name).mkdir()
        with pytest.raises(TooMuchWork, match=reason):
            sliced(corners, tmp_path / name, limits=limits)


def test_an_everyday_part_stays_far_below_the_limits(tmp_path: Path) -> None:
    corners = ball(20, rings=50, sides=72)
    assert 6_900 <= len(corners) <= 7_200
    tenth = dataclasses.replace(slicer.LIMITS, memory_bytes=1_000_000_000, cpu_s=60)
    done = sliced(corners, tmp_path, profile=VIRTUAL, limits=tenth)
    assert done.layers == 200


def test_it_works_without_user_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail, "isolation", lambda: jail.Isolation.LIMITS)
    tmp_path.chmod(0o755)
    for above in tmp_path.parents[:2]:
        above.chmod(0o755)  # the other user must be able to reach the folder
    assert sliced(box(10, 10, 2), tmp_path).layers == 10


def test_a_missing_slicer_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(SlicerMissing, match="apt install prusa-slicer"):
        sliced(box(9, 9, 3), tmp_path, program="no-such-slicer")


def test_another_program_is_not_taken_for_the_slicer(tmp_path: Path) -> None:
    with pytest.raises(SlicerMissing, match="does not answer as PrusaSlicer"):
        sliced(box(9, 9, 3), tmp_path, program="true")


@pytest.mark.parametrize("copies", [0, -1, 201])
def test_copies_have_bounds(copies: int, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="copies"):
        sliced(box(9, 9, 3), tmp_path, copies=copies)


# --- the settings ---------------------------------------------------------------------------------

INSISTED = {
    *("printer_technology", "gcode_flavor", "bed_shape", "max_print_height", "nozzle_diameter"),
    *("filament_diameter", "filament_density", "filament_cost", "filament_type", "temperature"),
    *("first_layer_temperature", "bed_temperature", "first_layer_bed_temperature"),
    *("layer_height", "first_layer_height", "fill_density", "fill_pattern", "perimeters"),
    *("support_material", "use_relative_e_distances", "start_gcode", "end_gcode", "post_process"),
}


def values_of(ini: str) -> dict[str, str]:
    return dict(line.split(" = ", 1) for line in ini.splitlines())


def test_no_setting_is_left_to_a_default() -> None:
    assert INSISTED <= KEYS.keys() == values_of(job_ini(MK3S, PLA)).keys()


def test_the_slicer_knows_every_setting() -> None:
    """It ignores unknown names in silence, so each must come back in the settings it writes."""
    known = subprocess.run(
        ["prusa-slicer", "--help-fff"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    options = {option.strip(" ,").replace("-", "_") for option in known.split() if "--" in option}
    options = {option.lstrip("_") for option in options}
    # The command line calls `layer_gcode` by another name.
    assert set(KEYS) - options <= {"layer_gcode"}


def test_the_slicer_takes_the_settings_as_they_are_meant(tmp_path: Path) -> None:
    """What it writes at the end of its G-code is what it was told, start code and all."""
    odd = dataclasses.replace(MK3S, start_gcode='G28 ; a \\n "b" = c\nG90\nM83\nG92 E0')
    done = sliced(box(10, 10, 2), tmp_path, profile=odd, choices=Choices(material="ASA"))
    content = done.gcode.read_text()
    assert '\nG28 ; a \\n "b" = c\nG90\nM83\nG92 E0\n' in content
    written = values_of(
        content.split("; prusaslicer_config = begin\n")[1].replace("\n; ", "\n")[2:]
    )
    for name, value in values_of(job_ini(odd, Choices(material="ASA"))).items():
        told = value.strip('"') if name.endswith("filament_gcode") else value
        assert written[name].split(",")[0].strip('"') == told.split(",")[0].strip('"'), name


@pytest.mark.parametrize("name", sorted(KEYS))
def test_no_value_can_begin_a_second_setting(name: str) -> None:
    values = values_of(job_ini(MK3S, PLA))
    for bad in ("1\npost_process = /tmp/x", "1\rpost_process = /tmp/x", "\n"):
        with pytest.raises(BadSettings):
            render({**values, name: bad})


@pytest.mark.parametrize("extra", ["post_process", "printer_notes", "print_host"])
def test_no_setting_off_the_list(extra: str) -> None:
    values = values_of(job_ini(MK3S, PLA))
    with pytest.raises(BadSettings):
        render({**values, extra: "/tmp/script"})
    with pytest.raises(BadSettings):
        render({name: value for name, value in values.items() if name != "post_process"})


@pytest.mark.parametrize(
    ("profile", "choices", "reason"),
    [
        (COMMON["ender3"], Choices(material="ASA"), "nozzle of 255 °C"),
        (dataclasses.replace(MK3S, max_bed_c=60), Choices(material="PETG"), "bed of 85 °C"),
        (MK3S, Choices(material="PLA", layer_height_um=330), "at most 0.32 mm"),
    ],
)
def test_choices_that_do_not_suit_the_printer(
    profile: Profile, choices: Choices, reason: str
) -> None:
    with pytest.raises(BadSettings, match=reason):
        job_ini(profile, choices)


def test_a_script_named_in_a_settings_file_never_runs(tmp_path: Path) -> None:
    """The control shows that this slicer does run it when nothing forbids it."""
    mark = tmp_path / "mark"
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n")
    script.chmod(0o755)
    (tmp_path / "evil.ini").write_text(f"post_process = {script}\n")
    (tmp_path / "job.ini").write_text(job_ini(MK3S, PLA))
    part = write_stl(tmp_path / "part.stl", box(10, 10, 1, at=(-1, 0, 0)))

    def ran(*options: str) -> bool:
        mark.unlink(missing_ok=True)
        subprocess.run(
            ["prusa-slicer", "-g", *options, "-o", "out.gcode", part.name],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            check=True,
            timeout=60,
        )
        return mark.exists()

    assert ran("--load", "evil.ini")
    assert not ran("--load", "evil.ini", "--post-process", "")
    assert not ran("--load", "evil.ini", "--load", "job.ini")


# --- the cache ------------------------------------------------------------------------------------


def test_a_cache_key_names_all_that_decides(tmp_path: Path) -> None:
    done = sliced(box(10, 10, 1), tmp_path)
    part = hashlib.sha256(stl(box(10, 10, 1))).hexdigest()
    ini, version = job_ini(MK3S, PLA), engine_version()

    def key(stl_sha256: str = part, ini: str = ini, version: str = version, copies: int = 1) -> str:
        return cache_key(stl_sha256=stl_sha256, ini=ini, engine_version=version, copies=copies)

    assert key() == done.cache_key
    red = job_ini(MK3S, dataclasses.replace(PLA, colour="red"))
    assert key(ini=red) == done.cache_key, "a colour changes no G-code"
    others = {
        key(stl_sha256="0" * 64),
        key(ini=job_ini(MK3S, Choices(material="PETG"))),
        key(version="2.6.0"),
        key(copies=2),
    }
    assert len(others - {done.cache_key}) == 4


def test_boxes_that_run_into_each_other_are_printed_as_one(tmp_path: Path) -> None:
    """The slicer merges what intersects itself: it takes less than both boxes would."""
    (tmp_path / "one").mkdir()
    (tmp_path / "both").mkdir()
    full = dataclasses.replace(PLA, infill_pct=100)
    one = sliced(box(20, 20, 5), tmp_path / "one", choices=full)
    shifted = np.concatenate([box(20, 20, 5), box(20, 20, 5, at=(10, 0, 0))])
    both = sliced(shifted, tmp_path / "both", choices=full)
    assert one.mass_mg * 1.3 < both.mass_mg < one.mass_mg * 1.7


def test_g_code_taller_than_the_printer_does_not_pass_whatever_the_slicer_said(
    tmp_path: Path,
) -> None:
    """PrusaSlicer writes `Z400` for a printer of 210 mm and ends well: the guard reads it again."""
    done = sliced(box(20, 20, 60), tmp_path)
    low = dataclasses.replace(MK3S, height_mm=50)
    with done.gcode.open("rb") as file, pytest.raises(GcodeRefused, match=r"Z would go|height"):
        measure(file, low.guard())


@pytest.mark.parametrize("copies", [2, 4, 9])
def test_what_surely_fits_together_is_sliced_together(copies: int, tmp_path: Path) -> None:
    """A plate of so many, apart by what each needs around it, and each of them in it."""
    side_mm = 60 if copies == 9 else 80
    choices = dataclasses.replace(PLA, infill_pct=0, layer_height_um=300, brim_mm=3)
    assert copies_that_fit(MK3S, choices, (side_mm * 1000, side_mm * 1000)) >= copies
    (tmp_path / "one").mkdir()
    (tmp_path / "all").mkdir()
    part = box(side_mm, side_mm, 1)
    one = sliced(part, tmp_path / "one", choices=choices)
    together = sliced(part, tmp_path / "all", choices=choices, copies=copies)
    purge_um = 16_000
    assert together.filament_um - purge_um == pytest.approx(
        copies * (one.filament_um - purge_um), rel=0.02
    )
    assert together.duration_s < copies * one.duration_s


def test_more_than_fits_says_how_many_would(tmp_path: Path) -> None:
    with pytest.raises(TooBig, match="4 of them surely do"):
        sliced(box(90, 90, 1), tmp_path, copies=9)


@pytest.mark.parametrize(
    ("size_mm", "brim_mm", "count"),
    [
        ((90, 90), 0, 4),
        ((249, 100), 0, 0),
        ((200, 190), 0, 1),
        ((10, 10), 0, 15 * 13),
        ((60, 60), 5, 6),
    ],
)
def test_how_many_surely_fit_is_counted_in_rows(
    size_mm: tuple[int, int], brim_mm: int, count: int
) -> None:
    choices = dataclasses.replace(PLA, brim_mm=brim_mm)
    size_um = (size_mm[0] * 1_000, size_mm[1] * 1_000)
    assert copies_that_fit(MK3S, choices, size_um) == count
