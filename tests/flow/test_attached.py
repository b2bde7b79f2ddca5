"""Printers on the hub's own network: `designhub serve` itself runs the agent for them."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from designhub.api import schema
from tests.flow.test_push_to_part import MANIFEST
from tests.support.hub_process import Person, RunningHub, hub_process
from tests.support.octoprint_fixtures import Farm
from tests.support.pages import Pages
from tests.support.solids import box, stl

pytestmark = [pytest.mark.octoprint, pytest.mark.slicer]

WORKSHOP = "cellar"
PAGE = f"/workshops/{WORKSHOP}/attach"
LIMIT_S = 90.0


def test_the_hub_tends_a_printer_itself(farm: Farm, tmp_path: Path) -> None:
    octoprint = farm.fresh(0)
    with hub_process(
        tmp_path / "hub", BEAT_S="1", POLL_S="1", ATTACHED_NETWORKS="127.0.0.1/32"
    ) as hub:
        warden, ben = hub.person("warden", operator=True), hub.person("ben")
        printer = opened(warden)
        pages = Pages(hub.url, "warden")

        # An address outside of the networks that the settings name is not connected to.
        attach = {"at": PAGE, "printer": str(printer)}
        pages.send(PAGE, url="http://127.0.0.2:9", key="k" * 32, **attach)
        until(lambda: "none of the networks" in pages.read(PAGE))

        pages.send(PAGE, url=octoprint.url, key=octoprint.api_key, **attach)
        until(lambda: "Attached" in pages.read(PAGE))
        until(lambda: shown(warden, printer).machine_state == "Operational")
        assert shown(warden, printer).bed == "occupied"  # nobody has looked yet
        at = f"/printers/{printer}"
        pages.send(f"{at}/bed-clear", at=at)

        job_id = ordered(hub, ben, tmp_path)
        ben.until(job_id, lambda job: runs(job) == ["printing"])
        [first] = attached(hub)
        os.kill(first, signal.SIGKILL)  # in mid-print: OctoPrint goes on by itself
        ben.until(job_id, lambda job: runs(job) == ["printed"])
        [second] = attached(hub)
        assert second != first

        pages.send(f"/jobs/{job_id}/passed", at=at)
        pages.send(f"{at}/bed-clear", at=at)
        job = ben.until(job_id, lambda job: job.state == "done")
        prints = [line.event for line in farm.log(0) if str(job.runs[0].id) in line.path]
        assert prints == ["PrintStarted", "PrintDone"]
        assert octoprint.api_key not in pages.read(PAGE)
    assert not attached(hub), "the hub has ended, and its agent has not"


def opened(owner: Person) -> object:
    """A workshop with one printer, loaded; the printer's id."""
    workshop = schema.WorkshopAsk(name=WORKSHOP, place="Ulm, DE")
    owner.api.ask(schema.Workshop, "POST", "/workshops", workshop)
    asked = schema.PrinterAsk(name="ender", common="virtual")
    made = owner.api.ask(schema.Printer, "POST", f"/workshops/{WORKSHOP}/printers", asked)
    spool = schema.SpoolAsk(
        material="PLA", colour="white", left_mg=500_000, price_per_kg_minor=2_000
    )
    owner.api.ask(schema.Printer, "POST", f"/printers/{made.id}/spools", spool)
    return made.id


def shown(owner: Person, printer: object) -> schema.Printer:
    return owner.api.ask(schema.Printer, "GET", f"/printers/{printer}")


def ordered(hub: RunningHub, maker: Person, folder: Path) -> str:
    """One part of a design of the maker's own; its print heats for some seconds first."""
    files = {"okh.toml": MANIFEST, "piece.stl": stl(box(8, 8, 3))}
    commit = maker.push("piece", files, folder=folder)
    hub.measured(f"{maker.name}/piece", commit)
    order = maker.ask("order", f"{maker.name}/piece", "--near", "Ulm, DE", "--layer-um", "300")
    [job] = order["jobs"]
    return str(job)


def runs(job: schema.Job) -> Sequence[str]:
    return [run.state for run in job.runs]


def attached(hub: RunningHub) -> list[int]:
    """Processes that tend the attached printers of this hub."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        if b"attached" in words and str(hub.data).encode() in words:
            found.append(int(each.name))
    return found


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not met():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)
