"""The agent between a hub that can fail and a real OctoPrint; starts are counted by the printer."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from basis.errors import Conflict
from printers import sight, steps
from printers.agent import MARKS, Agent, awake_s
from printers.octoprint import OctoPrint
from printers.protocol import ReportEvent
from router.states import Run
from tests.support.agent_process import (
    agent_process,
    config,
    events,
    gcode,
    ready,
    running,
    text,
    until,
)
from tests.support.hub_stand_in import Fault, HubStandIn, hub_served
from tests.support.octoprint_fixtures import Farm

pytestmark = pytest.mark.octoprint

ENDED = (Run.PRINTED, Run.FAILED, Run.RELEASED, Run.UNKNOWN)


@pytest.fixture
def hub() -> HubStandIn:
    return HubStandIn("ender")


@pytest.fixture
def address(hub: HubStandIn) -> Iterator[str]:
    with hub_served(hub) as url:
        yield url


@pytest.fixture(autouse=True)
def _quick_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "PROOF_S", 1.5)


@pytest.fixture
def printers(farm: Farm) -> dict[str, tuple[str, str]]:
    """The first server of the farm, free."""
    instance = farm.fresh(0)
    return {"ender": (instance.url, instance.api_key)}


def test_a_run_from_lease_to_the_end(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    seen: list[str] = []
    hub.order("ender", gcode(1.5))
    with running(config(address, tmp_path / "agent", printers), at=seen.append) as agent:
        run = hub.wait_state(Run.PRINTING)
        until(lambda: agent.snapshot().printers[0].progress_ppm > 0)
        assert agent.snapshot().printers[0].title == "cube 1.0"
        hub.wait_state(Run.PRINTED)
        until(lambda: "after_report" in seen)
        until(lambda: ready(agent))
    assert list(dict.fromkeys(seen)) == list(MARKS)
    assert events(run) == [ReportEvent.STARTED, ReportEvent.FINISHED]
    assert run.said[-1].print_s in (1, 2)
    assert run.said[-1].progress_ppm == 1_000_000
    assert farm.prints(0, run.lease.path) == 1
    assert not hub.printers["ender"].clear
    file = OctoPrint(printers["ender"][0], api_key=printers["ender"][1]).file(run.lease.path)
    assert file is not None
    assert file.userdata["run"] == str(run.lease.run)
    assert list((tmp_path / "agent" / "gcode").iterdir()) == []


def test_heat_and_layer_reach_the_hub(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The layer by the bytes that OctoPrint sent, the heaters as its virtual printer has them."""
    monkeypatch.setattr(sight, "HEAT_S", 0.3)
    moves = b"G1 X10 E.02\nG1 X20 E.02\n" * 40
    layers = [b"\n;LAYER_CHANGE\n;Z:%.1f\n" % (0.2 * n) + moves for n in range(1, 6)]
    hub.order("ender", gcode(8.0) + b"".join(layers))
    with running(config(address, tmp_path / "agent", printers)) as agent:
        run = hub.wait_state(Run.PRINTING)
        # OctoPrint asks the printer for its heat every few seconds.
        until(lambda: run.beat is not None and run.beat.nozzle_c is not None)
        until(lambda: run.beat is not None and (run.beat.layer or 0) >= 2)
        beat = run.beat
        assert beat is not None and beat.layer is not None
        assert (beat.layers, beat.z_um) == (5, beat.layer * 200)
        assert beat.nozzle_c is not None and 0 < beat.nozzle_c < 400
        assert beat.bed_c is not None and beat.bed_target_c == 0
        assert agent.snapshot().printers[0].readings.layers == 5
        hub.wait_state(Run.PRINTED)


@pytest.mark.parametrize("mark", MARKS)
def test_killed_at_any_line_it_starts_at_most_once_and_forgets_nothing(
    mark: str,
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    hub.order("ender", gcode(0.6))
    folder = tmp_path / "agent"
    with agent_process(hub=address, folder=folder, printers=printers, at=mark) as process:
        assert process.wait(20) == -9
    with running(config(address, folder, printers)) as agent:
        run = hub.wait_state(*ENDED)
        until(lambda: ready(agent))
    expected = Run.UNKNOWN if mark == "after_intent" else Run.PRINTED
    assert run.state is expected
    assert len(hub.runs) == 1
    assert farm.prints(0, run.lease.path) == (0 if mark == "after_intent" else 1)


def test_octoprint_killed_in_mid_print_is_unclear_and_never_started_again(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    hub.order("ender", gcode(20))
    hub.order("ender", gcode(0.5))
    with running(config(address, tmp_path / "agent", printers)) as agent:
        run = hub.wait_state(Run.PRINTING)
        farm.kill(0)
        farm.start()
        hub.wait_state(Run.UNKNOWN)
        assert events(run) == [ReportEvent.STARTED, ReportEvent.UNCLEAR]
        until(lambda: ready(agent))
        time.sleep(0.5)
    assert farm.prints(0, run.lease.path) == 1
    assert len(hub.runs) == 1


@pytest.mark.parametrize("kinds", [["lost"], ["twice"], ["dropped", "proxy", "failing"]])
def test_every_call_may_fail(
    kinds: list[str],
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    hub.order("ender", gcode(0.5))
    calls = ("hello", "ask", "gcode", "permit", "beat", "report")
    hub.faults = [
        Fault(where=call, kind=kind) for call, kind in zip(calls, cycle(kinds), strict=False)
    ]
    hub.faults.append(Fault(where="gcode", kind="cut"))
    with running(config(address, tmp_path / "agent", printers), chance=lambda: 0.0):
        run = hub.wait_state(*ENDED)
    assert run.state is Run.PRINTED
    assert len(hub.runs) == 1
    assert farm.prints(0, run.lease.path) == 1


def test_the_hub_may_be_away_while_it_prints(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    hub.lease_s = 1
    hub.order("ender", gcode(2.5))
    with running(config(address, tmp_path / "agent", printers)):
        run = hub.wait_state(Run.PRINTING)
        hub.away = True
        until(lambda: farm.prints(0, run.lease.path, "PrintDone") == 1)
        hub.expire()
        assert run.state is Run.UNKNOWN
        hub.away = False
        hub.wait_state(Run.PRINTED)
    assert events(run)[-1] is ReportEvent.FINISHED
    assert farm.prints(0, run.lease.path) == 1


def test_a_hub_that_is_away_for_a_day_hears_all_of_it_once(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    """The agent's clock runs through the day in some seconds; its lease is over long before."""
    hub.lease_s = 1
    hub.order("ender", gcode(3))
    hub.order("ender", gcode(0.3))
    later_s = [0.0]
    given = config(address, tmp_path / "agent", printers)
    with running(given, clock_s=lambda: awake_s() + later_s[0], chance=lambda: 0.0) as agent:
        run = hub.wait_state(Run.PRINTING)
        hub.away = True
        while later_s[0] < 86_400:
            later_s[0] += 600.0
            time.sleep(0.04)
        until(lambda: farm.prints(0, run.lease.path, "PrintDone") == 1)
        hub.expire()
        assert run.state is Run.UNKNOWN
        assert "away" in agent.snapshot().hub
        hub.away = False
        later_s[0] += 60.0  # after a day it asks no oftener than this
        hub.wait_state(Run.PRINTED, limit_s=60)
        until(lambda: ready(agent), limit_s=60)
        asked = hub.calls.count("ask")
        until(lambda: hub.calls.count("ask") > asked + 1)
        assert len(hub.runs) == 1, "the bed is not clear"
        hub.printers["ender"].clear = True
        until(lambda: len(hub.runs) == 2, limit_s=60)
    assert events(run) == [ReportEvent.STARTED, ReportEvent.FINISHED]
    assert farm.prints(0, run.lease.path) == 1


@pytest.mark.parametrize("mark", ["after_fetch", "after_upload", "after_permit"])
def test_octoprint_restarts_before_the_start(
    mark: str,
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    """The file is stored by then or is not; the permit is asked for or is not."""
    hub.order("ender", gcode(0.4))
    marks: list[str] = []

    def restart(name: str) -> None:
        marks.append(name)
        if name == mark and marks.count(name) == 1:
            farm.kill(0)
            farm.start()

    with running(config(address, tmp_path / "agent", printers), at=restart):
        run = hub.wait_state(*ENDED, limit_s=60)
    assert run.state is Run.PRINTED
    assert farm.prints(0, run.lease.path) == 1
    assert len(hub.runs) == 1


def test_a_download_goes_on_where_an_agent_before_was_cut_off(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    content = gcode(0.4) + b"; padding\n" * 20_000
    hub.order("ender", content)
    hub.faults = [Fault(where="gcode", kind="cut"), Fault(where="gcode", kind="dropped", times=99)]
    folder = tmp_path / "agent"
    with running(config(address, folder, printers), chance=lambda: 0.0):
        until(lambda: hub.ranges == [0])
        until(lambda: hub.calls.count("gcode") > 1)
    [part] = (folder / "gcode").iterdir()
    have = part.stat().st_size
    assert 0 < have < len(content)
    hub.faults = []
    with running(config(address, folder, printers)):
        run = hub.wait_state(Run.PRINTED)
    assert hub.ranges == [0, have]
    assert farm.prints(0, run.lease.path) == 1


def test_stop_cancels_our_print(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    hub.order("ender", gcode(20))
    with running(config(address, tmp_path / "agent", printers)):
        run = hub.wait_state(Run.PRINTING)
        run.stop = True
        hub.wait_state(Run.FAILED)
    assert "cancelled" in run.said[-1].evidence
    assert farm.prints(0, run.lease.path, "PrintFailed") == 1


def test_a_full_disk_means_not_starting(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    hub.order("ender", gcode(0.5))
    folder = tmp_path / "agent"
    with agent_process(hub=address, folder=folder, printers=printers, at="after_permit", do="full"):
        run = hub.wait_state(Run.FAILED)
    assert run.never_started
    assert "journal is full" in run.said[-1].evidence
    with running(config(address, folder, printers)) as agent:  # there is room again
        until(lambda: "pausing" in text(agent))
    assert farm.prints(0, run.lease.path) == 0
    assert run.state is Run.FAILED


@pytest.mark.parametrize("late", ["after_intent", "resolving"])
def test_a_start_that_would_come_too_late_is_not_sent(
    late: str,
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever holds it up after the last look at the permit: a disk, or a name server."""
    away_s, resolve = [0.0], socket.getaddrinfo
    starting = threading.Event()

    def mark(name: str) -> None:
        if name == "after_intent":
            starting.set()
            away_s[0] += hub.permit_s - 2.0 if late == name else 0.0

    def slow(*args: Any, **kwargs: Any) -> Any:
        if starting.is_set() and late == "resolving":
            away_s[0] += hub.permit_s - 2.0
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    hub.order("ender", gcode(0.5))
    given = config(address, tmp_path / "agent", printers)
    with running(given, at=mark, clock_s=lambda: awake_s() + away_s[0]):
        run = hub.wait_state(Run.FAILED)
    assert run.never_started
    assert "not sent" in run.said[-1].evidence
    assert farm.prints(0, run.lease.path) == 0


def test_a_permit_that_is_nearly_over_is_not_used(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    hub.permit_s = 9
    hub.order("ender", gcode(0.5))
    with running(config(address, tmp_path / "agent", printers)):
        run = hub.wait_state(Run.FAILED)
    assert run.never_started
    assert "too late to start" in run.said[-1].evidence
    assert farm.prints(0, run.lease.path) == 0


def test_a_local_print_is_left_alone(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
    by_hand: Callable[[float], tuple[OctoPrint, str]],
) -> None:
    local, path = by_hand(2)
    hub.order("ender", gcode(0.5))
    marks: list[str] = []

    def somebody_prints(mark: str) -> None:
        marks.append(mark)
        if mark == "after_permit" and marks.count(mark) == 1:
            local.start(path)
            assert local.started(path)

    with running(config(address, tmp_path / "agent", printers), at=somebody_prints) as agent:
        run = hub.wait_state(Run.FAILED)
        assert run.never_started
        assert not ready(agent)
        until(lambda: farm.prints(0, path, "PrintDone") == 1)
    assert farm.prints(0, path, "PrintFailed") == 0
    assert farm.prints(0, run.lease.path) == 0


def test_a_print_of_somebody_elses_takes_the_bed(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
    by_hand: Callable[[float], tuple[OctoPrint, str]],
) -> None:
    local, path = by_hand(3)
    ender = hub.printers["ender"]
    with running(config(address, tmp_path / "agent", printers)) as agent:
        until(lambda: ready(agent))
        local.start(path)
        until(lambda: not ender.clear)
        hub.order("ender", gcode(0.5))
        until(lambda: farm.prints(0, path, "PrintDone") == 1)
        # The hub has heard of the print's last moments, so it takes the next word for newer.
        until(lambda: "not clear" in agent.snapshot().printers[0].why_not)
        assert not hub.runs, "a run was given out onto somebody's part"
        ender.clear = True  # a person took it off
        run = hub.wait_state(Run.PRINTED)
    assert farm.prints(0, run.lease.path) == 1
    assert hub.beds_violated == 0


def test_a_print_of_somebody_elses_during_a_run_takes_the_bed_too(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
    by_hand: Callable[[float], tuple[OctoPrint, str]],
) -> None:
    """It begins when the run is leased and not permitted yet, and is over when the agent next asks
    for work: only the bed remembers it."""
    local, path = by_hand(1)
    ender = hub.printers["ender"]
    hub.order("ender", gcode(0.5))

    def somebody_prints(mark: str) -> None:
        if mark == "after_upload" and not farm.prints(0, path):
            local.start(path)
            assert local.started(path)
        elif mark == "after_end":
            until(lambda: farm.prints(0, path, "PrintDone") == 1)

    with running(config(address, tmp_path / "agent", printers), at=somebody_prints) as agent:
        run = hub.wait_state(Run.RELEASED)
        until(lambda: not ender.clear)
        until(lambda: ready(agent))
        assert len(hub.runs) == 1, "a run was given out onto somebody's part"
    assert "somebody else is printing" in run.said[-1].evidence
    assert farm.prints(0, run.lease.path) == 0


@pytest.mark.parametrize("whose", ["theirs", "ours"])
def test_a_short_print_between_two_looks_takes_the_bed(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
    by_hand: Callable[[float], tuple[OctoPrint, str]],
    whose: str,
) -> None:
    """By hand, over before the agent looks again: OctoPrint's records are read before a permit."""
    local, path = by_hand(0.2)
    ender = hub.printers["ender"]
    hub.order("ender", gcode(0.3))
    printed: list[str] = []

    def somebody_prints(mark: str) -> None:
        if mark == "after_fetch" and len(hub.runs) == 2 and not printed:
            again = path if whose == "theirs" else first.lease.path
            printed.append(again)
            before = farm.prints(0, again, "PrintDone")
            local.start(again)
            until(lambda: farm.prints(0, again, "PrintDone") == before + 1)
            until(lambda: local.job().idle)

    with running(config(address, tmp_path / "agent", printers), at=somebody_prints):
        first = hub.wait_state(Run.PRINTED)
        ender.clear = True  # a person took it off
        hub.order("ender", gcode(0.4))
        until(lambda: not ender.clear)
        run = next(each for each in hub.runs.values() if each.lease.run != first.lease.run)
        until(lambda: run.state is Run.RELEASED)
    assert printed
    assert "nobody can vouch" in run.said[-1].evidence
    assert farm.prints(0, run.lease.path) == 0
    assert hub.beds_violated == 0


def test_what_the_guard_refuses_goes_back(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    hub.order("ender", gcode(0.5) + b"M502\n")
    with running(config(address, tmp_path / "agent", printers)) as agent:
        run = hub.wait_state(Run.RELEASED)
        until(lambda: "pausing" in text(agent))
    assert "M502" in run.said[-1].evidence
    assert run.said[-1].event is ReportEvent.RELEASED
    assert farm.prints(0, run.lease.path) == 0


def test_one_agent_a_folder_and_one_a_printer(
    address: str, printers: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    first = config(address, tmp_path / "one", printers)
    with running(first) as agent:
        until(lambda: agent.snapshot().printers != ())
        with pytest.raises(Conflict, match="folder"):
            Agent(first).run(threading.Event())
        with pytest.raises(Conflict, match="speaks for ender"):
            Agent(config(address, tmp_path / "two", printers)).run(threading.Event())


def test_a_printer_in_error_is_connected_once(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    hub.order("ender", gcode(20))
    with running(config(address, tmp_path / "agent", printers)) as agent:
        run = hub.wait_state(Run.PRINTING)
        farm.send(0, "!!DEBUG:trigger_fatal_error_marlin")
        hub.wait_state(Run.FAILED)
        until(lambda: ready(agent))
        farm.send(0, "!!DEBUG:trigger_fatal_error_marlin")
        until(lambda: "Offline after error" in text(agent))
        time.sleep(0.6)
        assert not ready(agent)
    assert events(run)[-1] is ReportEvent.FAILED
    assert farm.prints(0, run.lease.path) == 1


@pytest.mark.parametrize("mark", ["after_start", "mid_print"])
def test_a_power_cut_of_both_in_mid_print_is_unclear(
    mark: str,
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    farm: Farm,
    tmp_path: Path,
) -> None:
    """Only the journal knows of the start: without its INTENT the part would be printed twice."""
    hub.order("ender", gcode(20))
    folder = tmp_path / "agent"
    with agent_process(hub=address, folder=folder, printers=printers, at=mark) as process:
        assert process.wait(20) == -9
    path = hub.only_run().lease.path
    until(lambda: farm.prints(0, path) == 1)
    farm.kill(0)
    farm.start()
    with running(config(address, folder, printers)) as agent:
        run = hub.wait_state(Run.UNKNOWN)
        until(lambda: ready(agent))
    assert run.said[-1].event is ReportEvent.UNCLEAR
    assert farm.prints(0, path) == 1
