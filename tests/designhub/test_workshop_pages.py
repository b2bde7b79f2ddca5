"""Workshops and printers as their owner uses them: forms, the board, the bed, the label."""

import re
from datetime import timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from basis import clock
from designhub.auth import Scope
from printers.capability import COMMON
from printers.hours import DAYS
from printers.models import Bed, PrinterNoteRow, PrinterRow, SpoolRow, WorkshopRow
from router.models import JobRow
from router.states import Job
from tests.designhub.test_pages import EVIL, MOST_STATEMENTS, check_shape, printed
from tests.support import builders
from tests.support.builders import Shop
from tests.support.hubs import OpenHub
from tests.support.statements import counted

OPENED: dict[str, Any] = {
    "slug": "atelier",
    "title": "Atelier",
    "place": "Oslo",
    "address": "Torggata 1, ring twice",
    "currency": "eur",
    "per_hour": "1,50",
    "labour": "1",
    "contribution": "10 %",
    "way_foot": "on",
    "most_km_foot": "5",
    "way_parcel": "on",
    "base_parcel": "4.90",
    "hours": "Ask for Ada",
    "hours_mon": "9-12.30, 14 – 18",
}


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    return hub.shop()


def slug_of(hub: OpenHub, shop: Shop) -> str:
    with hub.hub.database.reading() as session:
        return session.get_one(WorkshopRow, shop.workshop).slug


def printer_of(hub: OpenHub, shop: Shop) -> PrinterRow:
    with hub.hub.database.reading() as session:
        return session.get_one(PrinterRow, shop.printer)


def filled(page: str) -> dict[str, str]:
    """The fields of a page's form of a printer, as a browser would send them back."""
    fields = dict(re.findall(r'name="([a-z_0-9]+)" type="text" value="([^"]*)"', page))
    fields |= dict(re.findall(r'<input name="([a-z_0-9]+)" value="([^"]*)"', page))
    texts = re.findall(r'<textarea id="([a-z_]+)"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    return fields | {name: unescape(text).replace("\n", "\r\n") for name, text in texts}


def test_somebody_opens_a_workshop_adds_a_printer_and_finds_it(hub: OpenHub) -> None:
    hub.account("ada")
    ada, visitor = hub.client("ada"), hub.client()
    empty = ada.get("/me/printers").text
    assert 'href="/workshops/new"' in empty and "You run no printer here yet" in empty
    made = ada.form("/workshops/new", OPENED)
    assert made.location == "/workshops/atelier/printers/new", made.text
    assert "<option selected>marlin</option>" in ada.get(made.location).text  # most machines
    machine = ada.get(f"{made.location}?common=mk3s").text
    check_shape(machine, "new printer")
    added = ada.form(made.location, filled(machine) | {"name": "prusa"})
    assert added.status_code == 303, added.text
    with hub.hub.database.reading() as session:
        row = session.scalars(select(PrinterRow)).one()
        assert row.profile == COMMON["mk3s"].as_json() and row.bed is Bed.OCCUPIED
    page = ada.get(added.location).text
    assert "Not connected yet" in page and "/workshops/atelier/connect" in page
    public = visitor.get("/workshops/atelier").text.replace("\u00a0", " ")
    check_shape(public, "public")
    for said in ("09:00–12:30, 14:00–18:00", "Ask for Ada", "1.50 EUR", "10 %", "4.90 EUR"):
        assert said in public, said
    assert "Torggata" not in public
    assert "Torggata" in ada.get("/workshops/atelier/edit").text
    assert "prusa" in ada.get("/me/printers").text


@pytest.mark.parametrize(
    ("field", "value", "status", "said"),
    [
        ("place", "Xyzzyville", 404, "no city"),
        ("slug", "new", 422, "cannot name a workshop"),
        ("slug", "../x", 422, "cannot name a workshop"),
        ("currency", "euros", 422, "three letters"),
        ("per_hour", "-1", 422, "an hour of printing"),
        ("contribution", "101", 422, "contribution"),
        ("hours_mon", "18-9", 422, "hours, mon"),
        ("hours_mon", "all day", 422, "9:00"),
        ("most_km_foot", "far", 422, "whole number"),
        ("address", "x" * 501, 422, "address"),
        ("quiet_fri", "late", 422, "quiet hours, fri"),
    ],
)
def test_what_cannot_be_comes_back_with_what_was_typed(
    hub: OpenHub, field: str, value: str, status: int, said: str
) -> None:
    hub.account("ada")
    answer = hub.client("ada").form("/workshops/new", {**OPENED, field: value})
    assert answer.status_code == status
    assert 'role="alert"' in answer.text and said in answer.text
    assert 'value="Atelier"' in answer.text
    check_shape(answer.text, field)


def test_the_example_is_priced_as_a_quote_and_saves_nothing(hub: OpenHub) -> None:
    hub.account("ada")
    page = hub.client("ada").form("/workshops/new", {**OPENED, "example": "show"})
    text = page.text.replace("\u00a0", " ")
    # 50 g at 25.00 a kg, two hours at 1.50, labour 1.00, a tenth of that
    for said in ("1.25 EUR", "3.00 EUR", "1.00 EUR", "0.53 EUR", "5.78 EUR"):
        assert said in text, said
    with hub.hub.database.reading() as session:
        assert session.scalars(select(WorkshopRow)).all() == []


def test_changing_a_workshop_keeps_its_place_and_its_prices_currency(
    hub: OpenHub, shop: Shop
) -> None:
    owner, path = hub.client("owner"), f"/workshops/{slug_of(hub, shop)}/edit"
    with hub.hub.database.writing() as session:
        session.execute(update(WorkshopRow).values(lat_udeg=59_900_001, place="a yard in Oslo"))
    said = {**OPENED, "place": "a yard in Oslo", "title": "Renamed"}
    refused = owner.form(path, said | {"currency": "NOK"})
    assert refused.status_code == 409 and "unload them" in refused.text
    assert owner.form(path, said).status_code == 303
    with hub.hub.database.reading() as session:
        row = session.get_one(WorkshopRow, shop.workshop)
        assert (row.title, row.lat_udeg, row.hours) == (
            "Renamed",
            59_900_001,
            {"text": "Ask for Ada", "days": {"mon": "09:00–12:30, 14:00–18:00"}},
        )


def test_the_board_leads_from_the_print_to_the_next(hub: OpenHub, shop: Shop) -> None:
    owner, board = hub.client("owner"), f"/workshops/{slug_of(hub, shop)}"
    job, other = hub.ordered(shop)[0], hub.ordered(shop)[0]
    assert "Nothing needs you now" in owner.get(board).text
    printed(hub, shop, job, until="printing")
    page = owner.get(board).text
    assert "about" in page and 'value="425000"' in page and "/bed-clear" not in page
    assert 'data-live="' + board + '/events"' in page
    run_id = re.findall(r'"/jobs/([^"/]+)/passed"', page)
    assert run_id == []
    agent = hub.agent_token(shop.agent)
    with hub.hub.database.reading() as session:
        run = session.get_one(JobRow, job).runs[0]
    report = {"fence": run.fence, "event": "finished", "print_s": 540}
    hub.app.test_client().post(f"/api/v1/runs/{run.id}/report", json=report, headers=agent)
    page = owner.get(board).text
    check_shape(page, "board")
    assert "1 printer needs you" in page and f"/jobs/{job}/passed" in page
    good = owner.form(f"/jobs/{job}/passed", next=board)
    assert (good.status_code, good.location) == (303, board)
    assert owner.form(f"/jobs/{job}/passed", next="//evil.example").location == "/"
    clear = f"/printers/{shop.printer}/bed-clear"
    assert clear in owner.get(board).text
    owner.form(clear, next=board)
    page = owner.get(board).text
    assert "bed-undo" in page and str(other) in page
    owner.form(f"/printers/{shop.printer}/bed-undo", next=board)
    assert printer_of(hub, shop).bed is Bed.OCCUPIED
    with hub.hub.database.reading() as session:
        noted = session.scalars(select(PrinterNoteRow.what).order_by(PrinterNoteRow.id)).all()
    assert noted == ["bed.clear", "bed.undone"]


def test_clear_is_not_taken_back_once_a_run_was_given_out(hub: OpenHub, shop: Shop) -> None:
    owner, undo = hub.client("owner"), f"/printers/{shop.printer}/bed-undo"
    hub.ordered(shop)
    with hub.hub.database.writing() as session:
        session.execute(update(PrinterRow).values(bed_changed_at=clock.now()))
    with hub.hub.database.writing() as session:
        assert builders.take(session, shop, now=clock.now()) is not None
    refused = owner.form(undo)
    assert refused.status_code == 409 and "given to its agent" in refused.text
    with hub.hub.database.writing() as session:
        long_ago = clock.now() - timedelta(seconds=61)
        session.execute(update(PrinterRow).values(bed_changed_at=long_ago))
    assert "it is over 60 s ago" in owner.form(undo).text
    assert printer_of(hub, shop).bed is Bed.CLEAR


def test_failed_because_keeps_the_reason_and_both_blames(hub: OpenHub, shop: Shop) -> None:
    owner, job = hub.client("owner"), hub.ordered(shop)[0]
    printed(hub, shop, job)
    said = {"reason": "came off the bed", "cause": "cold room", "job_at_fault": "on"}
    here = f"/printers/{shop.printer}"
    assert owner.form(f"/jobs/{job}/failed", said, next=here).location == here
    with hub.hub.database.reading() as session:
        row = session.get_one(JobRow, job)
        run = row.runs[0]
    assert row.state is Job.FAILED and run.cause == "came off the bed: cold room"
    assert (run.job_at_fault, run.printer_at_fault) == (True, False)
    assert "Say whether it is tried again" in owner.get(here).text


def test_a_pause_says_why_to_everybody_and_is_logged(hub: OpenHub, shop: Shop) -> None:
    owner, here = hub.client("owner"), f"/printers/{shop.printer}"
    owner.form(f"{here}/duty", duty="paused", because=f"waits for a nozzle {EVIL}")
    for client in (owner, hub.client()):
        page = client.get(here).text
        assert "waits for a nozzle &lt;script&gt;" in page and "<script>" not in page
        check_shape(page, "printer")
    owner.form(f"{here}/duty", duty="open")
    assert "waits for a nozzle" not in hub.client().get(here).text
    assert "waits for a nozzle" in owner.get(here).text  # its record keeps it


def test_three_ways_to_rest_are_told_apart(hub: OpenHub, shop: Shop) -> None:
    owner, visitor, here = hub.client("owner"), hub.client(), f"/printers/{shop.printer}"
    hub.ordered(shop)
    said = {
        "draining": ("makes what waits for it", "Takes no new work now", "takes no new order"),
        "maintenance": ("In maintenance: nothing starts", "In maintenance", "it is in maintenance"),
        "paused": ("Paused: it starts nothing new", "Takes no new work now", "it is paused"),
    }
    for duty, (to_owner, to_all, to_maker) in said.items():
        assert owner.form(f"{here}/duty", duty=duty, next=here).location == here
        page = owner.get(here).text
        check_shape(page, duty)
        assert to_owner in page and f'value="{duty}"' not in page
        assert to_all in visitor.get(here).text
        assert to_maker in visitor.get(f"/make/{shop.part.part_id}?place=Oslo").text
    assert owner.form(f"{here}/duty", duty="asleep").status_code == 422


def test_what_a_paused_print_waits_for_is_told_to_both_sides(hub: OpenHub, shop: Shop) -> None:
    job = hub.ordered(shop)[0]
    with hub.hub.database.writing() as session:
        run = builders.take(session, shop, now=clock.now())
        assert run is not None
        builders.permit(session, shop, run, now=clock.now())
    said = {
        "filament": ("load PLA black, then press resume", "waits for filament"),
        "printer": ("has its filament run out? Load PLA black", "The printer itself paused"),
        "person": ("Somebody paused it in OctoPrint", "Somebody at the workshop paused it"),
        "": ("The machine paused: look at it", "paused"),
    }
    owner, maker = hub.client("owner"), hub.client("maker")
    for waits_for, (to_owner, to_maker) in said.items():
        with hub.hub.database.writing() as session:
            beat = {"paused": True, "waits_for": waits_for}
            builders.beat(session, shop, run, now=clock.now(), **beat)
        page = owner.get(f"/printers/{shop.printer}").text
        check_shape(page, waits_for)
        assert to_owner in page and to_maker in maker.get(f"/jobs/{job}").text
    notices = owner.get("/me/notices").text
    check_shape(notices, "notices")
    assert "waits for filament: load it and press resume" in notices


def test_an_ejector_is_declared_with_a_name_and_taken_back(hub: OpenHub, shop: Shop) -> None:
    owner, here = hub.client("owner"), f"/printers/{shop.printer}"
    page = owner.get(here).text
    assert "may break the machine or burn" in page
    assert owner.form(f"{here}/ejects", ejects="on", next=here).location == here
    page = owner.get(here).text
    check_shape(page, "ejects")
    assert "owner answers for it" in page and printer_of(hub, shop).ejects_by == shop.owner
    api = hub.app.test_client().get(f"/api/v1/printers/{shop.printer}").get_json()
    assert api["ejects"] is True
    owner.form(f"{here}/ejects")
    page = owner.get(here).text
    assert "answers for it" not in page and "does not take the part off any more" in page


def test_upkeep_is_noted_and_asked_for(hub: OpenHub, shop: Shop) -> None:
    owner, here = hub.client("owner"), f"/printers/{shop.printer}"
    board = f"/workshops/{slug_of(hub, shop)}"
    task = f"rods oiled {EVIL}"
    noted = owner.form(f"{here}/upkeep", task=task, again_hours="2", note="a drop")
    assert noted.status_code == 303
    assert "Upkeep is due" not in owner.get(board).text
    with hub.hub.database.writing() as session:
        session.execute(update(PrinterRow).values(printed_s=7_200))
    for path in (board, here):
        page = owner.get(path).text
        check_shape(page, path)
        assert "Upkeep is due: rods oiled &lt;script&gt;" in page and "<script>" not in page
    page = owner.get(here).text
    assert "after 2 hours of printing" in page and "due now" in page
    log = owner.get(f"{here}/upkeep").text
    check_shape(log, "upkeep")
    assert "a drop" in log and "owner" in log
    with counted(hub.hub.database) as statements:
        owner.get(here)
    assert len(statements) <= MOST_STATEMENTS
    owner.form(f"{here}/upkeep", task=task, again_on="2099-01-31")
    assert "Upkeep is due" not in owner.get(here).text
    assert owner.form(f"{here}/upkeep", task="x", again_on="soon").status_code == 422
    assert owner.form(f"{here}/upkeep", task="x", again_hours="-3").status_code == 422
    assert "rods oiled" not in hub.client().get(here).text


def test_quiet_hours_of_a_workshop_and_of_one_printer(hub: OpenHub, shop: Shop) -> None:
    owner, here = hub.client("owner"), f"/printers/{shop.printer}"
    board = f"/workshops/{slug_of(hub, shop)}"
    hub.ordered(shop)
    always = {f"quiet_{day}": "0–24" for day in DAYS if day != "mon"} | {"quiet_mon": "0–23"}
    if clock.now().astimezone(ZoneInfo("Europe/Oslo")).strftime("%a %H") == "Mon 23":
        always |= {"quiet_mon": "1–24"}
    assert owner.form(f"{here}/quiet", always, whose="printer", next=here).location == here
    page = owner.get(here).text
    check_shape(page, "quiet")
    assert "Quiet hours: nothing starts now" in page and "nothing starts before" in page
    token = {"Authorization": f"Bearer {hub.agent_token(shop.agent)['Authorization'][7:]}"}
    asked = {"printers": [{"printer": str(shop.printer), "ready": True}]}
    answer = hub.app.test_client().post("/api/v1/agents/me/ask", json=asked, headers=token)
    assert answer.get_json()["work"] == []
    assert "quiet hours" in answer.get_json()["why_not"][str(shop.printer)]
    owner.form(f"{here}/quiet", whose="workshop")
    assert "Quiet hours: nothing starts now" not in owner.get(here).text
    fields = {**OPENED, **always, "currency": "EUR"}
    assert owner.form(f"{board}/edit", fields).status_code == 303
    assert "Quiet hours: nothing starts now" in owner.get(here).text
    assert "in which no print starts" in hub.client().get(board).text
    assert 'name="quiet_tue" value="00:00–24:00"' in owner.get(f"{board}/edit").text
    assert owner.form(f"{here}/quiet", {"quiet_fri": "25–7"}, whose="printer").status_code == 422


def test_a_spool_is_taken_out(hub: OpenHub, shop: Shop) -> None:
    owner, here = hub.client("owner"), f"/printers/{shop.printer}"
    assert owner.form(f"{here}/spools/0/unload", next=here).location == here
    assert "Nothing is loaded" in owner.get(here).text
    assert owner.form(f"{here}/spools/0/unload").status_code == 404
    with hub.hub.database.reading() as session:
        assert session.get_one(SpoolRow, shop.spool).slot is None


def test_a_machine_does_not_change_under_its_jobs(hub: OpenHub, shop: Shop) -> None:
    owner, here = hub.client("owner"), f"/printers/{shop.printer}"
    page = owner.get(f"{here}/edit").text
    check_shape(page, "edit")
    fields = filled(page)
    job = hub.ordered(shop)[0]
    assert owner.form(f"{here}/edit", fields | {"name": "bob"}).status_code == 303
    refused = owner.form(f"{here}/edit", fields | {"name": "bob", "nozzle_mm": "0.6"})
    assert refused.status_code == 409 and "sliced for the machine as it is" in refused.text
    assert owner.form(f"{here}/remove").status_code == 409
    owner.form(f"/jobs/{job}/cancel")
    assert owner.form(f"{here}/edit", fields | {"nozzle_mm": "0.6"}).status_code == 303
    assert printer_of(hub, shop).profile["nozzle_um"] == 600
    bad = owner.form(f"{here}/edit", fields | {"end_gcode": "M112\r\nM502"})
    assert bad.status_code == 422 and "end_gcode, line 1" in bad.text


def test_a_removed_printer_leaves_every_list_and_its_name_is_free(hub: OpenHub, shop: Shop) -> None:
    owner, here = hub.client("owner"), f"/printers/{shop.printer}"
    name, board = printer_of(hub, shop).name, f"/workshops/{slug_of(hub, shop)}"
    job = hub.ordered(shop)[0]
    owner.form(f"/jobs/{job}/cancel")
    assert owner.form(f"{here}/remove").location == board
    assert "No printer yet" in owner.get(board).text
    assert owner.get(here).status_code == owner.form(f"{here}/duty", duty="open").status_code == 404
    header, program = hub.token(shop.owner, Scope.OPERATE), hub.app.test_client()
    spool = {"material": "PLA", "colour": "red", "left_mg": 9, "price_per_kg_minor": 9}
    asks: dict[str, dict[str, Any]] = {"bed/clear": {}, "quiet": {}, "spools": spool}
    for path, said in (asks | {"upkeep": {"task": "oiled"}}).items():
        answer = program.post(f"/api/v1{here}/{path}", json=said, headers=header)
        assert answer.status_code == 404, answer.text
    opened = program.patch(f"/api/v1{here}", json={"duty": "open"}, headers=header)
    assert opened.status_code == 404
    assert not printer_of(hub, shop).accepting
    assert owner.get(f"/jobs/{job}").status_code == 200
    none = hub.client().form(f"/make/{shop.part.part_id}", place="Oslo").text
    assert name not in none
    with hub.hub.database.writing() as session:
        place = session.get_one(WorkshopRow, shop.workshop)
        builders.printer(session, place)
        session.execute(update(PrinterRow).where(PrinterRow.removed_at.is_(None)).values(name=name))


def test_a_stranger_does_not_read_where_a_printer_is(hub: OpenHub, shop: Shop) -> None:
    said = "job: GET http://192.168.7.20:5000/api/job: refused"
    with hub.hub.database.writing() as session:
        session.execute(update(PrinterRow).values(machine_state=said))
    slug = slug_of(hub, shop)
    for path in (f"printers/{shop.printer}", f"workshops/{slug}", "workshops"):
        for prefix in ("/", "/api/v1/"):
            answer = hub.app.test_client().get(prefix + path)
            assert answer.status_code == 200
            assert "192.168" not in answer.text


def test_the_code_on_the_machine_leads_to_its_page(hub: OpenHub, shop: Shop) -> None:
    owner, here = hub.client("owner"), f"/printers/{shop.printer}"
    label = owner.get(f"{here}/label").text
    check_shape(label, "label")
    assert f"http://localhost{here}" in label and "A phone does not find the hub" in label
    object.__setattr__(hub.hub.settings, "public_url", "https://hub.example")
    label = owner.get(f"{here}/label").text
    assert f"https://hub.example{here}" in label and "A phone does not find" not in label
    drawn = owner.get(f"{here}/qr.svg")
    assert drawn.content_type == "image/svg+xml" and drawn.data.startswith(b"<svg")
    stranger = hub.client().get(here).text
    assert "makes open designs" in stranger and "<form" not in stranger.split("</header>")[1]


def test_forty_printers_cost_what_one_does(hub: OpenHub, shop: Shop) -> None:
    owner, visitor = hub.client("owner"), hub.client()
    board = f"/workshops/{slug_of(hub, shop)}"
    pages = [board, f"{board}?public", "/me/printers", "/workshops", f"{board}/connect"]
    pages += [f"/printers/{shop.printer}", f"{board}/edit"]
    with hub.hub.database.writing() as session:
        place = session.get_one(WorkshopRow, shop.workshop)
        for _ in range(39):
            machine = builders.printer(session, place, seen=clock.now())
            builders.spool(session, machine, by=shop.owner)
    for _ in range(5):
        hub.ordered(shop, copies=2)
    for page in pages:
        for client in (owner, visitor):
            with counted(hub.hub.database) as statements:
                answer = client.get(page)
            assert answer.status_code in (200, 302), page
            assert len(statements) <= MOST_STATEMENTS, (page, statements)
            if answer.status_code == 200:
                check_shape(answer.text, page)
