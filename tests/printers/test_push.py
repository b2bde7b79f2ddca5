"""Hints from OctoPrint's push socket, of the real server and of the stand-in."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printers import push as pushing
from printers.protocol import ReportEvent
from printers.push import EVENTS, MOST_REASONS, Hint, Push, Reasons, hint_from, messages
from router.states import Run
from tests.support.agent_process import config, events, gcode, ready, running, until
from tests.support.hub_stand_in import HubStandIn, hub_served
from tests.support.octoprint_fixtures import Bench, RealBench, StandInBench, dwells


@pytest.fixture(params=["stand_in", pytest.param("real", marks=pytest.mark.octoprint)])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "real":
        return RealBench(request.getfixturevalue("farm"), 0)
    stand_in: Bench = request.getfixturevalue("stand_in")
    return stand_in


class Heard:
    """What a listener heard and said."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self.said: list[str] = []
        self.awoken = 0

    def awake(self) -> None:
        self.awoken += 1

    def kinds(self, path: str) -> list[str]:
        return [each.kind for each in self.hints if each.path == path]


@contextmanager
def listening(url: str, key: str, *, wait: bool = True) -> Iterator[tuple[Heard, Push]]:
    """A listener, once it hears."""
    heard = Heard()
    push = Push(
        url,
        api_key=key,
        hear=heard.hints.append,
        awake=heard.awake,
        say=lambda _, text: heard.said.append(text),
        chance=lambda: 0.0,
        connect_s=1.0,
    )
    push.start()
    try:
        if wait:
            assert push.listening.wait(10)
        yield heard, push
    finally:
        push.close()


def test_hints_of_a_print(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    bench.client.upload(gcode_path, dwells(tmp_path, seconds=0.4), userdata={})
    with listening(bench.url, bench.api_key) as (heard, _):
        time.sleep(0.3)  # until it said who it is
        bench.client.start(gcode_path)
        until(lambda: "PrintDone" in heard.kinds(gcode_path))
    assert heard.kinds(gcode_path) == ["PrintStarted", "PrintDone"]
    assert heard.awoken == 1
    assert bench.api_key not in str(heard.said)


def test_a_cancelled_print_says_so(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    bench.client.upload(gcode_path, dwells(tmp_path, seconds=20), userdata={})
    with listening(bench.url, bench.api_key) as (heard, _):
        time.sleep(0.3)
        bench.client.start(gcode_path)
        # OctoPrint tells a beginning from a thread of its own, which a cancel may overtake.
        until(lambda: "PrintStarted" in heard.kinds(gcode_path))
        bench.client.cancel(gcode_path)
        until(lambda: "PrintFailed" in heard.kinds(gcode_path))
    [failed] = [each for each in heard.hints if each.kind == "PrintFailed"]
    assert failed.reason.startswith("cancelled at the printer")
    assert set(heard.kinds(gcode_path)) == {"PrintStarted", "PrintCancelled", "PrintFailed"}


def test_a_firmware_error_says_which(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    bench.client.upload(gcode_path, dwells(tmp_path, seconds=20), userdata={})
    with listening(bench.url, bench.api_key) as (heard, _):
        time.sleep(0.3)
        bench.client.start(gcode_path)
        assert bench.client.started(gcode_path)
        bench.firmware_error()
        until(lambda: "PrintFailed" in heard.kinds(gcode_path))
    [failed] = [each for each in heard.hints if each.kind == "PrintFailed"]
    assert failed.reason.startswith("the printer's error: ")
    assert len(failed.reason) > len("the printer's error: ")


def test_after_a_power_cut_hints_come_again(
    bench: Bench, gcode_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "MOST_AGAIN_S", 1.0)
    with listening(bench.url, bench.api_key) as (heard, push):
        if isinstance(bench, StandInBench):
            bench.stand_in.socket.forget()
            bench.stand_in.socket.hang_up.set()
            until(lambda: not push.listening.is_set())
            bench.stand_in.socket.hang_up.clear()
        bench.power_cut()
        until(lambda: heard.awoken == 2, limit_s=30)
        time.sleep(0.5)
        until(lambda: bench.client.connection() == "Operational", limit_s=30)
        bench.client.upload(gcode_path, dwells(tmp_path, seconds=0.2), userdata={})
        bench.client.start(gcode_path)
        until(lambda: "PrintDone" in heard.kinds(gcode_path))


def test_a_wrong_key_gets_no_hints_and_no_storm(bench: Bench) -> None:
    with listening(bench.url, "wrong", wait=False) as (heard, push):
        time.sleep(1.2)
        assert not push.listening.is_set()
        assert heard.hints == []
        assert len(heard.said) == 1
        assert heard.said[0].endswith("/api/login: 400")


def test_an_answer_of_the_greatest_length_goes_on_in_the_next(
    stand_in: StandInBench, gcode_path: str, tmp_path: Path
) -> None:
    stand_in.stand_in.socket.limit_bytes = 20_000
    with listening(stand_in.url, stand_in.api_key) as (heard, _):
        until(lambda: stand_in.stand_in.socket.listening == 1)
        for n in range(200):
            stand_in.stand_in.socket.event("PrintStarted", {"path": f"{n}.gcode", "pad": "x" * 300})
        until(lambda: len(heard.hints) == 200)
        assert [each.path for each in heard.hints] == [f"{n}.gcode" for n in range(200)]
    streams = [line for line in stand_in.stand_in.asked if "xhr_streaming" in line]
    assert len(streams) > 3
    assert sum("/api/login" in line for line in stand_in.stand_in.asked) == 1


@pytest.mark.parametrize(
    "frame",
    [
        "a" + "x" * 200_000,
        "anonsense",
        "a[[1,2],null]",
        'a[{"event": 1}]',
        'a[{"event": {"type": "PrintStarted"}}]',
        'c[3000,"Go away!"]',
        'a[{"reauthRequired": {"reason": "stale"}}]',
        "a" + "[" * 5_000,
        "ü",
    ],
)
def test_strange_frames_cost_hints_at_most(
    stand_in: StandInBench, frame: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "FIRST_AGAIN_S", 0.1)
    with listening(stand_in.url, stand_in.api_key) as (heard, _):
        until(lambda: stand_in.stand_in.socket.listening == 1)
        stand_in.stand_in.socket.raw(frame)
        time.sleep(0.2)

        def again() -> bool:
            stand_in.stand_in.socket.event("PrintDone", {"path": "a.gcode"})
            return "PrintDone" in heard.kinds("a.gcode")

        until(again)


def test_a_line_that_says_nothing_is_not_asked_for_in_a_storm(stand_in: StandInBench) -> None:
    with listening(stand_in.url, stand_in.api_key) as (_, push):
        stand_in.stand_in.socket.hang_up.set()
        time.sleep(1.5)
        assert not push.listening.is_set()
    assert len([line for line in stand_in.stand_in.asked if "xhr_streaming" in line]) < 6


said = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=8,
)


@given(st.sampled_from([*EVENTS, "Shutdown"]) | said, said)
def test_hints_of_any_message(kind: object, payload: object) -> None:
    hint = hint_from({"event": {"type": kind, "payload": payload}})
    if hint is not None:
        assert hint.kind in EVENTS
        assert len(hint.path) <= 200
        assert len(hint.reason) < 250
        assert hint.reason.isprintable()


@given(st.text())
def test_messages_of_any_frame(text: str) -> None:
    assert all(isinstance(each, dict) for each in messages("a" + text))


def test_reasons_are_few_and_of_the_newest_try() -> None:
    reasons = Reasons()
    for n in range(100):
        reasons.hear(Hint(kind="PrintFailed", path=f"{n}", reason="cancelled"))
    assert sum(bool(reasons.of(f"{n}")) for n in range(100)) == MOST_REASONS
    reasons.hear(Hint(kind="PrintStarted", path="99"))
    assert reasons.of("99") == ""


# The whole agent, which looks so seldom that only a hint can be the cause.


@pytest.fixture
def hub() -> HubStandIn:
    return HubStandIn("ender")


@pytest.fixture
def address(hub: HubStandIn) -> Iterator[str]:
    with hub_served(hub) as url:
        yield url


SELDOM_S = 60.0


def test_an_end_is_seen_at_once_and_its_cause_is_told(
    bench: Bench, hub: HubStandIn, address: str, tmp_path: Path
) -> None:
    hub.order("ender", gcode(20))
    printers = {"ender": (bench.url, bench.api_key)}
    given = config(address, tmp_path / "agent", printers, look_s=SELDOM_S)
    with running(given) as agent:
        until(lambda: ready(agent))
        run = hub.wait_state(Run.PRINTING)
        bench.client.cancel(run.lease.path)  # by somebody at the machine
        hub.wait_state(Run.FAILED)
    assert events(run)[-1] is ReportEvent.FAILED
    assert "cancelled at the printer" in run.said[-1].evidence


def test_a_print_of_somebody_elses_takes_the_bed_at_once(
    bench: Bench, hub: HubStandIn, address: str, tmp_path: Path, gcode_path: str
) -> None:
    """Even one that is over before anybody can look."""
    bench.client.upload(gcode_path, dwells(tmp_path, seconds=0.05), userdata={})
    printers = {"ender": (bench.url, bench.api_key)}
    given = config(address, tmp_path / "agent", printers, look_s=SELDOM_S)
    with running(given) as agent:
        until(lambda: ready(agent))
        time.sleep(1.0)  # until it listens
        bench.client.start(gcode_path)
        until(lambda: not hub.printers["ender"].clear)


def test_without_hints_nothing_is_lost(
    stand_in: StandInBench, hub: HubStandIn, address: str, tmp_path: Path
) -> None:
    stand_in.stand_in.socket.hang_up.set()
    hub.order("ender", gcode(0.4))
    printers = {"ender": (stand_in.url, stand_in.api_key)}
    with running(config(address, tmp_path / "agent", printers)):
        run = hub.wait_state(Run.PRINTED)
    assert stand_in.starts(run.lease.path) == 1


def test_hints_that_lie_prove_nothing(
    stand_in: StandInBench, hub: HubStandIn, address: str, tmp_path: Path
) -> None:
    hub.order("ender", gcode(1.5))
    printers = {"ender": (stand_in.url, stand_in.api_key)}
    lying = threading.Event()
    with running(config(address, tmp_path / "agent", printers)):
        run = hub.wait_state(Run.PRINTING)
        for kind in ("PrintDone", "PrintFailed", "PrintCancelled", "PrintStarted"):
            stand_in.stand_in.socket.event(kind, {"path": run.lease.path, "reason": "cancelled"})
            lying.wait(0.1)
        assert run.state is Run.PRINTING
        hub.wait_state(Run.PRINTED)
    assert events(run) == [ReportEvent.STARTED, ReportEvent.FINISHED]
