"""Real OctoPrint servers with virtual printers, for the demo and the tests. Loopback only.

OctoPrint lives in an environment of its own, because it pins an older Flask than the hub's. One
folder holds one farm: a directory per server, numbered from 0, with its configuration, its files,
its log and `instance.json`. What one process starts, another may look at, kill or stop.
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from basis.errors import Invalid, NotFound, Unavailable
from printers.farm_files import configure, hand_key, write
from printers.octoprint import OctoPrint, PrinterError

HOST = "127.0.0.1"
MOST = 64  # servers of one farm; each takes about 80 MB
MOMENT_S = 2.0  # what a process may take to have a command line, or to be gone


class FarmError(Unavailable):
    """A server of the farm did not start or stop; the message ends with what its log says."""

    code = "farm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One server. Its JSON is what `instance.json` holds and what the commands print."""

    url: str
    api_key: str
    pid: int
    port: int
    basedir: str

    def client(self) -> OctoPrint:
        """A client with the rights of the administrator."""
        return OctoPrint(self.url, api_key=self.api_key)

    @property
    def hand_key(self) -> str:
        """The key of whoever prints by hand at this machine."""
        return hand_key(self.api_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Whether a server's process lives, and what its printer says ("" when it cannot)."""

    instance: Instance
    alive: bool
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintEvent:
    """One line of the print logger: PrintStarted, PrintDone or PrintFailed."""

    event: str
    path: str
    time: float  # seconds since 1970, by the clock of the server
    reason: str | None = None  # of a failure: "cancelled" or "error"
    pid: int = 0  # of the server
    user: str | None = None  # of that OctoPrint, who started it


def start(
    folder: Path,
    count: int,
    *,
    octoprint: Path,
    base_port: int = 0,
    log_prints: bool = True,
    limit_s: float = 60.0,
) -> list[Instance]:
    """Have servers 0 to `count` - 1 of this folder run, with the virtual printer connected.

    What runs already stays; what died is revived on its own files, key and port.

    octoprint : the `octoprint` program of its own environment.
    base_port : server i listens on base_port + i; 0 takes free ports.
    limit_s   : how long all of them may take to be ready.

    Raises FarmError when one does not come up, after ending those that this call started.
    """
    if not 1 <= count <= MOST:
        raise Invalid(f"a farm has 1 to {MOST} servers, not {count}")
    if not octoprint.is_file():
        raise FarmError(f"there is no OctoPrint at {octoprint}: make setup-octoprint")
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(folder):
        known = recorded(folder)
        dead = [i for i in range(count) if i not in known or not alive(known[i])]
        ports = choose_ports(dead, base_port, known)
        begun: list[Instance] = []
        try:
            for i in dead:
                api_key = known[i].api_key if i in known else secrets.token_hex(16)
                basedir = folder / str(i)
                configure(basedir, api_key=None if i in known else api_key, log_prints=log_prints)
                begun.append(launch(basedir, octoprint=octoprint, port=ports[i], api_key=api_key))
            running = [instance for i, instance in recorded(folder).items() if i < count]
            wait_ready(running, fresh=begun, limit_s=limit_s)
        except BaseException:
            end(begun, gently=False)
            raise
    return running


def status(folder: Path) -> list[Status]:
    """Every server of the farm in this folder; asks each for the state of its printer."""
    return [
        Status(instance=instance, alive=alive(instance), state=state_of(instance))
        for instance in recorded(folder).values()
    ]


def kill(folder: Path, i: int) -> Instance:
    """End server `i` as a power cut would, at once and in mid-print; `start` revives it."""
    with locked(folder):
        known = recorded(folder)
        if i not in known:
            raise NotFound(
                f"{folder} has no server {i}, only {', '.join(map(str, known)) or 'none'}"
            )
        end([known[i]], gently=False)
        return known[i]


def stop(folder: Path) -> None:
    """End all servers of this folder, gently first. Their files stay; harmless to repeat."""
    if folder.is_dir():
        with locked(folder):
            end(list(recorded(folder).values()), gently=True)


def recorded(folder: Path) -> dict[int, Instance]:
    """The servers of this folder, running or not, by number."""
    numbers = sorted(int(found.parent.name) for found in folder.glob("[0-9]*/instance.json"))
    return {
        i: Instance(**json.loads((folder / str(i) / "instance.json").read_text("utf-8")))
        for i in numbers
    }


def print_log(instance: Instance) -> list[PrintEvent]:
    """What the server's own print logger wrote down, oldest first."""
    log = Path(instance.basedir) / "prints.jsonl"
    lines = log.read_text("utf-8").splitlines() if log.is_file() else []
    return [PrintEvent(**json.loads(line)) for line in lines]


def alive(instance: Instance) -> bool:
    """Whether the recorded process is still this server, and not another one of the same number.

    A process that has ended but was not waited for has no command line any more, and one that just
    begins has none yet: its state tells the two apart, and a moment later it has one.
    """
    process, until = Path(f"/proc/{instance.pid}"), time.monotonic() + MOMENT_S
    try:
        while not (line := (process / "cmdline").read_bytes()):
            state = (process / "stat").read_bytes().rpartition(b")")[2].split()[0]
            if state in (b"Z", b"X") or time.monotonic() > until:
                return False
            time.sleep(0.01)
    except OSError:
        return False
    return os.fsencode(instance.basedir) in line.split(b"\0")


def state_of(instance: Instance) -> str:
    """The state of the printer's line, "" while OctoPrint does not answer as OctoPrint."""
    client = OctoPrint(instance.url, api_key=instance.api_key, connect_s=1.0, read_s=5.0)
    with suppress(PrinterError):
        return client.connection()
    return ""


@contextmanager
def locked(folder: Path, *, limit_s: float = 90.0) -> Iterator[None]:
    """Only one process at a time changes the farm in `folder`."""
    until = time.monotonic() + limit_s
    with (folder / "farm.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                if time.monotonic() > until:
                    raise FarmError(f"another process is changing the farm in {folder}") from exc
                time.sleep(0.05)
        yield


def choose_ports(
    numbers: Sequence[int], base_port: int, known: Mapping[int, Instance]
) -> dict[int, int]:
    """A port for each server to start; FarmError for one that somebody else holds.

    A server keeps the port it had, so that agents find it again. All are held until all are
    chosen: two of them cannot be given the same free port.
    """
    chosen: dict[int, int] = {}
    with ExitStack() as held:
        for i in numbers:
            port = known[i].port if i in known else base_port + i if base_port else 0
            probe = held.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as exc:
                raise FarmError(f"port {port} of server {i} is held by another program") from exc
            chosen[i] = int(probe.getsockname()[1])
    return chosen


def launch(basedir: Path, *, octoprint: Path, port: int, api_key: str) -> Instance:
    """Start one server in a session of its own and record it; it is not ready yet."""
    argv = [
        *(str(octoprint), "serve", "--basedir", str(basedir)),
        *("--host", HOST, "--port", str(port), "--no-color"),
    ]
    if os.geteuid() == 0:
        argv.append("--iknowwhatimdoing")  # it refuses to run as root otherwise
    log = str(basedir / "farm.log")
    # Not subprocess: these servers outlive the process that starts them.
    pid = os.posix_spawn(
        str(octoprint),
        argv,
        {"PATH": os.defpath, "HOME": str(basedir), "LANG": "C.UTF-8"},  # no OCTOPRINT_* slips in
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE],
    )
    instance = Instance(
        url=f"http://{HOST}:{port}", api_key=api_key, pid=pid, port=port, basedir=str(basedir)
    )
    write(basedir / "instance.json", json.dumps(asdict(instance)))
    return instance


def wait_ready(instances: Sequence[Instance], *, fresh: Sequence[Instance], limit_s: float) -> None:
    """Wait until all answer, and the fresh ones have their printer connected.

    The port answers well before OctoPrint does, so only the state of the line counts. Raises
    FarmError with the end of the log for one that does not get there.
    """
    until = time.monotonic() + limit_s
    for instance in instances:
        while True:
            lives, state = alive(instance), state_of(instance)
            if lives and (state == "Operational" or (state and instance not in fresh)):
                break
            if not lives or time.monotonic() > until:
                fate = f"is not ready after {limit_s:.0f} s" if lives else "ended"
                tail = log_tail(Path(instance.basedir))
                raise FarmError(f"{instance.basedir}: OctoPrint {fate}; its log ends: {tail}")
            time.sleep(0.05)


def log_tail(basedir: Path) -> str:
    """The last words of a server's log, on one line."""
    log = basedir / "farm.log"
    lines = log.read_text("utf-8", "replace").split("\n") if log.is_file() else []
    return " | ".join(line.strip() for line in lines[-8:] if line.strip())[-500:]


def end(instances: Sequence[Instance], *, gently: bool) -> None:
    """End exactly these processes: SIGTERM and 10 s for all when gently, then SIGKILL."""
    ours = [instance for instance in instances if alive(instance)]
    for sign in (signal.SIGTERM, signal.SIGKILL) if gently else (signal.SIGKILL,):
        for instance in ours:
            send(instance, sign)
        until = time.monotonic() + 10.0
        while any(map(alive, ours)) and time.monotonic() < until:
            time.sleep(0.02)
    left = [instance for instance in ours if alive(instance)]
    if left:
        raise FarmError(f"these processes do not end: {', '.join(str(i.pid) for i in left)}")
    for instance in ours:
        with suppress(ChildProcessError):  # another process started it
            _gone(instance.pid)


def _gone(pid: int) -> None:
    """Until a child that has ended let go of its sockets with the last of its threads; not for
    long, for the number may be another's by now."""
    until = time.monotonic() + MOMENT_S
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < until:
        time.sleep(0.01)


def send(instance: Instance, sign: signal.Signals) -> None:
    """Signal the server, after making sure that the number still belongs to it."""
    if alive(instance):
        with suppress(ProcessLookupError):
            os.kill(instance.pid, sign)
