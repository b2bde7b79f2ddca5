"""What the plugin and the hub say to each other for the people who stand at the printer.

Beside `printers.protocol`, under the same rules, for an agent that was enrolled as a plugin only:

    /agents/me/board       BoardAsk   → Board   how the printer stands, in words
    /agents/me/looked      Looked     → Board   a person looked at a print: good, or not and why
    /agents/me/bed-clear   BedIsClear → Board   a person looked: the bed is clear

Every answer is the board as it stands afterwards; saying the same again is harmless.
"""

from dataclasses import dataclass, field
from uuid import UUID

from basis.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardAsk(Message):
    """How does this printer stand?"""

    printer: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ToJudge(Message):
    """A print that a person must look at."""

    job: UUID
    title: str
    text: str
    """What to do about it, in words."""
    run: UUID | None = None
    """Which try it is; an older hub does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause(Message):
    """Why a print failed: what is kept, and how a person reads it."""

    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board(Message):
    """One printer as the person in front of it needs it."""

    printer: UUID
    name: str
    state: str
    asks: bool
    """Whether somebody must do something."""
    next: str
    bed_clear: bool
    may_clear: bool
    """Whether "the bed is clear" would be taken now."""
    waiting: int
    """Jobs that wait for this printer."""
    page: str
    """Path of the printer's page at the hub."""
    judge: list[ToJudge] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Message):
    """What a person says of a print that is not good, here or on a page of the hub."""

    cause: str = ""
    job_at_fault: bool = False
    printer_at_fault: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked(Failure):
    """A person took a part off, or found that there is none, and said what they saw."""

    printer: UUID
    job: UUID
    good: bool
    by: str
    """The name of the person in OctoPrint; it is kept with the word."""
    run: UUID | None = None
    """The try that was looked at: said again when the job is tried anew, it changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BedIsClear(Message):
    """A person looked: nothing lies on the bed."""

    printer: UUID
    by: str
