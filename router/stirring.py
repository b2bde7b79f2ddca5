"""Which printers have work waiting, or changed: looked at for all idle agents together.

One thread of a process looks every `LOOK_S`, while somebody asks. Whoever keeps an answer about a
printer either remembers how many looks were finished when it was found out, and asks here whether
it may be given again (`since`), or is told which to forget (`tell`).
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, func, or_, select, text, union

from basis import clock
from basis.db import Database, is_in
from printers.models import PrinterRow
from router.models import JobRow, RunRow
from router.states import HELD, Job, Run

LOOK_S = 0.25
LATE_S = 2.0
"""A look that is this late: nothing kept is relied on until the next."""

REST_S = 120.0
"""Nobody asked for so long: the thread ends, and begins with the next question."""

OVERLAP = timedelta(seconds=60)
"""A bed's change is found by its time, which was taken before its transaction ended."""

MOST_STIRRED = 100_000

log = logging.getLogger(__name__)

_BUSY = union(
    select(JobRow.printer_id).where(JobRow.state == Job.READY),
    # In the words of the index `run_deadline`: of the runs, most ended long ago.
    select(RunRow.printer_id).where(text(is_in("run.state", HELD)), RunRow.state == Run.LEASED),
)
_NEWEST = select(func.max(PrinterRow.change))
_CHANGED = select(PrinterRow.id).where(
    or_(PrinterRow.change > bindparam("change"), PrinterRow.bed_changed_at > bindparam("since"))
)


class Stirring:
    """What stirs among a hub's printers. Safe from many threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.looks = 0
        """Looks that are finished."""
        self._busy: frozenset[UUID] = frozenset()
        self._stirred: dict[UUID, int] = {}
        """The number of the look that found a printer changed."""
        self._floor = 0
        """Nothing that was found out before this look may be relied on."""
        self._change: int | None = None
        """The newest change known; None before the first look."""
        self._bed_since = clock.now()
        self._looked_s = self._asked_s = float("-inf")
        self._told: list[Callable[[Iterable[UUID] | None], None]] = []
        self._looking = threading.Lock()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self, forget: Callable[[Iterable[UUID] | None], None]) -> None:
        """Call `forget` after each look that found something: with the printers about which nothing
        told before may be told again, or with None for all. `since` says the same already."""
        self._told.append(forget)

    def looking(self, now_s: float) -> bool:
        """Whether the last look was finished lately enough to rely on it; else looking begins.
        `now_s` by `time.monotonic`."""
        self._asked_s = now_s
        if now_s - self._looked_s > LATE_S:
            self._begin()
            return False
        return True

    def since(self, printers: Iterable[UUID], look: int) -> bool:
        """Whether what was found out after `look` looks may be wrong by now: one of these printers
        has work waiting or changed, or nobody has looked."""
        if not self.looking(time.monotonic()) or look < self._floor:
            return True
        busy, stirred = self._busy, self._stirred
        return any(each in busy or stirred.get(each, -1) > look for each in printers)

    def look(self) -> None:
        """Look once: three statements, each by an index."""
        with self._looking:
            self._look()

    def look_at_once(self) -> None:
        """Look now and not soon, after something was taken back. A look that fails is made up for:
        until one succeeds nothing kept is relied on."""
        try:
            self.look()
        except Exception:
            log.exception("the printers could not be looked at")
            self._change = None

    def _look(self) -> None:
        began, forgotten = clock.now(), self._floor
        with self._database.reading() as session:
            busy = frozenset(session.scalars(_BUSY))
            newest = session.scalar(_NEWEST) or 0
            changed: list[UUID] = []
            if self._change is None:
                self._stirred, self._floor = {}, self.looks + 1
            else:
                since = {"change": self._change, "since": self._bed_since}
                changed = list(session.scalars(_CHANGED, since))
        self._stirred |= dict.fromkeys(changed, self.looks + 1)
        if len(self._stirred) > MOST_STIRRED:
            self._stirred, self._floor = {}, self.looks + 1
        stirs = {*changed, *(busy - self._busy)}
        self._busy, self._change, self._bed_since = busy, newest, began - OVERLAP
        for forget in self._told:
            if self._floor != forgotten:
                forget(None)
            elif stirs:
                forget(stirs)
        self.looks += 1
        self._looked_s = time.monotonic()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(5)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._change = None  # what happened while nobody looked is not known
                self._thread = threading.Thread(target=self._go_on, name="stirring", daemon=True)
                self._thread.start()

    def _go_on(self) -> None:
        while not self._stop.is_set():
            self.look_at_once()
            self._stop.wait(LOOK_S)
            if time.monotonic() - self._asked_s > REST_S:
                break
        with self._lock:
            self._thread = None
