"""The table of actions, and Valueflows' old 3D-printing case told with it."""

from collections.abc import Mapping, Sequence

import pytest

from commons import verify
from commons.facts import Event, event
from commons.vocab import ACTIONS, Amount, Stock, after


def test_nineteen_actions_and_the_legs_agree_with_the_accounting_effect() -> None:
    """The two readings of an event are two tables; here they are held against each other."""
    assert len(ACTIONS) == 19
    assert ACTIONS.keys() == verify.FLOWS.keys()
    for name, action in ACTIONS.items():
        flow = verify.FLOWS[name] or ("", "")
        legs = tuple((place == flow[1]) - (place == flow[0]) for place in ("R", "To"))
        if name == "use":
            assert action.accounting == (0, 0)  # its legs are of time, not of the resource
        else:
            assert legs == action.accounting, name
        assert not action.pairs or ACTIONS[action.pairs].pairs == name
        assert (name in verify.EFFORT) == (action.quantity in ("effort", "both"))


# What each action does to (accounting, on hand) of R and of To, worked out by hand from the
# specification's table of actions: 10 of each before, 3 in the event.
EFFECTS: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "produce": ((13, 13), (10, 10)),
    "consume": ((7, 7), (10, 10)),
    "use": ((10, 10), (10, 10)),
    "work": ((10, 10), (10, 10)),
    "cite": ((10, 10), (10, 10)),
    "deliverService": ((10, 10), (10, 10)),
    "accept": ((10, 7), (10, 10)),
    "modify": ((10, 13), (10, 10)),
    "pickup": ((10, 7), (10, 10)),
    "dropoff": ((10, 13), (10, 10)),
    "combine": ((10, 7), (10, 10)),
    "separate": ((10, 13), (10, 10)),
    "transfer": ((7, 7), (13, 13)),
    "transferAllRights": ((7, 10), (13, 10)),
    "transferCustody": ((10, 7), (10, 13)),
    "move": ((7, 7), (13, 13)),
    "copy": ((10, 10), (13, 13)),
    "raise": ((13, 13), (10, 10)),
    "lower": ((7, 7), (10, 10)),
}


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_each_action_does_what_the_specification_says(action: str) -> None:
    stock: Stock = {(place, "piece"): Amount(10, 10) for place in ("lot:r", "lot:to")}
    happened = event(action, 3, "piece", of="lot:r", to="lot:to")
    changed = after(stock, happened)
    found = tuple(
        (changed[place, "piece"].accounting, changed[place, "piece"].onhand)
        for place in ("lot:r", "lot:to")
    )
    assert found == EFFECTS[action]


def test_custody_returned_to_the_same_thing_restores_it() -> None:
    stock: Stock = {("lot:r", "piece"): Amount(1, 1)}
    back = event("transferCustody", 1, "piece", of="lot:r", to="lot:r")
    assert after(stock, back) == stock


def test_rejects_are_not_gone_until_somebody_says_so() -> None:
    stock: Stock = {("lot:r", "piece"): Amount(1_000, 1_000)}
    for one in (
        event("accept", 1_000, "piece", of="lot:r"),
        event("modify", 998, "piece", of="lot:r"),
    ):
        stock = after(stock, one)
    assert stock["lot:r", "piece"] == Amount(accounting=1_000, onhand=998)


def made(pieces: int, mass_mg: int, scrap_mg: int, taken_mg: int) -> list[Event]:
    return [
        event("consume", taken_mg, "mg", of="lot:pla"),
        event("produce", pieces, "piece", of="parts:a", mass_mg=mass_mg),
        event("produce", scrap_mg, "mg", of="scrap"),
    ]


CASE: Sequence[tuple[list[Event], dict[str, int]]] = (
    (
        [event("raise", 1_000_000, "mg", of="lot:pla", against="supplier")],
        {"pla": 1_000_000, "a": 0, "b": 0, "scrap": 0},
    ),
    (made(5, 452_000, 78_000, 530_000), {"pla": 470_000, "a": 5, "b": 0, "scrap": 78_000}),
    (made(3, 291_000, 24_000, 315_000), {"pla": 155_000, "a": 8, "b": 0, "scrap": 102_000}),
    (
        [event("move", 6, "piece", of="parts:a", to="parts:b", mass_mg=562_200)],
        {"pla": 155_000, "a": 2, "b": 6, "scrap": 102_000},
    ),
    (
        [event("pickup", 6, "piece", of="parts:b"), event("dropoff", 6, "piece", of="parts:b")],
        {"pla": 155_000, "a": 2, "b": 6, "scrap": 102_000},
    ),
    (
        # The two left weigh 90.4 g each by their run's lot: regrind and a rest.
        [
            event("consume", 2, "piece", of="parts:a", mass_mg=180_800),
            event("produce", 180_000, "mg", of="lot:regrind"),
            event("produce", 800, "mg", of="scrap:grinder"),
        ],
        {"pla": 155_000, "a": 0, "b": 6, "scrap": 102_000},
    ),
)


def test_the_3d_printing_case_to_the_milligram() -> None:
    """Both readings of the case: stock by the table of actions, balances by the legs."""
    stock: Stock = {}
    book = verify.Book()
    book.apply("policy", "genesis", {})
    book.seq = 1
    places = {
        "pla": ("lot:pla", "mg"),
        "a": ("parts:a", "piece"),
        "b": ("parts:b", "piece"),
        "scrap": ("scrap", "mg"),
    }
    for step, (events, expected) in enumerate(CASE):
        for one in events:
            stock = after(stock, one)
        legs = book.apply("event", f"case:{step}", {"events": events})
        assert verify.remainder(legs) == {}
        found = {short: stock.get(place, Amount()) for short, place in places.items()}
        assert {short: amount.accounting for short, amount in found.items()} == expected
        assert {short: amount.onhand for short, amount in found.items()} == expected
        assert {short: book.balances.get(place, 0) for short, place in places.items()} == expected
    assert book.balances["parts:a", "mg"] == 452_000 + 291_000 - 562_200 - 180_800
    assert book.balances["parts:b", "mg"] == 562_200


def test_between_pickup_and_dropoff_the_parts_are_owned_but_not_there() -> None:
    stock: Stock = {("parts:b", "piece"): Amount(6, 6)}
    stock = after(stock, event("pickup", 6, "piece", of="parts:b"))
    assert stock["parts:b", "piece"] == Amount(accounting=6, onhand=0)


def test_run_one_has_exactly_these_legs_and_one_milligram_less_fails() -> None:
    legs = verify.legs_of({"events": made(5, 452_000, 78_000, 530_000)})
    assert legs == {
        ("lot:pla", "mg"): -530_000,
        ("parts:a", "mg"): 452_000,
        ("scrap", "mg"): 78_000,
        ("parts:a", "piece"): 5,
        ("world:made", "piece"): -5,
    }
    short = verify.legs_of({"events": made(5, 451_000, 78_000, 530_000)})
    assert verify.remainder(short) == {"mg": -1_000}
