"""The guard: what is measured, what is refused, and that no disguise gets past it."""

import io
import math
import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from basis.errors import Invalid
from printers.estimates import estimates
from printers.gcode import GcodeRefused, Guard, Measured, check_lines, measure
from printers.gcode_flavours import allowed

SQUARE = ((0, 0), (200_000, 0), (200_000, 150_000), (0, 150_000))
GUARD = Guard(bed_um=SQUARE, max_height_um=180_000, max_nozzle_c=260, max_bed_c=100)
ROUND = tuple(
    (round(100_000 * math.cos(i * math.pi / 32)), round(100_000 * math.sin(i * math.pi / 32)))
    for i in range(64)
)

START = b"G28\nG90\nM83\nM140 S60\nM104 S210\nG1 X0 Y-3 Z0.3 F3000\nG1 X60 E9 F1000\nG92 E0\n"
LAYERS = (
    b";LAYER_CHANGE\n;Z:0.2\nG1 Z.2 F7800\nG1 X10 Y20 F9000\nG1 X30 Y20 E1.5\nG1 X30 Y50.5 E2\n"
    b"G1 E-.8 F2400\n;LAYER_CHANGE\nG1 Z.4\nG1 X12 Y22\nG1 E.8\nG1 X12 Y30 E.25\n"
)
END = b"M107\nM104 S0\nG91\nG1 Z5 F600\nG90\nG1 X0 Y140\nM84 X Y E\n"
PRINT = START + LAYERS + END


def run(data: bytes, guard: Guard = GUARD) -> Measured:
    return measure(io.BytesIO(data), guard)


def refused(data: bytes, guard: Guard = GUARD) -> GcodeRefused:
    with pytest.raises(GcodeRefused) as caught:
        run(data, guard)
    return caught.value


def test_a_print_is_measured_exactly() -> None:
    assert run(PRINT) == Measured(
        lines=PRINT.count(b"\n"),
        commands=len([x for x in PRINT.splitlines() if not x.startswith(b";")]),
        size=len(PRINT),
        layers=2,
        filament_um=9_000 + 1_500 + 2_000 + 250,
        box_um=(10_000, 20_000, 200, 30_000, 50_500, 400),
        max_nozzle_c=210,
        max_bed_c=60,
    )


def test_absolute_extrusion_measures_the_same() -> None:
    body = (
        b"G92 E0\n;LAYER_CHANGE\nG1 Z.2\nG1 X10 Y20\nG1 X30 Y20 E1.5\nG1 X30 Y50.5 E3.5\nG1 E2.7\n"
        b"G92 E0\n;LAYER_CHANGE\nG1 Z.4\nG1 X12 Y22\nG1 E.8\nG92 E0\nG1 X12 Y30 E.25\n"
    )
    absolute = run(b"G28\nG90\nM82\n" + body)
    relative = run(b"G28\nG90\nM83\n" + LAYERS)
    assert absolute.filament_um == relative.filament_um == 3_750
    assert absolute.box_um == relative.box_um


def test_crlf_and_a_last_line_without_end_are_fine() -> None:
    assert run(PRINT.replace(b"\n", b"\r\n")).box_um == run(PRINT).box_um
    assert run(PRINT.rstrip(b"\n")).commands == run(PRINT).commands


@pytest.mark.parametrize("data", [b"", b"; nothing\n;LAYER_CHANGE\n", START, b"G28\nG4 P100\n" * 5])
def test_a_file_that_prints_nothing_is_refused(data: bytes) -> None:
    # A purge beside the bed is no print, and START alone has nothing but that.
    assert refused(data).line in {0, 7}


@pytest.mark.parametrize(
    ("line", "passes"),
    [
        (b"G1 X200 Y150 E1", True),
        (b"G1 X200.001 Y150 E1", False),
        (b"G1 X0 Y0 E1", True),
        (b"G1 X-0.001 Y0 E1", False),
        (b"G1 X50 Y150.001 E-1", False),  # a wipe touches the print too
        (b"G1 X100 Y-50", True),  # travel may leave the bed
        (b"G1 X100 Y-61", False),  # but not the machine
        (b"G0 X261", False),
        (b"G1 Z180 E1", True),
        (b"G1 Z180.001 E1", False),
        (b"G1 Z190", True),
        (b"G1 Z190.001", False),
        (b"G1 Z-0.001", False),
        (b"G1 X20 F36000", True),
        (b"G1 X20 F36001", False),
        (b"G1 X20 F0", False),
        (b"M104 S260", True),
        (b"M104 S261", False),
        (b"M109 R261", False),
        (b"M104 S-1", False),
        (b"M140 S100", True),
        (b"M190 S100.5", False),
        (b"M104 S200 T1", False),
        (b"M106 S255", True),
        (b"M106 S256", False),
        (b"G4 S600", True),
        (b"G4 S601", False),
        (b"M203 X600 Y600", True),
        (b"M203 X601", False),
        (b"M221 S151", False),
    ],
)
def test_each_limit_on_both_sides(line: bytes, passes: bool) -> None:
    data = START + LAYERS + line + b"\n"
    if passes:
        run(data)
    else:
        refusal = refused(data)
        assert refusal.line == data.count(b"\n")
        assert refusal.command == line.decode()
        assert str(refusal).startswith(f"G-code refused: line {refusal.line}: '{line.decode()}': ")


def test_printing_begins_at_the_first_layer_mark() -> None:
    run(START + b"G1 X100 Y-20 E5\n" + LAYERS)
    assert "beyond the bed" in str(refused(START + LAYERS + b"G1 X100 Y-20 E5\n"))


def test_without_layer_marks_the_whole_file_is_the_print() -> None:
    unmarked = LAYERS.replace(b";LAYER_CHANGE\n", b"")
    assert refused(START + unmarked).line == 7  # the purge line at Y-3
    measured = run(START.replace(b"Y-3", b"Y3") + unmarked)
    assert measured.layers == 0
    assert measured.box_um == (0, 3_000, 200, 60_000, 50_500, 400)


def test_a_shifted_origin_is_followed() -> None:
    """G92 X-100 at X0 makes the file's X50 the machine's X150."""
    head = b"G28\nG90\nM83\n;LAYER_CHANGE\nG1 Z.2\nG1 X0 Y0\nG92 X-100\n"
    assert run(head + b"G1 X50 Y10 E1\n").box_um[3] == 150_000
    assert "beyond the bed" in str(refused(head + b"G1 X101 Y10 E1\n"))
    assert run(head + b"G28 X\nG1 X50 Y10 E1\n").box_um[3] == 50_000
    assert "unknown" in str(refused(b"G92 X10\n"))
    assert "without words" in str(refused(b"G28\nG92\n"))


def test_steps_are_followed() -> None:
    head = b"G28\nG90\nM83\n;LAYER_CHANGE\nG1 X100 Y100 Z.2\nG91\n"
    assert run(head + b"G1 X50 E1\nG1 X50 E1\n").box_um[3] == 200_000
    assert "beyond the bed" in str(refused(head + b"G1 X50 E1\nG1 X50 E1\nG1 X.01 E1\n"))


def test_nobody_knows_where_the_head_is_before_homing() -> None:
    body = b"G90\nG28\nM83\n" + LAYERS
    run(b"G91\nG1 Z5\n" + body)
    for step in (b"G1 Z-5", b"G1 X5", b"G1 Z51"):
        assert "home" in str(refused(b"G91\n" + step + b"\n" + body))
    assert "unknown place" in str(refused(b"G90\nM83\n;LAYER_CHANGE\nG1 X10 Y10 E1\n"))


def test_a_round_bed_is_round() -> None:
    guard = Guard(bed_um=ROUND, max_height_um=180_000, max_nozzle_c=260, max_bed_c=100)
    head = b"G28\nG90\nM83\n;LAYER_CHANGE\nG1 X0 Y0 Z.2\nG1 X1 E1\n"
    run(head + b"G1 X99.9 Y0 E1\nG1 X70 Y70 E1\n", guard)
    assert "beyond the bed" in str(refused(head + b"G1 X72 Y72 E1\n", guard))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"G20\n", "G20 is not on the list"),
        (b"G2 X10 Y10 I5 J0 E1\n", "G2 is not on the list"),
        (b"T1\n", "T1 is not on the list"),
        (b"M500\n", "M500 is not on the list"),
        (b"M112\n", "M112 is not on the list"),
        (b"m500\n", "in capitals"),
        (b"N5 M500*83\n", "not a command"),
        (b"G1 X1 X900\n", "stands twice"),
        (b"G1 X1E5\n", "cannot stand in G1"),
        (b"G1 X0x10\n", "cannot stand in G1"),
        (b"G1 X10 M500\n", "cannot stand in G1"),
        (b"G1 X10 (M500)\n", "cannot stand in G1"),
        (b"G28 X10\rM500\n", "control character"),
        (b"G28\x00M500\n", "control character"),
        (b"; hello\x0bM500\n", "control character"),
        ("; hello\u2028M500\n".encode(), "hides a line end"),
        (b"; hello \x85M500\n", "not UTF-8"),
        (b"\xef\xbb\xbfG28\n", "not a command"),
        ("G１ X10\n".encode(), "not a command"),
        (b"M66036\n", "not a command"),
        (b"M117 a\\; M500\n", "misread"),
        (b"M117 G28\n", "misread"),
        (b"M117 a:M500\n", "misread"),
        (b"@pause\n", "not a command"),
        (b"!!DEBUG:trigger_fatal_error_marlin\n", "not a command"),
        (b"M118 A1 action:cancel\n", "M118 is not on the list"),
        (b"G10 P1 S200\n", "cannot stand in G10"),
        (b"G29 S1\n", "cannot stand in G29"),
        (b"M117 " + b"a" * 91 + b"\n", "longer than 95"),
        (b"; " + b"a" * 20_000 + b"\n", "longer than 20000"),
    ],
)
def test_it_says_why(data: bytes, reason: str) -> None:
    refusal = refused(PRINT + data)
    assert reason in refusal.reason
    assert refusal.line == PRINT.count(b"\n") + 1


@pytest.mark.parametrize(
    "line",
    [
        *(b"G01 X10", b"G4", b"G10", b"G10 S1", b"G21 ; mm", b"G28 X0 Y0", b"G28 W", b"M84"),
        *(b"M117 Heating up, 5 minutes", b"M115 U3.11.0", b'M862.3 P "MK3S"', b"M862.1 P0.4"),
        *(b"  G92 E0\t", b"M73 P10 R5", b"M204 P1500 R1500 T1500", b"M900 K0.05", b"T0"),
        *("; Käse für 3 €".encode(), b"", b"   ", b";", b"M205 X8.00 Y8.00 Z0.40 E2.50"),
    ],
)
def test_what_start_codes_and_slicers_write_passes(line: bytes) -> None:
    run(PRINT + line + b"\n")


def test_a_file_over_its_limit_is_refused_before_it_is_read_to_the_end() -> None:
    guard = Guard(
        bed_um=SQUARE,
        max_height_um=1,
        max_nozzle_c=1,
        max_bed_c=0,
        max_bytes=1_000,
        max_line_bytes=99,
    )
    endless = io.BytesIO(b"; padding\n" * 10_000)
    with pytest.raises(GcodeRefused, match="larger than 1000 bytes"):
        measure(endless, guard)
    assert endless.tell() < 1_100


def test_a_start_code_is_checked_by_the_same_rules() -> None:
    check_lines("G28\nG1 Y-3 E5 ; purge", GUARD)
    with pytest.raises(GcodeRefused) as caught:
        check_lines("G28\nM502 ; reset", GUARD)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"bed_um": ((0, 0), (1, 0))},
        {"bed_um": ((0, 0), (10, 0), (20, 0))},
        {"bed_um": ((0, 0), (9_000, 9_000), (9_000, 0), (0, 9_000))},  # a bow tie
        {"bed_um": ((0, 0), (9_000, 0), (2_000, 2_000), (0, 9_000))},  # a dent
        {"flavour": "reprap"},
        {"max_height_um": 0},
        {"max_nozzle_c": "hot"},
    ],
)
def test_limits_that_describe_no_machine(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        Guard.from_json({**GUARD.as_json(), **wrong})


def test_limits_travel_as_json() -> None:
    assert Guard.from_json(GUARD.as_json()) == GUARD
    with pytest.raises(Invalid, match="not the limits"):
        Guard.from_json({**GUARD.as_json(), "max_fun": 1})


# --- nothing gets past ----------------------------------------------------------------------------

FORBIDDEN = [
    *("M500", "M501", "M502", "M503", "M504", "M28 a.gco", "M29", "M30 a.gco", "M32 !a.gco#"),
    *("M997", "M42 P13 S255", "M81", "M80", "M112", "M92 E9999", "M211 S0", "M302 P1", "M206 X99"),
    *("M303 E0 S300", "M851 Z-5", "M0", "M600", "M118 //action:cancel", "M552 S1", "M999", "G20"),
    *("M226", "M928 log", "M110 N5", "M851 Z-3", "M108", "G53", "M20", "M23 x", "M24", "M21"),
]
DISGUISES = [
    *("{}", "{} ", " {}", "\t{}", "N1 {}", "N1{}*20", "{}*99", "{} ; fine", "({}) {}", "(x) {}"),
    *("G1 X10 {}", "G1 X10{}", "G1 X10*5 {}", "G28{}", "M117 {}", "M117 hi {}", "M117 hi:{}"),
    *("M117 hi\\;{}", "G4 P1\r{}", "G4 P1\x00{}", "; c\r{}", "; c\x0b{}", "; c\x0c{}", "; c\x1c{}"),
    *("; c\x85{}", "; c\u2028{}", "; c\u2029{}", "\ufeff{}", "\u00a0{}", "G1 X1" + " " * 91 + "{}"),
    *("M84 X{}", "T0 {}", "T0{}", 'M862.3 P "{}"', "M115 {}", "%\n{}", "\\\n{}", "/{}", ":{}"),
    *("G0G0{}", "M104 S20{}", "G92 E0 {}", "M105\v{}", "M105\x1f{}", "M400\b{}", "M400;\n{}"),
]


def rewritten(command: str) -> list[str]:
    """The same command as other firmwares may take it: zeros, blanks, case, a number that wraps."""
    letter, number = command[0], re.match(r"\d+", command[1:])
    assert number is not None
    rest = command[1 + number.end() :]
    wrapped = int(number[0]) + 65_536
    return [
        command,
        command.lower(),
        f"{letter}0{number[0]}{rest}",
        f"{letter}0000{number[0]}{rest}",
        f"{letter} {number[0]}{rest}",
        f"{letter}{wrapped}{rest}",
        f"{letter}{number[0]}.1{rest}",
        f"{letter}+{number[0]}{rest}",
    ]


def might_run(data: bytes) -> set[str]:
    """Every G and M that the most generous reader could find outside comments.

    Readers that look for commands inside the text of M117 are old, and know capitals only.
    """
    found = set()
    for line in re.split(
        r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029\x00]", data.decode("utf-8", "replace")
    ):
        code = re.split(r"(?<!\\);", line)[0]
        code = code if code.startswith("M117") else code.upper()
        for letter, number in re.findall(r"([GM])[\s+]*(\d+)", code):
            found.add(f"{letter}{int(number) % 65_536}")
    return found


ALLOWED = {name.split(".")[0] for name in allowed(GUARD.flavour, GUARD.limits)} | {
    "M115",
    "M117",
    "M862",
}


@given(
    command=st.sampled_from([w for command in FORBIDDEN for w in rewritten(command)]),
    disguise=st.sampled_from(DISGUISES),
    at=st.integers(0, PRINT.count(b"\n")),
)
@example(command="M500", disguise="{}", at=0)
@settings(max_examples=500)
def test_no_disguise_passes(command: str, disguise: str, at: int) -> None:
    lines = PRINT.splitlines(keepends=True)
    lines.insert(at, disguise.replace("{}", command).encode() + b"\n")
    data = b"".join(lines)
    assume(not might_run(data) <= ALLOWED)
    refused(data)


@given(
    junk=st.binary(max_size=12)
    | st.text("GMN0123456789 XYZEFST.;*:()-\r\n\t", max_size=20).map(str.encode),
    at=st.integers(0, len(PRINT)),
)
def test_whatever_passes_holds_only_allowed_commands(junk: bytes, at: int) -> None:
    data = PRINT[:at] + junk + PRINT[at:]
    try:
        measured = run(data)
    except GcodeRefused as refusal:
        assert refusal.reason
        return
    assert might_run(data) <= ALLOWED
    assert measured.box_um[0] >= 0
    assert measured.box_um[3] <= 200_000


# --- the slicer's own figures ---------------------------------------------------------------------

TAIL = b"""G1 X5 E1
; filament used [mm] = 1.00
; filament used [mm] = 1283.11
; filament used [cm3] = 3.09
; filament used [g] = 3.83
; total filament used [g] = 3.83
; estimated printing time (normal mode) = %s
; estimated printing time (silent mode) = 9d

; prusaslicer_config = begin
; printer_notes = ; estimated printing time (normal mode) = 1s
; filament used [mm] = 7
; prusaslicer_config = end
"""


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [
        (b"2h 58m 8s", 10_688),
        (b"1d 2h 3m 4s", 93_784),
        (b"45s", 45),
        (b"3m", 180),
        (b"1d", 86_400),
        (b"12m 0s", 720),
    ],
)
def test_estimates_are_read_before_the_settings_only(text: bytes, duration_s: int) -> None:
    said = estimates(TAIL % text)
    assert said.duration_s == duration_s
    assert (said.filament_um, said.volume_mm3, said.mass_mg) == (1_283_110, 3_090, 3_830)


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        TAIL % b"soon",
        TAIL % b"",
        (TAIL % b"5s").replace(b"3.09", b"nan"),
        (TAIL % b"5s").replace(b"1283.11", b"-5"),
        (TAIL % b"5s")[(TAIL % b"5s").index(b"; printer_notes") :],
    ],
)
def test_estimates_that_are_not_there_are_not_guessed(tail: bytes) -> None:
    with pytest.raises(GcodeRefused, match="no estimates"):
        estimates(tail)


def test_figures_of_several_extruders_are_added() -> None:
    tail = (TAIL % b"5s").replace(b"= 3.09", b"= 3.09, 1.00").replace(b"1283.11", b"1283.11,0.00")
    assert estimates(tail).volume_mm3 == 4_090
