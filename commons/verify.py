"""Verify an open book from its export alone.

    python verify.py entries.jsonl [--head HASH] [--json]

One file, the standard library, Python 3.11, nothing of the hub: copy it away, read it, run it. The
hub writes its book with the same functions, so that writer and verifier cannot disagree in silence.

Each line of the export is one entry in canonical JSON. An entry is one fact; its legs (who or what
gave, who or what got) follow from the events in it and sum to zero per unit. Replayed here, line by
line: canonical form, `seq`, `prev`, `hash`, keys used once, zero sums (for mg this is the mass
balance), reservations and claims that end once, accounts that cannot be below zero, corrections
that name what they correct. The first bad entry is named by line, seq and reason.

Exit code: 0 the book is right, 1 it is not, 2 it could not be read.
"""

import argparse
import hashlib
import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

Legs = dict[tuple[str, str], int]
"""(account, unit) → amount; plus enters the account, minus leaves it."""

NO_HASH = "0" * 64
"""`prev` of the first entry."""
LINE_BYTES = 1_048_576
"""The longest line an export may hold."""
MOST = 10**15
"""The largest amount of one event: far below 2^63, so that sums of thousands stay exact."""

KINDS = ("event", "commitment", "reserve", "post", "void", "decision", "policy")
FIELDS = frozenset({"at", "body", "by", "hash", "id", "kind", "prev", "recorded", "seq"})
SCALES = {
    "mg": "mass",
    "s": "time",
    "mWh": "energy",
    "piece": "count",
    "kg.m": "transport",
}
"""Units that are not money. A unit's scale is fixed for ever; money is `EUR-cent` and the like."""

_NUMBER = re.compile(r"-?[1-9][0-9]{0,15}")
_MONEY = re.compile(r"[A-Z]{3}-(cent|minor)")
_NAME = re.compile(r"[a-z]+(:[A-Za-z0-9._-]+)*(@[0-9a-f]{4,64})?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)

FLOWS: Mapping[str, tuple[str, str] | None] = {
    "produce": ("world:made", "R"),
    "consume": ("R", "world:used"),
    "use": ("R", "world:used"),
    "work": ("work:provider", "work:receiver"),
    "cite": None,
    "deliverService": ("carriage:provider", "carriage:receiver"),
    "accept": None,
    "modify": None,
    "pickup": None,
    "dropoff": None,
    "combine": None,
    "separate": None,
    "transfer": ("R", "To"),
    "transferAllRights": ("R", "To"),
    "transferCustody": None,
    "move": ("R", "To"),
    "copy": ("world:made", "To"),
    "raise": ("against", "R"),
    "lower": ("R", "against"),
}
"""Where the quantity of each action leaves and where it arrives; None where nothing changes hands.
R is `resourceInventoriedAs`, To is `toResourceInventoriedAs`."""

PLACES = {"R": "resourceInventoriedAs", "To": "toResourceInventoriedAs", "against": "against"}
EFFORT = frozenset({"use", "work"})
MOVES_MONEY = frozenset({"transfer", "transferAllRights"})
FREE = frozenset({"copy", "cite"})
NEVER_BELOW_ZERO = ("part:", "owed:")
"""A part that was not made cannot be handed over; what is not owed cannot be paid out."""


class Wrong(Exception):
    """An entry, or a line that should be one, breaks a rule of the book."""


class NotBalanced(Wrong):
    """The legs of an entry do not sum to zero in every unit."""


# The canonical form ------------------------------------------------------------------------------


def canonical(value: object) -> str:
    """`value` as canonical JSON: sorted ASCII keys, no spaces, text only, NFC.

    Raises Wrong for anything else than objects, lists and strings: whole numbers are written as
    strings, so that no reader rounds them.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if not one.isascii():
                _check_letters(one)
        elif isinstance(one, dict):
            if not (set(map(type, one)) <= {str} and "".join(one).isascii()):
                raise Wrong(f"not all keys are ASCII text: {', '.join(map(repr, one))}")
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        else:
            raise Wrong(f"{one!r} is not an object, a list or a string")
    return _json(value)


_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def _check_letters(text: str) -> None:
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise Wrong("a string holds half a character (a lone surrogate)")
    if not unicodedata.is_normalized("NFC", text):
        raise Wrong(f"{text!r} is not in Unicode form NFC")


def line_of(entry: Mapping[str, str], body: str, *, digest: str | None = None) -> str:
    """An entry as its line in the export, without the newline; or what is hashed of it.

    entry  : its fields other than `body` and `hash`, by their names in the export.
    body   : in canonical form.
    digest : its hash; without it this is the text whose SHA-256 is the hash.
    """
    known = f'"hash":{_json(digest)},' if digest is not None else ""
    return (
        f'{{"at":{_json(entry["at"])},"body":{body},"by":{_json(entry["by"])},{known}'
        f'"id":{_json(entry["id"])},"kind":{_json(entry["kind"])},"prev":{_json(entry["prev"])},'
        f'"recorded":{_json(entry["recorded"])},"seq":{_json(entry["seq"])}}}'
    )


def hash_of(entry: Mapping[str, str], body: str) -> str:
    """SHA-256 over the canonical entry without its `hash`, with `prev` inside."""
    return hashlib.sha256(line_of(entry, body).encode()).hexdigest()


def name(text: object) -> str:
    """`text` if it can name an account or an actor: `member:4c`, `design:88@<commit>`.

    Raises Wrong otherwise. Spaces and mail addresses are refused: the book holds ids, not people.
    """
    if isinstance(text, str) and _is_name(text):
        return text
    raise Wrong(f"{text!r} is not a name of the book, such as member:4c")


@lru_cache(maxsize=65_536)  # a book says the same names again and again
def _is_name(text: str) -> bool:
    return len(text) <= 200 and _NAME.fullmatch(text) is not None


def key_of(text: object) -> str:
    """`text` if it can be the key of an entry: names joined by slashes. Raises Wrong otherwise."""
    if isinstance(text, str) and len(text) <= 300 and text:
        for step in text.split("/"):
            name(step)
        return text
    raise Wrong(f"{text!r} is not a key, such as printer:3/job:77/run:1")


def is_money(unit: str) -> bool:
    """Whether `unit` is the minor unit of a currency."""
    return _MONEY.fullmatch(unit) is not None


# From events to legs -----------------------------------------------------------------------------


def legs_of(body: Mapping[str, Any]) -> Legs:
    """The legs of an entry, from the events in its body; sums of zero are left out.

    Raises Wrong for an event that cannot be read, and for money that moves by anything else than
    a transfer or beside a `copy` or `cite`: the commons puts no price on those.
    """
    legs: Legs = {}
    events = body.get("events", [])
    if not isinstance(events, list):
        raise Wrong("`events` is not a list")
    for event in events:
        for account, unit, amount in _sides(event):
            legs[account, unit] = legs.get((account, unit), 0) + amount
    if any(is_money(unit) for _, unit in legs) and any(e["action"] in FREE for e in events):
        raise Wrong("money moves beside a copy or a cite")
    return {side: amount for side, amount in sorted(legs.items()) if amount}


def mentions(body: Mapping[str, Any]) -> list[str]:
    """The names under which an entry is found: what its `about` says, each once. Raises Wrong."""
    about = body.get("about", {})
    if not isinstance(about, dict):
        raise Wrong("`about` is not an object")
    return sorted({key_of(what) for what in about.values()})


def remainder(legs: Legs) -> dict[str, int]:
    """What is left per unit when all legs are summed: empty for a balanced entry."""
    sums: dict[str, int] = {}
    for (_, unit), amount in legs.items():
        sums[unit] = sums.get(unit, 0) + amount
    return {unit: total for unit, total in sums.items() if total}


def _sides(event: object) -> Iterator[tuple[str, str, int]]:
    if not isinstance(event, dict) or event.get("action") not in FLOWS:
        raise Wrong(f"{event!r} is not an event with one of the {len(FLOWS)} actions")
    action: str = event["action"]
    flow = FLOWS[action]
    for unit, amount in _measures(event):
        if is_money(unit) and action not in MOVES_MONEY:
            raise Wrong(f"{action} moves {unit}: money moves by transfer only")
        if flow is None:
            continue
        for place, sign in zip(flow, (-1, 1), strict=True):
            # Matter comes from nowhere and goes nowhere: an entry must account for its mass itself.
            if unit == "mg" and place.startswith("world:"):
                continue
            yield _account(place, event), unit, sign * amount


def _account(place: str, event: Mapping[str, Any]) -> str:
    if place in PLACES:
        return name(event.get(PLACES[place]))
    prefix, _, role = place.partition(":")
    return place if prefix == "world" else f"{prefix}:{name(event.get(role))}"


def _measures(event: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    main = "effortQuantity" if event["action"] in EFFORT else "resourceQuantity"
    for which in (main, "massQuantity"):
        if which not in event:
            continue
        measure = event[which]
        if not isinstance(measure, dict) or set(measure) != {"hasNumericalValue", "hasUnit"}:
            raise Wrong(f"{which} is not a measure: {measure!r}")
        unit, amount = measure["hasUnit"], number(measure["hasNumericalValue"])
        if unit not in SCALES and not (isinstance(unit, str) and is_money(unit)):
            raise Wrong(f"{unit!r} is not a unit of the book")
        if which == "massQuantity" and unit != "mg":
            raise Wrong(f"massQuantity is in {unit}, not in mg")
        if amount < 0 and "corrects" not in event:
            raise Wrong("an amount below zero stands outside a correction")
        yield unit, amount


def number(text: object) -> int:
    """A whole number, not zero, from its only text form. Raises Wrong for any other text."""
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or abs(int(text)) > MOST:
        raise Wrong(f"{text!r} is not a whole number other than 0 in canonical form")
    return int(text)


def count(text: object) -> int:
    """A whole number from 0 up, from its only text form. Raises Wrong for any other text."""
    if text == "0":
        return 0
    value = number(text)
    if value < 0:
        raise Wrong(f"{value} is below zero")
    return value


# Reservations and claims -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A price set aside for an order; each of its jobs ends its share once, by post or by void. A
    job that makes several copies on one plate ends as many shares at once: `jobs` and `ended` count
    copies."""

    account: str
    unit: str
    amount: int
    jobs: int
    posted: int = 0
    voided: int = 0
    ended: int = 0

    @property
    def open(self) -> int:
        """What is still set aside; nothing once every job has ended."""
        return 0 if self.ended == self.jobs else self.amount - self.posted - self.voided

    @property
    def state(self) -> str:
        """`open` until every job has ended, then `posted` if anything was paid, else `voided`."""
        if self.ended < self.jobs:
            return "open"
        return "posted" if self.posted else "voided"

    def after(self, end: "End") -> "Reservation":
        """The reservation when one more job ended. Raises Wrong when that is too much."""
        ended = self.ended + end.jobs
        if ended > self.jobs:
            left = self.jobs - self.ended
            raise Wrong(f"a {end.kind} ends {end.jobs}, but {left} of those reserved are open")
        if end.amount > self.open:
            said = f"a {end.kind} of {end.amount} {self.unit}"
            raise Wrong(f"{said}, but only {self.open} is reserved")
        if end.kind == "post":
            return replace(self, posted=self.posted + end.amount, ended=ended)
        return replace(self, voided=self.voided + end.amount, ended=ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What a post or a void says: which job of which reservation ends, with which amount."""

    kind: str
    reservation: str
    job: str
    amount: int
    unit: str
    settles: str | None
    jobs: int
    """How many copies it ends: those of its plate."""


def reservation_of(body: Mapping[str, Any]) -> tuple[str, Reservation]:
    """The key and the reservation that an entry of kind `reserve` opens. Raises Wrong."""
    said = _section(body, "reserve", {"account", "amount", "jobs", "key", "unit"})
    opened = Reservation(
        account=name(said["account"]),
        unit=str(said["unit"]),
        amount=count(said["amount"]),
        jobs=count(said["jobs"]),
    )
    if opened.jobs == 0 or not (is_money(opened.unit) or opened.unit == "s"):
        raise Wrong("a reservation is of money or hours, for at least one job")
    return name(said["key"]), opened


def end_of(kind: str, key: str, body: Mapping[str, Any]) -> End:
    """What an entry of kind `post` or `void` ends.

    The key of such an entry follows from order and job, so that a job ends once because a key is
    used once. Raises Wrong.
    """
    said = _section(body, kind, {"amount", "job", "reservation", "unit"}, {"jobs", "settles"})
    end = End(
        kind=kind,
        reservation=name(said["reservation"]),
        job=name(said["job"]),
        amount=count(said["amount"]),
        unit=str(said["unit"]),
        settles=said.get("settles"),
        jobs=count(said.get("jobs", "1")),
    )
    if end.jobs == 0:
        raise Wrong(f"a {kind} that ends nothing")
    stem = f"{end.reservation}/{end.job}"
    if key != f"{stem}/ended" or end.settles not in (None, f"{stem}/passed"):
        raise Wrong(f"the {kind} of {stem} has a key, or settles one, of another job")
    if kind == "post" and end.settles is None:
        raise Wrong("a post settles no claim: nothing is paid before a part has passed")
    return end


def _section(
    body: Mapping[str, Any], which: str, needed: set[str], more: Iterable[str] = ()
) -> dict[str, Any]:
    said = body.get(which)
    if not isinstance(said, dict) or not needed <= set(said) <= needed | set(more):
        raise Wrong(f"`{which}` does not hold exactly {', '.join(sorted(needed))}")
    return said


def owed(legs: Legs) -> Legs:
    """The legs on `owed:` accounts: what an entry claims, or settles."""
    return {side: amount for side, amount in legs.items() if side[0].startswith("owed:")}


def claim_of(kind: str, key: str, body: Mapping[str, Any], legs: Legs) -> str | None:
    """The order for which this entry claims something; None when it claims nothing.

    Only a claim adds to what is owed, only a post or void takes from it. Raises Wrong.
    """
    if kind in ("post", "void"):
        return None
    due = owed(legs)
    if "claim" not in body:
        if due:
            raise Wrong("something is owed, or no longer owed, without a claim")
        return None
    order, _, rest = key.partition("/")
    if kind != "event" or rest != f"{name(body['claim'])}/passed":
        raise Wrong(f"{key} is not the key of a claim for {body['claim']}")
    if due and min(due.values()) < 0:
        raise Wrong("a claim takes from what is owed")
    return order


def check_claim(reserved: Reservation | None, legs: Legs, *, ended: bool) -> None:
    """A claim is for a job that has not ended, within what is reserved. Raises Wrong."""
    if reserved is None or ended:
        raise Wrong("a claim for a job that has ended, or of an order without a reservation")
    due = owed(legs)
    if any(unit != reserved.unit for _, unit in due) or sum(due.values()) > reserved.open:
        raise Wrong(f"a claim of {due}, but {reserved.open} {reserved.unit} is reserved")


def check_end(
    kind: str, end: End, legs: Legs, *, reserved: Reservation, claim: Legs | None
) -> None:
    """An end takes back exactly its claim, and a post takes its amount from the payer.

    `claim` : what the job's claim added to `owed:` accounts; None when it had not passed.
    Raises Wrong.
    """
    if (claim is None) != (end.settles is None):
        raise Wrong(f"a {kind} of {end.job} must settle its claim if, and only if, it has passed")
    claim = claim or {}
    if owed(legs) != {side: -amount for side, amount in claim.items()}:
        raise Wrong(f"a {kind} that does not settle exactly what is owed for {end.job}")
    if end.unit != reserved.unit:
        raise Wrong(f"a {kind} in {end.unit} of a reservation in {reserved.unit}")
    paid = -legs.get((reserved.account, reserved.unit), 0)
    if paid != (end.amount if kind == "post" else 0):
        raise Wrong(f"a {kind} of {end.amount} takes {paid} {end.unit} from {reserved.account}")
    if kind == "post" and sum(claim.values()) != end.amount:
        raise Wrong(f"a post of {end.amount} for a claim of {sum(claim.values())} {end.unit}")


def can_be_corrected(kind: str, body: Mapping[str, Any]) -> bool:
    """Whether a correction may name this entry: money set aside or owed ends by post or void."""
    return kind == "event" and "claim" not in body


# The replay --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Book:
    """What the entries read so far amount to."""

    seq: int = 0
    head: str = NO_HASH
    balances: Legs = field(default_factory=dict)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    claims: dict[str, Legs] = field(default_factory=dict)
    keys: dict[str, bool] = field(default_factory=dict)  # key → may it be corrected

    def read(self, line: bytes) -> tuple[dict[str, Any], Legs]:
        """Take in the next line, its newline included: the entry in it and its legs.

        Raises Wrong and then stands as before, except that it should not be used further.
        """
        entry, body = _parsed(line)
        if entry["seq"] != str(self.seq + 1):
            raise Wrong(f"seq is {entry['seq']}, expected {self.seq + 1}")
        if entry["prev"] != self.head:
            raise Wrong(f"prev is {entry['prev'][:16]}…, but the entry before is {self.head[:16]}…")
        if entry["hash"] != hash_of(entry, body):
            raise Wrong("the hash does not fit the entry: something in it was changed")
        legs = self.apply(entry["kind"], entry["id"], entry["body"])
        self.seq += 1
        self.head = entry["hash"]
        return entry, legs

    def apply(self, kind: str, key: str, body: Mapping[str, Any]) -> Legs:
        """Take in one fact: its legs, after every rule about them held. Raises Wrong."""
        if key in self.keys:
            raise Wrong(f"the key {key} is already used")
        if (key == "genesis") != (self.seq == 0) or (self.seq == 0 and kind != "policy"):
            raise Wrong("the first entry, and only that, is the policy `genesis`")
        mentions(body)
        legs = legs_of(body)
        if left := remainder(legs):
            raise NotBalanced(f"does not sum to zero: {left}")
        for event in body.get("events", []):
            if "corrects" in event and not self.keys.get(event["corrects"], False):
                raise Wrong(f"corrects {event['corrects']}, which is not there to be corrected")
        self._promises(kind, key, body, legs)
        for side, amount in legs.items():
            total = self.balances.get(side, 0) + amount
            if total < 0 and side[0].startswith(NEVER_BELOW_ZERO):
                raise Wrong(f"{side[0]} would be at {total} {side[1]}")
            self.balances[side] = total
        self.keys[key] = can_be_corrected(kind, body)
        return legs

    def _promises(self, kind: str, key: str, body: Mapping[str, Any], legs: Legs) -> None:
        if (order := claim_of(kind, key, body, legs)) is not None:
            ended = f"{order}/{body['claim']}/ended" in self.keys
            check_claim(self.reservations.get(order), legs, ended=ended)
            self.claims[key] = owed(legs)
        if kind == "reserve":
            which, opened = reservation_of(body)
            if which in self.reservations or key != f"{which}/reserved":
                raise Wrong(f"{which} is already reserved, or its key is not {which}/reserved")
            self.reservations[which] = opened
        if kind in ("post", "void"):
            end = end_of(kind, key, body)
            reserved = self.reservations.get(end.reservation)
            if reserved is None:
                raise Wrong(f"{end.reservation} has no reservation")
            claim = self.claims.pop(f"{end.reservation}/{end.job}/passed", None)
            check_end(kind, end, legs, reserved=reserved, claim=claim)
            self.reservations[end.reservation] = reserved.after(end)


def _parsed(line: bytes) -> tuple[dict[str, Any], str]:
    """The entry in a line, and its body in canonical form."""
    if not line.endswith(b"\n"):
        raise Wrong("the line is cut: it has no end")
    if len(line) > LINE_BYTES:
        raise Wrong(f"the line is longer than {LINE_BYTES} bytes")
    try:
        entry = json.loads(line[:-1].decode())
        if not isinstance(entry, dict) or set(entry) != FIELDS:
            raise Wrong(f"not an entry: it must hold exactly {', '.join(sorted(FIELDS))}")
        if wrong := sorted(k for k in FIELDS - {"body"} if not isinstance(entry[k], str)):
            raise Wrong(f"not text: {', '.join(wrong)}")
        body = canonical(entry["body"])
        text = line_of(entry, body, digest=entry["hash"]).encode()
    except (ValueError, RecursionError) as exc:  # a broken UTF-8 sequence is a ValueError too
        raise Wrong(f"not JSON in UTF-8: {exc}") from exc
    if text + b"\n" != line:
        raise Wrong("not in canonical form: the same content is written in another way")
    if not isinstance(entry["body"], dict):
        raise Wrong("`body` is not an object")
    if entry["kind"] not in KINDS:
        raise Wrong(f"{entry['kind']!r} is not a kind of entry: {', '.join(KINDS)}")
    for moment in (entry["at"], entry["recorded"]):
        if not _TIME.fullmatch(moment):
            raise Wrong(f"{moment!r} is not a time like 2026-03-01T10:15:00.000000Z")
    name(entry["by"])
    key_of(entry["id"])
    return entry, body


# The whole file ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found. `line`, `seq` and `why` name the first bad entry."""

    ok: bool
    entries: int
    head: str
    line: int | None = None
    seq: int | None = None
    why: str | None = None

    def __str__(self) -> str:
        told = f"{self.entries} entries, head {self.head}"
        if self.ok:
            return f"The book is right: {told}"
        return f"The book is WRONG at line {self.line} (seq {self.seq}): {self.why}. Before: {told}"


def verify(lines: Iterable[bytes], *, head: str | None = None) -> Verdict:
    """Replay an export, given as lines with their newlines.

    head : a hash seen elsewhere (a witness, an earlier export); it must be that of one of the
           entries. Only so can a cut tail be noticed.
    """
    book, seen = Book(), head in (None, NO_HASH)
    for line in lines:
        try:
            book.read(line)
        except Wrong as exc:
            at = book.seq + 1
            return Verdict(
                ok=False, entries=book.seq, head=book.head, line=at, seq=at, why=str(exc)
            )
        seen = seen or book.head == head
    if seen and book.seq:
        return Verdict(ok=True, entries=book.seq, head=book.head)
    why = f"the entry with the hash {head} is missing" if book.seq else "there is no entry at all"
    at = book.seq + 1
    return Verdict(ok=False, entries=book.seq, head=book.head, line=at, seq=at, why=why)


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream, none read further than the limit."""
    while line := stream.readline(LINE_BYTES + 1):
        yield line


def main(arguments: list[str] | None = None) -> int:
    """The command: see the top of this file."""
    parser = argparse.ArgumentParser(description="Verify the export of an open book.")
    parser.add_argument("file", help="entries.jsonl, or - for standard input")
    parser.add_argument("--head", help="a hash seen elsewhere, which must be in the book")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    asked = parser.parse_args(arguments)
    try:
        if asked.file == "-":
            verdict = verify(lines_of(sys.stdin.buffer), head=asked.head)
        else:
            with Path(asked.file).open("rb") as stream:
                verdict = verify(lines_of(stream), head=asked.head)
    except OSError as exc:
        sys.stderr.write(f"{asked.file} cannot be read: {exc}\n")
        return 2
    if asked.json:
        fields = ("ok", "entries", "head", "line", "seq", "why")
        sys.stdout.write(json.dumps({which: getattr(verdict, which) for which in fields}) + "\n")
    else:
        sys.stdout.write(f"{verdict}\n")
        if verdict.ok and asked.head is None:
            sys.stdout.write(
                "Entries cut off the end leave no trace in the file itself: compare the head "
                "above with one published elsewhere, or give one with --head.\n"
            )
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
