"""The agent's command: where its settings come from, what it says, and that it runs."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from rich.console import Console

from basis.errors import Invalid
from printers.agent import PrinterAt, Snapshot, View
from printers.agent_cli import agent, run_agent
from printers.agent_config import WHERE, load
from printers.agent_screen import screen
from printers.readings import Readings
from tests.support.hub_stand_in import TOKEN, HubStandIn, hub_served
from tests.support.octoprint_fixtures import StandInBench

FILE = """
hub = "https://hub.example/"
token = "dha_file"
wait_s = 5
[printers.ender]
url = "http://octopi.local"
key = "abc"
"""
BASE = {"hub": "http://h", "token": "t", "printers": "a=http://o,k"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    return path


@pytest.fixture
def address() -> Iterator[str]:
    with hub_served(HubStandIn("ender")) as url:
        yield url


def test_options_come_before_variables_before_the_file(file: Path, tmp_path: Path) -> None:
    environ = {"DESIGNHUB_AGENT_TOKEN": "dha_env", "DESIGNHUB_AGENT_WAIT_S": "7", "HOME": "/"}
    loaded = load(environ, {"config": str(file), "token": "dha_option", "folder": str(tmp_path)})
    assert loaded.warnings == ()
    assert loaded.agent.hub_url == "https://hub.example/"
    assert (loaded.agent.token, loaded.agent.wait_s) == ("dha_option", 7)
    assert loaded.agent.printers == {"ender": PrinterAt("http://octopi.local", "abc")}
    assert loaded.agent.folder == tmp_path


def test_a_file_that_others_can_read_is_worth_a_warning(file: Path) -> None:
    file.chmod(0o644)
    assert "chmod 600" in load({}, {"config": str(file)}).warnings[0]


@pytest.mark.parametrize(
    ("environ", "options", "says"),
    [
        ({"DESIGNHUB_AGENT_TOKNE": "x"}, BASE, f"DESIGNHUB_AGENT_TOKNE; the known ones: {WHERE}"),
        ({}, {**BASE, "wait_s": "61"}, "0 to 60"),
        ({}, {**BASE, "hub": ""}, "DESIGNHUB_AGENT_HUB"),
        ({}, {**BASE, "token": ""}, "--token"),
        ({}, {**BASE, "printers": ""}, "at least one printer"),
        ({}, {**BASE, "printers": "ender=http://o"}, "expected NAME=URL,KEY"),
        ({}, {**BASE, "printers": "a=http://o,k a=http://p,k"}, "named twice"),
        ({}, {**BASE, "printers": "a=http://o,k b=http://o/,j"}, "same OctoPrint"),
        ({}, {**BASE, "config": "/nowhere.toml"}, "No such file"),
    ],
)
def test_what_is_wrong_is_named(
    environ: dict[str, str], options: dict[str, str], says: str
) -> None:
    with pytest.raises(Invalid, match=re.escape(says)):
        load(environ, options)


@pytest.mark.parametrize("more", ["colour = 1", "hub = [1]", "[printers.b]\nurl = 'x'", "= ="])
def test_a_file_with_a_mistake_is_refused_by_name(more: str, file: Path) -> None:
    file.write_text(f"{more}\n{FILE}" if "[" not in more[:1] else f"{FILE}\n{more}")
    with pytest.raises(Invalid, match=r"agent\.toml"):
        load({}, {"config": str(file)})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"token": "dha_wrong"}, "change --token"),
        ({"hub": "http://127.0.0.1:9"}, "is --hub"),
        ({"name": "other"}, "gives this token only: ender"),
        ({"key": "wrong"}, "change its key"),
        ({"url": "http://127.0.0.1:9"}, "is its address right"),
        ({}, "OctoPrint"),
    ],
)
def test_the_check_says_which_setting_to_change(
    change: dict[str, str], says: str, address: str, stand_in: StandInBench, tmp_path: Path
) -> None:
    given = {
        "hub": address,
        "token": TOKEN,
        "name": "ender",
        "url": stand_in.url,
        "key": stand_in.api_key,
        **change,
    }
    argv = ["--check", "--hub", given["hub"], "--token", given["token"]]
    argv += ["--printer", f"{given['name']}={given['url']},{given['key']}"]
    result = CliRunner().invoke(agent, [*argv, "--folder", str(tmp_path / "agent")])
    assert says in result.output
    assert result.exit_code == (1 if change else 0)


def test_it_runs_and_logs_as_json(
    address: str,
    stand_in: StandInBench,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop = threading.Event()
    options = {
        "hub": address,
        "token": TOKEN,
        "folder": str(tmp_path / "agent"),
        "printers": f"ender={stand_in.url},{stand_in.api_key}",
    }
    threading.Timer(1.0, stop.set).start()
    begun = time.monotonic()
    run_agent(options, as_json=True, stop=stop, environ={})
    assert time.monotonic() - begun < 8
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"at", "level", "text"} <= lines[0].keys()
    assert any("knows this agent as bench" in line["text"] for line in lines)


def test_the_screen_shows_every_printer() -> None:
    views = (
        View(name="ender", ready=True, text="Operational", why_not="its bed is not clear"),
        View(
            name="mini",
            text="Printing [50%]",
            run=uuid4(),
            title="cube 1.0",
            progress_ppm=500_000,
            seconds_left=3_700,
            readings=Readings(
                nozzle_c=213, nozzle_target_c=215, bed_c=60, layer=12, layers=140, z_um=2_400
            ),
        ),
    )
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(screen(Snapshot(hub="connected", again_s=3.2, printers=views)))
    console.file.close()
    text = console.export_text()
    for words in (
        "free; its bed is not clear",
        "cube 1.0",
        "50 %",
        "1 h 01 min",
        "[50%]",
        "213/215",
        "60/?",
        "12/140",
        "in 3 s",
    ):
        assert words in text
