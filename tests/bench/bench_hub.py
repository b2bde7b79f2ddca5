"""What a running hub costs: an idle agent's question, the wait after a push and after an order.

    python -m tests.bench.bench_hub [--seconds 3] [--rounds 7]

The question is asked over kept connections, in turns with the same server's bare Flask answer
(`/healthz`): the ratio of answers a second is the figure. Push → facts and order → READY are what a
client sees, the time of the measuring and slicing children included.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from designhub.processes import this_program

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "designs" / "samples" / "hose-coupling"
PASSWORD = "correct horse battery"


@contextmanager
def running_hub(folder: Path) -> Iterator[str]:
    """A hub with its worker, as `designhub serve` starts it."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = this_program("serve", "--data", str(folder), "--port", str(port))
    environment = {**os.environ, "DESIGNHUB_LOG_LEVEL": "warning"}
    with (folder.parent / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            _until(lambda: requests.get(f"{url}/readyz", timeout=2).ok, seconds=60)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def main() -> None:
    """Run all and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-hub-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        with running_hub(folder) as url:
            hub = _Hub(url)
            figures = {
                "idle_question": _questions(hub, seconds=chosen.seconds, rounds=chosen.rounds),
                "push_to_facts_s": [hub.push(Path(name), number) for number in range(3)],
                "order_to_ready_s": [hub.order(number) for number in range(3)],
            }
    print(json.dumps(figures, indent=2))  # noqa: T201 - a bench prints


class _Hub:
    """One account, one workshop with a virtual printer, one agent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.api = requests.Session()
        self.api.auth = ("ada", PASSWORD)
        self.call("accounts", {"name": "ada", "password": PASSWORD}, anonymous=True)
        self.token = self.call("tokens", {"name": "t", "scopes": ["push", "order", "operate"]})[
            "token"
        ]
        self.api.auth = None
        self.api.headers["Authorization"] = f"Bearer {self.token}"
        self.call("workshops", {"name": "mapo", "place": "Seoul"})
        printer = self.call("workshops/mapo/printers", {"name": "one", "common": "virtual"})
        self.printer = printer["id"]
        spool = {"material": "PLA", "colour": "white", "left_mg": 10**6, "price_per_kg_minor": 2500}
        self.call(f"printers/{self.printer}/spools", spool)
        made = self.call("workshops/mapo/agents", {"name": "a", "printers": ["one"]})
        self.agent_token = made["token"]

    def call(self, path: str, body: dict[str, Any], *, anonymous: bool = False) -> Any:
        """POST; the answer as JSON."""
        session = requests if anonymous else self.api
        answer = session.post(f"{self.url}/api/v1/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        """GET; the answer as JSON."""
        answer = self.api.get(f"{self.url}/api/v1/{path}", timeout=60)
        answer.raise_for_status()
        return answer.json()

    def question(self) -> bytes:
        """What an idle agent asks."""
        state = {"printer": self.printer, "ready": True, "text": "Operational"}
        return json.dumps({"printers": [state]}).encode()

    def push(self, folder: Path, number: int) -> float:
        """Seconds from the end of a push to its facts, the measuring child's own time included."""
        name = f"coupling-{number}"
        self.call("designs", {"name": name})
        work = folder / name
        subprocess.run(["cp", "-r", str(SAMPLE), str(work)], check=True)
        # New bytes each time, or the meshes would be known already.
        for mesh in work.glob("meshes/*.stl"):
            data = bytearray(mesh.read_bytes())
            data[:8] = f"bench{number:03}".encode()
            mesh.write_bytes(data)
        git = ["git", "-C", str(work), "-c", "user.name=b", "-c", "user.email=b@b"]
        header = f"http.extraHeader=Authorization: Bearer {self.token}"
        for arguments in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            ["commit", "-q", "-m", "bench"],
            ["-c", header, "push", "-q", f"{self.url}/ada/{name}.git", "main"],
        ):
            subprocess.run([*git, *arguments], check=True)
        ended = time.monotonic()
        _until(
            lambda: self.get(f"designs/ada/{name}/versions")["versions"][0]["analysis"] == "done"
        )
        return round(time.monotonic() - ended, 3)

    def order(self, number: int) -> float:
        """Seconds from an order to READY (or ASKED), the slicer's own time included."""
        # A seen agent, so that there are quotes; a choice of its own, so that it is sliced anew.
        headers = {"Authorization": f"Bearer {self.agent_token}"}
        requests.post(
            f"{self.url}/api/v1/agents/me/ask",
            data=self.question(),
            headers={**headers, "Content-Type": "application/json"},
            timeout=30,
        ).raise_for_status()
        wish = {
            "design": "ada/coupling-0",
            "part": "coupling-8-mm-to-6-mm",
            "place": "Seoul",
            "infill_pct": 20 + number,
        }
        quote = self.call("quotes", wish)["quotes"][0]
        job = self.call("orders", {"quote": quote["id"], "key": f"bench-{number}"})["jobs"][0]
        ordered = time.monotonic()
        _until(lambda: self.get(f"jobs/{job}")["state"] != "ordered", seconds=120)
        return round(time.monotonic() - ordered, 3)


def _questions(hub: _Hub, *, seconds: float, rounds: int) -> dict[str, Any]:
    headers = {
        "Authorization": f"Bearer {hub.agent_token}",
        "Content-Type": "application/json",
    }
    body = hub.question()

    def ask(connection: http.client.HTTPConnection) -> None:
        connection.request("POST", "/api/v1/agents/me/ask", body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200

    def bare(connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200

    ratios, asked, plain, slowest = [], [], [], []
    for number in range(rounds + 1):
        pair = {}
        for kind in (ask, bare) if number % 2 else (bare, ask):
            pair[kind], latencies = _load(hub.url, kind, seconds=seconds, connections=8)
            if kind is ask:
                slowest.append(statistics.quantiles(latencies, n=100)[98])
        if number:  # the first round warms up
            ratios.append(pair[ask] / pair[bare])
            asked.append(pair[ask])
            plain.append(pair[bare])
    return {
        "ratio_to_bare_flask": _spread(ratios),
        "answers_per_s": _spread(asked),
        "bare_per_s": _spread(plain),
        "p99_ms": _spread([each * 1000 for each in slowest[1:]]),
        "agents_at_one_question_each_30_s": round(statistics.median(asked) * 30),
    }


def _load(
    url: str,
    call: Callable[[http.client.HTTPConnection], None],
    *,
    seconds: float,
    connections: int,
) -> tuple[float, list[float]]:
    """Answers a second over some kept connections, and each answer's seconds."""
    latencies: list[float] = []
    end = time.monotonic() + seconds

    def ask_on() -> None:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        while time.monotonic() < end:
            began = time.monotonic()
            call(connection)
            latencies.append(time.monotonic() - began)
        connection.close()

    threads = [threading.Thread(target=ask_on) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(latencies) / seconds, latencies


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


def _until(good: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if good():
                return
        except (requests.RequestException, IndexError):
            pass
        time.sleep(0.02)
    raise TimeoutError("the hub did not get there")


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    main()
