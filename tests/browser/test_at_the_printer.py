"""What somebody does who stands before a machine and scanned its code, on a phone."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser

from basis import clock, pictures
from printers import upkeep
from printers.models import Bed, PrinterRow
from printers.offer import Duty
from router.models import JobRow, RunRow
from router.states import Job, Run
from tests.browser.world import World, world
from tests.support.browsers import DESKTOP, PHONE, Tab, tab
from tests.support.cameras import picture
from tests.support.hubs import PASSWORD


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("printer")) as made:
        _photographed(made, tmp_path_factory.mktemp("scratch"))
        _waiting(made)
        yield made


def _photographed(made: World, scratch: Path) -> None:
    jpeg = pictures.redrawn(picture(), scratch=scratch)
    kept = made.hub.blobs.put([jpeg], most_bytes=len(jpeg))
    with made.hub.database.writing() as session:
        session.get_one(JobRow, made.jobs["look"]).runs[0].photo_sha256 = kept.sha256


def _waiting(made: World) -> None:
    with made.hub.database.writing() as session:
        run = session.get_one(JobRow, made.jobs["printing"]).runs[0]
        run.state, run.waits_for = Run.PAUSED, "filament"


def printer_of(made: World, job: str) -> UUID:
    with made.hub.database.reading() as session:
        return session.get_one(JobRow, made.jobs[job]).printer_id


def looked_at(page: Tab, name: str) -> None:
    assert not page.script or page.barriers() == []  # without script axe cannot look either
    assert page.too_wide() <= 0
    assert page.faults == []
    page.picture(name)


def small_buttons(page: Tab) -> list[str]:
    """What is pressed at a machine, often with gloves, is at least 44 pixels high."""
    buttons = page.page.locator("main button.large:visible, main .pick label:visible").all()
    assert buttons
    heights = [(each.inner_text(), each.bounding_box()) for each in buttons]
    return [text for text, box in heights if box is not None and box["height"] < 44]


@pytest.mark.parametrize("script", [True, False])
def test_it_failed_and_the_bed_is_clear(chromium: Browser, place: World, script: bool) -> None:
    """With the photo beside it, the reasons to press, and both blames."""
    printer = printer_of(place, "look" if script else "unclear")
    job = place.jobs["look" if script else "unclear"]
    with tab(chromium, place.running.url, size=PHONE, script=script) as page:
        page.sign_in("ada", PASSWORD)
        page.open(f"/printers/{printer}")
        if script:
            shown = page.page.locator("main figure img")
            assert shown.evaluate("image => image.complete && image.naturalWidth") == 640
        page.page.locator("summary", has_text="Failed, because").click()
        assert small_buttons(page) == []
        looked_at(page, f"phone-look-{'script' if script else 'plain'}")
        page.page.get_by_label("Strings and blobs hang on it").check()
        page.page.get_by_label("The part or its settings are at fault").check()
        page.press("It failed")
        page.press("The bed is clear")
        page.says("No, the bed is not clear")
        looked_at(page, f"phone-clear-{'script' if script else 'plain'}")
    with place.hub.database.reading() as session:
        row, run = session.get_one(JobRow, job), session.get_one(JobRow, job).runs[0]
        assert row.state is Job.FAILED and run.cause == "strings and blobs"
        assert (run.job_at_fault, run.printer_at_fault) == (True, True)
        assert session.get_one(PrinterRow, printer).bed is Bed.CLEAR


def test_it_waits_for_filament(chromium: Browser, place: World) -> None:
    printer = printer_of(place, "printing")
    for size, dark, name in ((PHONE, True, "phone"), (DESKTOP, False, "desk")):
        with tab(chromium, place.running.url, size=size, dark=dark) as page:
            page.sign_in("ada", PASSWORD)
            page.open(f"/printers/{printer}")
            page.says("Waits for filament: load PLA black")
            looked_at(page, f"{name}-filament")


def test_maintenance_upkeep_quiet_hours_and_ejection(chromium: Browser, place: World) -> None:
    printer = printer_of(place, "ready")
    with place.hub.database.writing() as session:
        row = session.get_one(PrinterRow, printer)
        now = clock.now()
        by = row.workshop.owner_id
        upkeep.maintained(session, row, task="rods oiled", by=by, now=now, again_hours=1)
        row.printed_s = 7_200
        upkeep.set_duty(session, printer_id=printer, duty=Duty.OPEN, by=by, now=now)
    for size, name in ((PHONE, "phone"), (DESKTOP, "desk")):
        with tab(chromium, place.running.url, size=size) as page:
            page.sign_in("ada", PASSWORD)
            page.open(f"/printers/{printer}")
            page.says("Upkeep is due: rods oiled")
            for each in page.page.locator("main summary").all():
                each.click()
            looked_at(page, f"{name}-printer-open")
            page.open(f"/printers/{printer}")
            page.page.locator("summary", has_text="Pause, drain").click()
            page.fill(because="new belts")
            page.page.locator("button[value=maintenance]").click()
            page.says("In maintenance: nothing starts")
            looked_at(page, f"{name}-maintenance")
            page.press("Take new work again")
            page.open("/workshops/makers-corner")
            looked_at(page, f"{name}-board")
    with place.hub.database.reading() as session:
        assert session.get_one(PrinterRow, printer).duty is Duty.OPEN
        assert session.query(RunRow).count()
