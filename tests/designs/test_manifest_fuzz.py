"""Broken manifests: nothing raises, and the name and licence survive where they can be read."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.manifest import Incomplete, Manifest, write
from designs.okh.writer import render
from tests.designs.manifests import GOOD, V2_4, reading, tree


@pytest.mark.parametrize("key", GOOD)
def test_cut_anywhere(key: str) -> None:
    """Once the lines of name and licence stand, both are found. YAML is slow: every third byte."""
    filename, text = GOOD[key]
    data = text.encode()
    name_end = _end_of(data, b"Reading lamp")
    licence_end = _end_of(data, b"CERN-OHL-S-2.0")
    for length in range(0, len(data), 3 if filename.endswith("yml") else 1):
        found = reading(data[:length], filename=filename)
        if length > name_end:
            assert found.name == "Reading lamp", length
        if length > licence_end:
            assert found.licence.spdx == "CERN-OHL-S-2.0", length


def _end_of(data: bytes, value: bytes) -> int:
    """Where the line that holds a value ends."""
    return data.index(b"\n", data.index(value))


@pytest.mark.parametrize("key", GOOD)
def test_a_byte_lost_or_changed_anywhere(key: str) -> None:
    filename, text = GOOD[key]
    data = text.encode()
    for position in range(0, len(data), 41):
        for instead in (b"", b"\x00", b'"', b"\xff", b"\n", b"["):
            reading(data[:position] + instead + data[position + 1 :], filename=filename)


OTHERS: list[Any] = [
    *(None, True, 0, -3, 1.5, "", "x", "-1"),
    *([], {}, ["x"], [1], [[]], {"a": 1}, [{}]),
]


def _flipped(value: Any) -> Iterator[Any]:
    """The document with one value at a time replaced by each of the others."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for other in (*OTHERS, *_flipped(inner)):
                yield {**value, key: other}
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            for other in (*OTHERS, *_flipped(inner)):
                yield [*value[:i], other, *value[i + 1 :]]


def test_every_value_with_another_type() -> None:
    """A flipped value costs one fault or none, unless it holds several mistakes of its own."""
    good = tomllib.loads(V2_4)
    for number, document in enumerate(_flipped(good)):
        found = reading(json.dumps(document), filename="okh.json")
        assert len(found.faults) <= 2, (document, found.faults)
        if document["name"] == good["name"]:
            assert found.name == "Reading lamp"
        if document["license"] == good["license"]:
            assert found.licence.spdx == "CERN-OHL-S-2.0"
        if number % 4:
            continue
        try:
            again = reading(write(found, tree=tree).data)
        except Incomplete:
            continue
        assert again.faults == (), again.faults


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["TODO", "/etc/passwd", "../x", "https://", "cube([1,2,3])", "10 kg"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "path", "hardware", "value", "unit", "width", "location", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    [
        *("okhv", "name", "title", "license", "licence", "licensor", "function", "version"),
        *("repo", "image", "part", "software", "mass", "outer-dimensions", "rdf", "bom", "source"),
        *("made", "contributors", "design-files", "date-created", "derivative-of", "tsdc-id"),
        *("spdx-license", "documentation-language", "publication", "tsdc", "standards-used", "x"),
    ]
)


def _for_toml(value: Any) -> Any:
    """TOML has no null."""
    if isinstance(value, dict):
        return {key: _for_toml(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_for_toml(inner) for inner in value]
    return "" if value is None else value


@given(st.dictionaries(_KEYS, _VALUES, max_size=8), st.sampled_from(["toml", "yml", "json"]))
@settings(max_examples=150, deadline=None)
def test_any_values_under_known_keys(document: dict[str, Any], ending: str) -> None:
    text = json.dumps(document)
    if ending == "toml":
        text = render(_for_toml(json.loads(text, parse_constant=str)))
    found = reading(text.encode(errors="replace"), filename=f"okh.{ending}")
    assert Manifest.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


_TEXTS = st.text(max_size=300).map(lambda text: text.encode(errors="replace"))


@given(st.binary(max_size=300) | _TEXTS)
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes) -> None:
    for filename in ("okh.toml", "okh.yml", "okh.json", "okh"):
        found = reading(data, filename=filename)
        assert found.faults or found.name != "lamp-repo"


@given(st.lists(st.sampled_from(V2_4.split("\n") + GOOD["1.0"][1].split("\n")), max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_lines_of_good_manifests(lines: list[str]) -> None:
    text = "\n".join(lines)
    reading(text)
    reading(text, filename="okh.yml")
