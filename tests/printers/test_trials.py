"""A printer takes work once a cube could be sliced for it: the side task, its rows and its gate."""

from pathlib import Path
from typing import Any

import pytest

from basis.db import Database
from basis.errors import Unavailable
from printers import registry, trials
from printers.capability import COMMON, Profile
from printers.models import PrinterRow, Trial
from printers.queries import offer_of
from printers.trial import tried as plain
from tests.support import builders
from tests.support.builders import NOW

VIRTUAL = COMMON["virtual"]
BROKEN = {"start_gcode": "G28\nG1 X1 Y1 F3000\nG92 X150 Y150\n"}


def added(database: Database, **changes: Any) -> PrinterRow:
    with database.writing() as session:
        where = builders.workshop(session, builders.account(session))
        profile = Profile.from_json({**VIRTUAL.as_json(), **changes})
        return registry.add_printer(session, workshop=where, name="p", profile=profile, now=NOW)


def fresh(database: Database, row: PrinterRow) -> PrinterRow:
    with database.reading() as session:
        return session.get_one(PrinterRow, row.id)


def try_it(database: Database, row: PrinterRow, scratch: Path) -> None:
    trials.try_printer(row.id, database=database, scratch=scratch, wall_s=120)


def tried_by_routing(database: Database, row: PrinterRow) -> bool:
    with database.reading() as session:
        return offer_of(session.get_one(PrinterRow, row.id), reserved_mg={}).tried


@pytest.mark.slicer
def test_a_printer_with_settings_of_its_own_takes_work_after_its_cube(
    database: Database, tmp_path: Path
) -> None:
    row = added(database, print_mm_s=70)
    assert row.trial is Trial.DUE
    assert not tried_by_routing(database, row)
    with database.reading() as session:
        assert trials.due(session) == [row.id]
    try_it(database, row, tmp_path)
    after = fresh(database, row)
    assert after.trial is Trial.PASSED
    assert after.trial_said.startswith("PLA ")
    assert after.change > row.change
    assert tried_by_routing(database, row)
    with database.reading() as session:
        assert trials.due(session) == []


@pytest.mark.slicer
def test_one_whose_settings_do_not_work_says_why_and_takes_none(
    database: Database, tmp_path: Path
) -> None:
    row = added(database, **BROKEN)
    try_it(database, row, tmp_path)
    after = fresh(database, row)
    assert after.trial is Trial.FAILED
    assert "G-code refused: line" in after.trial_said
    assert not tried_by_routing(database, row)
    with database.writing() as session:
        registry.change_printer(session, session.get_one(PrinterRow, row.id), name="q")
    assert fresh(database, row).trial is Trial.FAILED  # its name is not what was wrong
    with database.writing() as session:
        mended = Profile.from_json({**VIRTUAL.as_json(), "print_mm_s": 71})
        found = session.get_one(PrinterRow, row.id)
        registry.change_printer(session, found, name="q", profile=mended)
    assert (fresh(database, row).trial, fresh(database, row).trial_said) == (Trial.DUE, "")


def test_one_that_comes_with_the_program_needs_no_cube(database: Database, tmp_path: Path) -> None:
    row = added(database)
    assert row.trial is Trial.PASSED
    with database.writing() as session:
        registry.try_again(session, session.get_one(PrinterRow, row.id))
    assert fresh(database, row).trial is Trial.DUE


def test_a_hub_without_a_slicer_says_nothing_of_a_printer(
    database: Database, tmp_path: Path
) -> None:
    row = added(database, print_mm_s=70)
    with pytest.raises(Unavailable):
        trials.try_printer(
            row.id, database=database, scratch=tmp_path, wall_s=120, program="no-such-slicer"
        )
    assert fresh(database, row).trial is Trial.DUE


@pytest.mark.slicer
def test_a_printer_changed_while_its_cube_was_sliced_is_owed_another(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = added(database, print_mm_s=70)

    def meanwhile(*given: Any, **named: Any) -> Any:
        outcome = plain(*given, **named)
        with database.writing() as session:
            found = session.get_one(PrinterRow, row.id)
            other = Profile.from_json({**VIRTUAL.as_json(), **BROKEN})
            registry.change_printer(session, found, name="p", profile=other)
        return outcome

    monkeypatch.setattr(trials, "tried", meanwhile)
    try_it(database, row, tmp_path)
    assert fresh(database, row).trial is Trial.DUE
    monkeypatch.setattr(trials, "tried", plain)
    try_it(database, row, tmp_path)
    assert fresh(database, row).trial is Trial.FAILED
