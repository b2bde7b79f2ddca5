"""The verdict on a run, for every combination of what OctoPrint can say. Pure."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printers.evidence import (
    File,
    Job,
    Own,
    Verdict,
    evidence,
    file_from,
    job_from,
    machine_from,
    settled,
)

PATH = "jobs/7/1.gcode"
STORED = File(path=PATH, sha1="0" * 40)
DONE = File(path=PATH, sha1="0" * 40, successes=1)
FAILED = File(path=PATH, sha1="0" * 40, failures=1)
IDLE = Job(state="Operational")
OURS = Job(state="Operational", path=PATH, progress_percent=100.0)
THEIRS = Job(state="Printing", path="vase.gcode")
ACTIVE = ["Printing", "Paused", "Pausing", "Cancelling", "Starting", "Finishing", "Resuming"]
CLOSED = ["Offline", "Offline after error: halted", "Closed", "Connecting", "Unknown State (9)", ""]


@pytest.mark.parametrize(
    ("file", "job", "recorded", "verdict"),
    [
        (None, IDLE, False, Verdict.NEVER_UPLOADED),
        (None, THEIRS, False, Verdict.NEVER_UPLOADED),
        (None, IDLE, True, Verdict.AMBIGUOUS),  # deleted, and its record with it
        (DONE, IDLE, True, Verdict.DONE),
        (DONE, OURS, True, Verdict.DONE),
        (FAILED, IDLE, True, Verdict.FAILED),
        (FAILED, OURS, True, Verdict.FAILED),
        (STORED, OURS, True, Verdict.READ_AGAIN),
        (STORED, OURS, False, Verdict.READ_AGAIN),
        (STORED, IDLE, False, Verdict.NEVER_STARTED),
        (STORED, THEIRS, False, Verdict.NEVER_STARTED),
        (STORED, IDLE, True, Verdict.AMBIGUOUS),
        (STORED, THEIRS, True, Verdict.AMBIGUOUS),
    ],
)
def test_each_row_of_the_table(
    file: File | None, job: Job, recorded: bool, verdict: Verdict
) -> None:
    assert evidence(file, job, PATH, recorded) is verdict


@pytest.mark.parametrize(
    ("file", "job", "recorded", "own", "verdict"),
    [
        (STORED, IDLE, True, Own.NOT_BEGUN, Verdict.NOT_BEGUN),
        (STORED, OURS, True, Own.NOT_BEGUN, Verdict.NOT_BEGUN),  # selected and no more
        (STORED, THEIRS, True, Own.NOT_BEGUN, Verdict.NOT_BEGUN),
        (STORED, IDLE, False, Own.NOT_BEGUN, Verdict.NEVER_STARTED),  # safe to start
        (None, IDLE, False, Own.NOT_BEGUN, Verdict.NEVER_UPLOADED),
        (STORED, IDLE, True, Own.BROKEN_OFF, Verdict.BROKEN_OFF),
        (STORED, IDLE, False, Own.BROKEN_OFF, Verdict.BROKEN_OFF),  # begun by hand
        (STORED, IDLE, True, Own.NEARLY, Verdict.AMBIGUOUS),  # it may be whole
        (STORED, IDLE, True, Own.BEGUN, Verdict.AMBIGUOUS),
        (STORED, OURS, True, Own.BEGUN, Verdict.READ_AGAIN),
        (None, IDLE, True, Own.DONE, Verdict.DONE),  # the file's own record is deleted
        (None, IDLE, True, Own.FAILED, Verdict.FAILED),
        (DONE, IDLE, True, Own.BROKEN_OFF, Verdict.DONE),  # OctoPrint's record came to disk
    ],
)
def test_a_journal_inside_octoprint_settles_what_the_file_does_not(
    file: File | None, job: Job, recorded: bool, own: Own, verdict: Verdict
) -> None:
    assert evidence(file, job, PATH, recorded, own) is verdict


@pytest.mark.parametrize("own", Own)
def test_a_print_under_way_is_running_whatever_a_journal_says(own: Own) -> None:
    assert evidence(STORED, Job(state="Printing", path=PATH), PATH, True, own) is Verdict.RUNNING


@pytest.mark.parametrize("state", [*ACTIVE, "Printing from SD", "Something OctoPrint 2 says"])
@pytest.mark.parametrize("recorded", [False, True])
def test_our_path_in_any_state_of_work_is_running(state: str, recorded: bool) -> None:
    assert evidence(STORED, Job(state=state, path=PATH), PATH, recorded) is Verdict.RUNNING


@pytest.mark.parametrize("state", CLOSED)
def test_our_path_on_a_closed_line_is_not_running(state: str) -> None:
    assert evidence(STORED, Job(state=state, path=PATH), PATH, True) is Verdict.READ_AGAIN


files = st.one_of(
    st.none(),
    st.builds(
        File,
        path=st.just(PATH),
        sha1=st.just(""),
        successes=st.integers(0, 2),
        failures=st.integers(0, 2),
    ),
)
jobs = st.builds(
    Job,
    state=st.sampled_from([*ACTIVE, *CLOSED, "Operational", "?"]),
    path=st.sampled_from([None, PATH, "vase.gcode"]),
    progress_percent=st.sampled_from([None, 0.0, 100.0]),
)


@given(files, jobs)
def test_what_may_have_been_started_is_never_called_safe(file: File | None, job: Job) -> None:
    safe = {Verdict.NEVER_UPLOADED, Verdict.NEVER_STARTED}
    assert settled(evidence(file, job, PATH, True), True) not in safe


@given(files, jobs, st.booleans())
def test_a_success_is_only_what_the_printer_recorded(
    file: File | None, job: Job, recorded: bool
) -> None:
    done = evidence(file, job, PATH, recorded) is Verdict.DONE
    assert done == (file is not None and file.successes > 0)


@given(files, jobs, st.booleans())
def test_waiting_settles_everything(file: File | None, job: Job, recorded: bool) -> None:
    assert settled(evidence(file, job, PATH, recorded), recorded) is not Verdict.READ_AGAIN


@pytest.mark.parametrize(("said", "shown"), [(-100, None), (None, None), (100, 100.0), (6.5, 6.5)])
def test_an_impossible_progress_is_no_progress(said: float | None, shown: float | None) -> None:
    job = job_from({"state": "Printing", "progress": {"completion": said}})
    assert job.progress_percent == shown


def test_the_same_path_on_the_sd_card_is_not_ours() -> None:
    data = {"state": "Printing", "job": {"file": {"path": PATH, "origin": "sdcard"}}}
    assert job_from(data).path is None


def test_a_folder_is_not_a_file() -> None:
    with pytest.raises(ValueError, match="no file"):
        file_from({"path": "jobs/7", "type": "folder"})


ODD: list[object] = [
    None,
    True,
    -1,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    [],
    {},
    ["x"],
]
odd = st.sampled_from(ODD)
nonsense = st.fixed_dictionaries(
    {},
    optional={
        "path": odd,
        "hash": odd,
        "size": odd,
        "type": odd,
        "state": odd,
        "error": odd,
        "userdata": odd,
        "prints": odd | st.fixed_dictionaries({"success": odd, "failure": odd, "last": odd}),
        "job": odd | st.fixed_dictionaries({"file": odd}),
        "progress": odd | st.fixed_dictionaries({"completion": odd, "filepos": odd}),
        "temperature": odd | st.fixed_dictionaries({"bed": odd}),
    },
)


@given(nonsense)
def test_nonsense_is_refused_or_read_as_missing(data: dict[str, object]) -> None:
    for shape in (file_from, job_from, machine_from):
        with suppress(ValueError):
            shape(data)
