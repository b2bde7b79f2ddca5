"""Idle agents: how many one hub can keep, beside the same server with an empty application.

    python -m tests.bench.bench_idle [--agents 100000] [--seconds 5] [--rounds 7]

Each of the agents has a printer of its own in the database and asks with its own token, in turn.
The two servers are asked in turns over the same number of kept connections by one loop that does
nothing else; hub, peer and loop share the machine's cores.
A last, longer load of the hub alone gives the sustained answers a second and their p99.
"""

import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from tests.support import builders

ROOT = Path(__file__).parents[2]
THREADS = 32
POLL_S = 30


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
            ratios, rates = [], []
            for number in range(chosen.rounds + 1):
                pair = {
                    each: loads[each].run(chosen.seconds).per_s
                    for each in ((hub, bare) if number % 2 else (bare, hub))
                }
                if number:  # the first round warms up
                    ratios.append(pair[hub] / pair[bare])
                    rates.append((round(pair[hub]), round(pair[bare])))
            long = loads[hub].run(chosen.sustained)
            memory_mb = _memory_mb(hub)
    figures = {
        "agents": chosen.agents,
        "ratio_to_bare_wsgi": round(statistics.median(ratios), 3),
        "ratio_least_most": [round(min(ratios), 3), round(max(ratios), 3)],
        "answers_per_s_hub_bare": rates,
        "sustained_per_s": round(long.per_s),
        "sustained_s": chosen.sustained,
        "p50_ms": round(statistics.median(long.waits_s) * 1000, 2),
        "p99_ms": round(statistics.quantiles(long.waits_s, n=100)[98] * 1000, 2),
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
    now = clock.now()
    with hub.database.writing() as session:
        like = session.execute(
            select(PrinterRow.__table__).where(PrinterRow.id == shop.printer)
        ).one()
        agents, printers, questions = [], [], []
        for number in range(count):
            token = f"{registry.AGENT_TOKEN}{number:040}"
            agent_id, printer_id = UUID(int=number + 1), UUID(int=number + 1 + (1 << 64))
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
    return questions


def _wire(token: str, printer_id: UUID) -> bytes:
    state = {"printer": str(printer_id), "ready": True, "text": "Operational", "foreign": False}
    body = json.dumps({"printers": [state], "wait_s": 0}).encode()
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
    """One load: answers a second, and each answer's seconds."""

    per_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)


class _Load:
    """Some kept connections, each with one question under way at any moment."""

    def __init__(self, port: int, connections: int, questions: list[bytes]) -> None:
        self._port, self._count, self._questions = port, connections, questions
        self._next = 0

    def all_once(self) -> None:
        """Let every agent ask twice: before the first look nothing is kept."""
        asked = 0
        while asked < 2 * len(self._questions):
            asked += len(self.run(1.0).waits_s)

    def run(self, seconds: float) -> _Took:
        """Ask for so long."""
        took, chooser = _Took(), selectors.DefaultSelector()
        began: dict[socket.socket, float] = {}
        for _ in range(self._count):
            opened = socket.create_connection(("127.0.0.1", self._port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            chooser.register(opened, selectors.EVENT_READ)
            self._ask(opened, began)
        start = time.perf_counter()
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
        return took

    def _ask(self, connection: socket.socket, began: dict[socket.socket, float]) -> None:
        self._next = (self._next + 1) % len(self._questions)
        began[connection] = time.perf_counter()
        connection.sendall(self._questions[self._next])


def _memory_mb(port: int) -> dict[str, float]:
    """Resident memory of every process of the server behind a port, by its command line."""
    found = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().split(b"\0")
            if str(port).encode() in words:
                status = (each / "status").read_text()
                line = next(row for row in status.splitlines() if row.startswith("VmRSS"))
                found[each.name] = round(int(line.split()[1]) / 1024, 1)
        except (OSError, StopIteration):
            continue
    return found


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    main()
