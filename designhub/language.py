"""The language that is spoken now: the texts of messages, and how figures look.

The message is the English sentence itself, so without a catalogue everything is still readable.
Catalogues stand in `translations/` as gettext's tools keep them, and are read as they stand; the
web sets the language of each request, a command leaves it English. Nothing here needs the server's
packages: commands beside a printer speak through it too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from designhub import catalogue
from designhub.catalogue import Catalogue

FOLDER = Path(__file__).parent / "translations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language of the pages, and the signs of its figures (Unicode CLDR)."""

    code: str
    name: str
    decimal: str
    group: str


LANGUAGES: Mapping[str, Language] = {
    each.code: each
    for each in (
        Language(code="en", name="English", decimal=".", group=","),
        Language(code="de", name="Deutsch", decimal=",", group="."),
    )
}
"""All that are complete, the one that the messages are written in first."""

ENGLISH = LANGUAGES["en"]
_spoken: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def spoken() -> Language:
    """The language of this request or command."""
    return _spoken.get()


def speak(code: str) -> None:
    """Speak a language from here on in this context; one that we do not have is English."""
    _spoken.set(LANGUAGES.get(code, ENGLISH))


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak a language in a block, as for a mail to somebody."""
    before = _spoken.set(LANGUAGES.get(code, ENGLISH))
    try:
        yield
    finally:
        _spoken.reset(before)


def gettext(message: str, /, **values: Any) -> str:
    """A message in the spoken language, its `%(name)s` filled in.

    Without values it is left as it is, so that a sign of per cent needs no doubling.
    """
    text = message_of(message)
    return text % values if values else text


def ngettext(one: str, many: str, number: int, /, **values: Any) -> str:
    """The form of a message for a number; `%(n)s` is the number unless `values` says otherwise."""
    return form_of(one, many, number) % {"n": number, **values}


_ = gettext


def message_of(message: str) -> str:
    """A message in the spoken language, not filled in: templates do that, and escape what they put
    into it."""
    return _catalogue(spoken().code).one(message)


def form_of(one: str, many: str, number: int) -> str:
    """The form of a message for a number, not filled in."""
    return _catalogue(spoken().code).form(one, many, number)


@dataclass(frozen=True, slots=True)
class Lazy:
    """A message of a table that is made once and read in many languages."""

    message: str

    def __str__(self) -> str:
        return gettext(self.message)

    def __html__(self) -> str:
        """For templates, which would otherwise escape the object's shape."""
        from markupsafe import escape

        return str(escape(str(self)))


def lazy(message: str) -> Lazy:
    """Mark a message where it stands; `str()` of it is in the language spoken then."""
    return Lazy(message)


@cache
def _catalogue(code: str) -> Catalogue:
    if code == ENGLISH.code:
        return Catalogue()
    return catalogue.read((FOLDER / code / "LC_MESSAGES" / "messages.po").read_text("utf-8"))
