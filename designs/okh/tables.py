"""The fields of every Open Know-How generation, each with the check of its value.

OKH 2.4: https://w3id.org/oseg/schema/okh.json, OKH 1.0: https://standards.internetofproduction.org
The published schemas cannot be given to a validator as they are (invalid types, patterns that do
not compile), so the tables are our own.
"""

import re
from collections.abc import Mapping

from designs.okh.links import file, files, titled_files, url
from designs.okh.model import Generation
from designs.okh.numbers import dimensions, mass
from designs.okh.reading import Check
from designs.okh.records import (
    anything,
    images,
    list_of,
    many,
    namespace,
    patent_class,
    people,
    person,
    publication,
    record,
    schema,
)
from designs.okh.texts import (
    day,
    language,
    languages,
    level,
    pattern,
    text,
    texts,
    truth,
    version,
)

tsdc = pattern("tsdc", re.compile(r"[A-Z0-9]{2,4}"), "a TsDC code such as 3DP or MEC")

PART: Mapping[str, Check] = {
    "name": text,
    "source": files,
    "export": files,
    "image": images,
    "auxiliary": files,
    "mass": mass,
    "outer-dimensions": dimensions,
    "tsdc": tsdc,
}
PART_KNOWN_ELSEWHERE: Mapping[str, Check] = {
    "material": text,
    "manufacturing-instructions": files,
    "printing-process": text,
}
QUANTITIES = ("quantity", "count", "amount", "copies", "qty", "number-of-parts")

TOML: Mapping[str, Check] = {
    "okhv": anything,  # told when the generation is decided
    "name": text,
    "repo": url,
    "license": anything,  # read by the reader, with all it may be
    "licensor": people,
    "function": text,
    "version": version,
    "documentation-language": languages,
    "$schema": schema,
    "forkOf": url,
    "organization": people,
    "release": file,
    "contribution-guide": file,
    "readme": files,
    "attestation": files,
    "manufacturing-instructions": files,
    "bom": files,
    "user-manual": files,
    "source": files,
    "export": files,
    "auxiliary": files,
    "image": images,
    "technology-readiness-level": level("OTRL", "1|2|3|4|5|6"),
    "documentation-readiness-level": level("ODRL", r"1|2|3|3\*|4"),
    "publication": many(publication),
    "standard-compliance": texts,
    "cpc-patent-class": many(patent_class),
    "tsdc": tsdc,
    "mass": mass,
    "outer-dimensions": dimensions,
    "part": anything,  # read by the reader
    "software": list_of(
        record({"release": file, "installation-guide": file}, required=("release",))
    ),
    "rdf": record({"namespace": namespace, "prefix": text}, required=("namespace",)),
}
"""The keys of 2.4, and of every TOML generation before it."""

LOSH_ONLY: Mapping[str, Check] = {
    "material": text,
    "printing-process": texts,
    "2d-size-mm": anything,
    "component-sides": anything,
}

DRAFT: Mapping[str, str] = {
    "patent-class": "cpc-patent-class",
    "tsdc-id": "tsdc",
    "simplified-bom": "bom",
    "manufacturing-instruction": "manufacturing-instructions",
    "functional-metadata": "functional-metadata",
    "manufacturing-process": "manufacturing-process",
    "project-stage": "project-stage",
}
"""Keys of the 2.0 drafts, with the key they became; the last three became nothing."""

_agent = record({"name": text, "affiliation": text, "email": text}, open_ended=True)
_named = record(
    {"name": text, "affiliation": text, "email": text}, required=("name",), open_ended=True
)
_relation = record({"title": text, "manifest": text, "web": url, "lang": language}, open_ended=True)
_origin = record(
    {"title": text, "manifest": text, "web": url}, required=("title",), open_ended=True
)
_standard = record({"standard-title": text}, required=("standard-title",), open_ended=True)

V1: Mapping[str, Check] = {
    "title": text,
    "description": text,
    "intended-use": text,
    "keywords": texts,
    "image": files,
    "version": version,
    "development-stage": text,
    "made": truth,
    "made-independently": truth,
    "health-safety-notice": text,
    "project-link": url,
    "documentation-home": file,
    "archive-download": file,
    "license": anything,  # read by the reader
    "licensor": person,
    "manifest-author": _named,
    "contributors": list_of(_named),
    "contact": _agent,
    "date-created": day,
    "date-updated": day,
    "manifest-language": language,
    "documentation-language": language,
    "manifest-is-translation": _relation,
    "documentation-is-translation": _relation,
    "derivative-of": _origin,
    "variant-of": _relation,
    "sub": anything,  # called a list, shown as a table
    "sub-parts": anything,
    "standards-used": list_of(_standard),
    "bom": files,
    "tool-list": file,
    "design-files": titled_files,
    "schematics": titled_files,
    "making-instructions": titled_files,
    "manufacturing-files": titled_files,
    "risk-assessment": titled_files,
    "tool-settings": titled_files,
    "quality-instructions": titled_files,
    "operating-instructions": titled_files,
    "maintenance-instructions": titled_files,
    "disposal-instructions": titled_files,
    "software": titled_files,
    "okh-manifest-version": text,
}

LICENCE_KEYS = ("spdx-license", "alternative-license")
"""Deprecated keys for a licence, read when `license` is missing."""

# Spellings the texts of the standards themselves use: taken without a word.
SAME: Mapping[str, str] = {
    "fork-of": "forkOf",
    "indended-use": "intended-use",
    "manifest_language": "manifest-language",
    "documentation_language": "documentation-language",
    "License": "license",
}
# Frequent other spellings that are too far from the key to be seen as a slip of the pen.
MEANT: Mapping[str, str] = {
    "licence": "license",
    "organisation": "organization",
    "author": "licensor",
    "authors": "licensor",
    "repository": "repo",
    "licenser": "licensor",
    "dimensions": "outer-dimensions",
}

REQUIRED: Mapping[Generation, tuple[str, ...]] = {
    Generation.V1: ("title", "description", "project-link", "license"),
    Generation.DRAFT: ("name", "repo", "license", "licensor", "function"),
    Generation.LOSH: ("okhv", "name", "repo", "license", "licensor", "function", "version"),
    Generation.V2_3: ("okhv", "name", "repo", "license", "licensor", "function"),
    Generation.V2_4: ("okhv", "name", "repo", "license", "licensor", "function"),
    Generation.UNKNOWN: ("okhv", "name", "repo", "license", "licensor", "function"),
}
# A required key is not missing when another generation's key says the same.
STANDS_FOR: Mapping[str, tuple[str, ...]] = {
    "name": ("title",),
    "title": ("name",),
    "function": ("description",),
    "description": ("function",),
    "repo": ("project-link", "documentation-home"),
    "project-link": ("documentation-home", "repo"),
    "license": LICENCE_KEYS,
}


def own_fields(generation: Generation) -> Mapping[str, Check]:
    """The keys a generation knows."""
    if generation is Generation.V1:
        return V1
    if generation in (Generation.LOSH, Generation.DRAFT):
        return {**TOML, **LOSH_ONLY}
    return TOML


def near(key: str, known: Mapping[str, object]) -> str | None:
    """The known key that a misspelt one means: one slip, or two in a long word."""
    folded = key.strip().lower().replace("_", "-").replace(" ", "-")
    for candidate in (folded, MEANT.get(folded), SAME.get(folded)):
        if candidate in known:
            return candidate
    if not 4 <= len(folded) <= 40:
        return None
    allowed = 2 if len(folded) >= 9 else 1
    return next((each for each in known if _slips(folded, each.lower(), allowed)), None)


def _slips(one: str, other: str, allowed: int) -> bool:
    """At most `allowed` letters added, lost, changed or swapped with their neighbour."""
    if abs(len(one) - len(other)) > allowed:
        return False
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        last, before, row = before, row, [i]
        for j, b in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1] <= allowed
