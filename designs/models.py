"""Designs, their versions and parts, and what was measured of each mesh."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from basis.db import Base, EnumByValue, only_where


class Visibility(StrEnum):
    """Who may see a design."""

    PUBLIC = "public"
    PRIVATE = "private"  # its owner, and workshops that hold an order of it


class Analysis(StrEnum):
    """How far the measuring of a version, or of one mesh, has come."""

    DUE = "due"  # owed; the sweep asks again until it is done
    DONE = "done"
    REFUSED = "refused"  # meshes only: a fact about the file, stored and not tried again


class DesignRow(Base):
    """One git repository with hardware in it. It lies on disk under its number, never its name."""

    __tablename__ = "design"
    __table_args__ = (UniqueConstraint("owner_id", "slug"), Index("design_by_name", "slug", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    slug: Mapped[str] = mapped_column(String(80))
    """The last part of its address: `/<owner>/<slug>`."""
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    visibility: Mapped[Visibility] = mapped_column(EnumByValue(Visibility))
    created_at: Mapped[datetime]
    pushed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """Out of sight since; the repository stays, for orders and the book refer to it."""
    refs_due: Mapped[bool] = mapped_column(default=False)
    """A push was taken whose refs are not yet read into versions; the sweep reads them."""


class VersionRow(Base):
    """One commit that a tag or the tip of a branch named at some time. It is never removed: orders
    and the open book name it."""

    __tablename__ = "version"
    __table_args__ = (
        UniqueConstraint("design_id", "commit"),
        Index("version_due", "id", **only_where("analysis = 'due'")),
        Index("version_by_licence", "licence", "design_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    design_id: Mapped[int] = mapped_column(ForeignKey("design.id"), index=True)
    commit: Mapped[str] = mapped_column(String(40))
    committed_at: Mapped[datetime]
    author: Mapped[str] = mapped_column(String(200), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    pushed_at: Mapped[datetime]
    analysis: Mapped[Analysis] = mapped_column(EnumByValue(Analysis), default=Analysis.DUE)
    analysed_at: Mapped[datetime | None]
    name: Mapped[str] = mapped_column(String(200), default="")
    """What its manifest calls it."""
    licence: Mapped[str] = mapped_column(String(200), default="")
    """Canonical SPDX expression, or empty when none could be read."""
    manifest: Mapped[dict[str, Any] | None]
    """What was read of its manifest, faults included: `designs.manifest.Manifest.to_json`."""
    readme: Mapped[str | None] = mapped_column(String(400))
    """Path of its README in the tree."""

    parts: Mapped[list["PartRow"]] = relationship(order_by="PartRow.position")
    design: Mapped[DesignRow] = relationship()


class RefRow(Base):
    """Where a tag or branch of a design points now."""

    __tablename__ = "design_ref"

    design_id: Mapped[int] = mapped_column(ForeignKey("design.id"), primary_key=True)
    ref: Mapped[str] = mapped_column(String(250), primary_key=True)
    """The full name: `refs/tags/v1.0`, `refs/heads/main`."""
    version_id: Mapped[int] = mapped_column(ForeignKey("version.id"), index=True)
    updated_at: Mapped[datetime]

    version: Mapped[VersionRow] = relationship()


class PartRow(Base):
    """One printable mesh of a version."""

    __tablename__ = "part"
    __table_args__ = (
        UniqueConstraint("version_id", "path"),
        UniqueConstraint("version_id", "slug"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("version.id"), index=True)
    position: Mapped[int]
    slug: Mapped[str] = mapped_column(String(120))
    """Names the part in addresses and commands; unique in its version."""
    name: Mapped[str] = mapped_column(String(200))
    path: Mapped[str] = mapped_column(String(400))
    mesh_id: Mapped[int] = mapped_column(ForeignKey("mesh.id"), index=True)

    mesh: Mapped["MeshRow"] = relationship()


class MeshRow(Base):
    """What was measured of one mesh file, keyed by the file's content: a file that does not change
    between versions is measured once."""

    __tablename__ = "mesh"
    __table_args__ = (
        UniqueConstraint("blob", "format", "reader"),
        CheckConstraint(
            "(analysis = 'done') = (facts IS NOT NULL AND stl_sha256 IS NOT NULL)", name="facts"
        ),
        CheckConstraint("(analysis = 'refused') = (refusal IS NOT NULL)", name="refusal"),
        Index("mesh_model_due", "id", **only_where("analysis = 'done' AND glb_sha256 IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    blob: Mapped[str] = mapped_column(String(40))
    """The git blob id of the file."""
    format: Mapped[str] = mapped_column(String(8))
    """`stl`, `obj` or `3mf`: the same bytes may read differently under another name."""
    reader: Mapped[int]
    """Version of our readers; a better one measures again."""
    size_bytes: Mapped[int]
    analysis: Mapped[Analysis] = mapped_column(EnumByValue(Analysis), default=Analysis.DUE)
    facts: Mapped[dict[str, Any] | None]
    """`designs.facts.MeshFacts.to_json`."""
    refusal: Mapped[str | None] = mapped_column(String(40))
    refusal_text: Mapped[str | None] = mapped_column(Text)
    stl_sha256: Mapped[str | None] = mapped_column(String(64))
    """The binary STL that we wrote from its checked triangles: the only thing ever sliced."""
    picture_sha256: Mapped[str | None] = mapped_column(String(64))
    glb_sha256: Mapped[str | None] = mapped_column(String(64))
    """A model to look at (`designs.glb`), packed by gzip. None: not made yet, the sweep does it;
    empty: it cannot be made."""
    sheet_sha256: Mapped[str | None] = mapped_column(String(64))
    """A picture of every pose (`designs.lying`). None: nobody asked yet; empty: there is none."""


class WordRow(Base):
    """One word that finds a design: search is a range over this index, on every database alike."""

    __tablename__ = "design_word"

    word: Mapped[str] = mapped_column(String(60), primary_key=True)
    design_id: Mapped[int] = mapped_column(
        ForeignKey("design.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    weight: Mapped[int]
    """Larger where the word stands in the name than in the README."""
