"""What the chaos experiment does its damage with does that damage, and no other."""

import http.client
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from designhub.chaos import proxy
from designhub.chaos.marks import Desk
from designhub.chaos.proxy import Fate, Relay, Weather
from designhub.chaos.surroundings import Clock


class Counting(ThreadingHTTPServer):
    """Answers every POST with its body, and remembers it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.got: list[bytes] = []


class Echo(BaseHTTPRequestHandler):
    server: Counting

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def behind() -> Iterator[Counting]:
    server = Counting()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@contextmanager
def through(behind: Counting, fate: Fate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """A way to it on which this happens to every request."""
    only: Mapping[Fate, int] = {each: int(each is fate) for each in Fate}
    monkeypatch.setattr(proxy, "ROUGH", only)
    monkeypatch.setattr(proxy, "LONG_S", (0.2, 0.2))
    url = f"http://127.0.0.1:{behind.server_address[1]}"
    relay = Relay(url, Weather(rough=True), chance=random.Random(1), replays=True)
    try:
        yield relay
    finally:
        relay.shutdown()
        relay.server_close()


def say(relay: Relay, body: bytes) -> bytes:
    line = http.client.HTTPConnection("127.0.0.1", relay.server_address[1], timeout=10)
    with closing(line):
        line.request("POST", "/said", body=body, headers={"Connection": "close"})
        with line.getresponse() as answer:
            return answer.read()


@pytest.mark.parametrize(
    ("fate", "arrives", "is_answered"),
    [
        (Fate.FINE, 1, True),
        (Fate.LATE, 1, True),
        (Fate.CUT_BEFORE, 0, False),
        (Fate.CUT_BETWEEN, 1, False),
        (Fate.CUT_WITHIN, 1, False),
        (Fate.ANSWERED_TWICE, 1, True),
        (Fate.SENT_TWICE, 2, True),
    ],
)
def test_each_kind_of_weather_does_what_it_says(
    fate: Fate,
    arrives: int,
    is_answered: bool,
    behind: Counting,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = time.monotonic()
    with through(behind, fate, monkeypatch) as relay:
        if is_answered:
            assert say(relay, b"x" * 400) == b"x" * 400
        else:
            with pytest.raises((http.client.HTTPException, OSError)):
                say(relay, b"x" * 400)
    assert behind.got == [b"x" * 400] * arrives
    assert fate is not Fate.LATE or time.monotonic() - began > 0.2
    assert sum(relay.weather.seen.values()) == (fate is not Fate.FINE)


def test_an_old_request_comes_again_before_a_new_one(
    behind: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with through(behind, Fate.SENT_AGAIN, monkeypatch) as relay:
        say(relay, b"old")
        assert say(relay, b"new") == b"new"
    assert behind.got == [b"old", b"old", b"new"]


def test_in_calm_weather_nothing_happens(behind: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    with through(behind, Fate.CUT_BEFORE, monkeypatch) as relay:
        relay.weather.rough = False
        assert say(relay, b"fine") == b"fine"


HANDS = """
import sys, pathlib, time
from designhub.chaos.marks import Desk
desk = Desk(pathlib.Path(sys.argv[1]))
desk.at("one", "quiet")
print("passed", flush=True)
time.sleep(float(sys.argv[2]))
desk.at("one", "deadly")
print("lived", flush=True)
"""


def test_an_order_kills_at_its_line_and_nowhere_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    argv = [sys.executable, "-c", HANDS, str(tmp_path)]
    with subprocess.Popen([*argv, "60"], start_new_session=True) as other:
        desk.runs_as("two", other.pid)
        with subprocess.Popen(
            [*argv, "1"], start_new_session=True, stdout=subprocess.PIPE, text=True
        ) as one:
            desk.runs_as("one", one.pid)
            desk.order("one", "deadly", ["one", "two"])
            said, _ = one.communicate(timeout=30)
        assert other.wait(timeout=30) == -9
    assert one.returncode == -9
    assert said == "passed\n"
    assert not desk.waiting("one", "deadly")
    assert [(each["killed"], each["at"]) for each in desk.said()] == [
        ("two", "deadly"),
        ("one", "deadly"),
    ]


def test_only_what_was_started_here_is_killed(tmp_path: Path) -> None:
    """The number of a process that ended may belong to anybody."""
    desk = Desk(tmp_path)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        desk.runs_as("one", stranger.pid)
        assert not desk.kill("one", at="a moment")
        assert stranger.poll() is None
        stranger.kill()


def test_a_clock_can_be_turned_while_a_program_runs(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    assert clock.faketime is not None, "install Debian's faketime"
    script = "import time, threading; wait = threading.Event().wait\n"
    script += "while not wait(0.2): print(time.time(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={"PATH": "/usr/bin", **clock.environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        seen = [float(program.stdout.readline())]
        clock.turn(5)
        until = time.monotonic() + 20
        while abs(seen[-1] - time.time()) < 3_600 and time.monotonic() < until:
            seen.append(float(program.stdout.readline()))
        program.kill()
    assert abs(seen[0] - time.time()) < 60
    assert seen[-1] - time.time() == pytest.approx(5 * 3_600, abs=60)
