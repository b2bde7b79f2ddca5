"""The chaos experiment, small: every line of the protocol once, on real processes. Two seeds: one
that is always the same, and one that nobody has tried before.

    designhub bench chaos --seed SEED --printers 2 --jobs 10 --keep
"""

import json
import secrets
import subprocess
from pathlib import Path

import pytest

from basis.settings import environment_for_child
from designhub.chaos.marks import ALL_MARKS
from designhub.processes import this_program
from tests.flow.test_demo import processes_of

LIMIT_S = 1_200.0
FIXED = "everything that can go wrong"


@pytest.mark.timeout(LIMIT_S + 120)
@pytest.mark.parametrize("seed", [FIXED, ""], ids=["fixed", "new"])
def test_nothing_is_printed_twice_or_forgotten_whatever_dies(
    seed: str, octoprint_program: Path, tmp_path: Path
) -> None:
    seed, folder = seed or secrets.token_hex(4), tmp_path / "chaos"
    argv = [
        *("bench", "chaos", "--printers", "2", "--jobs", "10", "--json"),
        *("--seed", seed, "--folder", str(folder), "--octoprint", str(octoprint_program)),
    ]
    with subprocess.Popen(
        this_program(*argv),
        env=environment_for_child({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as experiment:
        try:
            stdout, stderr = experiment.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            experiment.terminate()  # then it ends what it started
            stdout, stderr = experiment.communicate()
    story = folder / "story.txt"
    told = story.read_text("utf-8") if story.is_file() else ""
    assert experiment.returncode == 0, f"seed {seed}\n{stderr}\n{stdout}\n{told}"
    found = json.loads(stdout.splitlines()[-1])
    print(f"seed {seed}: {found}")  # noqa: T201 - shown by pytest -s, and when something fails
    promised = ("double_starts", "forgotten", "occupied_starts", "book_mismatches")
    assert [found[promise] for promise in promised] == [0, 0, 0, 0]
    assert found["seed"] == seed
    assert found["jobs"] >= 10
    assert found["starts"] >= found["ends"]["done"] > 0
    assert all(found["marks"][mark] for mark in ALL_MARKS)
    assert found["kills"] >= len(ALL_MARKS)
    assert processes_of(folder) == []
