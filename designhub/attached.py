"""The hub's own agent, for printers on its own network: the only part of a hub that reaches one.

A process of its own. It looks which printers its operators wish it to tend, asks their OctoPrints
for a key where none was given, and runs for each workshop the same agent that runs elsewhere,
which speaks to the hub over HTTP like any other. Connections go to the networks of the settings and
nowhere else (`printers.networks`).
"""

import hashlib
import json
import logging
import threading
from dataclasses import dataclass, field
from uuid import UUID

from basis import clock
from basis.errors import HubError, Invalid
from designhub.hub import Hub, secret_key
from printers import attaching
from printers.agent import Agent, AgentConfig, Happening, PrinterAt
from printers.appkeys import AppKeys, KeyRequest
from printers.models import AgentRow, AttachedRow, Attaching, PrinterRow
from printers.networks import Networks, OutsideNetworks
from printers.octoprint import OctoPrint
from printers.octoprint_http import (
    PrinterBusy,
    PrinterError,
    PrinterRefused,
    PrinterUnreachable,
)

LOOK_S = 2.0
"""How often the wishes are looked at; OctoPrint forgets a question for a key after 5 s."""

CONNECT_S, READ_S = 3.0, 10.0
STOP_S = 15.0
PROGRAM = "designhub-attached"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Working:
    """The agent of one workshop, in a thread."""

    wish: str
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class Keeper:
    """Tends all attached printers of a hub.

    hub_url  : where the hub answers on this machine.
    networks : where connections to printers may go.
    """

    def __init__(self, hub: Hub, *, hub_url: str, networks: Networks) -> None:
        self._hub, self._hub_url, self._networks = hub, hub_url, networks
        self._secret = secret_key(hub.settings)
        self._requests: dict[UUID, KeyRequest] = {}
        self._working: dict[UUID, _Working] = {}

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        try:
            while not stop.is_set():
                try:
                    self.once()
                except Exception:  # the database is away: the prints go on meanwhile
                    log.exception("the attached printers could not be looked at")
                stop.wait(LOOK_S)
        finally:
            for workshop_id in list(self._working):
                self._end(workshop_id)

    def once(self) -> None:
        """Look at every wish once, then have the right agents run."""
        with self._hub.database.reading() as session:
            found = attaching.all_rows(session)
            ours = {
                printer.id
                for _, printer in found
                if printer.agent_id is not None
                and _is_ours(session.get_one(AgentRow, printer.agent_id))
            }
        wanted: dict[UUID, dict[str, PrinterAt]] = {}
        for row, printer in found:
            if row.state in (Attaching.ASKED, Attaching.WAITING):
                self._step(row, printer)
            elif row.state is Attaching.ATTACHED and printer.id in ours:
                try:
                    key = attaching.opened(row.sealed_key, secret=self._secret)
                except Invalid as exc:  # of this one printer: the others go on
                    self._note(row, why=str(exc))
                    continue
                address = PrinterAt(row.url, key)
                wanted.setdefault(printer.workshop_id, {})[str(printer.id)] = address
            elif row.state is Attaching.ATTACHED:
                self._note(row, why="another agent was enrolled for it: detach it, or attach anew")
        for workshop_id in self._working.keys() - wanted.keys():
            self._end(workshop_id)
        for workshop_id, printers in wanted.items():
            self._have(workshop_id, printers)

    # One wish.

    def _step(self, row: AttachedRow, printer: PrinterRow) -> None:
        """Come a little further with one printer; trouble is written down in words."""
        try:
            key = self._key(row)
            if key is None:
                return
            client = OctoPrint(
                row.url,
                api_key=key,
                connect_s=CONNECT_S,
                read_s=READ_S,
                networks=self._networks,
            )
            client.job()
            client.file("designhub/check.gcode")
        except (PrinterError, Invalid) as exc:
            self._requests.pop(row.printer_id, None)
            self._note(row, why=_words(exc))
            return
        with self._hub.database.writing() as session:
            again = session.get(AttachedRow, row.printer_id)
            if again is None or again.asked_at != row.asked_at:
                return  # it was taken back, or asked anew, meanwhile
            attaching.attach(
                session,
                again,
                sealed_key=attaching.sealed(key, secret=self._secret),
                secret=self._secret,
                now=clock.now(),
            )
        log.info("printer %s is attached, at %s", printer.name, row.url)

    def _key(self, row: AttachedRow) -> str | None:
        """The key, once it is known; asks OctoPrint's owner for one. Raises PrinterError."""
        if row.sealed_key:
            return attaching.opened(row.sealed_key, secret=self._secret)
        desk = AppKeys(row.url, connect_s=CONNECT_S, read_s=READ_S, networks=self._networks)
        request = self._requests.get(row.printer_id)
        if request is not None and row.state is Attaching.WAITING:
            try:
                key = desk.answer(request)
            except PrinterRefused as exc:
                raise Invalid(
                    "nobody allowed the key in OctoPrint in time, or somebody denied it: attach it"
                    " again, and allow DesignHub there"
                ) from exc
            if key is not None:
                del self._requests[row.printer_id]
            return key
        if not desk.available():
            raise Invalid(
                "it hands out no keys: is it an OctoPrint, and running? Or make a key in OctoPrint"
                " and give it here"
            )
        self._requests[row.printer_id] = request = desk.ask("DesignHub")
        with self._hub.database.writing() as session:
            again = session.get(AttachedRow, row.printer_id)
            if again is not None and again.asked_at == row.asked_at:
                attaching.waiting(again, dialogue=request.where)
        return None

    def _note(self, row: AttachedRow, *, why: str) -> None:
        with self._hub.database.writing() as session:
            again = session.get(AttachedRow, row.printer_id)
            if again is not None and again.asked_at == row.asked_at:
                attaching.troubled(again, why)
        log.warning("%s is not attached: %s", row.url, why)

    # Agents.

    def _have(self, workshop_id: UUID, printers: dict[str, PrinterAt]) -> None:
        """Let a workshop's agent run with these printers; anew when they changed."""
        with self._hub.database.reading() as session:
            token = attaching.token_of(session, workshop_id, secret=self._secret)
        wish = json.dumps([token, sorted(printers.items())])
        wish = hashlib.sha256(wish.encode()).hexdigest()
        working = self._working.get(workshop_id)
        if working is not None:
            alive = working.thread is not None and working.thread.is_alive()
            if working.wish == wish and alive:
                return
            self._end(workshop_id)
        try:
            config = AgentConfig(
                hub_url=self._hub_url,
                token=token,
                folder=self._hub.settings.data_dir / "attached" / str(workshop_id),
                printers=printers,
                networks=self._networks,
            )
        except Invalid as exc:
            log.error("the agent of workshop %s cannot run: %s", workshop_id, exc)
            return
        agent = Agent(config, on_event=_logged, program=PROGRAM)
        working = _Working(wish=wish)
        working.thread = threading.Thread(
            target=_work, args=(agent, working.stop), name=f"attached-{workshop_id}", daemon=True
        )
        self._working[workshop_id] = working
        working.thread.start()

    def _end(self, workshop_id: UUID) -> None:
        """A print under way goes on without it, and is found again."""
        working = self._working.pop(workshop_id)
        working.stop.set()
        if working.thread is not None:
            working.thread.join(STOP_S)


def _is_ours(agent: AgentRow) -> bool:
    """Whether it is an agent of the hub's own that may still speak."""
    return agent.name == attaching.NAME and agent.revoked_at is None


def _work(agent: Agent, stop: threading.Event) -> None:
    try:
        agent.run(stop)
    except HubError as exc:
        log.error("an attached agent ended: %s", exc)


def _logged(what: Happening) -> None:
    level = logging.getLevelNamesMapping()[what.level.upper()]
    log.log(level, "%s%s", f"{what.printer}: " if what.printer else "", what.text)


def _words(exc: HubError) -> str:
    """Why, for a person. What answered there is not shown: it may be anybody's."""
    if isinstance(exc, OutsideNetworks | Invalid):
        return str(exc)
    if isinstance(exc, PrinterUnreachable):
        return "nobody answers there: is it switched on, and the address right?"
    if isinstance(exc, PrinterRefused):
        return (
            "it refuses: is the key right, and may its user see the state, list, upload, select and"
            " print files? And is it OctoPrint itself, not a page that leads elsewhere?"
        )
    if isinstance(exc, PrinterBusy):
        return "OctoPrint was asked too often: attach it again in some minutes"
    return "what answers there is no OctoPrint, or it is still starting: attach it again then"
