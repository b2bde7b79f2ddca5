"""The open book: `record` is the one function that writes into it.

    with database.writing() as session:
        entry = record(session, run_ended(...), now=now)

A fact becomes an entry (numbered without gaps, chained by hash) and its legs, which sum to zero in
every unit. What is derived from them (balances, reservations, mentions) is brought up to date in
the same transaction. The rules themselves stand in `commons.verify`, where outsiders can run them.

On PostgreSQL the row of `book_head` is locked from the first fact to the end of the transaction, so
record facts last; on SQLite the whole writing transaction is exclusive anyway.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from basis.errors import Conflict, Invalid, NotAllowed
from commons import store, verify
from commons.facts import (
    Fact,
    corrected,
    design_forked,
    job_voided,
    lot_added,
    lot_weighed,
    negated,
    order_reserved,
    part_passed,
    part_received,
    rejected,
    run_ended,
    version_published,
    work_logged,
)
from commons.store import Entry, Leg
from commons.verify import Legs, Reservation

FORMAT = "designhub-book-1"


class Unbalanced(Invalid):
    """The legs of a fact do not sum to zero: it would make or destroy something."""

    code = "unbalanced"


class Contradiction(Conflict):
    """The key of a fact is already written with another body; the first one stands."""

    code = "contradiction"


class Overdrawn(NotAllowed):
    """More would be taken than was reserved, owed or made."""

    code = "overdrawn"


def open_book(session: Session, *, hub: str, now: datetime) -> Entry:
    """Write entry 1, the policy everything else stands on; again, it returns the one there is.

    hub : the name of this hub in the book, such as `hub:fablab-oslo`; it is public and stays.
    Raises Invalid when that is no name of the book.
    """
    connection = session.connection()
    head = store.lock_head(connection)
    first = store.known(connection, "genesis")
    if first is not None:
        return store.entry_of(first)
    policy = {"format": FORMAT, "hub": hub, "units": dict(verify.SCALES)}
    genesis = Fact(key="genesis", kind="policy", at=now, by="hub", body={"policy": policy})
    try:
        verify.name(hub)
    except verify.Wrong as exc:
        raise Invalid(str(exc)) from exc
    return store.append(connection, head, genesis, {}, body=_in_words(genesis), now=now)


def record(session: Session, fact: Fact, *, now: datetime) -> Entry:
    """Write one fact into the open book: the only function that does. It never commits.

    `fact.key` names it ("printer:3/job:77/run:1"). Saying the same fact again (same kind, same
    body) returns the first entry, so a repeated message costs nobody anything. A mistake is
    corrected by another fact, never edited. A book that nobody opened is opened for `hub:local`.

    Raises Unbalanced when a unit does not sum to zero, Contradiction when the key is already
    written with another body, Overdrawn when more is taken than was reserved, owed or made,
    Invalid when the fact cannot be read. Nothing is written then.
    """
    body = _in_words(fact)
    connection = session.connection()
    head = store.lock_head(connection)
    if (first := store.known(connection, fact.key)) is not None:
        if first["kind"] == fact.kind and first["body"] == body:
            return store.entry_of(first)
        raise Contradiction(
            f"{fact.key} is already written, as entry {first['seq']}, with another body; "
            "if that one is wrong, record a correction"
        )
    legs = _legs(fact)
    _check_corrections(connection, fact)
    try:
        reservation = _promises(connection, fact, legs)
        _check_floors(connection, legs)
    except verify.Wrong as exc:
        raise Overdrawn(f"{fact.key}: {exc}") from exc
    if head.seq == 0:
        genesis = open_book(session, hub="hub:local", now=now)
        head = store.Head(seq=genesis.seq, hash=genesis.hash)
    entry = store.append(connection, head, fact, legs, body=body, now=now)
    if reservation is not None:
        store.put_reservation(connection, *reservation)
    return entry


def restore(session: Session, lines: Iterable[bytes]) -> verify.Book:
    """Fill an empty book from an export, each line verified before it is written.

    Raises NotAllowed when the book is not empty, Invalid naming the first bad line; the caller's
    transaction is then undone as a whole.
    """
    connection = session.connection()
    if store.lock_head(connection).seq:
        raise NotAllowed("this book has entries already: restore into an empty one")
    replay = verify.Book()
    mentioned: list[tuple[str, int]] = []

    def verified() -> Iterable[tuple[dict[str, Any], Legs]]:
        for line in lines:
            entry, legs = replay.read(line)
            mentioned.extend((name, replay.seq) for name in verify.mentions(entry["body"]))
            yield entry, legs

    try:
        store.bulk_append(connection, verified())
    except verify.Wrong as exc:
        raise Invalid(f"line {replay.seq + 1} of the export: {exc}") from exc
    store.put_projections(connection, replay, mentioned)
    return replay


# Deciding ----------------------------------------------------------------------------------------


def _in_words(fact: Fact) -> str:
    """The body as it will be stored and hashed. Raises Invalid."""
    try:
        verify.key_of(fact.key)
        verify.name(fact.by)
        verify.mentions(fact.body)
        if fact.kind not in verify.KINDS:
            raise verify.Wrong(f"{fact.kind!r} is not a kind of entry")
        body = verify.canonical(fact.body)
        if len(body.encode()) > verify.LINE_BYTES - 2_000:  # the other fields need some room
            raise verify.Wrong("the body is longer than a line of the book may be")
    except verify.Wrong as exc:
        raise Invalid(f"{fact.key}: {exc}") from exc
    return body


def _legs(fact: Fact) -> Legs:
    try:
        legs = verify.legs_of(fact.body)
    except verify.Wrong as exc:
        raise Invalid(f"{fact.key}: {exc}") from exc
    if left := verify.remainder(legs):
        raise Unbalanced(f"{fact.key} does not sum to zero: {left}")
    return legs


def _check_corrections(connection: Connection, fact: Fact) -> None:
    """A correction names an entry, and in it an event of the same action, places and unit."""
    for one in fact.body.get("events", []):
        if "corrects" not in one:
            continue
        original = store.known(connection, one["corrects"])
        if original is None:
            raise Invalid(f"{fact.key} corrects {one['corrects']}, which is not in the book")
        body = json.loads(original["body"])
        if not verify.can_be_corrected(original["kind"], body):
            raise Invalid(f"{fact.key}: {one['corrects']} ends by post or void, not by correction")
        if _outline(one) not in [_outline(other) for other in body.get("events", [])]:
            raise Invalid(f"{fact.key}: {one['corrects']} holds no {one['action']} like this one")


def _outline(one: Mapping[str, Any]) -> tuple[object, ...]:
    """What a correction must share with the event that it corrects."""
    same = ("action", *verify.PLACES.values(), "provider", "receiver")
    measures = ("resourceQuantity", "effortQuantity")
    units = (one[which]["hasUnit"] for which in measures if which in one)
    return (*(one.get(which) for which in same), *units)


def _promises(connection: Connection, fact: Fact, legs: Legs) -> tuple[str, Reservation] | None:
    """What the fact makes of a reservation, if it touches one. Raises verify.Wrong."""
    order = verify.claim_of(fact.kind, fact.key, fact.body, legs)
    if order is not None:
        ended = store.known(connection, f"{order}/{fact.body['claim']}/ended") is not None
        verify.check_claim(store.reservation(connection, order), legs, ended=ended)
    if fact.kind == "reserve":
        key, opened = verify.reservation_of(fact.body)
        if fact.key != f"{key}/reserved":
            raise verify.Wrong(f"the key is not {key}/reserved")
        return key, opened
    if fact.kind not in ("post", "void"):
        return None
    end = verify.end_of(fact.kind, fact.key, fact.body)
    reserved = store.reservation(connection, end.reservation)
    if reserved is None:
        raise verify.Wrong(f"{end.reservation} has no reservation")
    passed = store.known(connection, f"{end.reservation}/{end.job}/passed")
    claim = None if passed is None else verify.owed(verify.legs_of(json.loads(passed["body"])))
    verify.check_end(fact.kind, end, legs, reserved=reserved, claim=claim)
    return end.reservation, reserved.after(end)


def _check_floors(connection: Connection, legs: Legs) -> None:
    """Raises verify.Wrong when an account that cannot be below zero would be."""
    for (account, unit), amount in legs.items():
        if amount < 0 and account.startswith(verify.NEVER_BELOW_ZERO):
            left = store.balance(connection, account, unit) + amount
            if left < 0:
                raise verify.Wrong(f"{account} would be at {left} {unit}")


__all__ = [
    "Contradiction",
    "Entry",
    "Fact",
    "Leg",
    "Overdrawn",
    "Unbalanced",
    "corrected",
    "design_forked",
    "job_voided",
    "lot_added",
    "lot_weighed",
    "negated",
    "open_book",
    "order_reserved",
    "part_passed",
    "part_received",
    "record",
    "rejected",
    "restore",
    "run_ended",
    "version_published",
    "work_logged",
]
