"""The API keeps its own word: whatever is sent, the answer is one that its description knows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import select

from designhub.auth import Scope
from designs.models import DesignRow
from printers.models import PrinterRow, WorkshopRow
from router.models import JobRow, OrderRow, QuoteRow
from tests.support import builders
from tests.support.hubs import OpenHub, opened

EXAMPLES = 40
"""For each operation, by whoever may call it; a few by the others."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A hub in which something can be hit: `known` are names and ids of things that are there."""

    hub: OpenHub
    callers: dict[str, dict[str, str]]
    known: dict[str, st.SearchStrategy[Any]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Somebody who may do all and owns all, their agent, and a stranger."""
    with opened(tmp_path / "hub", held_questions=0) as hub:
        shop = hub.shop()
        job = hub.ordered(shop)[0]
        hub.ordered(shop)
        with hub.hub.database.writing() as session:
            builders.ref(session, shop.part, "refs/tags/v1.0")
            run = builders.take(session, shop)
            assert run is not None
            design = session.scalars(select(DesignRow.slug)).one()
            workshop = session.scalars(select(WorkshopRow.slug)).one()
            machine = session.get_one(PrinterRow, shop.printer).name
            quote = session.scalars(select(QuoteRow.id)).first()
            order = session.get_one(JobRow, job).order_id
            session.get_one(OrderRow, order).maker_id = shop.owner
        known: dict[str, list[Any]] = {
            "owner": ["owner"],
            "name": [design, workshop, "fresh", "fresher"],
            "version": ["v1.0", "latest"],
            "job_id": [str(job)],
            "order_id": [str(order)],
            "printer_id": [str(shop.printer)],
            "run_id": [str(run.id)],
            "token_id": [str(uuid4())],
            "design": [f"owner/{design}"],
            "place": ["Oslo", "59.9,10.7", "Springfield"],
            "quote": [str(quote)],
            "fence": [run.fence],
            "common": ["virtual", "mk3s"],
            "profile": [None],
            "material": ["PLA", "PETG"],
            "part": [None, "part"],
            "preset": ["greenest", "soonest"],
            "modes": [[], ["foot", "parcel"]],
            "scopes": [["push"], ["read", "order"]],
            "carriage": [[], [{"mode": "foot", "most_km": 10}]],
            "currency": ["EUR", "JPY", "HOUR"],
            "deadline": [None, "2036-03-01T18:00:00Z"],
            "printers": [[machine], []],
            "visibility": ["public", "private"],
        }
        callers = {
            "nobody": {},
            "account": hub.token(shop.owner, *Scope),
            "agent": hub.agent_token(shop.agent),
        }
        there = {name: st.sampled_from(values) for name, values in known.items()}
        yield World(hub=hub, callers=callers, known=there)


def test_every_answer_is_one_that_is_described(world: World) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", world.hub.app)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    faults = []
    # What is removed is gone for the others: that comes last.
    for operation in sorted(operations, key=lambda each: each.method == "delete"):
        ways = {way for each in operation.definition.raw.get("security", ()) for way in each}
        fitting = "agent" if ways == {"agent"} else "account"
        for who, headers in world.callers.items():
            for mode, share in ((GenerationMode.POSITIVE, 1), (GenerationMode.NEGATIVE, 4)):
                examples = (EXAMPLES if who == fitting else 4) // share
                try:
                    cases = operation.as_strategy(generation_mode=mode)
                    _fuzz(cases, headers, world.known, examples=examples)
                except Unsatisfiable:
                    assert mode is GenerationMode.NEGATIVE  # nothing of it can be wrong
                except FailureGroup as group:
                    faults += [f"{operation.label} as {who}: {each}" for each in group.exceptions]
    assert not faults, "\n\n".join(faults)


def _fuzz(
    cases: st.SearchStrategy[Case[Any]],
    headers: dict[str, str],
    known: dict[str, st.SearchStrategy[Any]],
    *,
    examples: int,
) -> None:
    """Send what the description allows, most names and ids being of things that are there."""

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, data=st.data())
    def sent(case: Case[Any], data: st.DataObject) -> None:
        for part in (case.path_parameters, case.body):
            said = part if isinstance(part, dict) else {}
            for name in sorted(known.keys() & said.keys()):
                if data.draw(st.integers(0, 3)):
                    said[name] = data.draw(known[name])
        case.call_and_validate(headers=headers, checks=CHECKS)

    sent()
