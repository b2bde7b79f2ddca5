"""The plugin's own life inside OctoPrint: its agent, and a desk for what people ask of it.

Whatever OctoPrint calls returns at once: it looks at memory, or puts a wish down at the desk. The
network is spoken to by daemon threads of ours alone, which end with `stop`.
"""

import logging
import secrets
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from basis.errors import Invalid, NotAllowed
from printers.agent import Agent, AgentConfig, Happening, PrinterAt, never
from printers.at_printer import BedIsClear, Board, BoardAsk, Looked
from printers.hub import checked_hub_url
from printers.journal import Journal
from printers.plugin.desk import Desk
from printers.plugin.memory import Memory, load, save
from printers.plugin.voice import Voice
from printers.port import Port
from printers.protocol import AGENT_TOKEN, AgentKind, EnrolAsk

PROGRAM = "OctoPrint-DesignHub"
STOP_S, LEAVE_S = 3.0, 20.0
CONNECT_S, READ_S = 5.0, 20.0


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
        self._memory, self._fault = Memory(), ""
        self._agent: Agent | None = None
        self._agent_thread: threading.Thread | None = None
        self._agent_stop = threading.Event()
        self.desk = Desk(board=self._board, log=log)

    def start(self) -> None:
        """Go on where the last run of OctoPrint stopped."""
        try:
            self._memory = load(self._file)
        except Invalid as exc:
            self._fault = str(exc)
            self._log.error("%s", exc)
        self.desk.start()
        if self._memory.enrolled:
            self._work()

    def stop(self) -> None:
        """End all threads; a print under way goes on and is found again."""
        self._rest()
        self.desk.stop()

    def state(self) -> dict[str, Any]:
        """Everything the pages show, from memory; never the token."""
        desk = self.desk.shown()
        with self._guard:
            memory, agent, fault = self._memory, self._agent, self._fault
        shown: dict[str, Any] = {
            "enrolled": memory.enrolled,
            "hub": memory.hub,
            "printer": memory.printer,
            "workshop": memory.workshop,
            "fault": fault,
            "busy": desk.busy,
            "said": asdict(desk.said),
            "board": None if desk.board is None else desk.board.to_json(),
            "board_fault": desk.board_fault,
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
        self.desk.wish(lambda: self._enrol(url, code))

    def leave(self) -> None:
        """Work for no hub any more."""
        self.desk.wish(self._leave)

    def looked(
        self,
        *,
        job: str,
        good: bool,
        by: str,
        cause: str = "",
        job_at_fault: bool = False,
        printer_at_fault: bool = False,
    ) -> None:
        """A person looked at a print. Raises Invalid for a job that is none, or no cause."""
        try:
            job_id = UUID(job)
        except ValueError as exc:
            raise Invalid(f"{job[:80]!r} is no job") from exc
        if not good and not cause.strip():
            raise Invalid("say what was wrong, in a few words")
        board = self.desk.shown().board
        shown = [] if board is None else [each.run for each in board.judge if each.job == job_id]
        word = Looked(
            printer=self._printer_id(),
            job=job_id,
            run=shown[0] if shown else None,
            good=good,
            by=by,
            cause=cause,
            job_at_fault=job_at_fault,
            printer_at_fault=printer_at_fault,
        )
        text = "noted: it is good" if good else "noted: it failed"
        self.desk.wish(lambda: (text, self._spoken(lambda voice: voice.looked(word))))

    def bed_is_clear(self, *, by: str) -> None:
        """A person looked: nothing lies on the bed."""
        word = BedIsClear(printer=self._printer_id(), by=by)
        text = "noted: the bed is clear"
        self.desk.wish(lambda: (text, self._spoken(lambda voice: voice.bed_is_clear(word))))

    def _printer_id(self) -> UUID:
        with self._guard:
            known = self._memory.printer_id
        if not known:
            raise NotAllowed("this printer works for no hub: enrol it in OctoPrint's settings")
        return UUID(known)

    # What the desk's thread does for them.

    def _board(self) -> Board | None:
        with self._guard:
            known = self._memory.printer_id
        if not known:
            return None
        ask = BoardAsk(printer=UUID(known))
        return self._spoken(lambda voice: voice.board(ask))

    def _spoken(self, say: Callable[[Voice], Board]) -> Board:
        with closing(self._voice(self._memory)) as voice:
            return say(voice)

    def _enrol(self, hub: str, code: str) -> tuple[str, None]:
        if self._memory.enrolled:
            raise NotAllowed(f"this printer works for {self._memory.hub}: disconnect it first")
        token = AGENT_TOKEN + secrets.token_urlsafe(32)
        begun = self._memory.begun_with(hub=hub, code=code, token=token)
        self._keep(begun)  # cut off from here on, the same code said again goes on
        ask = EnrolAsk(code=code, token=begun.token, kind=AgentKind.PLUGIN)
        with closing(self._voice(begun)) as voice:
            made = voice.enrol(ask)
        if len(made.printers) != 1:
            names = ", ".join(each.name for each in made.printers) or "no printer"
            raise NotAllowed(f"this code is for {names}: make one for the printer beside this page")
        [printer] = made.printers
        self._keep(
            Memory(
                hub=hub,
                token=begun.token,
                printer=printer.name,
                printer_id=str(printer.printer),
                workshop=made.workshop,
            )
        )
        self._work()
        return f"{printer.name} works for {made.workshop} now", None

    def _leave(self) -> tuple[str, None]:
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
        self.desk.forget()
        return f"this printer works for {hub} no more; revoke its plugin there too", None

    def _keep(self, memory: Memory) -> None:
        save(self._file, memory)
        with self._guard:
            self._memory, self._fault = memory, ""

    def _voice(self, memory: Memory) -> Voice:
        return Voice(memory.hub, token=memory.token, connect_s=CONNECT_S, read_s=READ_S)

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
        self.desk.look_again()
        level = logging.getLevelNamesMapping()[what.level.upper()]
        self._log.log(level, "%s", what.text)

    @property
    def _file(self) -> Path:
        return self.folder / "hub.json"

    @property
    def _agent_folder(self) -> Path:
        return self.folder / "agent"
