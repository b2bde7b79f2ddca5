"""The jail, with real children: what they may use, see, reach and leave behind."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from basis.errors import Invalid, NotFound, TooLarge, Unavailable
from basis.jail import Ended, How, Isolation, Limits, isolation, python_paths, read_result, run

PYTHON = sys.executable
MB = 1_000_000
Runs = Callable[..., Ended]

boxed = pytest.mark.skipif(
    isolation() is not Isolation.BUBBLEWRAP, reason="this machine forbids user namespaces"
)


def limits(
    *, memory_bytes: int = 500 * MB, cpu_s: int = 10, wall_s: float = 10, output_bytes: int = MB
) -> Limits:
    return Limits(
        memory_bytes=memory_bytes,
        cpu_s=cpu_s,
        wall_s=wall_s,
        file_bytes=2 * MB,
        output_bytes=output_bytes,
    )


def system_python() -> str:
    """A Python that another user can start too."""
    for path in ("/usr/bin/python3", PYTHON):
        reachable = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", path, "-c", ""],
            capture_output=True,
        )
        if reachable.returncode == 0 or os.geteuid() != 0:
            return path
    pytest.skip("no Python here that another user can start")


@pytest.fixture(params=list(Isolation))
def walls(request: pytest.FixtureRequest) -> Isolation:
    if request.param is Isolation.BUBBLEWRAP and isolation() is not Isolation.BUBBLEWRAP:
        pytest.skip("this machine forbids user namespaces")
    assert isinstance(request.param, Isolation)
    return request.param


@pytest.fixture
def python(tmp_path: Path, walls: Isolation) -> Runs:
    """Run a line of Python in the jail, once with every kind of walls."""
    interpreter = PYTHON if walls is Isolation.BUBBLEWRAP else system_python()

    def call(code: str, /, **changes: object) -> Ended:
        return run(
            [interpreter, "-I", "-c", code],
            folder=tmp_path,
            limits=limits(**changes),  # type: ignore[arg-type]
            read_only=python_paths(),
            walls=walls,
        )

    return call


def test_an_answer_comes_back_with_its_exit_code(python: Runs) -> None:
    ended = python("import sys; print('out'); print('err', file=sys.stderr)")
    assert (ended.how, ended.returncode, ended.stdout, ended.stderr) == (
        How.OK,
        0,
        b"out\n",
        b"err\n",
    )
    refused = python("raise SystemExit(3)")
    assert (refused.how, refused.returncode) == (How.FAILED, 3)


def test_too_much_memory_is_too_complex(python: Runs) -> None:
    assert python("x = bytearray(600_000_000)").how is How.TOO_COMPLEX
    assert python("x = bytearray(100_000_000)").how is How.OK


def test_an_endless_loop_ends_at_the_cpu_limit(python: Runs) -> None:
    ended = python("while True: pass", cpu_s=1)
    assert (ended.how, ended.returncode) == (How.TOO_SLOW, -24)


def test_one_that_ignores_the_cpu_signal_is_killed(python: Runs) -> None:
    code = "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    ended = python(code, cpu_s=1)
    assert (ended.how, ended.returncode) == (How.TOO_SLOW, -9)


def test_a_sleeper_ends_at_the_wall_limit(python: Runs) -> None:
    ended = python("import time; print('here', flush=True); time.sleep(60)", wall_s=0.7)
    assert (ended.how, ended.stdout) == (How.TOO_SLOW, b"here\n")
    assert ended.wall_s < 5


def test_a_signal_is_a_crash(python: Runs) -> None:
    ended = python("import os; os.kill(os.getpid(), 11)")
    assert (ended.how, ended.returncode) == (How.CRASHED, -11)


def test_a_flood_of_output_is_kept_within_its_limit(python: Runs) -> None:
    code = (
        "import sys\nsys.stdout.write('first' + 'x' * 30_000_000)\n"
        "sys.stderr.write('y' * 30_000_000 + 'last')"
    )
    ended = python(code, output_bytes=1000)
    assert ended.how is How.OK
    assert (len(ended.stdout), len(ended.stderr)) == (1000, 1000)
    assert ended.stdout.startswith(b"first")
    assert ended.stderr.endswith(b"last")


def test_it_writes_to_its_folder_up_to_the_file_limit(python: Runs, tmp_path: Path) -> None:
    assert python("open('a', 'wb').write(bytes(1_000_000))").how is How.OK
    assert (tmp_path / "a").stat().st_size == MB
    assert python("open('b', 'wb').write(bytes(3_000_000))").how is not How.OK
    assert (tmp_path / "b").stat().st_size <= 2 * MB


def test_every_limit_stands_before_the_program_begins(python: Runs) -> None:
    code = (
        "import os, resource as r; print([r.getrlimit(getattr(r, 'RLIMIT_' + each)) for each in"
        " ('AS', 'CPU', 'FSIZE', 'NOFILE', 'CORE')], os.getpid() == os.getsid(0) or os.getsid(0))"
    )
    said = python(code, memory_bytes=400 * MB, cpu_s=7).stdout.decode()
    limits = f"[({400 * MB}, {400 * MB}), (7, 9), ({2 * MB}, {2 * MB}), (64, 64), (0, 0)]"
    assert said.startswith(limits), said
    assert said.split()[-1] != str(os.getsid(0))


def test_a_file_handed_over_may_be_changed_there(python: Runs, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("old")
    assert python("open('given', 'w').write('new')").how is How.OK
    assert (tmp_path / "given").read_text() == "new"


def test_it_cannot_write_outside_its_folder(python: Runs, tmp_path: Path) -> None:
    beside = tmp_path.parent / f"{tmp_path.name}-beside"
    beside.mkdir()
    places = [f"{beside}/x", "/usr/x", "/etc/x", "/x", "/dev/x", "../x"]
    code = f"""
import os
for place in {places!r}:
    try: open(place, 'w'); print('wrote', place)
    except OSError: pass
"""
    ended = python(code)
    assert (ended.how, ended.stdout) == (How.OK, b"")
    assert list(beside.iterdir()) == []


def test_a_grandchild_in_its_own_session_dies_with_the_job(python: Runs, tmp_path: Path) -> None:
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            open('beat', 'a').write('x'); time.sleep(0.01)
    os._exit(0)
time.sleep(0.3)
"""
    assert python(code).how is How.OK
    size = (tmp_path / "beat").stat().st_size
    assert size > 0
    time.sleep(0.2)
    assert (tmp_path / "beat").stat().st_size == size


def test_its_environment_is_empty_but_for_what_it_needs(python: Runs) -> None:
    ended = python("import os; print(sorted(os.environ))")
    for name in (b"PATH", b"HOME", b"OMP_NUM_THREADS", b"OPENBLAS_NUM_THREADS"):
        assert name in ended.stdout
    assert b"VIRTUAL_ENV" not in ended.stdout
    assert b"PYTEST" not in ended.stdout


def test_it_gets_what_is_given_and_no_input(tmp_path: Path, walls: Isolation) -> None:
    ended = run(
        ["sh", "-c", "cat; echo $GIVEN; nice"],
        folder=tmp_path,
        limits=limits(),
        environment={"GIVEN": "yes"},
        walls=walls,
    )
    assert ended.stdout == b"yes\n10\n"


@boxed
def test_it_has_no_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        ended = run(
            [PYTHON, "-I", "-c", code],
            folder=tmp_path,
            limits=limits(),
            read_only=python_paths(),
            walls=Isolation.BUBBLEWRAP,
        )
    assert ended.how is How.FAILED
    assert b"OSError" in ended.stderr or b"Error" in ended.stderr


@boxed
def test_an_environment_behind_a_link_runs_in_it(tmp_path: Path) -> None:
    (tmp_path / "env").symlink_to(sys.prefix)
    (tmp_path / "job").mkdir()
    code = (
        "import sys; from pathlib import Path; from basis.jail import *\n"
        "ended = run([sys.executable, '-I', '-c', 'print(7)'], folder=Path(sys.argv[1]),"
        " limits=Limits(memory_bytes=10**9, cpu_s=10, wall_s=20, file_bytes=10**6),"
        " read_only=python_paths())\n"
        "print(ended)"
    )
    done = subprocess.run(
        [tmp_path / "env" / "bin" / "python", "-c", code, tmp_path / "job"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "stdout=b'7\\n'" in done.stdout, done.stdout + done.stderr


@boxed
def test_it_sees_only_the_system_and_what_it_is_given(tmp_path: Path) -> None:
    for name in ("job", "given", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    command = f"cat file; cat {tmp_path}/given/file; cat {tmp_path}/secret/file /etc/passwd; ls /"
    ended = run(
        ["sh", "-c", command],
        folder=tmp_path / "job",
        limits=limits(),
        read_only=[tmp_path / "given"],
        walls=Isolation.BUBBLEWRAP,
    )
    assert ended.stdout.startswith(b"jobgiven")
    assert b"secret" not in ended.stdout
    assert b"root:" not in ended.stdout
    assert b"home" not in ended.stdout.split()
    writing = run(
        ["sh", "-c", f"echo x > {tmp_path}/given/file"],
        folder=tmp_path / "job",
        limits=limits(),
        read_only=[tmp_path / "given"],
        walls=Isolation.BUBBLEWRAP,
    )
    assert writing.how is How.FAILED
    assert (tmp_path / "given" / "file").read_text() == "given"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_without_namespaces_the_child_of_root_is_nobody(tmp_path: Path) -> None:
    ended = run(["id", "-u"], folder=tmp_path, limits=limits(), walls=Isolation.LIMITS)
    assert ended.stdout == b"65534\n"
    (tmp_path.parent / "secret").write_text("secret")
    (tmp_path.parent / "secret").chmod(0o600)
    ended = run(["cat", "../secret"], folder=tmp_path, limits=limits(), walls=Isolation.LIMITS)
    assert (ended.how, ended.stdout) == (How.FAILED, b"")


def test_the_job_dies_with_its_parent(tmp_path: Path, walls: Isolation) -> None:
    beat = "while true; do echo x >> beat; sleep 0.02; done"
    code = f"""
from pathlib import Path
from basis.jail import *
run(["sh", "-c", {beat!r}], folder=Path({str(tmp_path)!r}), walls=Isolation({walls.value!r}),
    limits=Limits(memory_bytes=10**9, cpu_s=10, wall_s=20, file_bytes=10**6))
"""
    parent = subprocess.Popen([PYTHON, "-c", code])
    deadline = time.monotonic() + 10
    while not (tmp_path / "beat").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    time.sleep(0.2)
    size = (tmp_path / "beat").stat().st_size
    assert size > 0
    time.sleep(0.3)
    assert (tmp_path / "beat").stat().st_size == size


def test_a_missing_program_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no-such-program"):
        run(["no-such-program"], folder=tmp_path, limits=limits())
    with pytest.raises(Invalid, match="missing"):
        run(["true"], folder=tmp_path / "missing", limits=limits())


def test_a_result_is_a_plain_file_within_its_limit(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(b"12345")
    assert read_result(tmp_path, "good", limit_bytes=5) == b"12345"
    with pytest.raises(TooLarge):
        read_result(tmp_path, "good", limit_bytes=4)
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "second").hardlink_to(tmp_path / "good")
    for name in ("link", "pipe", "folder", "second", "none", "../x", ""):
        with pytest.raises(NotFound):
            read_result(tmp_path, name, limit_bytes=5)
