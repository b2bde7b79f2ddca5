"""A hub on PostgreSQL with everything going on at once: nobody waits for another in a circle."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from designhub import idle
from printers.models import PrinterRow, SpoolRow
from tests.support.busy_hub import BusyHub, Told
from tests.support.hubs import opened
from tests.support.postgres import Postgres

LEAST = {
    "quotes 201": 40,
    "orders 201": 40,
    "agents/ask 200": 60,
    "runs/permit 200": 12,
    "runs/report 200": 12,
    "jobs/passed 200": 5,
    "printers/clear 200": 20,
    "printers/spools 200": 8,
}


def test_all_at_once_nothing_breaks_and_no_lock_goes_in_a_circle(
    tmp_path: Path, postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "SEEN_EVERY_S", 0.0)  # signs of life are written all the time

    def enough(told: Told) -> bool:
        return all(told.counts[what] >= least for what, least in LEAST.items())

    url = postgres_server.new_database()
    with opened(tmp_path / "hub", database_url=url, held_questions=0) as hub:
        told = BusyHub(hub).run(until=lambda told: bool(told.broken) or enough(told), limit_s=240)
    assert told.broken == []
    assert told.deadlocks == 0
    assert enough(told), told.counts


def test_a_circle_that_happens_all_the_same_is_undone_and_asked_again(
    tmp_path: Path, postgres_server: Postgres
) -> None:
    with opened(tmp_path / "hub", database_url=postgres_server.new_database()) as hub:
        hub.shop()
        both = threading.Barrier(2, timeout=60)

        def circle(first: int) -> str:
            with hub.hub.database.writing() as session:
                for number in (first, 1 - first):
                    table = (PrinterRow, SpoolRow)[number]
                    session.execute(select(table.id).with_for_update()).all()
                    if number == first:
                        both.wait()
            return "done"

        hub.app.add_url_rule("/circle/<int:first>", view_func=circle)

        def ask(first: int) -> TestResponse:
            return hub.app.test_client().get(f"/circle/{first}")

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(ask, range(2)), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["Retry-After"] == "2"
    assert "try again" in answers[1].get_json()["detail"]
