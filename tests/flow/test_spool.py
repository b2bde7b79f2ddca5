"""A print that is paused, gets another spool by command, and goes on: really sliced and printed,
with layer and heat seen on the way, and each spool with its own part in a book that verifies."""

import json
from pathlib import Path

import pytest

from designhub.api import schema
from tests.support.hub_process import RunningHub, agent_beside, command, enrol
from tests.support.octoprint_fixtures import Farm
from tests.support.solids import box, stl

pytestmark = [pytest.mark.octoprint, pytest.mark.slicer]


def run_of(job: schema.Job) -> schema.Run:
    """Its only try."""
    [run] = job.runs
    return run


def test_a_spool_is_changed_in_mid_print(
    running_hub: RunningHub, farm: Farm, tmp_path: Path
) -> None:
    owner = running_hub.person()
    commit = owner.push("post", {"post.stl": stl(box(8, 8, 6))}, folder=tmp_path)
    running_hub.measured(f"{owner.name}/post", commit)
    lab = f"lab-of-{owner.name}"
    octoprint = farm.fresh(0)
    config = enrol(owner, lab, near="30.5,0.5", octoprint=octoprint, folder=tmp_path)
    with agent_beside(config):
        owner.until_seen(lab)
        owner.designhub("bed", "clear", f"{lab}/ender")
        ask = ("order", f"{owner.name}/post", "--near", "30.5,0.5", "--max-km", "50")
        [job] = owner.ask(*ask, "--layer-um", "300")["jobs"]
        seen = owner.until(job, lambda each: bool(each.runs) and (run_of(each).layer or 0) >= 3)
        path = octoprint.client().job().path
        assert path is not None
        octoprint.client().pause(path)
        # The machine stops within a look or two; the last word of the agent counts.
        seen = owner.until(job, lambda each: run_of(each).state == "paused")
        assert (run_of(seen).layers, run_of(seen).nozzle_c is not None) == (20, True)
        loaded = ("printer", "load", f"{lab}/ender", "--material", "PLA", "--colour", "white")
        owner.designhub(*loaded, "--grams", "500")
        octoprint.client().resume(path)
        owner.until(job, lambda each: run_of(each).state == "printed")
        owner.designhub("job", "passed", job)
    done = schema.Job.from_json(owner.ask("job", "show", job))
    changed = [line.note for line in done.history if line.what == "run.spool_changed"]
    assert len(changed) == 1 and "→ PLA white" in changed[0]
    book = tmp_path / "entries.jsonl"
    book.write_bytes(b"".join(owner.api.lines("/book/entries.jsonl")))
    entries = [json.loads(line) for line in book.read_bytes().splitlines()]
    [entry] = [each for each in entries if each["id"].endswith(f"run:{run_of(done).id}")]
    took_mg = [
        int(event["resourceQuantity"]["hasNumericalValue"])
        for event in entry["body"]["events"]
        if event.get("resourceInventoriedAs", "").startswith("lot:")
    ]
    assert len(took_mg) == 2 and min(took_mg) > 0 and sum(took_mg) == done.mass_mg
    printer = owner.api.ask(schema.Workshop, "GET", f"/workshops/{lab}").printers[0]
    assert [spool.left_mg for spool in printer.spools] == [500_000 - took_mg[1]]
    audit = command("audit", str(book))
    assert audit.returncode == 0, audit.stdout + audit.stderr
