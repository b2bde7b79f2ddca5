"""The stand-in says what a real OctoPrint says: one scripted conversation, answer by answer.

Status, kind of content and the shape of the JSON are compared field by field, for every call and
every row of faults that the client knows. What the stand-in leaves out of an answer the client must
not read; what it says must be there in the real one, and of the same kind.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from printers.octoprint import OctoPrint
from tests.support.octoprint_fixtures import Bench, Farm, RealBench, StandInBench, dwells

pytestmark = pytest.mark.octoprint

LIMIT_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer, as far as it is compared."""

    status: int
    kind: str
    shape: Any


@dataclass
class Talk:
    """One conversation with one server, under a path of its own."""

    bench: Bench
    folder: Path
    path: str
    said: dict[str, Said]

    def call(self, label: str, method: str, url: str, **more: Any) -> requests.Response:
        """Say something, and write down the answer under a name."""
        headers = {"X-Api-Key": self.bench.api_key} | more.pop("headers", {})
        answer = requests.request(
            method, self.bench.url + url, headers=headers, timeout=10, allow_redirects=False, **more
        )
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        try:
            shape = shape_of(answer.json()) if answer.content else None
        except ValueError:
            shape = "not JSON"
        assert label not in self.said, f"two answers are called {label}"
        self.said[label] = Said(status=answer.status_code, kind=kind, shape=shape)
        return answer

    def get(self, label: str, url: str, **more: Any) -> None:
        self.call(label, "GET", url, **more)

    def post(self, label: str, url: str, command: object, **more: Any) -> None:
        self.call(label, "POST", url, json=command, **more)

    def upload(self, label: str, name: str | None, *, seconds: float = 0.3, **form: str) -> None:
        content = dwells(self.folder, seconds=seconds).read_bytes()
        files = {"file": (name, content)} if name else {"other": ("", b"")}
        self.call(label, "POST", "/api/files/local", files=files, data=form)

    def until(self, met: Callable[[Mapping[str, Any]], bool], url: str = "/api/job") -> None:
        """Wait for a state, which the two reach in their own time."""
        end = time.monotonic() + LIMIT_S
        while True:
            key = {"X-Api-Key": self.bench.api_key}
            found = requests.get(self.bench.url + url, headers=key, timeout=10).json()
            if met(found):
                return
            assert time.monotonic() < end, f"it stays at {found}"
            time.sleep(0.03)

    def state(self, *beginnings: str) -> None:
        self.until(lambda job: job["state"].startswith(beginnings))


def shape_of(value: Any) -> Any:
    """What kind of thing stands where; numbers are one kind."""
    if isinstance(value, dict):
        return {name: shape_of(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape_of(each) for each in value]
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else type(value).__name__


def misfits(real: Any, ours: Any, where: str = "") -> Iterator[str]:
    """Where the stand-in says what the real one does not, or something of another kind."""
    if isinstance(ours, dict) and isinstance(real, dict):
        for name, shape in ours.items():
            if name not in real:
                yield f"{where}/{name}: only the stand-in says it"
            else:
                yield from misfits(real[name], shape, f"{where}/{name}")
    elif isinstance(ours, list) and isinstance(real, list):
        for each in ours if real else ():
            # An entry of ours is like one of theirs; in which order they come is left to them.
            yield from min((list(misfits(one, each, f"{where}[]")) for one in real), key=len)
    elif ours != real:
        yield f"{where}: {ours} instead of {real}"


def read_by_client(shape: Any) -> list[str]:
    """The fields of answers that the client reads, which the stand-in may not leave out."""
    wanted = {
        "job": ["state", "job/file/path", "job/file/origin", *PROGRESS],
        "file": ["path", "hash", "size", "type"],
        "prints": ["success", "failure", "last"],
        "printer": ["state/flags", "temperature"],
        "history": ["time", "tool0/actual"],
        "login": ["name", "session"],
        "files": ["files"],
    }
    return wanted[shape]


PROGRESS = [f"progress/{name}" for name in ("completion", "filepos", "printTime", "printTimeLeft")]


def has(shape: Any, field: str) -> bool:
    for name in field.split("/"):
        if not isinstance(shape, dict) or name not in shape:
            return False
        shape = shape[name]
    return True


# The conversation.


def strangers(talk: Talk) -> None:
    """Who has no key, a wrong one, or speaks another language."""
    for label, key in (("no key", ""), ("wrong key", "wrong")):
        headers = {"X-Api-Key": key}
        talk.get(f"{label}: job", "/api/job", headers=headers)
        talk.get(f"{label}: version", "/api/version", headers=headers)
        talk.post(f"{label}: cancel", "/api/job", {"command": "cancel"}, headers=headers)
        talk.post(f"{label}: login", "/api/login", {"passive": True}, headers=headers)
    plain = {"Content-Type": "text/plain"}
    talk.call("no JSON", "POST", "/api/job", data="cancel", headers=plain)
    json_type = {"Content-Type": "application/json"}
    talk.call("broken JSON", "POST", "/api/job", data="{", headers=json_type)
    talk.post("unknown job command", "/api/job", {"command": "dance"})
    talk.post("unknown connection command", "/api/connection", {"command": "dance"})
    talk.get("unknown address", "/api/nothing")
    talk.post("unknown address, POST", "/api/nothing", {})


def idle(talk: Talk) -> None:
    """A free printer, and files."""
    path, folder = talk.path, talk.path.rpartition("/")[0]
    talk.get("version", "/api/version")
    talk.get("connection", "/api/connection")
    talk.until(lambda said: "tool0" in said["temperature"], "/api/printer")
    talk.get("printer", "/api/printer")
    talk.until(lambda said: len(said["temperature"]["history"]) > 1, "/api/printer?history=true")
    talk.get("history", "/api/printer?history=true&limit=5")
    talk.post("login", "/api/login", {"passive": True})
    talk.get("file in no folder", f"/api/files/local/{path}")
    talk.get("no file", "/api/files/local/absent.gcode")
    talk.upload("upload", path.rpartition("/")[2], path=folder, userdata='{"run": "1"}')
    talk.get("file, never printed", f"/api/files/local/{path}")
    talk.get("folder", f"/api/files/local/{folder}")
    talk.get("no file in a folder", f"/api/files/local/{folder}/absent.gcode")
    talk.get("files", "/api/files/local?recursive=true")
    name = path.rpartition("/")[2]
    talk.upload("upload over a file", name, path=folder, noOverwrite="true")
    talk.upload("upload of another kind", "a.txt")
    talk.upload("upload out of the folder", "../a.gcode")
    talk.upload("upload with bad userdata", "a.gcode", userdata="{")
    talk.upload("upload without a file", None, select="true")
    talk.post("cancel when idle", "/api/job", {"command": "cancel"})
    talk.post("pause when idle", "/api/job", {"command": "pause", "action": "pause"})
    talk.post("select nothing", "/api/files/local/absent.gcode", {"command": "select"})
    talk.call("delete nothing", "DELETE", "/api/files/local/absent.gcode")
    talk.post("connect when connected", "/api/connection", {"command": "connect"})
    talk.post("unknown file command", f"/api/files/local/{path}", {"command": "dance"})


def printing(talk: Talk) -> None:
    """A print of ours from its start to a cancel."""
    path, name = talk.path.replace(".gcode", "-long.gcode"), talk.path.rpartition("/")[2]
    folder = path.rpartition("/")[0]
    talk.upload("upload of a long print", path.rpartition("/")[2], seconds=25, path=folder)
    talk.post("start", f"/api/files/local/{path}", {"command": "select", "print": True})
    talk.until(lambda job: job["state"] == "Printing" and (job["progress"]["filepos"] or 0) > 0)
    talk.get("job while printing", "/api/job")
    talk.get("printer while printing", "/api/printer")
    talk.get("connection while printing", "/api/connection")
    talk.get("file, first print", f"/api/files/local/{path}")
    select = {"command": "select", "print": True}
    talk.post("start while printing", f"/api/files/local/{path}", select)
    talk.post("start another while printing", f"/api/files/local/{talk.path}", select)
    talk.post("job start while printing", "/api/job", {"command": "start"})
    talk.post("restart while printing", "/api/job", {"command": "restart"})
    talk.call("delete while printing", "DELETE", f"/api/files/local/{path}")
    talk.upload("upload over the print", path.rpartition("/")[2], path=folder)
    talk.upload("upload with print while printing", f"other-{name}", path=folder, print="true")
    talk.post("connect while printing", "/api/connection", {"command": "connect"})
    talk.post("pause", "/api/job", {"command": "pause", "action": "pause"})
    talk.state("Paused")
    talk.get("job while paused", "/api/job")
    talk.get("printer while paused", "/api/printer")
    talk.post("pause when paused", "/api/job", {"command": "pause", "action": "pause"})
    talk.post("start while paused", "/api/job", {"command": "start"})
    talk.post("resume", "/api/job", {"command": "pause", "action": "resume"})
    talk.state("Printing")
    talk.post("cancel", "/api/job", {"command": "cancel"})
    talk.state("Operational")
    talk.until(lambda file: "prints" in file, f"/api/files/local/{path}")
    talk.get("file after a cancel", f"/api/files/local/{path}")
    talk.get("job after a cancel", "/api/job")


def done(talk: Talk) -> None:
    """A print that succeeds."""
    select = {"command": "select", "print": True}
    talk.post("start of a short print", f"/api/files/local/{talk.path}", select)
    talk.until(lambda file: "prints" in file, f"/api/files/local/{talk.path}")
    talk.state("Operational")
    talk.get("file after a success", f"/api/files/local/{talk.path}")
    talk.get("job after a success", "/api/job")
    talk.get("files after prints", "/api/files/local?recursive=true")


def broken(talk: Talk) -> None:
    """The firmware gives up in mid-print; then nothing is connected."""
    path = talk.path.replace(".gcode", "-broken.gcode")
    folder = path.rpartition("/")[0]
    talk.upload("upload before the error", path.rpartition("/")[2], seconds=25, path=folder)
    select = {"command": "select", "print": True}
    talk.post("start before the error", f"/api/files/local/{path}", select)
    talk.until(lambda job: job["state"] == "Printing" and (job["progress"]["filepos"] or 0) > 0)
    talk.bench.firmware_error()
    talk.state("Offline after error")
    talk.until(lambda file: "prints" in file, f"/api/files/local/{path}")
    talk.get("job after an error", "/api/job")
    talk.get("connection after an error", "/api/connection")
    talk.get("printer after an error", "/api/printer")
    talk.get("file after an error", f"/api/files/local/{path}")
    talk.post("select after an error", f"/api/files/local/{path}", select)
    talk.post("cancel after an error", "/api/job", {"command": "cancel"})
    talk.upload("upload with print after an error", "late.gcode", path=folder, print="true")
    talk.post("connect after an error", "/api/connection", {"command": "connect"})
    talk.state("Operational")
    talk.get("job after connecting", "/api/job")
    talk.post("disconnect", "/api/connection", {"command": "disconnect"})
    talk.state("Offline")
    talk.get("job when offline", "/api/job")
    talk.get("printer when offline", "/api/printer")
    talk.post("select when offline", f"/api/files/local/{path}", select)
    talk.post("start when offline", "/api/job", {"command": "start"})
    talk.post("connect", "/api/connection", {"command": "connect"})
    talk.state("Operational")
    talk.post("start of nothing", "/api/job", {"command": "start"})
    talk.call("delete", "DELETE", f"/api/files/local/{path}")
    talk.get("file when deleted", f"/api/files/local/{path}")


def conversation(bench: Bench, folder: Path, path: str) -> dict[str, Said]:
    """Everything that is said, in order."""
    talk = Talk(bench=bench, folder=folder, path=path, said={})
    for part in (strangers, idle, printing, done, broken):
        part(talk)
    return talk.said


@pytest.fixture(scope="module")
def both(
    farm: Farm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, Said], dict[str, Said]]]:
    """The conversation with a real server, and with the stand-in."""
    from tests.support.octoprint_stand_in import StandIn, served

    path = f"drift/{tmp_path_factory.mktemp('talk').name}-{time.time_ns()}/one.gcode"
    real = conversation(RealBench(farm, 0), tmp_path_factory.mktemp("real"), path)
    memory = StandIn()
    memory.warm = [(time.time() - n, 21.0) for n in range(9, 0, -1)]
    with served(memory) as url:
        ours = conversation(StandInBench(url, memory), tmp_path_factory.mktemp("ours"), path)
    yield real, ours


def test_each_answer_has_the_status_of_the_real_one(
    both: tuple[dict[str, Said], dict[str, Said]],
) -> None:
    real, ours = both
    assert list(real) == list(ours)
    assert len(real) > 80
    wrong = {
        label: f"{ours[label].status} instead of {said.status}"
        for label, said in real.items()
        if ours[label].status != said.status
    }
    assert wrong == {}


def test_each_answer_has_the_shape_of_the_real_one(
    both: tuple[dict[str, Said], dict[str, Said]],
) -> None:
    real, ours = both
    wrong = [
        f"{label}{misfit}"
        for label, said in real.items()
        if said.shape != "not JSON"
        for misfit in misfits(said.shape, ours[label].shape)
    ]
    assert wrong == [], "\n".join(wrong)


def test_what_the_client_reads_is_in_both(
    both: tuple[dict[str, Said], dict[str, Said]],
) -> None:
    looked = 0
    for said in both:
        for label, answer in said.items():
            kind = label.split(" ")[0].rstrip(",")
            if answer.status != 200 or kind not in ("job", "file", "printer", "login", "files"):
                continue
            looked += 1
            missing = [each for each in read_by_client(kind) if not has(answer.shape, each)]
            assert missing == [], label
            if "prints" in answer.shape:
                prints = read_by_client("prints")
                assert all(has(answer.shape["prints"], each) for each in prints), label
        samples = said["history"].shape["temperature"]["history"]
        assert all("time" in sample for sample in samples)
        # The real one keeps samples without a heater too, of the moment when it connected.
        heated = [sample for sample in samples if set(sample) - {"time"}]
        assert heated
        assert all(has(sample, each) for sample in heated for each in read_by_client("history"))
    assert looked > 20


def test_a_drift_is_found() -> None:
    """The comparison itself: what is said alone, of another kind, or within a list."""
    real = shape_of({"a": {"b": 1, "c": "x"}, "d": [{"e": True}], "f": None})
    assert list(misfits(real, shape_of({"a": {"b": 2.5}, "d": [{"e": False}]}))) == []
    assert list(misfits(real, shape_of({"a": {"x": 1}}))) == ["/a/x: only the stand-in says it"]
    assert list(misfits(real, shape_of({"a": {"b": "1"}}))) == ["/a/b: str instead of number"]
    assert list(misfits(real, shape_of({"d": [{"e": 1}]}))) == ["/d[]/e: number instead of bool"]
    assert list(misfits(real, shape_of({"f": 1}))) == ["/f: number instead of NoneType"]
    assert has(real, "a/b")
    assert not has(real, "a/x")


# The push socket.


def frames(bench: Bench, client: OctoPrint, path: str) -> list[tuple[str, Any]]:
    """What one listener is told of a start and a cancel, from the first byte on: (kind, shape)."""
    login = requests.post(
        f"{bench.url}/api/login",
        json={"passive": True},
        headers={"X-Api-Key": bench.api_key},
        timeout=5,
    ).json()
    session = f"{bench.url}/sockjs/007/{time.time_ns():x}"
    heard: queue.Queue[str] = queue.Queue()
    ended = threading.Event()

    def listen() -> None:
        with (
            suppress(requests.RequestException),  # the stand-in hangs up when the test is over
            requests.post(f"{session}/xhr_streaming", stream=True, timeout=(3, 20)) as answer,
        ):
            heard.put(answer.headers["Content-Type"])
            for line in answer.iter_lines(chunk_size=1):
                heard.put(line.decode())
                if ended.is_set():
                    return

    def say(*messages: object) -> int:
        body = json.dumps([json.dumps(each) for each in messages])
        return requests.post(f"{session}/xhr_send", data=body, timeout=5).status_code

    unknown = requests.post(f"{session}-x/xhr_send", data="[]", timeout=5).status_code
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    found: list[tuple[str, Any]] = [("unknown session", unknown), ("type", heard.get(timeout=5))]
    prelude, opened, greeting = (heard.get(timeout=5) for _ in range(3))
    found += [("prelude", (set(prelude), len(prelude))), ("open", opened)]
    [message] = json.loads(greeting[1:])
    found.append(("greeting", list(message)))
    found.append(("garbage", requests.post(f"{session}/xhr_send", data="{", timeout=5).status_code))
    events = ["PrintStarted", "PrintCancelled", "PrintFailed"]
    found.append(("subscribe", say({"subscribe": {"state": False, "events": events}})))
    found.append(("auth", say({"auth": f"{login['name']}:{login['session']}"})))
    time.sleep(0.5)
    client.start(path)
    assert client.started(path)
    time.sleep(0.3)
    client.cancel(path)
    while True:
        line = heard.get(timeout=LIMIT_S)
        assert line[0] in "ah"
        for message in json.loads(line[1:]) if line[0] == "a" else []:
            if "event" in message:
                kind = message["event"]["type"]
                found.append((kind, shape_of(message["event"])))
                if kind == "PrintFailed":
                    found.append(("reason", message["event"]["payload"]["reason"]))
                    ended.set()
                    return found


def test_the_socket_says_what_the_real_one_says(
    farm: Farm, stand_in: StandInBench, gcode_path: str, tmp_path: Path
) -> None:
    heard = []
    for bench in (RealBench(farm, 0), stand_in):
        bench.client.upload(gcode_path, dwells(tmp_path, seconds=20), userdata={})
        heard.append(frames(bench, bench.client, gcode_path))
    real, ours = heard
    assert [kind for kind, _ in real] == [kind for kind, _ in ours]
    for (kind, theirs), (_, shape) in zip(real, ours, strict=True):
        if isinstance(theirs, dict):
            assert list(misfits(theirs, shape)) == [], kind
        else:
            assert theirs == shape, kind


def test_a_wrong_session_word_is_told_so(farm: Farm, stand_in: StandInBench) -> None:
    for bench in (RealBench(farm, 0), stand_in):
        session = f"{bench.url}/sockjs/007/{time.time_ns():x}"
        with requests.post(f"{session}/xhr_streaming", stream=True, timeout=(3, 10)) as answer:
            body = json.dumps([json.dumps({"auth": "somebody:else"})])
            assert requests.post(f"{session}/xhr_send", data=body, timeout=5).status_code == 204
            for line in answer.iter_lines(chunk_size=1):
                if b"reauthRequired" in line:
                    break
            else:
                pytest.fail("it never asked to log in again")
