"""A hub with everything going on at once: makers who quote, order and cancel, two agents who lease,
start and report, people who judge parts, clear beds, pause printers and load filament."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from basis import clock
from designhub.auth import Scope
from designs.models import DesignRow, VersionRow
from printers.models import PrinterRow, WorkshopRow
from router import slicing
from router.models import JobRow, RunRow
from router.states import Job, Run
from tests.support import builders
from tests.support.hubs import OpenHub

PRINTERS = 4


@dataclass(slots=True)
class Told:
    """What the hub answered, and how long it took."""

    counts: Counter[str] = field(default_factory=Counter)
    """Answers by what was asked and their status."""
    waits_s: dict[str, list[float]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    """What it could not answer, or what it was not asked because a caller broke down."""
    locked: list[int] = field(default_factory=list)
    """How many of the database's sessions waited for a lock, at each look."""
    deadlocks: int = 0


class BusyHub:
    """The people and machines of one hub on PostgreSQL."""

    def __init__(self, hub: OpenHub) -> None:
        self.hub, self.told = hub, Told()
        self._shop, self._over = hub.shop(), threading.Event()
        with hub.hub.database.writing() as session:
            where = session.get_one(WorkshopRow, self._shop.workshop)
            more = [builders.printer(session, where) for _ in range(PRINTERS - 1)]
            for each in more:
                builders.spool(session, each, by=self._shop.owner)
            self.printers = [self._shop.printer, *(each.id for each in more)]
            second = builders.agent(session, where, self.printers[2:])
            session.execute(
                update(PrinterRow)
                .where(PrinterRow.id == self.printers[1])
                .values(agent_id=self._shop.agent)
            )
            session.execute(update(PrinterRow).values(seen_at=clock.now()))
            self._design = session.scalars(select(DesignRow.slug)).one()
            self._version = session.scalars(select(VersionRow.commit)).one()
        agents = {self._shop.agent: self.printers[:2], second: self.printers[2:]}
        owner = hub.token(self._shop.owner, Scope.OPERATE)
        makers = [hub.account(f"maker-{number}") for number in range(3)]
        self._actors: list[Callable[[random.Random, FlaskClient], None]] = [
            *(self._maker(hub.token(maker, Scope.ORDER)) for maker in makers),
            *(self._agent(hub.agent_token(agent), of) for agent, of in agents.items()),
            self._judge(owner),
            self._keeper(owner),
            self._slicer,
        ]

    def run(self, *, until: Callable[[Told], bool], limit_s: float) -> Told:
        """Let all of them go on until that is so, or at most so long; what came of it."""
        threads = [
            threading.Thread(target=self._go_on, args=(actor, number), daemon=True)
            for number, actor in enumerate([*self._actors, self._watch])
        ]
        for each in threads:
            each.start()
        end = time.monotonic() + limit_s
        while time.monotonic() < end and not until(self.told):
            time.sleep(0.05)
        self._over.set()
        for each in threads:
            each.join(60)
        self.told.broken += [f"{each.name} hangs" for each in threads if each.is_alive()]
        with self.hub.hub.database.reading() as session:
            found = session.scalar(
                text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            )
        self.told.deadlocks = int(found or 0)
        return self.told

    def _go_on(self, actor: Callable[[random.Random, FlaskClient], None], number: int) -> None:
        chance, client = random.Random(number), self.hub.app.test_client()
        while not self._over.is_set():
            try:
                actor(chance, client)
            except Exception as exc:
                self.told.broken.append(f"actor {number}: {type(exc).__name__}: {exc}"[:600])

    def _say(
        self, client: FlaskClient, path: str, header: dict[str, str], **body: Any
    ) -> dict[str, Any]:
        """Ask; the answer where it is a good one, else nothing."""
        words = path.strip("/").split("/")
        what = "/".join(dict.fromkeys((words[0], words[-1])))
        began = time.perf_counter()
        answer = client.post(f"/api/v1{path}", json=body, headers=header)
        self.told.waits_s.setdefault(what, []).append(time.perf_counter() - began)
        self.told.counts[f"{what} {answer.status_code}"] += 1
        if answer.status_code >= 500:
            self.told.broken.append(f"{what}: {answer.status_code} {answer.text[:400]}")
        found: dict[str, Any] = answer.get_json() if answer.status_code < 300 else {}
        return found

    def _maker(self, header: dict[str, str]) -> Callable[[random.Random, FlaskClient], None]:
        def once(chance: random.Random, client: FlaskClient) -> None:
            wish = {
                "design": f"owner/{self._design}",
                "version": self._version,
                "place": "Oslo, NO",
                "modes": ["foot"],
                "copies": chance.randint(1, 2),
            }
            quotes = self._say(client, "/quotes", header, **wish)
            if not (found := quotes.get("quotes")):
                time.sleep(0.02)
                return
            said = {"quote": chance.choice(found)["id"], "key": str(uuid4())}
            order = self._say(client, "/orders", header, **said)
            self._say(client, "/orders", header, **said)  # a second click
            if order and chance.random() < 0.3:
                self._say(client, f"/jobs/{order['jobs'][0]}/cancel", header)

        return once

    def _agent(
        self, header: dict[str, str], printers: list[Any]
    ) -> Callable[[random.Random, FlaskClient], None]:
        def once(chance: random.Random, client: FlaskClient) -> None:
            states = [
                {
                    "printer": str(each),
                    "ready": True,
                    "text": chance.choice(["Operational", "Idle"]),
                }
                for each in printers
            ]
            answer = self._say(client, "/agents/me/ask", header, printers=states)
            for lease in answer.get("work", []):
                run, fence = f"/runs/{lease['run']}", lease["fence"]
                if not self._say(
                    client, f"{run}/permit", header, fence=fence, sha256=lease["sha256"]
                ):
                    continue
                for ppm in (100_000, 900_000):
                    said = {"fence": fence, "printing": True, "progress_ppm": ppm}
                    self._say(client, f"{run}/beat", header, **said)
                event = chance.choice(["finished", "finished", "failed"])
                self._say(client, f"{run}/report", header, fence=fence, event=event, print_s=60)

        return once

    def _judge(self, header: dict[str, str]) -> Callable[[random.Random, FlaskClient], None]:
        def once(chance: random.Random, client: FlaskClient) -> None:
            with self.hub.hub.database.reading() as session:
                due = session.scalars(
                    select(RunRow.job_id).where(RunRow.state == Run.PRINTED).limit(20)
                ).all()
            for job in due:
                if chance.random() < 0.7:
                    self._say(client, f"/jobs/{job}/passed", header)
                else:
                    said = {"cause": "warped", "again": chance.random() < 0.5}
                    self._say(client, f"/jobs/{job}/failed", header, **said)
            for printer in self.printers:
                self._say(client, f"/printers/{printer}/bed/clear", header)

        return once

    def _keeper(self, header: dict[str, str]) -> Callable[[random.Random, FlaskClient], None]:
        def once(chance: random.Random, client: FlaskClient) -> None:
            printer = chance.choice(self.printers)
            spool = {"material": "PLA", "colour": "black", "left_mg": 1_000_000}
            said = {**spool, "price_per_kg_minor": 2_500, "slot": 0}
            self._say(client, f"/printers/{printer}/spools", header, **said)
            for duty in ("paused", "open"):
                client.patch(f"/api/v1/printers/{printer}", json={"duty": duty}, headers=header)
                time.sleep(0.05)

        return once

    def _slicer(self, _chance: random.Random, _client: FlaskClient) -> None:
        """What the worker does once the slicer has ended."""
        database = self.hub.hub.database
        with database.reading() as session:
            due = session.scalars(select(JobRow.id).where(JobRow.state == Job.ORDERED).limit(20))
            jobs = due.all()
        for job_id in jobs:
            with database.writing() as session:
                job = session.get_one(JobRow, job_id)
                if job.state is Job.ORDERED:
                    slicing.ready(session, job_id, builders.slice_of(job), now=clock.now())
        time.sleep(0.02)

    def _watch(self, _chance: random.Random, _client: FlaskClient) -> None:
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with self.hub.hub.database.reading() as session:
            self.told.locked.append(int(session.scalar(waiting) or 0))
        time.sleep(0.05)
