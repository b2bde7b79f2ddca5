"""What exactly a run prints: written and signed when it is leased, kept for whoever asks later."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.clock import iso
from basis.errors import NotFound, Unavailable
from designs import queries as designs
from printers.protocol import Signed
from printers.provenance import Provenance, canonical
from router.models import JobRow, OrderRow, ProvenanceRow, QuoteRow, RunRow

__all__ = ["of_job", "of_run", "signed"]


def signed(
    session: Session, run: RunRow, job: JobRow, *, hub: str, sign: Callable[[str], Signed]
) -> Signed:
    """The provenance of a leased run. Asked again it is the same document; the signature is that
    of the key in use now.

    hub : the hub's own address.
    """
    row = session.get(ProvenanceRow, run.id)
    document = (
        canonical(_made(session, run, job, hub=hub).to_json()) if row is None else row.document
    )
    made = sign(document)
    if row is None:
        row = ProvenanceRow(run_id=run.id, document=document)
        session.add(row)
    row.key, row.signature = made.key, made.signature
    return made


def of_run(session: Session, run_id: UUID) -> Signed:
    """What was signed for one run. Raises NotFound, also for a run older than hubs' keys."""
    row = session.get(ProvenanceRow, run_id)
    if row is None:
        raise NotFound(f"nothing was signed for run {run_id}")
    return _signed(row)


def of_job(session: Session, job_id: UUID) -> dict[UUID, Signed]:
    """What was signed for each run of a job, in their order. One statement."""
    rows = session.scalars(
        select(ProvenanceRow)
        .join(RunRow, RunRow.id == ProvenanceRow.run_id)
        .where(RunRow.job_id == job_id)
        .order_by(RunRow.fence)
    )
    return {row.run_id: _signed(row) for row in rows}


def _signed(row: ProvenanceRow) -> Signed:
    return Signed(document=row.document, key=row.key, signature=row.signature)


def _made(session: Session, run: RunRow, job: JobRow, *, hub: str) -> Provenance:
    if job.gcode_sha256 is None or job.gcode_bytes is None:
        raise Unavailable(f"job {job.id} is leased without G-code")  # the database forbids it
    quote = session.scalars(
        select(QuoteRow)
        .join(OrderRow, OrderRow.quote_id == QuoteRow.id)
        .where(OrderRow.id == job.order_id)
    ).one()
    part, version, design = designs.part(session, job.item.part_id)
    known = job.made_from or {}
    return Provenance(
        hub=hub,
        job=job.id,
        run=run.id,
        printer=run.printer_id,
        fence=run.fence,
        gcode_sha256=job.gcode_sha256,
        gcode_bytes=job.gcode_bytes,
        design=design.id,
        design_title=design.title,
        commit=version.commit,
        part=part.name,
        part_blob=part.mesh.blob,
        choices=quote.choices,
        slicer=job.sliced_by or "",
        mesh_sha256=known.get("mesh_sha256", ""),
        profile_sha256=known.get("profile_sha256", ""),
        settings_sha256=known.get("settings_sha256", ""),
        sliced_at=known.get("sliced_at", ""),
        made_at=iso(run.leased_at),
    )
