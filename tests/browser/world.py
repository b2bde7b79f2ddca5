"""A hub with something of everything in it, on the production server, for looking at its pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from basis import clock, pictures
from basis.settings import Settings
from designhub.hub import Hub, open_hub
from designhub.models import AccountRow
from designs.models import DesignRow, PartRow, VersionRow
from designs.queries import PrintablePart, printable_part
from printers.models import PrinterRow, WorkshopRow
from printers.protocol import ReportEvent
from router import ejecting, jobs, photos, provenance, slicing
from router.models import JobRow
from router.quoting import Wanted
from tests.support import builders
from tests.support.builders import Shop
from tests.support.cameras import picture
from tests.support.hub_process import Person, RunningHub, hub_process
from tests.support.hubs import HASH

SAMPLES = Path(__file__).parents[2] / "designs" / "samples"
WORKSHOP = "makers-corner"


@dataclass(frozen=True, kw_only=True)
class World:
    """A running hub; `ada` designs and runs a workshop, `max` orders, `warden` operates the hub.

    All three sign in with `tests.support.hubs.PASSWORD`.
    """

    running: RunningHub
    hub: Hub
    part: int
    printer: UUID
    order: UUID
    quote: UUID
    """What `max` may still order by."""
    kit: str
    """In the address of a page: several parts, each with copies."""
    kit_order: UUID
    kit_quote: UUID
    jobs: dict[str, UUID]
    """One job in each state that has a page of its own, by the name of the state."""


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """The samples pushed by git, a workshop with a printer for each thing that can happen."""
    with hub_process(folder / "hub") as running:
        people = {name: running.person(name) for name in ("ada", "max", "warden")}
        for sample in ("face-shield-headband", "hinge-box", "hose-coupling"):
            _push(running, people["ada"], sample, folder)
        hub = open_hub(Settings(data_dir=folder / "hub"))
        try:
            with hub.database.writing() as session:
                # The password of the tests: its hash is made to be quick.
                session.execute(update(AccountRow).values(password_hash=HASH))
                warden = update(AccountRow).where(AccountRow.name == "warden")
                session.execute(warden.values(operator=True))
            yield _filled(running, hub)
        finally:
            hub.close()


def _push(running: RunningHub, ada: Person, sample: str, folder: Path) -> None:
    files = {
        path.relative_to(SAMPLES / sample).as_posix(): path.read_bytes()
        for path in (SAMPLES / sample).rglob("*")
        if path.is_file()
    }
    commit = ada.push(sample, files, folder=folder)
    running.measured(f"ada/{sample}", commit)


def _filled(running: RunningHub, hub: Hub) -> World:
    """One printer for each thing that can happen; those before take nothing new."""
    part = _part(hub)
    made: dict[str, UUID] = {}
    shop = _shop(hub, part)
    for state in ("done", "look", "unclear", "failed", "printing"):
        shop = _beside(hub, shop)
        [made[state]] = builders.ordered(hub.database, shop, now=clock.now())
        _until(hub, shop, made[state], state)
    with hub.database.writing() as session:
        ejecting.declare(session, printer_id=shop.printer, by=shop.owner, now=clock.now())
    [made["cancelled"], made["ready"]] = builders.ordered(
        hub.database, _beside(hub, shop), now=clock.now(), copies=2
    )
    with hub.database.writing() as session:
        jobs.cancel(session, job_id=made["cancelled"], by=shop.maker, now=clock.now())
        order = session.get_one(JobRow, made["done"]).order_id
        wish = builders.request(part)
        quote = builders.ask(session, wish, maker=shop.maker, now=clock.now()).quotes[0].id
    kit = _kit(hub)
    kit_quote, kit_order = _kit_order(hub, shop, kit)
    return World(
        running=running,
        hub=hub,
        part=part.part_id,
        printer=shop.printer,
        order=order,
        quote=quote,
        kit="&".join(f"copies-{each.part.part_id}={each.copies}" for each in kit),
        kit_order=kit_order,
        kit_quote=kit_quote,
        jobs=made,
    )


def _part(hub: Hub) -> PrintablePart:
    with hub.database.reading() as session:
        row = session.scalars(select(PartRow).order_by(PartRow.id)).first()
        assert row is not None
        return printable_part(row, session.get_one(VersionRow, row.version_id))


def _kit(hub: Hub) -> tuple[Wanted, ...]:
    """Both parts of the coupling, one of them twice."""
    with hub.database.reading() as session:
        rows = session.scalars(
            select(PartRow)
            .join(VersionRow, VersionRow.id == PartRow.version_id)
            .join(DesignRow, DesignRow.id == VersionRow.design_id)
            .where(DesignRow.slug == "hose-coupling")
            .order_by(PartRow.position)
        )
        parts = [printable_part(row, session.get_one(VersionRow, row.version_id)) for row in rows]
    return tuple(Wanted(part=part, copies=n) for part, n in zip(parts, (2, 1), strict=True))


def _kit_order(hub: Hub, shop: Shop, kit: tuple[Wanted, ...]) -> tuple[UUID, UUID]:
    """A quote for the kit and an order by another, its first job ready to be printed."""
    now = clock.now()
    with hub.database.writing() as session:
        wish = builders.request(kit[0].part, items=kit)
        free, taken = (
            builders.ask(session, wish, maker=shop.maker, now=now).quotes[0] for _ in range(2)
        )
        order = jobs.order(
            session, quote_id=taken.id, maker_id=shop.maker, idempotency_key="kit", now=now
        )
        first = order.jobs[0]
        row = builders.slice_row(first.item, key="kit")
        slicing.ready(session, first.id, row, now=now)
        return free.id, order.id


def _shop(hub: Hub, part: PrintablePart) -> Shop:
    with hub.database.writing() as session:
        who = {row.name: row.id for row in session.scalars(select(AccountRow))}
        place = builders.workshop(
            session, who["ada"], slug=WORKSHOP, title="Makers’ Corner", now=clock.now()
        )
        nobody = UUID(int=0)
        return Shop(
            maker=who["max"],
            owner=who["ada"],
            workshop=place.id,
            printer=nobody,
            spool=nobody,
            agent=nobody,
            part=part,
        )


def _beside(hub: Hub, shop: Shop) -> Shop:
    """The same workshop with one more printer; the others take nothing new."""
    with hub.database.writing() as session:
        session.execute(update(PrinterRow).values(accepting=False))
        place = session.get_one(WorkshopRow, shop.workshop)
        machine = builders.printer(session, place, seen=clock.now())
        spool = builders.spool(session, machine, by=shop.owner, now=clock.now())
        agent = builders.agent(session, place, [machine.id])
        return replace(shop, printer=machine.id, spool=spool.id, agent=agent)


def _until(hub: Hub, shop: Shop, job: UUID, state: str) -> None:
    """Let the printer work on its job until it is in this state."""
    now = clock.now()
    with hub.database.writing() as session:
        run = builders.take(session, shop, now=now)
        assert run is not None
        row = session.get_one(JobRow, job)
        provenance.signed(session, run, row, hub="http://hub.test", sign=hub.keys.sign)
        builders.permit(session, shop, run, now=now)
        builders.report(session, shop, run, ReportEvent.STARTED, now=now)
        heat = {"nozzle_c": 213, "nozzle_target_c": 215, "bed_c": 60, "bed_target_c": 60}
        far: dict[str, Any] = {"progress_ppm": 420_000, "seconds_left": 1_500, "printing": True}
        far |= {"layer": 41, "layers": 100, "z_um": 8_200}
        builders.beat(session, shop, run, now=now, **far, **heat)
        match state:
            case "unclear":
                builders.report(session, shop, run, ReportEvent.UNCLEAR, now=now)
            case "failed":
                builders.report(session, shop, run, ReportEvent.FAILED, now=now)
            case "look" | "done":
                builders.report(session, shop, run, ReportEvent.FINISHED, now=now)
                photos.keep(
                    session,
                    run_id=run.id,
                    agent_id=shop.agent,
                    sha256=hub.blobs.put([picture()], most_bytes=pictures.KEPT_BYTES).sha256,
                    now=now,
                )
        if state == "done":
            jobs.passed(session, job_id=job, by=shop.owner, now=now)
