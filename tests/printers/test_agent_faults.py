"""The agent before an OctoPrint whose answers get lost: what it does is what the printer did."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from printers import steps
from printers.protocol import ReportEvent
from router.states import Run
from tests.support.agent_process import config, events, gcode, ready, running, text, until
from tests.support.hub_stand_in import HubStandIn, RunRow, hub_served
from tests.support.octoprint_fixtures import StandInBench
from tests.support.octoprint_memory import Stored
from tests.support.octoprint_stand_in import Fault

START = "POST /api/files/local/designhub/"


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
def printers(stand_in: StandInBench) -> dict[str, tuple[str, str]]:
    return {"ender": (stand_in.url, stand_in.api_key)}


def one_run(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    folder: Path,
    state: Run,
    *,
    seconds: float = 0.6,
) -> RunRow:
    """Order one job and wait until its run is in this state."""
    hub.order("ender", gcode(seconds))
    with running(config(address, folder, printers)):
        return hub.wait_state(state)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(on=START, reply="lost"),
        Fault(on=START, reply="garbage"),
        Fault(on=START, reply="torn"),
        Fault(on="POST /api/files/local", reply="lost"),
        Fault(on="POST /api/files/local", acts=False),
        Fault(on="GET /api/files/local", reply="garbage"),
        Fault(on="GET /api/job", acts=False),
        Fault(on="GET /api/printer", reply="torn"),
    ],
)
def test_a_lost_answer_neither_stops_nor_repeats_it(
    fault: Fault,
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    stand_in: StandInBench,
    tmp_path: Path,
) -> None:
    stand_in.stand_in.faults.append(fault)
    run = one_run(hub, address, printers, tmp_path / "agent", Run.PRINTED)
    assert stand_in.starts(run.lease.path) == 1
    assert stand_in.stand_in.faults == []


def test_a_start_that_vanished_is_unclear_until_it_moves_after_all(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    stand_in: StandInBench,
    tmp_path: Path,
) -> None:
    stand_in.stand_in.faults.append(Fault(on=START, acts=False))
    hub.order("ender", gcode(0.6))
    with running(config(address, tmp_path / "agent", printers)) as agent:
        run = hub.wait_state(Run.UNKNOWN)
        until(lambda: ready(agent))
        assert stand_in.starts(run.lease.path) == 0
        stand_in.stand_in.begin(run.lease.path)
        hub.wait_state(Run.PRINTED)
    assert events(run) == [ReportEvent.UNCLEAR, ReportEvent.STARTED, ReportEvent.FINISHED]
    assert stand_in.starts(run.lease.path) == 1


def test_a_start_that_octoprint_refused_never_happened(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    stand_in: StandInBench,
    tmp_path: Path,
) -> None:
    """Somebody at the machine was quicker than us, by a moment."""

    def quicker(mark: str) -> None:
        if mark == "after_intent":
            stand_in.stand_in.local_print("local.gcode", b"G4 P1000\n")

    hub.order("ender", gcode(0.6))
    with running(config(address, tmp_path / "agent", printers), at=quicker):
        run = hub.wait_state(Run.FAILED)
    assert run.never_started
    assert stand_in.stand_in.starts == ["local.gcode"]
    assert stand_in.stand_in.files["local.gcode"].failure == 0


def test_another_file_under_our_path_is_never_printed(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    stand_in: StandInBench,
    tmp_path: Path,
) -> None:
    def planted(mark: str) -> None:
        if mark == "after_fetch":
            path = hub.only_run().lease.path
            stand_in.stand_in.files[path] = Stored(content=b"G28\n", userdata={})

    hub.order("ender", gcode(0.6))
    with running(config(address, tmp_path / "agent", printers), at=planted):
        run = hub.wait_state(Run.RELEASED)
    assert "another file" in run.said[-1].evidence
    assert stand_in.stand_in.starts == []


def test_a_pause_at_the_machine_is_told(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    stand_in: StandInBench,
    tmp_path: Path,
) -> None:
    hub.order("ender", gcode(2))
    with running(config(address, tmp_path / "agent", printers)):
        run = hub.wait_state(Run.PRINTING)
        until(lambda: stand_in.starts(run.lease.path) == 1)
        stand_in.client.pause(run.lease.path)
        hub.wait_state(Run.PAUSED)
        stand_in.client.resume(run.lease.path)
        hub.wait_state(Run.PRINTED)
    assert stand_in.starts(run.lease.path) == 1


def test_a_board_that_resets_fails_the_run(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    stand_in: StandInBench,
    tmp_path: Path,
) -> None:
    hub.order("ender", gcode(20))
    with running(config(address, tmp_path / "agent", printers)):
        run = hub.wait_state(Run.PRINTING)
        stand_in.firmware_reset()
        hub.wait_state(Run.FAILED)
    assert events(run)[-1] is ReportEvent.FAILED
    assert stand_in.starts(run.lease.path) == 1


def test_only_the_newest_files_stay_on_the_printer(
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    stand_in: StandInBench,
    tmp_path: Path,
) -> None:
    for _ in range(3):
        hub.order("ender", gcode(0.2))
    local = {"mine.gcode": Stored(content=b"G28\n", userdata={})}
    stand_in.stand_in.files |= local
    with running(config(address, tmp_path / "agent", printers, keep_files=1)):
        for done in range(1, 4):
            until(lambda: [run.state for run in hub.runs.values()].count(Run.PRINTED) == done)  # noqa: B023 - waited for here
            hub.printers["ender"].clear = True
        newest = list(hub.runs.values())[-1].lease.path
        until(lambda: set(stand_in.stand_in.files) == {"mine.gcode", newest})
    assert len(stand_in.stand_in.starts) == 3


def test_a_wrong_key_says_whose(address: str, stand_in: StandInBench, tmp_path: Path) -> None:
    printers = {"ender": (stand_in.url, "wrong")}
    with running(config(address, tmp_path / "agent", printers)) as agent:
        until(lambda: "key of printer ender" in text(agent))
        assert not ready(agent)
