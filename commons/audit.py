"""The book as others see it: its export, and whether everything we show agrees with it.

`export` gives the lines of `/book/entries.jsonl`; `commons/verify.py` checks such a file without
us. `check` does the same from inside and also compares what the file does not hold: the stored legs
and everything that is derived from them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from commons import store, verify
from commons.models import BalanceRow, LegRow, MentionRow, ReservationRow
from commons.store import Head
from commons.verify import Legs, Reservation, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an audit found: the verdict on the entries, and where our tables differ from them."""

    verdict: Verdict
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the book is right and everything shown of it agrees."""
        return self.verdict.ok and not self.differences

    def __str__(self) -> str:
        return "\n".join((str(self.verdict), *self.differences))


def export(session: Session, *, after: int = 0) -> Iterator[bytes]:
    """The book as lines of canonical JSON, from entry `after + 1` on; memory stays small."""
    return store.lines(session.connection(), after=after)


def head(session: Session) -> Head:
    """Number and hash of the last entry, to be published where others can keep it."""
    return store.head_of(session.connection())


def check(session: Session) -> Report:
    """Replay the whole book and compare the stored legs and all projections with it.

    The replay stops at the first bad entry; the differences are then those up to it.
    """
    book, differences, bad = verify.Book(), list[str](), None
    mentioned: list[tuple[str, int]] = []
    waiting = export(session)
    while bad is None and (batch := list(islice(waiting, store.BATCH))):
        derived: dict[int, Legs] = {}
        for line in batch:
            try:
                entry, legs = book.read(line)
            except verify.Wrong as exc:
                bad = str(exc)
                break
            derived[book.seq] = legs
            mentioned += [(name, book.seq) for name in verify.mentions(entry["body"])]
        differences += _legs_differ(session, derived)
    if bad is not None:
        at = book.seq + 1
        verdict = Verdict(ok=False, entries=book.seq, head=book.head, line=at, seq=at, why=bad)
        return Report(verdict=verdict, differences=tuple(differences))
    verdict = Verdict(ok=True, entries=book.seq, head=book.head)
    differences += projections_differ(session, book, mentioned)
    return Report(verdict=verdict, differences=tuple(differences))


def rebuild(session: Session) -> Head:
    """Derive balances, reservations, mentions and head again from the entries.

    Raises verify.Wrong when an entry is bad: nothing is derived from a book that is not right.
    """
    book = verify.Book()
    mentioned: list[tuple[str, int]] = []
    store.lock_head(session.connection())
    for line in export(session):
        entry, _ = book.read(line)
        mentioned += [(name, book.seq) for name in verify.mentions(entry["body"])]
    store.put_projections(session.connection(), book, mentioned)
    return Head(seq=book.seq, hash=book.head)


def projections_differ(
    session: Session, book: verify.Book, mentioned: list[tuple[str, int]]
) -> list[str]:
    """What our derived tables hold otherwise than a replay, in words; empty when all agree."""
    found = []
    stored_head = head(session)
    if (stored_head.seq, stored_head.hash) != (book.seq, book.head):
        found.append(f"the head is kept as entry {stored_head.seq}, but the last is {book.seq}")
    rows = session.execute(select(BalanceRow.account, BalanceRow.unit, BalanceRow.amount))
    shown = {(account, unit): amount for account, unit, amount in rows}
    for side in sorted(shown.keys() | book.balances.keys()):
        kept, right = shown.get(side, 0), book.balances.get(side, 0)
        if kept != right:
            found.append(f"the balance of {side[0]} is kept as {kept} {side[1]}, but is {right}")
    reservations = {row.key: _reservation(row) for row in session.scalars(select(ReservationRow))}
    for key in sorted(reservations.keys() | book.reservations.keys()):
        if reservations.get(key) != book.reservations.get(key):
            found.append(f"the reservation of {key} is not kept as the entries tell it")
    kept_mentions = {
        (name, entry) for name, entry in session.execute(select(MentionRow.name, MentionRow.entry))
    }
    found += [
        f"whether entry {entry} speaks of {name} is not kept as the entry tells it"
        for name, entry in sorted(kept_mentions ^ set(mentioned))
    ]
    return found


def _reservation(row: ReservationRow) -> tuple[Reservation, str] | Reservation:
    kept = Reservation(
        account=row.account,
        unit=row.unit,
        amount=row.amount,
        jobs=row.jobs,
        posted=row.posted,
        voided=row.voided,
        ended=row.ended,
    )
    return kept if kept.state == row.state else (kept, row.state)


def _legs_differ(session: Session, derived: dict[int, Legs]) -> list[str]:
    """Entries of one batch whose stored legs are not those that follow from their events."""
    if not derived:
        return []
    span = LegRow.entry.between(min(derived), max(derived))
    rows = session.execute(
        select(LegRow.entry, LegRow.account, LegRow.unit, LegRow.amount).where(span)
    )
    stored: dict[int, Legs] = {}
    for entry, account, unit, amount in rows:
        stored.setdefault(entry, {})[account, unit] = amount
    return [
        f"the stored legs of entry {seq} are not those of its events"
        for seq, legs in derived.items()
        if stored.get(seq, {}) != legs
    ]
