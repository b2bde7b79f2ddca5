"""What a remix may carry: the settled arrows between licences, and "unknown" for the rest."""

import re
from dataclasses import dataclass
from enum import StrEnum

from designs.licence_names import canonical
from designs.licence_terms import (
    ALL_RIGHTS_RESERVED,
    CLOSED,
    GNU,
    NONE,
    PERMISSIVE,
    PUBLIC_DOMAIN,
    Leaf,
    Node,
    Openness,
    Term,
    Verdict,
    is_open,
    openness,
    parse,
)


class Remix(StrEnum):
    """May a remix of a thing under one licence carry another?"""

    SAME = "same"
    ONE_WAY = "allowed one way"  # the remix may go there, and not back
    CONFLICT = "conflict"
    UNKNOWN = "unknown"  # never shown as fine: a person must look


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """An answer about a remix with the sentence that explains it."""

    answer: Remix
    why: str


def compatible(source: str | None, remix: str | None) -> Compatibility:
    """May a remix of something under `source` be given out under `remix`?

    Only what is well established is answered with yes; the rest is unknown. Of `A OR B` the
    remixer may pick one side; `A AND B` must be kept both.
    """
    names = [canonical(text) if text else None for text in (source, remix)]
    if names[0] is None or names[1] is None:
        side = "original" if names[0] is None else "remix"
        return _unknown(f"The licence of the {side} is missing or not SPDX")
    return _compatible(parse(names[0]), parse(names[1]))


def openness_of_remix(source: str | None, remix: str | None) -> Verdict:
    """The label a remix may carry: its own, unless its licence does not follow from the source's.

    A remix that drops ShareAlike or NonCommercial terms cannot be called open until a person
    settled it.
    """
    own, step = openness(remix), compatible(source, remix)
    if own.openness is not Openness.OPEN or step.answer in (Remix.SAME, Remix.ONE_WAY):
        return own
    return Verdict(openness=Openness.UNKNOWN, why=step.why)


def _compatible(source: Term, remix: Term) -> Compatibility:
    if isinstance(source, Leaf) and isinstance(remix, Leaf):
        return _step(source, remix)
    if source == remix:
        return Compatibility(answer=Remix.SAME, why="Both carry the same licence terms.")
    best_first = [Remix.SAME, Remix.ONE_WAY, Remix.UNKNOWN, Remix.CONFLICT]
    if isinstance(remix, Node):
        if remix.word == "AND":
            return _unknown("The remix asks for several licences at once")
        answers = [_compatible(source, term) for term in remix.terms]
        return max(answers, key=lambda each: (best_first.index(each.answer), each.why))
    assert isinstance(source, Node)  # noqa: S101  two leaves were answered above
    answers = [_compatible(term, remix) for term in source.terms]
    rank = min if source.word == "OR" else max
    found = rank(answers, key=lambda each: (best_first.index(each.answer), each.why))
    if found.answer is Remix.SAME:  # one side of the source's terms was taken, or dropped
        return Compatibility(answer=Remix.ONE_WAY, why=f"{remix} is one of the terms offered.")
    return found


_CERN_RANK = {"CERN-OHL-P-2.0": 0, "CERN-OHL-W-2.0": 1, "CERN-OHL-S-2.0": 2}
_CC = re.compile(
    r"CC-BY(?P<nc>-NC)?(?P<nd>-ND)?(?P<sa>-SA)?-(?P<version>\d\.\d)(?P<port>-[A-Z-]+)?"
)
_RECIPROCAL = re.compile(
    r"(?:A|L)?GPL-.*|CC-BY-(?:NC-)?SA-.*|CERN-OHL-(?:W|S)-.*|TAPR-OHL-.*|OSL-.*|EUPL-.*"
)


def _step(source: Leaf, remix: Leaf) -> Compatibility:
    """One licence to another. Asked in order: forbidden, same, known arrows, dropped terms."""
    old, new = str(source), str(remix)
    if old in (NONE, ALL_RIGHTS_RESERVED):
        return _conflict("The original reserves all rights: ask its owner before remixing")
    if re.search(r"-ND(-|$)", source.id):
        return _conflict(f"{old} does not allow remixes to be shared")
    if "LicenseRef-" in old + new:
        return _unknown("A licence outside the SPDX list is involved")
    if old == new:
        return Compatibility(answer=Remix.SAME, why=f"Both carry {old}.")
    if source.exception or remix.exception:
        return _unknown(f"{old} to {new} is not in our table")
    return (
        _cern(old, new)
        or _creative_commons(old, new)
        or _software(old, new)
        or _terms_dropped(old, new)
        or _unknown(f"{old} to {new} is not in our table")
    )


def _cern(old: str, new: str) -> Compatibility | None:
    """P → W → S; W to S rests on W naming S among its compatible licences."""
    if old not in _CERN_RANK or new not in _CERN_RANK:
        return None
    if _CERN_RANK[old] < _CERN_RANK[new]:
        return _one_way(f"{old} material may go into a design under {new}, with its notices kept")
    return _conflict(f"{old} must be passed on; {new} asks for less")


def _creative_commons(old: str, new: str) -> Compatibility | None:
    """Attribution may gain terms, ShareAlike may move to a later version, nothing may be lost."""
    if old == "CC-BY-SA-4.0" and new in ("GPL-3.0-only", "GPL-3.0"):
        return _one_way("Creative Commons declared GPL version 3 compatible with CC-BY-SA-4.0")
    a, b = _CC.fullmatch(old), _CC.fullmatch(new)
    if not a or not b or b["nd"]:
        return None
    lost = [
        word
        for key, word in (("nc", "NonCommercial"), ("sa", "ShareAlike"))
        if a[key] and not b[key]
    ]
    if lost:
        return _conflict(f"{new} drops the {' and '.join(lost)} terms of {old}")
    if a["sa"] and b["nc"] and not a["nc"]:
        return _conflict(f"{new} adds a NonCommercial term that {old} does not allow")
    if a["version"] > b["version"] or a["port"] != b["port"]:
        return _unknown(f"{old} to {new} goes to an earlier or a national version")
    return _one_way(f"{old} allows {new} for a remix, with attribution kept")


_GNU_V2_OR_LATER = frozenset(["GPL-2.0-or-later", "GPL-2.0+"])
_GNU_V3 = frozenset(["GPL-3.0", "GPL-3.0-only", "GPL-3.0-or-later", "GPL-3.0+"])


def _software(old: str, new: str) -> Compatibility | None:
    """The settled arrows between software licences."""
    lesser = re.fullmatch(r"LGPL-(2\.1|3\.0)(?:-only|-or-later|\+)?", old)
    arrows = (
        old in PUBLIC_DOMAIN,
        old in PERMISSIVE and _keeps_notices(new),
        old in _GNU_V2_OR_LATER and new in _GNU_V3 | {"GPL-2.0-only", "GPL-2.0"},
        old in ("GPL-3.0-or-later", "GPL-3.0+") and new in _GNU_V3,
        lesser is not None and new in ("GPL-3.0", "GPL-3.0-only"),
        old == "Apache-2.0" and re.fullmatch(r"(?:A|L)?GPL-3\.0.*", new) is not None,
    )
    if any(arrows):
        return _one_way(f"{old} material may go into a work under {new}, with its notices kept")
    if old == "Apache-2.0" and re.fullmatch(r"L?GPL-2\.[01](-only)?", new):
        return _conflict(f"the patent terms of {old} do not fit into {new}")
    return None


def _keeps_notices(new: str) -> bool:
    """Licences known to carry the notices of permissive parts along."""
    return (
        GNU.fullmatch(new) is not None
        or new in _CERN_RANK
        or new in ("Apache-2.0", "MPL-2.0", "EPL-2.0", "EUPL-1.2")
    )


def _terms_dropped(old: str, new: str) -> Compatibility | None:
    """Known to lose what the original asks for: passing on, or no selling."""
    lenient = new in PUBLIC_DOMAIN | PERMISSIVE | {"Apache-2.0", "CERN-OHL-P-2.0"}
    attribution_only = re.fullmatch(r"CC-BY-\d.*", new) is not None
    if re.search(r"-NC(-|$)", old) and is_open(new):
        return _conflict(f"{new} drops the NonCommercial terms of {old}")
    if _RECIPROCAL.fullmatch(old) and (lenient or attribution_only or CLOSED.fullmatch(new)):
        return _conflict(f"{old} asks that remixes stay under it; {new} does not")
    return None


def _unknown(why: str) -> Compatibility:
    return Compatibility(answer=Remix.UNKNOWN, why=f"{why}: ask a person before relying on it.")


def _conflict(why: str) -> Compatibility:
    return Compatibility(answer=Remix.CONFLICT, why=f"{why}.")


def _one_way(why: str) -> Compatibility:
    return Compatibility(answer=Remix.ONE_WAY, why=f"{why}.")
