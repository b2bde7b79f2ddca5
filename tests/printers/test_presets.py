"""Printers out of PrusaSlicer's bundles: what is taken, what is left out and why, and the cube."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from basis.errors import Invalid, NotFound
from printers.bundles import bundles, read_bundle
from printers.capability import COMMON, Choices, Profile
from printers.macros import settled, unescaped
from printers.presets import Built, built, choices_for, found, profile_of
from printers.slicer_ini import FORMS, KEYS, BadSettings, job_ini
from printers.slicer_keys import MACHINE, NEVER, OURS, PART, TUNABLE
from printers.trial import cube_stl, tried
from printers.tuning import Tuning

DEBIAN = Path("/usr/share/PrusaSlicer/profiles")

MACHINE_VALUES = {
    "gcode_flavor": "marlin",
    "bed_shape": "0x0,220x0,220x220,0x220",
    "max_print_height": "250.9",
    "nozzle_diameter": "0.4",
    "retract_length": "5",
    "retract_speed": "40",
    "start_gcode": r"G90\nM83\nG28\nG92 E0\n",
    "end_gcode": r"M104 S0\nM84\n",
    "layer_height": "0.2",
    "perimeter_speed": "45",
    "default_acceleration": "800",
}
PLA = {"filament_type": "PLA", "filament_diameter": "1.75", "temperature": "205"}


def made(**changes: str) -> Built:
    return profile_of({**MACHINE_VALUES, **changes}, [PLA], name="Test", origin="a test")


def why(of: Built, name: str) -> str:
    return "; ".join(each.why for each in of.left_out if each.name == name)


def test_a_search_finds_machines_by_vendor_and_by_name() -> None:
    shipped = bundles(DEBIAN)
    names = {each.printer for each in found(shipped, "creality ender-3 0.4")}
    assert "Creality Ender-3 (0.4 mm nozzle)" in names
    assert all("Ender-3" in name and "0.4" in name for name in names)
    assert {each.vendor for each in found(shipped, "VORON")} == {"Voron"}
    assert found(shipped, "  ") == []
    assert found(shipped, "no such machine") == []
    assert len(found(shipped, "0", most=7)) == 7
    assert not found(shipped, "prusa sl1")  # it prints with resin


@pytest.mark.slicer
@pytest.mark.parametrize(
    ("vendor", "printer"),
    [
        ("Creality", "Creality Ender-3 (0.4 mm nozzle)"),
        ("PrusaResearch", "Original Prusa i3 MK3S & MK3S+"),
        ("Voron", "Voron_v2_250_afterburner 0.4 nozzle"),
        ("FLSun", "FLSun QQS Pro"),
        ("Anycubic", "Anycubic 4Max Pro 2.0"),
        ("LulzBot", "Mini Aero 0.5mm"),
        ("Zonestar", "Zonestar Z9+DDE"),
    ],
)
def test_a_cube_comes_out_for_machines_of_many_vendors(
    vendor: str, printer: str, tmp_path: Path
) -> None:
    bundle = bundles(DEBIAN)[vendor]
    machine = built(bundle, printer=printer)
    outcome = tried(machine.profile, scratch=tmp_path, wall_s=120)
    assert outcome.fault == ""
    assert "PLA" in outcome.said or "ABS" in outcome.said
    assert list(tmp_path.iterdir()) == []


def test_the_suggestion_is_the_vendors_own_where_it_is_there_and_others_may_be_chosen() -> None:
    bundle = bundles(DEBIAN)["PrusaResearch"]
    printer = bundle.preset("printer", "Original Prusa MINI & MINI+")
    chosen = choices_for(bundle, printer)
    assert chosen.prints[0] == printer.values["default_print_profile"]
    assert len(chosen.prints) > 3
    assert chosen.unclear == ()
    petg = next(name for name in chosen.filaments if "Prusament PETG" in name)
    pla = next(name for name in chosen.filaments if "Prusament PLA" in name)
    other = built(
        bundle, printer=printer.name, print_=chosen.prints[1], filaments=[pla, petg]
    ).profile
    assert other.tuning is not None
    assert set(other.tuning.filaments) == {"PLA", "PETG"}
    assert chosen.prints[1] in other.tuning.origin
    temperature = bundle.preset("filament", petg).values["temperature"]
    assert f"\ntemperature = {temperature}\n" in job_ini(other, Choices(material="PETG"))
    with pytest.raises(Invalid, match="not for"):
        built(bundle, printer=printer.name, print_="0.20mm QUALITY @MK3")
    with pytest.raises(Invalid, match="one for each"):
        pair = [name for name in chosen.filaments if "PLA" in name][:2]
        built(bundle, printer=printer.name, filaments=pair)
    with pytest.raises(NotFound):
        built(bundle, printer="no such")


def test_a_vendors_own_values_reach_the_slicer_and_the_orders_win() -> None:
    profile = made(
        external_perimeter_speed="60%",
        fill_density="80%",
        perimeters="9",
        layer_gcode=";LAYER",
        fill_pattern="gyroid",
    ).profile
    ini = job_ini(profile, Choices(material="PLA", infill_pct=15, perimeters=3))
    for line in (
        *("external_perimeter_speed = 60%", "default_acceleration = 800", "temperature = 205"),
        *("fill_density = 15%", "perimeters = 3", "layer_gcode = G92 E0", "retract_speed = 40"),
        *("fill_pattern = gyroid", "retract_length = 5"),
    ):
        assert f"{line}\n" in ini
    full = job_ini(profile, Choices(material="PLA", infill_pct=100))
    assert "fill_pattern = rectilinear\n" in full
    assert (profile.print_mm_s, profile.acceleration_mm_s2, profile.height_mm) == (45, 800, 250)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ("0x0,220x0,220x220,0x220", (0, 0, 220, 220)),
        ("5x2.5,225x2.5,225x222.5,5x222.5", (5, 3, 220, 219)),
        ("-107x-93,107x-93,107x93,-107x93", (-107, -93, 214, 186)),
        ("100x0,0x100,-100x0,0x-100", (-50, -50, 100, 100)),  # a square on its corner
    ],
)
def test_a_bed_is_the_box_that_is_surely_printable(shape: str, box: tuple[int, ...]) -> None:
    profile = made(bed_shape=shape).profile
    assert (profile.bed_min_x_mm, profile.bed_min_y_mm, profile.bed_x_mm, profile.bed_y_mm) == box
    left, front, wide, deep = (mm * 1_000 for mm in box)
    assert profile.guard().bed_um[0] == (left, front)
    assert profile.guard().bed_um[2] == (left + wide, front + deep)


@pytest.mark.slicer
def test_a_bed_around_its_middle_is_sliced_for_in_its_own_coordinates(tmp_path: Path) -> None:
    around = made(bed_shape="-107x-93,107x-93,107x93,-107x93")
    assert tried(around.profile, scratch=tmp_path, wall_s=120).fault == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bed_shape": "0x0,nanxnan,1x1"}, "3 m"),
        ({"bed_shape": "0x0,100x100,0x100,100x0"}, "no order"),
        ({"bed_shape": ""}, "corners"),
        ({"bed_shape": "0x0,99999x0,99999x9,0x9"}, "3 m"),
        ({"gcode_flavor": "sailfish"}, "firmware"),
        ({"gcode_flavor": "marlin\npost_process = x"}, "firmware"),
        ({"max_print_height": "nan"}, "no measure"),
        ({"max_print_height": "inf"}, "no measure"),
        ({"max_print_height": "1e9"}, "no measure"),
        ({"nozzle_diameter": ""}, "nozzle_diameter"),
        ({"nozzle_diameter": "5"}, "nozzle_um"),
    ],
)
def test_what_describes_no_printer_is_refused(changes: dict[str, str], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        made(**changes)


def test_what_could_run_or_write_something_is_named_and_left_out() -> None:
    machine = made(
        post_process="/bin/sh evil",
        print_host="10.0.0.1",
        printhost_apikey="secret",
        output_filename_format="../../x",
        before_layer_gcode="M500",
        perimeter_speed="4500",
        retract_speed="40\npost_process = /bin/sh",
    )
    assert why(machine, "post_process") == "would run a program"
    for name in ("print_host", "printhost_apikey", "output_filename_format", "before_layer_gcode"):
        assert why(machine, name) == NEVER[name]
    assert "not 1 to 600" in why(machine, "perimeter_speed")
    assert "not 1 to 200" in why(machine, "retract_speed")
    ini = job_ini(machine.profile, Choices(material="PLA"))
    assert "evil" not in ini
    assert "secret" not in ini
    assert ini.count("post_process = \n") == 1
    assert not TUNABLE.keys() & (NEVER.keys() | OURS.keys())


def test_a_first_layer_in_per_cent_is_written_in_mm() -> None:
    assert "first_layer_height = 0.15\n" in job_ini(
        made(first_layer_height="75%").profile, Choices(material="PLA")
    )
    tall = made(first_layer_height="0.9").profile
    assert "first_layer_height = 0.3\n" in job_ini(tall, Choices(material="PLA"))


def test_hotter_settings_than_the_machine_bears_are_refused() -> None:
    values = made().profile.as_json()
    values["tuning"]["filaments"]["PLA"]["temperature"] = "300"
    with pytest.raises(BadSettings, match="300 °C"):
        job_ini(Profile.from_json(values), Choices(material="PLA"))


# --- start and end codes --------------------------------------------------------------------------


def test_a_line_of_a_start_code_that_does_not_pass_is_named_and_ours_is_used() -> None:
    machine = made(start_gcode=r"G90\nM83\nG28\nM500 ; keep it\nG92 E0\n")
    assert "line 4: 'M500 ; keep it'" in why(machine, "start_gcode")
    assert machine.codes["start_gcode"].splitlines()[3] == "M500 ; keep it"
    assert "purge along the left edge" in machine.profile.start_gcode
    assert machine.profile.end_gcode == "M104 S0\nM84\n"
    assert why(machine, "end_gcode") == ""


KNOWN = {
    "printer_model": "MK3S",
    "print_settings_id": "0.20mm QUALITY @MK3",
    "machine_max_acceleration_extruding": "1250,960",
    "travel_speed": "180",
    "print_bed_max": "220,200",
}


@pytest.mark.parametrize(
    ("code", "plain"),
    [
        ('M862.3 P "[printer_model]"\n', 'M862.3 P "MK3S"\n'),
        ("T[initial_tool]\n", "T0\n"),
        ("M204 S{machine_max_acceleration_extruding[0]}\n", "M204 S1250\n"),
        ("M109 S{first_layer_temperature[initial_tool]}\n", "M109 S[first_layer_temperature]\n"),
        ("G1 X5 Y{print_bed_max[1]*0.8} F{travel_speed*60}\n", "G1 X5 Y160 F10800\n"),
        ('{if printer_model=="MK3S"}G80{else}G29{endif}\n', "G80\n"),
        ("{if printer_model=~/MINI.*/}\nG29\n{elsif num_extruders==1}\nG80\n{endif}\n", "G80\n"),
        ("{if not has_wipe_tower}\n{if 1==2}\nG29\n{endif}\nG80\n{endif}\n", "G80\n"),
        ("G1 Z{z_offset+min(max_layer_z+2, max_print_height)}\n",) * 1
        + ("G1 Z{min(max_layer_z+2, max_print_height)}\n",),
    ],
)
def test_what_the_profiles_decide_is_worked_out(code: str, plain: str) -> None:
    assert settled(code, KNOWN) == plain


@pytest.mark.parametrize(
    "code",
    [
        "{if layer_height<0.1}G29{endif}\n",
        "{if filament_type[0]==1}G29{else}G80{endif}\n",
        "{if 1==1}G29\n",
        "G29{endif}\n",
        "M104 S{temperature[0]*2}\n",
        "M117 [input_filename]\n",
    ],
)
def test_what_they_do_not_decide_stays_and_is_refused(code: str) -> None:
    assert settled(code, KNOWN).strip() == code.strip().replace("[0]*2", "[0]*2")
    with pytest.raises(Invalid, match="placeholder"):
        Profile.from_json({**COMMON["mk3s"].as_json(), "start_gcode": "G28\n" + code})


FOR_PA11 = (
    r"{if filament_settings_id[initial_tool]=~/.*PA11.*/}\nG4 S9\n{else}\nG28\n{endif}\nG92 E0\n"
)


@pytest.mark.parametrize(
    ("names", "starts"),
    [
        (["Generic PLA"], "G28\n"),
        (["Generic PLA", "Generic PETG"], "G28\n"),
        (["Prusament PA11 Black"], "G4 S9\n"),
        (["Generic PLA", "Prusament PA11 Black"], ""),  # the order decides, so nobody does
        (["Mine, with PA11"], ""),
        ([""], ""),
    ],
)
def test_a_code_that_asks_for_the_filament_is_settled_where_all_agree(
    names: list[str], starts: str
) -> None:
    stuffs = [
        {**PLA, "filament_type": family, "filament_settings_id": name}
        for name, family in zip(names, ("PLA", "PET"), strict=False)
    ]
    values = {**MACHINE_VALUES, "start_gcode": FOR_PA11, "filament_settings_id": "another"}
    machine = profile_of(values, stuffs, name="Test", origin="a test")
    if starts:
        assert machine.profile.start_gcode == f"{starts}G92 E0\n"
    else:
        assert "purge along the left edge" in machine.profile.start_gcode
        assert "filament_settings_id" in machine.codes["start_gcode"]


@pytest.mark.parametrize(
    "name",
    [
        *("inherits", "renamed_from", "alias", "compatible_printers", "compatible_prints"),
        *("compatible_printers_condition", "compatible_prints_condition", "default_materials"),
        *("default_print_profile", "default_filament_profile", "default_sla_print_profile"),
        *("print_host", "printhost_apikey", "printhost_cafile", "host_type", "post_process"),
        *("printer_notes", "output_filename_format", "filament_density", "filament_cost"),
    ],
)
def test_what_only_presets_or_people_need_never_reaches_the_slicer(name: str) -> None:
    plain = job_ini(made().profile, Choices(material="PLA"))
    assert job_ini(made(**{name: "7"}).profile, Choices(material="PLA")) == plain


def test_lists_for_several_extruders_give_their_first() -> None:
    machine = made(nozzle_diameter="0.4,0.6", retract_length="0.8,2", perimeter_speed="45").profile
    assert (machine.nozzle_um, machine.retract_um) == (400, 800)
    assert "\nnozzle_diameter = 0.4\n" in job_ini(machine, Choices(material="PLA"))


def test_a_filament_without_a_density_weighs_what_its_family_does() -> None:
    """Fifteen of the vendors' pairs would say 0.00 g."""
    for density in ({}, {"filament_density": "0"}):
        of = profile_of(MACHINE_VALUES, [{**PLA, **density}], name="Test", origin="a test")
        assert "\nfilament_density = 1.24\n" in job_ini(of.profile, Choices(material="PLA"))


def test_nearly_every_machine_of_the_bundles_becomes_a_printer_with_complete_settings() -> None:
    refused: dict[str, str] = {}
    count = 0
    for bundle in bundles(DEBIAN).values():
        for name in bundle.names("printer"):
            if bundle.preset("printer", name).values.get("printer_technology", "FFF") != "FFF":
                continue
            count += 1
            try:
                profile = built(bundle, printer=name).profile
            except Invalid as exc:
                refused[name] = str(exc)
                continue
            family = next(iter(profile.tuning.filaments), "PLA") if profile.tuning else "PLA"
            assert job_ini(profile, Choices(material=family)).count("\n") >= len(KEYS)
    assert count > 300 and len(refused) < count * 0.05
    assert all(re.search("bed_shape|firmware|nozzle_diameter", why) for why in refused.values())


def test_a_value_cannot_bring_a_line_of_its_own() -> None:
    sly = {**KNOWN, "printer_model": r"MK3S\nM500", "travel_speed": "1\nM500"}
    assert settled("M117 [printer_model] {travel_speed}\n", sly) == (
        "M117 [printer_model] {travel_speed}\n"
    )


def test_either_of_two_must_pass() -> None:
    fine = "G28\nM221 S{if layer_height<0.075}100{else}95{endif}\n"
    assert Profile.from_json({**COMMON["mk3s"].as_json(), "start_gcode": fine})
    for bad in (
        "{if layer_height<0.075}100{else}999{endif}",
        "{if layer_height<0.1}1{else}9{endif}",
    ):
        with pytest.raises(Invalid, match="M221"):
            Profile.from_json({**COMMON["mk3s"].as_json(), "start_gcode": f"G28\nM221 S{bad}\n"})
    lift = "{if max_layer_z < max_print_height}G1 Z{min(max_layer_z+5, max_print_height)}{endif}\n"
    assert Profile.from_json({**COMMON["mk3s"].as_json(), "end_gcode": lift})
    with pytest.raises(Invalid, match="M500"):
        hidden = "{if max_layer_z < max_print_height}M500{endif}\n"
        Profile.from_json({**COMMON["mk3s"].as_json(), "end_gcode": hidden})


def test_a_code_is_read_as_the_slicer_writes_it() -> None:
    assert unescaped(r"G28\nM862.3 P \"MK3S\" ; a \\ b") == 'G28\nM862.3 P "MK3S" ; a \\ b\n'


# --- settings in a profile ------------------------------------------------------------------------


def test_tuned_profiles_survive_json_and_can_be_compared() -> None:
    profile = made().profile
    again = Profile.from_json(json.loads(json.dumps(profile.as_json())))
    assert again == profile
    assert hash(again) == hash(profile)
    assert Profile.from_json({**profile.as_json(), "tuning": None}) != profile


@pytest.mark.parametrize(
    "tuning",
    [
        {"settings": {"post_process": "x"}, "filaments": {}},
        {"settings": {"temperature": "200"}, "filaments": {}},  # of a filament, not of the machine
        {"settings": {"perimeter_speed": "-1"}, "filaments": {}},
        {"settings": {"perimeter_speed": 40}, "filaments": {}},
        {"settings": {"perimeter_speed": "40\nx = y"}, "filaments": {}},
        {"settings": {}, "filaments": {"Wood": {}}},
        {"settings": {}, "filaments": {"PLA": {"perimeter_speed": "40"}}},
        {"settings": {}, "filaments": {"PLA": []}},
        {"settings": [], "filaments": {}},
        {"settings": {}},
        {"settings": {}, "filaments": {}, "origin": "two\nlines"},
        {"settings": {}, "filaments": {}, "more": 1},
        "text",
        7,
    ],
)
def test_settings_off_the_list_never_enter_a_profile(tuning: Any) -> None:
    with pytest.raises(Invalid):
        Profile.from_json({**COMMON["mk3s"].as_json(), "tuning": tuning})
    with pytest.raises(Invalid):
        Tuning.from_json(tuning)


@pytest.mark.slicer
def test_the_slicer_knows_every_setting_that_may_be_tuned() -> None:
    """It ignores unknown names in silence, so a slip in the list would never be seen."""
    known = subprocess.run(
        ["prusa-slicer", "--help-fff"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    options = {option.strip(" ,").replace("-", "_").lstrip("_") for option in known.split()}
    assert {name for name in TUNABLE if name not in options} == set()


@pytest.mark.parametrize("name", sorted({**MACHINE, **PART}))
def test_no_tuned_value_can_begin_a_second_setting(name: str) -> None:
    for bad in ("1\npost_process = /tmp/x", "1%\n", "\n", "", "nan", "inf", "1e3", "0x1", " 1"):
        assert not FORMS[name].fullmatch(bad)


# --- the cube -------------------------------------------------------------------------------------


@pytest.mark.slicer
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"start_gcode": "G28\nG1 X1 Y1 F3000\nG92 X150 Y150\n"}, "G-code refused"),
        ({"tuning": {"settings": {"perimeter_extrusion_width": "2.5"}, "filaments": {}}}, "PLA"),
    ],
)
def test_settings_that_do_not_work_are_found_by_the_cube(
    values: dict[str, Any], words: str, tmp_path: Path
) -> None:
    profile = Profile.from_json({**COMMON["mk3s"].as_json(), **values})
    outcome = tried(profile, scratch=tmp_path, wall_s=120)
    assert words in outcome.fault


def test_the_cube_is_a_closed_solid_of_its_size() -> None:
    import numpy as np

    from designs.facts import FileLimits, UnitSource
    from designs.mesh import facts_of
    from designs.readers import read

    content = cube_stl(20.0)
    corners = read("cube.stl", memoryview(content), limits=FileLimits()).corners
    facts = facts_of(corners.astype(np.float32), unit="millimeter", unit_source=UnitSource.FORMAT)
    assert facts.watertight
    assert facts.consistent_winding
    assert not facts.inverted
    assert facts.volume_mm3 == pytest.approx(8_000)


def test_a_bundle_with_a_hostile_printer_gives_a_harmless_profile() -> None:
    bundle = read_bundle(
        "Evil",
        b"[vendor]\nname = Evil\x1b[31m\n[printer_model:E]\nname = " + b"E" * 500 + b"\n"
        b"[printer:E]\nprinter_model = E\ngcode_flavor = marlin\nnozzle_diameter = 0.4\n"
        b"bed_shape = 0x0,200x0,200x200,0x200\nmax_print_height = 200\n"
        b"start_gcode = M997\\nG28\npost_process = rm\n"
        b"[print:p]\nlayer_height = 0.2\nperimeter_speed = 40\n[filament:f]\nfilament_type = PLA\n",
    )
    machine = built(bundle, printer="E")
    assert "M997" not in machine.profile.start_gcode
    assert len(machine.profile.name) <= 80
    assert machine.profile.tuning is not None
    assert machine.profile.tuning.origin.isprintable()
