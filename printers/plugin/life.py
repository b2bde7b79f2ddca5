"""The plugin's own life inside OctoPrint: its agent, and one thread for what people ask of it.

Whatever OctoPrint calls returns at once: it looks at memory, or puts a wish into a short queue.
The network is spoken to by daemon threads of ours alone, which end with `stop`.
"""

import logging
import queue
import secrets
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from basis.errors import HubError, Invalid, NotAllowed, TooMany
from printers.agent import Agent, AgentConfig, Happening, PrinterAt, never
from printers.hub import HubClient, checked_hub_url
from printers.journal import Journal
from printers.plugin.memory import Memory, load, save
from printers.port import Port
from printers.protocol import AGENT_TOKEN, EnrolAsk

PROGRAM = "OctoPrint-DesignHub"
MOST_WISHES = 4
STOP_S = 3.0
LEAVE_S = 20.0
CONNECT_S, READ_S = 5.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How the last wish of a person went, for the page that it was made on."""

    number: int = 0
    good: bool = True
    text: str = ""


class Life:
    """One enrolled printer, or one that waits to be.

    folder : the plugin's own; journals, files under way and the token stay in it.
    port   : the printer of this OctoPrint.
    """

    def __init__(self, folder: Path, *, port: Port, log: logging.Logger) -> None:
        self.folder, self.port, self._log = folder, port, log
        self.at: Callable[[str], None] = never
        """Called with each of the agent's `MARKS` as the protocol passes it; for tests."""
        self._guard = threading.Lock()
        self._wishes: queue.Queue[Callable[[], str] | None] = queue.Queue(maxsize=MOST_WISHES)
        self._waiting = 0
        self._said = Said()
        self._memory, self._fault = Memory(), ""
        self._agent: Agent | None = None
        self._agent_thread: threading.Thread | None = None
        self._agent_stop = threading.Event()
        self._clerk = threading.Thread(target=self._serve, name="designhub-clerk", daemon=True)

    def start(self) -> None:
        """Go on where the last run of OctoPrint stopped."""
        try:
            self._memory = load(self._file)
        except Invalid as exc:
            self._fault = str(exc)
            self._log.error("%s", exc)
        self._clerk.start()
        if self._memory.enrolled:
            self._work()

    def stop(self) -> None:
        """End all threads; a print under way goes on and is found again."""
        self._rest()
        with suppress(queue.Full):  # then it ends with OctoPrint: it is a daemon
            self._wishes.put_nowait(None)
        if self._clerk.is_alive():
            self._clerk.join(STOP_S)

    def state(self) -> dict[str, Any]:
        """Everything the pages show, from memory; never the token."""
        with self._guard:
            memory, said, waiting, agent = self._memory, self._said, self._waiting, self._agent
            fault = self._fault
        shown: dict[str, Any] = {
            "enrolled": memory.enrolled,
            "hub": memory.hub,
            "printer": memory.printer,
            "workshop": memory.workshop,
            "fault": fault,
            "busy": waiting > 0,
            "said": asdict(said),
            "link": "",
            "view": None,
        }
        if agent is not None:
            now = agent.snapshot()
            shown["link"] = now.hub
            for view in now.printers:
                run = None if view.run is None else str(view.run)
                shown["view"] = asdict(view) | {"run": run}
        return shown

    # What people wish.

    def enrol(self, *, hub: str, code: str) -> None:
        """Turn a code from the hub's page into the right to work for one printer there."""
        code, hub = code.strip().upper(), hub.strip()
        if not 1 <= len(code) <= 40:
            raise Invalid("type the code from the hub's page, for example K7QF-M2XD")
        url = checked_hub_url(hub)
        self._wish(lambda: self._enrol(url, code))

    def leave(self) -> None:
        """Work for no hub any more."""
        self._wish(self._leave)

    def _wish(self, do: Callable[[], str]) -> None:
        with self._guard:
            try:
                self._wishes.put_nowait(do)
            except queue.Full as exc:
                raise TooMany("the hub has not answered yet: wait a moment", again_s=5) from exc
            self._waiting += 1

    # The thread that does it.

    def _serve(self) -> None:
        while (do := self._wishes.get()) is not None:
            try:
                good, text = True, do()
            except (HubError, OSError) as exc:
                good, text = False, str(exc)
            except Exception as exc:  # a mistake of ours must not end the thread
                self._log.exception("unexpected")
                good, text = False, f"unexpected: {type(exc).__name__}: {exc}"
            with self._guard:
                self._waiting -= 1
                self._said = Said(number=self._said.number + 1, good=good, text=text[:1_000])

    def _enrol(self, hub: str, code: str) -> str:
        if self._memory.enrolled:
            raise NotAllowed(f"this printer works for {self._memory.hub}: disconnect it first")
        token = AGENT_TOKEN + secrets.token_urlsafe(32)
        begun = self._memory.begun_with(hub=hub, code=code, token=token)
        self._keep(begun)  # cut off from here on, the same code said again goes on
        with closing(self._client(begun)) as client:
            made = client.enrol(EnrolAsk(code=code, token=begun.token))
        if len(made.printers) != 1:
            names = ", ".join(each.name for each in made.printers) or "no printer"
            raise NotAllowed(f"this code is for {names}: make one for the printer beside this page")
        name = made.printers[0].name
        self._keep(Memory(hub=hub, token=begun.token, printer=name, workshop=made.workshop))
        self._work()
        return f"{name} works for {made.workshop} now"

    def _leave(self) -> str:
        hub = self._memory.hub
        self._rest(LEAVE_S)
        with Journal(self._agent_folder) as journal:
            waiting = journal.open_runs()
        if waiting:
            self._work()
            raise NotAllowed(
                f"{waiting[0].lease.title} is not finished: wait for its end, or cancel it there"
            )
        self._keep(Memory())
        return f"this printer works for {hub} no more; revoke its agent there too"

    def _keep(self, memory: Memory) -> None:
        save(self._file, memory)
        with self._guard:
            self._memory, self._fault = memory, ""

    def _client(self, memory: Memory) -> HubClient:
        return HubClient(memory.hub, token=memory.token, connect_s=CONNECT_S, read_s=READ_S)

    # The agent.

    def _work(self) -> None:
        """Have the agent run, in a thread of its own."""
        memory, stop = self._memory, threading.Event()
        config = AgentConfig(
            hub_url=memory.hub,
            token=memory.token,
            folder=self._agent_folder,
            printers={memory.printer: PrinterAt(f"inside:{self.folder}", "-")},
            connect_s=CONNECT_S,
            read_s=READ_S,
            # No package for it in OctoPrint: the sha256 that the hub itself tells us decides.
            signed=False,
        )
        agent = Agent(
            config,
            at=lambda mark: self.at(mark),
            on_event=self._happened,
            port_of=lambda _: self.port,
            program=PROGRAM,
        )
        thread = threading.Thread(
            target=self._run, args=(agent, stop), name="designhub-agent", daemon=True
        )
        with self._guard:
            self._agent, self._agent_thread, self._agent_stop = agent, thread, stop
        thread.start()

    def _run(self, agent: Agent, stop: threading.Event) -> None:
        try:
            agent.run(stop)
        except Exception as exc:
            with self._guard:
                self._fault, self._agent = f"the agent ended: {exc}", None
            self._log.exception("the agent ended")

    def _rest(self, limit_s: float = STOP_S) -> None:
        """End the agent, if there is one."""
        with self._guard:
            thread, self._agent, self._agent_thread = self._agent_thread, None, None
            self._agent_stop.set()
        if thread is not None:
            thread.join(limit_s)

    def _happened(self, what: Happening) -> None:
        level = logging.getLevelNamesMapping()[what.level.upper()]
        self._log.log(level, "%s", what.text)

    @property
    def _file(self) -> Path:
        return self.folder / "hub.json"

    @property
    def _agent_folder(self) -> Path:
        return self.folder / "agent"
