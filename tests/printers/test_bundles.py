"""Profiles out of PrusaSlicer's own bundles: those that Debian ships, and misleading files."""

from pathlib import Path

import pytest

from basis.errors import NotFound, Unavailable
from printers.bundles import MAX_BYTES, MAX_DEPTH, BundleRefused, bundles, read_bundle, shown_name
from printers.conditions import Unclear, goes_with, holds

DEBIAN = Path("/usr/share/PrusaSlicer/profiles")

SMALL = rb"""
# a comment; [not:a section]
[vendor]
name = Small Works
config_version = 1.2.3

[printer_model:S1]
name = Small One

[print:*common*]
layer_height = 0.2
default_acceleration = 1000
fill_density = 15%
[print:*fine*]
layer_height = 0.1
perimeters = 3
[print:0.1 mm]
inherits = *common*; *fine*
renamed_from = "old name"
perimeters = 4
; another comment
[print:0.1 mm fast]
inherits = 0.1 mm
layer_gcode = ;Z:[layer_z]\nG92 E0 # not a comment
[printer:One]
printer_model = S1
"""


def test_parents_come_first_in_their_order_and_the_own_values_last() -> None:
    bundle = read_bundle("Small", SMALL)
    fast = bundle.preset("print", "0.1 mm fast")
    assert dict(fast.values) == {
        "layer_height": "0.1",
        "default_acceleration": "1000",
        "fill_density": "15%",
        "perimeters": "4",
        "layer_gcode": r";Z:[layer_z]\nG92 E0 # not a comment",
    }
    assert bundle.names("print") == ["0.1 mm", "0.1 mm fast"]
    assert (bundle.title, bundle.version) == ("Small Works", "1.2.3")
    assert shown_name(bundle, bundle.preset("printer", "One")) == "Small One (One)"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[print:a]\ninherits = b\n[print:b]\ninherits = a\n", "inherits itself"),
        (b"[print:a]\ninherits = a\n", "inherits itself"),
        (b"[print:a]\ninherits = *gone*\n", "is not there"),
        (b"[printer:b]\n[print:a]\ninherits = b\n", "is not there"),  # of the same kind only
        (b"layer_height = 1\n", "line 1"),
        (b"[print:a\n", "line 1"),
        (b"[print:a]\nno sign\n", "line 2"),
        (b"[print:a]\nk = " + b"x" * 30_000, "line 2"),
        (b"[print:a]\n\xff = 1\n", "UTF-8"),
        (b" " * (MAX_BYTES + 1), "bytes"),
        (b"\n".join(b"[print:%d]" % n for n in range(20_000)), "over 10000 profiles"),
    ],
)
def test_a_misleading_file_is_refused_by_line_or_name(content: bytes, why: str) -> None:
    with pytest.raises(BundleRefused, match=why):
        read_bundle("V", content).preset("print", "a")


def test_inheritance_has_a_limit_in_depth_and_in_breadth() -> None:
    chain = b"[print:0]\n" + b"".join(
        b"[print:%d]\ninherits = %d\n" % (n, n - 1) for n in range(1, MAX_DEPTH + 2)
    )
    bundle = read_bundle("V", chain)
    assert bundle.preset("print", str(MAX_DEPTH - 1)).values == {}
    with pytest.raises(BundleRefused, match="steps"):
        bundle.preset("print", str(MAX_DEPTH))
    doubling = b"[print:0]\n" + b"".join(
        b"[print:%d]\ninherits = %d; %d\n" % (n, n - 1, n - 1) for n in range(1, 25)
    )
    with pytest.raises(BundleRefused, match="too much"):  # 2 ** 24 sections otherwise
        read_bundle("V", doubling).preset("print", "24")


def test_every_profile_that_debian_ships_resolves() -> None:
    found = bundles(DEBIAN)
    assert {"PrusaResearch", "Creality", "Voron", "LulzBot", "Ultimaker"} <= found.keys()
    machines = 0
    for bundle in found.values():
        for kind in ("print", "filament", "printer"):
            for name in bundle.names(kind):
                values = bundle.preset(kind, name).values
                assert "inherits" not in values
                fff = values.get("printer_technology", "FFF") == "FFF"
                machines += kind == "printer" and fff
    assert machines > 300


def test_what_looks_like_a_default_but_is_none_is_kept() -> None:
    bundle = bundles(DEBIAN)["PrusaResearch"]
    assert "default_acceleration" in bundle.preset("print", "0.20mm QUALITY @MK3").values


def test_what_is_not_there_is_said() -> None:
    bundle = read_bundle("Small", SMALL)
    with pytest.raises(NotFound):
        bundle.preset("print", "nothing")
    with pytest.raises(Unavailable, match="install PrusaSlicer"):
        bundles(Path("/nowhere"))


# --- which profiles go together -------------------------------------------------------------------

MK3S = {
    "printer_model": "MK3S",
    "printer_notes": r"Don't remove\nPRINTER_VENDOR_PRUSA3D\nPRINTER_MODEL_MK3\n",
    "nozzle_diameter": "0.4,0.4",
    "extruders": "2",
}


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ('printer_model=="MK3S"', True),
        ('printer_model!="MK3S"', False),
        ("printer_model=~/(MK3|MK3S)/", True),
        ("printer_model=~/MK/", False),  # all of it must match, as in the slicer
        ("printer_model!~/.*MINI.*/", True),
        ("printer_notes=~/.*PRINTER_MODEL_MK3.*/", True),
        (r"printer_notes=~/.*PRINTER_MODEL_MK3[^\.].*/", True),
        ("nozzle_diameter[0]==0.4 and num_extruders>1", True),
        ("nozzle_diameter[0]>=0.6", False),
        ("nozzle_diameter[1]!=0.4 or nozzle_diameter[0]<0.5", True),
        ("! single_extruder_multi_material", True),
        ("! (nozzle_diameter[0]==0.4 and printer_model=~/.*S/)", False),
        ("nozzle_diameter[0]==0.6 or nozzle_diameter[0]==0.4 and extruders==3", False),
        ("(nozzle_diameter[0]==0.4 or nozzle_diameter[0]==0.6) and extruders==2", True),
    ],
)
def test_conditions_mean_what_the_slicer_means(condition: str, true: bool) -> None:
    assert holds(condition, MK3S) is true


@pytest.mark.parametrize(
    "condition",
    [
        "unknown_value==1",
        "printer_model",
        'nozzle_diameter[0]=="0.4"',
        "nozzle_diameter[0]==",
        "(nozzle_diameter[0]==0.4",
        "nozzle_diameter[0]==0.4)",
        "nozzle_diameter[0] ~ 0.4",
        "printer_model=~/(/",
        'printer_model<"MK4"',
        "(" * 50 + "1==1" + ")" * 50,
        "1==1 and " * 1_000 + "1==1",
        "",
    ],
)
def test_what_is_not_understood_is_unclear_and_never_guessed(condition: str) -> None:
    with pytest.raises(Unclear):
        holds(condition, MK3S)


def test_a_list_of_printers_wins_over_a_condition() -> None:
    bundle = read_bundle(
        "V",
        b"[printer:A]\n[printer:B]\n"
        b'[print:listed]\ncompatible_printers = "A";"C"\ncompatible_printers_condition = 1==2\n'
        b"[print:never]\ncompatible_printers_condition = 1==2\n"
        b"[print:odd]\ncompatible_printers_condition = moon==full\n[print:any]\n",
    )
    a, b = bundle.preset("printer", "A"), bundle.preset("printer", "B")
    said = {name: goes_with(bundle.preset("print", name), a) for name in bundle.names("print")}
    assert said == {"listed": True, "never": False, "odd": None, "any": True}
    assert goes_with(bundle.preset("print", "listed"), b) is False


def test_conditions_find_profiles_where_the_default_names_lead_nowhere() -> None:
    """Of the vendors' own printers a quarter name a default that is not there."""
    lost = found = 0
    for bundle in bundles(DEBIAN).values():
        prints = [bundle.preset("print", name) for name in bundle.names("print")]
        for name in bundle.names("printer"):
            printer = bundle.preset("printer", name)
            if printer.values.get("printer_technology", "FFF") != "FFF":
                continue
            told = [goes_with(each, printer) for each in prints]
            assert None not in told
            if printer.values.get("default_print_profile") not in bundle.names("print"):
                lost += 1
                found += True in told
    assert lost > 50
    assert found >= lost * 0.95
