"""From a pushed version to what people see: manifest, parts, measured meshes, words to find it by.

Runs as a side task. Everything outside of git's objects is read in a child process; each mesh is
measured once, whatever number of versions holds it.
"""

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.blobs import Blobs
from basis.db import Database
from basis.errors import NotFound, TooLarge
from designs import catalogue, manifest, versions
from designs.analysis import MODEL_BYTES, Measured, Refused, measure
from designs.facts import READER
from designs.manifest import Manifest
from designs.models import Analysis, DesignRow, MeshRow, PartRow, VersionRow
from designs.objects import Entry
from designs.store import Store

MOST_PARTS = 200
MODELS_AT_ONCE = 20
MOST_TEXT_BYTES = 1 << 20
MOST_MESH_BYTES = 256 << 20
MOST_STL_BYTES = 512 << 20
MESHES = (".stl", ".obj", ".3mf")
README = re.compile(r"readme(\.(md|markdown|txt|rst))?", re.IGNORECASE)
LETTERS = re.compile(r"[^\W_]+")
LICENCE = re.compile(r"(licen[cs]e|copying)(\.(md|txt))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the tree of a version says, before anything is measured."""

    manifest: Manifest
    parts: tuple[tuple[str, str], ...]
    """(name, path) of each printable mesh."""
    readme: str | None
    readme_text: str
    meshes: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class _Kept:
    entry: Entry
    result: Measured | Refused
    stl_sha256: str | None
    picture_sha256: str | None
    glb_sha256: str | None


def due(session: Session) -> list[int]:
    """Versions whose analysis is owed."""
    asked = select(VersionRow.id).where(VersionRow.analysis == Analysis.DUE)
    return list(session.scalars(asked.order_by(VersionRow.id)))


def read_late_refs(design_id: int, *, database: Database, store: Store, now: datetime) -> list[int]:
    """Read the refs of a push whose hub died before it could; ids of versions that are due.

    While another push to the same design is under way it is left to that one.
    """
    hold = store.pushing(design_id)
    try:
        if not hold.last():
            return []
        with database.writing() as session:
            return versions.read_refs(session, store, design_id=design_id, now=now, done=True)
    finally:
        hold.close()


def analyse_version(
    version_id: int,
    *,
    database: Database,
    store: Store,
    blobs: Blobs,
    scratch: Path,
    now: datetime,
) -> None:
    """Read the manifest of a version, measure its new meshes, publish the result.

    Running it twice is harmless. A mesh that cannot be measured is a fact about the mesh, not a
    failure of the version.
    """
    with database.reading() as session:
        version = session.get(VersionRow, version_id)
        if version is None or version.analysis is Analysis.DONE:
            return
        design = session.get_one(DesignRow, version.design_id)
    found = _read(store, design, version.commit)
    with database.reading() as session:
        known = _known(session, found.meshes.values())
    fresh = [entry for entry in found.meshes.values() if _mesh_key(entry) not in known]
    kept = _measured(store, design.id, fresh, blobs=blobs, scratch=scratch)
    with database.writing() as session:
        _publish(session, version_id, found, kept, now=now)


def models_due(session: Session) -> list[int]:
    """Meshes that were measured before models were made of them; some at a time."""
    asked = select(MeshRow.id).where(
        MeshRow.analysis == Analysis.DONE, MeshRow.reader == READER, MeshRow.glb_sha256.is_(None)
    )
    return list(session.scalars(asked.order_by(MeshRow.id.desc()).limit(MODELS_AT_ONCE)))


def make_model(mesh_id: int, *, database: Database, blobs: Blobs, scratch: Path) -> None:
    """Make the model of one mesh from what is sliced of it. Running it twice is harmless."""
    with database.reading() as session:
        row = session.get(MeshRow, mesh_id)
        if row is None or row.stl_sha256 is None or row.glb_sha256 is not None:
            return
        stl_sha256 = row.stl_sha256
    model = ""
    with (
        suppress(NotFound),  # a file that was lost: nothing is made of it, now or later
        tempfile.TemporaryDirectory(prefix="model-", dir=scratch) as name,
    ):
        stl = blobs.path(stl_sha256)
        [result] = measure([("mesh.stl", stl)], folder=Path(name) / "results")
        if isinstance(result, Measured):
            model = _kept_model(blobs, result)
    with database.writing() as session:
        session.get_one(MeshRow, mesh_id).glb_sha256 = model


def _read(store: Store, design: DesignRow, commit: str) -> _Found:
    tree = {entry.path: entry for entry in store.tree(design.id, commit) if entry.kind == "blob"}
    root = [path for path in tree if "/" not in path]

    def text(path: str | None) -> str:
        if path is None:
            return ""
        try:
            data = store.blob(design.id, tree[path].id, most_bytes=MOST_TEXT_BYTES)
        except TooLarge:
            return ""
        return data.decode("utf-8", "replace")

    def blob_at(path: str) -> str | None:
        return tree[path].id if path in tree else None

    readme = next((path for path in sorted(root) if README.fullmatch(path)), None)
    licence = next((path for path in sorted(root) if LICENCE.fullmatch(path)), None)
    readme_text, licence_text = text(readme), text(licence) or None
    names = manifest.find(root)
    if names:
        data = b""
        try:
            data = store.blob(design.id, tree[names[0]].id, most_bytes=MOST_TEXT_BYTES)
        except TooLarge:
            names = []
    if names:
        read = manifest.read(
            data,
            filename=names[0],
            tree=blob_at,
            repository_name=design.slug,
            licence_text=licence_text,
        )
    else:
        read = manifest.fallback(
            sorted(tree),
            tree=blob_at,
            repository_name=design.slug,
            readme_text=readme_text,
            licence_text=licence_text,
        )
    parts = _parts(read, tree)
    return _Found(
        manifest=read,
        parts=parts,
        readme=readme,
        readme_text=readme_text,
        meshes={path: tree[path] for _, path in parts},
    )


def _parts(read: Manifest, tree: Mapping[str, Entry]) -> tuple[tuple[str, str], ...]:
    """The manifest's parts with a mesh; without any, every mesh of the tree by its file name."""
    meshes = ((each.name, each.mesh.path) for each in read.parts if each.mesh is not None)
    named = [(name, path) for name, path in meshes if path is not None and path in tree]
    if not named:
        named = [
            (PurePosixPath(path).stem, path)
            for path in sorted(tree)
            if path.lower().endswith(MESHES)
        ]
    once = {path: name for name, path in reversed(named)}
    return tuple((name, path) for path, name in reversed(once.items()))[:MOST_PARTS]


def _mesh_key(entry: Entry) -> tuple[str, str]:
    return entry.id, PurePosixPath(entry.path).suffix.lower().removeprefix(".")


def _known(session: Session, entries: Iterable[Entry]) -> dict[tuple[str, str], int]:
    """Meshes that were measured before, by our present readers."""
    ids = [entry.id for entry in entries]
    rows = session.execute(
        select(MeshRow.blob, MeshRow.format, MeshRow.id).where(
            MeshRow.blob.in_(ids), MeshRow.reader == READER, MeshRow.analysis != Analysis.DUE
        )
    )
    return {(blob, kind): mesh_id for blob, kind, mesh_id in rows}


def _measured(
    store: Store, design_id: int, entries: Sequence[Entry], *, blobs: Blobs, scratch: Path
) -> dict[tuple[str, str], _Kept]:
    """Measure files that are new; what comes back is kept before the job folder goes."""
    if not entries:
        return {}
    once = {_mesh_key(entry): entry for entry in entries}
    with tempfile.TemporaryDirectory(prefix="measure-", dir=scratch) as name:
        folder = Path(name)
        inputs = []
        for number, entry in enumerate(once.values()):
            path = folder / f"{number}{PurePosixPath(entry.path).suffix.lower()}"
            with path.open("wb") as file:
                for piece in store.pieces(design_id, entry.id):
                    file.write(piece)
            inputs.append((entry.path, path))
        results = measure(inputs, folder=folder / "results")
        found = zip(once.items(), results, strict=True)
        return {key: _kept(blobs, entry, result) for (key, entry), result in found}


def _kept(blobs: Blobs, entry: Entry, result: Measured | Refused) -> _Kept:
    if isinstance(result, Refused):
        return _Kept(entry, result, None, None, None)
    stl = blobs.put_file(result.stl, most_bytes=MOST_STL_BYTES).sha256
    picture = None
    if result.picture is not None:
        picture = blobs.put_file(result.picture, most_bytes=MOST_TEXT_BYTES).sha256
    return _Kept(entry, result, stl, picture, _kept_model(blobs, result))


def _kept_model(blobs: Blobs, result: Measured) -> str:
    """Its sha256, or nothing when it cannot be made."""
    if result.model is None:
        return ""
    return blobs.put_file(result.model, most_bytes=MODEL_BYTES).sha256


def _publish(
    session: Session,
    version_id: int,
    found: _Found,
    kept: Mapping[tuple[str, str], _Kept],
    *,
    now: datetime,
) -> None:
    version = session.scalar(
        select(VersionRow).where(VersionRow.id == version_id).with_for_update()
    )
    if version is None:
        raise NotFound(f"there is no version {version_id}")
    if version.analysis is Analysis.DONE:
        return
    ids = _known(session, found.meshes.values())
    for key, each in kept.items():
        if key not in ids:
            ids[key] = _mesh_row(session, key, each)
    slugs: set[str] = set()
    for position, (name, path) in enumerate(found.parts):
        slug = _slug(name, slugs)
        session.add(
            PartRow(
                version_id=version.id,
                position=position,
                slug=slug,
                name=name[:200],
                path=path[:400],
                mesh_id=ids[_mesh_key(found.meshes[path])],
            )
        )
    read = found.manifest
    version.name = read.name[:200]
    version.licence = (read.licence.spdx or "")[:200]
    version.manifest = read.to_json()
    version.readme = found.readme
    version.analysis, version.analysed_at = Analysis.DONE, now
    design = session.get_one(DesignRow, version.design_id)
    if design.title == design.slug and read.name_source != "repository":
        design.title = read.name[:200]
    if not design.description and read.function:
        design.description = read.function[:4_000]
    names = [name for name, _ in found.parts]
    catalogue.index_words(session, design, readme=found.readme_text, names=names)
    session.flush()


def _mesh_row(session: Session, key: tuple[str, str], each: _Kept) -> int:
    row = MeshRow(blob=key[0], format=key[1], reader=READER, size_bytes=each.entry.size_bytes)
    if isinstance(each.result, Refused):
        row.analysis = Analysis.REFUSED
        row.refusal, row.refusal_text = each.result.code, each.result.text
    else:
        row.analysis = Analysis.DONE
        row.facts = each.result.facts.to_json()
        row.stl_sha256, row.picture_sha256 = each.stl_sha256, each.picture_sha256
        row.glb_sha256 = each.glb_sha256
    session.add(row)
    session.flush()
    return row.id


def _slug(name: str, taken: set[str]) -> str:
    """A part's name in addresses: folded, unique in its version."""
    base = ("-".join(LETTERS.findall(name.casefold())) or "part")[:100]
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    taken.add(slug)
    return slug
