"""The 19 actions of Valueflows 1.0 and what each does to a resource; pure.

Facts of the vocabulary (https://www.valueflo.ws/specification/actions/), told in our own table.
Events alone change a resource, and only through this table. `after` is the physical reading of the
book: what is owned, what is on hand. The double-entry reading of the same events is
`verify.legs_of`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from commons.verify import number

Side = Literal["input", "output", "both", ""]
Measure = Literal["resource", "effort", "both"]
Step = tuple[int, int]
"""What happens to the amount of R and of To: -1 it leaves, 1 it arrives, 0 nothing."""

_NONE: Step = (0, 0)
_R_PLUS: Step = (1, 0)
_R_MINUS: Step = (-1, 0)
_TO_PLUS: Step = (0, 1)
_MOVE: Step = (-1, 1)


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the table. R is `resourceInventoriedAs`, To is `toResourceInventoriedAs`."""

    name: str
    side: Side
    """Whether it is an input or an output of a process; empty for a transfer between agents."""
    quantity: Measure
    accounting: Step
    """What it does to the amount somebody has rights to."""
    onhand: Step
    """What it does to the amount that is physically there."""
    pairs: str = ""
    """The action that ends what this one began."""
    creates: Literal["R", "To", ""] = ""
    """Which resource it may bring into being; otherwise it adds to an existing stock."""
    location: Literal["new", "update", "To", ""] = ""
    """Set from `toLocation`: of a new resource only, of R, or of To."""
    contained: Literal["update", "remove", ""] = ""
    """R is put into To, or taken out of what held it."""
    accountable: Literal["new", "To", ""] = ""
    """Whose `primaryAccountable` becomes the receiver."""
    stage: bool = False
    """Whether R gets the process specification as its stage."""
    state: Literal["R", "To", ""] = ""
    """Which resource gets the state of the event."""


ACTIONS: Mapping[str, Action] = {
    row.name: row
    for row in (
        Action(
            "produce",
            "output",
            "resource",
            _R_PLUS,
            _R_PLUS,
            creates="R",
            location="new",
            accountable="new",
            stage=True,
            state="R",
        ),
        Action("consume", "input", "resource", _R_MINUS, _R_MINUS, state="R"),
        Action("use", "input", "both", _NONE, _NONE, state="R"),
        Action("work", "input", "effort", _NONE, _NONE),
        Action("cite", "input", "resource", _NONE, _NONE, state="R"),
        Action("deliverService", "both", "resource", _NONE, _NONE),
        Action(
            "accept",
            "input",
            "resource",
            _NONE,
            _R_MINUS,
            pairs="modify",
            location="update",
            state="R",
        ),
        Action(
            "modify",
            "output",
            "resource",
            _NONE,
            _R_PLUS,
            pairs="accept",
            location="update",
            stage=True,
            state="R",
        ),
        Action(
            "pickup",
            "input",
            "resource",
            _NONE,
            _R_MINUS,
            pairs="dropoff",
            location="update",
            state="R",
        ),
        Action(
            "dropoff",
            "output",
            "resource",
            _NONE,
            _R_PLUS,
            pairs="pickup",
            location="update",
            stage=True,
            state="R",
        ),
        Action("combine", "input", "resource", _NONE, _R_MINUS, contained="update", state="R"),
        Action(
            "separate",
            "output",
            "resource",
            _NONE,
            _R_PLUS,
            contained="remove",
            stage=True,
            state="R",
        ),
        Action(
            "transfer",
            "",
            "resource",
            _MOVE,
            _MOVE,
            creates="To",
            location="To",
            accountable="To",
            state="To",
        ),
        Action(
            "transferAllRights",
            "",
            "resource",
            _MOVE,
            _NONE,
            creates="To",
            accountable="To",
            state="To",
        ),
        Action(
            "transferCustody",
            "",
            "resource",
            _NONE,
            _MOVE,
            creates="To",
            location="To",
            state="To",
        ),
        Action("move", "", "resource", _MOVE, _MOVE, creates="To", location="To", state="To"),
        Action(
            "copy",
            "",
            "resource",
            _TO_PLUS,
            _TO_PLUS,
            creates="To",
            location="new",
            accountable="new",
            state="To",
        ),
        Action(
            "raise", "", "resource", _R_PLUS, _R_PLUS, creates="R", accountable="new", state="R"
        ),
        Action(
            "lower", "", "resource", _R_MINUS, _R_MINUS, creates="R", accountable="new", state="R"
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of a resource somebody has rights to, and how much of it is there."""

    accounting: int = 0
    onhand: int = 0


Stock = Mapping[tuple[str, str], Amount]
"""(resource, unit) → amounts."""


def after(stock: Stock, event: Mapping[str, Any]) -> Stock:
    """The stock when `event` happened to it: the physical reading of one event.

    Effort changes no resource. When R and To are one resource, what leaves also arrives. Raises
    KeyError for an unknown action, `verify.Wrong` for an amount that is not a whole number.
    """
    action = ACTIONS[event["action"]]
    changed = dict(stock)
    for which in ("resourceQuantity", "massQuantity"):
        if which not in event:
            continue
        unit = event[which]["hasUnit"]
        amount = number(event[which]["hasNumericalValue"])
        places = (event.get("resourceInventoriedAs"), event.get("toResourceInventoriedAs"))
        for place, owned, there in zip(places, action.accounting, action.onhand, strict=True):
            if place is None or not (owned or there):
                continue
            had = changed.get((place, unit), Amount())
            changed[place, unit] = Amount(
                accounting=had.accounting + owned * amount, onhand=had.onhand + there * amount
            )
    return changed
