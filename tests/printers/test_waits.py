"""What a paused print waits for, as a real OctoPrint tells it: in hints, and to the hub."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from printers.farm import Instance
from printers.push import Hint
from printers.waits import NEAR_S, Waits
from router.states import Run
from tests.support.agent_process import config, gcode, running, until
from tests.support.hub_stand_in import HubStandIn, hub_served
from tests.support.octoprint_fixtures import Farm


def paused(path: str = "a.gcode", *, by_person: bool = False) -> Hint:
    return Hint(kind="PrintPaused", path=path, by_person=by_person)


def test_who_asked_for_the_pause() -> None:
    waits = Waits(lambda: 0.0)
    assert waits.of("a.gcode") == ""
    waits.hear(paused(by_person=True))
    assert (waits.of("a.gcode"), waits.of("b.gcode")) == ("person", "")
    waits.hear(Hint(kind="PrintResumed", path="a.gcode"))
    assert waits.of("a.gcode") == ""
    waits.hear(paused())
    assert waits.of("a.gcode") == "printer"
    waits.hear(Hint(kind="FilamentChange"))
    assert waits.of("a.gcode") == "filament"


def test_a_filament_change_shortly_before_is_why() -> None:
    now = [0.0]
    waits = Waits(lambda: now[0])
    waits.hear(Hint(kind="FilamentChange"))
    now[0] = NEAR_S - 1
    waits.hear(paused(by_person=True))
    assert waits.of("a.gcode") == "filament"
    waits.hear(Hint(kind="PrintResumed", path="a.gcode"))
    waits.hear(Hint(kind="FilamentChange"))
    now[0] += NEAR_S + 1
    waits.hear(paused())
    assert waits.of("a.gcode") == "printer"


@pytest.fixture
def hub() -> HubStandIn:
    return HubStandIn("ender")


@pytest.fixture
def address(hub: HubStandIn) -> Iterator[str]:
    with hub_served(hub) as url:
        yield url


def job(instance: Instance, action: str) -> None:
    said = {"command": "pause", "action": action}
    key = {"X-Api-Key": instance.api_key}
    answer = requests.post(f"{instance.url}/api/job", json=said, headers=key, timeout=5)
    assert answer.status_code == 204, answer.text


@pytest.mark.octoprint
def test_the_hub_hears_what_a_real_pause_waits_for(
    hub: HubStandIn, address: str, farm: Farm, tmp_path: Path
) -> None:
    instance = farm.fresh(0)
    hub.order("ender", gcode(8.0))
    printers = {"ender": (instance.url, instance.api_key)}
    with running(config(address, tmp_path / "agent", printers)):
        run = hub.wait_state(Run.PRINTING)
        farm.send(0, "!!DEBUG:action_pause")
        until(lambda: run.waits_for == "printer")
        farm.send(0, "M701")
        until(lambda: run.waits_for == "filament")
        assert run.state is Run.PAUSED
        job(instance, "resume")
        until(lambda: run.state is Run.PRINTING and run.waits_for == "")
        job(instance, "pause")
        until(lambda: run.waits_for == "person")
        job(instance, "resume")
        hub.wait_state(Run.PRINTED)
