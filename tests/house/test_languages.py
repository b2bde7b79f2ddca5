"""The catalogues: they say what the English says, with the same figures in it, and none is missing.

What is asked of them is extracted from the code as `make languages` does it.
"""

import re
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

from designhub import catalogue, language
from designhub.language import ENGLISH, LANGUAGES

ROOT = Path(__file__).parents[2]
TRANSLATED = [code for code in LANGUAGES if code != ENGLISH.code]
VALUE = re.compile(r"%\((\w+)\)[sd]|%%|%")
"""What is filled in, and signs of per cent, which must be doubled where they are in the English."""


def path_of(code: str) -> Path:
    return language.FOLDER / code / "LC_MESSAGES" / "messages.po"


def catalog(code: str) -> Catalog:
    with path_of(code).open("rb") as file:
        return read_po(file, locale=code, abort_invalid=True)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Every message that code and templates hold now."""
    found = tmp_path_factory.mktemp("languages") / "messages.pot"
    words = ["--quiet", "extract", "-F", str(ROOT / "pyproject.toml"), "-o", str(found)]
    CommandLineInterface().run(["pybabel", *words, str(ROOT)])  # type: ignore[no-untyped-call]
    with found.open("rb") as file:
        return read_po(file)


def forms(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What it is in English, and in the other language: one form, or one for each number."""
    ids = message.id if isinstance(message.id, (list, tuple)) else (message.id,)
    said = message.string if isinstance(message.string, (list, tuple)) else (message.string,)
    return tuple(ids), tuple(text or "" for text in said)


def differs(message: Message) -> str | None:
    """Why a translation cannot stand for its English, if it cannot."""
    ids, said = forms(message)
    values = [Counter(VALUE.findall(text)) for text in ids]
    found = [Counter(VALUE.findall(text)) for text in said if text]
    if len(ids) == 1:
        return None if found in ([], values) else "other values in it"
    if found and found[-1] != values[-1]:
        return "other values in the form for many"
    return None if all(each in values for each in found) else "a form with other values in it"


def translated(code: str) -> Iterator[Message]:
    return (message for message in catalog(code) if message.id)


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_holds_the_values_of_its_english(code: str) -> None:
    wrong = {str(each.id): why for each in translated(code) if (why := differs(each))}
    assert not wrong


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_begins_and_ends_as_its_english(code: str) -> None:
    """A full stop more or less, or a space, shows on a page."""
    ends = string.whitespace + ".:?!…"
    wrong = [
        (one, other)
        for message in translated(code)
        for one, other in zip(*forms(message), strict=True)
        if other
        and ((one[-1] in ends and one[-1] != other[-1]) or other[0].isspace() > one[0].isspace())
    ]
    assert not wrong


@pytest.mark.parametrize("code", TRANSLATED)
def test_our_reader_reads_what_babel_reads(code: str) -> None:
    read = catalogue.read(path_of(code).read_text("utf-8"))
    whole = {
        ids[0]: said for ids, said in map(forms, translated(code)) if all(said) and said[0] != ""
    }
    assert read.texts == whole
    assert [read.which(n) for n in (0, 1, 2, 5, 21)] == [1, 0, 1, 1, 1]


def test_a_catalogue_is_read_as_gettext_writes_it() -> None:
    read = catalogue.read(
        '# About it\nmsgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n\n'
        'msgid "a \\"b\\"\\n"\n"c"\nmsgstr ""\n"d \\\\ "\n"e"\n\n'
        '#, fuzzy\nmsgid "guessed"\nmsgstr "no"\n\nmsgid "empty"\nmsgstr ""\n\n'
        'msgid "one"\nmsgid_plural "many"\nmsgstr[0] "eins"\nmsgstr[1] "viele"\n\n'
        '#~ msgid "old"\n#~ msgstr "alt"\n'
    )
    assert read.one('a "b"\nc') == "d \\ e"
    assert [read.one(word) for word in ("guessed", "empty", "old", "other")] == [
        "guessed",
        "empty",
        "old",
        "other",
    ]
    assert [read.form("one", "many", n) for n in (0, 1, 2)] == ["eins", "eins", "viele"]
    assert [read.form("1 x", "x", n) for n in (0, 1, 2)] == ["1 x", "1 x", "x"]
    with pytest.raises(ValueError, match="nonsense"):
        catalogue.read('msgid "a"\nnonsense\n')


def test_the_pages_are_asked_for_messages(asked: Catalog) -> None:
    """The extraction finds templates, code, forms for numbers and messages of tables."""
    found = {forms(message)[0] for message in asked}
    assert {("Sign in",), ("just now",), ("%(n)s piece", "%(n)s pieces")} <= found


@pytest.mark.parametrize("code", TRANSLATED)
def test_nothing_that_is_asked_for_is_missing(code: str, asked: Catalog) -> None:
    """`make languages` brings the messages into the catalogue; a person translates them there."""
    many = int(catalog(code).num_plurals)
    whole = {
        ids: said
        for ids, said, fuzzy in ((*forms(each), each.fuzzy) for each in translated(code))
        if all(said) and not fuzzy and len(said) == (1 if len(ids) == 1 else many)
    }
    missing = [ids for ids, _ in map(forms, asked) if ids != ("",) and ids not in whole]
    assert not missing, "\n".join(map(str, missing))


@pytest.mark.parametrize("code", TRANSLATED)
def test_figures_and_words_are_in_the_language(code: str) -> None:
    with language.speaking(code):
        assert language.gettext("Sign in") != "Sign in"
        assert language.ngettext("%(n)s piece", "%(n)s pieces", 2) != "2 pieces"
