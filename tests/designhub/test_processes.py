"""Children end when they are told to, when their parent dies, and not before."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from basis.errors import Unavailable
from designhub.processes import Child, KeptRunning, check_port

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + (
    "open('ready', 'w').close(); time.sleep(60)"
)
FAMILY = "import subprocess; p = subprocess.Popen(['sleep', '61']); print(p.pid, flush=True); " + (
    "p.wait()"
)


def eventually(met: Callable[[], object], *, limit_s: float = 10.0) -> None:
    until = time.monotonic() + limit_s
    while not met():
        assert time.monotonic() < until
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_deaf_child_is_killed_with_all_it_started(tmp_path: Path) -> None:
    deaf = Child([sys.executable, "-c", DEAF], folder=tmp_path)
    eventually((tmp_path / "ready").exists)
    assert deaf.stop(grace_s=0.2) == -signal.SIGKILL
    log = tmp_path / "log"
    family = Child([sys.executable, "-c", FAMILY], log=log)
    eventually(lambda: log.read_text().strip())
    grandchild = int(log.read_text())
    assert family.stop() == -signal.SIGTERM
    eventually(lambda: not lives(grandchild))
    assert family.last_words() == str(grandchild)


def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    runs = f"open({str(tmp_path / 'runs')!r}, 'w').close(); {SLEEP}"
    program = (
        "import sys, time; from designhub.processes import Child;"
        f"print(Child([sys.executable, '-c', {runs!r}]).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        eventually((tmp_path / "runs").exists)
        assert lives(child)
        parent.kill()
        eventually(lambda: not lives(child))


def test_what_is_kept_running_comes_back(tmp_path: Path) -> None:
    log = tmp_path / "pids"
    program = (
        f"import os, time; open({str(log)!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(60)"
    )
    kept = KeptRunning([sys.executable, "-c", program])
    kept.start()
    try:
        eventually(log.exists)
        eventually(lambda: log.read_text().endswith("\n"))
        os.kill(int(log.read_text()), signal.SIGKILL)
        eventually(lambda: len(log.read_text().splitlines()) == 2)
    finally:
        kept.stop()
    assert not any(lives(int(pid)) for pid in log.read_text().split())


def test_a_port_that_is_taken_is_named() -> None:
    port = check_port("127.0.0.1", 0)
    assert check_port("127.0.0.1", port) == port
    with pytest.raises(Unavailable, match=r"port 1 on 192\.0\.2\.1 cannot be used"):
        check_port("192.0.2.1", 1)
