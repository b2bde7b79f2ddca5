"""From rows to the API's messages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from basis import clock
from basis.clock import iso
from designhub.api import schema
from designhub.models import TokenRow
from designs.models import DesignRow, PartRow, RefRow, VersionRow
from printers import queries
from printers.addresses import without_addresses
from printers.models import PrinterRow, WorkshopRow
from printers.offer import Offer
from printers.quiet import ends
from router.matching import Reason
from router.models import HappeningRow, OrderRow, QuoteRow, RunRow
from router.queries import JobStory, PrinterWork
from router.quote import WEIGHTS, Inputs, Preset, eta_s
from router.quoting import Answer, Refusal


def when(moment: datetime | None) -> str | None:
    """A moment as text, or nothing."""
    return None if moment is None else iso(moment)


def token(row: TokenRow, *, text: str | None = None) -> schema.Token:
    """A token; `text` only when it was made just now."""
    return schema.Token(
        id=row.id,
        name=row.name,
        scopes=row.scopes.split(),
        created_at=iso(row.created_at),
        expires_at=when(row.expires_at),
        last_used_at=when(row.last_used_at),
        token=text,
    )


def design(row: DesignRow, *, owner: str, base_url: str) -> schema.Design:
    """A design."""
    return schema.Design(
        id=row.id,
        owner=owner,
        name=row.slug,
        title=row.title,
        description=row.description,
        visibility=row.visibility.value,
        created_at=iso(row.created_at),
        pushed_at=when(row.pushed_at),
        clone=f"{base_url}/{owner}/{row.slug}.git",
    )


def version_brief(row: RefRow) -> schema.VersionBrief:
    """A ref and its version."""
    return schema.VersionBrief(
        ref=row.ref,
        commit=row.version.commit,
        pushed_at=iso(row.version.pushed_at),
        analysis=row.version.analysis.value,
    )


def version(row: VersionRow, *, refs: Sequence[RefRow]) -> schema.Version:
    """A version with its manifest, faults and parts."""
    manifest = row.manifest or {}
    return schema.Version(
        commit=row.commit,
        refs=[each.ref for each in refs if each.version_id == row.id],
        committed_at=iso(row.committed_at),
        pushed_at=iso(row.pushed_at),
        author=row.author,
        message=row.message,
        analysis=row.analysis.value,
        name=row.name,
        licence=row.licence,
        manifest=row.manifest,
        faults=[
            schema.Fault(
                code=each["code"],
                key=each["key"],
                line=each.get("line"),
                severity=each["severity"],
                text=each["text"],
                fix=each.get("fix"),
            )
            for each in manifest.get("faults", [])
        ],
        parts=[part(each) for each in row.parts],
    )


def part(row: PartRow) -> schema.Part:
    """A part and what was measured of it."""
    mesh = row.mesh
    return schema.Part(
        name=row.slug,
        title=row.name,
        path=row.path,
        analysis=mesh.analysis.value,
        facts=mesh.facts,
        refusal=mesh.refusal,
        refusal_text=mesh.refusal_text,
        picture=f"/parts/{row.id}.png" if mesh.picture_sha256 else None,
    )


def where(offer: Offer) -> schema.Where:
    """A printer as routing saw it."""
    return schema.Where(
        printer=offer.printer,
        printer_name=offer.printer_name,
        workshop=offer.workshop_slug,
        workshop_title=offer.workshop_title,
        place=offer.place,
        lat_udeg=offer.lat_udeg,
        lon_udeg=offer.lon_udeg,
    )


def where_row(row: PrinterRow) -> schema.Where:
    """A printer as everybody may see it."""
    workshop = row.workshop
    return schema.Where(
        printer=row.id,
        printer_name=row.name,
        workshop=workshop.slug,
        workshop_title=workshop.title,
        place=workshop.place,
        lat_udeg=workshop.lat_udeg,
        lon_udeg=workshop.lon_udeg,
    )


def quotes(answer: Answer) -> schema.Quotes:
    """Ranked quotes, near misses and refusals."""
    return schema.Quotes(
        quotes=[quote(row, answer.offers[row.printer_id]) for row in answer.quotes],
        near_misses=[refusal(each) for each in answer.near_misses],
        refusals=[refusal(each) for each in answer.refusals],
    )


def quote(row: QuoteRow, offer: Offer) -> schema.Quote:
    """One quote with all it was computed from."""
    inputs = Inputs.from_json(row.inputs)
    weights = WEIGHTS[Preset(inputs.preset)]
    colour = next((each.colour for each in offer.loaded if each.spool == row.spool_id), "")
    return schema.Quote(
        id=row.id,
        where=where(offer),
        mode=inputs.mode,
        parts=[
            schema.QuotePart(
                part=item.part,
                copies=item.copies,
                mass_mg=item.mass_mg,
                duration_s=item.duration_s,
            )
            for item in inputs.items
        ],
        copies=row.copies,
        material=inputs.material,
        colour=colour,
        currency=row.currency,
        total_minor=row.total_minor,
        mass_mg=inputs.mass_mg,
        duration_s=inputs.duration_s,
        great_circle_m=inputs.great_circle_m,
        circuity_per_mille=inputs.circuity_per_mille,
        distance_m=row.distance_m,
        co2e_mg=row.co2e_mg,
        eta_s=eta_s(inputs),
        cost=row.cost,
        lines=[schema.QuoteLine(**line) for line in row.lines],
        terms=[schema.QuoteTerm(**term) for term in row.terms],
        preset=inputs.preset,
        weights={name: getattr(weights, name) for name in weights.__slots__},
        factors=row.factors,
        inputs=row.inputs,
        inputs_sha256=row.inputs_sha256,
        expires_at=iso(row.expires_at),
    )


def refusal(each: Refusal) -> schema.Refusal:
    """A printer that cannot, and why not."""
    return schema.Refusal(
        where=where(each.offer),
        distance_m=each.distance_m,
        reasons=[why_not(reason) for reason in each.reasons],
    )


def why_not(reason: Reason) -> schema.WhyNot:
    """One reason."""
    return schema.WhyNot(
        axis=reason.axis.value,
        needed=reason.needed,
        available=reason.available,
        unit=reason.unit,
        who_can_fix=reason.who_can_fix.value,
        part=reason.part,
    )


def order(row: OrderRow, titles: Mapping[int, tuple[str, str]]) -> schema.Order:
    """An order with the states of its jobs.

    titles : by part, of the design and of the part.
    """
    return schema.Order(
        id=row.id,
        quote=row.quote_id,
        created_at=iso(row.created_at),
        currency=row.quote.currency,
        total_minor=row.quote.total_minor,
        copies=row.quote.copies,
        parts=[
            schema.OrderPart(
                design=titles[item.part_id][0],
                part=titles[item.part_id][1],
                jobs=[job.id for job in row.jobs if job.item_id == item.id],
            )
            for item in row.quote.items
        ],
        jobs=[job.id for job in row.jobs],
        states=[job.state.value for job in row.jobs],
    )


def job(story: JobStory) -> schema.Job:
    """A job with everything that happened to it."""
    row, quoted = story.job, story.quote
    return schema.Job(
        id=row.id,
        order=row.order_id,
        copy=row.copy,
        pieces=row.pieces,
        good=row.good,
        copies=row.item.copies,
        state=row.state.value,
        reason=row.reason,
        design=story.design_title,
        commit=story.commit,
        part=story.part,
        where=where_row(story.printer),
        mode=quoted.inputs["mode"],
        distance_m=quoted.distance_m,
        mass_mg=row.needed_mg,
        duration_s=row.needed_s,
        co2e_mg=quoted.co2e_mg,
        currency=quoted.currency,
        total_minor=quoted.total_minor,
        gcode_sha256=row.gcode_sha256,
        sliced_by=row.sliced_by,
        tries=row.tries,
        created_at=iso(row.created_at),
        ready_at=when(row.ready_at),
        ended_at=when(row.ended_at),
        runs=[run(each) for each in row.runs],
        history=[happening(each) for each in story.history],
    )


def run(row: RunRow) -> schema.Run:
    """One try."""
    return schema.Run(
        id=row.id,
        fence=row.fence,
        state=row.state.value,
        progress_ppm=row.progress_ppm,
        seconds_left=row.seconds_left,
        started_at=when(row.started_at),
        ended_at=when(row.ended_at),
        stop_asked=row.stop_asked,
        cause=row.cause,
        waits_for=row.waits_for,
        photo=None
        if row.photo_sha256 is None
        else f"/api/v1/jobs/{row.job_id}/runs/{row.id}/photo",
        nozzle_c=row.nozzle_c,
        nozzle_target_c=row.nozzle_target_c,
        bed_c=row.bed_c,
        bed_target_c=row.bed_target_c,
        layer=row.layer,
        layers=row.layers,
        z_um=row.z_um,
    )


def happening(row: HappeningRow) -> schema.Happening:
    """One line of history."""
    return schema.Happening(
        at=iso(row.at),
        actor=row.actor,
        what=row.what,
        before=row.before,
        after=row.after,
        note=row.note,
        run=row.run_id,
    )


def workshop(row: WorkshopRow, *, owner: str, work: dict[UUID, PrinterWork]) -> schema.Workshop:
    """A workshop and its printers."""
    return schema.Workshop(
        id=row.id,
        name=row.slug,
        title=row.title,
        owner=owner,
        place=row.place,
        lat_udeg=row.lat_udeg,
        lon_udeg=row.lon_udeg,
        country=row.country,
        currency=row.currency,
        prices=row.prices,
        carriage=row.carriage,
        quiet=row.quiet,
        printers=[printer(each, work.get(each.id)) for each in row.printers],
    )


def printer(row: PrinterRow, work: PrinterWork | None) -> schema.Printer:
    """A printer with its bed, material and work."""
    quiet = queries.quiet_of(row)
    return schema.Printer(
        id=row.id,
        name=row.name,
        profile=row.profile,
        trial=row.trial.value,
        trial_said=row.trial_said,
        bed=row.bed.value,
        bed_changed_at=iso(row.bed_changed_at),
        accepting=row.accepting,
        duty=row.duty.value,
        because=row.paused_because,
        quiet=None if quiet is None else quiet.to_json(),
        quiet_until=when(ends(quiet, row.workshop.time_zone, clock.now())),
        most_pieces=row.most_pieces,
        ejects=row.ejects_since is not None,
        printed_s=row.printed_s,
        seen_at=when(row.seen_at),
        machine_state=without_addresses(row.machine_state),  # of agents that do not leave them out
        passed=row.passed,
        failed=row.failed,
        spools=[
            schema.Spool(
                id=spool.id,
                slot=spool.slot or 0,
                material=spool.material,
                colour=spool.colour,
                left_mg=spool.left_mg,
                price_per_kg_minor=spool.price_per_kg_minor,
            )
            for spool in row.spools
        ],
        job=work.job if work else None,
        run_state=work.run_state if work else None,
        waiting=work.waiting if work else 0,
    )
