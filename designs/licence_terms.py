"""The terms of an SPDX expression, and whether they make open hardware.

"Valid" and "open" are different things: a valid expression may forbid selling, so the open ids
stand in lists of our own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from designs.licence_names import canonical

NONE = "LicenseRef-NONE"  # nobody gave a licence
NO_ASSERTION = "LicenseRef-NOASSERTION"  # somebody did, but we cannot say which
ALL_RIGHTS_RESERVED = "LicenseRef-AllRightsReserved"

HARDWARE = frozenset(
    [
        "CERN-OHL-1.1",
        "CERN-OHL-1.2",
        "CERN-OHL-P-2.0",
        "CERN-OHL-W-2.0",
        "CERN-OHL-S-2.0",
        "TAPR-OHL-1.0",
        "SHL-0.5",
        "SHL-0.51",
    ]
)
"""Licences written for hardware. Solderpad 2.x is an exception to Apache-2.0, not a licence."""

PUBLIC_DOMAIN = frozenset(["CC0-1.0", "Unlicense", "0BSD", "MIT-0"])
PERMISSIVE = frozenset(["MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "BSL-1.0"])
GNU = re.compile(r"(?:A|L)?GPL-(?:[123]\.\d)(?:-only|-or-later|\+)?")
_CC_OPEN = re.compile(r"CC-BY(?:-SA)?-\d\.\d(?:-[A-Z]{2,3})?")
_OTHER_OPEN = frozenset(
    [
        "Apache-1.1",
        "Apache-2.0",
        "Artistic-2.0",
        "CDDL-1.0",
        "CDDL-1.1",
        "CECILL-2.1",
        "CECILL-B",
        "CECILL-C",
        "ECL-2.0",
        "EPL-1.0",
        "EPL-2.0",
        "EUPL-1.1",
        "EUPL-1.2",
        "LAL-1.2",
        "LAL-1.3",
        "LPPL-1.3c",
        "MPL-1.1",
        "MPL-2.0",
        "MS-PL",
        "MS-RL",
        "MulanPSL-2.0",
        "NCSA",
        "ODC-By-1.0",
        "ODbL-1.0",
        "OSL-3.0",
        "PDDL-1.0",
        "PostgreSQL",
        "Python-2.0",
        "UPL-1.0",
        "W3C",
        "WTFPL",
        "GFDL-1.3-no-invariants-only",
        "GFDL-1.3-no-invariants-or-later",
    ]
)
_SOLDERPAD = frozenset({"SHL-2.0", "SHL-2.1"})
CLOSED = re.compile(
    r"(?!LicenseRef-).*-(?:NC|ND)(?:-.*)?|PolyForm-.*|BUSL-.*|SSPL-.*|Elastic-.*|Hippocratic-.*|Prosperity-.*"
)


class Openness(StrEnum):
    """Whether everybody may study, change, make, share and sell the thing."""

    OPEN = "open"
    NOT_OPEN = "not open"
    UNKNOWN = "unknown"  # never shown as open


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An openness with the sentence that explains it."""

    openness: Openness
    why: str

    @property
    def open(self) -> bool:
        """Whether the "open" label may be shown."""
        return self.openness is Openness.OPEN


# --- reading an expression ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaf:
    """One licence of an expression, with its exception when it has one."""

    id: str
    exception: str | None = None

    def __str__(self) -> str:
        return f"{self.id} WITH {self.exception}" if self.exception else self.id


@dataclass(frozen=True, slots=True)
class Node:
    """AND or OR over two or more terms; the order of terms means nothing."""

    word: str
    terms: frozenset["Term"]


Term = Leaf | Node


def parse(expression: str) -> Term:
    """The tree of a *canonical* expression. AND binds closer than OR, WITH closest."""
    return _either(iter([*re.findall(r"[()]|[^\s()]+", expression), ""]))


def _either(pieces: Iterator[str]) -> Term:
    """One level of brackets: terms joined by AND inside terms joined by OR."""
    alternatives: list[Term] = []
    together: list[Term] = []
    for piece in pieces:
        if piece in ("", ")"):
            break
        if piece == "OR":
            alternatives.append(_joined("AND", together))
            together = []
        elif piece == "WITH":
            base = together.pop()
            together.append(Leaf(str(base), next(pieces)))
        elif piece == "(":
            together.append(_either(pieces))
        elif piece != "AND":
            together.append(Leaf(piece))
    return _joined("OR", [*alternatives, _joined("AND", together)])


def _joined(word: str, terms: list[Term]) -> Term:
    """Terms under one word, flattened: `A AND (B AND C)` is the same as `A AND B AND C`."""
    flat: set[Term] = set()
    for term in terms:
        flat |= term.terms if isinstance(term, Node) and term.word == word else {term}
    return flat.pop() if len(flat) == 1 else Node(word, frozenset(flat))


# --- open or not ----------------------------------------------------------------------------


def openness(text: str | None) -> Verdict:
    """Whether a licence makes open hardware, with a sentence for a person.

    `A AND B` is open when both are; `A OR B` when one is, because the maker may choose.
    """
    if not text or not text.strip():
        return Verdict(
            openness=Openness.NOT_OPEN,
            why="No licence is given, so all rights are reserved: add one to open the design.",
        )
    expression = canonical(text)
    if expression is None:
        return Verdict(
            openness=Openness.UNKNOWN,
            why=f"“{_short(text)}” is not an SPDX licence, so nobody can tell what it allows.",
        )
    return _openness_of(parse(expression))


def _openness_of(term: Term) -> Verdict:
    if isinstance(term, Leaf):
        return _openness_of_leaf(term)
    # The word decides which verdict outweighs the others: the worst for AND, the best for OR.
    order = [Openness.NOT_OPEN, Openness.UNKNOWN, Openness.OPEN]
    if term.word == "OR":
        order.reverse()
    return min(
        (_openness_of(part) for part in term.terms),
        key=lambda verdict: (order.index(verdict.openness), verdict.why),
    )


def _openness_of_leaf(leaf: Leaf) -> Verdict:
    name = leaf.id
    if name in (NONE, ALL_RIGHTS_RESERVED):
        return Verdict(
            openness=Openness.NOT_OPEN,
            why="All rights are reserved: others may look, but not make, change or share it.",
        )
    if leaf.exception in _SOLDERPAD:
        if name == "Apache-2.0":
            return Verdict(openness=Openness.OPEN, why=f"{leaf} is an open hardware licence.")
        return Verdict(
            openness=Openness.UNKNOWN,
            why=f"{leaf.exception} was written for Apache-2.0; with {name} its meaning is open.",
        )
    if name in HARDWARE:
        return Verdict(openness=Openness.OPEN, why=f"{name} is an open hardware licence.")
    if is_open(name):
        return Verdict(
            openness=Openness.OPEN,
            why=f"{leaf} is an open licence, though it was not written for hardware.",
        )
    if CLOSED.fullmatch(name):
        limit = "changing it" if re.search(r"-ND(-|$)", name) else "some uses, such as selling it"
        return Verdict(
            openness=Openness.NOT_OPEN, why=f"{name} forbids {limit}, so it is not open hardware."
        )
    return Verdict(
        openness=Openness.UNKNOWN,
        why=f"{leaf} is not on our list of open licences: a person must read it.",
    )


def is_open(name: str) -> bool:
    bare = name.removesuffix("+")
    return (
        bare in HARDWARE | PUBLIC_DOMAIN | PERMISSIVE | _OTHER_OPEN
        or GNU.fullmatch(name) is not None
        or _CC_OPEN.fullmatch(bare) is not None
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "…"
