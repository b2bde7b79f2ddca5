"""The people of the experiment: a maker who orders and sometimes cancels, and at each printer
somebody who looks at prints, takes parts off the bed, and presses every button twice.

They know what people know: what the hub shows, what the machine's own screen shows, and what lies
on the bed. What they do to beds they write down the moment they do it.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from basis.errors import HubError
from designhub.api import schema
from designhub.chaos.records import Deed, Records
from designhub.client import HubApi, HubAway, HubSays
from printers import farm
from printers.farm import Instance
from printers.octoprint import OctoPrint, PrinterError

LOOK_S = 0.8
PATIENCE_S = 6.0
"""How long a person lets the agent find out by itself what became of a run that is unknown."""

FINAL = frozenset({"done", "cancelled"})
SPOILT, GIVEN_UP, CANCELLED = 0.08, 0.06, 0.05
"""How often a part is bad, a failed job is given up, an order is thought better of."""

DESIGN, PART = "chaos", "piece"
PLACE = "Seoul"


@dataclass(frozen=True, slots=True)
class Button:
    """Something that may be pressed in the hub."""

    path: str
    asked: schema.FailedAsk | None = None


def press(url: str, token: str, buttons: Sequence[Button]) -> list[str]:
    """Press buttons at the same moment, each by a connection of its own; what came of each."""
    said = [""] * len(buttons)
    gate = threading.Barrier(len(buttons))

    def one(number: int, button: Button) -> None:
        api = HubApi(url, token=token)
        gate.wait()
        try:
            if button.path.startswith("/printers"):
                said[number] = f"bed {api.ask(schema.Printer, 'POST', button.path).bed}"
            else:
                said[number] = api.ask(schema.Job, "POST", button.path, button.asked).state
        except HubAway:
            said[number] = "no answer"
        except HubSays as exc:
            said[number] = f"refused: {exc.code}"

    threads = [threading.Thread(target=one, args=each, daemon=True) for each in enumerate(buttons)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def _waits_for_somebody(job: schema.Job) -> bool:
    run = job.runs[-1].state if job.runs else ""
    return job.state in ("asked", "failed") or run in ("printed", "unknown")


class Maker:
    """Orders parts, each order by a quote of a printer in turn; knows all jobs that came of it."""

    def __init__(
        self, api: HubApi, *, printers: Sequence[UUID], wanted: int, chance: random.Random
    ) -> None:
        self._api, self._printers, self._chance = api, printers, chance
        self.wanted = wanted
        self.jobs: dict[UUID, schema.Job] = {}
        self._turn = 0
        self._order: schema.OrderAsk | None = None
        self._cancels: set[UUID] = set()

    @property
    def open(self) -> list[schema.Job]:
        """Jobs that have not ended, as last seen."""
        return [job for job in self.jobs.values() if job.state not in FINAL]

    def once(self) -> None:
        """See how the open jobs do, and order more while few are open. HubError when away."""
        for job in self.open:
            self.jobs[job.id] = self._api.ask(schema.Job, "GET", f"/jobs/{job.id}")
        if len(self.jobs) < self.wanted and len(self.open) < 2 * len(self._printers):
            self._place_order()

    def _place_order(self) -> None:
        """An order is placed again with its key, and ordered once, until its answer came and each
        of its jobs was seen: nobody else would ask for them."""
        if self._order is None:
            self._order = self._chosen()
        made = self._api.ask(schema.Order, "POST", "/orders", self._order)
        for job_id in made.jobs:
            if job_id in self.jobs:
                continue
            self.jobs[job_id] = self._api.ask(schema.Job, "GET", f"/jobs/{job_id}")
            if self._chance.random() < CANCELLED:
                self._cancels.add(job_id)
        self._order = None

    def _chosen(self) -> schema.OrderAsk:
        wish = schema.QuoteAsk(
            design=f"ada/{DESIGN}",
            place=PLACE,
            part=PART,
            copies=min(self._chance.choice((1, 1, 2)), self.wanted - len(self.jobs)),
            layer_height_um=300,
            modes=["foot"],
        )
        quotes = self._api.ask(schema.Quotes, "POST", "/quotes", wish).quotes
        self._turn += 1
        printer = self._printers[self._turn % len(self._printers)]
        quote = next((each for each in quotes if each.where.printer == printer), None)
        if quote is None:
            raise HubAway(f"no quote of printer {printer}: {len(quotes)} others")
        return schema.OrderAsk(quote=quote.id, key=f"chaos-{self._turn}")

    def to_cancel(self) -> UUID | None:
        """A job that its maker thinks better of, some time after its order."""
        if self._cancels and self._chance.random() < 0.2:
            return self._cancels.pop()
        return None


class Person:
    """Whoever stands at one printer."""

    def __init__(
        self,
        *,
        url: str,
        token: str,
        printer: UUID,
        number: int,
        instance: Callable[[], Instance],
        jobs: Callable[[], list[schema.Job]],
        records: Records,
        chance: random.Random,
        say: Callable[[str], None],
    ) -> None:
        """jobs : those of this printer that have not ended."""
        self._url, self._token, self._printer = url, token, printer
        self.number, self._instance, self._jobs = number, instance, jobs
        self._records, self._chance, self._say = records, chance, say
        self._api = HubApi(url, token=token)
        self.hands = threading.Lock()
        """Of two things that one person does, one waits for the other."""
        self._unknown_since: dict[UUID, float] = {}
        self.judged_unknown: dict[UUID, str] = {}

    def once(self) -> None:
        """Look at everything once, and do what a person would."""
        with suppress(HubError), self.hands:
            for job in filter(_waits_for_somebody, self._jobs()):
                # What was seen a moment ago may be settled by now.
                self._see_to(self._api.ask(schema.Job, "GET", f"/jobs/{job.id}"))
            printer = self._api.ask(schema.Printer, "GET", f"/printers/{self._printer}")
            if printer.bed != "clear" and printer.run_state in (None, "leased", "printed"):
                self._clear()

    def press(self, *buttons: Button, job: schema.Job | None = None) -> None:
        """Press at the same moment, and write down what came of it."""
        said = press(self._url, self._token, buttons)
        note = "; ".join(
            f"{each.path.rpartition('/')[2]}: {what}"
            for each, what in zip(buttons, said, strict=True)
        )
        run = str(job.runs[-1].id) if job is not None and job.runs else ""
        name = "" if job is None else str(job.id)
        self._records.write(Deed.PRESSED, printer=self.number, job=name, run=run, note=note)

    def still(self) -> bool:
        """Whether the machine's own screen says that it does nothing."""
        try:
            return not self.screen().job().active
        except PrinterError:
            return False

    def screen(self) -> OctoPrint:
        """The machine itself, without any network of ours."""
        instance = self._instance()
        return OctoPrint(instance.url, api_key=instance.hand_key, connect_s=1.0, read_s=5.0)

    def bed_is_taken(self) -> bool:
        """Whether the hub's page says that something lies there."""
        with suppress(HubError):
            path = f"/printers/{self._printer}"
            return self._api.ask(schema.Printer, "GET", path).bed != "clear"
        return False

    def take_off(self) -> None:
        """The bed is empty from this line on."""
        self._records.write(Deed.TOOK_OFF, printer=self.number)

    # What is seen to.

    def _see_to(self, job: schema.Job) -> None:
        run = job.runs[-1] if job.runs else None
        if job.state == "asked":
            self.press(Button(f"/jobs/{job.id}/agree"), job=job)
        elif job.state == "failed" and run is not None:
            self._after_failure(job, run)
        elif job.state == "assigned" and run is not None and run.state == "printed":
            self._judge(job)
        if job.state == "assigned" and run is not None and run.state == "unknown":
            since = self._unknown_since.setdefault(run.id, time.monotonic())
            if time.monotonic() - since > PATIENCE_S:
                self._find_out(job, run)

    def _judge(self, job: schema.Job) -> None:
        """Take the part off, look, and say so twice; now and then one finger slips."""
        if not self.still():
            return
        self.take_off()
        good = Button(f"/jobs/{job.id}/passed")
        bad = Button(f"/jobs/{job.id}/failed", schema.FailedAsk(cause="warped"))
        buttons = [bad, bad] if self._chance.random() < SPOILT else [good, good]
        if self._chance.random() < SPOILT:
            buttons[1] = bad if buttons[0] is good else good
        self.press(*buttons, job=job)

    def _after_failure(self, job: schema.Job, run: schema.Run) -> None:
        if self._chance.random() < GIVEN_UP:
            self.press(*[Button(f"/jobs/{job.id}/cancel")] * 2, job=job)
            return
        # Written before it is pressed: what is not written down was never said.
        self._records.write(Deed.SAID_AGAIN, printer=self.number, job=str(job.id), run=str(run.id))
        self.press(*[Button(f"/jobs/{job.id}/retry")] * 2, job=job)

    def _find_out(self, job: schema.Job, run: schema.Run) -> None:
        """Nobody knows what became of a run: look at the machine and at what lies on its bed."""
        if not self.still():
            return  # it moves, or its screen is dark: come back
        ended = [
            event.event for event in farm.print_log(self._instance()) if str(run.id) in event.path
        ]
        why = next((each.note for each in reversed(job.history) if each.after == "unknown"), "")
        self.judged_unknown[run.id] = why
        self.take_off()
        if "PrintDone" in ended:
            verdict = Button(f"/jobs/{job.id}/passed")
        else:
            cause = "half a part lay there" if ended else "nothing lay there"
            verdict = Button(f"/jobs/{job.id}/failed", schema.FailedAsk(cause=cause))
        self._say(f"printer {self.number}: a person settles run {run.id}: {ended or 'no start'}")
        self.press(verdict, verdict, job=job)

    def _clear(self) -> None:
        """Take off whatever lies there; then, and only then, say so."""
        if not self.still():
            return
        self.take_off()
        self.press(*[Button(f"/printers/{self._printer}/bed/clear")] * 2)
