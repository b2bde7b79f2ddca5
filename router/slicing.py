"""From an ordered job to guarded G-code that may be leased: a side task, once for each job.

The child runs outside any transaction. What it made is kept by its inputs: slicing the same mesh
twice gives other bytes, and a permit may already name the first.
"""

import hashlib
import logging
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from basis import clock
from basis.blobs import Blobs
from basis.db import Database
from basis.errors import HubError, NotAllowed, NotFound, TooLarge, Unavailable
from basis.turning import Direction
from designs import queries as designs
from designs.facts import MeshFacts, posed
from printers import queries as printers
from printers.capability import Choices, Profile
from printers.models import PrinterRow
from printers.provenance import digest
from printers.slicer import (
    LIMITS,
    Sliced,
    cache_key,
    engine_version,
    job_ini,
    slice_plate,
)
from router import estimate, jobs, learning, rows
from router.figures import down_of, plate_of
from router.history import HUB, job_event
from router.models import JobRow, OrderRow, QuoteRow, SliceRow
from router.quote import Inputs, made_minor
from router.states import Job, JobEvent

MOST_GCODE_BYTES = 512 << 20

MORE_PCT = 20
"""A slice dearer than quoted by more than this stops the job, and people are asked."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plate:
    """What the slicer is asked for."""

    stl_sha256: str
    profile: Profile
    choices: Choices
    down: Direction | None
    pieces: int
    estimated_mg: int
    """As plainly estimated, for the printer's record."""


def slice_job(
    job_id: UUID, *, database: Database, blobs: Blobs, scratch: Path, wall_s: float
) -> None:
    """Slice one ordered job, guard the result, and let it be leased.

    Does nothing for a job in another state, so running it twice is harmless. A part that cannot be
    sliced makes the job unroutable, with the reason; what the hub itself lacks (the slicer, disk)
    raises Unavailable and leaves the job owed.
    """
    try:
        with database.reading() as session:
            plate = _plate(session, job_id)
        if plate is None:
            return
        made = _known(database, blobs, plate) or _made(
            plate, database=database, blobs=blobs, scratch=scratch, wall_s=wall_s
        )
    except Unavailable:  # the slicer's absence is one
        raise
    except HubError as exc:
        log.info("job %s cannot be sliced: %s", job_id, exc)
        with database.writing() as session:
            job = jobs.get(session, job_id)
            if job.state is Job.ORDERED:
                jobs.refused(session, job, reason=str(exc), now=clock.now())
        return
    with database.writing() as session:
        ready(
            session,
            job_id,
            made,
            now=clock.now(),
            made_from=_made_from(plate, made),
            estimated_mg=plate.estimated_mg,
        )


def due(session: Session) -> list[UUID]:
    """Jobs that are owed a slice: what the sweep asks for again."""
    return list(session.scalars(select(JobRow.id).where(JobRow.state == Job.ORDERED)))


def _plate(session: Session, job_id: UUID) -> _Plate | None:
    job = session.scalar(select(JobRow).where(JobRow.id == job_id, JobRow.state == Job.ORDERED))
    if job is None:
        return None
    quote = session.scalars(
        select(QuoteRow)
        .join(OrderRow, OrderRow.quote_id == QuoteRow.id)
        .where(OrderRow.id == job.order_id)
    ).one()
    mesh = designs.part(session, job.item.part_id)[0].mesh
    if mesh.stl_sha256 is None:
        raise NotAllowed(f"the mesh of job {job_id} is not measured any more")
    profile = Profile.from_json(printers.printer(session, job.printer_id).profile)
    choices = Choices.from_json(quote.choices)
    facts = MeshFacts.from_json(mesh.facts or {})
    lying = posed(facts, choices.orientation)
    return _Plate(
        stl_sha256=mesh.stl_sha256,
        down=down_of(facts, choices),
        profile=profile,
        choices=choices,
        pieces=job.pieces,
        estimated_mg=estimate.mass_mg(lying, profile=profile, choices=choices) * job.pieces,
    )


def _key(plate: _Plate) -> str:
    return cache_key(
        stl_sha256=plate.stl_sha256,
        ini=job_ini(plate.profile, plate.choices),
        engine_version=engine_version(),
        copies=plate.pieces,
        down=plate.down,
    )


def _known(database: Database, blobs: Blobs, plate: _Plate) -> SliceRow | None:
    """An earlier slice of the same, if its file is still whole."""
    with database.reading() as session:
        row = session.get(SliceRow, _key(plate))
    if row is not None:
        _stored(blobs, row.gcode_sha256)
    return row


def _stored(blobs: Blobs, sha256: str) -> Path:
    """A file that the hub's own rows name. Raises Unavailable when the disk lost it."""
    try:
        return blobs.checked(sha256)
    except NotFound as exc:
        raise Unavailable(f"{exc}: the hub's operator must restore it") from exc


def _made(
    plate: _Plate, *, database: Database, blobs: Blobs, scratch: Path, wall_s: float
) -> SliceRow:
    """Slice in a job folder of its own, keep the G-code, remember it by its inputs."""
    folder = Path(tempfile.mkdtemp(prefix="slice-", dir=scratch))
    try:
        sliced = slice_plate(
            _stored(blobs, plate.stl_sha256),
            profile=plate.profile,
            choices=plate.choices,
            copies=plate.pieces,
            down=plate.down,
            folder=folder,
            limits=replace(LIMITS, wall_s=wall_s),
        )
        blob = blobs.put_file(sliced.gcode, most_bytes=MOST_GCODE_BYTES)
        if blob.sha256 != sliced.sha256:
            raise Unavailable("the G-code changed on the disk while it was kept")
        return _remembered(database, plate, sliced)
    except TooLarge as exc:
        raise NotAllowed(f"the G-code is larger than any printer here takes: {exc}") from exc
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remembered(database: Database, plate: _Plate, sliced: Sliced) -> SliceRow:
    """The first slice of the same inputs, which may be another worker's of this moment."""
    row = SliceRow(
        key=sliced.cache_key,
        plate=plate_of(
            stl_sha256=plate.stl_sha256,
            ini=job_ini(plate.profile, plate.choices),
            pieces=plate.pieces,
            down=plate.down,
        ),
        gcode_sha256=sliced.sha256,
        gcode_sha1=sliced.sha1,
        gcode_bytes=sliced.size,
        mass_mg=sliced.mass_mg,
        duration_s=sliced.duration_s,
        sliced_by=sliced.engine,
        created_at=clock.now(),
    )
    try:
        with database.writing() as session:
            session.add(row)
        return row
    except IntegrityError:
        with database.reading() as session:
            return session.get_one(SliceRow, sliced.cache_key)


def _made_from(plate: _Plate, made: SliceRow) -> dict[str, str]:
    """What the provenance of a print will say that its G-code was made from."""
    ini = job_ini(plate.profile, plate.choices)
    if plate.down is not None:  # the settings do not say how the part lies
        ini += f"; down {plate.down}\n"
    return {
        "mesh_sha256": plate.stl_sha256,
        "profile_sha256": digest(plate.profile.as_json()),
        "settings_sha256": hashlib.sha256(ini.encode()).hexdigest(),
        "sliced_at": clock.iso(made.created_at),
    }


def ready(
    session: Session,
    job_id: UUID,
    made: SliceRow,
    *,
    now: datetime,
    made_from: dict[str, str] | None = None,
    estimated_mg: int | None = None,
) -> None:
    """The G-code of an ordered job is there: it may be leased, unless people must be asked first.
    Does nothing for a job in another state.

    made_from    : digests of what was sliced, for the provenance of its prints.
    estimated_mg : what was plainly estimated of it, for the printer's record.
    """
    job = jobs.get(session, job_id)
    if job.state is not Job.ORDERED:
        return
    quote = job.order.quote
    pace = session.get_one(PrinterRow, job.printer_id).took_per_mille
    took_s = learning.scaled(made.duration_s, pace)
    why = _dearer(quote, job, made, took_s=took_s) or _too_heavy(session, job, quote, made)
    job.gcode_sha256, job.gcode_sha1 = made.gcode_sha256, made.gcode_sha1
    job.gcode_bytes, job.sliced_by = made.gcode_bytes, made.sliced_by
    job.mass_mg, job.duration_s = made.mass_mg, made.duration_s
    job.made_from, job.estimated_mg = made_from, estimated_mg
    learning.asked_for(session, job.printer_id)
    if why:
        job.reason = f"{why}. Agree to make it at the quoted price, or cancel"
        job_event(session, job, JobEvent.COSTS_MORE, actor=HUB, now=now, note=job.reason)
        return
    job.reserved_mg = made.mass_mg
    job_event(session, job, JobEvent.SLICED, actor=HUB, now=now, note=made.sliced_by)


def _dearer(quote: QuoteRow, job: JobRow, made: SliceRow, *, took_s: int) -> str:
    """Why the slice is not worth the quoted price any more, in words; or nothing. `took_s`: its
    time as this printer would take."""
    inputs = Inputs.from_json(quote.inputs)
    mass_mg, duration_s = job.item.mass_mg * job.pieces, job.item.duration_s * job.pieces
    quoted = made_minor(inputs, mass_mg=mass_mg, duration_s=duration_s)
    needed = made_minor(inputs, mass_mg=made.mass_mg, duration_s=took_s)
    if needed * 100 <= quoted * (100 + MORE_PCT):
        return ""
    return (
        f"the slice needs {made.mass_mg / 1000:.1f} g and {took_s // 60} min, quoted"
        f" were {mass_mg / 1000:.1f} g and {duration_s // 60} min: material and"
        f" machine time are {needed * 100 // max(1, quoted) - 100} % dearer"
    )


def _too_heavy(session: Session, job: JobRow, quote: QuoteRow, made: SliceRow) -> str:
    """Why the spool does not hold what the slice needs beyond its reservation; or nothing."""
    more_mg = made.mass_mg - job.reserved_mg
    if more_mg <= 0:
        return ""
    try:
        jobs.check_left(session, rows.made_from(session, quote), needed_mg=more_mg)
    except jobs.NotEnoughLeft as exc:
        return f"the slice needs {more_mg / 1000:.1f} g more than was reserved: {exc}"
    return ""
