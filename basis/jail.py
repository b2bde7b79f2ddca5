"""Run a program on a stranger's file, so that the worst it can do is fail.

Two walls stand around every child:

- limits of memory, cpu, wall time, file size, open files and kept output, always;
- with bubblewrap (`Isolation.BUBBLEWRAP`) its own view of the files and no network: it sees the
  system and what is named `read_only`, and can write to its job folder only.

Where the kernel forbids user namespaces only `Isolation.LIMITS` is left: the limits, and another
user when we are root. That child can read what every user of the machine can read, and can reach
the network, so the caller decides whether that is enough for its program.

The limits are set by `prlimit` in front of the command: a `preexec_fn` is unsafe in a threaded
parent. They hold for each process; all that a job started ends at the wall limit at the latest.
"""

import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import IO, cast

from basis.errors import Invalid, NotFound, TooLarge, Unavailable

NOBODY = 65534  # the uid and gid without any file of its own on every Linux
PATH = "/usr/local/bin:/usr/bin:/bin"
NICE = 10
LAST_WORDS_S = 1.0  # how long a killed job may take to vanish
GRACE_CPU_S = 2  # between SIGXCPU, which a program may catch, and SIGKILL, which it may not
OUT_OF_MEMORY = (  # how programs say it, in Python, C++ and C
    b"MemoryError",
    b"bad_alloc",
    b"Cannot allocate memory",
    b"out of memory",
)


class How(StrEnum):
    """How a child ended."""

    OK = "ok"
    FAILED = "failed"  # it said no by itself, with an exit code other than 0
    TOO_SLOW = "too_slow"  # stopped at its cpu or wall limit
    TOO_COMPLEX = "too_complex"  # out of memory
    CRASHED = "crashed"  # killed by any other signal


class Isolation(StrEnum):
    """Which walls this machine can build around a child."""

    BUBBLEWRAP = "bubblewrap"  # limits, own view of the files, no network
    LIMITS = "limits"  # limits, and another user if we are root


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one child may use. Memory is address space, so a thread's reserved stack counts too."""

    memory_bytes: int
    cpu_s: int
    wall_s: float
    file_bytes: int
    open_files: int = 64
    output_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a child.

    `returncode` is minus the signal for a killed one. `stdout` keeps the first `output_bytes`,
    `stderr` the last: the answer stands at the beginning, the last words at the end.
    """

    how: How
    returncode: int
    stdout: bytes
    stderr: bytes
    wall_s: float


@cache
def isolation() -> Isolation:
    """What this machine can do, tried once with the real command."""
    if shutil.which("bwrap", path=PATH) is None:
        return Isolation.LIMITS
    command = [*_bubblewrap(Path("/usr"), read_only=(), environment={}), "/usr/bin/true"]
    try:
        probe = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return Isolation.LIMITS
    return Isolation.BUBBLEWRAP if probe.returncode == 0 else Isolation.LIMITS


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    limits: Limits,
    read_only: Sequence[Path] = (),
    environment: Mapping[str, str] = {},
    walls: Isolation | None = None,
) -> Ended:
    """Run `argv` in the job `folder` and wait for its end, at most `limits.wall_s` seconds.

    `folder` is the child's working directory and the only place it can write to; name files
    relative to it, for its absolute path is another one inside. Only the system, the folder and
    `read_only` (at their own absolute paths) exist there. The environment holds PATH, HOME, one
    thread for numerical libraries, and `environment`. No process of the job is left when this
    returns. `walls` chooses the isolation; by default the best this machine can do.

    A child that fails in any way is an `Ended`. Raises Unavailable when the program or `prlimit` is
    not installed, Invalid for a folder that does not exist.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise Invalid(f"the job folder {folder} does not exist")
    for program in (argv[0], "prlimit", "setpriv", "nice"):
        if "/" not in program and shutil.which(program, path=PATH) is None:
            raise Unavailable(f"the program {program} is not installed on this machine")
    walls, handles = walls or isolation(), list[int]()
    home = "/job" if walls is Isolation.BUBBLEWRAP else str(folder)
    around = {"PATH": PATH, "HOME": home, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    around |= {"MKL_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1", **environment}
    if walls is Isolation.BUBBLEWRAP:
        outside = _bubblewrap(folder, read_only=read_only, environment=around)
        command = [*outside, *_limited(limits), *argv]
    else:
        argv, handles = _by_handles(argv)
        command = [*_limited(limits), *_other_user(folder), *argv]
    started = time.monotonic()
    with (
        _closing(handles),
        subprocess.Popen(
            command,
            pass_fds=handles,
            cwd=folder,
            env=around,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as child,
    ):
        out, err = cast(IO[bytes], child.stdout), cast(IO[bytes], child.stderr)
        ear = _Ear(out.fileno(), err.fileno(), limit=limits.output_bytes)
        process = os.pidfd_open(child.pid)
        try:
            in_time = ear.until(started + limits.wall_s, process=process)
        finally:
            os.close(process)
            _kill(child.pid, folder, walls)
            child.wait()
        # The pipes end when the last process of the job is gone, and hold its last words.
        ear.until(time.monotonic() + LAST_WORDS_S)
    stdout, stderr = bytes(ear.said[ear.out]), bytes(ear.said[ear.err])
    code = child.returncode
    if walls is Isolation.BUBBLEWRAP and code > 128:  # bubblewrap says it the way a shell does
        code = 128 - code
    wall_s = time.monotonic() - started
    # bubblewrap does not pass on how much cpu its children used, so this is the most they can have.
    cpu_used_up = wall_s * (os.cpu_count() or 1) >= limits.cpu_s
    return Ended(
        how=_how(code, stderr, in_time=in_time, cpu_used_up=cpu_used_up),
        returncode=code,
        stdout=stdout,
        stderr=stderr,
        wall_s=wall_s,
    )


def read_result(folder: Path, name: str, *, limit_bytes: int) -> bytes:
    """The content of the plain file `name` that a child left in its job folder.

    A child may have put a link, a pipe or a flood there instead: a link would make *us* read a
    file that the child could not see. Raises NotFound for anything but a plain file of one name,
    TooLarge over `limit_bytes`.
    """
    if size_of_result(folder, name) > limit_bytes:
        raise TooLarge(f"{name!r} is larger than {limit_bytes} bytes")
    return (folder / name).read_bytes()


def size_of_result(folder: Path, name: str) -> int:
    """The size in bytes of the plain file `name` that a child left in its job folder; from then on
    the file is safe to open, for nothing of the job is left to change it.

    Raises NotFound for anything but a plain file of one name.
    """
    if "/" in name or name in ("", ".", ".."):
        raise NotFound(f"{name!r} is not the name of a file in the job folder")
    try:
        about = (folder / name).lstat()
    except OSError as exc:
        raise NotFound(f"the job left no readable file {name!r}: {exc.strerror}") from exc
    if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
        raise NotFound(f"the job left something else than a plain file as {name!r}")
    return about.st_size


def python_paths() -> tuple[Path, ...]:
    """What a child running our own interpreter must see, for `read_only`."""
    named = {Path(sys.prefix), Path(sys.base_prefix)}  # as its own paths say, links and all
    places = named | {place.resolve() for place in named}
    return tuple(sorted(place for place in places if not place.is_relative_to("/usr")))


def _bubblewrap(
    folder: Path, *, read_only: Sequence[Path], environment: Mapping[str, str]
) -> list[str]:
    """The command that builds the view of the files; what follows it runs inside."""
    command = ["bwrap", "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"]
    command += ["--cap-drop", "ALL", "--clearenv", "--ro-bind", "/usr", "/usr"]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    for place in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if Path(place).is_symlink():
            command += ["--symlink", str(Path(place).readlink()), place]
        elif Path(place).is_dir():
            command += ["--ro-bind", place, place]
    for place in ("/etc/fonts", "/etc/alternatives", "/etc/ld.so.cache"):
        command += ["--ro-bind-try", place, place]
    command += ["--proc", "/proc", "--dev", "/dev"]
    for path in read_only:
        command += ["--ro-bind", str(path), str(path)]
    command += ["--bind", str(folder), "/job", "--chdir", "/job"]
    # The root and /dev are file systems in memory: writable they would be memory without a limit.
    return [*command, "--remount-ro", "/", "--remount-ro", "/dev", "--"]


def _limited(limits: Limits) -> list[str]:
    return [
        *("nice", "-n", str(NICE), "prlimit", "--core=0"),
        f"--as={limits.memory_bytes}",
        f"--cpu={limits.cpu_s}:{limits.cpu_s + GRACE_CPU_S}",
        f"--fsize={limits.file_bytes}",
        f"--nofile={limits.open_files}",
        "--",
    ]


def _other_user(folder: Path) -> list[str]:
    """Become nobody if we are root, and give that user the folder."""
    command = ["setpriv", "--no-new-privs", "--pdeathsig", "KILL"]
    if os.geteuid() != 0:
        return [*command, "--"]
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return [*command, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


def _by_handles(argv: Sequence[str]) -> tuple[list[str], list[int]]:
    """Name the folders in `argv` by open handles, which lead there past folders that nobody may
    not enter: a checkout below /root is read so, and nothing else of /root."""
    if os.geteuid() != 0:
        return list(argv), []
    named, handles = list[str](), list[int]()
    for word in argv:
        if word.startswith("/") and Path(word).is_dir():
            handles.append(os.open(word, os.O_PATH | os.O_DIRECTORY))
            word = f"/proc/self/fd/{handles[-1]}"
        named.append(word)
    return named, handles


@contextmanager
def _closing(handles: Sequence[int]) -> Iterator[None]:
    try:
        yield
    finally:
        for handle in handles:
            os.close(handle)


class _Ear:
    """Listens to a child: keeps stdout's beginning and stderr's end, in bounded memory."""

    def __init__(self, out: int, err: int, *, limit: int) -> None:
        self.out, self.err, self.limit = out, err, limit
        self.said = {out: bytearray(), err: bytearray()}
        for pipe in self.said:
            os.set_blocking(pipe, False)

    def until(self, deadline: float, *, process: int | None = None) -> bool:
        """Listen until the process (a pidfd) ends, or without one until nobody holds the pipes;
        False when the deadline came first.

        The end of the process decides, not the end of its output: a grandchild may hold a pipe
        open for ever.
        """
        with selectors.DefaultSelector() as waiting:
            for descriptor in self.said if process is None else (*self.said, process):
                waiting.register(descriptor, selectors.EVENT_READ)
            while waiting.get_map() and (left_s := deadline - time.monotonic()) > 0:
                for key, _ in waiting.select(left_s):
                    if key.fd == process:
                        return True
                    if not self._take(key.fd):
                        waiting.unregister(key.fd)
            return not waiting.get_map()

    def _take(self, pipe: int) -> bool:
        """Read one piece and keep what the limit allows; False at the end of the pipe."""
        try:
            piece = os.read(pipe, 65_536)
        except BlockingIOError:
            return True
        said = self.said[pipe]
        if pipe == self.err:
            said += piece
            del said[: max(0, len(said) - self.limit)]
        else:
            said += piece[: max(0, self.limit - len(said))]
        return bool(piece)


def _kill(pid: int, folder: Path, walls: Isolation) -> None:
    """End the whole job: the process group, and everything that left it.

    Under bubblewrap the job's process namespace dies with its first process. Without it, whoever
    left the group is known by its working directory.
    """
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # not waited for yet, so the id is still ours
    if walls is Isolation.BUBBLEWRAP:
        return
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in (os.getpid(), pid):
            continue
        try:
            if (entry / "cwd").readlink().is_relative_to(folder):
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue  # gone, or somebody else's: then it cannot be of this job


def _how(code: int, stderr: bytes, *, in_time: bool, cpu_used_up: bool) -> How:
    if not in_time or code == -signal.SIGXCPU:
        return How.TOO_SLOW
    if code == 0:
        return How.OK
    if code == -signal.SIGKILL:  # nobody kills a child in time but the kernel: cpu, or memory
        return How.TOO_SLOW if cpu_used_up else How.TOO_COMPLEX
    if any(words in stderr for words in OUT_OF_MEMORY):
        return How.TOO_COMPLEX
    return How.CRASHED if code < 0 else How.FAILED
