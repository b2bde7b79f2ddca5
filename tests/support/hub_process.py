"""A whole hub as its operator runs it: `designhub serve` on a free port, with its side work beside
it, and the people who use it by commands and git."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from basis.settings import environment_for_child
from designhub.api import schema
from designhub.client import HubApi, HubAway
from designhub.processes import Child, check_port, this_program
from printers.farm import Instance
from tests.support.git_server import Work

START_S = 60.0
COMMAND_S = 120.0
PASSWORD = "correct horse battery"
_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account and a token that may do everything."""

    name: str
    token: str
    url: str

    @property
    def api(self) -> HubApi:
        """The hub, spoken to as this person."""
        return HubApi(self.url, token=self.token)

    def designhub(self, *arguments: str, fails: bool = False, stdin: str = "") -> str:
        """Run a command; what it printed, or when it is to fail what it complained about."""
        done = command(*arguments, hub=self.url, token=self.token, stdin=stdin)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    def ask(self, *arguments: str) -> Any:
        """Run a command with --json; what it answered."""
        return json.loads(self.designhub(*arguments, "--json"))

    def address(self, design: str) -> str:
        """Where git pushes a design of theirs."""
        rest = self.url.removeprefix("http://")
        return f"http://{self.name}:{self.token}@{rest}/{self.name}/{design}.git"

    def push(self, design: str, files: dict[str, bytes], *, folder: Path) -> str:
        """Make a design and push these files to it; the commit."""
        self.designhub("design", "create", design)
        work = Work(folder / design)
        commit = work.commit(files)
        work.git("push", self.address(design), "main")
        return commit

    def until(
        self, job_id: str, met: Callable[[schema.Job], bool], *, limit_s: float = 120.0
    ) -> schema.Job:
        """A job of theirs, once something is true of it."""
        end = time.monotonic() + limit_s
        while True:
            job = self.api.ask(schema.Job, "GET", f"/jobs/{job_id}")
            if met(job):
                return job
            assert time.monotonic() < end, f"it did not come to that: {job}"
            time.sleep(0.02)

    def until_seen(self, workshop: str, *, limit_s: float = 60.0) -> None:
        """Wait until an agent has spoken for every printer of a workshop."""
        end = time.monotonic() + limit_s
        while True:
            found = self.api.ask(schema.Workshop, "GET", f"/workshops/{workshop}")
            if all(printer.seen_at for printer in found.printers):
                return
            assert time.monotonic() < end, "the agent does not report"
            time.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class RunningHub:
    """A hub that answers."""

    url: str
    data: Path
    child: Child

    def person(self, name: str = "", *, operator: bool = False) -> Person:
        """A new account; names are made up unless one is wished."""
        name = name or f"person-{next(_numbers)}"
        if operator:
            asked = (
                "user",
                "add",
                name,
                "--operator",
                "--password-stdin",
                "--data",
                str(self.data),
            )
            done = command(*asked, stdin=PASSWORD)
            assert done.returncode == 0, done.stderr
        else:
            account = schema.AccountAsk(name=name, password=PASSWORD)
            HubApi(self.url).ask(schema.Account, "POST", "/accounts", account)
        api = HubApi(self.url, password=(name, PASSWORD))
        token = schema.TokenAsk(name="test", scopes=["push", "order", "operate"])
        made = api.ask(schema.Token, "POST", "/tokens", token)
        return Person(name=name, token=made.token or "", url=self.url)

    def measured(self, design: str, commit: str, *, limit_s: float = 60.0) -> schema.Version:
        """The version, once its parts are measured."""
        api, until = HubApi(self.url), time.monotonic() + limit_s
        while True:
            found = api.ask(schema.Version, "GET", f"/designs/{design}/versions/{commit}")
            if found.analysis == "done":
                return found
            assert time.monotonic() < until, f"{design} is not measured: {self.child.last_words()}"
            time.sleep(0.02)


def command(
    *arguments: str, hub: str = "", token: str = "", stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run `designhub` as a process of its own."""
    environment = environment_for_child({"DESIGNHUB_URL": hub, "DESIGNHUB_TOKEN": token})
    return subprocess.run(
        this_program(*arguments),
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )


@contextmanager
def hub_process(data: Path, *, before: Sequence[str] = (), **settings: str) -> Iterator[RunningHub]:
    """Serve a hub on `data` until the block ends. `before` is put in front of the command."""
    port = check_port("127.0.0.1", 0)
    environment = environment_for_child(
        {f"DESIGNHUB_{name}": text for name, text in settings.items()}
    )
    log = data.parent / f"{data.name}.log"
    argv = [*before, *this_program("serve", "--data", str(data), "--port", str(port))]
    child = Child(argv, log=log, environment=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, child)
        yield RunningHub(url=url, data=data, child=child)
    finally:
        child.stop(grace_s=30.0)


@contextmanager
def agent_beside(config: Path, *, log: Path | None = None) -> Iterator[Child]:
    """Run `designhub agent` with a settings file until the block ends."""
    said = log or config.with_suffix(".log")
    child = Child(
        this_program("agent", "--config", str(config), "--json"),
        log=said,
        environment=environment_for_child({}),
    )
    try:
        yield child
    finally:
        child.stop()


def enrol(
    owner: Person,
    workshop: str,
    *,
    near: str,
    octoprint: Instance,
    folder: Path,
    material: str = "PLA",
) -> Path:
    """Enrol a virtual printer called `ender`; the settings file of its agent."""
    config = folder / f"{workshop}.toml"
    owner.designhub(
        *("printer", "enrol", "ender", "--workshop", workshop, "--near", near),
        *("--common", "virtual", "--material", material, "--config", str(config)),
        *("--octoprint", octoprint.url, "--key", octoprint.api_key),
    )
    return config


def _wait_for(url: str, child: Child) -> None:
    until = time.monotonic() + START_S
    while True:
        assert child.ended() is None, f"the hub ended: {child.last_words()}"
        assert time.monotonic() < until, f"the hub does not answer: {child.last_words()}"
        try:
            assert list(HubApi(url).lines("/readyz"))
            return
        except HubAway:
            time.sleep(0.05)


@pytest.fixture(scope="session")
def running_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """One hub for the whole run. Tests share it: use people, designs and workshops of your own."""
    folder = tmp_path_factory.mktemp("running-hub")
    with hub_process(folder / "hub", BEAT_S="1") as running:
        yield running
