"""The side-task queue: work that may run twice, late, or not at all until a sweep asks again.

    queue = make_queue(settings)
    analyse = queue.task(analyse_version)     # a plain function of ids, registered under its name
    queue.soon(analyse_version, version_id)   # after commit: a hint; the row says what is owed

Physical work never comes here: a queue redelivers, and a part must not be printed twice.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from huey import Huey, RedisHuey, SqliteHuey

POLL_S = 0.1
"""How long an idle worker may sleep before it looks again."""

END_S = 10.0
"""How long a task may go on when its worker is told to stop; what is cut off is owed still."""

log = logging.getLogger(__name__)


class Consumer(Protocol):
    """What runs the tasks: started and stopped by `designhub worker`."""

    def start(self) -> None: ...

    def stop(self, graceful: bool = False) -> None: ...


class Queue:
    """Registered functions and a place to put calls of them."""

    def __init__(self, huey: Huey) -> None:
        self._huey = huey
        self._tasks: dict[str, Any] = {}

    def register(self, function: Callable[..., None]) -> None:
        """Let the worker run `function`; its arguments must be ids (text or whole numbers)."""
        name = f"{function.__module__}.{function.__qualname__}"
        self._tasks[name] = self._huey.task(name=name)(function)

    def soon(self, function: Callable[..., None], *ids: int | str) -> None:
        """Ask for `function(*ids)`. Call it after the commit that made the work due.

        A queue that is away is logged, not raised: the sweep finds the work in its row.
        """
        name = f"{function.__module__}.{function.__qualname__}"
        try:
            self._tasks[name](*ids)
        except Exception:
            log.exception("could not queue %s%r; the sweep will", name, ids)

    def consumer(self, *, threads: int) -> Consumer:
        """A worker in this process: `start()` returns at once, `stop()` waits for what runs."""
        consumer = self._huey.create_consumer(
            workers=threads,
            worker_type="thread",
            initial_delay=POLL_S / 2,
            backoff=1.0,
            max_delay=POLL_S,
            periodic=False,
            check_worker_health=True,
            shutdown_timeout=END_S,
        )
        # It would take SIGTERM and SIGINT for itself: they belong to the program around it.
        consumer._set_signal_handlers = lambda: None
        return cast(Consumer, consumer)

    def pending(self) -> int:
        """Calls that wait for a worker."""
        return int(self._huey.pending_count())


def make_queue(*, url: str, folder: Path) -> Queue:
    """A queue on Redis when `url` names one, else on a SQLite file in `folder`."""
    if url:
        return Queue(RedisHuey("designhub", url=url, results=False))
    folder.mkdir(parents=True, exist_ok=True)
    # The queue may forget on a power cut (fsync off): every task is owed by a row elsewhere.
    return Queue(SqliteHuey("designhub", filename=str(folder / "queue.sqlite"), results=False))


class Every:
    """Call a function every `seconds` in a thread until stopped; a failure is logged, not fatal."""

    def __init__(self, seconds: float, function: Callable[[], object]) -> None:
        self._seconds, self._function = seconds, function
        self._stop = threading.Event()
        name = getattr(function, "__name__", "every")
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the call that is under way."""
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._function()
            except Exception:
                log.exception("%s failed; next try in %s s", self._thread.name, self._seconds)
            self._stop.wait(self._seconds)
