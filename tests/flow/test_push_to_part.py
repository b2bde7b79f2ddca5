"""The whole way, with the real things: a design is pushed with git, measured, ordered near a place,
sliced by PrusaSlicer, printed by OctoPrint through an agent, accepted, and proven in the book.

Read this first: it is what DesignHub is for.
"""

import time
from pathlib import Path

from designhub.api import schema
from tests.support.hub_process import RunningHub, agent_beside, command, enrol
from tests.support.octoprint_fixtures import Farm
from tests.support.solids import box, stl

MANIFEST = b"""\
okhv = "2.4"
name = "Distance piece"
license = "CERN-OHL-S-2.0"
licensor = "Ada"
function = "Keeps two boards apart."
version = "1.0.0"

[[part]]
name = "Piece"
export = "piece.stl"
"""


def test_a_push_becomes_a_part_in_the_hand(
    running_hub: RunningHub, farm: Farm, tmp_path: Path
) -> None:
    hub, seconds = running_hub, Seconds()
    ada, ben, cho = hub.person("ada"), hub.person("ben"), hub.person("cho")

    # Ada pushes a design, and the hub measures it.
    files = {"okh.toml": MANIFEST, "piece.stl": stl(box(8, 8, 3)), "README.md": b"# Piece\n"}
    commit = ada.push("distance-piece", files, folder=tmp_path)
    seconds.pushed()
    version = hub.measured("ada/distance-piece", commit)
    seconds("facts")
    [piece] = version.parts
    assert piece.facts is not None
    assert (piece.facts["size_x_um"], piece.facts["size_z_um"]) == (8_000, 3_000)
    assert piece.facts["volume_mm3"] == 192.0
    assert version.licence == "CERN-OHL-S-2.0"

    # Cho runs a printer in Incheon: OctoPrint, an agent beside it, and a look at the bed.
    printer = farm.fresh(0)
    config = enrol(cho, "incheon-lab", near="Incheon, KR", octoprint=printer, folder=tmp_path)
    with agent_beside(config):
        cho.until_seen("incheon-lab")
        cho.designhub("bed", "clear", "incheon-lab/ender")

        # Ben, in Seoul, orders the part from whoever is nearest.
        seconds.pushed()
        order = ben.ask(
            *("order", "ada/distance-piece", "--near", "Seoul", "--prefer", "soonest"),
            *("--layer-um", "300", "--by", "bicycle"),
        )
        [job_id] = order["jobs"]
        job = ben.until(job_id, lambda job: job.ready_at is not None)
        seconds("order to ready")
        assert job.where.workshop == "incheon-lab"
        assert job.sliced_by is not None and "PrusaSlicer" in job.sliced_by

        # The agent fetches the work, and the printer makes it.
        watched = ben.designhub("job", "show", job_id, "--watch")
        assert f"Next: look at it, then: designhub job passed {job_id}" in watched
        seconds("print")

    # A person looks, says that it is good, and hands it over.
    cho.designhub("job", "passed", job_id)
    cho.designhub("bed", "clear", "incheon-lab/ender")
    done = schema.Job.from_json(ben.ask("job", "show", job_id))
    assert done.state == "done"

    # OctoPrint itself says that exactly this was printed, once.
    prints = [line.event for line in farm.log(0) if str(done.runs[0].id) in line.path]
    assert prints == ["PrintStarted", "PrintDone"]

    # Anybody can check the book without trusting the hub.
    book = tmp_path / "entries.jsonl"
    book.write_bytes(b"".join(ben.api.lines("/book/entries.jsonl")))
    audit = command("audit", str(book))
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert "The book is right" in audit.stdout
    assert f"job:{job_id}" in book.read_text()
    print(seconds)  # noqa: T201 - shown by pytest -s


class Seconds:
    """How long each step took, for whoever runs this with -s."""

    def __init__(self) -> None:
        self._since, self._took = time.monotonic(), dict[str, float]()

    def pushed(self) -> None:
        """A step begins."""
        self._since = time.monotonic()

    def __call__(self, step: str) -> None:
        now = time.monotonic()
        self._took[step], self._since = now - self._since, now

    def __str__(self) -> str:
        return ", ".join(f"{step} {took:.2f} s" for step, took in self._took.items())
