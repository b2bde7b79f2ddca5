"""The journal survives being cut anywhere, and never forgets a fence or an intent in silence."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basis.errors import Conflict
from printers.journal import FenceSeen, Journal, JournalDamaged, JournalFull, RunRecord, What
from printers.protocol import Lease, gcode_path

PRINTER = uuid4()


def lease(fence: int, *, printer: UUID = PRINTER) -> Lease:
    run, job = uuid4(), uuid4()
    return Lease(
        run=run,
        job=job,
        printer=printer,
        fence=fence,
        path=gcode_path(job=job, run=run),
        sha256="0" * 64,
        sha1="0" * 40,
        size_bytes=1,
        title="cube",
        duration_s=1,
        lease_s=1,
    )


def whole_run(journal: Journal, fence: int) -> Lease:
    work = lease(fence)
    journal.receive("ender", work)
    for what in (What.FETCHED, What.PERMITTED, What.INTENT, What.STARTED):
        journal.write(work.run, what)
    journal.write(work.run, What.DONE, evidence="success", print_s=3)
    journal.write(work.run, What.REPORTED)
    return work


def known(journal: Journal) -> list[RunRecord]:
    return journal.runs("ender")


def test_it_knows_everything_after_a_restart(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        whole_run(journal, 1)
        work = lease(2)
        journal.receive("ender", work)
        journal.write(work.run, What.UNCLEAR, evidence="no trace", progress_ppm=5)
        before = known(journal)
    with Journal(tmp_path) as journal:
        assert known(journal) == before
        assert [each.open for each in before] == [False, True]
        assert (before[0].end, before[0].print_s) == (What.DONE, 3)
        assert before[1].evidence == "no trace"
        assert journal.highest_fence(PRINTER) == 2


@pytest.mark.parametrize("fence", [3, 2])
def test_an_old_fence_is_refused_also_after_a_restart(fence: int, tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.receive("ender", lease(3))
    with Journal(tmp_path) as journal:
        with pytest.raises(FenceSeen):
            journal.receive("ender", lease(fence))
        journal.receive("ender", lease(4))
        journal.receive("mini", lease(1, printer=uuid4()))


@settings(deadline=None)  # a disk takes what it takes
@given(data=st.data())
def test_cut_anywhere_it_knows_a_beginning_of_what_it_knew(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    sizes, states = [], []
    with Journal(folder) as journal:
        sizes.append(journal.path.stat().st_size)
        states.append(known(journal))
        work = lease(1)
        steps: list[Callable[[], object]] = [
            lambda: journal.receive("ender", work),
            *[
                lambda what=what: journal.write(work.run, what)
                for what in (What.FETCHED, What.INTENT)
            ],
            lambda: journal.write(work.run, What.FAILED, evidence="é \n x"),
        ]
        for step in steps:
            step()
            sizes.append(journal.path.stat().st_size)
            states.append(known(journal))
    cut = data.draw(st.integers(min_value=sizes[0], max_value=sizes[-1]))
    garbage = data.draw(st.binary(max_size=20).filter(lambda each: b"\n" not in each))
    os.truncate(folder / "journal.jsonl", cut)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(garbage)
    whole = max(n for n, size in enumerate(sizes) if size <= cut)
    with Journal(folder) as journal:
        assert known(journal) == states[whole]
        journal.receive("ender", lease(2))  # and it can go on
    with Journal(folder) as journal:
        assert journal.highest_fence(PRINTER) == 2


@settings(deadline=None)  # a disk takes what it takes
@given(data=st.data())
def test_any_changed_byte_of_a_whole_line_is_an_alarm(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("rot")
    with Journal(folder) as journal:
        whole_run(journal, 1)
    content = bytearray((folder / "journal.jsonl").read_bytes())
    # A lost line end of the last line cannot be told from a line cut short.
    where = data.draw(st.integers(min_value=0, max_value=len(content) - 2))
    content[where] ^= data.draw(st.integers(min_value=1, max_value=255))
    (folder / "journal.jsonl").write_bytes(content)
    with pytest.raises(JournalDamaged, match="looked at"):
        Journal(folder)


def test_a_missing_line_is_an_alarm(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        whole_run(journal, 1)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[:3] + lines[4:]))
    with pytest.raises(JournalDamaged, match="line 4"):
        Journal(tmp_path)


def test_it_stays_small_and_keeps_fences_and_what_is_open(tmp_path: Path) -> None:
    with Journal(tmp_path, compact_bytes=4_000) as journal:
        for fence in range(1, 60):
            work = whole_run(journal, fence)
            journal.note(work.run, What.CLEANED)
            assert journal.run(work.run) is None
        kept = lease(60)
        journal.receive("ender", kept)
        journal.write(kept.run, What.INTENT)
        assert journal.path.stat().st_size < 12_000
    with Journal(tmp_path) as journal:
        assert journal.highest_fence(PRINTER) == 60
        assert [each.lease for each in known(journal)] == [kept]
        assert What.INTENT in known(journal)[0].seen


def test_one_process_a_folder(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(Conflict):
        Journal(tmp_path)
    Journal(tmp_path).close()


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_line_that_is_not_durable_is_not_known(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a line is written, then the disk is full; later there is room again."""
    work = lease(1)
    real = os.write

    def full(descriptor: int, content: bytes = b"") -> int:
        if content and len(content) > 10:
            return real(descriptor, content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(tmp_path) as journal:
        journal.receive("ender", work)
        before = journal.path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            with pytest.raises(JournalFull, match="No space left"):
                journal.write(work.run, What.INTENT)
            assert journal.note(work.run, What.NEVER_STARTED, evidence="full").end is not None
            assert not journal.settled()
        assert journal.path.read_bytes() == before
        assert journal.settled()
    with Journal(tmp_path) as journal:
        assert known(journal)[0].end is What.NEVER_STARTED
        assert What.INTENT not in known(journal)[0].seen


def test_what_was_unclear_may_turn_out_to_move(tmp_path: Path) -> None:
    work = lease(1)
    with Journal(tmp_path) as journal:
        journal.receive("ender", work)
        journal.write(work.run, What.INTENT)
        journal.write(work.run, What.UNCLEAR)
        assert journal.write(work.run, What.REPORTED).watched
        again = journal.write(work.run, What.STARTED)
        assert again.open
        assert again.end is None
