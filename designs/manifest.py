"""A design's manifest: find it, read it whatever it holds, write it strictly.

This is the door; the reader stands in `okh.reader`, the writer in `okh.writer`, the values in
`okh.model`.

    names = find(root_file_names)
    manifest = read(data, filename=names[0], tree=blob_of, repository_name="lamp")
    manifest = fallback(paths, tree=blob_of, repository_name="lamp", …)   # when there is none
"""

import re
from collections.abc import Iterable

from designs.licences import guess, openness
from designs.okh.model import (
    Fault,
    Generation,
    Licence,
    Manifest,
    ManifestPart,
    Reference,
    Severity,
    Tree,
)
from designs.okh.parts import derived_parts, references
from designs.okh.reader import read
from designs.okh.writer import Incomplete, Written, suggest, write

__all__ = [
    "Fault",
    "Generation",
    "Incomplete",
    "Licence",
    "Manifest",
    "ManifestPart",
    "Reference",
    "Severity",
    "Tree",
    "Written",
    "fallback",
    "find",
    "nested",
    "read",
    "several",
    "suggest",
    "write",
]

# The crawler's rule for stems; ASCII, so that no look-alike letter passes for "okh".
_STEM = re.compile(r"(?:.+\.)?okh(?:[_\-:.][0-9a-z:._\-]+)?", re.IGNORECASE | re.ASCII)
_SUFFIXES = {".toml": 1, ".yml": 2, ".yaml": 2, ".json": 3}


def find(names: Iterable[str]) -> list[str]:
    """The manifests among the file names of a repository's root, the one to read first.

    `okh.toml`, then other TOML, YAML, JSON; within each `okh` itself first, then by name.
    """
    ranked = []
    for name in names:
        stem, dot, ending = name.rpartition(".")
        suffix = f"{dot}{ending}".lower()
        if "/" in name or suffix not in _SUFFIXES:
            continue
        # Version 1.0 allows any .yml name that begins with "okh".
        if _STEM.fullmatch(stem) or (suffix == ".yml" and re.match(r"okh", stem, re.I | re.A)):
            ranked.append((_SUFFIXES[suffix], stem.lower() != "okh", name.lower(), name))
    return [name for *_, name in sorted(ranked)]


def nested(paths: Iterable[str]) -> list[str]:
    """Manifests below the root: listed for the reader of the page, never merged."""
    below = (path for path in paths if "/" in path)
    return sorted(path for path in below if find([path.rpartition("/")[2]]))


def several(names: list[str]) -> Fault | None:
    """One message when a root holds several manifests; `names` as `find` gave them."""
    if len(names) < 2:
        return None
    return Fault(
        code="several_manifests",
        key="",
        line=None,
        severity=Severity.NOTE,
        text=f"`{names[0]}` is read; {', '.join(names[1:])} is not. Keep one manifest.",
    )


# --- a design without a manifest ------------------------------------------------------------


def fallback(
    paths: Iterable[str],
    *,
    tree: Tree,
    repository_name: str,
    readme_text: str | None = None,
    licence_text: str | None = None,
    repo: str | None = None,
) -> Manifest:
    """What can be said of a design without a manifest, and what its owner should add.

    paths : every file of the commit, from its root.

    Each mesh is a part, the README's first paragraph is the function, the LICENSE file's title is
    a guess of the licence. The first fault carries an `okh.toml` to paste as its fix.
    """
    files = sorted(paths)
    parts = derived_parts(files, tree)
    readme = next((path for path in files if re.fullmatch(r"(?i)readme(\.[a-z]+)?", path)), None)
    bom = next((path for path in files if re.fullmatch(r"(?i)(.*/)?s?bom\.(csv|tsv)", path)), None)
    function = first_paragraph(readme_text)
    name = guess(licence_text)
    verdict = openness(name)
    toml = suggest(
        name=repository_name,
        repo=repo,
        licence=name,
        function=function,
        readme=readme,
        bom=bom,
        meshes=[(part.name, [file.address for file in part.exports]) for part in parts],
    )
    return Manifest(
        generation=Generation.NONE,
        name=repository_name,
        name_source="repository",
        licence=Licence(
            raw=name,
            spdx=name,
            hardware=name,
            guessed=name is not None,
            openness=verdict.openness,
            why=f"Guessed from the LICENSE file. {verdict.why}" if name else verdict.why,
        ),
        function=function,
        repo=repo,
        parts=parts,
        bom=references(bom, tree),
        readme=references(readme, tree),
        faults=tuple(_lacking(toml, licence=name, has_meshes=bool(parts), has_readme=bool(readme))),
    )


def _lacking(
    toml: str, *, licence: str | None, has_meshes: bool, has_readme: bool
) -> Iterable[Fault]:
    def fault(code: str, severity: Severity, text: str, fix: str | None = None) -> Fault:
        return Fault(code=code, key="", line=None, severity=severity, text=text, fix=fix)

    yield fault(
        "no_manifest",
        Severity.ERROR,
        "The design has no manifest: add the text below as `okh.toml` in the root of the "
        "repository and fill in what is in [brackets].",
        toml,
    )
    if licence is None:
        yield fault(
            "no_licence",
            Severity.ERROR,
            "No licence was found, so nobody may make the design: choose one, such as "
            "CERN-OHL-S-2.0, and add its text as a file named LICENSE.",
        )
    if not has_meshes:
        yield fault(
            "no_mesh",
            Severity.ERROR,
            "There is nothing to print: export each part as an STL, 3MF or OBJ file and commit it.",
        )
    if not has_readme:
        yield fault(
            "no_readme",
            Severity.NOTE,
            "There is no README: add a README.md that says what the thing is and how to make it.",
        )


def first_paragraph(markdown: str | None) -> str | None:
    """The first plain paragraph of a README, as one line of at most 300 characters."""
    for block in re.split(r"\n\s*\n", (markdown or "")[:20_000]):
        lines = [line.strip() for line in block.splitlines()]
        while lines and (not lines[0] or re.match(r"[#=>|<*-]|!\[|\[!\[|```|~~~", lines[0])):
            lines.pop(0)
        text = " ".join(line for line in lines if not re.fullmatch(r"[=-]{3,}", line))
        text = re.sub(r"!?\[([^\[\]]*)\]\([^()]*\)", r"\1", text)
        text = re.sub(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}", "", text)
        text = " ".join(character for character in text.split() if character.isprintable())
        if len(text) >= 10 and re.search(r"[A-Za-z\u00c0-\uffff]{3}", text):
            return text if len(text) <= 300 else text[:299].rsplit(" ", 1)[0] + "…"
    return None
