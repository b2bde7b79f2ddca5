"""From what people write to SPDX: canonical expressions, near misses, and guesses from a file."""

import re
from difflib import get_close_matches

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.licenses._spdx import EXCEPTIONS, LICENSES  # the list the validator itself uses

_MAX_CHARS = 500  # longer than any real expression, shorter than an attack on the parser


def canonical(text: str) -> str | None:
    """`text` as an SPDX expression in canonical case, or None when it is not one.

    Accepts AND, OR, WITH, brackets, deprecated ids and `LicenseRef-…`; being valid says nothing
    about being open.
    """
    text = " ".join(text.split())
    if not text or len(text) > _MAX_CHARS or not text.isascii():
        return None
    try:
        expression = str(canonicalize_license_expression(text))
    except (InvalidLicenseExpression, RecursionError, MemoryError):
        return None  # the last two: the library leans on Python's own parser
    if "LicenseRef-" in re.split(r"[ ()]", expression):
        return None  # a LicenseRef needs a name
    return expression


# --- near misses ----------------------------------------------------------------------------

_NOISE = re.compile(
    r"\b(?:the|a|an|licen[cs]ed?|under|version|ver|international|public|hardware)\b"
)
_SPELT_OUT = (
    (r"\bcreative commons\b", "cc"),
    (r"\battribution\b", "by"),
    (r"\bshare[- ]?alike\b", "sa"),
    (r"\bnon[- ]?commercial\b", "nc"),
    (r"\bno[- ]?deriv(?:ative)?s?\b", "nd"),
    (r"\bcern open hardware licen[cs]e\b", "cern ohl"),
    (r"\bcern open hardware\b", "cern ohl"),
    (r"\b(?:strongly|strong)[- ]reciprocal\b", "s"),
    (r"\bweakly[- ]reciprocal\b", "w"),
    (r"\bpermissive\b", "p"),
    (r"\bgnu\b", ""),
    (r"\baffero general public licen[cs]e\b", "agpl"),
    (r"\blesser general public licen[cs]e\b", "lgpl"),
    (r"\bgeneral public licen[cs]e\b", "gpl"),
    (r"\bmozilla public licen[cs]e\b", "mpl"),
    (r"\b(?:or|and)[- ](?:any )?(?:later|newer)(?: version)?\b", "+"),
)


def _fold(text: str) -> str:
    """The letters, digits, dots and plus of a name: what is left when spelling is forgiven."""
    text = text.lower()
    for pattern, short in _SPELT_OUT:
        text = re.sub(pattern, short, text)
    text = _NOISE.sub(" ", text)
    text = re.sub(r"(?<![a-z])v[. ]*(?=\d)|(?<=[a-z])v(?=\d)", "", text)
    text = re.sub(r"[^a-z0-9.+]", "", text).strip(".")
    return re.sub(r"(?<=\d)\.0(?![\d.])", "", text)  # 4.0 and 4 are the same version


def _spellings() -> dict[str, str]:
    """Every SPDX id by its folded spelling; the current ids outweigh the deprecated ones."""
    known: dict[str, str] = {}
    for entry in sorted(LICENSES.values(), key=lambda each: bool(each["deprecated"])):
        known.setdefault(_fold(entry["id"]), entry["id"])
    for family in ("GPL", "LGPL", "AGPL"):
        for version in ("2.0", "2.1", "3.0"):
            if f"{family}-{version}-only".lower() in LICENSES:
                # Without "or later" only the version itself was granted.
                known[_fold(f"{family}-{version}")] = f"{family}-{version}-only"
                known[_fold(f"{family}-{version}+")] = f"{family}-{version}-or-later"
    for exception in ("SHL-2.0", "SHL-2.1"):
        if exception.lower() in EXCEPTIONS:
            for name in (exception, exception.replace("SHL", "Solderpad")):
                known[_fold(name)] = f"Apache-2.0 WITH {exception}"
    by_version = {"s": "CERN-OHL-S-2.0", "w": "CERN-OHL-W-2.0", "p": "CERN-OHL-P-2.0"}
    for letter, name in by_version.items():  # these exist in one version only
        for spelling in (f"cernohl{letter}", f"cernohl2{letter}", f"ohl{letter}"):
            known[spelling] = name
    return known | {
        "apache": "Apache-2.0",
        "cc0": "CC0-1.0",
        "cczero": "CC0-1.0",
        "tapr": "TAPR-OHL-1.0",
        "taprohl": "TAPR-OHL-1.0",
        "bsd3": "BSD-3-Clause",
        "bsd2": "BSD-2-Clause",
        "mpl": "MPL-2.0",
        "ccbysa": "CC-BY-SA-4.0",  # without a version the current one is asked about
        "ccby": "CC-BY-4.0",
    }


_SPELLINGS = _spellings()
_ORDINARY = [
    folded
    for folded, name in _SPELLINGS.items()
    if re.match(r"CERN|CC-BY|CC0|TAPR|GPL|LGPL|AGPL|Apache-2|MIT$|MPL-2|BSD-[23]-Clause$", name)
]


def suggest(text: str) -> str | None:
    """The SPDX expression somebody most likely meant, to be asked about, never assumed.

    Returns None when `text` is valid already or resembles nothing. "CC-BY-SA 4.0" gives
    "CC-BY-SA-4.0", "MIT/Apache-2.0" gives "MIT OR Apache-2.0".
    """
    text = " ".join(text.split())
    if not text or len(text) > _MAX_CHARS or canonical(text) is not None:
        return None
    whole = _meant(text)
    if whole:
        return whole
    pieces = re.split(r"\s*(/|\||\bor\b|\band\b|&|\+(?=\s))\s*", text, flags=re.IGNORECASE)
    if len(pieces) < 3:
        return None
    words = []
    for position, piece in enumerate(pieces):
        if position % 2:
            words.append("AND" if piece.lower() in ("and", "&", "+") else "OR")
        else:
            meant = canonical(piece) or _meant(piece)
            if meant is None:
                return None
            words.append(meant)
    return canonical(" ".join(words))


def _meant(text: str) -> str | None:
    folded = _fold(text)
    bracketed = re.search(r"\(([^()]+)\)", text)  # "Creative Commons … (CC BY-SA 4.0)"
    inside = _SPELLINGS.get(_fold(bracketed[1])) if bracketed else None
    found = _SPELLINGS.get(folded) or inside
    if found or len(folded) < 5:
        return found
    close = get_close_matches(folded, _ORDINARY, n=1, cutoff=0.85)
    # A wrong digit is another licence, not a slip of the pen: versions must agree.
    if close and re.findall(r"\d+", close[0]) == re.findall(r"\d+", folded):
        return _SPELLINGS[close[0]]
    return None


# --- a LICENSE file -------------------------------------------------------------------------

_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([^\r\n*]+)")
_HEAD_CHARS = 2_000  # titles stand at the top; further down licences name one another
_PHRASES = (
    (r"cern open hardware licen[cs]e version 2 ?[-–—]? ?strongly reciprocal", "CERN-OHL-S-2.0"),
    (r"cern open hardware licen[cs]e version 2 ?[-–—]? ?weakly reciprocal", "CERN-OHL-W-2.0"),
    (r"cern open hardware licen[cs]e version 2 ?[-–—]? ?permissive", "CERN-OHL-P-2.0"),
    (r"cern (?:open hardware licen[cs]e|ohl) v(?:ersion|\.)? ?1\.2", "CERN-OHL-1.2"),
    (r"cern (?:open hardware licen[cs]e|ohl) v(?:ersion|\.)? ?1\.1", "CERN-OHL-1.1"),
    (r"tapr open hardware license", "TAPR-OHL-1.0"),
    (r"solderpad hardware licen[cs]e v(?:ersion )?2\.1", "Apache-2.0 WITH SHL-2.1"),
    (r"solderpad hardware licen[cs]e v(?:ersion )?2\.0", "Apache-2.0 WITH SHL-2.0"),
    (r"solderpad hardware licen[cs]e,? v(?:ersion )?0\.51", "SHL-0.51"),
    (r"cc0 1\.0 universal", "CC0-1.0"),
    (r"^ ?gnu affero general public license version 3", "AGPL-3.0-only"),
    (r"^ ?gnu lesser general public license version 3", "LGPL-3.0-only"),
    (r"^ ?gnu lesser general public license version 2\.1", "LGPL-2.1-only"),
    (r"^ ?gnu general public license version 3", "GPL-3.0-only"),
    (r"^ ?gnu general public license version 2", "GPL-2.0-only"),
    (r"mozilla public license version 2\.0", "MPL-2.0"),
    (r"apache license version 2\.0", "Apache-2.0"),
    (r"free and unencumbered software released into the public domain", "Unlicense"),
    (r"permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    (r"permission to use, copy, modify, and/or distribute this software", "ISC"),
)
_CC_TITLE = re.compile(
    r"(?<![a-z-])attribution(-noncommercial)?(-sharealike|-noderivatives|-noderivs)? (\d\.\d)"
)


def guess(text: str | None) -> str | None:
    """The licence a LICENSE file most likely holds; None when it names several or none.

    A GNU licence is guessed as "only" its version: whether later ones are allowed stands in the
    works that use it, not in its text.
    """
    if not text:
        return None
    tags = {canonical(found) for found in _TAG.findall(text[:20_000])}
    if tags:
        return tags.pop() if len(tags) == 1 else None
    head = re.sub(r"[\s#*=_>]+", " ", text[:_HEAD_CHARS]).lower()
    found = {name for pattern, name in _PHRASES if re.search(pattern, head.replace(", v", " v"))}
    found |= {_cc_name(match) for match in _CC_TITLE.finditer(head)}
    if "redistribution and use in source and binary forms" in head:
        found.add("BSD-3-Clause" if "neither the name" in head else "BSD-2-Clause")
    return canonical(found.pop()) if len(found) == 1 else None


def _cc_name(title: re.Match[str]) -> str:
    terms = "-NC" if title[1] else ""
    terms += {"-sharealike": "-SA", None: ""}.get(title[2], "-ND")
    return f"CC-BY{terms}-{title[3]}"
