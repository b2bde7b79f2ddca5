"""OctoPrint-DesignHub as a person meets it: real OctoPrint, real browser, real hub.

Enrolled on the page of settings by the code of the hub's page; a job comes, is printed, judged and
cleared away in the tab. Then OctoPrint is killed twice, and nobody has to be asked.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from designhub.api import schema
from designhub.plugin_wheel import put_plugin
from tests.flow.test_push_to_part import MANIFEST
from tests.support.browsers import DESKTOP, PHONE, PICTURES, Tab, tab
from tests.support.hub_process import PASSWORD, Person, RunningHub, enrol, hub_process
from tests.support.octoprint_fixtures import eventually
from tests.support.plugin_fixtures import PluginServer
from tests.support.solids import box, stl

pytestmark = [pytest.mark.octoprint, pytest.mark.slicer, pytest.mark.timeout(600)]

WORKSHOP = "plugin-lab"
PRINT_MS = 120_000


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A hub, an OctoPrint with the plugin, and the people: Ada designs, Ben orders, Cho runs it."""

    hub: RunningHub
    plugin: PluginServer
    chromium: Browser
    ada: Person
    ben: Person
    cho: Person


def test_a_printer_works_for_a_hub_by_the_plugin_alone(
    plugin: PluginServer, chromium: Browser, tmp_path: Path
) -> None:
    with hub_process(tmp_path / "hub", BEAT_S="1", POLL_S="1") as hub:
        ada, ben, cho = (hub.person(name) for name in ("ada", "ben", "cho"))
        lab = Lab(hub=hub, plugin=plugin, chromium=chromium, ada=ada, ben=ben, cho=cho)
        plugin.works_for(None)
        enrol(cho, WORKSHOP, near="Incheon, KR", octoprint=plugin.instance, folder=tmp_path)
        welcome_jo(plugin)
        offered(lab, tmp_path)
        with octoprint(lab) as page:
            enrolled(lab, page)
            jobs = ordered(lab, copies=3, folder=tmp_path)
            made_and_judged(page)
            left = [job for job in jobs if state(ben, job) != "done"]
            assert len(left) == 2
            clear(to_tab(page))
            second = killed_in_mid_print(lab, left)
        [third] = [job for job in left if job != second]
        with octoprint(lab, size=PHONE) as page:
            plugin.dies_at("after_intent")
            clear(to_tab(page))
            assert eventually(plugin.is_dead, limit_s=60)
        nothing_moved(lab, third)
        with octoprint(lab, size=PHONE) as page:
            clear(to_tab(page))
            judged_as_failed(lab, page, third)
            the_token_stays(lab, page)


def offered(lab: Lab, folder: Path) -> None:
    """What the hub offers for download is the plugin that is installed here."""
    wheel = put_plugin(folder)
    assert (
        f"{lab.hub.url}/downloads/{wheel.name}"
        in requests.get(f"{lab.hub.url}/downloads/", timeout=10).text
    )
    given = requests.get(f"{lab.hub.url}/downloads/{wheel.name}", timeout=10)
    assert given.content == wheel.read_bytes()


def enrolled(lab: Lab, page: Page) -> None:
    """Cho reads a code off the hub's page and types it into OctoPrint's settings."""
    page.locator("#navbar_show_settings").click()
    page.locator("#settings_plugin_designhub_link a").click()
    settings = page.locator("#settings_plugin_designhub")
    settings.get_by_label("Address of the hub").fill(lab.hub.url)
    settings.get_by_label("Code", exact=True).fill("WRNG-CDE2")
    picture(page, "enrol")
    settings.get_by_role("button", name="Connect", exact=True).click()
    expect(settings.get_by_role("status")).to_contain_text("no such code", timeout=20_000)
    settings.get_by_label("Code", exact=True).fill(code(lab))
    settings.get_by_role("button", name="Connect", exact=True).click()
    expect(settings.get_by_role("status")).to_contain_text("ender works for", timeout=20_000)
    expect(settings.locator("dl")).to_contain_text("connected", timeout=20_000)
    picture(page, "settings")
    page.locator("[data-test-id=settings-close-x]").click()


def made_and_judged(page: Page) -> None:
    """The bed is cleared, a job comes and is printed; a person looks, and says that it is good."""
    mine = to_tab(page)
    expect(mine).to_contain_text("press The bed is clear", timeout=20_000)
    picture(page, "bed")
    clear(mine)
    expect(mine).to_contain_text("Distance piece: Piece", timeout=PRINT_MS)
    expect(mine.get_by_role("progressbar")).to_be_visible()
    picture(page, "printing")
    good = mine.get_by_role("button", name="Looks good")
    expect(good).to_be_visible(timeout=PRINT_MS)
    picture(page, "look")
    good.click()
    expect(mine.get_by_role("status")).to_contain_text("noted: it is good", timeout=20_000)
    expect(mine).to_contain_text("The bed counts as not clear")  # the look and the bed are two


def clear(mine: Locator) -> None:
    """A person looked at the bed, and says so."""
    expect(mine).to_contain_text("The bed counts as not clear", timeout=30_000)
    mine.get_by_role("button", name="The bed is clear").click(timeout=30_000)


def killed_in_mid_print(lab: Lab, jobs: list[str]) -> str:
    """OctoPrint dies in the middle of one of these jobs: nobody is asked what became of it."""
    job = taken(lab.ben, jobs)
    lab.ben.until(job, lambda job: job.runs[-1].state == "printing")
    lab.plugin.farm.kill(0)
    lab.plugin.farm.start()
    failed = lab.ben.until(job, lambda job: job.state == "failed")
    assert "its own journal has the beginning and no end" in failed.runs[-1].cause
    assert len(starts(lab.plugin, failed)) == 1
    return job


def nothing_moved(lab: Lab, job: str) -> None:
    """OctoPrint died when it was about to start: the job waits again, and nobody is asked."""
    lab.plugin.farm.start()
    again = lab.ben.until(job, lambda job: job.state == "ready")
    assert starts(lab.plugin, again) == []


def judged_as_failed(lab: Lab, page: Page, job: str) -> None:
    """Printed, and not good: why, and whose fault. The name of who said it is kept."""
    mine = page.locator("#tab_plugin_designhub")
    lab.ben.until(job, lambda job: job.runs[-1].state == "printing")
    picture(page, "phone-printing")
    failing = mine.get_by_role("button", name="Failed …")
    expect(failing).to_be_visible(timeout=PRINT_MS)
    failing.click()
    expect(mine.get_by_role("button", name="Say that it failed")).to_be_disabled()
    mine.get_by_label("What went wrong?").select_option(label="Its layers shifted")
    mine.get_by_label("In your own words").fill("at half height")
    mine.get_by_label("The printer is at fault").check()
    picture(page, "phone-failed")
    assert too_wide(page) == 0
    mine.get_by_role("button", name="Say that it failed").click()
    expect(mine.get_by_role("status")).to_contain_text("noted: it failed", timeout=20_000)
    judged = lab.ben.api.ask(schema.Job, "GET", f"/jobs/{job}")
    assert (judged.state, judged.runs[-1].cause) == ("failed", "layers shifted: at half height")
    assert len(starts(lab.plugin, judged)) == 1
    assert "said at the printer by jo" in [each.note for each in judged.history]


def the_token_stays(lab: Lab, page: Page) -> None:
    """It is in no page of OctoPrint."""
    secret = json.loads((lab.plugin.data / "hub.json").read_text())["token"]
    assert secret.startswith("dha_")
    assert secret not in page.content()
    page.locator("#navbar_show_settings").click()
    page.locator("#settings_plugin_designhub_link a").click()
    expect(page.locator("#settings_plugin_designhub dl")).to_contain_text(WORKSHOP)
    picture(page, "phone-settings")
    assert secret not in page.content()


def ordered(lab: Lab, *, copies: int, folder: Path) -> list[str]:
    """A design of Ada's, and the jobs of Ben's order, sliced and waiting for the printer."""
    hub, ada, ben = lab.hub, lab.ada, lab.ben
    files = {"okh.toml": MANIFEST, "piece.stl": stl(box(12, 12, 6)), "README.md": b"# Piece\n"}
    commit = ada.push("plugin-piece", files, folder=folder)
    hub.measured(f"{ada.name}/plugin-piece", commit)
    order = ben.ask(
        *("order", f"{ada.name}/plugin-piece", "--near", "Incheon, KR", "--prefer", "soonest"),
        *("--layer-um", "200", "--by", "bicycle", "--copies", str(copies)),
    )
    for job in order["jobs"]:
        ben.until(job, lambda job: job.ready_at is not None)
    return list(order["jobs"])


def code(lab: Lab) -> str:
    """The code that Cho reads off the hub's page."""
    with tab(lab.chromium, lab.hub.url) as there:
        there.sign_in(lab.cho.name, PASSWORD)
        there.open(f"/workshops/{WORKSHOP}/connect")
        there.page.locator("main input[name=printers]").first.check()
        there.page.locator("main input[name=kind][value=plugin]").check()
        there.press("Make a code")
        there.says("In OctoPrint itself, by the plugin")
        there.picture("plugin-code-on-the-hub")
        return there.page.locator(".code-big").inner_text()


def welcome_jo(plugin: PluginServer) -> None:
    """Somebody with a password at this OctoPrint, for a browser has no key."""
    instance = plugin.instance
    jo = {"name": "jo", "password": PASSWORD, "active": True, "groups": ["admins", "users"]}
    requests.post(
        f"{instance.url}/api/access/users",
        json=jo,
        headers={"X-Api-Key": instance.api_key},
        timeout=10,
    ).raise_for_status()


@contextmanager
def octoprint(lab: Lab, *, size: tuple[int, int] = DESKTOP) -> Iterator[Page]:
    """A browser window in which somebody is signed in to OctoPrint."""
    phone = size == PHONE
    context = lab.chromium.new_context(
        viewport={"width": size[0], "height": size[1]},
        is_mobile=phone,
        has_touch=phone,
        locale="en-GB",
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    opened = Tab(page=page, base=lab.plugin.instance.url)
    try:
        opened.open("/")
        page.locator("#login-user").fill("jo")
        page.locator("#login-password").fill(PASSWORD)
        page.locator("#login-button").click()
        page.locator("#tabs").wait_for()
        yield page
    except Exception:
        picture(page, f"failed-{time.time():.0f}")
        raise
    finally:
        context.close()


def to_tab(page: Page) -> Locator:
    """The plugin's tab, opened."""
    page.locator("#tab_plugin_designhub_link a").click()
    mine = page.locator("#tab_plugin_designhub")
    mine.wait_for()
    return mine


def picture(page: Page, name: str) -> None:
    """Keep what it looks like, to be looked at after a run."""
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"plugin-{name}.png")


def too_wide(page: Page) -> int:
    """Pixels that the tab is wider than its place."""
    return int(
        page.evaluate(
            "(e => e.scrollWidth - e.clientWidth)(document.querySelector('#tab_plugin_designhub'))"
        )
    )


def taken(person: Person, jobs: list[str]) -> str:
    """The one of these jobs that the printer took up."""
    assert eventually(lambda: any(state(person, job) == "assigned" for job in jobs), limit_s=30)
    return next(job for job in jobs if state(person, job) == "assigned")


def state(person: Person, job: str) -> str:
    return person.api.ask(schema.Job, "GET", f"/jobs/{job}").state


def starts(plugin: PluginServer, job: schema.Job) -> list[str]:
    """The prints of a job that OctoPrint itself wrote down."""
    runs = {str(run.id) for run in job.runs}
    began = [line.path for line in plugin.farm.log(0) if line.event == "PrintStarted"]
    return [path for path in began if any(run in path for run in runs)]
