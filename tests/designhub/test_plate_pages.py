"""Several copies on a plate, on pages and in the API: chosen, ordered, judged in part."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from basis import clock
from commons import audit
from designhub.auth import Scope
from designhub.web import job_words
from printers.models import PrinterRow
from printers.protocol import ReportEvent
from router.models import JobRow
from router.states import Job
from tests.designhub.test_pages import check_shape
from tests.support import builders
from tests.support.builders import Shop
from tests.support.hubs import OpenHub


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    """A workshop with one printer, and somebody who orders there."""
    return hub.shop()


def of_four(hub: OpenHub, shop: Shop) -> UUID:
    """A plate of four that is printed and waits for a look."""
    owner = hub.client("owner")
    assert owner.form(f"/printers/{shop.printer}/plates", most_pieces="4").status_code == 303
    (job,) = hub.ordered(shop, copies=4)
    now = clock.now()
    with hub.hub.database.writing() as session:
        run = builders.take(session, shop, now=now)
        assert run is not None and run.job_id == job
        builders.permit(session, shop, run, now=now)
        builders.report(session, shop, run, ReportEvent.FINISHED, now=now)
    return job


def states(hub: OpenHub) -> dict[UUID, Job]:
    with hub.hub.database.reading() as session:
        return {job.id: job.state for job in session.scalars(select(JobRow))}


def test_which_copies_a_job_makes_in_words() -> None:
    assert job_words.of_all(range(1, 2), 1) == ""
    assert job_words.of_all(range(3, 4), 5) == "copy 3 of 5"
    assert job_words.of_all(range(1, 5), 5) == "copies 1 to 4 of 5"
    assert job_words.numbered(range(2, 3)) == "Copy 2"
    assert job_words.numbered(range(2, 4)) == "Copies 2 to 3"
    assert job_words.of_part("Lid", range(1, 3), 2) == "Lid, copies 1 to 2 of 2"


def test_a_workshop_says_how_many_share_a_plate(hub: OpenHub, shop: Shop) -> None:
    owner, here = hub.client("owner"), f"/printers/{shop.printer}"
    assert "Copies on a plate: 1" in owner.get(here).text
    assert owner.form(f"{here}/plates", most_pieces="3", next=here).location == here
    page = owner.get(here).text
    check_shape(page, "plates")
    assert "Copies on a plate: 3" in page and "Most copies on a plate: 3" in page
    for wrong in ("", "0", "101", "many", "٣"):
        assert owner.form(f"{here}/plates", most_pieces=wrong).status_code == 422
    with hub.hub.database.reading() as session:
        assert session.get_one(PrinterRow, shop.printer).most_pieces == 3


def test_the_order_of_a_plate_counts_copies(hub: OpenHub, shop: Shop) -> None:
    job, maker = of_four(hub, shop), hub.client("maker")
    page = maker.get(f"/jobs/{job}").text
    check_shape(page, "job of a plate")
    assert "copies 1 to 4 of 4" in page
    with hub.hub.database.reading() as session:
        order = session.get_one(JobRow, job).order_id
    page = maker.get(f"/orders/{order}").text
    assert "4 copies" in page and "0 of 4 made" in page and "Copies 1 to 4" in page


def test_three_of_four_are_good(hub: OpenHub, shop: Shop) -> None:
    job, owner, maker = of_four(hub, shop), hub.client("owner"), hub.client("maker")
    board = owner.get(f"/printers/{shop.printer}").text
    for page in (board, owner.get(f"/jobs/{job}").text):
        assert "How many of the 4 are good all the same" in page
    wrong = owner.form(f"/jobs/{job}/failed", reason="came off the bed", good="4")
    assert wrong.status_code == 422 and states(hub)[job] is Job.ASSIGNED
    assert owner.form(f"/jobs/{job}/failed", reason="came off the bed", good="x").status_code == 422
    said: dict[str, Any] = {"reason": "came off the bed", "printer_at_fault": "on", "good": "3"}
    assert owner.form(f"/jobs/{job}/failed", **said).status_code == 303
    found = states(hub)
    (others,) = set(found) - {job}
    assert (found[job], found[others]) == (Job.DONE, Job.FAILED)
    page = maker.get(f"/jobs/{others}").text
    check_shape(page, "what was not good")
    assert "copy 4 of 4" in page and "came off the bed" in page
    notices = maker.get("/me/notices").text
    assert "Some of a plate were not good" in notices
    order = maker.get(f"/jobs/{job}").text
    assert "copies 1 to 3 of 4" in order
    book = maker.get("/book").text
    check_shape(book, "book")
    assert owner.form(f"/jobs/{others}/retry").status_code == 303
    assert states(hub)[others] is Job.ORDERED
    with hub.hub.database.reading() as session:
        assert audit.check(session).ok


def test_the_book_s_page_of_the_order_counts_copies(hub: OpenHub, shop: Shop) -> None:
    job, owner = of_four(hub, shop), hub.client("owner")
    owner.form(f"/jobs/{job}/failed", reason="came off the bed", good="3")
    with hub.hub.database.reading() as session:
        order = session.get_one(JobRow, job).order_id
    page = owner.get(f"/book/orders/{order}").text
    assert "1 copy is neither handed over nor given up" in page
    assert "ordered 4 copies" in page
    assert "printed 4 parts: they took" in page and "A part of job:" in page
    assert "3 parts of job:" in page and "are good: their price is owed" in page
    assert "good in part" in page and "gave no part" not in page


def test_the_api_says_pieces_and_takes_how_many_are_good(hub: OpenHub, shop: Shop) -> None:
    rights, web = hub.token(shop.owner, Scope.OPERATE, Scope.READ), hub.app.test_client()

    def call(method: str, path: str, body: dict[str, Any] | None = None) -> TestResponse:
        return web.open(f"/api/v1{path}", method=method, headers=rights, json=body)

    path = f"/printers/{shop.printer}"
    changed = call("PATCH", path, {"most_pieces": 4})
    assert changed.status_code == 200 and changed.get_json()["most_pieces"] == 4
    assert call("PATCH", path, {}).status_code == 422
    assert call("PATCH", path, {"most_pieces": 0}).status_code == 422
    both = {"most_pieces": 2, "duty": "paused", "because": "new nozzle"}
    found = call("PATCH", path, both).get_json()
    assert (found["most_pieces"], found["duty"]) == (2, "paused")
    call("PATCH", path, {"duty": "open"})
    job = of_four(hub, shop)
    found = call("GET", f"/jobs/{job}").get_json()
    assert (found["copy"], found["pieces"], found["good"], found["copies"]) == (1, 4, None, 4)
    said = {"cause": "one fell over", "good": 2, "again": True}
    found = call("POST", f"/jobs/{job}/failed", said).get_json()
    assert (found["state"], found["pieces"], found["good"]) == ("done", 4, 2)
    assert sorted(states(hub).values()) == [Job.DONE, Job.ORDERED]
