"""The parts that a wish names, and the others of the same versions that it could name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from basis.errors import NotFound
from designhub import access
from designhub.auth import Caller
from designhub.language import _, ngettext
from designhub.web.wish import COPIES_OF
from designs.models import DesignRow, PartRow, VersionRow
from designs.queries import printable_part, siblings
from router.quoting import MOST_PARTS, Wanted

Named = tuple[PartRow, VersionRow, DesignRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One part on the form of several, and how many copies of it are wanted; 0 leaves it out."""

    row: PartRow
    design: DesignRow
    copies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a page that asks for parts shows of them."""

    named: tuple[Named, ...]
    owners: Mapping[int, str]
    """Of the designs, by design."""
    offered: tuple[Offered, ...]
    """Every part of these versions that can be made, whether it is wanted or not."""
    left_out: int
    """Parts of these versions that cannot be made, or not yet."""

    @property
    def title(self) -> str:
        """What it is called: by its part, or how many parts of which design."""
        return title_of([(row, design) for row, _version, design in self.named])

    @property
    def designs(self) -> list[tuple[DesignRow, str]]:
        """Each design with the address of the version that is meant, once."""
        found = {
            design.id: (
                design,
                f"/{self.owners[design.id]}/{design.slug}?version={version.commit}",
            )
            for _row, version, design in self.named
        }
        return list(found.values())


def read(session: Session, caller: Caller | None, copies: Mapping[int, int]) -> Kit:
    """The parts by their numbers, with all that could be asked for beside them: three statements.

    copies : of each part; those with 0 belong to the form, not to the wish, unless all do.

    Raises NotFound for no part, or one that the caller may not see.
    """
    if not copies:
        raise NotFound("this address names no part: open a design and choose there")
    found = access.parts(session, caller, list(copies))
    versions = {version.id: design for _row, version, design in found.values()}
    owners = access.names_of(session, {design.owner_id for design in versions.values()})
    beside = siblings(session, list(versions))
    named = [part for part, number in copies.items() if number or not any(copies.values())]
    offered = [row for row in beside if row.mesh.stl_sha256 is not None]
    return Kit(
        named=tuple(found[part] for part in named),
        owners={design.id: owners[design.owner_id] for design in versions.values()},
        offered=tuple(
            Offered(row=row, design=versions[row.version_id], copies=copies.get(row.id, 0))
            for row in offered
        ),
        left_out=len(beside) - len(offered),
    )


def wanted(named: Collection[Named], items: Collection[tuple[int, int]]) -> list[Wanted]:
    """Parts and copies as routing takes them. Raises NotAllowed for a part that cannot be made."""
    found = {row.id: (row, version) for row, version, _design in named}
    return [Wanted(part=printable_part(*found[part]), copies=copies) for part, copies in items]


def address(part_ids: Collection[int]) -> str:
    """The page that asks for one copy of each of some parts, as far as one wish holds them."""
    number = min(len(part_ids), MOST_PARTS)
    return "/make?" + urlencode(
        {f"{COPIES_OF}{part}": int(n < number) for n, part in enumerate(part_ids)}
    )


def title_of(parts: Collection[tuple[PartRow, DesignRow]]) -> str:
    """What an order of these parts is called."""
    return called([(design.title, row.name) for row, design in parts])


def called(titles: Collection[tuple[str, str]]) -> str:
    """The same from the titles of (design, part)."""
    names = [part for _design, part in titles]
    if len(names) == 1:
        return names[0]
    count = ngettext("%(n)s part", "%(n)s parts", len(names))
    designs = {design for design, _part in titles}
    if len(designs) == 1:
        return _("%(parts)s of %(design)s", parts=count, design=next(iter(designs)))
    return count
