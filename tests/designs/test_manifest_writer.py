"""Writing OKH 2.4: strict, the same bytes each time, and without a fault when read back."""

import json
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.licences import Openness
from designs.manifest import Generation, Incomplete, Licence, Manifest, fallback, write
from designs.okh.writer import render
from tests.designs.manifests import FILES, GOOD, LOSH, V1, V2_4, reading, tree

ALLOWED = frozenset(tomllib.loads(V2_4)) | {
    *("$schema", "forkOf", "organization", "release", "contribution-guide", "attestation"),
    *("manufacturing-instructions", "user-manual", "source", "export", "auxiliary"),
    "standard-compliance",
}


@pytest.mark.parametrize("key", GOOD)
def test_what_is_written_reads_back_without_faults(key: str) -> None:
    filename, text = GOOD[key]
    found = reading(text, filename=filename)
    written = write(found, tree=tree)
    again = reading(written.data)
    assert again.faults == ()
    assert again.generation is Generation.V2_4
    assert again.name == found.name
    assert again.licence.spdx == found.licence.spdx
    assert write(again, tree=tree) == replace(written, changes=())
    assert write(found, tree=tree).data == written.data
    values = tomllib.loads(written.data.decode())
    assert values.keys() <= ALLOWED
    assert not written.data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in written.data


def test_a_manifest_of_2_4_loses_nothing() -> None:
    written = write(reading(V2_4), tree=tree)
    assert written.changes == ()
    before, after = tomllib.loads(V2_4), tomllib.loads(written.data.decode())
    before["image"][0]["depicts"] = [before["image"][0]["depicts"]]
    assert after == before


def test_version_1_finds_its_place_and_the_rest_is_told() -> None:
    written = write(reading(V1, filename="okh.yml"), tree=tree, version="v2")
    values = tomllib.loads(written.data.decode())
    assert values["version"] == "v2"
    assert values["forkOf"] == "https://example.org/lamps/older"
    assert values["export"] == ["stl/foot.stl", "stl/foot.3mf", "stl/arm.obj"]
    for key in ("keywords", "made", "intended-use", "contributors"):
        assert any(f"`{key}`" in change for change in written.changes)
    assert any("CC-BY-SA-4.0" in change for change in written.changes)


def test_keys_of_losh_are_dropped_and_told() -> None:
    written = write(reading(LOSH), tree=tree)
    told = " ".join(written.changes)
    for key in ("material", "printing-process", "own-key", "okhv"):
        assert f"`{key}`" in told


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        ('"README.md"', '"gone.md"', "readme"),
        ('"README.md"', '"../x"', "readme"),
        ("F21S 6/00", "lamps", "cpc-patent-class"),
        ("photo-thing-main", "front", "slots"),
        ("mass = 450", "mass = -1", "mass = 4"),
        ("{ width = 120, depth = 120.5, height = 400 }", "{ width = 120 }", "height = 400"),
        ('source = "cad/arm.scad"\nexport = "stl/arm.obj"\n', "", 'name = "Arm"'),
        ('"stl/arm.obj"', '"foo..bar.stl"', "foo..bar"),
        ('["3DP", "ASM"]', '["3DP", "printed"]', "printed"),
    ],
)
def test_what_does_not_fit_is_left_out(old: str, new: str, gone: str) -> None:
    assert old in V2_4
    written = write(reading(V2_4.replace(old, new)), tree=tree)
    assert gone not in written.data.decode()
    assert reading(written.data).faults == ()


def test_a_second_image_for_a_slot_is_left_out() -> None:
    twice = V2_4.replace(
        '"https://example.org/lamp.png"',
        '{ location = "https://example.org/lamp.png", slots = ["photo-thing-main"] }',
    )
    assert [fault.code for fault in reading(twice).faults] == ["image_slot"]
    text = write(reading(twice), tree=tree).data.decode()
    assert text.count("photo-thing-main") == 1


def test_missing_required_fields_are_named() -> None:
    found = reading('name = "Lamp"\n')
    with pytest.raises(Incomplete, match="repo, licensor, function") as caught:
        write(found, tree=tree)
    assert caught.value.missing == ("repo", "licensor", "function")
    with pytest.raises(Incomplete, match="licensor, function"):
        write(found, tree=tree, repo="https://example.org/lamp")


def test_a_placeholder_is_not_a_value() -> None:
    found = replace(reading(V2_4), function="TODO")
    with pytest.raises(Incomplete, match="function"):
        write(found, tree=tree)


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        (Licence(), "LicenseRef-NONE"),
        (Licence(openness=Openness.UNKNOWN), "LicenseRef-NOASSERTION"),
        (Licence(raw="mit", spdx="MIT", hardware="MIT"), "MIT"),
        (Licence(raw="CC BY", hardware="CC BY"), "LicenseRef-CC-BY"),
        (Licence(raw="Proprietary", hardware="Proprietary"), "LicenseRef-AllRightsReserved"),
        (Licence(raw="unknown", hardware="unknown"), "LicenseRef-NOASSERTION"),
        (Licence(raw="灯", hardware="灯"), "LicenseRef-NOASSERTION"),
        (Licence(raw="MIT", spdx="MIT", documentation="MIT"), "LicenseRef-NOASSERTION"),
    ],
)
def test_a_licence_is_spdx_or_a_reference_with_the_original_told(
    licence: Licence, expected: str
) -> None:
    written = write(replace(reading(V2_4), licence=licence), tree=tree)
    assert tomllib.loads(written.data.decode())["license"] == expected
    assert written.changes
    assert reading(written.data).faults == ()


def test_a_closed_licence_is_written_and_stays_told() -> None:
    written = write(reading(V2_4.replace("CERN-OHL-S-2.0", "CC-BY-NC-4.0")), tree=tree)
    assert [fault.code for fault in reading(written.data).faults] == ["licence_not_open"]


def test_a_stored_manifest_writes_the_same_bytes() -> None:
    found = reading(V2_4)
    stored = Manifest.from_json(json.loads(json.dumps(found.to_json())))
    assert write(stored, tree=tree) == write(found, tree=tree)


def test_a_design_without_a_manifest_can_be_written_once_its_owner_is_known() -> None:
    found = fallback(FILES, tree=tree, repository_name="lamp", readme_text="It lights a page.")
    owned = replace(found, licensor=("Ada",), repo="https://example.org/lamp")
    written = write(owned, tree=tree)
    assert reading(written.data).faults == ()


_JSON = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _JSON, max_size=6))
@settings(max_examples=60, deadline=None)
def test_rendered_toml_means_what_was_given(document: dict[str, object]) -> None:
    assert _same(tomllib.loads(render(document)), document)


def _same(read: object, given: object) -> bool:
    """Equal, but a list of one text may be written as the text: the standard allows both."""
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], str):
        return read in (given, given[0])
    if isinstance(given, dict) and isinstance(read, dict):
        return given.keys() == read.keys() and all(_same(read[k], given[k]) for k in given)
    if isinstance(given, list) and isinstance(read, list):
        return len(read) == len(given) and all(map(_same, read, given))
    return read == given
