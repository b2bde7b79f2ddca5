"""Child processes that never outlive us, and an orderly end on Ctrl-C or SIGTERM.

Each child leads a session of its own, so that Ctrl-C in a terminal reaches only us and we end the
others in the right order. Should we be killed, the kernel tells the children to stop.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from basis.errors import Unavailable

POLL_S = 0.05


class Child:
    """One running program with everything it starts.

    Make it in a thread that lives as long as it should: the kernel ends it with that thread.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """log : a file for all it says; without it, it says it where we do."""
        self.argv, self.log = tuple(argv), log
        with ExitStack() as opened:
            said = None if log is None else opened.enter_context(log.open("ab"))
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *argv],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=None if environment is None else dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def ended(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        return self._process.wait()

    def ask(self) -> None:
        """Ask it to end."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def stop(self, *, grace_s: float = 15.0) -> int:
        """Ask it to end; after `grace_s` it is killed with all that it started. The exit code."""
        if self._process.returncode is None:
            self.ask()
            until = time.monotonic() + grace_s
            while not self._over() and time.monotonic() < until:
                time.sleep(POLL_S)
            # Before it is waited for: until then nobody else can have its number.
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def last_words(self, *, lines: int = 8) -> str:
        """The end of its log on one line, for a message that says why it failed."""
        if self.log is None or not self.log.is_file():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 4_000))
            said = log.read().decode("utf-8", "replace").splitlines()
        return " | ".join(line.strip() for line in said[-lines:] if line.strip())

    def _over(self) -> bool:
        try:
            look = os.WEXITED | os.WNOWAIT | os.WNOHANG
            return os.waitid(os.P_PID, self.pid, look) is not None
        except ChildProcessError:
            return True


def stop_all(children: Sequence[Child], *, grace_s: float = 30.0) -> None:
    """End several at the same time."""
    for child in children:
        child.ask()
    for child in children:
        child.stop(grace_s=grace_s)


def check_port(host: str, port: int) -> int:
    """The port, which nobody listens on; for 0 a free one.

    Raises Unavailable naming the port when it is taken.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as exc:
            raise Unavailable(
                f"port {port} on {host} cannot be used ({exc.strerror}): end the program that holds"
                " it, or choose another with --port"
            ) from exc
        return int(probe.getsockname()[1])


class Asked(BaseException):
    """Raised in the main thread when this program is told to end."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP raise `Asked` once, so that every `finally` runs; while they
    do, further signals are passed over."""

    def end(number: int, _: FrameType | None) -> None:
        for each in known:
            signal.signal(each, signal.SIG_IGN)
        raise Asked(signal.Signals(number).name)

    known = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class KeptRunning:
    """A child that is started again when it ends unasked, a little later each time."""

    def __init__(self, argv: Sequence[str], *, most_pause_s: float = 30.0) -> None:
        self._argv, self._most_pause_s = argv, most_pause_s
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin; returns when the first child has been started."""
        self._thread.start()
        if not self._begun.wait(10):
            raise Unavailable(f"{self._argv[0]} could not be started")

    def stop(self) -> None:
        """End the child and do not start it again."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = 1.0
        while not self._stop.is_set():
            began = time.monotonic()
            child = Child(self._argv)
            self._begun.set()
            while child.ended() is None and not self._stop.wait(POLL_S * 4):
                pass
            child.stop(grace_s=20.0)
            if time.monotonic() - began > 60:
                pause_s = 1.0
            self._stop.wait(pause_s)
            pause_s = min(pause_s * 2, self._most_pause_s)


def this_program(*arguments: str) -> list[str]:
    """The command line of another `designhub` of this installation."""
    # -P: what lies in the present folder must not be taken for a module.
    return [sys.executable, "-P", "-m", "designhub.cli", *arguments]
