"""What the API takes and gives, as messages. Times are RFC 3339 UTC, money is in minor units,
lengths and masses are whole numbers with their unit last in the name."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from basis.messages import Message
from printers.at_printer import Failure

# People.


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAsk(Message):
    """Make an account; `invitation` is the secret of a link, where registration asks for one."""

    name: str
    """a-z, 0-9, and `-` inside; at most 39 letters."""
    password: str
    """10 to 200 characters."""
    invitation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Message):
    """A person, as they see themselves."""

    id: UUID
    name: str
    scopes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAsk(Message):
    """Make a token with these scopes: `push`, `order`, `operate`. `days` ends it by itself."""

    name: str
    scopes: list[str]
    days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Message):
    """A token; its text is told once, when it is made."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens(Message):
    """Tokens that still work."""

    tokens: list[Token]


# Designs.


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignAsk(Message):
    """Make an empty design to push to."""

    name: str
    """The last part of its address: a-z, 0-9, `-`, `_`, `.`"""
    title: str = ""
    """At most 200 letters; empty means the name."""
    description: str = ""
    """At most 4,000 letters."""
    visibility: str = "public"
    """`public` or `private`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignChange(Message):
    """What to change of a design; what is left out stays."""

    title: str | None = None
    description: str | None = None
    visibility: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Design(Message):
    """A design."""

    id: int
    owner: str
    name: str
    title: str
    description: str
    visibility: str
    created_at: str
    pushed_at: str | None
    clone: str
    """Address for `git clone` and `git push`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Designs(Message):
    """One page of designs; `next` is the `after` of the following one."""

    designs: list[Design]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Message):
    """A mesh of a version: its facts, or why it has none."""

    name: str
    title: str
    path: str
    analysis: str
    facts: dict[str, Any] | None
    refusal: str | None
    refusal_text: str | None
    picture: str | None
    """Address of its picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Message):
    """One mistake in a manifest, and how to mend it."""

    code: str
    key: str
    line: int | None
    severity: str
    text: str
    fix: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Message):
    """A commit that a tag or branch named, with what was read and measured of it."""

    commit: str
    refs: list[str]
    committed_at: str
    pushed_at: str
    author: str
    message: str
    analysis: str
    name: str
    licence: str
    manifest: dict[str, Any] | None
    faults: list[Fault]
    parts: list[Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionBrief(Message):
    """A tag or branch and what it names."""

    ref: str
    commit: str
    pushed_at: str
    analysis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions(Message):
    """Tags and branches, the newest first."""

    versions: list[VersionBrief]


# Quotes and orders.


@dataclass(frozen=True, slots=True, kw_only=True)
class PartAsk(Message):
    """One part of several, and how many copies of it."""

    part: str | None = None
    """Its name; needed when the version has several."""
    copies: int = 1
    design: str | None = None
    """`owner/name`, where it is not the design of the question."""
    version: str | None = None
    """Of that design: tag, branch or commit; else that of the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteAsk(Message):
    """Who near a place would make this part, or all of these parts?"""

    design: str
    """`owner/name`"""
    place: str
    """`City`, `City, CC`, or `latitude,longitude` in degrees."""
    version: str | None = None
    """Tag, branch or commit; else the newest tag."""
    part: str | None = None
    """Its name; needed when the version has several."""
    copies: int = 1
    """Each is a job of its own."""
    parts: list[PartAsk] = field(default_factory=list)
    """Instead of `part` and `copies`: several parts, all from one printer."""
    material: str = "PLA"
    colour: str | None = None
    layer_height_um: int = 200
    infill_pct: int = 20
    perimeters: int = 2
    supports: bool = False
    brim_mm: int = 0
    orientation: str = "as_modelled"
    """Which side lies on the bed: `as_modelled`, `best` (leans out least), `top`, `left`, `right`,
    `front` or `back`."""
    preset: str = "balanced"
    """`balanced`, `greenest`, `soonest` or `cheapest`."""
    modes: list[str] = field(default_factory=list)
    """Ways it may travel: `foot`, `bicycle`, `car`, `parcel`; none named means any."""
    deadline: str | None = None
    """RFC 3339 with a zone."""
    max_distance_m: int | None = None
    max_total_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteLine(Message):
    """One reason for a part of the price."""

    label: str
    amount_minor: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteTerm(Message):
    """One reason for a part of the rank."""

    name: str
    value: int
    unit: str
    cost: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Where(Message):
    """A printer and its workshop, as everybody may see them."""

    printer: UUID
    printer_name: str
    workshop: str
    workshop_title: str
    place: str
    lat_udeg: int
    lon_udeg: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotePart(Message):
    """One part of a quote; grams and seconds are of one copy."""

    part: str
    """Its title."""
    copies: int
    mass_mg: int
    duration_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote(Message):
    """A binding answer of one printer, with every line, term and source."""

    id: UUID
    where: Where
    mode: str
    parts: list[QuotePart]
    copies: int
    """Of all parts together: as many jobs an order has."""
    material: str
    colour: str
    currency: str
    total_minor: int
    mass_mg: int
    """Of all copies of all parts."""
    duration_s: int
    """Of all prints."""
    great_circle_m: int
    circuity_per_mille: int
    distance_m: int
    co2e_mg: int
    eta_s: int
    cost: int
    lines: list[QuoteLine]
    terms: list[QuoteTerm]
    preset: str
    weights: dict[str, Any]
    factors: str
    inputs: dict[str, Any]
    inputs_sha256: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyNot(Message):
    """One axis on which a printer does not serve."""

    axis: str
    needed: str
    available: str
    unit: str
    who_can_fix: str
    part: str = ""
    """The title of the part it is about, where several were asked for and others may fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Message):
    """A printer that cannot, with every reason."""

    where: Where
    distance_m: int
    reasons: list[WhyNot]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotes(Message):
    """Quotes, best first; then printers that nearly could, then those that cannot."""

    quotes: list[Quote]
    near_misses: list[Refusal]
    refusals: list[Refusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAsk(Message):
    """Accept a quote. The same key orders once, however often it is sent."""

    quote: UUID
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening(Message):
    """One line of a job's history."""

    at: str
    actor: str
    what: str
    before: str
    after: str
    note: str
    run: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Message):
    """One try of a job."""

    id: UUID
    fence: int
    state: str
    progress_ppm: int
    seconds_left: int | None
    started_at: str | None
    ended_at: str | None
    stop_asked: bool
    cause: str
    waits_for: str
    """While it is paused: `filament`, `person`, `printer`, or nothing when nobody knows."""
    photo: str | None
    """Where the photo of the bed at its end is, for maker and workshop."""
    nozzle_c: int | None = None
    nozzle_target_c: int | None = None
    bed_c: int | None = None
    bed_target_c: int | None = None
    """Whole °C, as its agent last read them while it printed; null where nobody knows."""
    layer: int | None = None
    layers: int | None = None
    z_um: int | None = None
    """The layer it was in then, from 1, of how many, and how high that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Message):
    """One plate to be made once."""

    id: UUID
    order: UUID
    copy: int
    """Of several copies on its plate the first."""
    pieces: int
    """Copies on its plate."""
    good: int | None
    """How many of them passed when not all did: another job of the order makes the others."""
    copies: int
    """Of its part."""
    state: str
    reason: str
    design: str
    commit: str
    part: str
    where: Where
    mode: str
    distance_m: int
    mass_mg: int
    duration_s: int
    co2e_mg: int
    currency: str
    total_minor: int
    """Of the whole order."""
    gcode_sha256: str | None
    sliced_by: str | None
    tries: int
    created_at: str
    ready_at: str | None
    ended_at: str | None
    runs: list[Run]
    history: list[Happening]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPart(Message):
    """One part of an order and its jobs, one for each plate."""

    design: str
    """Its title."""
    part: str
    """Its title."""
    jobs: list[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Message):
    """An accepted quote and its jobs, one for each plate of each part."""

    id: UUID
    quote: UUID
    created_at: str
    currency: str
    total_minor: int
    copies: int
    """Of all parts together."""
    parts: list[OrderPart]
    jobs: list[UUID]
    """Part by part."""
    states: list[str]
    """Of the jobs, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders(Message):
    """Orders, the newest first."""

    orders: list[Order]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAsk(Failure):
    """What was wrong, and whose fault; `again` authorises one more try at once."""

    cause: str
    printer_at_fault: bool = True
    again: bool = False
    printed_ppm: int | None = None
    """Of a run that nobody saw end, how much of it lies there, in millionths of its file; without
    it what the machine last told counts."""
    good: int = 0
    """Of several copies on the plate, how many are good all the same: they pass, and another job
    of the order stands for the others."""


# Workshops and printers.


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkshopAsk(Message):
    """Open a workshop. Money is in minor units of `currency`."""

    name: str
    place: str
    title: str = ""
    currency: str = "EUR"
    per_hour_minor: int = 150
    labour_minor: int = 100
    contribution_bp: int = 1_000
    carriage: list[dict[str, Any]] = field(default_factory=list)
    """Objects {mode, base_minor, per_km_minor, most_km}; none means: fetch it on foot, by bicycle
    or car."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterAsk(Message):
    """Add a printer: the name of a common profile, or a profile of your own."""

    name: str
    common: str | None = None
    profile: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine(Message):
    """A machine that the slicer has profiles for."""

    vendor: str
    printer: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines(Message):
    """Machines, by vendor."""

    machines: list[Machine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presets(Message):
    """The slicer's profiles that go with a machine, and those of which it is not clear."""

    prints: list[str]
    filaments: list[str]
    unclear: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineAsk(Message):
    """Vendor and printer as found, with the profiles to take (those suggested, if none); or `ini`,
    the text that the slicer's *Export config* wrote, with the file's `name`."""

    vendor: str | None = None
    printer: str = ""
    print_profile: str = ""
    filaments: list[str] = field(default_factory=list)
    """At most one for each family."""
    ini: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut(Message):
    """A setting that was not taken, and why; `look` where a person should read it."""

    name: str
    why: str
    look: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineProfile(Message):
    """A profile for `POST /workshops/{name}/printers`, and what of its source is not in it."""

    profile: dict[str, Any]
    left_out: list[LeftOut]
    codes: dict[str, str]
    """Start and end codes that were not taken, as they stand there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolAsk(Message):
    """Load a spool."""

    material: str
    """`PLA`, `PETG`, …"""
    colour: str
    left_mg: int
    price_per_kg_minor: int
    """In the workshop's currency."""
    slot: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterChange(Message):
    """What a printer does from now on, and why, for everybody to read. Say `duty`, or `accepting`
    alone: true is `open`, false is `paused`. Or say `most_pieces` alone."""

    duty: str | None = None
    """`open`, `paused` (starts nothing new), `draining` (makes what waits, takes no order) or
    `maintenance` (somebody works at it)."""
    accepting: bool | None = None
    because: str = ""
    most_pieces: int | None = None
    """Most copies of a part on one plate, from the next quote on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietAsk(Message):
    """When no print starts, by the workshop's clock; no days at all: no quiet hours."""

    days: dict[str, Any] = field(default_factory=dict)
    """By the day on which they begin: `{"fri": "22:00–07:00", "sat": "0:00–9:00, 22:00–24:00"}`."""
    must_be_over: bool = False
    """A print that would still run when they begin does not start either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepAsk(Message):
    """Something was done to keep a printer well."""

    task: str
    """What, in the same words each time: they say when it is due again."""
    note: str = ""
    again_hours: int | None = None
    """Due again after so many hours of printing."""
    again_on: str | None = None
    """Due again on this day, such as 2027-01-31."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep(Message):
    """One line of what was done to a printer."""

    task: str
    note: str
    at: str
    by: str
    printed_s: int
    """What the printer had printed for this hub until then."""
    due_printed_s: int | None
    due_on: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepTask(Message):
    """The last time that a task was done, and whether it is due."""

    last: Upkeep
    since_s: int
    """Printed since then."""
    due: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepOf(Message):
    """What was done to a printer, and what is due."""

    printed_s: int
    tasks: list[UpkeepTask]
    """What is due first."""
    log: list[Upkeep]
    """The youngest line first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool(Message):
    """What is loaded in a slot."""

    id: UUID
    slot: int
    material: str
    colour: str
    left_mg: int
    price_per_kg_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer(Message):
    """A printer as its workshop sees it."""

    id: UUID
    name: str
    profile: dict[str, Any]
    trial: str
    """`due`, `passed` or `failed`: it takes work once a cube could be sliced for it."""
    trial_said: str
    bed: str
    bed_changed_at: str
    accepting: bool
    duty: str
    """`open`, `paused`, `draining` or `maintenance`."""
    because: str
    """What its workshop says of that."""
    quiet: dict[str, Any] | None
    """Its quiet hours, its own or its workshop's."""
    quiet_until: str | None
    """Nothing starts before then; null outside quiet hours."""
    most_pieces: int
    """Most copies of a part that lie on one plate."""
    ejects: bool
    """Its workshop declared that its end code takes the part off the bed."""
    printed_s: int
    """How long it has printed for this hub."""
    seen_at: str | None
    machine_state: str
    passed: int
    failed: int
    spools: list[Spool]
    job: UUID | None
    """The job it works on, or whose part waits for a look."""
    run_state: str | None
    waiting: int
    """Jobs ready for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop(Message):
    """A workshop with its printers."""

    id: UUID
    name: str
    title: str
    owner: str
    place: str
    lat_udeg: int
    lon_udeg: int
    country: str
    currency: str
    prices: dict[str, Any]
    carriage: list[dict[str, Any]]
    quiet: dict[str, Any] | None
    """When no print of its printers starts: `days` and `must_be_over`."""
    printers: list[Printer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshops(Message):
    """Workshops by name."""

    workshops: list[Workshop]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAsk(Message):
    """Enrol an agent for printers of one workshop, by their names."""

    name: str
    printers: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMade(Message):
    """The agent's token: told this once."""

    id: UUID
    name: str
    token: str
    printers: list[UUID]
    hub_key: str = ""
    """The hub's public key, for the agent's settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoKept(Message):
    """The photo of a run that is kept: the first one."""

    run: UUID
    sha256: str
    """Of the picture as it was drawn anew."""


# The book.


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntry(Message):
    """One entry as it is written, hash included."""

    seq: int
    key: str
    kind: str
    at: str
    recorded: str
    by: str
    body: dict[str, Any]
    prev: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntries(Message):
    """One page of the book, the newest first; `next` is the `before` of the following one."""

    entries: list[BookEntry]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookHead(Message):
    """The last entry: whoever keeps it can later show that nothing before it changed."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance(Message):
    """What stands on one account in one unit."""

    account: str
    unit: str
    amount: str
    """A whole number as text: it may be larger than a program's integers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances(Message):
    """Balances by account."""

    balances: list[Balance]
