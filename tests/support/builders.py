"""Put people, workshops, printers, designs and orders into a database: the world of a test.

Each builder writes what the hub itself would write, by the hub's own functions where it has one.
`shop(database)` makes a whole small world; its parts can be made one by one for larger ones.
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import ArrayLike
from sqlalchemy.orm import Session

from basis.blobs import Blobs
from basis.db import Database
from commons import book
from designhub.models import AccountRow
from designs.facts import READER, MeshFacts, UnitSource
from designs.mesh import canonical, facts_of
from designs.models import Analysis, DesignRow, MeshRow, PartRow, RefRow, VersionRow, Visibility
from designs.poses import poses_of
from designs.queries import PrintablePart, printable_part
from printers import registry, upkeep
from printers.capability import COMMON, Choices, Profile
from printers.models import PrinterRow, SpoolRow, Trial, WorkshopRow
from printers.offer import Carriage, Duty, Mode, Prices
from printers.protocol import Beat, Report, ReportEvent, Word
from router import bookkeeping, jobs, lease, queries, slicing
from router.globe import Place
from router.index import Index
from router.models import JobRow, QuoteItemRow, RunRow, SliceRow
from router.quote import Preset
from router.quoting import Answer, Request, Wanted, quotes_for
from tests.support import solids

LEASE_S, PERMIT_S = 120, 300

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

OSLO = Place(
    name="Oslo, NO", lat_udeg=59_912_730, lon_udeg=10_746_090, country="NO", time_zone="Europe/Oslo"
)

PRICES = Prices(per_hour_minor=200, labour_minor=300, contribution_bp=1_000)
WAYS = (
    Carriage(mode=Mode.FOOT, most_km=10),
    Carriage(mode=Mode.CAR, most_km=100),
    Carriage(mode=Mode.PARCEL, base_minor=500),
)

_number = itertools.count(1)


def account(session: Session, *, name: str | None = None) -> UUID:
    """Somebody who can sign in with no password: nothing here signs in."""
    row = AccountRow(name=name or f"member{next(_number)}", password_hash="!", created_at=NOW)
    session.add(row)
    session.flush()
    return row.id


def workshop(session: Session, owner_id: UUID, **changes: Any) -> WorkshopRow:
    """A workshop in Oslo that sells in euros, for fetching or as a parcel."""
    said: dict[str, Any] = {
        "slug": f"workshop{next(_number)}",
        "title": "Workshop",
        "place": OSLO.name,
        "lat_udeg": OSLO.lat_udeg,
        "lon_udeg": OSLO.lon_udeg,
        "country": OSLO.country,
        "time_zone": OSLO.time_zone,
        "currency": "EUR",
        "prices": PRICES,
        "carriage": WAYS,
        "now": NOW,
    }
    chosen = said | changes
    return registry.create_workshop(
        session,
        owner_id=owner_id,
        slug=chosen.pop("slug"),
        now=chosen.pop("now"),
        said=registry.Description(**chosen),
    )


def printer(
    session: Session,
    where: WorkshopRow,
    *,
    profile: Profile = COMMON["virtual"],
    clear: bool = True,
    seen: datetime | None = NOW,
) -> PrinterRow:
    """A printer whose agent was just seen; a person has looked at its bed unless told otherwise."""
    name = f"printer{next(_number)}"
    row = registry.add_printer(session, workshop=where, name=name, profile=profile, now=NOW)
    row.seen_at, row.trial = seen, Trial.PASSED
    if clear:
        registry.cleared(session, printer_id=row.id, now=NOW)
    session.flush()
    return row


def spool(session: Session, where: PrinterRow, *, by: UUID, **changes: Any) -> SpoolRow:
    """A kilogram of black PLA at 25.00 a kilogram, known to the book."""
    said: dict[str, Any] = {
        "material": "PLA",
        "colour": "black",
        "left_mg": 1_000_000,
        "price_per_kg_minor": 2_500,
        "now": NOW,
    }
    row = registry.load(session, printer_id=where.id, **said | changes)
    bookkeeping.lot_added(session, row, workshop_id=where.workshop_id, by=by, now=NOW)
    return row


def agent(session: Session, where: WorkshopRow, printers: Iterable[UUID]) -> UUID:
    """An agent that speaks for these printers from now on."""
    return registry.enrol_agent(
        session, workshop_id=where.id, name="agent", printers=printers, now=NOW
    )[0].id


def facts(corners: ArrayLike) -> MeshFacts:
    """What is measured of a solid."""
    mesh = np.asarray(corners, dtype=np.float32)
    found = facts_of(mesh, unit="millimeter", unit_source=UnitSource.FORMAT)
    return replace(found, poses=poses_of(canonical(mesh, found)))


def part(
    session: Session,
    owner_id: UUID,
    corners: ArrayLike | None = None,
    *,
    blobs: Blobs | None = None,
) -> PrintablePart:
    """A public design with one measured part, a cube of 20 mm unless told otherwise. With `blobs`
    its mesh is kept there, ready to be sliced."""
    shape = solids.box(20, 20, 20) if corners is None else corners
    return parts(session, owner_id, {"Part": shape}, blobs=blobs)[0]


def parts(
    session: Session,
    owner_id: UUID,
    shapes: Mapping[str, ArrayLike],
    *,
    blobs: Blobs | None = None,
) -> list[PrintablePart]:
    """A public design with some measured parts, by their names."""
    number = next(_number)
    design = DesignRow(
        owner_id=owner_id,
        slug=f"design{number}",
        title=f"Design {number}",
        visibility=Visibility.PUBLIC,
        created_at=NOW,
    )
    session.add(design)
    session.flush()
    version = VersionRow(
        design_id=design.id,
        commit=hashlib.sha1(f"{number}".encode(), usedforsecurity=False).hexdigest(),
        committed_at=NOW,
        pushed_at=NOW,
        analysis=Analysis.DONE,
        analysed_at=NOW,
        licence="CC0-1.0",
    )
    session.add(version)
    session.flush()
    for position, (name, shape) in enumerate(shapes.items()):
        slug = name.lower().replace(" ", "-")
        row = PartRow(
            version_id=version.id,
            position=position,
            slug=slug,
            name=name,
            path=f"{slug}.stl",
            mesh_id=_mesh(session, shape, blobs=blobs),
        )
        session.add(row)
    session.flush()
    session.refresh(version, ["parts"])
    return [printable_part(row, version) for row in version.parts]


def _mesh(session: Session, shape: ArrayLike, *, blobs: Blobs | None) -> int:
    number = next(_number)
    mesh = solids.stl(shape)
    if blobs is not None:
        blobs.put([mesh], most_bytes=len(mesh))
    measured = MeshRow(
        blob=hashlib.sha1(mesh + bytes([number % 256]), usedforsecurity=False).hexdigest(),
        format="stl",
        reader=READER * 1_000_000 + number,
        size_bytes=len(mesh),
        analysis=Analysis.DONE,
        facts=facts(shape).to_json(),
        stl_sha256=hashlib.sha256(mesh).hexdigest(),
    )
    session.add(measured)
    session.flush()
    return measured.id


def ref(session: Session, thing: PrintablePart, name: str = "refs/heads/main") -> None:
    """Let a branch or a tag name the version of a part."""
    version_id = session.get_one(PartRow, thing.part_id).version_id
    session.add(RefRow(design_id=thing.design_id, ref=name, version_id=version_id, updated_at=NOW))
    session.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A maker, and a workshop with one printer, one spool and one agent, and a part to order."""

    maker: UUID
    owner: UUID
    workshop: UUID
    printer: UUID
    spool: UUID
    agent: UUID
    part: PrintablePart


def shop(
    database: Database,
    *,
    corners: ArrayLike | None = None,
    blobs: Blobs | None = None,
    profile: Profile = COMMON["virtual"],
    **of_spool: Any,
) -> Shop:
    """The smallest world in which something can be ordered and made."""
    with database.writing() as session:
        book.open_book(session, hub="hub:test", now=NOW)
        maker, owner = account(session), account(session)
        place = workshop(session, owner)
        machine = printer(session, place, profile=profile)
        filament = spool(session, machine, by=owner, **of_spool)
        speaker = agent(session, place, [machine.id])
        thing = part(session, owner, corners, blobs=blobs)
        return Shop(
            maker=maker,
            owner=owner,
            workshop=place.id,
            printer=machine.id,
            spool=filament.id,
            agent=speaker,
            part=thing,
        )


def request(thing: PrintablePart, *, copies: int = 1, **changes: Any) -> Request:
    """One copy in PLA, wanted in Oslo, fetched on foot."""
    said: dict[str, Any] = {
        "items": (Wanted(part=thing, copies=copies),),
        "place": OSLO,
        "choices": Choices(material="PLA"),
        "modes": frozenset({Mode.FOOT}),
        "preset": Preset.BALANCED,
    }
    return Request(**said | changes)


def ask(
    session: Session, wish: Request, *, maker: UUID | None = None, now: datetime = NOW
) -> Answer:
    """The hub's answer, with an index of its own."""
    return quotes_for(
        session,
        index=Index(),
        request=wish,
        maker_id=maker,
        now=now,
        quote_s=3_600,
        unseen_s=600,
    )


def ordered(
    database: Database, world: Shop, *, now: datetime = NOW, ready: bool = True, **wish: Any
) -> list[UUID]:
    """The jobs of one order, as good as sliced unless told otherwise: the slice is as quoted."""
    with database.writing() as session:
        answer = ask(session, request(world.part, **wish), maker=world.maker, now=now)
        quote = answer.quotes[0]
        order = jobs.order(
            session,
            quote_id=quote.id,
            maker_id=world.maker,
            idempotency_key=str(uuid4()),
            now=now,
        )
        made = queries.jobs_of(session, order.id)
        if ready:
            for job_id in made:
                job = session.get_one(JobRow, job_id)
                slicing.ready(session, job_id, slice_of(job), now=now)
        return made


def slice_of(job: JobRow) -> SliceRow:
    """A slice that needs what was quoted of all copies on its plate."""
    item = job.item
    mass_mg, duration_s = item.mass_mg * job.pieces, item.duration_s * job.pieces
    return slice_row(item, key=str(job.id), mass_mg=mass_mg, duration_s=duration_s)


def slice_row(quote: QuoteItemRow, *, key: str, **changes: Any) -> SliceRow:
    """A slice that needs what was quoted; its G-code is named after `key` and kept nowhere."""
    said: dict[str, Any] = {
        "key": hashlib.sha256(key.encode()).hexdigest(),
        "plate": hashlib.sha256(b"plate" + key.encode()).hexdigest(),
        "gcode_sha256": hashlib.sha256(b"gcode" + key.encode()).hexdigest(),
        "gcode_sha1": hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest(),
        "gcode_bytes": 1_000,
        "mass_mg": quote.mass_mg,
        "duration_s": quote.duration_s,
        "sliced_by": "a test",
        "created_at": NOW,
    }
    return SliceRow(**said | changes)


def later(seconds: float) -> datetime:
    """So many seconds after `NOW`."""
    return NOW + timedelta(seconds=seconds)


def print_all(session: Session, world: Shop, *, now: datetime = NOW) -> None:
    """Make every job that is ready, without a fault, and let a person pass each part."""
    while (run := take(session, world, now=now)) is not None:
        permit(session, world, run, now=now)
        report(session, world, run, ReportEvent.FINISHED, now=now)
        jobs.passed(session, job_id=run.job_id, by=world.owner, now=now)
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=now)


def take(session: Session, world: Shop, *, now: datetime = NOW) -> RunRow | None:
    """The printer's next run."""
    return lease.take(
        session, printer_id=world.printer, agent_id=world.agent, now=now, lease_s=LEASE_S
    )[0]


def rest(session: Session, world: Shop, duty: Duty, *, now: datetime = NOW) -> None:
    """Its workshop says what the printer does from now on."""
    upkeep.set_duty(session, printer_id=world.printer, duty=duty, by=world.owner, now=now)


def permit(session: Session, world: Shop, run: RunRow, *, now: datetime = NOW) -> int:
    """The right to start a run, asked for with the right file."""
    sha256 = session.get_one(JobRow, run.job_id).gcode_sha256 or ""
    return lease.permit(
        session,
        run_id=run.id,
        agent_id=world.agent,
        fence=run.fence,
        sha256=sha256,
        now=now,
        permit_s=PERMIT_S,
        lease_s=LEASE_S,
    )


def beat(session: Session, world: Shop, run: RunRow, *, now: datetime = NOW, **said: Any) -> Word:
    """A sign of life."""
    return lease.renew(
        session,
        run_id=run.id,
        agent_id=world.agent,
        fence=run.fence,
        beat=Beat(fence=run.fence, **said),
        now=now,
        lease_s=LEASE_S,
    )


def report(
    session: Session,
    world: Shop,
    run: RunRow,
    what: ReportEvent,
    *,
    now: datetime = NOW,
    **said: Any,
) -> RunRow:
    """An agent's word on a run."""
    message = Report(fence=run.fence, event=what, evidence="a test", **said)
    return lease.report(session, run_id=run.id, agent_id=world.agent, said=message, now=now)
