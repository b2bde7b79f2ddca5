"""The main job by its pages alone: somebody opens a workshop and connects a printer, somebody shows
a design, somebody orders it near them, and the part is handed over. With a real OctoPrint."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FilePayload

from basis.settings import environment_for_child
from designhub.processes import Child, this_program
from printers.farm import Instance
from tests.support.browsers import DESKTOP, PHONE, Tab, tab
from tests.support.git_server import Work
from tests.support.hub_process import RunningHub
from tests.support.octoprint_fixtures import Farm
from tests.support.solids import box, stl

PASSWORD = "correct horse battery"
README = "# Distance piece\n\nKeeps two boards **apart**.\n"
PRINT_S = 180.0


@pytest.mark.octoprint
@pytest.mark.slicer
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "size", "script"),
    [("phone", PHONE, True), ("desk", DESKTOP, True), ("plain", PHONE, False)],
)
def test_from_sign_up_to_the_part_handed_over(
    running_hub: RunningHub,
    farm: Farm,
    chromium: Browser,
    tmp_path: Path,
    kind: str,
    size: tuple[int, int],
    script: bool,
) -> None:
    url = running_hub.url

    @contextmanager
    def window() -> Iterator[Tab]:
        with tab(chromium, url, size=size, script=script) as opened:
            yield opened

    with window() as cho, window() as ada, window() as ben:
        for person, name in ((cho, "cho"), (ada, "ada"), (ben, "ben")):
            person.sign_up(f"{name}-{kind}", PASSWORD)
        printer = farm.fresh(0)
        with workshop(cho, kind, octoprint=printer, folder=tmp_path):
            design(ada, kind, folder=tmp_path)
            job = order(ben, kind)
            made(cho, kind)
        handed_over(ben, kind, job=job)


@contextmanager
def workshop(cho: Tab, kind: str, *, octoprint: Instance, folder: Path) -> Iterator[None]:
    """Cho opens a workshop, adds a printer, connects it with a code, and looks at its bed."""
    slug = f"incheon-{kind}"
    cho.open("/me/printers")
    cho.press("Open a workshop")
    cho.fill(title=f"Incheon {kind}", slug=slug, place="Incheon, KR", address=f"Pier {kind}")
    way = "foot" if kind == "desk" else "parcel"
    cho.fill(per_hour="2", labour="1", contribution="10")
    cho.page.locator(f"[name=way_{way}]").check()
    cho.page.locator(f"[name=most_km_{way}]").fill("60")
    cho.page.locator("[name=base_parcel]").fill("3.50")
    cho.picture(f"story-{kind}-workshop")
    cho.press("Open the workshop")
    cho.press("OctoPrint virtual printer")
    cho.fill(name="ender")
    cho.press("Add it")
    cho.open(f"/workshops/{slug}/connect")
    cho.press("Make a code")
    cho.picture(f"story-{kind}-connect")
    [line] = [
        each.inner_text()
        for each in cho.page.locator(".copy code").all()
        if "--enrol" in each.inner_text()
    ]
    words = line.split()
    code = words[words.index("--enrol") + 1]
    assert words[words.index("--hub") + 1] == cho.base
    agent = Child(
        this_program(
            *("agent", "--hub", cho.base, "--enrol", code, "--octoprint", octoprint.url),
            *("--key", octoprint.api_key, "--json"),
        ),
        log=folder / "agent.log",
        environment=environment_for_child({}),
        folder=folder,
    )
    try:
        cho.until("To the printers")
        cho.press("To the printers")
        cho.fill(colour="black", grams="1000", price="25")
        cho.press("It is loaded")
        cho.press("The bed is clear")
        cho.says("Nothing needs you now")
        yield
        # Its agent ends: nobody else's order may wait for this printer.
        cho.open(f"/workshops/{slug}")
        cho.page.locator("summary", has_text="Pause").click()
        cho.page.locator("main form[action$='/duty'] button[value='paused']").click()
        cho.says("Paused: it takes nothing new")
    finally:
        agent.stop()


def design(ada: Tab, kind: str, *, folder: Path) -> None:
    """Ada makes a design: at a desk she pushes with git as the page says, on a phone she chooses a
    file."""
    piece = stl(box(8, 8, 3))
    ada.open("/me/designs")
    ada.press("Make the first")
    ada.fill(title=f"Distance piece {kind}")
    if kind != "desk":
        chosen: FilePayload = {"name": "piece.stl", "mimeType": "model/stl", "buffer": piece}
        ada.page.locator("main input[type=file]").first.set_input_files(chosen)
        ada.fill(readme=README)
    ada.picture(f"story-{kind}-new-design")
    ada.press("Make the design")
    if kind == "desk":
        address = f"{ada.base}/ada-{kind}/distance-piece-{kind}.git"
        ada.says(address)
        work = Work(folder / "piece")
        work.commit({"piece.stl": piece, "README.md": README.encode()})
        signed = f"://ada-{kind}:{quote(PASSWORD)}@"
        work.git("push", address.replace("://", signed), "main")
        ada.open(f"/ada-{kind}/distance-piece-{kind}")
    ada.until("8 × 8 × 3 mm")
    ada.says("apart")
    ada.picture(f"story-{kind}-design")


def order(ben: Tab, kind: str) -> str:
    """Ben finds the design, asks who makes it, orders in two presses; its job's address."""
    ben.open(f"/designs?q=distance+{kind}")
    ben.press(f"Distance piece {kind}")
    ben.press("Make it near me")
    ben.fill(place="Seoul")
    ben.page.locator("main select[name=preset]").select_option("soonest")
    if kind != "desk":  # at a desk the maker fetches it, on a phone it is sent
        ben.page.locator("summary", has_text="How it may reach you").click()
        ben.page.locator("[name=modes][value=parcel]").check()
    ben.press("Ask the workshops")
    ben.picture(f"story-{kind}-answers")
    ben.press("Order")
    ben.says("What happens next")
    ben.picture(f"story-{kind}-quote")
    ben.page.locator("main form[action='/orders'] button").click()
    ben.page.locator("main a[href^='/jobs/']").first.click()
    ben.until("Printing", within_s=PRINT_S)
    if kind == "desk":
        ben.says(f"Pier {kind}")
    ben.picture(f"story-{kind}-printing")
    ben.fill(text="Could you leave it at the door?")
    ben.press("Send")
    ben.says("Could you leave it at the door?")
    return re.sub(r"[?#].*", "", ben.page.url)


def made(cho: Tab, kind: str) -> None:
    """Cho reads of it, waits for the end of the print, looks, and clears the bed."""
    cho.open("/me/notices")
    cho.says("There is a message for you")
    cho.open(f"/workshops/incheon-{kind}")
    cho.until("It looks good", within_s=PRINT_S)
    cho.picture(f"story-{kind}-look")
    cho.press("It looks good")
    cho.press("The bed is clear")


def handed_over(ben: Tab, kind: str, *, job: str) -> None:
    """Ben has it in his hand; who is owed what stands in the open book."""
    ben.page.goto(job)
    if kind != "desk":
        ben.press("I have it")
    ben.until("Done")
    ben.picture(f"story-{kind}-done")
    ben.press("your order")
    ben.press("Who is owed what")
    ben.says("Settled: everybody got what they were owed")
    ben.picture(f"story-{kind}-book")
