"""Reading manifests: good ones give no faults, each mistake gives exactly one."""

import json
from collections.abc import Callable

import pytest

from designs.licences import Openness
from designs.manifest import (
    Generation,
    Manifest,
    Severity,
    fallback,
    find,
    nested,
    several,
    suggest,
)
from tests.designs.manifests import DRAFT, FILES, GOOD, JSON, LOSH, V1, V2_4, reading, tree

CERN_S = "CERN Open Hardware Licence Version 2 - Strongly Reciprocal\n"


@pytest.mark.parametrize(
    ("key", "generation"),
    [
        ("2.4", Generation.V2_4),
        ("losh", Generation.LOSH),
        ("draft", Generation.DRAFT),
        ("1.0", Generation.V1),
        ("json", Generation.V2_4),
    ],
)
def test_good_manifests_are_understood(key: str, generation: Generation) -> None:
    filename, text = GOOD[key]
    found = reading(text, filename=filename)
    serious = [fault for fault in found.faults if fault.severity is not Severity.NOTE]
    assert serious == []
    assert found.generation is generation
    assert (found.name, found.licence.spdx) == ("Reading lamp", "CERN-OHL-S-2.0")
    assert found.licence.openness is Openness.OPEN
    assert found.parts[0].mesh is not None
    assert found.parts[0].mesh.blob == "blob of stl/foot.stl"
    assert found.licensor[0].startswith("Ada Example")
    stored = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert Manifest.from_json(stored) == found


def test_a_manifest_of_2_4_in_full() -> None:
    found = reading(V2_4)
    assert found.faults == ()
    foot = found.parts[0]
    assert (foot.name, foot.mass_g) == ("Foot", 200.0)
    assert foot.outer_dimensions_mm == (120.0, 120.5, 30.0)
    assert foot.tsdc == ("3DP",)
    assert found.version == "1.10"
    assert found.documentation_language == ("en", "de-AT")
    assert found.bom[0].blob == "blob of bom.csv"
    assert [each.address for each in found.images] == [
        "docs/lamp.jpg",
        "https://example.org/lamp.png",
    ]
    assert found.unknown == {}


def test_version_1_keeps_its_three_licences_apart() -> None:
    found = reading(V1, filename="okh.yml")
    assert found.faults == ()
    assert found.name_source == "title"
    assert found.licence.hardware == "CERN-OHL-S-2.0"
    assert found.licence.documentation == "CC-BY-SA-4.0"
    assert found.licence.software == "GPL-3.0-or-later"
    assert found.version == "1.10"
    assert found.fields["made"] is True
    assert found.licensor == ("Ada Example (Lamp Works) <ada@example.org>",)


def test_meshes_named_outside_parts_become_parts() -> None:
    found = reading(V1, filename="okh.yml")
    assert [(part.name, part.declared) for part in found.parts] == [("foot", False), ("arm", False)]
    assert [each.address for each in found.parts[0].exports] == ["stl/foot.stl", "stl/foot.3mf"]


# --- one mistake, one fault -----------------------------------------------------------------

Change = Callable[[str], str]


def swap(old: str, new: str) -> Change:
    def change(text: str) -> str:
        assert text.count(old) >= 1, old
        return text.replace(old, new, 1)

    return change


def add(line: str) -> Change:
    """A key among the plain keys of a TOML manifest, before its first table."""
    return lambda text: text.replace("\nlicensor", f"\n{line}\nlicensor", 1)


RDF = ("wrong_type", "rdf")
REPO, IMAGE = "https://example.org/lamps/reading", 'location = "docs/lamp.jpg"'

MISTAKES_2_4: list[tuple[str, Change, str, str]] = [
    # Schema traps: a path resolves inside the tree, a link is http(s).
    ("path outside", swap('"README.md"', '"../../etc/passwd"'), "path_outside", "readme"),
    ("windows path", swap('"README.md"', r"'C:\x'"), "path_outside", "readme"),
    ("script link", swap('"README.md"', '"JAVASCRIPT:alert(1)"'), "address", "readme"),
    ("git link", swap('"README.md"', '"git+ssh://x"'), "address", "readme"),
    ("no scheme", swap('"README.md"', '"//example.org/x"'), "address", "readme"),
    ("empty path", swap('"README.md"', '""'), "empty_value", "readme"),
    ("only dots", swap('"README.md"', '"./"'), "path_outside", "readme"),
    ("leading slash", swap('"README.md"', '"/README.md"'), "path_style", "readme"),
    ("backslashes", swap('"docs/use.md"', r"'docs\use.md'"), "path_style", ""),
    ("up and down", swap('"README.md"', '"docs/../README.md"'), "path_style", "readme"),
    ("missing file", swap('"README.md"', '"READ.md"'), "path_missing", "readme"),
    ("passwd", swap('"README.md"', '"/etc/passwd/"'), "folder+path_style", "readme"),
    ("newline in path", swap('"README.md"', r'"a\nb.md"'), "path_outside", "readme"),
    ("no host", swap(REPO, "https://"), "address", "repo"),
    ("space inside", swap(REPO, "https://example.org/a b"), "address", "repo"),
    ("space after", swap(REPO, REPO + " "), "spaces", "repo"),
    ("user in link", swap(REPO, "https://bank.example@example.org/"), "address", "repo"),
    ("bad port", swap(REPO, "https://example.org:999999/"), "address", "repo"),
    ("patent section", swap("F21S 6/00", "F21"), "patent_class", "cpc-patent-class"),
    ("patent prose", swap("F21S 6/00", "lamps"), "patent_class", "cpc-patent-class"),
    ("patent newline", swap("F21S 6/00", r"F21S 6/00\nx"), "patent_class", "cpc-patent-class"),
    # Parser traps.
    ("key twice", add('name = "Other"'), "repeated_key", "name"),
    ("table twice", lambda text: text + '\n[rdf]\nprefix = "x"\n', "repeated_key", "rdf"),
    ("not finite", swap("mass = 450", "mass = 1e400"), "not_finite", "mass"),
    ("not a number", swap("mass = 450", "mass = nan"), "not_finite", "mass"),
    ("unquoted", swap('"README.md"', "README.md"), "syntax", ""),
    ("reserved", swap('"README.md"', "@README.md"), "syntax", ""),
    ("open quote", swap('"README.md"', '"README.md'), "syntax", ""),
    # What real manifests do.
    ("placeholder", swap("Ada Example (Lamp Works) <ada@example.org>", "[name]"), *2 * ("",)),
    ("template", swap(REPO, "https://github.com/YOU/your-awesome-project"), "placeholder", "repo"),
    ("todo", swap("Lights a page, not the room.", "TODO"), "placeholder", "function"),
    ("other generation", add('keywords = ["a"]'), "mixed_generations", "keywords"),
    ("losh key", add('material = "PLA"'), "mixed_generations", "material"),
    ("draft key", swap("cpc-patent-class", "patent-class"), "mixed_generations", "patent-class"),
    ("two keys of it", add('keywords = ["a"]\nmade = true'), "mixed_generations", "keywords"),
    ("title for name", swap("name =", "title ="), "mixed_generations", "title"),
    ("british", swap("license =", "licence ="), "misspelt_key", "licence"),
    ("british too", add('organisation = "Lamps"'), "misspelt_key", "organisation"),
    ("swapped letters", swap("function", "fucntion"), "misspelt_key", "fucntion"),
    ("underscore", swap("documentation-language", "documentation_language_"), "misspelt_key", ""),
    ("capital", swap("readme", "README"), "misspelt_key", "README"),
    ("both spellings", add('licence = "MIT"'), "repeated_key", "licence"),
    ("own key", add("rpm = 666"), "unknown_key", "rpm"),
    ("list for a text", swap('"Reading lamp"', '["Reading lamp", "b"]'), "wrong_type", "name"),
    ("table for a text", swap('"Reading lamp"', '{ text = "Reading lamp" }'), "wrong_type", "name"),
    ("number for a text", swap('"Reading lamp"', "5"), "wrong_type", "name"),
    ("text for a table", lambda text: add('rdf = "x"')(text.partition("[rdf]")[0]), *RDF),
    ("text as number", swap("mass = 450", 'mass = "450"'), "number_as_text", "mass"),
    ("list as number", swap("mass = 450", "mass = [450]"), "wrong_type", "mass"),
    ("mass in kg", swap("mass = 450", 'mass = "0.45 kg"'), "wrong_type", "mass"),
    ("mass table", swap("mass = 450", 'mass = { value = 450, unit = "g" }'), "wrong_type", "mass"),
    ("no mass", swap("mass = 450", "mass = 0"), "not_positive", "mass"),
    ("two sides", swap("width = 120, depth", "depth"), "dimensions", "outer-dimensions"),
    ("a side of 0", swap("width = 120,", "width = 0,"), "dimensions", "outer-dimensions.width"),
    ("side as text", swap("width = 120,", 'width = "120",'), "number_as_text", ""),
    ("unit in it", swap("width = 120,", 'unit = "mm", width = 120,'), "unknown_key", ""),
    ("level", swap("OTRL-4", "OTLR-4"), "level", "technology-readiness-level"),
    ("level range", swap("OTRL-4", "OTRL-9"), "level", "technology-readiness-level"),
    ("level number", swap('"OTRL-4"', "4"), "level", "technology-readiness-level"),
    ("odrl 5", swap("ODRL-3*", "ODRL-5"), "level", "documentation-readiness-level"),
    ("empty list", swap('["3DP", "ASM"]', "[]"), "empty_value", "tsdc"),
    ("empty name", swap('"Reading lamp"', '" "'), "empty_value", "name"),
    ("language in words", swap('"en"', '"English"'), "language", "documentation-language[0]"),
    ("version float", swap('"1.10"', "1.10"), "version_is_number", "version"),
    ("tsdc", swap('["3DP", "ASM"]', '"3d printing"'), "tsdc", "tsdc"),
    ("doi", swap("doi: 10.1371/journal.pone.0193087", "see the web"), "address", "publication"),
    ("slot", swap("photo-thing-main", "front"), "image_slot", ""),
    ("image key", swap(IMAGE, f'{IMAGE}, title = "x"'), "unknown_key", "image[0].title"),
    ("image place", swap(f"{IMAGE}, ", ""), "missing", "image[0].location"),
    ("schema", add('"$schema" = "https://example.org"'), "schema", "$schema"),
    ("okhv float", swap('"2.4"', "2.4"), "wrong_type", "okhv"),
    ("okhv new", swap('"2.4"', '"9.9"'), "generation", "okhv"),
    ("okhv near", swap('"2.4"', '"v2.4"'), "generation", "okhv"),
    # Licences.
    ("near miss", swap("CERN-OHL-S-2.0", "CERN OHL-S v2"), "licence_unclear", "license"),
    ("prose", swap("CERN-OHL-S-2.0", "do as you like"), "licence_unclear", "license"),
    ("not open", swap("CERN-OHL-S-2.0", "CC-BY-NC-4.0"), "licence_not_open", "license"),
    ("empty licence", swap("CERN-OHL-S-2.0", ""), "empty_value", "license"),
    ("licence todo", swap("CERN-OHL-S-2.0", "TODO"), "placeholder", "license"),
    ("licence number", swap('"CERN-OHL-S-2.0"', "2"), "wrong_type", "license"),
    ("licences", swap('"CERN-OHL-S-2.0"', '["MIT", "CC-BY-4.0"]'), "wrong_type", "license"),
    ("table", swap('"CERN-OHL-S-2.0"', '{ hardware = "MIT" }'), "wrong_type", "license"),
    ("deprecated", swap("license =", "spdx-license ="), "deprecated_key", "spdx-license"),
    # Parts.
    ("quantity", swap('name = "Foot"', 'name = "Foot"\nquantity = 2'), "unknown_key", ""),
    ("infill", swap('name = "Arm"', 'name = "Arm"\ninfill = 20'), "unknown_key", "part[1].infill"),
    ("unnamed", swap('name = "Arm"\n', ""), "missing", "part[1].name"),
    ("no files", swap('source = "cad/arm.scad"\nexport = "stl/arm.obj"\n', ""), "", "part[1]"),
    ("part's path", swap("stl/foot.3mf", "stl/no.3mf"), "path_missing", "part[0].export[0]"),
    ("part's key", swap("export =", "exprot ="), "misspelt_key", "part[0].exprot"),
    ("cube", swap("{ width = 120, depth = 120.5, height = 30 }", '"cube([1, 2, 3])"'), *2 * ("",)),
    ("software", swap('release = "https://example.org/firmware"\n', ""), "missing", ""),
    ("namespace", swap("lamp#", "lamp"), "address", "rdf.namespace"),
]


@pytest.mark.parametrize(
    ("change", "codes", "key"),
    [each[1:] for each in MISTAKES_2_4],
    ids=[each[0] for each in MISTAKES_2_4],
)
def test_each_mistake_in_2_4_is_told_once(change: Change, codes: str, key: str) -> None:
    text = change(V2_4)
    found = reading(text)
    expected = len(codes.split("+")) if codes else 1
    assert len(found.faults) == expected, found.faults
    if codes:
        assert sorted(fault.code for fault in found.faults) == sorted(codes.split("+"))
    if key:
        assert found.faults[0].key == key
    assert found.name in ("Reading lamp", "Other", "5", "lamp-repo")
    line = found.faults[0].line
    assert line is None or 1 <= line <= text.count("\n") + 1


@pytest.mark.parametrize("key", ["okhv", "name", "repo", "license", "licensor", "function"])
def test_a_missing_required_field_is_told_once(key: str) -> None:
    head, parts = V2_4.split("[[part]]", 1)
    head = "\n".join(line for line in head.split("\n") if not line.startswith(f"{key} ="))
    text = f"{head}[[part]]{parts}"
    found = reading(text)
    assert [(fault.code, fault.key) for fault in found.faults] == [("missing", key)]
    assert found.faults[0].severity is Severity.ERROR


MISTAKES_V1: list[tuple[str, Change, str, str]] = [
    ("title twice", swap("made: yes", "title: Other\nmade: yes"), "repeated_key", "title"),
    ("reserved", swap("name: Bo Example", "name: @bo"), "syntax", ""),
    ("tab", swap("  hardware: CERN", "\thardware: CERN"), "syntax", ""),
    ("colons", swap("made: yes", "made: yes: no"), "syntax", ""),
    ("alias", swap("made: yes", "made: &a yes\nmore: *a"), "alias", ""),
    ("two documents", lambda text: text + "---\ntitle: x\n", "several_documents", ""),
    ("impossible date", swap("2024-02-29", "2023-02-29"), "date", "date-created"),
    ("not a truth", swap("made: yes", "made: 12:30"), "wrong_type", "made"),
    ("no title", swap("title: Reading lamp\n", ""), "missing", "title"),
    ("no link", swap(f"project-link: {REPO}\n", ""), "missing", "project-link"),
    ("plain licence", swap("  hardware:", "x-y: 1\nother:\n  a:"), "licence_not_for_hardware", ""),
    ("typo", swap("operating-instructions", "operation-instructions"), "misspelt_key", ""),
    ("plain paths", swap("  - path: docs/use.md", "  - docs/use.md"), "wrong_type", ""),
    ("folder", swap("path: docs/use.md", "path: docs/"), "folder", ""),
    ("empty", swap("development-stage: product", "development-stage:"), "empty_value", ""),
    ("nothing", swap("development-stage: product", "development-stage: ~"), "empty_value", ""),
    ("nameless", swap("  - name: Bo Example", "  - email: bo@x.org"), "missing", ""),
    ("2.4 key", swap("made: yes", "release: https://x.org"), "mixed_generations", "release"),
    ("language", swap("en-GB", "english"), "language", "documentation-language"),
    ("spaces", swap(f"link: {REPO}", f'link: "{REPO} "'), "spaces", "project-link"),
]


@pytest.mark.parametrize(
    ("change", "code", "key"),
    [each[1:] for each in MISTAKES_V1],
    ids=[each[0] for each in MISTAKES_V1],
)
def test_each_mistake_in_version_1_is_told_once(change: Change, code: str, key: str) -> None:
    text = change(V1)
    if code == "licence_not_for_hardware":
        text = V1.replace("  hardware: CERN-OHL-S-2.0\n", "")
    found = reading(text, filename="okh.yml")
    assert [fault.code for fault in found.faults] == [code], found.faults
    if key:
        assert found.faults[0].key == key
    assert found.name == ("lamp-repo" if key == "title" and code == "missing" else "Reading lamp")
    assert found.licence.raw in ("CERN-OHL-S-2.0", "CC-BY-SA-4.0")


def test_a_plain_licence_in_version_1_is_told_and_taken() -> None:
    text = V1.replace("license:\n", "license: CERN-OHL-S-2.0\nscopes:\n")
    found = reading(text, filename="okh.yml")
    assert [fault.code for fault in found.faults] == ["wrong_type"]
    assert found.licence.spdx == "CERN-OHL-S-2.0"


# --- values that are easy to get wrong ------------------------------------------------------


def test_yaml_gives_text_and_nothing_else() -> None:
    text = (
        "title: 12:30\ndescription: no\nproject-link: https://x.org\nlicense: {hardware: MIT}\n"
        "version: 1_0\nown: 2024-13-45\nother: 1.10\n"
    )
    found = reading(text, filename="okh.yml")
    assert (found.name, found.function, found.version) == ("12:30", "no", "1_0")
    assert found.unknown == {"own": "2024-13-45", "other": "1.10"}
    assert found.faults == ()


@pytest.mark.parametrize(
    ("filename", "text", "code"),
    [
        ("okh.yml", "# nothing yet\n", "empty"),
        ("okh.toml", "", "empty"),
        ("okh.toml", "\n# name = 'x'\n", "empty"),
        ("okh.json", "{}", "empty"),
        ("okh.yml", "word", "not_a_mapping"),
        ("okh.yml", "- a\n- b\n", "not_a_mapping"),
        ("okh.json", "[]", "syntax"),
        ("okh.toml", "name: Lamp\nlicense: MIT\n", "wrong_ending"),
    ],
)
def test_what_is_no_manifest_is_told_first(filename: str, text: str, code: str) -> None:
    found = reading(text, filename=filename)
    codes = [fault.code for fault in found.faults]
    assert code in codes or (code == "syntax" and codes == ["not_a_mapping"])
    if code != "wrong_ending":
        assert len(codes) == 1
        assert (found.name, found.name_source) == ("lamp-repo", "repository")


def test_a_byte_order_mark_is_a_note_in_toml_and_nothing_in_yaml() -> None:
    mark = b"\xef\xbb\xbf"
    assert [f.code for f in reading(mark + V2_4.encode()).faults] == ["byte_order_mark"]
    assert reading(mark + V1.encode(), filename="okh.yml").faults == ()


def test_other_encodings_are_told_once_and_read() -> None:
    text = V2_4.replace("Ada Example", "Adä Example")
    found = reading(text.encode("latin-1"))
    assert [fault.code for fault in found.faults] == ["encoding"]
    assert found.licensor[0].startswith("Adä")
    wide = reading(text.encode("utf-16"))
    assert [fault.code for fault in wide.faults] == ["encoding"]
    assert (wide.name, wide.licence.spdx) == ("Reading lamp", "CERN-OHL-S-2.0")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("filename", "hostile"),
    [
        ("okh.toml", "a" + ".a" * 50_000 + " = 1\n"),  # the parser alone would take a minute
        ("okh.toml", "x = { " + "a." * 40_000 + "a = 1 }\n"),
        ("okh.toml", "x = " + "[" * 50_000 + "\n"),
        ("okh.toml", "x = " + "9" * 50_000 + "\n"),
        ("okh.toml", "# " + "x" * 300_000 + "\n"),
        ("okh.yml", "x: " + "[" * 50_000 + "\n"),
        ("okh.yml", "x: " + "{a: " * 30_000 + "\n"),
        ("okh.yml", "x:\n" + "- a\n" * 30_000),
        ("okh.yml", "x: &x [a, a]\ny: &y [*x, *x]\nz: [*y, *y]\n"),
        ("okh.yml", "x: !!python/object/apply:os.system [ls]\n? [a]\n: b\n"),
    ],
)
def test_hostile_files_cost_little_and_keep_their_name(filename: str, hostile: str) -> None:
    start = 'name = "Lamp"\nlicense = "MIT"\n'
    if filename == "okh.yml":
        start = "name: Lamp\nlicense: MIT\n"
    found = reading(start + hostile, filename=filename)
    assert found.faults
    assert (found.name, found.licence.raw) == ("Lamp", "MIT")


def test_deep_json_is_refused() -> None:
    found = reading('{"name": "Lamp", "x":' + "[" * 50_000, filename="okh.json")
    assert (found.name, found.faults[0].code) == ("Lamp", "too_deep")


def test_what_a_database_cannot_keep_is_replaced() -> None:
    text = '{"name": "a\\ud800\\u0000b", "license": "MIT", "own": [1e400, NaN, 1e2], "big": 1' + (
        "0" * 400 + "}"
    )
    found = reading(text, filename="okh.json")
    assert found.name == "a\ufffd\ufffdb"
    assert found.unknown["own"] == ["1e400", "NaN", 100.0]
    json.dumps(found.to_json(), allow_nan=False).encode()


def test_a_path_with_dots_in_a_name_is_a_path() -> None:
    found = reading(V2_4.replace('"stl/arm.obj"', '"foo..bar.stl"'))
    assert found.faults == ()
    assert found.parts[1].mesh is not None
    assert found.parts[1].mesh.path == "foo..bar.stl"


def test_a_scheme_in_capitals_is_a_scheme() -> None:
    found = reading(V2_4.replace('repo = "https:', 'repo = "HTTPS:'))
    assert found.faults == ()
    assert found.repo == REPO


@pytest.mark.parametrize(
    ("exports", "mesh"),
    [
        (["a.step", "stl/arm.obj", "stl/foot.3mf", "stl/foot.stl"], "stl/foot.stl"),
        (["stl/arm.obj", "stl/foot.3mf"], "stl/foot.3mf"),
        (["gone.stl", "stl/arm.obj"], "stl/arm.obj"),
        (["https://example.org/foot.stl"], None),
    ],
)
def test_the_mesh_to_print(exports: list[str], mesh: str | None) -> None:
    text = V2_4.replace('"stl/arm.obj"', json.dumps(exports))
    found = reading(text).parts[1].mesh
    assert (found.path if found else None) == mesh


def test_quantity_and_material_are_read_though_no_standard_has_them() -> None:
    extra = 'quantity = "4"\nmaterial = "PETG"\ninfill = 30\n'
    text = V2_4.replace('name = "Foot"\n', f'name = "Foot"\n{extra}')
    found = reading(text)
    assert (found.parts[0].quantity, found.parts[0].material) == (4, "PETG")
    assert found.unknown == {"part[0].infill": 30}
    assert [fault.code for fault in found.faults] == ["unknown_key"] * 3


@pytest.mark.parametrize(
    ("written", "sizes"),
    [
        ('"cube(size = [400,350,150])"', (400.0, 350.0, 150.0)),
        ('"cube(size = [300,300,300]"', (300.0, 300.0, 300.0)),
        ('"cylinder(h=30, r=28)"', (56.0, 56.0, 30.0)),
        ("[1, 2.5, 3]", (1.0, 2.5, 3.0)),
        ('[{ openSCAD = "cube([1, 2, 3])", unit = "mm" }]', (1.0, 2.0, 3.0)),
        ('"about a hand"', None),
        ("[]", None),
        ("7", None),
    ],
)
def test_dimensions_as_people_write_them(
    written: str, sizes: tuple[float, float, float] | None
) -> None:
    text = V2_4.replace("{ width = 120, depth = 120.5, height = 30 }", written)
    found = reading(text)
    assert found.parts[0].outer_dimensions_mm == sizes
    assert len(found.faults) == 1
    assert (found.faults[0].fix is not None) == (sizes is not None)


def test_a_repaired_file_keeps_all_but_the_broken_line() -> None:
    found = reading(V2_4.replace('readme = "README.md"', "readme = README.md"))
    assert [(fault.code, fault.line) for fault in found.faults] == [("syntax", 9)]
    assert len(found.parts) == 2
    assert found.repo == REPO


def test_forgotten_quotes_do_not_hide_the_licence() -> None:
    found = reading(V2_4.replace('"CERN-OHL-S-2.0"', "CERN-OHL-S-2.0"))
    assert [fault.code for fault in found.faults] == ["syntax"]
    assert found.licence.spdx == "CERN-OHL-S-2.0"


def test_generation_is_decided_by_content() -> None:
    assert reading(V2_4, filename="okh.yml").generation is Generation.V2_4
    yaml = "okhv: OKH-LOSHv1.0\nname: x\ndescription: y\n"
    assert reading(yaml, filename="okh.yml").generation is Generation.LOSH
    assert reading(DRAFT.replace('okhv = "2.0"\n', "")).generation is Generation.DRAFT


def test_losh_asks_for_a_version_and_takes_a_number() -> None:
    assert reading(LOSH).version == "1.10"
    found = reading(LOSH.replace("version = 1.10\n", ""))
    assert [(fault.code, fault.key) for fault in found.faults] == [("missing", "version")]


def test_a_missing_licence_is_guessed_from_the_file_and_marked() -> None:
    text = V2_4.replace('license = "CERN-OHL-S-2.0"\n', "")
    found = reading(text, licence_text=CERN_S)
    assert (found.licence.spdx, found.licence.guessed) == ("CERN-OHL-S-2.0", True)
    assert [(fault.code, fault.fix) for fault in found.faults] == [("missing", "CERN-OHL-S-2.0")]
    assert "Guessed" in found.licence.why


def test_a_licence_for_the_documentation_alone_does_not_open_the_hardware() -> None:
    text = V1.replace("  hardware: CERN-OHL-S-2.0\n", "")
    found = reading(text, filename="okh.yml")
    assert (found.licence.raw, found.licence.hardware) == ("CC-BY-SA-4.0", None)
    assert found.licence.openness is Openness.UNKNOWN


def test_a_json_manifest_tells_lines() -> None:
    text = JSON.replace('"mass": 200.5', '"mass": "heavy"')
    found = reading(text, filename="okh.json")
    assert [(fault.code, fault.key, fault.line) for fault in found.faults] == [
        ("wrong_type", "part[0].mass", 10)
    ]


# --- finding manifests, and doing without ---------------------------------------------------


def test_the_manifest_to_read_comes_first() -> None:
    names = [
        "okh.json",
        "okh.yaml",
        "okh-lamp.toml",
        "README.md",
        "OKH.toml",
        "okh.yml",
        "a.okh.yml",
    ]
    assert find(names) == [
        "OKH.toml",
        "okh-lamp.toml",
        "okh.yaml",
        "okh.yml",
        "a.okh.yml",
        "okh.json",
    ]
    assert several(find(names)) is not None
    assert several(["okh.toml"]) is None
    assert nested(["a/okh.toml", "b/README.md", "okh.toml"]) == ["a/okh.toml"]


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("okh.toml", True),
        ("okh-thing.json", True),
        ("my.okh.yaml", True),
        ("okh.v1.toml", True),
        ("OKH.TOML", True),
        ("okhfoo.yml", True),  # version 1.0: any .yml that begins with okh
        ("okhfoo.toml", False),
        ("okh2.yaml", False),
        ("my-okh.toml", False),
        ("okh thing.toml", False),
        ("okh.toml\n", False),
        ("okh", False),
        ("o\u212ah.toml", False),  # the sign for kelvin, which lower-cases to k
        ("sub/okh.toml", False),
    ],
)
def test_accepted_file_names(name: str, accepted: bool) -> None:
    assert bool(find([name])) is accepted


def test_a_design_without_a_manifest() -> None:
    found = fallback(
        FILES,
        tree=tree,
        repository_name="lamp-repo",
        readme_text="# Lamp\n\n[![build](b.svg)](x)\n\nA **lamp** that [lights](x) pages.\n",
        licence_text=CERN_S,
        repo=REPO,
    )
    assert found.generation is Generation.NONE
    assert found.function == "A lamp that lights pages."
    assert {part.name for part in found.parts} == {"foot", "arm", "foo..bar"}
    assert [fault.code for fault in found.faults] == ["no_manifest"]
    assert found.licence.guessed
    assert Manifest.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.faults[0].fix is not None
    pasted = reading(found.faults[0].fix)
    assert [(fault.code, fault.key) for fault in pasted.faults] == [("placeholder", "licensor")]


def test_an_empty_design_is_told_all_it_lacks() -> None:
    found = fallback([], tree=tree, repository_name="lamp-repo")
    codes = [fault.code for fault in found.faults]
    assert codes == ["no_manifest", "no_licence", "no_mesh", "no_readme"]
    assert found.licence.openness is Openness.NOT_OPEN


def test_a_suggested_manifest_with_all_answers_has_no_faults() -> None:
    text = suggest(
        name='A "lamp" \\ 灯\n',
        repo=REPO,
        licence="CERN-OHL-S-2.0",
        licensor="Ada",
        function="Lights.",
        meshes=[("foot", ["stl/foot.stl"])],
    )
    assert reading(text).faults == ()
    assert "[brackets]" not in text
