"""Three copies on one plate, really sliced and printed; one comes loose and is made again."""

from pathlib import Path

from designhub.api import schema
from tests.support.hub_process import RunningHub, agent_beside, command, enrol
from tests.support.octoprint_fixtures import Farm
from tests.support.solids import box, stl


def test_a_plate_of_three_of_which_two_are_good(
    running_hub: RunningHub, farm: Farm, tmp_path: Path
) -> None:
    owner = running_hub.person()
    commit = owner.push("feet", {"foot.stl": stl(box(6, 6, 2))}, folder=tmp_path)
    running_hub.measured(f"{owner.name}/feet", commit)
    lab = f"lab-of-{owner.name}"
    config = enrol(owner, lab, near="20.5,0.5", octoprint=farm.fresh(0), folder=tmp_path)
    with agent_beside(config):
        owner.until_seen(lab)
        assert "up to 3 copies" in owner.designhub("printer", "plates", f"{lab}/ender", "3")
        owner.designhub("bed", "clear", f"{lab}/ender")
        ask = ("order", f"{owner.name}/feet", "--near", "20.5,0.5", "--max-km", "50")
        order = owner.ask(*ask, "--copies", "3", "--layer-um", "300")
        [first] = order["jobs"]
        whole = owner.until(
            first, lambda each: bool(each.runs) and each.runs[-1].state == "printed"
        )
        assert (whole.pieces, whole.copies, whole.good) == (3, 3, None)
        said = owner.designhub(
            *("job", "failed", first, "--because", "one came loose", "--good", "2", "--again")
        )
        assert "copies 1 to 2 of 3" in said
        owner.designhub("bed", "clear", f"{lab}/ender")
        made = owner.api.ask(schema.Order, "GET", f"/orders/{order['id']}")
        [second] = [each for each in made.jobs if str(each) != first]
        last = owner.until(
            str(second), lambda job: bool(job.runs) and job.runs[-1].state == "printed"
        )
        assert (last.copy, last.pieces) == (3, 1)
        assert last.gcode_sha256 != whole.gcode_sha256 and last.mass_mg < whole.mass_mg
        owner.designhub("job", "passed", str(second))
    ended = [schema.Job.from_json(owner.ask("job", "show", str(each))) for each in made.jobs]
    assert [(job.state, job.good) for job in ended] == [("done", 2), ("done", None)]
    for job in ended:
        prints = [line.event for line in farm.log(0) if str(job.runs[0].id) in line.path]
        assert prints == ["PrintStarted", "PrintDone"]
    book = tmp_path / "entries.jsonl"
    book.write_bytes(b"".join(owner.api.lines("/book/entries.jsonl")))
    audit = command("audit", str(book))
    assert audit.returncode == 0, audit.stdout + audit.stderr
