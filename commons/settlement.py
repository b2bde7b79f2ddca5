"""How a price divides: exactly, in whole minor units, without a database; pure.

Every line of a price goes to the one who bears it: the workshop, except the line called
`CONTRIBUTION`, which goes to the design. An order of several jobs has one price; each job gets a
part of each line, in proportion to what it takes, and the parts sum to the line again.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from basis.errors import Invalid
from basis.units import split

CONTRIBUTION = "commons contribution"
"""The label of the line that goes to the design."""

NOT_CENTS = frozenset(
    {"BHD", "BIF", "CLP", "DJF", "GNF", "IQD", "ISK", "JOD", "JPY", "KMF", "KRW", "KWD"}
    | {"LYD", "OMR", "PYG", "RWF", "TND", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
"""Currencies whose minor unit is not a hundredth (ISO 4217)."""

Line = tuple[str, int]
"""A line of a price: its label and its amount in minor units."""


class Share(NamedTuple):
    """What one account gets of a price, and why."""

    account: str
    amount_minor: int
    why: str


def money_unit(currency: str) -> str:
    """The unit of the book for a currency: `EUR-cent`; hours (`HOUR`) are counted in `s`.

    Raises Invalid for anything but three capitals or HOUR.
    """
    if currency == "HOUR":
        return "s"
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise Invalid(f"{currency!r} is not a currency code such as EUR")
    return f"{currency}-minor" if currency in NOT_CENTS else f"{currency}-cent"


def per_job(lines: Sequence[Line], *, weights: Sequence[int]) -> list[tuple[Line, ...]]:
    """The lines of an order divided over its jobs; each line's parts sum to the line exactly.

    weights : one for each job: what it takes to make, in any unit. Where all are 0 each job gets
              the same.

    The minor units that do not divide go by largest remainder, to the earlier job where two are
    equal. Raises Invalid for no jobs, or a line or a weight below zero.
    """
    if not weights or min(weights) < 0 or any(amount < 0 for _, amount in lines):
        raise Invalid("a price is for at least one job and has no line or weight below zero")
    used = weights if any(weights) else [1] * len(weights)
    parts = [split(amount, used) for _, amount in lines]
    labels = [label for label, _ in lines]
    return [tuple(zip(labels, column, strict=True)) for column in zip(*parts, strict=True)] or [
        ()
    ] * len(used)


def summed(parts: Sequence[Sequence[Line]]) -> tuple[Line, ...]:
    """The lines that several copies bear together; all name the same lines in the same order."""
    return tuple(
        (column[0][0], sum(amount for _, amount in column)) for column in zip(*parts, strict=True)
    )


def shares(lines: Sequence[Line], *, workshop_id: object, design_id: object) -> tuple[Share, ...]:
    """Who gets what of a price; the shares sum to the price, those of zero are left out.

    lines : of one job, as `per_job` returns them.
    """
    design = [amount for label, amount in lines if label == CONTRIBUTION]
    workshop = [amount for label, amount in lines if label != CONTRIBUTION]
    borne = ", ".join(label for label, amount in lines if label != CONTRIBUTION and amount)
    both = (
        Share(f"workshop:{workshop_id}", sum(workshop), borne),
        Share(f"design:{design_id}", sum(design), CONTRIBUTION),
    )
    return tuple(share for share in both if share.amount_minor)


def total(lines: Sequence[Line]) -> int:
    """The price: the sum of its lines, in minor units."""
    return sum(amount for _, amount in lines)
