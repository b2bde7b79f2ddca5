"""From READY to the machine's first line, at an idle printer whose question the hub holds.

    python -m tests.bench.bench_start [--runs 9]

A real hub, agent, PrusaSlicer and OctoPrint with its virtual printer. A part is ordered again and
again; the hub records when its job became ready, OctoPrint when the print began, by the same clock.
In turns with it, the same file is stored and started by the API alone on a second OctoPrint (on the
first it would be somebody else's print): what is left between the two is ours.
"""

import argparse
import json
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from printers import farm as farms
from printers.farm import Instance
from tests.flow.test_push_to_part import MANIFEST
from tests.support.hub_process import Person, RunningHub, agent_beside, enrol, hub_process
from tests.support.octoprint_fixtures import PROGRAM
from tests.support.solids import box, stl

BED = "lab/ender"


def main() -> None:
    """Run all and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=9)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-start-") as name:
        folder = Path(name)
        printers = farms.start(folder / "farm", 2, octoprint=PROGRAM)
        try:
            with hub_process(folder / "hub") as hub:
                ours, theirs = _measured(hub, printers, folder, chosen.runs)
        finally:
            farms.stop(folder / "farm")
    beyond = [our - their for our, their in zip(ours, theirs, strict=True)]
    figures = {
        "ready_to_print_started_s": _spread(ours),
        "octoprint_upload_and_start_s": _spread(theirs),
        "beyond_s": _spread(beyond),
    }
    print(json.dumps(figures, indent=2))  # noqa: T201 - a bench prints


def _measured(
    hub: RunningHub, printers: list[Instance], folder: Path, runs: int
) -> tuple[list[float], list[float]]:
    ada, (printer, alone) = hub.person("ada"), printers
    files = {"okh.toml": MANIFEST, "piece.stl": stl(box(8, 8, 3))}
    commit = ada.push("distance-piece", files, folder=folder)
    hub.measured("ada/distance-piece", commit)
    config = enrol(ada, "lab", near="Seoul", octoprint=printer, folder=folder)
    ours, theirs = [], []
    with agent_beside(config):
        ada.until_seen("lab")
        for number in range(runs + 1):
            took, gcode = _ordered(ada, printer)
            bare = _bare(alone, gcode)
            if number:  # the first is sliced anew
                ours.append(took)
                theirs.append(bare)
    return ours, theirs


def _ordered(ada: Person, printer: Instance) -> tuple[float, Path]:
    """Seconds from READY to OctoPrint's PrintStarted, and the file that it printed."""
    ada.designhub("bed", "clear", BED)
    time.sleep(3.0)  # by then the agent has asked, and its question is held
    order = ada.ask(
        *("order", "ada/distance-piece", "--near", "Seoul", "--by", "foot", "--layer-um", "300")
    )
    [job_id] = order["jobs"]
    job = ada.until(job_id, lambda job: bool(job.runs) and job.runs[-1].state == "printed")
    ada.designhub("job", "passed", job_id)
    assert job.ready_at is not None
    started = next(
        line
        for line in farms.print_log(printer)
        if line.event == "PrintStarted" and str(job.runs[-1].id) in line.path
    )
    file = Path(printer.basedir) / "uploads" / started.path
    return started.time - datetime.fromisoformat(job.ready_at).timestamp(), file


def _bare(printer: Instance, gcode: Path) -> float:
    """Seconds that OctoPrint itself takes to store the file and to begin to print it."""
    client, path = printer.client(), f"bench/{uuid4().hex}.gcode"
    began = time.time()
    client.upload(path, gcode, userdata={})
    client.start(path)
    while not (
        lines := [
            line
            for line in farms.print_log(printer)
            if line.path == path and line.event == "PrintStarted"
        ]
    ):
        time.sleep(0.01)
    until = time.monotonic() + 60
    while client.job().active:
        assert time.monotonic() < until
        time.sleep(0.1)
    return lines[0].time - began


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


if __name__ == "__main__":
    main()
