"""The plugin's journal of prints: what it claims, and what it does not."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from basis.errors import Conflict
from printers.evidence import Own
from printers.journal import JournalFull
from printers.print_journal import KEPT, Fact, PrintJournal

A, B = "designhub/7/1.gcode", "designhub/8/2.gcode"


def opened(folder: Path, life: str = "first") -> PrintJournal:
    return PrintJournal(folder / "prints.jsonl", life=life)


@pytest.mark.parametrize(
    ("facts", "now", "after_a_restart"),
    [
        ([], Own.NOT_BEGUN, Own.NOT_BEGUN),
        ([Fact.BEGUN], Own.BEGUN, Own.BROKEN_OFF),
        ([Fact.BEGUN, Fact.NEARLY], Own.BEGUN, Own.NEARLY),
        ([Fact.BEGUN, Fact.NEARLY, Fact.DONE], Own.DONE, Own.DONE),
        ([Fact.BEGUN, Fact.FAILED], Own.FAILED, Own.FAILED),
        ([Fact.BEGUN, Fact.FAILED, Fact.NEARLY], Own.FAILED, Own.FAILED),  # a word too late
        ([Fact.BEGUN, Fact.DONE, Fact.BEGUN], Own.BEGUN, Own.BROKEN_OFF),  # again, by hand
        ([Fact.NEARLY], Own.NOT_BEGUN, Own.NOT_BEGUN),
    ],
)
def test_what_it_proves(facts: list[Fact], now: Own, after_a_restart: Own, tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.stored(A)
    for fact in facts:
        journal.happened(A, fact)
        journal.happened(A, fact)  # the event and the hook say the same
    assert journal.own_record(A) is now
    assert journal.begun_before(A) is (now is not Own.NOT_BEGUN)
    journal.close()  # which writes nothing: killed or not is the same
    assert opened(tmp_path, "second").own_record(A) is after_a_restart


def test_it_says_nothing_of_files_that_it_did_not_see_coming(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.happened(A, Fact.BEGUN)
    assert journal.own_record(A) is Own.SILENT
    assert not journal.begun_before(A)
    journal.close()
    assert opened(tmp_path, "second").own_record(A) is Own.SILENT


def test_a_torn_last_line_was_never_waited_for(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.stored(A)
    journal.stored(B)
    journal.happened(A, Fact.BEGUN)
    journal.close()
    content = journal.path.read_bytes().rstrip(b"\0")
    for cut in range(1, 40):
        journal.path.write_bytes(content[:-cut] + b"\0" * 500)
        again = opened(tmp_path, "second")
        assert again.own_record(A) is Own.NOT_BEGUN
        assert again.own_record(B) is Own.NOT_BEGUN
        again.close()


@contextmanager
def no_room_beyond(size_bytes: int) -> Iterator[None]:
    """No file may grow past this size: what a full disk does to one that would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_after_the_file_came_hides_no_beginning(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.stored(A)
    with no_room_beyond(journal.path.stat().st_size):
        journal.happened(A, Fact.BEGUN)
        journal.happened(A, Fact.NEARLY)
        with pytest.raises(JournalFull, match="free some space"):
            journal.stored(B)  # so it is not taken
    assert journal.own_record(B) is Own.SILENT
    journal.close()
    assert opened(tmp_path, "second").own_record(A) is Own.NEARLY


def test_what_could_not_be_written_is_not_claimed(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.stored(A)
    os.close(journal._file)
    journal._file = os.open(journal.path, os.O_RDONLY)  # every write fails from here on
    with pytest.raises(JournalFull):
        journal.happened(A, Fact.BEGUN)
    assert journal.own_record(A) is Own.SILENT
    journal.close()


def test_it_forgets_the_oldest_and_then_claims_nothing(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for number in range(KEPT + 1):
        journal.stored(f"{number}.gcode")
    journal.close()
    again = opened(tmp_path, "second")
    assert again.own_record("0.gcode") is Own.SILENT
    assert again.own_record("1.gcode") is Own.NOT_BEGUN


def test_two_processes_never_write_it(tmp_path: Path) -> None:
    """A second OctoPrint on the same folder loads its plugins before it finds its port taken."""
    journal = opened(tmp_path)
    journal.stored(A)
    with pytest.raises(Conflict):
        opened(tmp_path, "second")
    journal.happened(A, Fact.BEGUN)
    journal.close()
    assert opened(tmp_path, "third").own_record(A) is Own.BROKEN_OFF
