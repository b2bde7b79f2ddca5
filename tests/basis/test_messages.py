"""Messages: what goes out comes back, and nothing of a wrong type comes in."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis.errors import Invalid
from basis.messages import MOST_ITEMS, Message


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool(Message):
    colour: Colour
    left_mg: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf(Message):
    id: UUID
    name: str
    tidy: bool = True
    height_m: float = 1.0
    spools: list[Spool] = field(default_factory=list)
    note: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


def shelf(**changes: Any) -> dict[str, Any]:
    return {"id": str(UUID(int=7)), "name": "left", **changes}


@given(
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=50),
    left=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5),
    note=st.none() | st.just("x"),
)
def test_messages_come_back_equal(name: str, left: list[int], note: str | None) -> None:
    spools = [Spool(colour=Colour.RED, left_mg=mg) for mg in left]
    said = Shelf(id=uuid4(), name=name, spools=spools, note=note, more={"a": [1]})
    assert Shelf.from_json(json.loads(json.dumps(said.to_json()))) == said


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "shelf",
        {},
        {"id": str(UUID(int=7))},
        shelf(name=None),
        shelf(name=3),
        shelf(name="a\x00b"),
        shelf(name="\ud800"),
        shelf(id="7"),
        shelf(id=7),
        shelf(tidy=1),
        shelf(height_m="1"),
        shelf(height_m=float("nan")),
        shelf(height_m=True),
        shelf(spools={}),
        shelf(spools=[{"colour": "blue", "left_mg": 1}]),
        shelf(spools=[{"colour": "red", "left_mg": 1.0}]),
        shelf(spools=[{"colour": "red", "left_mg": True}]),
        shelf(spools=[{"colour": "red", "left_mg": 2**63}]),
        shelf(spools=[{"colour": "red", "left_mg": 1}] * (MOST_ITEMS + 1)),
        shelf(more=[]),
    ],
)
def test_what_is_not_the_message_is_refused(data: object) -> None:
    with pytest.raises(Invalid):
        Shelf.from_json(data)


def test_unknown_keys_are_the_future_or_a_typo() -> None:
    data = shelf(nmae="typo")
    assert Shelf.from_json(data).name == "left"
    with pytest.raises(Invalid, match="unknown nmae; known: id, name"):
        Shelf.from_json(data, strict=True)


def test_whole_numbers_may_stand_for_real_ones() -> None:
    assert Shelf.from_json(shelf(height_m=2)).height_m == 2.0
