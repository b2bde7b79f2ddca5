"""The agent: asks the hub for work for the printers beside it, and sees each run through.

One thread a printer, one that asks for all of them, and one that speaks for each run under way.
The same agent runs beside OctoPrint, inside it, or in the hub for printers on its own network.
"""

import hashlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from basis import clock
from basis.errors import Conflict, HubError, Invalid
from printers.addresses import without_addresses
from printers.camera import Camera
from printers.capability import Profile
from printers.gcode import Guard
from printers.hub import HubClient, HubFailed, HubSilent, TokenRefused, backoff_s, checked_hub_url
from printers.journal import Journal
from printers.networks import Networks
from printers.octoprint import OctoPrint
from printers.port import Port
from printers.protocol import (
    Answer,
    Hello,
    Lease,
    PrinterBrief,
    PrinterState,
    Question,
    Welcome,
)
from printers.push import Push
from printers.station import Station, View
from printers.tending import MARKS, Tools
from printers.watch import Watch, this_boot

if TYPE_CHECKING:
    from printers.trust import Trust

__all__ = ["MARKS", "Agent", "AgentConfig", "Happening", "PrinterAt", "Snapshot", "View"]

PROGRAM = "designhub-agent 0.1"
HELLO_AGAIN_S = 300.0
"""How often the agent asks anew which printers it speaks for, and what their limits are."""

FIRST_LOOK_S = 5.0
"""How long the first question waits until every printer was looked at."""

NOT_WELCOME_S = 60.0
STOP_S = 10.0

log = logging.getLogger(__name__)


class PrinterAt(NamedTuple):
    """Where a printer's OctoPrint is, and a key that may upload, select, print and read."""

    url: str
    api_key: str
    snapshot: str = ""
    """Where its camera's picture is, for the photo at the end of a run; "" is where OctoPrint takes
    its own, `camera.NEVER` is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """What an agent needs to know. Raises Invalid for what cannot work."""

    hub_url: str
    token: str
    folder: Path
    """Where the journal and files under way are kept; one agent only."""
    printers: Mapping[str, PrinterAt | tuple[str, str]]
    """By the name that the printer has in the hub: OctoPrint's address and key."""
    wait_s: int = 10
    """How long the hub may hold a question until there is work."""
    look_s: float = 2.0
    """How often a free printer is looked at."""
    keep_files: int = 20
    """Files of ended runs that stay on each printer."""
    connect_s: float = 5.0
    read_s: float = 30.0
    ca_file: str = ""
    proxy: str = ""
    networks: Networks | None = None
    """Where connections to printers may go; None is anywhere."""
    hub_key: str = ""
    """The hub's public key; "" believes the first greeting (see `printers.trust`)."""
    signed: bool = True
    """Print only what that key signed. False only where the package for it cannot be had, as
    inside OctoPrint: then the sha256 from the hub's own answer decides."""

    def __post_init__(self) -> None:
        checked_hub_url(self.hub_url)
        if not self.printers:
            raise Invalid("name at least one printer: --printer NAME=URL,KEY")
        urls = [PrinterAt(*each).url.rstrip("/") for each in self.printers.values()]
        if len(set(urls)) < len(urls):
            raise Invalid("two printers have the same OctoPrint: each needs its own")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of the agent's log."""

    at: datetime
    level: str  # "info", "warning" or "error"
    printer: str  # "" for the agent as a whole
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The agent at one moment."""

    hub: str
    """How it stands with the hub, in words."""
    again_s: float
    """Seconds until the next question."""
    printers: tuple[View, ...]


def no_photo(_: UUID) -> None:
    """The camera of a printer that has none."""


def never(_: str) -> None:
    """The marks of the protocol, when nobody watches them."""


def awake_s() -> float:
    """Seconds that never jump; a machine that sleeps gets older too, so no permit outlives it."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Agent:
    """Printers that take work from a hub.

    at        : called with each of `MARKS` as the protocol passes it.
    on_event  : called with each line of the log, from any thread; by default Python's logging.
    clock_s   : seconds that never jump back.
    port_of   : how a printer is reached; by default over HTTP at its address.
    program   : name and version, said to the hub.
    """

    def __init__(
        self,
        config: AgentConfig,
        *,
        at: Callable[[str], None] = never,
        on_event: Callable[[Happening], None] | None = None,
        clock_s: Callable[[], float] = awake_s,
        chance: Callable[[], float] = random.random,
        port_of: Callable[[PrinterAt], Port] | None = None,
        program: str = PROGRAM,
    ) -> None:
        self.config = config
        self._port_of, self._program = port_of or self._over_http, program
        self._hints = port_of is None
        """Who reaches a printer in another way stirs its station in another way."""
        self._at, self._on_event = at, on_event or _logged
        self._clock_s, self._chance = clock_s, chance
        self._hub = self._client()
        self._changed = threading.Event()
        self._guard = threading.Lock()
        self._briefs: dict[str, PrinterBrief] = {}
        self._stations: dict[str, Station] = {}
        self._greeted_at: float | None = None
        self._known_as = ""
        self._hub_text, self._next_s = "not asked yet", 0.0
        self._unknown: frozenset[str] = frozenset()
        self._trust = trust_of(config)
        self._untrusted = ""

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; prints go on without us and are found again at the next start.

        Raises JournalDamaged, JournalFull, and Conflict when another agent has folder or printer.
        """
        with ExitStack() as held:
            journal = held.enter_context(Journal(self.config.folder))
            for name, address in self.config.printers.items():
                held.enter_context(only_writer(name, PrinterAt(*address).url))
            files = self.config.folder / "gcode"
            self._tidy(files, journal)
            for name, address in self.config.printers.items():
                self._stations[name] = self._station(
                    name, PrinterAt(*address), journal, files, stop
                )
            asking = threading.Thread(target=self._ask_on, args=(stop,), name="asking", daemon=True)
            pushes = [self._push(station) for station in self._stations.values() if self._hints]
            for each in (*self._stations.values(), *pushes, asking):
                each.start()
            stop.wait()
            for push in pushes:
                push.close()
            for station in self._stations.values():
                station.stir()
            until_s = time.monotonic() + STOP_S
            for station in self._stations.values():
                station.join(max(0.0, until_s - time.monotonic()))

    def snapshot(self) -> Snapshot:
        """What to show; safe from any thread."""
        with self._guard:
            hub, next_s = self._hub_text, self._next_s
        views = tuple(station.view for station in list(self._stations.values()))
        return Snapshot(hub=hub, again_s=max(0.0, next_s - self._clock_s()), printers=views)

    def _client(self) -> HubClient:
        config = self.config
        return HubClient(
            config.hub_url,
            token=config.token,
            connect_s=config.connect_s,
            read_s=config.read_s,
            ca_file=config.ca_file,
            proxy=config.proxy,
        )

    def _over_http(self, address: PrinterAt) -> Port:
        return OctoPrint(
            address.url,
            api_key=address.api_key,
            connect_s=self.config.connect_s,
            read_s=self.config.read_s,
            networks=self.config.networks,
        )

    def _station(
        self, name: str, address: PrinterAt, journal: Journal, files: Path, stop: threading.Event
    ) -> Station:
        octoprint = self._port_of(address)
        camera = self._camera(name, address, stop)

        def tools(station: Station) -> Tools:
            return Tools(
                octoprint=octoprint,
                hub=self._client(),
                talker=self._client,
                journal=journal,
                files=files,
                guard=lambda: self._guard_of(name),
                clock=self._clock_s,
                chance=self._chance,
                at=self._at,
                say=lambda level, text: self._say(level, text, printer=name),
                show=station.show,
                stop=stop,
                look_s=self.config.look_s,
                photo=camera,
                signed=unchecked if self._trust is None else self._trust.check,
                watch=Watch(
                    self.config.folder / "watched" / f"{digest_of(address.url)}.json",
                    octoprint,
                    clock=self._clock_s,
                    say=lambda level, text: self._say(level, text, printer=name),
                    boot=this_boot(),
                ),
                rest=station.rest,
                reason=station.reasons.of,
                waits=station.waits.of,
            )

        return Station(
            name, tools=tools, keep_files=self.config.keep_files, changed=self._changed.set
        )

    def _push(self, station: Station) -> Push:
        address = PrinterAt(*self.config.printers[station.printer])
        return Push(
            address.url,
            api_key=address.api_key,
            hear=station.hear,
            awake=station.stir,
            say=lambda level, text: self._say(level, text, printer=station.printer),
            chance=self._chance,
            connect_s=self.config.connect_s,
            networks=self.config.networks,
        )

    def _camera(
        self, name: str, address: PrinterAt, stop: threading.Event
    ) -> Callable[[UUID], None]:
        """What takes the photos of a printer; nobody where it is reached another way than by HTTP,
        unless its camera's address is given."""
        if self._port_of != self._over_http and not address.snapshot:
            return no_photo
        return Camera(
            address.url,
            api_key=address.api_key,
            snapshot=address.snapshot,
            hub=self._client,
            say=lambda level, text: self._say(level, text, printer=name),
            stop=stop,
            chance=self._chance,
            networks=self.config.networks,
        ).after

    def _guard_of(self, name: str) -> Guard | None:
        """The limits of a printer, as the hub last told them."""
        with self._guard:
            brief = self._briefs.get(name)
        return None if brief is None else Profile.from_json(brief.profile).guard()

    # The thread that asks.

    def _ask_on(self, stop: threading.Event) -> None:
        failures = 0
        # A word about the bed that came after the first question might come after a person's, too.
        until = self._clock_s() + FIRST_LOOK_S
        for station in self._stations.values():
            while not stop.is_set() and self._clock_s() < until and not station.looked.wait(0.1):
                pass
        while not stop.is_set():
            try:
                if self._greeting_due():
                    self._greet(self._hub.hello(Hello(program=self._program)))
                again_s = self._ask(stop)
                failures = 0
                self._hub_is(self._untrusted or "connected")
            except TokenRefused as exc:
                again_s = NOT_WELCOME_S
                self._hub_is(f"{exc}: enrol again, or set the token (DESIGNHUB_AGENT_TOKEN)")
            except HubFailed as exc:
                failures += 1
                again_s = backoff_s(failures, chance=self._chance, most_s=60.0)
                again_s = max(again_s, exc.again_s if isinstance(exc, HubSilent) else 0.0)
                self._hub_is(f"away: {exc}")
            except HubError as exc:
                again_s = NOT_WELCOME_S
                self._greeted_at = None  # our printers may have been given to another agent
                self._hub_is(f"refuses: {exc}")
            except Exception as exc:  # a mistake of ours must not end the asking
                again_s = NOT_WELCOME_S
                self._hub_is(f"unexpected: {type(exc).__name__}: {exc}")
            self._sleep(stop, again_s * (0.9 + self._chance() / 5), early=failures == 0)

    def _greeting_due(self) -> bool:
        if self._greeted_at is None:
            return True
        # A printer that the hub does not know yet may be enrolled any minute.
        again_s = NOT_WELCOME_S if self._unknown else HELLO_AGAIN_S
        return self._clock_s() - self._greeted_at > again_s

    def _greet(self, welcome: Welcome) -> None:
        """Learn which printers are ours to speak for, and which key to believe before any of their
        files is looked at."""
        self._learn(welcome)
        by_name = {brief.name: brief for brief in welcome.printers}
        by_name |= {str(brief.printer): brief for brief in welcome.printers}
        with self._guard:
            self._briefs = {name: by_name[name] for name in self.config.printers if name in by_name}
            unknown = frozenset(self.config.printers) - frozenset(self._briefs)
            news, self._unknown = unknown - self._unknown, unknown
        if not self._known_as:
            self._known_as = welcome.name
            self._say("info", f"the hub knows this agent as {welcome.name}")
        self._greeted_at = self._clock_s()
        known = ", ".join(sorted(brief.name for brief in welcome.printers)) or "none yet"
        for name in sorted(news):
            self._say(
                "error",
                f"this token does not speak for a printer {name!r}; the hub has: {known}",
                printer=name,
            )

    def _learn(self, welcome: Welcome) -> None:
        """Follow the hub's key. Without trust no printer is ready; what prints is still told."""
        if self._trust is None:
            return
        try:
            news, self._untrusted = self._trust.learn(welcome.keys), ""
        except (HubError, OSError) as exc:
            news, self._untrusted = "", f"not trusted: {exc}"
        if news:
            self._say("info", news)

    def _ask(self, stop: threading.Event) -> float:
        """One question for all printers; leases go to their stations. Seconds until the next."""
        with self._guard:
            names = {brief.printer: name for name, brief in self._briefs.items()}
        views = {printer: self._stations[name].view for printer, name in names.items()}
        watches = {printer: self._stations[name].tools.watch for printer, name in names.items()}
        counts = {printer: watch.count for printer, watch in watches.items()}
        states = [
            PrinterState(
                printer=printer,
                ready=view.ready and not self._untrusted,
                # Everybody may read it at the hub.
                text=without_addresses(f"hub {self._untrusted}" if self._untrusted else view.text)[
                    :200
                ],
                foreign=bool(watches[printer].owed),
                why=watches[printer].owed[:200],
            )
            for printer, view in views.items()
        ]
        # A question without a ready printer only says that we live; holding it would make the
        # next printer that gets ready wait. And what is said of a bed shall be heard at once.
        held = any(state.ready for state in states) and not any(state.foreign for state in states)
        wait_s = self.config.wait_s if held else 0
        self._changed.clear()
        answer = self._hub.ask(Question(printers=states, wait_s=wait_s))
        for printer, count in counts.items():
            watches[printer].told(count)
        if not stop.is_set():
            self._hand_out(answer, names)
        return min(max(answer.again_s, 0.2), 3_600.0)

    def _hand_out(self, answer: Answer, names: Mapping[UUID, str]) -> None:
        if self._trust and any(
            lease.signed and lease.signed.key != self._trust.key for lease in answer.work
        ):
            self._learn(self._hub.hello(Hello(program=PROGRAM)))  # its key may be a new one
        for lease in answer.work:
            name = names.get(lease.printer)
            if name is None:
                self._say("error", f"run {lease.run} is for a printer that is not ours")
            elif not self._stations[name].offer(lease):
                self._say("warning", f"run {lease.run} came for a busy printer", printer=name)
        for printer, name in names.items():
            self._stations[name].told_why_not(answer.why_not.get(str(printer), "")[:200])

    def _sleep(self, stop: threading.Event, seconds: float, *, early: bool) -> None:
        """Wait, or until a printer gets ready; the hub's wish to be left alone is kept."""
        until = self._clock_s() + seconds
        with self._guard:
            self._next_s = until
        while not stop.is_set() and (left := until - self._clock_s()) > 0:
            if early and self._changed.is_set():
                stop.wait(min(left, 0.2))
                return
            stop.wait(min(left, 0.1))

    def _hub_is(self, text: str) -> None:
        with self._guard:
            news, self._hub_text = text != self._hub_text, text
        if news:
            self._say("info" if text == "connected" else "error", f"hub {text}")

    def _say(self, level: str, text: str, *, printer: str = "") -> None:
        self._on_event(Happening(at=clock.now(), level=level, printer=printer, text=text))

    def _tidy(self, files: Path, journal: Journal) -> None:
        """Remove what runs that have ended left here; say what nobody tends any more."""
        waiting = journal.open_runs()
        for run in waiting:
            if run.printer not in self.config.printers:
                text = f"run {run.lease.run} is open and its printer is not configured: add it back"
                self._say("error", text, printer=run.printer)
        wanted = {str(run.lease.run) for run in waiting}
        for file in files.glob("*") if files.is_dir() else ():
            if file.stem not in wanted:
                with suppress(OSError):
                    file.unlink()


def trust_of(config: AgentConfig) -> "Trust | None":
    """What checks signatures, if they are checked. Raises Invalid for a key that is none."""
    if not config.signed:
        return None
    from printers.trust import Trust  # needs a package that OctoPrint's own environment lacks

    return Trust(config.folder, pinned=config.hub_key)


def unchecked(_: Lease) -> None:
    """The check of a signature, where there is none."""


def _logged(what: Happening) -> None:
    level = logging.getLevelNamesMapping()[what.level.upper()]
    log.log(level, "%s%s", f"{what.printer}: " if what.printer else "", what.text)


def digest_of(url: str) -> str:
    """A short name for a printer's address, fit for files and sockets."""
    return hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:32]


@contextmanager
def only_writer(name: str, url: str) -> Iterator[None]:
    """Hold a printer for this process, on this machine; the kernel lets go when it ends.

    Two writers cannot tell their starts apart. Raises Conflict when another agent has it.
    """
    with socket.socket(socket.AF_UNIX) as held:
        try:
            held.bind(f"\0designhub-printer-{digest_of(url)}")
        except OSError as exc:
            raise Conflict(
                f"another agent on this machine speaks for {name} ({url}); stop it first"
            ) from exc
        yield
