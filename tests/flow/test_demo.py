"""The demo as `make demo` runs it: to its end once, and stopped in mid-print by a signal."""

import json
import signal
import subprocess
import time
from pathlib import Path

from basis.settings import environment_for_child
from designhub.processes import check_port, this_program
from printers import farm

LIMIT_S = 240.0


def processes_of(folder: Path) -> list[str]:
    """Command lines of what runs on a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_the_demo_makes_a_part_and_leaves_nothing_running(
    octoprint_program: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "demo"
    port = str(check_port("127.0.0.1", 0))
    argv = this_program("demo", "--port", port, "--folder", str(folder))
    # Settings of another hub, which the demo must not touch.
    environment = environment_for_child({"DESIGNHUB_DATA_DIR": str(tmp_path / "others")})
    once = subprocess.run(
        [*argv, "--once"], env=environment, capture_output=True, text=True, timeout=LIMIT_S,
        check=False,
    )  # fmt: skip
    assert once.returncode == 0, once.stdout + once.stderr
    said = json.loads(once.stdout.splitlines()[-1])
    assert said["state"] == "done"
    assert set(said["seconds"]) == {"push", "analyse", "quote", "slice", "print"}
    assert len(said["gcode_sha256"]) == 64
    assert "looks good" in once.stdout
    assert said["commit"] in once.stdout
    assert not (tmp_path / "others").exists()
    assert processes_of(folder) == []
    prints = [
        line.event for i in farm.recorded(folder / "farm").values() for line in farm.print_log(i)
    ]
    assert prints == ["PrintStarted", "PrintDone"]

    # The second time everything is there already; a signal in mid-print ends it all.
    began = time.monotonic()
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout is not None
        for line in second.stdout:
            if ": printing" in line:
                break
        assert time.monotonic() - began < LIMIT_S
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=60)
    assert second.returncode == 130
    assert processes_of(folder) == []
