"""Reading designs, versions and parts."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from basis.errors import NotAllowed, NotFound
from designs.facts import MeshFacts
from designs.models import (
    Analysis,
    DesignRow,
    MeshRow,
    PartRow,
    RefRow,
    VersionRow,
    Visibility,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintablePart:
    """One measured part, as the router needs it."""

    part_id: int
    design_id: int
    commit: str
    slug: str
    name: str
    licence: str
    facts: MeshFacts
    stl_sha256: str


def design_by_slug(
    session: Session, *, owner_id: UUID, slug: str, reader_id: UUID | None
) -> DesignRow:
    """A design by its address, for somebody who may see it. A private design of another looks
    exactly like none. Raises NotFound."""
    row = session.scalar(
        select(DesignRow).where(
            DesignRow.owner_id == owner_id,
            DesignRow.slug == slug,
            DesignRow.deleted_at.is_(None),
        )
    )
    if row is None or not may_see(row, reader_id):
        raise NotFound(f"there is no design {slug!r} here, or none that you may see")
    return row


def empty_design(session: Session, *, owner_id: UUID, slug: str) -> DesignRow | None:
    """A design of this name that nothing was ever pushed to, if the owner has one."""
    return session.scalar(
        select(DesignRow).where(
            DesignRow.owner_id == owner_id,
            DesignRow.slug == slug,
            DesignRow.deleted_at.is_(None),
            DesignRow.pushed_at.is_(None),
            ~exists().where(RefRow.design_id == DesignRow.id),
        )
    )


def removed_design(session: Session, *, owner_id: UUID, slug: str) -> DesignRow | None:
    """A design that its owner removed, if there is one of that name."""
    return session.scalar(
        select(DesignRow).where(
            DesignRow.owner_id == owner_id,
            DesignRow.slug == slug,
            DesignRow.deleted_at.is_not(None),
        )
    )


def may_see(design: DesignRow, reader_id: UUID | None) -> bool:
    """Whether somebody may see a design: a public one anybody, a private one its owner."""
    return design.visibility is Visibility.PUBLIC or design.owner_id == reader_id


def refs(session: Session, design_id: int) -> list[RefRow]:
    """Tags and branches with their versions, the newest first."""
    return list(
        session.scalars(
            select(RefRow)
            .where(RefRow.design_id == design_id)
            .options(joinedload(RefRow.version).defer(VersionRow.manifest, raiseload=True))
            .join(VersionRow)
            .order_by(VersionRow.pushed_at.desc(), RefRow.ref.desc())
        )
    )


def version(session: Session, *, design_id: int, name: str | None) -> VersionRow:
    """A version by tag, branch, commit (or at least 7 of its letters); without a name the newest
    tag, else `main`, else the newest push. Its parts and meshes come with it. Raises NotFound."""
    found = _version_id(session, design_id, name)
    if found is None:
        what = f"version {name!r}" if name else "version yet: push one"
        raise NotFound(f"this design has no {what}")
    return session.scalars(
        select(VersionRow)
        .where(VersionRow.id == found)
        .options(
            joinedload(VersionRow.design),
            selectinload(VersionRow.parts).joinedload(PartRow.mesh),
        )
    ).one()


def _version_id(session: Session, design_id: int, name: str | None) -> int | None:
    if name is None:
        rows = refs(session, design_id)
        tags = [row for row in rows if row.ref.startswith("refs/tags/")]
        main = [row for row in rows if row.ref == "refs/heads/main"]
        return next((row.version_id for row in (*tags, *main, *rows)), None)
    wanted = (name, f"refs/tags/{name}", f"refs/heads/{name}")
    named = session.execute(
        select(RefRow.ref, RefRow.version_id).where(
            RefRow.design_id == design_id, RefRow.ref.in_(wanted)
        )
    )
    by_ref = dict(named.all())
    for ref in wanted:
        if ref in by_ref:
            return by_ref[ref]
    if not 7 <= len(name) <= 40 or any(letter not in "0123456789abcdef" for letter in name):
        return None
    return session.scalar(
        select(VersionRow.id)
        .where(
            VersionRow.design_id == design_id,
            VersionRow.commit >= name,
            VersionRow.commit < name + "g",
        )
        .limit(1)
    )


def printable(row: VersionRow, part: str | None) -> PrintablePart:
    """The part of a version by its name, or the only one, measured and ready to be quoted.

    Raises NotFound naming the parts there are, NotAllowed while it is measured or when it was
    refused.
    """
    if part is None and len(row.parts) == 1:
        found = row.parts[0]
    else:
        known = ", ".join(each.slug for each in row.parts) or "none"
        match = [each for each in row.parts if part in (each.slug, each.name, each.path)]
        if not match:
            if row.analysis is Analysis.DUE:
                raise NotAllowed("this version is still being measured; try again in a moment")
            asked = f"there is no part {part!r}" if part else "say which part"
            raise NotFound(f"{asked}; the parts of this version: {known}")
        found = match[0]
    return printable_part(found, row)


def printable_part(found: PartRow, row: VersionRow) -> PrintablePart:
    """A part of a version, measured and ready to be quoted. Raises NotAllowed otherwise."""
    mesh: MeshRow = found.mesh
    if mesh.analysis is Analysis.REFUSED:
        raise NotAllowed(f"{found.path} cannot be printed: {mesh.refusal_text}")
    if mesh.facts is None or mesh.stl_sha256 is None:
        raise NotAllowed(f"{found.path} is still being measured; try again in a moment")
    return PrintablePart(
        part_id=found.id,
        design_id=row.design_id,
        commit=row.commit,
        slug=found.slug,
        name=found.name,
        licence=row.licence,
        facts=MeshFacts.from_json(mesh.facts),
        stl_sha256=mesh.stl_sha256,
    )


def _first_pictures() -> Select[Any]:
    seen = (
        select(VersionRow.design_id, PartRow.id, PartRow.version_id)
        .join(VersionRow, VersionRow.id == PartRow.version_id)
        .join(MeshRow, MeshRow.id == PartRow.mesh_id)
        .where(
            VersionRow.design_id.in_(bindparam("designs", expanding=True)),
            MeshRow.picture_sha256.is_not(None),
        )
        .subquery()
    )
    newest = select(seen.c.design_id, func.max(seen.c.version_id).label("version_id")).group_by(
        seen.c.design_id
    )
    which = newest.subquery()
    return (
        select(seen.c.design_id, func.min(seen.c.id))
        .join(which, which.c.version_id == seen.c.version_id)
        .group_by(seen.c.design_id)
    )


_FIRST_PICTURES = _first_pictures()
"""Made once: every list of designs asks it."""


def pictures(session: Session, design_ids: Collection[int]) -> dict[int, int]:
    """The part whose picture stands for each design: the first of its newest version that has any.
    One statement, whatever the number of designs."""
    rows = session.execute(_FIRST_PICTURES, {"designs": list(design_ids)})
    return {row[0]: row[1] for row in rows}


def pictures_of(session: Session, version_ids: Collection[int]) -> dict[int, int]:
    """The first part of each version that has a picture, by one statement."""
    rows = session.execute(
        select(PartRow.version_id, func.min(PartRow.id))
        .join(MeshRow, MeshRow.id == PartRow.mesh_id)
        .where(PartRow.version_id.in_(version_ids), MeshRow.picture_sha256.is_not(None))
        .group_by(PartRow.version_id)
    )
    return dict(rows.all())


def titles(session: Session, part_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """The design's title and the part's name, for many parts by one statement."""
    rows = session.execute(
        select(PartRow.id, DesignRow.title, PartRow.name)
        .join(VersionRow, VersionRow.id == PartRow.version_id)
        .join(DesignRow, DesignRow.id == VersionRow.design_id)
        .where(PartRow.id.in_(part_ids))
    )
    return {part_id: (title, name) for part_id, title, name in rows}


def pictured(
    session: Session,
    part_ids: Collection[int],
    *,
    reader_id: UUID | None,
    makes: Collection[int] = (),
) -> frozenset[int]:
    """Those of many parts whose picture the reader may see, by one statement.

    makes : parts that the reader has to make, whose designs may be another's secret.
    """
    rows = session.scalars(
        select(PartRow.id)
        .join(VersionRow, VersionRow.id == PartRow.version_id)
        .join(DesignRow, DesignRow.id == VersionRow.design_id)
        .join(MeshRow, MeshRow.id == PartRow.mesh_id)
        .where(
            PartRow.id.in_(part_ids),
            MeshRow.picture_sha256.is_not(None),
            DesignRow.deleted_at.is_(None),
            or_(
                DesignRow.visibility == Visibility.PUBLIC,
                DesignRow.owner_id == reader_id,
                PartRow.id.in_(makes),
            ),
        )
    )
    return frozenset(rows)


def siblings(session: Session, version_ids: Collection[int]) -> list[PartRow]:
    """The parts of some versions with their meshes, in the order of each, by one statement."""
    return list(
        session.scalars(
            select(PartRow)
            .where(PartRow.version_id.in_(version_ids))
            .options(joinedload(PartRow.mesh))
            .order_by(PartRow.version_id, PartRow.position)
        )
    )


def of_owner(session: Session, owner_id: UUID, *, most: int, removed: bool) -> list[DesignRow]:
    """Somebody's designs, the newest first, or those they removed, the last removed first."""
    gone = DesignRow.deleted_at
    asked = select(DesignRow).where(
        DesignRow.owner_id == owner_id, gone.is_not(None) if removed else gone.is_(None)
    )
    order = gone.desc() if removed else func.coalesce(DesignRow.pushed_at, DesignRow.created_at)
    return list(
        session.scalars(
            asked.order_by(order if removed else order.desc(), DesignRow.id.desc()).limit(most)
        )
    )


def newest_versions(session: Session, design_ids: Collection[int]) -> dict[int, VersionRow]:
    """The version that each design got last. One statement."""
    newest = (
        select(func.max(VersionRow.id))
        .where(VersionRow.design_id.in_(design_ids))
        .group_by(VersionRow.design_id)
    )
    rows = session.scalars(select(VersionRow).where(VersionRow.id.in_(newest)))
    return {row.design_id: row for row in rows}


def refused_parts(session: Session, version_ids: Collection[int]) -> dict[int, int]:
    """How many parts of each version cannot be made; versions without any are left out."""
    rows = session.execute(
        select(PartRow.version_id, func.count())
        .join(MeshRow, MeshRow.id == PartRow.mesh_id)
        .where(PartRow.version_id.in_(version_ids), MeshRow.analysis == Analysis.REFUSED)
        .group_by(PartRow.version_id)
    )
    return dict(rows.all())


def meshes_of(session: Session, version_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """Which mesh lies at each path of each version. One statement, whatever their number."""
    found: dict[int, dict[str, int]] = {version_id: {} for version_id in version_ids}
    rows = session.execute(
        select(PartRow.version_id, PartRow.path, PartRow.mesh_id).where(
            PartRow.version_id.in_(version_ids)
        )
    )
    for version_id, path, mesh_id in rows:
        found[version_id][path] = mesh_id
    return found


def part(session: Session, part_id: int) -> tuple[PartRow, VersionRow, DesignRow]:
    """A part with its mesh, version and design, by id. Raises NotFound."""
    found = parts(session, [part_id])
    if part_id not in found:
        raise NotFound(f"there is no part {part_id}")
    return found[part_id]


def parts(
    session: Session, part_ids: Collection[int]
) -> dict[int, tuple[PartRow, VersionRow, DesignRow]]:
    """The same for many parts, by one statement; those that are not there are left out."""
    rows = session.execute(
        select(PartRow, VersionRow, DesignRow)
        .join(VersionRow, VersionRow.id == PartRow.version_id)
        .join(DesignRow, DesignRow.id == VersionRow.design_id)
        .where(PartRow.id.in_(part_ids))
        .options(joinedload(PartRow.mesh))
    )
    return {row[0].id: (row[0], row[1], row[2]) for row in rows}
