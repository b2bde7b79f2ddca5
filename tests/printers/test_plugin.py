"""OctoPrint-DesignHub, installed by pip into a real OctoPrint, with a hub that fails on demand.

What it shows to people is tested in a browser, with the real
hub, in `tests/browser/test_plugin.py`.
"""

import json
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from printers import farm as farms
from printers.evidence import Own
from printers.plugin.memory import Memory
from printers.protocol import ReportEvent
from router.states import Run
from tests.support.agent_process import events, gcode
from tests.support.hub_stand_in import TOKEN, Fault, HubStandIn, hub_served
from tests.support.octoprint_fixtures import dwells, eventually
from tests.support.plugin_fixtures import InsideBench, PluginServer, stand_in_memory

pytestmark = pytest.mark.octoprint


@pytest.fixture
def hub(plugin: PluginServer) -> Iterator[HubStandIn]:
    """A hub that the plugin works for from its next start on."""
    stand_in = HubStandIn("ender", lease_s=60)
    with hub_served(stand_in) as url:
        plugin.works_for(stand_in_memory(url))
        yield stand_in


def test_it_prints_what_the_hub_gives_it(hub: HubStandIn, plugin: PluginServer) -> None:
    hub.order("ender", gcode(1.0))
    run = hub.wait_state(Run.PRINTED)
    assert events(run) == [ReportEvent.STARTED, ReportEvent.FINISHED]
    assert plugin.farm.prints(0, run.lease.path) == 1
    assert eventually(lambda: plugin.state()["view"]["run"] is None)
    assert plugin.state()["link"] == "connected"


def test_a_print_that_octoprint_died_over_has_failed_and_nobody_is_asked(
    hub: HubStandIn, plugin: PluginServer
) -> None:
    hub.order("ender", gcode(60.0))
    run = hub.wait_state(Run.PRINTING)
    plugin.farm.kill(0)
    plugin.farm.start()
    hub.wait_state(Run.FAILED)
    assert events(run)[-1] is ReportEvent.FAILED
    assert "its own journal has the beginning and no end" in run.said[-1].evidence
    assert not hub.printers["ender"].clear
    assert plugin.farm.prints(0, run.lease.path) == 1


def test_what_octoprint_died_over_after_the_intent_never_started(
    hub: HubStandIn, plugin: PluginServer
) -> None:
    plugin.dies_at("after_intent")
    hub.order("ender", gcode(1.0))
    assert eventually(plugin.is_dead, limit_s=20)
    assert hub.only_run().state is Run.PERMITTED
    plugin.farm.start()
    run = hub.wait_state(Run.FAILED)
    assert run.never_started
    assert events(run) == [ReportEvent.NEVER_STARTED]
    assert "no line of the file was sent" in run.said[-1].evidence
    assert plugin.farm.prints(0, run.lease.path) == 0


def test_what_octoprint_died_over_while_it_began_is_settled_without_a_person(
    hub: HubStandIn, plugin: PluginServer
) -> None:
    """The file is selected, and OctoPrint asks for its scripts before it sends the first line. Its
    event of the start travels meanwhile: with it the print counts as begun, which is safe too."""
    plugin.dies_at("beforePrintStarted")
    hub.order("ender", gcode(1.0))
    assert eventually(plugin.is_dead, limit_s=20)
    plugin.farm.start()
    run = hub.wait_state(Run.FAILED)
    assert events(run) in ([ReportEvent.NEVER_STARTED], [ReportEvent.FAILED])
    assert run.never_started is (events(run) == [ReportEvent.NEVER_STARTED])


@pytest.mark.parametrize("mark", ["after_start", "after_proof"])
def test_what_octoprint_died_over_after_the_first_line_has_failed(
    hub: HubStandIn, plugin: PluginServer, mark: str
) -> None:
    plugin.dies_at(mark)
    hub.order("ender", gcode(30.0))
    assert eventually(plugin.is_dead, limit_s=20)
    plugin.farm.start()
    run = hub.wait_state(Run.FAILED)
    assert not run.never_started
    assert events(run)[-1] is ReportEvent.FAILED


def test_a_print_that_was_nearly_through_is_for_a_person_to_look_at(
    hub: HubStandIn, plugin: PluginServer
) -> None:
    """All was sent and the printer still works on its last, long line: it may come out whole."""
    hub.order("ender", gcode(1.0) + b"G4 P20000\n")
    run = hub.wait_state(Run.PRINTING)
    prints = plugin.data / "prints.jsonl"
    assert eventually(lambda: b"nearly" in prints.read_bytes(), limit_s=15)
    plugin.farm.kill(0)
    plugin.farm.start()
    hub.wait_state(Run.UNKNOWN)
    assert events(run) == [ReportEvent.STARTED, ReportEvent.UNCLEAR]


def test_an_end_that_only_our_journal_knows_is_told(hub: HubStandIn, plugin: PluginServer) -> None:
    """The hub is away, and somebody deletes the file with its record meanwhile."""
    hub.order("ender", gcode(1.0))
    run = hub.wait_state(Run.PRINTING)
    hub.away = True
    assert eventually(lambda: plugin.farm.prints(0, run.lease.path, "PrintDone") == 1, limit_s=20)
    plugin.farm.kill(0)
    metadata = plugin.folder / "uploads" / Path(run.lease.path).parent / ".metadata.json"
    metadata.write_text("{}")
    plugin.farm.start()
    hub.away = False
    hub.wait_state(Run.PRINTED)
    assert events(run)[-1] is ReportEvent.FINISHED


def test_lost_and_doubled_words_change_nothing(hub: HubStandIn, plugin: PluginServer) -> None:
    hub.faults = [
        *(Fault(where=f"/{each}", kind="lost") for each in ("ask", "permit", "report")),
        *(Fault(where=f"/{each}", kind="twice") for each in ("ask", "permit", "report")),
    ]
    hub.order("ender", gcode(1.0))
    run = hub.wait_state(Run.PRINTED)
    assert plugin.farm.prints(0, run.lease.path) == 1


def test_a_print_whose_beginning_cannot_be_written_down_is_stopped(
    plugin: PluginServer, tmp_path: Path
) -> None:
    plugin.works_for(None)
    client, path = InsideBench(plugin).client, f"designhub/spoilt/{time.monotonic_ns()}.gcode"
    client.upload(path, dwells(tmp_path, seconds=30), userdata={})
    assert client.own_record(path) is Own.NOT_BEGUN
    plugin.ask("POST", "bridge", command="spoil").raise_for_status()
    client.start(path)
    assert eventually(lambda: plugin.farm.prints(0, path, "PrintFailed") == 1, limit_s=10)
    assert client.own_record(path) is Own.SILENT  # what is not on disk is not claimed
    plugin.works_for(None)


def test_a_word_that_the_hub_did_not_hear_is_said_to_be_lost(plugin: PluginServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nowhere = f"http://127.0.0.1:{server.getsockname()[1]}"
    memory = Memory(hub=nowhere, token=TOKEN, printer="ender", printer_id=str(uuid4()))
    plugin.works_for(memory)
    said = plugin.say("bed_clear")["said"]
    assert not said["good"]
    assert nowhere in said["text"]
    for wrong in ({"job": "x", "good": True}, {"job": str(uuid4()), "good": False, "cause": " "}):
        assert plugin.ask("POST", "designhub", command="looked", **wrong).status_code == 400
    assert plugin.state()["said"]["number"] == said["number"]


@pytest.fixture
def mute_hub() -> Iterator[str]:
    """Takes every connection, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_hub_that_hangs_holds_up_nothing_of_octoprint(
    plugin: PluginServer, mute_hub: str, tmp_path: Path
) -> None:
    plugin.works_for(stand_in_memory(mute_hub))
    assert eventually(lambda: plugin.state()["view"] is not None)
    client, path = plugin.instance.client(), f"by-hand/{time.monotonic_ns()}.gcode"
    client.upload(path, dwells(tmp_path, seconds=0.3), userdata={})
    client.start(path)
    # The logger of the tests stands in the same line of events as the plugin.
    assert eventually(lambda: plugin.farm.prints(0, path, "PrintDone") == 1, limit_s=5)
    began = time.monotonic()
    for _ in range(4):
        plugin.ask("POST", "designhub", command="enrol", hub=mute_hub, code="K7QF-M2XD")
    answer = plugin.ask("POST", "designhub", command="enrol", hub=mute_hub, code="K7QF-M2XD")
    assert time.monotonic() - began < 3.0
    assert answer.status_code in (200, 400)


def test_it_ends_with_octoprint_while_the_hub_hangs(plugin: PluginServer, mute_hub: str) -> None:
    plugin.works_for(stand_in_memory(mute_hub))
    began = time.monotonic()
    farms.stop(plugin.farm.folder)  # kills it after ten seconds
    assert time.monotonic() - began < 8


def test_the_token_is_kept_to_itself(plugin: PluginServer) -> None:
    secret = "dha_" + "s" * 43
    plugin.works_for(Memory(hub="http://127.0.0.1:9", token=secret, printer="ender"))
    kept = plugin.data / "hub.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["token"] == secret
    assert eventually(lambda: "away" in plugin.state()["link"])
    assert secret not in json.dumps(plugin.state())
    for path in ("/api/settings", "/?l10n=en"):
        answer = plugin.ask("GET", f"../..{path}")
        assert secret not in answer.text
    assert secret not in (plugin.folder / "logs" / "octoprint.log").read_text()
    assert secret not in (plugin.folder / "config.yaml").read_text()


def test_only_who_is_signed_in_asks_or_says_anything(plugin: PluginServer) -> None:
    plugin.works_for(None)
    where = f"{plugin.instance.url}/api/plugin/designhub"
    assert requests.get(where, timeout=5).status_code == 403
    said = {"command": "leave"}
    assert requests.post(where, json=said, timeout=5).status_code in (400, 403)


def test_what_cannot_be_enrolled_is_said_in_words(plugin: PluginServer) -> None:
    plugin.works_for(None)
    assert not plugin.state()["enrolled"]
    answer = plugin.ask("POST", "designhub", command="enrol", hub="hub.example", code="K7QF")
    assert answer.status_code == 400
    assert "the hub's address reads https://hub.example" in answer.json()["error"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        nowhere = f"http://127.0.0.1:{server.getsockname()[1]}"
    said = plugin.say("enrol", hub=nowhere, code="K7QF-M2XD")["said"]
    assert not said["good"]
    assert nowhere in said["text"]
