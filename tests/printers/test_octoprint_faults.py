"""What the client makes of faults: did it happen, may it be repeated? On the stand-in alone."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from basis.errors import Invalid
from printers import in_time
from printers.octoprint import (
    OctoPrint,
    PrinterBooting,
    PrinterBusy,
    PrinterRefused,
    PrinterSilent,
    PrinterUnreachable,
    Verdict,
)
from printers.octoprint_http import PIECE_BYTES, Form, meaning
from tests.support.octoprint_fixtures import StandInBench, dwells
from tests.support.octoprint_stand_in import KEY, Fault

START = "POST /api/files/local/"


def put(bench: StandInBench, path: str, folder: Path, *, seconds: float = 5) -> None:
    bench.client.upload(path, dwells(folder, seconds=seconds), userdata={})


def hasty(bench: StandInBench) -> OctoPrint:
    """A client that waits for no answer longer than 0.2 s."""
    return OctoPrint(bench.url, api_key=KEY, read_s=0.2, upload_s=0.2)


@contextmanager
def raw(answer: bytes) -> Iterator[str]:
    """A server that reads a request and answers these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                line.recv(65536)
                line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_nobody_listens_is_unreachable() -> None:
    with socket.socket() as held:  # bound, so that it is nobody else's, but not listening
        held.bind(("127.0.0.1", 0))
        client = OctoPrint(f"http://127.0.0.1:{held.getsockname()[1]}", api_key=KEY)
        for call in (client.job, lambda: client.start("a.gcode")):
            with pytest.raises(PrinterUnreachable, match="refused"):
                call()


def test_an_unreachable_printer_does_not_colour_the_next_failure(
    stand_in: StandInBench, gcode_path: str, tmp_path: Path
) -> None:
    """A start that is sent while an older failure is being handled may still have happened."""
    put(stand_in, gcode_path, tmp_path)
    stand_in.stand_in.faults.append(Fault(on=START, reply="lost"))
    try:
        test = OctoPrint("http://127.0.0.1:1", api_key=KEY)
        test.job()
    except PrinterUnreachable:
        with pytest.raises(PrinterSilent):
            stand_in.client.start(gcode_path)


@pytest.mark.parametrize("acts", [True, False])
def test_a_lost_reply_to_start_is_silent_and_looking_tells(
    stand_in: StandInBench, gcode_path: str, tmp_path: Path, acts: bool
) -> None:
    put(stand_in, gcode_path, tmp_path)
    stand_in.stand_in.faults.append(Fault(on=START, acts=acts, reply="lost"))
    with pytest.raises(PrinterSilent):
        stand_in.client.start(gcode_path)
    assert stand_in.starts(gcode_path) == int(acts)
    assert stand_in.client.started(gcode_path, limit_s=0.2) is acts
    seen = stand_in.client.look(gcode_path, start_recorded=True, again_s=0)
    assert seen is (Verdict.RUNNING if acts else Verdict.AMBIGUOUS)


@pytest.mark.parametrize("reply", ["lost", "garbage"])
def test_a_lost_reply_to_an_upload_is_silent_and_the_file_tells(
    stand_in: StandInBench, gcode_path: str, tmp_path: Path, reply: str
) -> None:
    kind = Fault(on="POST /api/files/local", reply="lost" if reply == "lost" else "garbage")
    stand_in.stand_in.faults.append(kind)
    with pytest.raises(PrinterSilent):
        put(stand_in, gcode_path, tmp_path)
    assert stand_in.client.file(gcode_path) is not None


def test_no_request_is_ever_sent_twice(
    stand_in: StandInBench, gcode_path: str, tmp_path: Path
) -> None:
    put(stand_in, gcode_path, tmp_path)
    stand_in.stand_in.faults += [Fault(on=START, reply="lost"), Fault(on=START, acts=False)]
    for _ in range(2):
        with pytest.raises(PrinterSilent):
            stand_in.client.start(gcode_path)
    sent = [line for line in stand_in.stand_in.asked if line.startswith(START)]
    assert len(sent) == 2


def test_no_answer_in_time_is_silent(
    stand_in: StandInBench, gcode_path: str, tmp_path: Path
) -> None:
    put(stand_in, gcode_path, tmp_path)
    stand_in.stand_in.faults += [
        Fault(on=START, delay_s=5),
        Fault(on="GET /api/job", delay_s=5),
        Fault(on="POST /api/files/local", delay_s=5),
    ]
    client, began = hasty(stand_in), time.monotonic()
    with pytest.raises(PrinterSilent):
        client.start(gcode_path)
    with pytest.raises(PrinterSilent):
        client.job()
    with pytest.raises(PrinterSilent):
        client.upload("other.gcode", dwells(tmp_path, seconds=0.1), userdata={})
    assert time.monotonic() - began < 3
    assert stand_in.starts(gcode_path) == 1


def test_a_late_answer_is_an_answer(stand_in: StandInBench) -> None:
    stand_in.stand_in.faults.append(Fault(on="GET /api/job", delay_s=0.3))
    assert stand_in.client.job().idle


@pytest.mark.parametrize("reply", ["dripping", "endless"])
def test_an_answer_without_end_ends(stand_in: StandInBench, reply: str) -> None:
    """Each byte begins the time-out of the library anew."""
    kind = Fault(on="GET /api/job", reply="dripping" if reply == "dripping" else "endless")
    stand_in.stand_in.faults.append(kind)
    began = time.monotonic()
    with pytest.raises(PrinterSilent):
        hasty(stand_in).job()
    assert time.monotonic() - began < 3


def test_a_torn_answer_is_silent(stand_in: StandInBench) -> None:
    stand_in.stand_in.faults.append(Fault(on="GET /api/job", reply="torn"))
    with pytest.raises(PrinterSilent):
        stand_in.client.job()


def test_while_it_boots_nothing_happens_and_nothing_is_missing(
    stand_in: StandInBench, gcode_path: str, tmp_path: Path
) -> None:
    """A booting server says "not found" to everything; that is not a file that is not there."""
    put(stand_in, gcode_path, tmp_path)
    stand_in.stand_in.booting = True
    client = stand_in.client
    calls: list[Callable[[], object]] = [
        client.version,
        client.job,
        client.printer,
        lambda: client.file(gcode_path),
        lambda: client.file("absent.gcode"),
        lambda: client.look(gcode_path, start_recorded=True),
        lambda: client.start(gcode_path),
        lambda: client.delete(gcode_path),
        lambda: client.cancel(gcode_path),
        lambda: put(stand_in, "late.gcode", tmp_path),
    ]
    for call in calls:
        with pytest.raises(PrinterBooting):
            call()
    stand_in.stand_in.booting = False
    assert client.file(gcode_path) is not None
    assert stand_in.starts(gcode_path) == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"Not found",
        b"HTTP/1.0 404 Not Found\r\n\r\n<html>",
        b"HTTP/1.0 503 Service Unavailable\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n<html>Starting",
        b"HTTP/1.0 200 OK\r\n\r\n[]",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
        b'HTTP/1.0 200 OK\r\n\r\n{"state": NaN}',
        b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.0 200 OK\r\n\r\n\xff\xfe",
    ],
)
def test_what_is_not_octoprints_answer_is_booting(answer: bytes) -> None:
    with raw(answer) as url, pytest.raises(PrinterBooting):
        OctoPrint(url, api_key=KEY).job()


def test_a_redirect_is_not_followed() -> None:
    elsewhere = b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"
    with raw(elsewhere) as url, pytest.raises(PrinterRefused, match="302"):
        OctoPrint(url, api_key=KEY).start("a.gcode")


def test_a_chunked_answer_is_read() -> None:
    chunks = b'12\r\n{"server": "1.11.8\r\n2\r\n"}\r\n0\r\n\r\n'
    with raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks) as url:
        assert OctoPrint(url, api_key=KEY).version() == "1.11.8"


def test_a_message_holds_no_control_characters() -> None:
    with raw(b"HTTP/1.0 403 No\r\n\r\n\x1b[2Jgone\x07\r\nnext") as url:
        with pytest.raises(PrinterRefused) as refused:
            OctoPrint(url, api_key=KEY).job()
        assert str(refused.value).isprintable()


def test_a_proxy_of_the_environment_is_not_used(
    stand_in: StandInBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    assert OctoPrint(stand_in.url, api_key=KEY).version() == "1.11.8"


def test_a_renamed_upload_is_refused(tmp_path: Path) -> None:
    stored = b'{"files": {"local": {"path": "other.gcode"}}}'
    file = dwells(tmp_path, seconds=0.1)
    with (
        raw(b"HTTP/1.0 201 Created\r\n\r\n" + stored) as url,
        pytest.raises(PrinterRefused, match=r"other\.gcode"),
    ):
        OctoPrint(url, api_key=KEY).upload("mine.gcode", file, userdata={})


def test_a_silent_firmware_shows_in_filepos_only(
    stand_in: StandInBench, gcode_path: str, tmp_path: Path
) -> None:
    put(stand_in, gcode_path, tmp_path, seconds=0.3)
    stand_in.client.start(gcode_path)
    stand_in.stand_in.silent = True
    before = stand_in.client.job()
    time.sleep(0.4)
    after = stand_in.client.job()
    assert (before.state, before.filepos) == (after.state, after.filepos)
    stand_in.client.cancel(gcode_path)
    assert stand_in.client.job().state == "Cancelling"
    assert stand_in.client.look(gcode_path, start_recorded=True) is Verdict.RUNNING
    stand_in.client.disconnect()  # what frees it
    stand_in.client.connect()
    assert stand_in.client.look(gcode_path, start_recorded=True) is Verdict.FAILED


def test_a_person_was_faster(stand_in: StandInBench, gcode_path: str, tmp_path: Path) -> None:
    put(stand_in, gcode_path, tmp_path)
    stand_in.stand_in.local_print("vase.gcode", b"G4 P5000\n")
    with pytest.raises(PrinterBusy):
        stand_in.client.start(gcode_path)
    assert stand_in.client.started(gcode_path, limit_s=0.1) is False
    assert stand_in.client.job().path == "vase.gcode"


@pytest.mark.parametrize(
    "path",
    ["../a.gcode", "a//b.gcode", "/a.gcode", "a b.gcode", "a&b.gcode", "ü.gcode", "", ".a", "a/.."],
)
def test_a_path_that_would_be_rewritten_is_not_sent(
    stand_in: StandInBench, path: str, tmp_path: Path
) -> None:
    with pytest.raises(Invalid):
        put(stand_in, path, tmp_path)
    assert stand_in.stand_in.asked == []


@pytest.mark.parametrize(
    "url",
    ["", "printer", "ftp://printer", "http://", "http://user:secret@printer", "http://p:99999"],
)
def test_an_address_that_cannot_work_is_refused_at_once(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        OctoPrint(url, api_key=KEY)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX: y", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_refused_at_once(key: str) -> None:
    with pytest.raises(Invalid):
        OctoPrint("http://127.0.0.1", api_key=key)


def test_every_status_has_a_meaning() -> None:
    for status in [*range(300, 400), *range(400, 500)]:
        assert meaning("start", status) in (PrinterBusy, PrinterRefused) or issubclass(
            meaning("start", status), PrinterBooting
        )
    assert issubclass(meaning("start", 500), PrinterSilent)
    assert meaning("start", 502) is PrinterSilent
    assert meaning("start", 504) is PrinterSilent


def test_an_upload_is_read_piece_by_piece(tmp_path: Path) -> None:
    file = tmp_path / "big.gcode"
    file.write_bytes(b"G1 X1\n" * 100_000)
    with file.open("rb") as source:
        form = Form({"a": "1"}, name="big.gcode", source=source, until_s=time.monotonic() + 9)
        pieces = list(form)
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert sum(map(len, pieces)) == len(form)
    assert file.read_bytes() in b"".join(pieces)


def test_a_file_that_shrinks_while_it_is_sent_is_not_sent(
    stand_in: StandInBench, tmp_path: Path
) -> None:
    file = tmp_path / "shrinks.gcode"
    file.write_bytes(b"G1 X1\n" * 100_000)
    with file.open("rb") as source:
        form = Form({}, name="a.gcode", source=source, until_s=time.monotonic() + 9)
        file.write_bytes(b"G90\n")
        with pytest.raises(Invalid, match="shorter"):
            list(form)


def test_a_start_that_is_not_answered_leaves_nothing_on_the_way(
    gcode_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the printer's machine has not taken must not arrive minutes later, by the kernel's own
    patience: closing throws it away, which the other end sees as a reset."""
    monkeypatch.setattr(in_time, "ARRIVE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(PrinterSilent):
            OctoPrint(url, api_key=KEY, read_s=0.3).start(gcode_path)
        line, _ = listener.accept()
        with line, pytest.raises(ConnectionResetError):
            while line.recv(65536):
                pass
