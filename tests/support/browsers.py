"""A real Chromium, in windows of the sizes that people have, and what a page must not do there."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
)
PHONE, DESKTOP = (390, 844), (1280, 900)
GRAVE = ("serious", "critical")
PICTURES = Path(__file__).parents[2] / ".screenshots"
"""Where the pictures of the pages are kept, to be looked at after a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One open page, and what went wrong behind the reader's back."""

    page: Page
    base: str
    script: bool = True
    faults: list[str] = field(default_factory=list)

    def open(self, path: str) -> int:
        """Go to a page of the hub; its status."""
        answer = self.page.goto(self.base + path)
        assert answer is not None, path
        return answer.status

    def press(self, name: str, *, nth: int = 0) -> None:
        """Press what is called so, button or link."""
        main = self.page.locator("main")
        found = main.get_by_role("button", name=name).or_(main.get_by_role("link", name=name))
        found.nth(nth).click()

    def fill(self, **fields: str) -> None:
        """Type into fields by their names."""
        for name, text in fields.items():
            self.page.locator(f"main [name={name}]").first.fill(text)

    def says(self, text: str, *, within_s: float = 20.0) -> None:
        """Wait until the page says this."""
        self.page.get_by_text(text).first.wait_for(timeout=within_s * 1_000)

    def until(self, text: str, *, within_s: float = 30.0) -> None:
        """Wait until the page says this, looking again as a person without script does."""
        end = time.monotonic() + within_s
        while not self.page.get_by_text(text).first.is_visible():
            assert time.monotonic() < end, f"{text!r} never stood on {self.page.url}"
            self.page.wait_for_timeout(500)
            if not self.script:
                self.page.reload()

    def sign_up(self, name: str, password: str) -> None:
        """Make an account by the page."""
        self.open("/sign-up")
        self.fill(name=name, password=password)
        self.page.locator("main form").first.locator("button").last.click()
        self.page.locator("header .menu summary", has_text=name).wait_for()

    def sign_in(self, name: str, password: str) -> None:
        """Sign in by the page."""
        self.open("/sign-in")
        self.fill(name=name, password=password)
        self.page.locator("main form").first.locator("button").last.click()
        self.page.locator("header .menu summary", has_text=name).wait_for()

    def picture(self, name: str) -> None:
        """Keep what the page looks like."""
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def too_wide(self) -> int:
        """Pixels that the page is wider than its window."""
        return int(
            self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    def cut_off(self) -> list[str]:
        """The words of buttons and badges that do not show all of themselves."""
        found: list[str] = self.page.evaluate(
            """[...document.querySelectorAll("main :is(button, .button, .badge, .tabs, summary)")]
            .filter(each => !each.hasAttribute("aria-hidden"))
            .filter(each => each.clientWidth > 1 && each.scrollWidth > each.clientWidth + 1)
            .map(each => each.innerText)"""
        )
        return found

    def barriers(self) -> list[str]:
        """What keeps people out, by axe-core: serious and critical only."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {node['html'][:160]} ({node.get('failureSummary', '')[:160]})"
            for each in found
            if each["impact"] in GRAVE
            for node in each["nodes"]
        ]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the whole run; every tab has cookies of its own."""
    if not CHROMIUM.is_file():
        pytest.fail(f"{CHROMIUM} is missing: apt-get install chromium", False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def tab(
    browser: Browser,
    base: str,
    *,
    size: tuple[int, int] = DESKTOP,
    dark: bool = False,
    script: bool = True,
    language: str = "en-GB",
) -> Iterator[Tab]:
    """A tab with cookies of its own. At its end nothing may have gone wrong behind the page."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        has_touch=size == PHONE,
        java_script_enabled=script,
        locale=language,
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(20_000)
    opened = Tab(page=context.new_page(), base=base, script=script)

    def spoke(message: ConsoleMessage) -> None:
        # The browser itself reports a page's own 4xx as an error.
        if message.type == "error" and "Failed to load resource" not in message.text:
            opened.faults.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        if not re.match(rf"{re.escape(base)}/|data:|blob:", request.url):
            opened.faults.append(f"a foreign host was asked: {request.url}")

    opened.page.on("console", spoke)
    opened.page.on("pageerror", lambda error: opened.faults.append(f"script: {error}"))
    opened.page.on("request", asked)
    try:
        yield opened
        assert not opened.faults, opened.faults
    except Exception:
        opened.picture(f"failed-at-{re.sub('[^a-z0-9]+', '-', opened.page.url.lower())}")
        raise
    finally:
        context.close()
