"""The client against OctoPrint: each test here runs on the stand-in and on the real server.

So the stand-in, which `test_octoprint_faults.py` makes fail, cannot drift from the truth unseen.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from printers.in_time import ARRIVE_S
from printers.octoprint import (
    AlreadyThere,
    OctoPrint,
    PrinterBusy,
    PrinterError,
    PrinterRefused,
    PrinterUnreachable,
    Verdict,
    sha1_of,
)
from tests.support.octoprint_fixtures import Bench, RealBench, dwells, eventually
from tests.support.plugin_fixtures import InsideBench

REAL = [pytest.param(each, marks=pytest.mark.octoprint) for each in ("real", "inside")]


@pytest.fixture(params=["stand_in", *REAL])
def bench(request: pytest.FixtureRequest) -> Bench:
    """An idle printer, with nothing of this test on it: over HTTP, or from within OctoPrint."""
    if request.param == "inside":
        return InsideBench(request.getfixturevalue("plugin"))
    if request.param == "real":
        return RealBench(request.getfixturevalue("farm"), 0)
    stand_in: Bench = request.getfixturevalue("stand_in")
    return stand_in


def begin(bench: Bench, path: str, folder: Path, *, seconds: float) -> None:
    """Upload and start a print of our own, and see it run."""
    bench.client.upload(path, dwells(folder, seconds=seconds), userdata={"run": 1})
    bench.client.start(path)
    assert bench.client.started(path)
    assert eventually(lambda: (bench.client.job().filepos or 0) > 0)  # past the first line


def post(bench: Bench, where: str, command: dict[str, object]) -> int:
    """What somebody else's program says to the printer."""
    key = {"X-Api-Key": bench.api_key}
    return requests.post(bench.url + where, json=command, headers=key, timeout=5).status_code


def test_an_idle_printer(bench: Bench) -> None:
    assert bench.client.version() == "1.11.8"
    assert bench.client.connection() == "Operational"
    assert bench.client.printer().ready
    # They come a moment after the connection.
    assert eventually(lambda: {"tool0", "bed"} <= bench.client.printer().temperatures.keys())
    assert bench.client.printer().temperatures["bed"].actual_c == pytest.approx(21.3, abs=60)
    assert bench.client.job().idle


def test_from_upload_to_done(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    file = dwells(tmp_path, seconds=0.6)
    look = bench.client.look
    assert look(gcode_path, start_recorded=False) is Verdict.NEVER_UPLOADED

    bench.client.upload(gcode_path, file, userdata={"job": 7, "größe": "1 × 2"})
    stored = bench.client.file(gcode_path)
    assert stored is not None
    assert (stored.path, stored.sha1) == (gcode_path, sha1_of(file))
    assert stored.size_bytes == file.stat().st_size
    assert stored.userdata == {"job": 7, "größe": "1 × 2"}
    assert (stored.successes, stored.failures) == (0, 0)
    assert look(gcode_path, start_recorded=False) is Verdict.NEVER_STARTED

    bench.client.start(gcode_path)
    assert bench.client.started(gcode_path)
    assert look(gcode_path, start_recorded=True) is Verdict.RUNNING
    assert "printing" in bench.client.printer().flags
    assert not bench.client.printer().ready
    assert eventually(lambda: look(gcode_path, start_recorded=True) is Verdict.DONE)

    ended = bench.client.file(gcode_path)
    assert ended is not None
    assert (ended.successes, ended.failures) == (1, 0)
    assert ended.last_print_s == pytest.approx(0.6, abs=0.5)
    assert bench.starts(gcode_path) == 1


@pytest.mark.parametrize("path", ["absent.gcode", "no-such-folder/absent.gcode", "a/b/c.gcode"])
def test_an_absent_file_is_none(bench: Bench, path: str) -> None:
    assert bench.client.file(path) is None


def test_an_upload_alone_neither_selects_nor_starts(
    bench: Bench, gcode_path: str, tmp_path: Path
) -> None:
    bench.client.upload(gcode_path, dwells(tmp_path, seconds=5), userdata={})
    assert bench.client.job().path != gcode_path
    assert bench.client.job().idle
    assert bench.starts(gcode_path) == 0


def test_a_path_is_sent_once(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    first, second = dwells(tmp_path, seconds=0.1), dwells(tmp_path, seconds=0.2)
    bench.client.upload(gcode_path, first, userdata={"n": 1})
    for again in (first, second):
        with pytest.raises(AlreadyThere):
            bench.client.upload(gcode_path, again, userdata={"n": 2})
    stored = bench.client.file(gcode_path)
    assert stored is not None
    assert (stored.sha1, stored.userdata) == (sha1_of(first), {"n": 1})


def test_while_it_prints_it_is_busy(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    begin(bench, gcode_path, tmp_path, seconds=5)
    other = dwells(tmp_path, seconds=0.1)
    calls: list[Callable[[], None]] = [
        lambda: bench.client.start(gcode_path),
        lambda: bench.client.delete(gcode_path),
        lambda: bench.client.upload(gcode_path, other, userdata={}, no_overwrite=False),
    ]
    for call in calls:
        with pytest.raises(PrinterBusy):
            call()
    bench.client.connect()  # harmless
    assert bench.client.look(gcode_path, start_recorded=True) is Verdict.RUNNING
    assert bench.starts(gcode_path) == 1


def test_pause_resume_and_cancel(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    begin(bench, gcode_path, tmp_path, seconds=5)
    client = bench.client
    client.pause(gcode_path)
    assert eventually(lambda: client.job().state == "Paused")
    client.pause(gcode_path)  # says it again instead of toggling
    time.sleep(0.2)
    assert client.job().state == "Paused"
    assert client.look(gcode_path, start_recorded=True) is Verdict.RUNNING
    client.resume(gcode_path)
    assert eventually(lambda: client.job().state == "Printing")
    client.cancel(gcode_path)
    assert eventually(lambda: client.look(gcode_path, start_recorded=True) is Verdict.FAILED)
    assert eventually(lambda: client.job().idle)  # the state alone looks like a success
    with pytest.raises(PrinterBusy):
        client.cancel(gcode_path)


def test_nobody_elses_print_is_touched(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    theirs = gcode_path.replace("jobs/", "theirs/")
    begin(bench, theirs, tmp_path, seconds=5)
    bench.client.upload(gcode_path, dwells(tmp_path, seconds=0.1), userdata={})
    for call in (bench.client.cancel, bench.client.pause, bench.client.resume):
        with pytest.raises(PrinterBusy, match="nothing was done"):
            call(gcode_path)
    with pytest.raises(PrinterBusy):
        bench.client.start(gcode_path)
    assert bench.client.job().state == "Printing"
    assert bench.client.look(gcode_path, start_recorded=False) is Verdict.NEVER_STARTED
    assert bench.client.look(gcode_path, start_recorded=True, again_s=0) is Verdict.AMBIGUOUS


def test_selected_and_no_more(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    bench.client.upload(gcode_path, dwells(tmp_path, seconds=0.1), userdata={})
    selected = post(bench, f"/api/files/local/{gcode_path}", {"command": "select"})
    assert selected == 204
    assert eventually(lambda: bench.client.job().path == gcode_path)
    look = bench.client.look
    assert look(gcode_path, start_recorded=False, again_s=0.1) is Verdict.NEVER_STARTED
    assert look(gcode_path, start_recorded=True, again_s=0.1) is Verdict.AMBIGUOUS


def test_a_firmware_error_fails_the_run_and_connect_recovers(
    bench: Bench, gcode_path: str, tmp_path: Path
) -> None:
    begin(bench, gcode_path, tmp_path, seconds=5)
    bench.firmware_error()
    assert eventually(lambda: bench.client.job().closed)
    assert bench.client.job().error
    with pytest.raises(PrinterBusy):
        bench.client.printer()
    with pytest.raises(PrinterBusy):  # the text says "already printing"
        bench.client.start(gcode_path)
    look = bench.client.look
    assert eventually(lambda: look(gcode_path, start_recorded=True) is Verdict.FAILED)
    bench.client.connect()
    assert eventually(lambda: bench.client.connection() == "Operational")
    assert bench.client.job().error is None


def test_a_firmware_reset_is_a_failure_though_the_printer_may_show_no_error(
    bench: Bench, gcode_path: str, tmp_path: Path
) -> None:
    begin(bench, gcode_path, tmp_path, seconds=20)
    bench.firmware_reset()
    look = bench.client.look
    assert eventually(lambda: look(gcode_path, start_recorded=True) is Verdict.FAILED)
    # Mostly it goes on as if nothing had been; where the reset cut a line in two it gives up.
    shown = bench.client.job()
    assert shown.error is None or "resend" in shown.error
    assert shown.closed is (shown.error is not None)


def test_a_disconnect_kills_the_print(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    begin(bench, gcode_path, tmp_path, seconds=5)
    bench.client.disconnect()
    look = bench.client.look
    assert eventually(lambda: look(gcode_path, start_recorded=True) is Verdict.FAILED)
    assert eventually(lambda: bench.client.connection() == "Closed")


def test_a_power_cut_in_mid_print_is_ambiguous(
    bench: Bench, gcode_path: str, tmp_path: Path
) -> None:
    begin(bench, gcode_path, tmp_path, seconds=5)
    bench.power_cut()
    assert bench.client.look(gcode_path, start_recorded=True) is Verdict.AMBIGUOUS
    stored = bench.client.file(gcode_path)
    assert stored is not None
    assert stored.userdata == {"run": 1}
    assert (stored.successes, stored.failures) == (0, 0)
    assert bench.starts(gcode_path) == 1


def test_a_deleted_file_takes_its_record_along(
    bench: Bench, gcode_path: str, tmp_path: Path
) -> None:
    begin(bench, gcode_path, tmp_path, seconds=0.1)
    look = bench.client.look
    assert eventually(lambda: look(gcode_path, start_recorded=True) is Verdict.DONE)
    bench.client.delete(gcode_path)
    bench.client.delete(gcode_path)  # harmless
    assert look(gcode_path, start_recorded=True, again_s=0) is Verdict.AMBIGUOUS


def test_a_wrong_key_is_refused(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    stranger = OctoPrint(bench.url, api_key="not-the-key")
    with pytest.raises(PrinterRefused, match="403"):
        stranger.job()
    with pytest.raises(PrinterRefused, match="400"):
        stranger.start(gcode_path)
    with pytest.raises(PrinterRefused, match="400"):
        stranger.upload(gcode_path, dwells(tmp_path, seconds=0.1), userdata={})
    assert bench.client.file(gcode_path) is None


def test_a_success_reply_proves_nothing(bench: Bench) -> None:
    """Restarting a job when none is selected: 204, and nothing happens."""
    if bench.client.job().path is not None:
        bench.client.disconnect()  # deselects
        bench.client.connect()
        assert eventually(lambda: bench.client.connection() == "Operational")
    assert post(bench, "/api/job", {"command": "start"}) == 204
    assert bench.client.job().idle


@pytest.mark.parametrize(
    ("where", "command", "status"),
    [
        ("/api/job", {"command": "cancel"}, 409),
        ("/api/job", {"command": "pause", "action": "pause"}, 409),
        ("/api/job", {"command": "dance"}, 400),
        ("/api/connection", {"command": "dance"}, 400),
        ("/api/files/local/absent.gcode", {"command": "select", "print": True}, 404),
        ("/api/nothing", {}, 404),
    ],
)
def test_the_stand_in_refuses_as_the_real_one_does(
    bench: Bench, where: str, command: dict[str, object], status: int
) -> None:
    assert post(bench, where, command) == status


@pytest.mark.parametrize(
    ("name", "form", "status"),
    [
        ("a.txt", {}, 415),
        ("../a.gcode", {}, 400),
        ("a.gcode", {"userdata": "{"}, 400),
        (None, {"select": "true"}, 400),
    ],
)
def test_the_stand_in_takes_uploads_as_the_real_one_does(
    bench: Bench, name: str | None, form: dict[str, str], status: int
) -> None:
    files = {"file": (name, b"G90\n")} if name else {"other": ("", b"")}
    answer = requests.post(
        f"{bench.url}/api/files/local",
        files=files,
        data=form,
        headers={"X-Api-Key": bench.api_key},
        timeout=5,
    )
    assert answer.status_code == status


def test_upload_with_print_while_busy_says_201_and_does_nothing(
    bench: Bench, gcode_path: str, tmp_path: Path
) -> None:
    """Why the client never uploads with print."""
    begin(bench, gcode_path, tmp_path, seconds=5)
    name = gcode_path.replace("/", "-")
    answer = requests.post(
        f"{bench.url}/api/files/local",
        files={"file": (name, b"G90\n")},
        data={"print": "true"},
        headers={"X-Api-Key": bench.api_key},
        timeout=5,
    )
    assert (answer.status_code, answer.json()["effectivePrint"]) == (201, False)
    assert bench.starts(name) == 0


def test_the_key_is_in_no_message(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    with pytest.raises(PrinterError) as refused:
        bench.client.start("absent.gcode")
    assert bench.api_key not in str(refused.value)


@pytest.mark.parametrize("left_s", [-1.0, 0.0, ARRIVE_S - 0.01])
def test_a_start_without_time_is_not_obeyed(
    left_s: float, bench: Bench, gcode_path: str, tmp_path: Path
) -> None:
    """The server has its headers by then, and waits for a body that never comes."""
    bench.client.upload(gcode_path, dwells(tmp_path, seconds=0.5), userdata={})
    with pytest.raises(PrinterUnreachable, match="not sent"):
        bench.client.start(gcode_path, left_s=lambda: left_s)
    assert not bench.client.started(gcode_path, limit_s=0.5)
    assert bench.starts(gcode_path) == 0
    bench.client.start(gcode_path, left_s=lambda: ARRIVE_S)
    assert bench.client.started(gcode_path)
    assert bench.starts(gcode_path) == 1
