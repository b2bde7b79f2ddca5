"""What surrounds a print is its printer's own start and end code, as the slicer fills them in."""

import re
from dataclasses import replace

import pytest

from printers.capability import COMMON, Profile, as_filled
from printers.gcode import GcodeRefused
from printers.own_codes import check_own_codes

PROFILE = replace(
    COMMON["virtual"],
    start_gcode=(
        "G28 ; home\nM104 S[first_layer_temperature]\n; a word\nG1 X5 E2 F600\nM300 S500 P10\n"
        "M221 S{if layer_height<0.075}100{else}95{endif}\n"
    ),
    end_gcode=(
        "{if max_layer_z < max_print_height}G1 Z{min(max_layer_z+5, max_print_height)} F600{endif}"
        "\n{if layer_z < max_print_height}G1 X5 F600 ; present it{endif}\nM104 S0\nM84\n"
    ),
)
HEAD = b"; slicer\nM107\nG28 ; home\nM104 S215\nG1 X5 E2 F600\nM300 S500 P10\nM221 S95\nG21\nG90\n"
PRINT = b";LAYER_CHANGE\nG1 X9 Y9 E1\n;LAYER_CHANGE\nG1 X8 Y9 E1\nM107\n"
TAIL = b"G1 Z20.4 F600\nM104 S0\nM84\nM73 P100\n; settings\n"


def why(gcode: bytes, profile: Profile = PROFILE) -> str:
    with pytest.raises(GcodeRefused) as caught:
        check_own_codes(gcode, profile)
    return caught.value.reason


def test_the_codes_as_filled_in_pass() -> None:
    check_own_codes(HEAD + PRINT + TAIL, PROFILE)
    check_own_codes(HEAD + PRINT + TAIL.replace(b"G1 Z20.4 F600\n", b""), PROFILE)
    check_own_codes(HEAD + PRINT + TAIL.replace(b"M104 S0", b"G1 X5 F600\nM104 S0"), PROFILE)
    check_own_codes((HEAD + PRINT + TAIL).replace(b"\n", b"\r\n"), PROFILE)
    check_own_codes(PRINT, replace(PROFILE, start_gcode="", end_gcode=""))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"G28 ; home\n", b""),
        (b"G28 ; home\n", b"G28 X\n"),
        (b"M104 S215", b"M104 S"),
        (b"M104 S215\n", b"M104 S215\nG1 X9\n"),
        (b"M104 S215\n", b""),
        (b"M221 S95\n", b""),
        (b"M300 S500", b"M300 S501"),
        (b"M221 S95", b"M221 S[95]"),
        (b"G1 X5 E2 F600\nM300 S500 P10\n", b"M300 S500 P10\nG1 X5 E2 F600\n"),
    ],
)
def test_another_head_is_refused(old: bytes, new: bytes) -> None:
    assert HEAD.count(old) == 1
    assert "start code" in why(HEAD.replace(old, new) + PRINT + TAIL)


@pytest.mark.parametrize("tail", [TAIL + b"G28\n", TAIL.replace(b"M84", b"M18"), b"", b"M84\n"])
def test_another_end_is_refused(tail: bytes) -> None:
    assert "end code" in why(HEAD + PRINT + tail)


@pytest.mark.parametrize(
    "gcode",
    [
        b"G28\n" + HEAD + PRINT + TAIL,
        HEAD + b"M300 S1 P1\n" + PRINT + TAIL,
        HEAD + PRINT.replace(b"G1 X9", b"G4 S1\nG1 X9") + TAIL,
        HEAD + PRINT + b"M220 S50\n" + TAIL,
    ],
)
def test_what_only_an_owner_says_stands_nowhere_else(gcode: bytes) -> None:
    assert "is not in this printer's start or end code" in why(gcode)


def test_without_marks_of_layers_nothing_is_proved() -> None:
    assert "marks no layers" in why(HEAD + TAIL)


@pytest.mark.parametrize("name", COMMON)
def test_every_line_of_a_common_printer_has_its_form(name: str) -> None:
    for code in (COMMON[name].start_gcode, COMMON[name].end_gcode):
        lines = [line for line in code.splitlines() if line.partition(";")[0].strip()]
        assert as_filled(code).count("\\n") == len(lines)
        re.compile(as_filled(code))
