"""Idle agents: how many one hub can keep, beside the same server with an empty application.

    python -m tests.bench.bench_idle [--agents 100000] [--seconds 5] [--rounds 7]

Each of the agents has a printer of its own in the database and asks with its own token what an
agent asks while its printer is idle; all places of held questions are taken, as they are when there
are many agents. They ask in one order by chance, so that neither the processor's caches nor the
database's pages find neighbours beside each other.
The two servers are asked in turns over the same number of kept connections by one loop that does
nothing else; hub, peer and loop share the machine's cores. Beside answers a second stands how much
of a processor each server took for one, which other load of the machine moves less.
A last, longer load of the hub alone gives the sustained answers a second and their p99.
"""

import argparse
import json
import os
import random
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import requests
from sqlalchemy import insert, select

from basis import clock
from basis.settings import Settings
from designhub.hub import Hub, open_hub
from designhub.idle import PATH
from designhub.migrate import migrate
from designhub.processes import this_program
from printers import registry
from printers.models import AgentRow, Bed, PrinterRow
from printers.protocol import PrinterState, Question
from tests.support import builders

ROOT = Path(__file__).parents[2]
THREADS = 32
POLL_S = 30
REST_S = 3.0
"""Between two loads, so that no server pays for signs of life that the other still writes."""
WAIT_S = 10
"""How long an agent is willing to wait for work, by its own default."""


def main() -> None:
    """Run all and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--agents", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--sustained", type=float, default=30.0)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--connections", type=int, default=16)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-idle-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        questions = _agents(folder, chosen.agents)
        with _server(_hub(folder)) as hub, _server(_bare()) as bare:
            loads = {each: _Load(each, chosen.connections, questions) for each in (hub, bare)}
            loads[hub].all_once()  # a hub that started a minute ago has heard of everybody
            pairs = []
            for number in range(chosen.rounds + 1):
                pairs.append(
                    {
                        each: loads[each].run(chosen.seconds)
                        for each in ((hub, bare) if number % 2 else (bare, hub))
                    }
                )
            del pairs[0]  # the first round warms up
            ratios = [pair[hub].per_s / pair[bare].per_s for pair in pairs]
            long = loads[hub].run(chosen.sustained)
            memory_mb = _memory_mb(hub)
    figures = {
        "agents": chosen.agents,
        "ratio_to_bare_wsgi": round(statistics.median(ratios), 3),
        "ratio_least_most": [round(min(ratios), 3), round(max(ratios), 3)],
        "answers_per_s_hub_bare": [
            [round(pair[each].per_s) for each in (hub, bare)] for pair in pairs
        ],
        "processor_us_of_an_answer_hub_bare": [
            round(statistics.median(pair[each].processor_us for pair in pairs), 1)
            for each in (hub, bare)
        ],
        "p99_ms_hub_bare": [
            round(statistics.median(pair[each].p99_ms for pair in pairs), 2) for each in (hub, bare)
        ],
        "sustained_per_s": round(long.per_s),
        "sustained_s": chosen.sustained,
        "p50_ms": round(statistics.median(long.waits_s) * 1000, 2),
        "p99_ms": round(long.p99_ms, 2),
        "agents_at_one_question_each_30_s": round(long.per_s * POLL_S),
        "server_memory_mb": memory_mb,
    }
    print(json.dumps(figures, indent=2))  # noqa: T201 - a bench prints


def _agents(folder: Path, count: int) -> list[bytes]:
    """A hub's database with so many idle agents; what each asks, as bytes for the wire."""
    settings = Settings(data_dir=folder, secret_key="of a bench")
    hub = open_hub(settings)
    try:
        migrate(hub.database)
        return _filled(hub, count)
    finally:
        hub.close()


def _filled(hub: Hub, count: int) -> list[bytes]:
    shop = builders.shop(hub.database)
    now, chance = clock.now(), random.Random(1)
    with hub.database.writing() as session:
        like = session.execute(
            select(PrinterRow.__table__).where(PrinterRow.id == shop.printer)
        ).one()
        agents, printers, questions = [], [], []
        for number in range(count):
            token = f"{registry.AGENT_TOKEN}{number:040}"
            agent_id, printer_id = (UUID(int=chance.getrandbits(128)) for _ in range(2))
            agents.append(
                {
                    "id": agent_id,
                    "workshop_id": shop.workshop,
                    "name": f"agent {number}",
                    "digest": registry.token_digest(token),
                    "created_at": now,
                }
            )
            printers.append(
                {
                    **like._mapping,
                    "id": printer_id,
                    "name": f"printer {number}",
                    "agent_id": agent_id,
                    "bed": Bed.CLEAR,
                    "machine_state": "Operational",
                    # Spread over the time between two questions, as they would be.
                    "seen_at": now - timedelta(seconds=POLL_S * number / count),
                }
            )
            questions.append(_wire(token, printer_id))
        session.execute(insert(AgentRow), agents)
        session.execute(insert(PrinterRow), printers)
    chance.shuffle(questions)
    return questions


def _wire(token: str, printer_id: UUID) -> bytes:
    state = PrinterState(printer=printer_id, ready=True, text="Operational")
    body = json.dumps(Question(printers=[state], wait_s=WAIT_S).to_json()).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _hub(folder: Path) -> list[str]:
    return this_program("serve", "--data", str(folder), "--port", str(_free_port()))


def _bare() -> list[str]:
    return [sys.executable, "-m", "tests.bench.bare_wsgi", str(_free_port()), str(THREADS)]


@contextmanager
def _server(command: list[str]) -> Iterator[int]:
    """The port on which it answers."""
    port = int(next(word for word in command if word.isdecimal() and len(word) > 3))
    environment = {
        **os.environ,
        "DESIGNHUB_LOG_LEVEL": "warning",
        "DESIGNHUB_POLL_S": str(POLL_S),
        "DESIGNHUB_SERVER_THREADS": str(THREADS),
        "DESIGNHUB_HELD_QUESTIONS": "0",
    }
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2)
                break
            except requests.ConnectionError:
                assert time.monotonic() < until, f"no answer from {command}"
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@dataclass(slots=True)
class _Took:
    """One load: answers a second, each answer's seconds, and what the server worked for one."""

    per_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    processor_us: float = 0.0

    @property
    def p99_ms(self) -> float:
        return statistics.quantiles(self.waits_s, n=100)[98] * 1000


class _Load:
    """Some kept connections, each with one question under way at any moment."""

    def __init__(self, port: int, connections: int, questions: list[bytes]) -> None:
        self._port, self._count, self._questions = port, connections, questions
        self._next = 0

    def all_once(self) -> None:
        """Let every agent ask twice: before the first look nothing is kept."""
        asked = 0
        while asked < 2 * len(self._questions):
            asked += len(self.run(4.0).waits_s)

    def run(self, seconds: float) -> _Took:
        """Ask for so long, once what the load before left behind is written."""
        time.sleep(REST_S)
        took, chooser = _Took(), selectors.DefaultSelector()
        began: dict[socket.socket, float] = {}
        for _ in range(self._count):
            opened = socket.create_connection(("127.0.0.1", self._port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            chooser.register(opened, selectors.EVENT_READ)
            self._ask(opened, began)
        worked_s, start = _processor_s(self._port), time.perf_counter()
        while (now := time.perf_counter()) - start < seconds:
            for key, _ in chooser.select(1.0):
                connection: Any = key.fileobj
                answer = connection.recv(65_536)
                assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
                assert answer.endswith(b"}"), answer[-300:]  # small: it comes in one piece
                took.waits_s.append(time.perf_counter() - began[connection])
                self._ask(connection, began)
        for each in began:
            each.close()
        took.per_s = len(took.waits_s) / (now - start)
        worked_s = _processor_s(self._port) - worked_s
        took.processor_us = worked_s * 1e6 / len(took.waits_s)
        return took

    def _ask(self, connection: socket.socket, began: dict[socket.socket, float]) -> None:
        self._next = (self._next + 1) % len(self._questions)
        began[connection] = time.perf_counter()
        connection.sendall(self._questions[self._next])


def _processor_s(port: int) -> float:
    """What every process of the server behind a port has worked so far, user and system."""
    ticks = 0
    for each in _processes(port):
        fields = (each / "stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory_mb(port: int) -> dict[str, float]:
    """Resident memory of every process of the server behind a port."""
    found = {}
    for each in _processes(port):
        lines = (each / "status").read_text().splitlines()
        line = next(row for row in lines if row.startswith("VmRSS"))
        found[each.name] = round(int(line.split()[1]) / 1024, 1)
    return found


def _processes(port: int) -> Iterator[Path]:
    """By their command lines."""
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if str(port).encode() in (each / "cmdline").read_bytes().split(b"\0"):
                yield each


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    main()
