"""That agents live, written down for many of them at once."""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from threading import Event, Lock, Thread
from uuid import UUID

from basis import clock
from basis.db import Database
from printers import registry

SEEN_EVERY_S = 45
"""How often a sign of life is written down: a poll that changes nothing writes nothing."""

WRITE_EVERY_S = 2.0
AT_ONCE = 500
"""Machines whose signs of life are written in one transaction: other writers wait meanwhile."""

log = logging.getLogger(__name__)


class Seen:
    """Signs of life that wait to be written. Lost ones cost nothing: the next comes soon."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock, self._due, self._stop = Lock(), Event(), Event()
        self._waiting: dict[UUID, Mapping[UUID, str]] = {}
        self._thread: Thread | None = None

    def note(self, agent_id: UUID, texts: Mapping[UUID, str]) -> None:
        """This agent spoke, and said this of its machines."""
        with self._lock:
            self._waiting[agent_id] = texts
            if self._thread is None:
                self._thread = Thread(target=self._write_on, name="signs of life", daemon=True)
                self._thread.start()
        if not self._due.is_set():
            self._due.set()

    def close(self) -> None:
        """Write what waits, and end."""
        self._stop.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(5)

    def write(self, *, now: datetime) -> None:
        """Write down all that wait."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for some in _batches(waiting):
            with self._database.writing() as session:
                registry.seen_many(session, some, now=now)

    def _write_on(self) -> None:
        while not self._stop.is_set():
            self._due.wait()
            self._stop.wait(WRITE_EVERY_S)
            self._due.clear()
            try:
                self.write(now=clock.now())
            except Exception:  # the database is away or full: the agents will be heard again
                log.exception("signs of life could not be written")


def _batches(
    waiting: Mapping[UUID, Mapping[UUID, str]],
) -> Iterator[dict[UUID, Mapping[UUID, str]]]:
    """Parts of about `AT_ONCE` machines; an agent is never split."""
    some: dict[UUID, Mapping[UUID, str]] = {}
    machines = 0
    for agent_id in sorted(waiting):
        some[agent_id] = waiting[agent_id]
        machines += max(1, len(waiting[agent_id]))
        if machines >= AT_ONCE:
            yield some
            some, machines = {}, 0
    if some:
        yield some
