"""From an order to guarded G-code, by the real PrusaSlicer, and what stands in its way."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from numpy.typing import ArrayLike
from sqlalchemy import func, select

from basis.blobs import Blobs
from basis.db import Database
from basis.errors import Unavailable
from commons import audit
from commons.models import ReservationRow
from designs.models import MeshRow
from printers.capability import COMMON, Choices, Profile
from printers.slicer import slice_plate
from router import estimate, jobs, slicing
from router.models import JobRow, QuoteItemRow, SliceRow
from router.states import Job
from tests.support import builders as b
from tests.support import solids
from tests.support.builders import NOW

pytestmark = pytest.mark.slicer

QUICK = solids.box(*solids.QUICK_PART_MM)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def slice_one(database: Database, blobs: Blobs, scratch: Path, job_id: UUID) -> JobRow:
    slicing.slice_job(job_id, database=database, blobs=blobs, scratch=scratch, wall_s=120.0)
    assert not list(scratch.glob("slice-*"))  # no job folder stays
    with database.reading() as session:
        return session.get_one(JobRow, job_id)


def test_an_ordered_job_gets_its_gcode_once(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    world = b.shop(database, corners=QUICK, blobs=blobs)
    first, second = b.ordered(database, world, ready=False, copies=2)
    job = slice_one(database, blobs, tmp_path, first)
    assert (job.state, job.reason) == (Job.READY, "")
    assert job.gcode_sha256 is not None
    assert job.gcode_bytes == blobs.checked(job.gcode_sha256).stat().st_size
    assert (job.sliced_by or "").startswith("PrusaSlicer ")
    assert job.reserved_mg == job.mass_mg
    assert slice_one(database, blobs, tmp_path, first).ready_at == job.ready_at  # not again
    # The same plate for another job: the same file, though slicing twice gives other bytes.
    other = slice_one(database, blobs, tmp_path, second)
    assert (other.state, other.gcode_sha256) == (Job.READY, job.gcode_sha256)
    with database.writing() as session:
        assert session.scalar(select(func.count()).select_from(SliceRow)) == 1
        assert slicing.due(session) == []
        (exact,) = b.ask(session, b.request(world.part)).quotes
        assert (exact.mass_mg, exact.duration_s) == (job.mass_mg, job.duration_s)
        assert exact.inputs["items"][0]["mass_source"] == f"sliced by {job.sliced_by}"


def test_many_workers_slice_one_job_and_agree(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    world = b.shop(database, corners=QUICK, blobs=blobs)
    (job_id,) = b.ordered(database, world, ready=False)

    def work(number: int) -> None:
        scratch = tmp_path / str(number)
        scratch.mkdir()
        slice_one(database, blobs, scratch, job_id)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    with database.reading() as session:
        (row,) = session.scalars(select(SliceRow))
        assert session.get_one(JobRow, job_id).gcode_sha256 == row.gcode_sha256


def test_a_part_that_cannot_be_sliced_is_unroutable_and_frees_what_it_held(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    """Standing on its tip, it touches the bed in no area: only the slicer finds that out."""
    world = b.shop(database, corners=solids.cone(20, 30), blobs=blobs)
    (job_id,) = b.ordered(database, world, ready=False)
    job = slice_one(database, blobs, tmp_path, job_id)
    assert job.state is Job.UNROUTABLE
    assert "nothing of this part rests on the bed" in job.reason
    assert job.ended_at is not None
    with database.reading() as session:
        assert jobs.reserved_mg(session) == {}
        (reservation,) = session.scalars(select(ReservationRow))
        assert reservation.state == "voided"
        found = audit.check(session)
        assert found.ok, str(found)


def test_a_much_dearer_slice_asks_people_first(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    world = b.shop(database, corners=QUICK, blobs=blobs)
    (job_id,) = b.ordered(database, world, ready=False)
    with database.writing() as session:
        item = session.scalars(select(QuoteItemRow)).one()
        item.duration_s = item.duration_s // 2
    job = slice_one(database, blobs, tmp_path, job_id)
    assert job.state is Job.ASKED
    assert "dearer" in job.reason
    assert job.gcode_sha256 is not None
    with database.writing() as session:
        agreed = jobs.agree(session, job_id=job_id, by=world.owner, now=NOW)
        assert (agreed.state, agreed.reserved_mg) == (Job.READY, agreed.mass_mg)


def test_a_job_that_ended_meanwhile_is_left_alone(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    world = b.shop(database, corners=QUICK, blobs=blobs)
    (job_id,) = b.ordered(database, world, ready=False)
    with database.writing() as session:
        jobs.cancel(session, job_id=job_id, by=world.maker, now=NOW)
    assert slice_one(database, blobs, tmp_path, job_id).state is Job.CANCELLED


def test_what_the_hub_lost_leaves_the_job_owed(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    """A missing file is the operator's matter: nobody's order ends by it."""
    world = b.shop(database, corners=QUICK)  # its mesh is not kept
    (job_id,) = b.ordered(database, world, ready=False)
    with pytest.raises(Unavailable, match="operator must restore it"):
        slice_one(database, blobs, tmp_path, job_id)
    with database.reading() as session:
        assert slicing.due(session) == [job_id]


def test_a_mesh_that_is_not_measured_any_more_ends_the_job_with_a_reason(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    world = b.shop(database, corners=QUICK, blobs=blobs)
    (job_id,) = b.ordered(database, world, ready=False)
    with database.writing() as session:
        mesh = session.scalars(select(MeshRow)).one()
        mesh.analysis, mesh.facts, mesh.stl_sha256 = mesh.analysis.DUE, None, None
    job = slice_one(database, blobs, tmp_path, job_id)
    assert job.state is Job.UNROUTABLE
    assert "not measured any more" in job.reason


@pytest.mark.parametrize("profile", [COMMON["virtual"], COMMON["ender3"]], ids=lambda p: p.name)
@pytest.mark.parametrize(
    "corners",
    [
        pytest.param(solids.box(20, 20, 20), id="cube"),
        pytest.param(solids.box(60, 40, 2), id="plate"),
        pytest.param(solids.box(8, 8, 60), id="tower"),
    ],
)
def test_estimates_are_near_enough_to_bind(
    corners: ArrayLike, profile: Profile, tmp_path: Path
) -> None:
    """Within a fifth of material and machine time, or ordinary orders would stop to be agreed."""
    choices, facts = Choices(material="PLA"), b.facts(corners)
    (tmp_path / "job").mkdir()
    made = slice_plate(
        solids.write_stl(tmp_path / "in.stl", corners),
        profile=profile,
        choices=choices,
        folder=tmp_path / "job",
    )
    mass_mg = estimate.mass_mg(facts, profile=profile, choices=choices)
    duration_s = estimate.duration_s(facts, profile=profile, choices=choices)
    # 25.00 a kilogram and 2.00 an hour, in thousandths of a cent.
    exact = made.mass_mg * 2.5 + made.duration_s * 1_000 / 18
    quoted = mass_mg * 2.5 + duration_s * 1_000 / 18
    assert 0.83 <= quoted / exact <= 1.25, (mass_mg, made.mass_mg, duration_s, made.duration_s)


def test_estimates_grow_with_what_is_asked() -> None:
    facts, profile = b.facts(solids.box(30, 30, 30)), COMMON["mk3s"]

    def both(**asked: object) -> tuple[int, int]:
        choices = Choices.from_json({"material": "PLA", **asked})
        return (
            estimate.mass_mg(facts, profile=profile, choices=choices),
            estimate.duration_s(facts, profile=profile, choices=choices),
        )

    plain = both()
    for more in ({"infill_pct": 60}, {"perimeters": 4}, {"brim_mm": 8}):
        assert both(**more) > plain, more
        assert both(**more)[1] >= plain[1], more
    assert both(layer_height_um=100)[1] > plain[1]


def test_a_record_corrects_an_estimate_within_bounds() -> None:
    def after(jobs_made: int, sliced_s: int, estimated_s: int) -> int:
        record = estimate.Record(jobs=jobs_made, sliced_s=sliced_s, estimated_s=estimated_s)
        return estimate.corrected(100, record)[0]

    assert estimate.corrected(100, None)[0] == 100
    assert [after(2, 300, 200), after(3, 300, 200)] == [100, 150]
    assert [after(3, 900, 100), after(3, 1, 100), after(3, 5, 0)] == [200, 50, 100]
