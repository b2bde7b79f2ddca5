"""The farm of real OctoPrint servers: it starts, survives, and touches nothing of others."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from basis.errors import Invalid, NotFound
from printers import farm as farms
from printers.farm import FarmError, Instance
from printers.octoprint import PrinterUnreachable, Verdict
from tests.support.octoprint_fixtures import Farm, dwells, eventually


@pytest.mark.octoprint
def test_the_farm_is_up_and_alone(farm: Farm) -> None:
    instances = [farm.fresh(i) for i in range(farm.size)]
    assert len({instance.port for instance in instances}) == farm.size
    assert len({instance.api_key for instance in instances}) == farm.size
    for instance in instances:
        assert instance.url == f"http://127.0.0.1:{instance.port}"
        record = Path(instance.basedir) / "instance.json"
        assert record.stat().st_mode & 0o077 == 0
        assert json.loads(record.read_text()) == asdict(instance)
    assert [(each.alive, each.state) for each in farms.status(farm.folder)] == [
        (True, "Operational")
    ] * farm.size


@pytest.mark.octoprint
def test_starting_again_changes_nothing(farm: Farm) -> None:
    before, began = farm.start(), time.monotonic()
    assert farm.start() == before
    assert time.monotonic() - began < 2


@pytest.mark.octoprint
def test_a_killed_server_comes_back_on_its_own_files(
    farm: Farm, gcode_path: str, tmp_path: Path
) -> None:
    before = farm.fresh(1)
    client = before.client()
    client.upload(gcode_path, dwells(tmp_path, seconds=0.1), userdata={"run": 3})
    client.start(gcode_path)
    assert client.started(gcode_path)
    assert eventually(lambda: client.look(gcode_path, start_recorded=True) is Verdict.DONE)

    farm.kill(1)
    with pytest.raises(PrinterUnreachable):
        client.version()
    assert [each.alive for each in farms.status(farm.folder)] == [True, False, True]
    after = farm.start()[1]
    assert (after.url, after.api_key) == (before.url, before.api_key)
    assert after.pid != before.pid
    assert client.look(gcode_path, start_recorded=True) is Verdict.DONE
    assert [farm.prints(1, gcode_path, event) for event in ("PrintStarted", "PrintDone")] == [1, 1]


@pytest.mark.octoprint
def test_the_print_logger_counts_what_was_cancelled(
    farm: Farm, gcode_path: str, tmp_path: Path
) -> None:
    client = farm.fresh(2).client()
    client.upload(gcode_path, dwells(tmp_path, seconds=5), userdata={})
    client.start(gcode_path)
    assert client.started(gcode_path)
    client.cancel(gcode_path)
    assert eventually(lambda: farm.prints(2, gcode_path, "PrintFailed") == 1)
    mine = [line for line in farm.log(2) if line.path == gcode_path]
    assert [(line.event, line.reason) for line in mine] == [
        ("PrintStarted", None),
        ("PrintFailed", "cancelled"),
    ]


@pytest.mark.octoprint
def test_a_port_of_somebody_else_is_refused(octoprint_program: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(FarmError, match=str(port)):
            farms.start(tmp_path, 1, octoprint=octoprint_program, base_port=port)
    assert farms.recorded(tmp_path) == {}


def broken_octoprint(folder: Path, body: str) -> Path:
    """A program in place of OctoPrint that does not come up."""
    program = folder / "octoprint"
    program.write_text(f"#!{sys.executable}\n{body}\n")
    program.chmod(0o700)
    return program


def test_a_server_that_ends_is_explained_by_its_log(tmp_path: Path) -> None:
    program = broken_octoprint(tmp_path, "raise SystemExit('no serial library')")
    with pytest.raises(FarmError, match="ended; its log ends: no serial library"):
        farms.start(tmp_path / "farm", 2, octoprint=program)


def test_a_server_that_never_comes_up_is_ended(tmp_path: Path) -> None:
    program = broken_octoprint(tmp_path, "import time; print('hm', flush=True); time.sleep(60)")
    with pytest.raises(FarmError, match="not ready after 1 s; its log ends: hm"):
        farms.start(tmp_path / "farm", 2, octoprint=program, limit_s=1)
    assert not any(farms.alive(each) for each in farms.recorded(tmp_path / "farm").values())


def test_a_missing_octoprint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FarmError, match="make setup-octoprint"):
        farms.start(tmp_path, 1, octoprint=tmp_path / "bin" / "octoprint")


def test_only_a_sane_number_of_servers(tmp_path: Path) -> None:
    for count in (0, -1, 1000):
        with pytest.raises(Invalid):
            farms.start(tmp_path, count, octoprint=Path(sys.executable))


def test_a_process_of_the_same_number_is_not_signalled(tmp_path: Path) -> None:
    """The recorded number may belong to somebody else by now."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        basedir = tmp_path / "0"
        basedir.mkdir()
        stale = Instance(
            url="http://127.0.0.1:1", api_key="k", pid=other.pid, port=1, basedir=str(basedir)
        )
        (basedir / "instance.json").write_text(json.dumps(asdict(stale)))
        farms.kill(tmp_path, 0)
        farms.stop(tmp_path)
        assert other.poll() is None
        other.kill()


def test_a_server_that_is_not_there_cannot_be_killed(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        farms.kill(tmp_path, 4)


def test_stopping_what_never_ran_is_harmless(tmp_path: Path) -> None:
    farms.stop(tmp_path / "nothing")
    farms.stop(tmp_path)


def test_two_processes_do_not_change_one_farm_at_a_time(tmp_path: Path) -> None:
    with (
        farms.locked(tmp_path),
        pytest.raises(FarmError, match="another process"),
        farms.locked(tmp_path, limit_s=0.1),
    ):
        pass
    with farms.locked(tmp_path, limit_s=0.1):
        assert os.access(tmp_path / "farm.lock", os.F_OK)
