"""Tell the hub about one run, beside the thread that tends the printer, so neither waits for the
other: a slow upload does not end the lease, and an absent hub does not blind us to the printer.
"""

import threading
from collections import deque
from collections.abc import Callable
from uuid import UUID

from printers.hub import HubClient, HubFailed, HubRefused, HubSilent, backoff_s
from printers.protocol import Beat, Report, StaleFence, Word

STALE_BEAT_S = 30.0
"""How often a machine that moves is still spoken of after the hub took the run away."""


class Messenger(threading.Thread):
    """Reports in the order they were given, each until the hub has it; beats in between.

    hub    : a client for this thread alone; closed at the end.
    say    : events for the log, as (level, text).
    chance : a number from 0 to 1, for waits that are not in step with others.
    """

    def __init__(
        self,
        hub: HubClient,
        *,
        run: UUID,
        fence: int,
        say: Callable[[str, str], None],
        chance: Callable[[], float],
    ) -> None:
        super().__init__(name=f"messenger-{run}", daemon=True)
        self._hub, self._run = hub, run
        self._say, self._chance = say, chance
        self._beat = Beat(fence=fence)
        self._reports: deque[Report] = deque()
        self._changed = threading.Condition()
        self._closed = self._last = False
        self._failures = 0
        self.word = Word.ON
        self.stale = False
        self.refusal = ""
        """Why the hub would not take a report, in its own words; "" when it took all."""

    def now(self, beat: Beat) -> None:
        """What the next sign of life says."""
        with self._changed:
            # A machine that begins to move, or waits, is worth saying at once.
            old = self._beat
            news = (beat.printing, beat.paused, beat.waits_for) != (
                *(old.printing, old.paused),
                old.waits_for,
            )
            self._beat = beat
            if news and not self._failures:
                self._changed.notify_all()

    def report(self, report: Report, *, last: bool = False) -> None:
        """Queue a report. After the `last` one nothing more is said."""
        with self._changed:
            self._reports.append(report)
            self._last = self._last or last
            if not self._failures:
                self._changed.notify_all()

    def told(self, wait_s: float) -> bool:
        """Whether the hub has heard (or will never take) every report, within `wait_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._reports or self._closed, wait_s) and (
                not self._reports
            )

    def close(self) -> None:
        """End after the call that is under way. What was not told stays in the journal."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def run(self) -> None:
        """Speak until closed; the thread's own work."""
        try:
            self._go_on()
        finally:
            self._hub.close()

    def _go_on(self) -> None:
        while True:
            with self._changed:
                if self._closed or (self._last and not self._reports):
                    return
                report, beat = (self._reports[0] if self._reports else None), self._beat
            wait_s = self._speak(report, beat)
            with self._changed:
                if report is not None and wait_s == 0.0 and self._reports:
                    self._reports.popleft()
                    self._changed.notify_all()
                if wait_s and not self._closed and not (self._reports and not self._failures):
                    self._changed.wait(wait_s)

    def _speak(self, report: Report | None, beat: Beat) -> float:
        """One call. Seconds until the next; 0 when a report is settled."""
        try:
            if report is None:
                answer = self._hub.beat(self._run, beat)
                self.word, self.stale = answer.word, False
                pause_s = float(max(1, answer.beat_s))
            else:
                state = self._hub.report(self._run, report).state
                self._say("info", f"told the hub {report.event}: the run is {state}")
                pause_s = 0.0
        except StaleFence as exc:
            pause_s = self._not_ours(report, beat, str(exc))
        except HubRefused as exc:
            pause_s = self._refused(report, str(exc))
        except HubFailed as exc:
            return self._failed(exc)
        except Exception as exc:  # a mistake of ours must not silence a machine that moves
            self._say("error", f"{type(exc).__name__}: {exc}")
            return self._failed(HubFailed(str(exc)))
        if self._failures:
            self._say("info", "the hub answers again")
        self._failures = 0
        return pause_s

    def _not_ours(self, report: Report | None, beat: Beat, why: str) -> float:
        if not self.stale:
            self._say("warning", f"the hub says the run is not ours any more: {why}")
        self.stale = True
        if report is not None:
            self.refusal = why
            return 0.0
        return STALE_BEAT_S if beat.printing or beat.paused else 1.0

    def _refused(self, report: Report | None, why: str) -> float:
        self._say("error", f"the hub refused {report.event if report else 'a beat'}: {why}")
        if report is None:
            return STALE_BEAT_S
        self.refusal = why
        return 0.0

    def _failed(self, exc: HubFailed) -> float:
        if not self._failures:
            self._say("warning", f"the hub is away, this goes on without it: {exc}")
        self._failures += 1
        again_s = exc.again_s if isinstance(exc, HubSilent) else 0.0
        return max(again_s, backoff_s(self._failures, chance=self._chance))
