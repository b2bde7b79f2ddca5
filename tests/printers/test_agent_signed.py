"""An agent before a hub that signs wrongly: nothing reaches the printer, and the run goes back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from printers.protocol import Lease, ReportEvent, Signed
from printers.signing import new_private, public_of, sign
from router.states import Run
from tests.support.agent_process import config, events, gcode, running, text, until
from tests.support.hub_stand_in import HubStandIn, document_of, hub_served
from tests.support.octoprint_fixtures import StandInBench

Signs = Callable[[HubStandIn, Lease], Signed | None]


@pytest.fixture
def hub() -> HubStandIn:
    return HubStandIn("ender")


@pytest.fixture
def address(hub: HubStandIn) -> Iterator[str]:
    with hub_served(hub) as url:
        yield url


@pytest.fixture
def printers(stand_in: StandInBench) -> dict[str, tuple[str, str]]:
    return {"ender": (stand_in.url, stand_in.api_key)}


WRONG: dict[str, tuple[Signs, str]] = {
    "missing": (lambda hub, lease: None, "without the hub's signature"),
    "another key": (
        lambda hub, lease: sign(new_private(), document_of(lease)),
        "is believed here",
    ),
    "a swapped signature": (
        lambda hub, lease: replace(
            hub.sign(lease), signature=hub.sign(lease, fence=lease.fence + 1).signature
        ),
        "is not that of",
    ),
    "another file": (lambda hub, lease: hub.sign(lease, gcode_sha256="c" * 64), "sha256 c"),
    "another printer": (lambda hub, lease: hub.sign(lease, printer=uuid4()), "for printer"),
    "replayed": (lambda hub, lease: hub.sign(lease, run=uuid4()), "for run"),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_the_hub_did_not_sign_is_given_back(
    how: str,
    hub: HubStandIn,
    address: str,
    printers: dict[str, tuple[str, str]],
    stand_in: StandInBench,
    tmp_path: Path,
) -> None:
    signs, why = WRONG[how]
    hub.signs = lambda lease: signs(hub, lease)
    hub.order("ender", gcode(0.3))
    with running(config(address, tmp_path / "agent", printers)):
        run = hub.wait_state(Run.RELEASED)
        until(lambda: bool(run.said))
    assert events(run) == [ReportEvent.RELEASED]
    assert why in run.said[0].evidence
    assert "gcode" not in hub.calls  # not even fetched
    assert stand_in.stand_in.files == {}


def test_where_no_package_can_be_had_the_sha256_decides(
    hub: HubStandIn, address: str, printers: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    hub.signs = lambda lease: None
    hub.order("ender", gcode(0.3))
    with running(config(address, tmp_path / "agent", printers, signed=False)):
        hub.wait_state(Run.PRINTED)


def test_a_rotation_while_the_agent_runs_stops_nothing(
    hub: HubStandIn, address: str, printers: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    folder = tmp_path / "agent"
    with running(config(address, folder, printers, hub_key=public_of(hub.keys[0]))) as agent:
        until(lambda: "connected" in agent.snapshot().hub)
        hub.keys.append(new_private())
        hub.order("ender", gcode(0.3))
        hub.wait_state(Run.PRINTED)
    assert public_of(hub.keys[1]) in (folder / "hub-key.json").read_text()


def test_a_hub_with_another_key_gets_no_ready_printer(
    hub: HubStandIn, address: str, printers: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    hub.order("ender", gcode(0.3))
    other = public_of(new_private())
    with running(config(address, tmp_path / "agent", printers, hub_key=other)) as agent:
        until(lambda: "not trusted" in agent.snapshot().hub)
        asked = hub.calls.count("ask")
        until(lambda: hub.calls.count("ask") > asked + 2)
    assert hub.runs == {}
    assert "designhub key show" in text(agent) or "designhub key show" in agent.snapshot().hub
