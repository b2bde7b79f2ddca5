"""Telling open pages that something changed.

A page that is open asks for a stream. One thread of this process looks at the database for all
streams together, so that many open pages cost what one does; a stream only waits for it, without a
database session. A stream takes a thread of the server: there are few places, and a page that gets
none asks again by itself.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from threading import Condition, Event, Thread
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from basis.db import Database
from router import watching

Look: TypeAlias = Callable[[Session, Collection[UUID]], Mapping[UUID, object]]

LOOKS: Mapping[str, Look] = {
    "job": watching.jobs,
    "order": watching.orders,
    "workshop": watching.workshops,
}
"""How each kind of thing is looked at: a fixed number of statements for any number of things."""

LOOK_S = 0.5
BEAT_S = 15.0
"""A comment is sent this often: proxies keep the line, and a page that is gone is noticed."""

LIFE_S = 600.0
"""A stream ends after this; the page asks for another, which may be at another process."""

AGAIN_MS = 3_000
"""How soon a page asks for another stream when one ended."""

AFTER_FAULT_S = 5.0

MOST_OF_ONE = 6
"""Streams of one viewer: a browser opens no more to one hub."""

GONE = "gone"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Topic:
    """What a page is about: one of `LOOKS`, and which."""

    kind: str
    id: UUID


class Watcher:
    """Looks at what open pages are about, while there are any."""

    def __init__(
        self,
        database: Database,
        *,
        places: int,
        look_s: float = LOOK_S,
        beat_s: float = BEAT_S,
        life_s: float = LIFE_S,
    ) -> None:
        self.look_s, self.beat_s, self.life_s = look_s, beat_s, life_s
        self._database, self._places = database, places
        self._news = Condition()
        self._look_now = Event()
        self._topics: Counter[Topic] = Counter()
        self._viewers: Counter[str] = Counter()
        self._marks: dict[Topic, str] = {}
        self._thread: Thread | None = None
        self._closed = False

    def watch(self, topic: Topic, *, viewer: str, seen: str = "") -> "Stream | None":
        """A stream of changes, or None when all places are taken. Whoever gets one closes it.

        seen : the id of the last change that the page knows of, so that it is not told again.
        """
        with self._news:
            full = self._viewers.total() >= self._places or self._viewers[viewer] >= MOST_OF_ONE
            if full or self._closed:
                return None
            self._topics[topic] += 1
            self._viewers[viewer] += 1
            if self._thread is None:
                self._thread = Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
        self._look_now.set()
        return Stream(self, topic, viewer=viewer, seen=seen)

    def leave(self, topic: Topic, *, viewer: str) -> None:
        """A stream ended."""
        with self._news:
            self._topics -= Counter([topic])
            self._viewers -= Counter([viewer])
            if topic not in self._topics:
                self._marks.pop(topic, None)

    def mark(self, topic: Topic, *, seen: str, wait_s: float) -> str | None:
        """The topic's mark once it is another than `seen`; None after `wait_s`."""

        def differs() -> bool:
            return self._closed or self._marks.get(topic, seen) != seen

        with self._news:
            met = self._news.wait_for(differs, timeout=wait_s)
            return self._marks.get(topic) if met else None

    @property
    def watched(self) -> int:
        """How many streams are open."""
        with self._news:
            return self._viewers.total()

    @property
    def closed(self) -> bool:
        """Whether the hub is ending."""
        return self._closed

    def close(self) -> None:
        """End all streams and the thread."""
        with self._news:
            self._closed = True
            self._news.notify_all()
            thread = self._thread
        self._look_now.set()
        if thread is not None:
            thread.join(timeout=AFTER_FAULT_S)

    def _run(self) -> None:
        while True:
            with self._news:
                if self._closed or not self._topics:
                    self._thread = None
                    return
                topics = list(self._topics)
            try:
                found, pause_s = self._looked(topics), self.look_s
            except SQLAlchemyError as exc:
                # A database that is busy or away: pages stay as they are until it answers.
                log.warning("open pages are not kept up to date: %s", exc)
                found, pause_s = {}, AFTER_FAULT_S
            with self._news:
                news = {
                    topic: mark for topic, mark in found.items() if self._marks.get(topic) != mark
                }
                self._marks.update({t: mark for t, mark in news.items() if t in self._topics})
                if news:
                    self._news.notify_all()
            self._look_now.wait(pause_s)
            self._look_now.clear()

    def _looked(self, topics: Collection[Topic]) -> dict[Topic, str]:
        """The marks of all topics now: one session, a few statements."""
        found: dict[Topic, str] = {}
        with self._database.reading() as session:
            for kind in {topic.kind for topic in topics}:
                ids = {topic.id for topic in topics if topic.kind == kind}
                marks = LOOKS[kind](session, ids)
                found |= {Topic(kind, each): _short(marks.get(each, GONE)) for each in ids}
        return found


class Stream:
    """Server-sent events about one topic, as the body of an answer."""

    def __init__(self, watcher: Watcher, topic: Topic, *, viewer: str, seen: str) -> None:
        self._watcher, self._topic, self._viewer, self._seen = watcher, topic, viewer, seen
        self._left = False

    def __iter__(self) -> Iterator[bytes]:
        """`changed` with the mark as its id, comments in between, until the stream's life is over.

        The first event comes at once unless the page knows that mark: it may have been made before
        the stream began.
        """
        end = time.monotonic() + self._watcher.life_s
        yield f"retry: {AGAIN_MS}\n\n".encode()
        while not self._watcher.closed and (left_s := end - time.monotonic()) > 0:
            wait_s = min(self._watcher.beat_s, left_s)
            mark = self._watcher.mark(self._topic, seen=self._seen, wait_s=wait_s)
            if mark is None:
                yield b": on\n\n"
            else:
                self._seen = mark
                yield f"event: changed\nid: {mark}\ndata: {mark}\n\n".encode()

    def close(self) -> None:
        """Give the place back. Called by the server when the page is gone; twice is harmless."""
        if not self._left:
            self._left = True
            self._watcher.leave(self._topic, viewer=self._viewer)


def _short(mark: object) -> str:
    return sha256(repr(mark).encode()).hexdigest()[:16]
