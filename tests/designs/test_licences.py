"""What a licence says, whether it is open, and what a remix may carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.licences import (
    ALL_RIGHTS_RESERVED,
    HARDWARE,
    NO_ASSERTION,
    NONE,
    Openness,
    Remix,
    canonical,
    compatible,
    guess,
    openness,
    openness_of_remix,
    suggest,
)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("cern-ohl-s-2.0", "CERN-OHL-S-2.0"),
        (
            "mit and (apache-2.0 or LicenseRef-Shop.Rules)",
            "MIT AND (Apache-2.0 OR LicenseRef-Shop.Rules)",
        ),
        ("Apache-2.0 with shl-2.1", "Apache-2.0 WITH SHL-2.1"),
        ("GPL-3.0", "GPL-3.0"),
        ("GPL-3.0+", "GPL-3.0+"),
        ("  MIT\n", "MIT"),
    ],
)
def test_valid_expressions_get_their_canonical_case(text: str, expression: str) -> None:
    assert canonical(text) == expression


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "CC-BY-SA 4.0", "CERN OHL v1.2", "MIT/Apache-2.0", "NOASSERTION", "NONE"),
        *("DocumentRef-spdx:LicenseRef-x", "SHL-2.1", "MIT AND", "(MIT", "()", "not MIT"),
        *("LicenseRef-", "LicenseRef-ü", "\u212aastrup", "MIT " * 5_000, "(" * 5_000),
    ],
)
def test_other_text_is_not_an_expression(text: str) -> None:
    assert canonical(text) is None


@given(st.text())
def test_no_text_makes_any_answer_fail(text: str) -> None:
    expression = canonical(text)
    assert expression is None or canonical(expression) == expression
    assert openness(text).why
    assert compatible(text, text).why
    guess(text)
    meant = suggest(text)
    assert meant is None or canonical(meant) == meant


_IDS = st.sampled_from(
    [*sorted(HARDWARE), "MIT", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "GPL-3.0-only", "LicenseRef-x"]
)
_EXPRESSIONS = st.recursive(
    _IDS,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner),
    max_leaves=5,
)


@given(_EXPRESSIONS, _EXPRESSIONS)
def test_one_closed_term_closes_and_and_one_open_term_opens_or(one: str, other: str) -> None:
    verdicts = {openness(one).openness, openness(other).openness}
    together, choice = openness(f"{one} AND {other}"), openness(f"{one} OR {other}")
    assert (together.openness is Openness.NOT_OPEN) == (Openness.NOT_OPEN in verdicts)
    assert (together.openness is Openness.OPEN) == (verdicts == {Openness.OPEN})
    assert (choice.openness is Openness.OPEN) == (Openness.OPEN in verdicts)


@given(_EXPRESSIONS, _EXPRESSIONS)
def test_an_open_label_on_a_remix_rests_on_an_answer_that_allows_it(old: str, new: str) -> None:
    if openness_of_remix(old, new).openness is Openness.OPEN:
        assert compatible(old, new).answer in (Remix.SAME, Remix.ONE_WAY)


@pytest.mark.parametrize("name", sorted(HARDWARE))
def test_every_hardware_licence_is_valid_and_open(name: str) -> None:
    assert canonical(name) == name
    assert openness(name).openness is Openness.OPEN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apache-2.0 WITH SHL-2.0", Openness.OPEN),
        ("Apache-2.0 WITH SHL-2.1", Openness.OPEN),
        ("MIT WITH SHL-2.1", Openness.UNKNOWN),
        ("CC-BY-SA-4.0", Openness.OPEN),
        ("GPL-3.0-or-later", Openness.OPEN),
        ("CC-BY-NC-SA-4.0", Openness.NOT_OPEN),
        ("CC-BY-ND-4.0", Openness.NOT_OPEN),
        ("PolyForm-Noncommercial-1.0.0", Openness.NOT_OPEN),
        ("LicenseRef-Shop", Openness.UNKNOWN),
        (NO_ASSERTION, Openness.UNKNOWN),
        (NONE, Openness.NOT_OPEN),
        (ALL_RIGHTS_RESERVED, Openness.NOT_OPEN),
        ("CC-BY-SA 4.0", Openness.UNKNOWN),
        ("", Openness.NOT_OPEN),
        (None, Openness.NOT_OPEN),
    ],
)
def test_valid_is_not_open(text: str | None, expected: Openness) -> None:
    assert openness(text).openness is expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("CC-BY-SA 4.0", "CC-BY-SA-4.0"),
        ("CERN OHL v1.2", "CERN-OHL-1.2"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        (
            "Creative Commons Attribution-ShareAlike 4.0 International License (CC BY-SA 4.0)",
            "CC-BY-SA-4.0",
        ),
        ("Creative Commons Attribution-NonCommercial 4.0", "CC-BY-NC-4.0"),
        ("CERN-OHL-Sv2", "CERN-OHL-S-2.0"),
        ("CERN Open Hardware Licence Version 2 - Strongly Reciprocal", "CERN-OHL-S-2.0"),
        ("GPLv3", "GPL-3.0-only"),
        ("GPL v3 or later", "GPL-3.0-or-later"),
        ("SHL-2.1", "Apache-2.0 WITH SHL-2.1"),
        ("The MIT License", "MIT"),
        ("CERN-OLH-S-2.0", "CERN-OHL-S-2.0"),
    ],
)
def test_near_misses_are_asked_about(text: str, meant: str) -> None:
    assert suggest(text) == meant


@pytest.mark.parametrize("text", ["CERN-OHL-S-2.0", "CERN-OHL-S-3.0", "proprietary", "TODO", ""])
def test_valid_names_other_versions_and_prose_suggest_nothing(text: str) -> None:
    assert suggest(text) is None


@pytest.mark.parametrize(
    ("source", "remix", "answer"),
    [
        ("CERN-OHL-S-2.0", "cern-ohl-s-2.0", Remix.SAME),
        ("CERN-OHL-P-2.0", "CERN-OHL-W-2.0", Remix.ONE_WAY),
        ("CERN-OHL-P-2.0", "CERN-OHL-S-2.0", Remix.ONE_WAY),
        ("CERN-OHL-W-2.0", "CERN-OHL-S-2.0", Remix.ONE_WAY),
        ("CERN-OHL-S-2.0", "CERN-OHL-W-2.0", Remix.CONFLICT),
        ("CERN-OHL-S-2.0", "CERN-OHL-P-2.0", Remix.CONFLICT),
        ("CERN-OHL-W-2.0", "CERN-OHL-P-2.0", Remix.CONFLICT),
        ("CERN-OHL-1.2", "CERN-OHL-S-2.0", Remix.UNKNOWN),
        ("CC-BY-SA-4.0", "CERN-OHL-S-2.0", Remix.UNKNOWN),
        ("GPL-3.0-or-later", "CERN-OHL-S-2.0", Remix.UNKNOWN),
        ("CC-BY-4.0", "CC-BY-SA-4.0", Remix.ONE_WAY),
        ("CC-BY-SA-3.0", "CC-BY-SA-4.0", Remix.ONE_WAY),
        ("CC-BY-SA-4.0", "CC-BY-SA-3.0", Remix.UNKNOWN),
        ("CC-BY-SA-4.0", "CC-BY-4.0", Remix.CONFLICT),
        ("CC-BY-SA-4.0", "MIT", Remix.CONFLICT),
        ("CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", Remix.CONFLICT),
        ("CC-BY-NC-SA-4.0", "CC-BY-SA-4.0", Remix.CONFLICT),
        ("CC-BY-NC-4.0", "CERN-OHL-S-2.0", Remix.CONFLICT),
        ("CC-BY-ND-4.0", "CC-BY-ND-4.0", Remix.CONFLICT),
        ("CC0-1.0", "CERN-OHL-S-2.0", Remix.ONE_WAY),
        ("MIT", "GPL-3.0-only", Remix.ONE_WAY),
        ("Apache-2.0", "GPL-2.0-only", Remix.CONFLICT),
        ("MIT OR CC-BY-NC-4.0", "GPL-3.0-only", Remix.ONE_WAY),
        ("MIT AND CC-BY-NC-4.0", "GPL-3.0-only", Remix.CONFLICT),
        ("CERN-OHL-S-2.0", "CERN-OHL-S-2.0 OR MIT", Remix.CONFLICT),
        ("MIT AND Apache-2.0", "Apache-2.0 AND MIT", Remix.SAME),
        ("LicenseRef-Shop", "LicenseRef-Shop", Remix.UNKNOWN),
        (ALL_RIGHTS_RESERVED, "MIT", Remix.CONFLICT),
        ("CC-BY-SA 4.0", "CC-BY-SA-4.0", Remix.UNKNOWN),
        (None, "MIT", Remix.UNKNOWN),
    ],
)
def test_remixes(source: str | None, remix: str, answer: Remix) -> None:
    assert compatible(source, remix).answer is answer


def test_a_remix_that_drops_terms_is_not_called_open() -> None:
    assert openness_of_remix("CC-BY-NC-SA-4.0", "CC-BY-SA-4.0").openness is Openness.UNKNOWN
    assert openness_of_remix("CERN-OHL-P-2.0", "CERN-OHL-S-2.0").openness is Openness.OPEN
    assert openness_of_remix("CC-BY-4.0", "CC-BY-NC-4.0").openness is Openness.NOT_OPEN


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (
            "CERN Open Hardware Licence Version 2 - Strongly Reciprocal\n\nPreamble",
            "CERN-OHL-S-2.0",
        ),
        ("CERN Open Hardware Licence v1.2\n", "CERN-OHL-1.2"),
        ("Attribution-ShareAlike 4.0 International\n\n=====\nCreative Commons", "CC-BY-SA-4.0"),
        ("Attribution-NonCommercial-ShareAlike 4.0 International\n", "CC-BY-NC-SA-4.0"),
        ("   GNU GENERAL PUBLIC LICENSE\n      Version 3, 29 June 2007\n", "GPL-3.0-only"),
        ("                 Apache License\n          Version 2.0, January 2004\n", "Apache-2.0"),
        (
            "MIT License\n\nPermission is hereby granted, free of charge, to any person\n"
            "obtaining a copy of this",
            "MIT",
        ),
        ("# SPDX-License-Identifier: cern-ohl-w-2.0\nsee the web", "CERN-OHL-W-2.0"),
        ("Hardware: CERN Open Hardware Licence v1.2; docs: Attribution 4.0", None),
        ("Do what you like.", None),
        ("", None),
        (None, None),
    ],
)
def test_a_licence_file_is_guessed_from_its_title(text: str | None, licence: str | None) -> None:
    assert guess(text) == licence
