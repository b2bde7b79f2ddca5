"""What people get wrong, and what they are told: each answer says what to do next."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from designhub.api import schema
from designhub.client import HubApi, HubSays
from tests.support.full_disk import small_disk
from tests.support.git_server import Refused, Work
from tests.support.hub_process import (
    RunningHub,
    agent_beside,
    command,
    enrol,
    hub_process,
)
from tests.support.octoprint_fixtures import Farm
from tests.support.solids import box, stl

SMALL = stl(box(8, 8, 3))
HUGE = stl(box(900, 10, 2))


def test_a_design_without_a_manifest_is_taken_with_advice(
    running_hub: RunningHub, tmp_path: Path
) -> None:
    ada = running_hub.person()
    ada.designhub("design", "create", "plain")
    work = Work(tmp_path / "plain")
    commit = work.commit({"piece.stl": SMALL})
    pushed = work.try_git("push", ada.address("plain"), "main")
    assert pushed.returncode == 0
    assert "no okh.toml yet" in pushed.stderr
    version = running_hub.measured(f"{ada.name}/plain", commit)
    assert [part.refusal for part in version.parts] == [None]
    assert "no licence" in ada.designhub("design", "show", f"{ada.name}/plain")


def test_a_broken_mesh_says_how_to_mend_it(running_hub: RunningHub, tmp_path: Path) -> None:
    ada = running_hub.person()
    commit = ada.push("broken", {"piece.stl": SMALL[:-40]}, folder=tmp_path)
    [part] = running_hub.measured(f"{ada.name}/broken", commit).parts
    assert part.refusal is not None
    assert part.refusal_text is not None
    said = ada.designhub("order", f"{ada.name}/broken", "--near", "Seoul", fails=True)
    assert part.refusal_text in said
    assert part.refusal_text in ada.designhub("design", "show", f"{ada.name}/broken")


def test_a_wrong_password_is_not_taken_for_nobody(running_hub: RunningHub, tmp_path: Path) -> None:
    ada = running_hub.person()
    ada.designhub("design", "create", "mine")
    work = Work(tmp_path / "mine")
    work.commit({"piece.stl": SMALL})
    wrong = ada.address("mine").replace(ada.token, "not-the-password")
    with pytest.raises(Refused, match="Authentication failed"):
        work.git("push", wrong, "main")
    done = command("design", "list", hub=ada.url, token="dht_wrong")
    assert done.returncode == 1
    assert done.stderr == "Error: this token is unknown or was revoked; make a new one\n"


def test_a_hub_that_is_away_is_named(tmp_path: Path) -> None:
    done = command("design", "list", hub="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "no hub answers at http://127.0.0.1:9" in done.stderr
    assert "--hub" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_no_printer_can_make_says_why_not(
    running_hub: RunningHub, farm: Farm, tmp_path: Path
) -> None:
    """Too large for every bed, or of a material that nobody has loaded."""
    owner = running_hub.person()
    owner.push("pieces", {"huge.stl": HUGE, "small.stl": SMALL}, folder=tmp_path)
    commit = Work(tmp_path / "pieces").head()
    running_hub.measured(f"{owner.name}/pieces", commit)
    lab = f"lab-of-{owner.name}"
    config = enrol(owner, lab, near="0.5,0.5", octoprint=farm.fresh(0), folder=tmp_path)
    with agent_beside(config):
        owner.until_seen(lab)
        ask = ("order", f"{owner.name}/pieces", "--near", "0.5,0.5", "--max-km", "50")
        too_big = owner.designhub(*ask, "--part", "huge", fails=True)
        assert "its bed is 200 × 200 mm, the part needs 900 × 10" in too_big
        assert "only another design could change that" in too_big
        no_material = owner.designhub(*ask, "--part", "small", "--material", "PETG", fails=True)
        assert "PLA is loaded, not PETG (the workshop can change that)" in no_material
        assert f"{lab}/ender" in no_material
        which = owner.designhub(*ask, fails=True)
        assert "say which part; the parts of this version: huge, small" in which


def test_a_bed_that_nobody_cleared_stops_the_next_print(
    running_hub: RunningHub, farm: Farm, tmp_path: Path
) -> None:
    owner = running_hub.person()
    commit = owner.push("piece", {"piece.stl": SMALL}, folder=tmp_path)
    running_hub.measured(f"{owner.name}/piece", commit)
    lab = f"lab-of-{owner.name}"
    config = enrol(owner, lab, near="10.5,0.5", octoprint=farm.fresh(0), folder=tmp_path)
    said = tmp_path / "agent.log"
    with agent_beside(config, log=said):
        owner.until_seen(lab)
        [job] = owner.ask("order", f"{owner.name}/piece", "--near", "10.5,0.5", "--max-km", "50")[
            "jobs"
        ]
        owner.until(job, lambda each: each.state == "ready")
        time.sleep(2)  # more than one question of the agent
        assert owner.until(job, lambda _: True).state == "ready"
        assert "bed occupied" in owner.designhub("printer", "show", f"{lab}/ender")
        too_early = owner.designhub("job", "passed", job, fails=True)
        assert "there is no print of it to judge" in too_early
        owner.designhub("bed", "clear", f"{lab}/ender")
        owner.until(job, lambda each: bool(each.runs) and each.runs[-1].state == "printing")
        moving = owner.designhub("bed", "clear", f"{lab}/ender", fails=True)
        assert "wait for its end, or cancel it" in moving
        owner.designhub("job", "cancel", job)
        owner.until(job, lambda each: each.state == "cancelled")


def test_an_agent_with_a_wrong_key_says_which(
    running_hub: RunningHub, farm: Farm, tmp_path: Path
) -> None:
    owner = running_hub.person()
    lab, printer = f"lab-of-{owner.name}", farm.fresh(0)
    config = enrol(owner, lab, near="20.5,0.5", octoprint=printer, folder=tmp_path)
    right = config.read_text()
    check = ("agent", "--check", "--config", str(config))
    assert "ender: OctoPrint 1." in command(*check).stdout
    config.write_text(right.replace(printer.api_key, "0" * 32))
    done = command(*check)
    assert done.returncode == 1
    assert "printer ender" in done.stderr
    assert "change its key" in done.stderr
    config.write_text(right.replace('token = "dha_', 'token = "dha_x'))
    done = command(*check)
    assert done.returncode == 1
    assert "change --token" in done.stderr


def test_a_full_disk_refuses_in_words_and_is_survived(tmp_path: Path) -> None:
    """On a small disk that is filled to the last byte: nothing is half done, reading goes on, and
    when there is room again so does writing."""
    control, data = tmp_path / "full", tmp_path / "hub"
    with hub_process(data, before=small_disk(data, control)) as hub:
        ada = hub.person()
        ada.push("kept", {"piece.stl": SMALL}, folder=tmp_path)
        hub.measured(f"{ada.name}/kept", Work(tmp_path / "kept").head())
        control.touch()
        _wait(control.with_suffix(".done").exists)
        with pytest.raises(HubSays, match="the hub's disk is full; nothing was changed") as full:
            for number in range(200):  # the database may still have room in its own pages
                asked = schema.DesignAsk(name=f"more-{number}", description="x" * 4_000)
                ada.api.ask(schema.Design, "POST", "/designs", asked)
        assert full.value.status == 503
        work = Work(tmp_path / "kept")
        work.commit({"noise.bin": bytes(range(256)) * 40_000})
        with pytest.raises(Refused):
            work.git("push", ada.address("kept"), "main")
        assert HubApi(hub.url).ask(schema.Designs, "GET", "/designs").designs
        control.unlink()
        _wait(lambda: not control.with_suffix(".done").exists())
        work.git("push", ada.address("kept"), "main")
        hub.measured(f"{ada.name}/kept", work.head())


def _wait(met: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not met():
        assert time.monotonic() < until
        time.sleep(0.02)
