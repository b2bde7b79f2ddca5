"""The agent on a small board: what it installs, and what it loads."""

import json
import subprocess
import sys
import venv
from pathlib import Path

from designhub import wheel

ROOT = Path(__file__).parents[2]
HEAVY = (
    "numpy",
    "scipy",
    "sqlalchemy",
    "flask",
    "trimesh",
    "rich",
    "charset_normalizer",
    "designs",
)
LOADED = "import json, sys, designhub.commands.agent; print(json.dumps(sorted(sys.modules)))"


def test_the_command_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", LOADED],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "requests" in loaded
    assert sorted(loaded & set(HEAVY)) == []


def test_the_hubs_wheel_installs_without_a_compiler_or_numpy(tmp_path: Path) -> None:
    """Into an empty environment, from built wheels alone; then it can be asked for help."""
    there = tmp_path / "environment"
    venv.create(there, with_pip=True)
    offered = wheel.put_wheel(tmp_path)
    python, limits = there / "bin" / "python", ROOT / "constraints.txt"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "--quiet", "--only-binary", ":all:", "-c", str(limits), str(offered)],
        check=True,
        timeout=300,
    )
    listed = subprocess.run(
        [*pip, "list", "--format", "json"], capture_output=True, text=True, timeout=60, check=True
    )
    names = {each["name"].lower() for each in json.loads(listed.stdout)}
    assert {"designhub", "requests", "click", "rich"} <= names
    assert not names & {"numpy", "scipy", "flask", "sqlalchemy", "trimesh"}
    assert len(names) <= 20
    for command, known in (("agent", "--systemd"), ("job", "show"), ("printer", "enrol")):
        told = subprocess.run(
            [there / "bin" / "designhub", command, "--help"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert known in told.stdout
