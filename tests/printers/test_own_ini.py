"""A workshop's own settings, as its slicer exports them, and files made to do harm."""

from pathlib import Path

import pytest

from basis.errors import Invalid, TooLarge
from printers.capability import Choices
from printers.own_ini import MOST_BYTES, read_ini
from printers.presets import Built
from printers.slicer_ini import job_ini
from printers.slicer_keys import NEVER
from printers.trial import tried
from tests.support.slicer_export import exported

pytestmark = pytest.mark.slicer

CODES = {"start_gcode": r"G28\nG92 E0\n", "end_gcode": r"M104 S0\nM84\n"}


def why(of: Built, name: str) -> str:
    return "; ".join(each.why for each in of.left_out if each.name == name)


def test_what_the_slicer_exports_is_read_and_sliced_with(tmp_path: Path) -> None:
    text = exported(tmp_path, **CODES, printer_settings_id="My Ender", retract_length="4.5")
    made = read_ini(text.encode(), name="ender.ini")
    profile = made.profile
    assert (profile.name, profile.bed_x_mm, profile.height_mm) == ("My Ender", 220, 240)
    assert (profile.retract_um, profile.print_mm_s) == (4_500, 45)
    assert profile.tuning is not None
    assert "ender.ini" in profile.tuning.origin and "My Ender" in profile.tuning.origin
    ini = job_ini(profile, Choices(material="PLA"))
    assert "temperature = 205\n" in ini
    assert "bed_temperature = 55\n" in ini
    assert made.codes == {}
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert tried(profile, scratch=scratch, wall_s=120).fault == ""


def test_a_file_that_names_a_script_never_runs_it_and_says_so(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    text = exported(
        tmp_path,
        **CODES,
        post_process=str(script),
        print_host="10.0.0.1",
        printhost_apikey="secret",
        layer_gcode=r"M500\n",
        unheard_of="7",
    )
    made = read_ini(text.encode())
    for name in ("post_process", "print_host", "printhost_apikey", "layer_gcode"):
        assert why(made, name) == NEVER[name]
    assert "not on the list" in why(made, "unheard_of")
    assert [each.name for each in made.left_out if each.look] == ["post_process"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert tried(made.profile, scratch=scratch, wall_s=120).fault == ""
    assert not ran.exists()
    assert str(script) not in str(made.profile.as_json())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "bed_shape|firmware"),
        (b"\xff\xfe", "UTF-8"),
        (b"[print:a]\nx = 1\n", "Export config"),
        (b"just words\n", "line 1"),
        (b"a = 1\na = 2\n", "twice"),
        (b"Upper = 1\n", "line 1"),
        (b"a = " + b"x" * 30_000 + b"\n", "line 1"),
        (b"a = 1\n" * 2_500, "lines"),
        (b"gcode_flavor = marlin\nbed_shape = 0x0,9x0,9x9,0x9\n", "max_print_height"),
        (b"gcode_flavor = marlin\n\nbed_shape = 0x0,9x0,9x9,0x9\nmax_print_height = 9\n"
         b"nozzle_diameter = 0.4\n", "bed_x_mm"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_refused_with_its_line_or_name(content: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read_ini(content)


def test_a_file_of_any_size_is_not_read() -> None:
    with pytest.raises(TooLarge):
        read_ini(b"#" * (MOST_BYTES + 1))
