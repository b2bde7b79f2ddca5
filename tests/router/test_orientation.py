"""A part that is turned: quoted by its turned size, sliced as it was quoted, cached apart."""

from pathlib import Path
from typing import Any

import pytest

from basis.blobs import Blobs
from basis.db import Database
from basis.errors import Invalid
from printers.capability import COMMON, Choices, Profile
from printers.slicer import TooTall, cache_key, slice_plate
from router import slicing
from router.estimate import mass_mg
from router.figures import down_of
from router.matching import Axis
from router.models import JobRow, SliceRow
from router.quoting import Answer
from tests.support import builders as b
from tests.support.builders import Shop
from tests.support.solids import box, write_stl

TOWER = box(20, 20, 230)  # the virtual printer is 200 mm high


def ask(database: Database, world: Shop, **wish: Any) -> Answer:
    with database.writing() as session:
        return b.ask(session, b.request(world.part, **wish), maker=world.maker)


def choices(orientation: str) -> Choices:
    return Choices(material="PLA", orientation=orientation)


def test_a_part_is_quoted_as_it_would_lie(database: Database) -> None:
    world = b.shop(database, corners=box(20, 20, 190))
    standing = ask(database, world).quotes
    lying = ask(database, world, choices=choices("left")).quotes
    assert standing and lying
    assert lying[0].choices["orientation"] == "left"
    assert lying[0].duration_s != standing[0].duration_s


def test_what_is_too_tall_or_too_wide_is_so_as_it_would_lie(database: Database) -> None:
    tall = b.shop(database, corners=TOWER)
    refused = ask(database, tall)
    reasons = [each.reasons for each in (*refused.near_misses, *refused.refusals)]
    assert all(Axis.HEIGHT in [why.axis for why in each] for each in reasons)
    wide = ask(database, tall, choices=choices("best"))
    axes = [why.axis for each in (*wide.near_misses, *wide.refusals) for why in each.reasons]
    assert Axis.HEIGHT not in axes and Axis.WIDTH in axes


def test_the_turn_is_in_the_key_and_as_modelled_keeps_the_old_one() -> None:
    key: dict[str, Any] = {
        "stl_sha256": "0" * 64,
        "ini": "x",
        "engine_version": "2.5.0",
        "copies": 1,
    }
    plain = cache_key(**key)
    assert plain == cache_key(**key, down=None)
    others = {
        cache_key(**key, down=(1.0, 0.0, 0.0)),
        cache_key(**key, down=(0.0, 1.0, 0.0)),
        cache_key(**{**key, "engine_version": "2.6.0"}),
        cache_key(**{**key, "ini": "y"}),
        cache_key(**{**key, "copies": 2}),
        cache_key(**{**key, "stl_sha256": "1" * 64}),
    }
    assert len(others | {plain}) == 7


@pytest.mark.slicer
def test_the_slicer_lays_it_down_as_it_was_chosen(tmp_path: Path) -> None:
    part = write_stl(tmp_path / "in.stl", box(20, 30, 190))
    facts = b.facts(box(20, 30, 190))
    heights = {}
    for side in ("as_modelled", "left", "front", "best"):
        job = tmp_path / side
        job.mkdir()
        done = slice_plate(
            part,
            profile=COMMON["virtual"],
            choices=choices(side),
            down=down_of(facts, choices(side)),
            folder=job,
        )
        heights[side] = done.box_um[5]
        lying = b.facts(box(20, 30, 190))
        assert done.mass_mg < mass_mg(lying, profile=COMMON["virtual"], choices=choices(side)) * 2
    assert heights == {
        "as_modelled": 190_000,
        "left": 20_000,
        "front": 30_000,
        "best": 20_000,
    }


@pytest.mark.slicer
def test_a_turned_part_is_checked_against_the_printer_again(tmp_path: Path) -> None:
    """The box before slicing is that of the part as it lies, whatever was quoted."""
    part = write_stl(tmp_path / "in.stl", box(230, 20, 20))
    flat = Profile.from_json({**COMMON["virtual"].as_json(), "bed_x_mm": 300})
    job = tmp_path / "job"
    job.mkdir()
    with pytest.raises(TooTall, match="230"):
        slice_plate(part, profile=flat, choices=choices("left"), down=(-1.0, 0.0, 0.0), folder=job)


@pytest.mark.slicer
def test_an_order_is_sliced_as_it_was_quoted_and_cached_apart(
    database: Database, tmp_path: Path
) -> None:
    blobs = Blobs(tmp_path / "blobs")
    world = b.shop(database, corners=box(20, 30, 60), blobs=blobs)
    made = []
    for side in ("as_modelled", "best", "best"):
        (job_id,) = b.ordered(database, world, ready=False, choices=choices(side))
        slicing.slice_job(job_id, database=database, blobs=blobs, scratch=tmp_path, wall_s=120)
        with database.reading() as session:
            job = session.get_one(JobRow, job_id)
            assert job.gcode_sha256 is not None, job.reason
            made.append(job.gcode_sha256)
            assert session.query(SliceRow).count() == (1 if side == "as_modelled" else 2)
    assert made[0] != made[1] == made[2]


def test_a_part_measured_long_ago_is_made_as_modelled_only(database: Database) -> None:
    with pytest.raises(Invalid, match="cannot be turned"):
        down_of(
            b.facts(box(5, 5, 5)).__class__.from_json(
                {k: v for k, v in b.facts(box(5, 5, 5)).to_json().items() if k != "poses"}
            ),
            choices("top"),
        )
