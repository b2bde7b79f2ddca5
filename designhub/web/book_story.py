"""The whole story of one order, read from its entries alone: what it took, who is owed, since when.

Pure. Everything here is public already, entry by entry; nothing else is asked, so a private design
or a person shows as the id that the book has for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from commons.store import Entry


class Debt(StrEnum):
    """What became of a share of the price."""

    OWED = "owed"  # the part passed and was not handed over
    PAID = "paid"  # it was handed over
    FREED = "freed"  # it passed, and the order ended without it


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One run of a printer for this order, and what it took."""

    entry: Entry
    outcome: str
    """`printed`, `failed`, `cancelled`; `rejected` when a person refused what was printed, and
    `in_part` when they refused some copies of a plate."""
    filament_mg: int
    spools: int
    """How many gave it: several when the spool was changed in between."""
    waste_mg: int
    energy_mwh: int
    machine_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A share of the price of one copy."""

    account: str
    unit: str
    amount: int
    state: Debt
    passed: Entry
    ended: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One order as the book tells it."""

    entries: tuple[Entry, ...]
    reserved: Entry | None
    tries: tuple[Try, ...]
    claims: tuple[Claim, ...]
    unit: str
    price: int
    paid: int
    freed: int
    copies: int
    ended: int
    carriage_kg_m: int

    @property
    def settled(self) -> bool:
        """Whether every copy was paid or will not be."""
        return self.ended >= self.copies

    @property
    def lost(self) -> tuple[Try, ...]:
        """Tries that gave no part."""
        return tuple(each for each in self.tries if each.outcome not in ("printed", "in_part"))

    @property
    def filament_mg(self) -> int:
        """What all tries took."""
        return sum(each.filament_mg for each in self.tries)

    @property
    def waste_mg(self) -> int:
        """What did not become a part that somebody has or will have."""
        return sum(each.waste_mg for each in self.tries)

    @property
    def lost_mg(self) -> int:
        """What went into tries that gave no part."""
        return sum(each.filament_mg for each in self.lost)

    @property
    def energy_mwh(self) -> int:
        """What all tries took."""
        return sum(each.energy_mwh for each in self.tries)

    @property
    def machine_s(self) -> int:
        """How long printers worked on it."""
        return sum(each.machine_s for each in self.tries)


def story(entries: Sequence[Entry]) -> Story:
    """The story that the entries about an order and its jobs tell, given oldest first."""
    reserved = next((each for each in entries if each.kind == "reserve"), None)
    ends = [each for each in entries if each.kind in ("post", "void")]
    reserve = {} if reserved is None else reserved.body["reserve"]
    return Story(
        entries=tuple(entries),
        reserved=reserved,
        tries=_tries(entries),
        claims=tuple(_claims(entries, ends)),
        unit=reserve.get("unit", ""),
        price=int(reserve.get("amount", 0)),
        paid=sum(int(each.body["post"]["amount"]) for each in ends if each.kind == "post"),
        freed=sum(int(each.body["void"]["amount"]) for each in ends if each.kind == "void"),
        copies=int(reserve.get("jobs", 0)),
        ended=sum(int(_ending(each).get("jobs", "1")) for each in ends),
        carriage_kg_m=sum(_sum(each, "carriage:", "kg.m", received=True) for each in ends),
    )


def _tries(entries: Sequence[Entry]) -> tuple[Try, ...]:
    refused = {
        each.key.removesuffix("/rejected"): each
        for each in entries
        if each.key.endswith("/rejected")
    }
    found = []
    for each in entries:
        if "outcome" not in each.body:
            continue
        rejected = refused.get(each.key)
        more = 0 if rejected is None else _sum(rejected, "scrap:", "mg")
        found.append(
            Try(
                entry=each,
                outcome=each.body["outcome"] if rejected is None else _refused(each, rejected),
                filament_mg=-_sum(each, "lot:", "mg"),
                spools=sum(leg.account.startswith("lot:") for leg in each.legs),
                waste_mg=_sum(each, "scrap:", "mg") + more,
                energy_mwh=-_sum(each, "energy:", "mWh"),
                machine_s=-_sum(each, "printer:", "s"),
            )
        )
    return tuple(found)


def _refused(printed: Entry, rejected: Entry) -> str:
    """Whether all that lay on the plate was refused."""
    made, bad = _sum(printed, "part:", "piece"), -_sum(rejected, "part:", "piece")
    return "rejected" if bad >= made else "in_part"


def _claims(entries: Sequence[Entry], ends: Sequence[Entry]) -> list[Claim]:
    settled = {said["settles"]: each for each in ends if "settles" in (said := _ending(each))}
    found = []
    for each in entries:
        if "claim" not in each.body:
            continue
        end = settled.get(each.key)
        state = Debt.OWED if end is None else Debt.PAID if end.kind == "post" else Debt.FREED
        found += [
            Claim(
                account=leg.account.removeprefix("owed:"),
                unit=leg.unit,
                amount=leg.amount,
                state=state,
                passed=each,
                ended=end,
            )
            for leg in each.legs
            if leg.account.startswith("owed:")
        ]
    return found


def _ending(entry: Entry) -> Mapping[str, str]:
    """What an entry says that ends a job: paid or not."""
    said: Mapping[str, str] = entry.body.get("post") or entry.body["void"]
    return said


def _sum(entry: Entry, account: str, unit: str, *, received: bool = False) -> int:
    """The legs of an entry on accounts that begin so; with `received` only those that got."""
    return sum(
        leg.amount
        for leg in entry.legs
        if leg.unit == unit and leg.account.startswith(account) and (leg.amount > 0 or not received)
    )
