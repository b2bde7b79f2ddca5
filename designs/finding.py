"""Finding designs: by words, licence and size, in an order, one page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from basis.db import AwareUtc
from designs.models import (
    Analysis,
    DesignRow,
    MeshRow,
    PartRow,
    RefRow,
    VersionRow,
    Visibility,
    WordRow,
)

MOST_WORDS = 8
"""Words of one question that are looked for."""

AFTER_EVERY_LETTER = "\U0010ffff"


class Sort(StrEnum):
    """Which designs come first."""

    BEST = "best"  # the words stand in the name rather than in the README; without words: newest
    NEWEST = "newest"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a design must be. A licence and a size must hold for one of its versions that a tag or
    branch names now."""

    words: Sequence[str] = ()
    """As `catalogue.words_of` gives them; every one must occur, or begin a word that does."""
    licence: str = ""
    bed_um: tuple[int, int, int] | None = None
    """Every part of the version lies on a bed this wide and deep, as it stands or turned by 90°,
    and is at most so high."""
    sort: Sort = Sort.BEST


def find(
    session: Session, wish: Wish, *, reader_id: UUID | None, after: int = 0, most: int = 30
) -> list[DesignRow]:
    """Designs that somebody may see and that are as wished. `after` passes over that many."""
    asked = select(DesignRow).where(_seen_by(reader_id))
    score: ColumnElement[Any] = literal(0)
    for position, word in enumerate(wish.words[:MOST_WORDS]):
        hits = (
            select(WordRow.design_id, func.max(WordRow.weight).label("weight"))
            .where(_begins(word))
            .group_by(WordRow.design_id)
            .subquery(f"word{position}")
        )
        asked = asked.join(hits, hits.c.design_id == DesignRow.id)
        score = score + hits.c.weight
    if wish.licence:
        asked = asked.where(_named().where(VersionRow.licence == wish.licence).exists())
    if wish.bed_um is not None:
        asked = asked.where(_named().where(_fits(wish.bed_um)).exists())
    if wish.sort is Sort.NAME:
        asked = asked.order_by(DesignRow.slug, DesignRow.id)
    elif wish.sort is Sort.BEST and wish.words:
        asked = asked.order_by(score.desc(), DesignRow.id.desc())
    else:
        asked = asked.order_by(DesignRow.id.desc())
    return list(session.scalars(asked.offset(after).limit(most)))


def words_nowhere(session: Session, words: Sequence[str], *, reader_id: UUID | None) -> list[str]:
    """Those of the words that no design has which somebody may see."""
    asked = list(words[:MOST_WORDS])
    if not asked:
        return []
    there = session.execute(
        select(
            *(
                exists()
                .where(_begins(word), WordRow.design_id == DesignRow.id, _seen_by(reader_id))
                .label(f"word{position}")
                for position, word in enumerate(asked)
            )
        )
    ).one()
    return [word for word, found in zip(asked, there, strict=True) if not found]


def _licences() -> Select[Any]:
    """Each licence is looked up as the next after the one before, so that an index of thousands of
    versions is touched a few times only."""
    version = aliased(VersionRow)
    after = select(func.min(version.licence))
    found = select(after.where(version.licence > "").scalar_subquery().label("licence")).cte(
        "found", recursive=True
    )
    following = after.where(version.licence > found.c.licence).scalar_subquery()
    found = found.union_all(select(following).where(found.c.licence.is_not(None)))
    public = (
        exists()
        .where(VersionRow.licence == found.c.licence, VersionRow.design_id == DesignRow.id)
        .where(_seen_by(None))
    )
    return select(found.c.licence).where(public).limit(bindparam("most"))


def licences(session: Session, *, most: int = 30) -> list[str]:
    """The licences of public designs, by name."""
    return list(session.scalars(_LICENCES, {"most": most}))


def newest_versions(
    session: Session, *, most: int
) -> list[tuple[VersionRow, DesignRow, str | None]]:
    """(version, its design, one of its tags) of public designs, the newest push first."""
    tag = (
        select(func.max(RefRow.ref))
        .where(RefRow.version_id == VersionRow.id, RefRow.ref.startswith("refs/tags/"))
        .scalar_subquery()
    )
    rows = session.execute(
        select(VersionRow, DesignRow, tag)
        .join(DesignRow, DesignRow.id == VersionRow.design_id)
        .where(_seen_by(None))
        .order_by(VersionRow.id.desc())
        .limit(most)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def public_designs(session: Session) -> int:
    """How many designs anybody may see."""
    return session.scalar(select(func.count()).select_from(DesignRow).where(_seen_by(None))) or 0


def public_addresses(
    session: Session, *, after: int, most: int
) -> list[tuple[UUID, str, datetime]]:
    """(owner, name, when it changed last) of public designs, the oldest first."""
    changed = func.coalesce(DesignRow.pushed_at, DesignRow.created_at, type_=AwareUtc)
    rows = session.execute(
        select(DesignRow.owner_id, DesignRow.slug, changed)
        .where(_seen_by(None))
        .order_by(DesignRow.id)
        .offset(after)
        .limit(most)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _seen_by(reader_id: UUID | None) -> ColumnElement[bool]:
    public = DesignRow.visibility == Visibility.PUBLIC
    seen = public if reader_id is None else or_(public, DesignRow.owner_id == reader_id)
    return and_(DesignRow.deleted_at.is_(None), seen)


def _begins(word: str) -> ColumnElement[bool]:
    return and_(WordRow.word >= word, WordRow.word < word + AFTER_EVERY_LETTER)


def _named() -> Select[Any]:
    """The versions of the design in question that a tag or branch names."""
    return (
        select(RefRow.design_id)
        .join(VersionRow, VersionRow.id == RefRow.version_id)
        .where(RefRow.design_id == DesignRow.id)
    )


def _fits(bed_um: tuple[int, int, int]) -> ColumnElement[bool]:
    """Whether a version has parts and each lies on such a bed; one without measures does not."""
    x, y, z = (MeshRow.facts[f"size_{axis}_um"].as_float() for axis in "xyz")
    width, depth, height = bed_um
    lies = or_(and_(x <= width, y <= depth), and_(x <= depth, y <= width))
    parts = exists().where(PartRow.version_id == VersionRow.id)
    outside = exists().where(
        PartRow.version_id == VersionRow.id,
        PartRow.mesh_id == MeshRow.id,
        or_(MeshRow.analysis != Analysis.DONE, z > height, ~lies),
    )
    return and_(parts, ~outside)


_LICENCES = _licences()
