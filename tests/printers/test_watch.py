"""Whether an agent can vouch for a bed: of a printer that it watched, lost from sight, found again.

What OctoPrint remembers is asked of a real server and of the stand-in; what time does is played.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printers import watch as watching
from printers.agent import awake_s
from printers.evidence import Job
from printers.octoprint import OctoPrint, PrinterSilent
from printers.traces import newest_print_from, warmest_from
from printers.watch import Watch
from tests.support.agent_process import (
    agent_process,
    config,
    gcode,
    ready,
    running,
    until,
    watched_until_now,
)
from tests.support.hub_stand_in import HubStandIn, hub_served
from tests.support.octoprint_fixtures import Bench, Farm, RealBench, StandInBench, dwells
from tests.support.octoprint_stand_in import Fault
from tests.support.plugin_fixtures import InsideBench

FREE, PRINTING = Job(state="Operational"), Job(state="Printing", path="vase.gcode")
OFF = Job(state="Offline")


@dataclass
class Board:
    """An agent's machine, with a clock that goes as the test says."""

    file: Path
    octoprint: OctoPrint
    now_s: float = 1_000.0
    boot: str = "one"
    said: list[str] = field(default_factory=list)

    def watch(self) -> Watch:
        """The agent is started."""
        return Watch(
            self.file,
            self.octoprint,
            clock=lambda: self.now_s,
            say=lambda _, text: self.said.append(text),
            boot=self.boot,
        )

    def vouched(self) -> Watch:
        """One that was started, told the hub what it did not know, and sees a free printer."""
        watch = self.watch()
        watch.told(watch.count)
        watch.look(FREE)
        watch.save()
        assert watch.owed == ""
        return watch


@pytest.fixture
def board(stand_in: StandInBench, tmp_path: Path) -> Board:
    return Board(file=tmp_path / "watched.json", octoprint=stand_in.client)


def test_a_first_start_cannot_vouch(board: Board) -> None:
    watch = board.watch()
    assert watch.owed == watching.NEVER_WATCHED
    watch.look(FREE)
    assert watch.owed == watching.NEVER_WATCHED
    assert board.watch().owed, "it must not be forgotten before the hub heard it"
    watch.told(watch.count - 1)
    assert watch.owed == watching.NEVER_WATCHED
    watch.told(watch.count)
    watch.look(FREE)
    assert watch.owed == ""


def test_a_clean_restart_is_no_reason(board: Board) -> None:
    board.vouched()
    board.now_s += 30
    again = board.watch()
    again.look(FREE)
    assert (again.owed, again.count) == ("", 0)


@pytest.mark.parametrize("boot", ["two", ""])
def test_a_board_that_was_restarted_cannot_vouch(board: Board, boot: str) -> None:
    board.vouched()
    board.boot = boot
    assert board.watch().owed == watching.BOARD_RESTARTED


def test_a_clock_that_went_back_cannot_vouch(board: Board) -> None:
    board.vouched()
    board.now_s -= 500
    assert board.watch().owed == watching.BOARD_RESTARTED


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"boot": 1}', "\x00" * 40, "null"])
def test_a_damaged_memory_is_none(board: Board, content: str) -> None:
    board.file.write_text(content)
    assert board.watch().owed == watching.NEVER_WATCHED


def test_a_print_of_others_is_said_until_it_was_heard_and_again_while_it_lasts(
    board: Board,
) -> None:
    watch = board.vouched()
    for _ in range(3):
        watch.look(PRINTING)
        assert watch.owed == watching.PRINTING
        watch.told(watch.count)
    watch.look(FREE)
    assert watch.owed == ""
    assert [text for text in board.said if watching.PRINTING in text] == board.said[-1:]


def test_a_reason_survives_a_crash_before_the_hub_heard_it(board: Board) -> None:
    watch = board.vouched()
    watch.look(PRINTING)
    board.now_s += 5
    assert board.watch().owed == watching.PRINTING


def test_what_was_told_between_two_looks_is_not_lost(board: Board) -> None:
    watch = board.vouched()
    watch.look(PRINTING)
    count = watch.count
    watch.look(PRINTING)
    watch.told(count)
    assert watch.owed == watching.PRINTING


@pytest.mark.parametrize(("away_s", "vouched"), [(89.0, True), (91.0, False)])
@pytest.mark.parametrize("how", ["off", "out of reach", "agent stopped"])
def test_out_of_sight(board: Board, away_s: float, vouched: bool, how: str) -> None:
    watch = board.vouched()
    board.now_s += away_s
    if how == "off":
        watch.look(OFF)
    if how == "agent stopped":
        watch = board.watch()
    watch.look(FREE)
    assert (watch.owed == "") is vouched


def test_a_printer_that_stays_off_is_not_vouched_for_by_looking(board: Board) -> None:
    watch = board.vouched()
    for _ in range(20):
        board.now_s += 10
        watch.look(OFF)
    watch.look(FREE)
    assert "nobody saw it for 3 min" in watch.owed


def test_a_cold_nozzle_vouches_for_a_network_that_was_away(
    board: Board, stand_in: StandInBench
) -> None:
    watch = board.vouched()
    now = time.time()
    stand_in.stand_in.warm = [(now - 5 * n, 24.0) for n in range(200, -1, -1)]
    board.now_s += 900
    watch.look(FREE)
    assert watch.owed == ""
    stand_in.stand_in.warm[120] = (stand_in.stand_in.warm[120][0], 205.0)
    board.now_s += 900
    watch.look(FREE)
    assert "205 °C" in watch.owed


def test_records_that_do_not_come_are_asked_for_again_and_then_not_vouched_for(
    board: Board, stand_in: StandInBench
) -> None:
    watch = board.vouched()
    stand_in.stand_in.faults += [Fault(on="GET /api/files/local", reply="lost")] * 3
    board.now_s += 20
    for _ in range(2):
        with pytest.raises(PrinterSilent):
            watch.look(FREE)
        assert watch.owed == ""
    watch.look(FREE)
    assert "does not tell" in watch.owed


def test_a_full_disk_only_vouches_for_less(board: Board) -> None:
    watch = board.vouched()
    board.file.unlink()
    board.file.mkdir()
    watch.look(PRINTING)
    assert watch.owed == watching.PRINTING
    assert board.watch().owed == watching.NEVER_WATCHED


def test_an_sd_card_is_not_written_with_every_look(board: Board) -> None:
    watch = board.vouched()
    written = set()
    for _ in range(600):
        board.now_s += 1
        watch.look(FREE)
        written.add(board.file.read_bytes())
    assert len(written) <= 600 / watching.SAVE_S + 1


# What OctoPrint remembers.


REAL = [pytest.param(each, marks=pytest.mark.octoprint) for each in ("real", "inside")]


@pytest.fixture(params=["stand_in", *REAL])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "inside":
        return InsideBench(request.getfixturevalue("plugin"))
    if request.param == "real":
        return RealBench(request.getfixturevalue("farm"), 0)
    stand_in: Bench = request.getfixturevalue("stand_in")
    return stand_in


def test_the_newest_print_of_others(bench: Bench, gcode_path: str, tmp_path: Path) -> None:
    before = bench.client.newest_print(besides="designhub/")
    for path in (f"designhub/{gcode_path}", gcode_path):
        bench.client.upload(path, dwells(tmp_path, seconds=0.2), userdata={})
        assert bench.client.newest_print(besides="designhub/") == before
        bench.client.start(path)
        until(lambda: (file := bench.client.file(path)) is not None and file.successes == 1)  # noqa: B023
    assert bench.client.newest_print(besides="designhub/") > before


def test_a_history_of_temperatures(bench: Bench) -> None:
    client, now = bench.client, time.time()
    if isinstance(bench, StandInBench):
        bench.stand_in.warm = [(now - n, 21.0) for n in range(9, -1, -1)]
    until(lambda: client.warmest_c(within_s=1.0) is not None, limit_s=30)
    warmest_c = client.warmest_c(within_s=1.0)
    assert warmest_c is not None
    assert 0 < warmest_c < 300
    assert client.warmest_c(within_s=100_000) is None


def test_a_second_print_of_a_file_of_ours_is_somebody_elses() -> None:
    def files(success: int, failure: int) -> dict[str, object]:
        last = {"date": 5.0, "success": True}
        prints = {"success": success, "failure": failure, "last": last}
        return {"files": [{"path": "designhub/a/b.gcode", "prints": prints}]}

    assert newest_print_from(files(1, 0), besides="designhub/") == 0.0
    assert newest_print_from(files(0, 1), besides="designhub/") == 0.0
    assert newest_print_from(files(2, 0), besides="designhub/") == 5.0
    assert newest_print_from(files(1, 1), besides="designhub/") == 5.0


times = st.lists(st.integers(0, 5_000) | st.none() | st.floats(), max_size=8)


@given(times, st.floats(0, 4_000), st.sampled_from([21.0, 210.0, None, "hot"]))
def test_temperatures_vouch_only_without_a_gap(
    at: list[int | float | None], within_s: float, nozzle: object
) -> None:
    history = [{"time": each, "tool0": {"actual": nozzle}} for each in at]
    warmest = warmest_from({"temperature": {"history": history}}, within_s=within_s)
    if warmest is not None:
        known = [each for each in at if isinstance(each, int | float)]
        assert warmest == nozzle
        assert max(known) - min(known) >= within_s
        assert at


@pytest.mark.parametrize(
    "data", [{}, {"files": None}, {"files": [1]}, {"files": [{"children": 1}]}]
)
def test_strange_lists_of_files(data: dict[str, object]) -> None:
    if data.get("files") == [{"children": 1}]:
        assert newest_print_from(data, besides="x") == 0.0
    else:
        with pytest.raises(ValueError, match="no file"):
            newest_print_from(data, besides="x")


def test_folders_without_end() -> None:
    nested: dict[str, object] = {"children": []}
    for _ in range(200):
        nested = {"children": [nested]}
    with pytest.raises(ValueError, match="without end"):
        newest_print_from({"files": [nested]}, besides="x")


# The whole agent beside a real OctoPrint.


@pytest.fixture
def hub() -> HubStandIn:
    return HubStandIn("ender")


@pytest.fixture
def address(hub: HubStandIn) -> Iterator[str]:
    with hub_served(hub) as url:
        yield url


@pytest.mark.octoprint
def test_a_print_that_began_and_ended_while_the_agent_was_off_takes_the_bed(
    hub: HubStandIn,
    address: str,
    farm: Farm,
    tmp_path: Path,
    by_hand: Callable[[float], tuple[OctoPrint, str]],
) -> None:
    octoprint = farm.fresh(0)
    given = config(address, tmp_path / "agent", {"ender": (octoprint.url, octoprint.api_key)})
    ender = hub.printers["ender"]
    with running(given) as agent:
        until(lambda: ready(agent))
    local, path = by_hand(0.2)
    with running(given) as agent:  # a file alone is no print
        until(lambda: ready(agent))
        asked = len(hub.calls)
        until(lambda: len(hub.calls) > asked + 1)
        assert ender.clear
    local.start(path)
    until(lambda: farm.prints(0, path, "PrintDone") == 1)
    hub.order("ender", gcode(0.2))
    with running(given) as agent:
        until(lambda: not ender.clear)
        until(lambda: ready(agent))
    assert not hub.runs
    assert hub.why["ender"] == watching.PRINTED


@pytest.mark.octoprint
@pytest.mark.parametrize("kill", [False, True])
def test_an_octoprint_that_restarts_between_two_looks_keeps_its_bed(
    kill: bool, hub: HubStandIn, address: str, farm: Farm, tmp_path: Path
) -> None:
    """Nothing can have been printed in the seconds that takes; an agent killed hard is no reason
    either, when it is back at once."""
    octoprint = farm.fresh(0)
    given = config(address, tmp_path / "agent", {"ender": (octoprint.url, octoprint.api_key)})
    with running(given) as agent:
        until(lambda: ready(agent))
        if kill:
            farm.kill(0)
            farm.start()
            until(lambda: ready(agent), limit_s=30)
        asked = len(hub.calls)
        until(lambda: len(hub.calls) > asked + 1)
    assert hub.printers["ender"].clear


@pytest.mark.octoprint
def test_an_agent_that_starts_for_the_first_time_takes_the_bed_until_a_person_clears_it(
    hub: HubStandIn, address: str, farm: Farm, tmp_path: Path
) -> None:
    octoprint = farm.fresh(0)
    printers = {"ender": (octoprint.url, octoprint.api_key)}
    hub.order("ender", gcode(0.2))
    with running(config(address, tmp_path / "agent", printers, watched=False)) as agent:
        until(lambda: ready(agent))
        until(lambda: not hub.printers["ender"].clear)
        assert not hub.runs
        hub.printers["ender"].clear = True
        until(lambda: len(hub.runs) == 1)


@pytest.mark.octoprint
def test_a_lease_from_before_is_given_back_by_an_agent_that_cannot_vouch(
    hub: HubStandIn, address: str, farm: Farm, tmp_path: Path
) -> None:
    """The board was off between the lease and the permit: who knows what was printed meanwhile."""
    octoprint = farm.fresh(0)
    printers, folder = {"ender": (octoprint.url, octoprint.api_key)}, tmp_path / "agent"
    hub.order("ender", gcode(0.2))
    with agent_process(hub=address, folder=folder, printers=printers, at="before_permit") as agent:
        assert agent.wait(20) == -9
    run = hub.only_run()
    [memory] = (folder / "watched").iterdir()
    memory.write_text(json.dumps(json.loads(memory.read_text()) | {"boot": "another"}))
    with running(config(address, folder, printers)):
        until(lambda: run.said != [])
        until(lambda: not hub.printers["ender"].clear)
    assert "nobody can vouch for the bed" in run.said[-1].evidence
    assert farm.prints(0, run.lease.path) == 0


def test_what_a_test_leaves_behind_is_what_an_agent_leaves_behind(
    stand_in: StandInBench, tmp_path: Path
) -> None:
    watched_until_now(tmp_path, stand_in.url)
    [file] = (tmp_path / "watched").iterdir()
    board = Board(file=file, octoprint=stand_in.client, now_s=awake_s(), boot=watching.this_boot())
    assert board.watch().owed == ""
