"""How a price divides: exactly, in whole minor units, without a database; pure.

Every line of a price goes to the one who bears it: the workshop, except the line called
`CONTRIBUTION`, which goes to the design. An order for several copies has one price; each copy gets
a part of each line, and the parts sum to the line again.
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


def per_copy(lines: Sequence[Line], *, copies: int) -> list[tuple[Line, ...]]:
    """The lines of an order divided over its copies; each line's parts sum to the line exactly.

    The minor units that do not divide go to the first copies. Raises Invalid for no copies or a
    line below zero.
    """
    if copies < 1 or any(amount < 0 for _, amount in lines):
        raise Invalid("a price is for at least one copy and has no line below zero")
    parts = [split(amount, [1] * copies) for _, amount in lines]
    labels = [label for label, _ in lines]
    return [tuple(zip(labels, column, strict=True)) for column in zip(*parts, strict=True)] or [
        ()
    ] * copies


def shares(lines: Sequence[Line], *, workshop_id: object, design_id: object) -> tuple[Share, ...]:
    """Who gets what of a price; the shares sum to the price, those of zero are left out.

    lines : of one copy, as `per_copy` returns them.
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
