"""What an agent and the hub say to each other, in JSON, over connections that the agent opens.

All calls are POST with the agent's token as `Authorization: Bearer …`, under `/api/v1`:

    /agents/enrol          EnrolAsk   → Enrolled    a code for a token; without one in the header
    /agents/me/hello       Hello      → Welcome     which printers it speaks for
    /agents/me/ask         Question   → Answer      work for idle printers; when to ask again
    /runs/<run>/gcode (GET)           → the file    bytes, with Range for resuming
    /runs/<run>/permit     PermitAsk  → Permit      the right to start; repeating is harmless
    /runs/<run>/beat       Beat       → BeatAnswer  progress, renewal; "on" or "stop"
    /runs/<run>/report     Report     → Reported    what became of it; repeating is harmless

Rules that both sides rely on:

- Every message about a run carries its fence. An older fence gets 409 `stale_fence` and changes
  nothing; the agent then never starts that run, and goes on telling the truth about a machine that
  is already moving.
- Durations only: no clock of the agent's enters a decision of the hub. A permit is good for
  `good_s` from the moment the agent sent its question.
- A reply that was lost is asked for again with the same message.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from basis.errors import NotAllowed
from basis.messages import Message

AGENT_TOKEN = "dha_"  # noqa: S105 - the visible beginning of every agent's token
VERSION = 1
"""Of this protocol; said in `Hello`, answered with an error that names both when unknown."""


class StaleFence(NotAllowed):
    """The run is no longer this agent's to move on: another fence, or it ended."""

    code = "stale_fence"


class ReportEvent(StrEnum):
    """What an agent can report of a run."""

    STARTED = "started"  # the printer's own job is our file, and it moves
    PAUSED = "paused"  # it waits for somebody at the machine
    FINISHED = "finished"  # the printer recorded success for our file
    FAILED = "failed"  # the printer recorded failure for our file
    NEVER_STARTED = "never_started"  # the journal proves the start was never asked for
    RELEASED = "released"  # given back before a permit
    UNCLEAR = "unclear"  # the start was asked for and no evidence is left: a person must look


class Word(StrEnum):
    """The hub's answer to a beat."""

    ON = "on"
    STOP = "stop"  # cancel the print, if it is ours, and report what came of it


@dataclass(frozen=True, slots=True, kw_only=True)
class HubKey(Message):
    """One of the hub's public keys. All but the first were signed for by the one they replace."""

    key: str
    since: str
    replaces: str = ""
    signature: str = ""
    """Of `replaces`, over `printers.provenance.rotation`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubKeys(Message):
    """Every key that a hub ever signed with; the last one is in use."""

    keys: list[HubKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(Message):
    """A document, and the signature of `key` over exactly its bytes in UTF-8."""

    document: str
    key: str
    signature: str


class WaitsFor(StrEnum):
    """What a paused print waits for, where that can be known."""

    FILAMENT = "filament"  # a filament change was asked for
    PERSON = "person"  # somebody paused it in OctoPrint
    PRINTER = "printer"  # the printer itself asked to pause: its sensor, or its own display


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(Message):
    """The first thing an agent says."""

    protocol: int = VERSION
    program: str = ""
    """Name and version, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterBrief(Message):
    """One printer the agent speaks for, with the limits its G-code is checked against."""

    printer: UUID
    name: str
    profile: dict[str, Any]
    """`printers.capability.Profile.to_json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome(Message):
    """The hub's answer to `Hello`."""

    agent: UUID
    name: str
    printers: list[PrinterBrief]
    beat_s: int
    lease_s: int
    keys: list[HubKey] = field(default_factory=list)
    """What the hub signs with, and what it signed with before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterState(Message):
    """What the agent sees of one machine right now."""

    printer: UUID
    ready: bool
    """Operational, idle, and no run of ours under way: it could take work."""
    text: str = ""
    """The machine's own word for its state, for people."""
    foreign: bool = False
    """It was seen printing what is no run of ours, or nobody can vouch that it did not: its bed is
    not clear. Said until the hub has answered."""
    why: str = ""
    """In words, why `foreign`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Message):
    """Is there work? Asked for all printers of an agent at once."""

    printers: list[PrinterState]
    wait_s: int = 0
    """How long the agent is willing to wait for an answer with work in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease(Message):
    """One run for one printer, held by the agent from now on."""

    run: UUID
    job: UUID
    printer: UUID
    fence: int
    path: str
    """Where the file goes on the printer: never used before or again."""
    sha256: str
    sha1: str
    size_bytes: int
    title: str
    """Design, version and part, for people."""
    duration_s: int
    lease_s: int
    signed: Signed | None = None
    """`printers.provenance.Provenance` of this run, signed by the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Message):
    """Work, or none; and when to ask again."""

    work: list[Lease] = field(default_factory=list)
    again_s: float = 10.0
    why_not: dict[str, str] = field(default_factory=dict)
    """Per printer id, why a ready machine gets nothing: for the agent's screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitAsk(Message):
    """The file is beside the printer and its hash is right: may it start?"""

    fence: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit(Message):
    """It may start, once, within `good_s` seconds of asking."""

    run: UUID
    fence: int
    good_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat(Message):
    """A sign of life about a run, and how far it is."""

    fence: int
    printing: bool = False
    """The printer's own job is our file: as good as a `started` report."""
    paused: bool = False
    progress_ppm: int = 0
    seconds_left: int | None = None
    text: str = ""
    waits_for: str = ""
    """While paused, a word of `WaitsFor` where it is known. A word that the hub does not know
    counts as none, so that either side may be the newer."""
    nozzle_c: int | None = None
    nozzle_target_c: int | None = None
    bed_c: int | None = None
    bed_target_c: int | None = None
    """Whole °C, as last read; for people, like all that follows."""
    layer: int | None = None
    layers: int | None = None
    """Which layer, from 1, and of how many."""
    z_um: int | None = None
    """How high that layer is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatAnswer(Message):
    """Go on, or stop; and how soon to speak again."""

    word: Word
    beat_s: int
    lease_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Message):
    """What became of a run, with what proves it."""

    fence: int
    event: ReportEvent
    print_s: int | None = None
    """Seconds the machine worked, by its own record."""
    progress_ppm: int | None = None
    evidence: str = ""
    """In words: what was seen on the printer or in the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported(Message):
    """The state the run is in after the report."""

    run: UUID
    state: str


def gcode_path(*, job: UUID, run: UUID) -> str:
    """The file's place on the printer: one for each run, never used again."""
    return f"designhub/{job}/{run}.gcode"


class AgentKind(StrEnum):
    """Where an agent runs, which decides what is taken from it."""

    AGENT = "agent"  # beside OctoPrint: it speaks of machines, never for people
    PLUGIN = "plugin"  # inside it, for one printer: people press its buttons (`at_printer`)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolAsk(Message):
    """A code that a person read off the hub's page, for a token.

    `token` is one that the agent made up and keeps already: `dha_` and 40 to 80 letters, digits,
    `_` and `-`. Saying the same code and token again is harmless. Without one the hub makes it.
    """

    code: str
    token: str = ""
    kind: AgentKind = AgentKind.AGENT


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterName(Message):
    """A printer that an agent speaks for."""

    printer: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled(Message):
    """What the code was good for. The token is told this once; nobody keeps its text."""

    agent: UUID
    name: str
    token: str
    workshop: str
    printers: list[PrinterName]
    hub_key: str = ""
    """The hub's public key: from now on the agent prints nothing that it did not sign."""
