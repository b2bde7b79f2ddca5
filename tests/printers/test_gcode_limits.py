"""What the guard bounds beyond places and heat: firmware by firmware, and the flow of plastic."""

from dataclasses import replace
from pathlib import Path

import pytest

from printers.capability import COMMON, Choices
from printers.gcode import GcodeRefused, Guard, Measured, check_lines
from printers.gcode_flavours import FLAVOURS, allowed
from printers.slicer import slice_plate
from tests.printers.test_gcode import END, GUARD, LAYERS, START, refused, run
from tests.support import solids

FORBIDDEN_EVERYWHERE = [
    *("M500", "M501", "M502", "M503", "M504", "M20", "M21", "M23 a.g", "M24", "M28 a.g", "M30 a.g"),
    *("M32 a.g", "M42 P4 S255", "M80", "M81", "M92 E999", "M98 P0", "M112", "M117 //action:pause"),
    *("M118 //action:cancel", "M206 X9", "M211 S0", "M301 P9", "M302 P1", "M303 S200", "M304 P9"),
    *("M540 P0", "M550 P0", "M551 P0", "M552 S1", "M555 P2", "M587 S0", "M589 S0", "M851 Z-9"),
    *("M906 X9999", "M928 a.g", "M929 P0", "M997", "M999", "G20", "G2 X1 Y1 I1 J1", "G53", "T1"),
    *("SET_PIN PIN=x VALUE=1", "RESTART", "echo 1", "if true", "@pause", "OCTO100", "#cancel"),
]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_what_no_firmware_may_be_told(flavour: str) -> None:
    guard = replace(GUARD, flavour=flavour)
    run(START + LAYERS + END, guard)
    for line in FORBIDDEN_EVERYWHERE:
        refused(START + LAYERS + line.encode() + b"\n", guard)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_flavour_says_where_its_commands_are_documented(flavour: str) -> None:
    which = FLAVOURS[flavour]
    assert which.source.startswith("https://") and which.readings and which.slicer
    assert "G1" in allowed(flavour, GUARD.limits)


@pytest.mark.parametrize(
    ("line", "takes"),
    [
        ("M204 P500", "marlin marlin2 klipper reprapfirmware"),  # Repetier: a constant of the PID
        ("M204 S500", "marlin marlin2 klipper"),
        ("M203 X500", "marlin marlin2 reprapfirmware"),  # Repetier: a monitor
        ("M203 X601", "reprapfirmware"),  # which counts in mm/min
        ("M203 X36001", ""),
        ("M202 X500", "repetier"),
        ("M205 X8 Y8 Z0.4 E5", "marlin marlin2"),  # Repetier: EEPROM
        ("M207 X20 Z0.4 E20", "repetier"),  # Marlin: lengths of retraction
        ("M566 X600 Y600 Z12 E150", "reprapfirmware"),
        ("M572 D0 S0.05", "reprapfirmware"),
        ("M900 K0.05", "marlin marlin2"),
        ("G10", "marlin marlin2 klipper reprapfirmware repetier"),
        ("G10 S1", "marlin marlin2 reprapfirmware repetier"),  # there 1 °C, here a long retraction
        ("G10 P0 S210", "reprapfirmware"),
        ("G10 P0 S261", ""),
        ("G10 P0 X5", ""),
        ("G10 L2 P1 X5", ""),
        ("G29", "marlin marlin2 repetier"),
        ("G29 S1", "reprapfirmware"),
        ("G29 S0", ""),
        ("G80", "marlin marlin2"),
        ("G28 W", "marlin marlin2"),
        ("M115 U3.11.0", "marlin marlin2"),
        ('M862.3 P "MK3S"', "marlin marlin2"),
        ("M116", "reprapfirmware repetier"),
        ("T0", "marlin marlin2 reprapfirmware repetier"),
        ("G1 S1 X5", ""),  # Repetier: past the ends of the axes
        ("G1 H2 Z-5", ""),  # RepRapFirmware: without knowing the place
        ("G1 X{move.axes[0].max}", ""),
    ],
)
def test_each_firmware_is_told_what_it_knows(line: str, takes: str) -> None:
    found = set()
    for flavour in FLAVOURS:
        try:
            run(START + LAYERS + line.encode() + b"\n", replace(GUARD, flavour=flavour))
            found.add(flavour)
        except GcodeRefused:
            pass
    assert found == set(takes.split())


@pytest.mark.parametrize(
    ("line", "passes"),
    [
        ("M201 X20000 Y20000 Z2000 E20000", True),
        *(("M201 X20001", False), ("M201 Y20001", False), ("M201 Z2001", False)),
        *(("M201 E20001", False), ("M201 X-1", False), ("M201 A1", False)),
        ("M203 X600 Y600 Z50 E600", True),
        *(("M203 Y601", False), ("M203 Z51", False), ("M203 E601", False), ("M203 X0", False)),
        ("M204 P20000 R20000 T20000 S20000", True),
        *((f"M204 {word}20001", False) for word in "PRTS"),
        ("M205 X50 Y50 Z10 E50 B20000 J0.02", True),
        *(("M205 X51", False), ("M205 Y51", False), ("M205 Z10.1", False), ("M205 E51", False)),
        *(("M205 J1.1", False), ("M205 S101", False), ("M205 Q5", False)),
    ],
)
def test_acceleration_and_jerk_are_bounded_axis_by_axis(line: str, passes: bool) -> None:
    data = START + line.encode() + b"\n" + LAYERS
    if passes:
        run(data)
    else:
        assert refused(data).command == line


def test_only_a_heated_chamber_is_heated() -> None:
    marlin2 = replace(GUARD, flavour="marlin2")
    chamber = replace(marlin2, max_chamber_c=60)
    for line in (b"M141 S60\n", b"M191 S60\n"):
        run(line + START + LAYERS, chamber)
        refused(line + START + LAYERS, marlin2)
        refused(line.replace(b"60", b"61") + START + LAYERS, chamber)
        refused(line + START + LAYERS, replace(GUARD, max_chamber_c=60))  # Marlin 1 has none


# --- plastic --------------------------------------------------------------------------------------

HEAD = b"G28\nG90\nM83\n;LAYER_CHANGE\nG1 Z.2 F600\nG1 X10 Y20\n"


def flow_of(*lines: bytes, guard: Guard = GUARD) -> Measured:
    return run(HEAD + b"\n".join(lines) + b"\n", guard)


def test_no_faster_than_the_hot_end_melts() -> None:
    """1 mm of 1.75 mm filament is 2.405 mm³: at 30 mm³/s and 60 mm/s, 0.2079 mm for each mm of way.
    What is ahead of that may sum up to 40 mm³, as a purge does."""
    fine = [b"G1 X%d Y20 E%.4f F3600" % (x, 0.2079 * 10) for x in (20, 30, 40, 50, 60)]
    flow_of(*fine, *fine[::-1])
    fast = [b"G1 X%d Y20 E3.9 F3600" % x for x in (20, 30, 40, 50, 60, 70, 80, 90, 100, 110)]
    why = refused(HEAD + b"\n".join(fast) + b"\n").reason
    assert "faster than this hot end melts, 30 mm³/s" in why
    slow = [line.replace(b"F3600", b"F1900") for line in fast]
    flow_of(*slow)
    with pytest.raises(GcodeRefused, match="melts, 15 mm"):
        flow_of(*slow, guard=replace(GUARD, max_flow_mm3_s=15))
    thick = replace(GUARD, filament_um=2_850)
    with pytest.raises(GcodeRefused, match="melts"):
        flow_of(*slow, guard=thick)


def test_speed_and_flow_factors_count() -> None:
    lines = [b"G1 X%d Y20 E3.8 F1900" % x for x in (20, 30, 40, 50, 60, 70, 80, 90, 100, 110)]
    for factor in (b"M220 S200", b"M221 S150"):
        with pytest.raises(GcodeRefused, match="melts"):
            run(HEAD.replace(b"G90", b"G90\n" + factor) + b"\n".join(lines) + b"\n")


def test_a_retraction_that_is_taken_back_is_no_flow() -> None:
    flow_of(b"G1 X30 Y20 E1 F1800", *[b"G1 E-6 F6000", b"G1 E6 F6000"] * 50, b"G1 X40 Y20 E1 F1800")
    with pytest.raises(GcodeRefused, match="melts"):
        flow_of(*[b"G1 E6 F6000"] * 4)


def test_the_filament_is_pulled_back_so_far_and_no_farther() -> None:
    flow_of(b"G1 X30 Y20 E1 F1800", b"G1 E-120 F3000")
    with pytest.raises(GcodeRefused, match=r"pulls the filament back by 120\.1 mm"):
        flow_of(b"G1 X30 Y20 E1 F1800", b"G1 E-100 F3000", b"G1 E-20.1")
    with pytest.raises(GcodeRefused, match="pulls"):
        flow_of(b"G1 X30 Y20 E1 F1800", *[b"G1 X31 Y20 E-1.9"] * 64)


def test_no_blob_is_a_print() -> None:
    blob = [b"G1 X30 Y20 E30 F60", b"G1 X10 Y20 E30"] * 15
    with pytest.raises(GcodeRefused, match="into a box that holds"):
        flow_of(*blob)
    with pytest.raises(GcodeRefused, match="before the first layer"):
        run(b"G28\nG90\nM83\nG1 X1 Y1 Z1 F60\nG1 E1300\n" + HEAD + LAYERS)


def test_until_the_file_says_what_e_means_both_ways_must_be_harmless() -> None:
    """M83 may be left from the print before: 30 twice is then 60, and 30 after 30 is nothing."""
    body = b"M83\n" + LAYERS
    run(b"G28\nG90\nG92 E0\nG1 X60 Y3 Z.3 E9 F600\nG92 E0\n" + body)
    why = refused(b"G28\nG90\nG92 E0\nG1 X60 Y3 Z.3 E130 F60\nG1 E1\n" + body).reason
    assert "pulls the filament back by 129 mm" in why  # where E counts places


def test_firmwares_that_differ_must_both_be_harmless() -> None:
    """After G91 Marlin 1 reads E as steps, the MK3's firmware and RepRapFirmware by M82 and M83."""
    data = (
        b"G28\nG90\nM82\nG92 E0\n"
        + HEAD.replace(b"M83\n", b"")
        + (b"G1 X130 Y20 E130 F60\nG1 X130 Y120 E140\nG91\nG1 E-2\n")
    )
    run(data, replace(GUARD, flavour="klipper"))
    for flavour in ("marlin", "reprapfirmware"):
        assert "pulls" in refused(data, replace(GUARD, flavour=flavour)).reason


# --- where a command may stand --------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"G28", b"G29", b"M84", b"M220 S100", b"M117 hi", b"G91", b"T0"])
def test_the_end_code_stands_at_the_end(line: bytes) -> None:
    run(START + LAYERS + line + b"\n")
    why = refused(START + LAYERS + line + b"\n;LAYER_CHANGE\n").reason
    assert why == f"{line.split()[0].decode()} stands in the middle of the print"


@pytest.mark.parametrize(
    "comment",
    [b";@pause", b"; @OCTOLAPSE TAKE-SNAPSHOT", b";\t@x", b";;@x", b"; //action:cancel"],
)
def test_no_comment_speaks_to_the_host(comment: bytes) -> None:
    assert "act upon" in refused(START + LAYERS + comment + b"\n").reason
    assert "act upon" in refused(START + LAYERS + b"G1 X5 " + comment + b"\n").reason


def test_comments_of_slicers_pass() -> None:
    run(START + LAYERS + b'; filament_settings_id = "PLA @MK4"\n; a // b\n;TYPE:Custom\n')


# --- the real slicer, in every dialect ------------------------------------------------------------

PLAIN_START = (
    "G90\nM83\nM104 S[first_layer_temperature]\nM140 S[first_layer_bed_temperature]\nG28\n"
)
PLAIN_END = "M104 S0\nM140 S0\nM107\nG91\nG1 E-2 F1800\nG1 Z5 F600\nG90\nM84\n"


@pytest.mark.slicer
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_what_the_slicer_writes_for_it_passes(flavour: str, tmp_path: Path) -> None:
    profile = replace(
        COMMON["virtual"], gcode_flavor=flavour, start_gcode=PLAIN_START, end_gcode=PLAIN_END
    )
    stl, folder = tmp_path / "part.stl", tmp_path / "job"
    stl.write_bytes(solids.stl(solids.box(30, 20, 5)))
    folder.mkdir()
    choices = Choices(material="PLA", supports=True, brim_mm=3)
    made = slice_plate(stl, profile=profile, choices=choices, folder=folder)
    assert made.layers > 20 and made.mass_mg > 0
    said = f"; gcode_flavor = {FLAVOURS[flavour].slicer}\n"
    assert said in made.gcode.read_text()


@pytest.mark.parametrize("name", COMMON)
def test_the_codes_of_common_printers_pass_their_guard(name: str) -> None:
    check_lines("G28\nM83\nG1 E5 F300", COMMON[name].guard())
    with pytest.raises(GcodeRefused):
        check_lines("G28\nM83\nG1 E200 F36000", COMMON[name].guard())
