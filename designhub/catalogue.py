"""A catalogue of translations, read as people write it (`.po`): nothing has to be compiled.

Format: https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html
"""

import ast
import gettext
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

LINE = re.compile(r'(?:(msgid_plural|msgid|msgstr)(?:\[(\d)\])?\s+)?(".*")')
PLURAL = re.compile(r"^Plural-Forms:.*?plural=([^;]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Messages in one language. Of a message that it lacks, the English stands for it."""

    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The message (of two forms the one for a single thing) → its forms."""
    which: Callable[[int], int] = lambda number: int(number != 1)
    """A number → which form it wants."""

    def one(self, message: str) -> str:
        """A message that has one form."""
        return self.texts.get(message, (message,))[0]

    def form(self, one: str, many: str, number: int) -> str:
        """The form of a message for a number."""
        return self.texts.get(one, (one, many))[self.which(number)]


def read(text: str) -> Catalogue:
    """The catalogue in a `.po` file's text; what is not translated, or only guessed, is left out.

    Raises ValueError for a line that cannot be read.
    """
    texts = {}
    for entry in _entries(text):
        forms = tuple(said for place, said in sorted(entry.items()) if place.startswith("msgstr"))
        if forms and all(forms):
            texts[entry["msgid"]] = forms
    head = PLURAL.search(texts.pop("", ("",))[0])
    return Catalogue(texts, gettext.c2py(head[1]) if head else Catalogue().which)


def _entries(text: str) -> Iterator[dict[str, str]]:
    """What stands behind each key word of each entry. A comment begins an entry, or an empty line;
    one that is marked `fuzzy` is a guess of a program."""
    for block in re.split(r"\n\s*\n", text):
        lines = block.splitlines()
        if any(line.startswith("#,") and "fuzzy" in line for line in lines):
            continue
        entry: dict[str, str] = {}
        place = ""
        for line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            found = LINE.fullmatch(line.strip())
            if found is None or not (found[1] or place):
                raise ValueError(f"this line of a catalogue cannot be read: {line[:80]!r}")
            if found[1]:
                place = found[1] + (found[2] or "")
                entry[place] = ""
            entry[place] += ast.literal_eval(found[3])
        if entry:
            yield entry
