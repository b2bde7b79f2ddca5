"""Who may see and do what to which thing: asked by API and pages alike, before any verb."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from basis.errors import NotFound, NotYours
from designhub.auth import Caller
from designhub.models import AccountRow
from designs import queries as designs
from designs.models import DesignRow, PartRow, VersionRow
from printers import queries as printers
from printers.models import PrinterRow, WorkshopRow
from router.models import JobRow, OrderRow, QuoteItemRow
from router.queries import UNFINISHED, order_by_id


def reader(caller: Caller | None) -> UUID | None:
    """Whose private things a caller may see."""
    return None if caller is None else caller.id


def owner_id(session: Session, name: str) -> UUID:
    """The account behind a name in an address. Raises NotFound."""
    found = session.scalar(select(AccountRow.id).where(AccountRow.name == name))
    if found is None:
        raise NotFound(f"there is nobody called {name!r} here")
    return found


_NAMES = select(AccountRow.id, AccountRow.name).where(
    AccountRow.id.in_(bindparam("ids", expanding=True))
)
"""Made once: nearly every page asks it."""


def names_of(session: Session, ids: set[UUID]) -> dict[UUID, str]:
    """The names of accounts: one statement for a whole page."""
    return dict(session.execute(_NAMES, {"ids": list(ids)}).all())


def design(session: Session, caller: Caller | None, *, owner: str, name: str) -> DesignRow:
    """A design that the caller may see. Raises NotFound."""
    return designs.design_by_slug(
        session, owner_id=owner_id(session, owner), slug=name, reader_id=reader(caller)
    )


def own_design(session: Session, caller: Caller, *, owner: str, name: str) -> DesignRow:
    """A design that the caller may change. Raises NotFound, NotYours."""
    row = design(session, caller, owner=owner, name=name)
    if row.owner_id != caller.id:
        raise NotYours(f"{owner}/{name} is {owner}'s: only they may change it")
    return row


def part(
    session: Session, caller: Caller | None, part_id: int
) -> tuple[PartRow, VersionRow, DesignRow]:
    """A part of a design that the caller may see. Raises NotFound."""
    return parts(session, caller, [part_id])[part_id]


def parts(
    session: Session, caller: Caller | None, part_ids: Collection[int]
) -> dict[int, tuple[PartRow, VersionRow, DesignRow]]:
    """The same for many parts, by one statement. Raises NotFound for any that is not to be seen."""
    found = designs.parts(session, part_ids)
    for part_id in part_ids:
        if part_id not in found or not _may_see(caller, found[part_id][2]):
            raise NotFound(f"there is no part {part_id}")
    return found


def _may_see(caller: Caller | None, design: DesignRow) -> bool:
    return design.deleted_at is None and designs.may_see(design, reader(caller))


def may_look(session: Session, caller: Caller | None, part_id: int, design: DesignRow) -> bool:
    """Whether the caller may see a part's picture: whoever sees its design, and of a private one a
    workshop for as long as it owes a job of the part."""
    if design.deleted_at is not None:
        return False
    if caller is None or designs.may_see(design, reader(caller)):
        return designs.may_see(design, reader(caller))
    owed = (
        select(JobRow.id)
        .join(QuoteItemRow, QuoteItemRow.id == JobRow.item_id)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .join(WorkshopRow, WorkshopRow.id == PrinterRow.workshop_id)
        .where(QuoteItemRow.part_id == part_id, JobRow.state.in_(UNFINISHED))
    )
    if not caller.operator:
        owed = owed.where(WorkshopRow.owner_id == caller.id)
    return session.scalar(owed.limit(1)) is not None


def own_workshop(session: Session, caller: Caller, name: str) -> WorkshopRow:
    """A workshop that the caller runs. Raises NotFound, NotYours."""
    row = printers.workshop(session, name)
    if row.owner_id != caller.id and not caller.operator:
        raise NotYours(f"the workshop {name!r} is not yours")
    return row


def own_printer(session: Session, caller: Caller, printer_id: UUID) -> PrinterRow:
    """A printer that stands in a workshop which the caller runs. Raises NotFound, NotYours."""
    row = printers.printer(session, printer_id)
    if row.workshop.owner_id != caller.id and not caller.operator:
        raise NotYours(f"the printer {row.name!r} is not yours")
    if row.removed_at is not None:
        raise NotFound(f"the printer {row.name!r} was removed from its workshop")
    return row


def own_order(session: Session, caller: Caller, order_id: UUID) -> OrderRow:
    """An order, for its maker and the operator. To others it looks like none. Raises NotFound."""
    row = order_by_id(session, order_id)
    if row.maker_id != caller.id and not caller.operator:
        raise NotFound(f"there is no order {order_id}")
    return row


def job_roles(session: Session, caller: Caller, job_id: UUID) -> frozenset[str]:
    """What the caller is to a job: `maker`, `workshop`, both. Raises NotFound for a stranger, to
    whom it looks like no job at all."""
    row = session.execute(
        select(OrderRow.maker_id, WorkshopRow.owner_id)
        .join(JobRow, JobRow.order_id == OrderRow.id)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .join(WorkshopRow, WorkshopRow.id == PrinterRow.workshop_id)
        .where(JobRow.id == job_id)
    ).first()
    roles = set()
    if row is not None and row[0] == caller.id:
        roles.add("maker")
    if row is not None and (row[1] == caller.id or caller.operator):
        roles.add("workshop")
    if not roles:
        raise NotFound(f"there is no job {job_id}, or none of yours")
    return frozenset(roles)


def need_role(roles: frozenset[str], *wanted: str) -> None:
    """Raises NotYours when the caller is none of `wanted` to the job."""
    if not roles & set(wanted):
        raise NotYours(f"only the {' or the '.join(wanted)} may say this of the job")
