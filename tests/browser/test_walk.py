"""Every page in a real browser: on a phone and at a desk, light and dark. Nobody is kept out by it,
nothing is wider than its window, no other host is asked; its pictures are kept to be looked at."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from flask import Flask
from playwright.sync_api import Browser

from designhub.app import create_app
from tests.browser.world import WORKSHOP, World, world
from tests.support.browsers import DESKTOP, PHONE, Tab, tab
from tests.support.hubs import PASSWORD, Client
from tests.support.statements import counted

MOST_STATEMENTS = 12
DESIGN = "ada/hinge-box"
PAGE = {"Accept": "text/html"}
"""Who asks so is refused with a page, as a browser is."""
ELSEWHERE = {
    "/language/<code>",
    "/confirm",
    "/map/places",
    "/static/built/<name>",
    "/static/words/<code>.json",
    "/jobs/<uuid:job_id>/runs/<uuid:run_id>/provenance.json",  # test_provenance
    "/jobs/<uuid:job_id>/runs/<uuid:run_id>/photo.jpg",  # test_photos
    "/workshops/<slug>/connect/<uuid:enrolment_id>",  # test_stories
}
"""Not pages that an address alone opens; each has a test of its own."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all walks; nobody changes anything in it."""
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@dataclass
class Walk:
    """Somebody who opens pages, and all that is wrong with them."""

    tab: Tab
    who: str
    faults: list[str] = field(default_factory=list)

    def glance(self, path: str, name: str) -> None:
        """Look at one page on a small phone only: is anything cut off?"""
        answer = self.tab.page.request.get(self.tab.base + path, headers=PAGE)
        if not answer.text().startswith("<!doctype html>"):
            return
        self.tab.open(path)
        self.tab.picture(name)
        self.tab.page.set_viewport_size({"width": 360, "height": 740})
        if wide := self.tab.too_wide():
            self.faults.append(f"{path} is {wide} px wider than a phone of 360 px")
        self.faults += [f"{path} cuts off: {words}" for words in self.tab.cut_off()]
        self.tab.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})

    def visit(self, path: str, name: str, *, status: int = 200) -> None:
        """Look at one page four ways; a file is only fetched."""
        answer = self.tab.page.request.get(self.tab.base + path, headers=PAGE)
        if answer.status != status:
            self.faults.append(f"{path} for {self.who}: {answer.status}")
            return
        if not answer.text().startswith("<!doctype html>"):  # a file, or a piece for the script
            return
        self.tab.open(path)
        for scheme in ("light", "dark"):
            self.tab.page.emulate_media(color_scheme=scheme)
            self.faults += [f"{path} {scheme}: {fault}" for fault in self.tab.barriers()]
            for label, (width, height) in (("desktop", DESKTOP), ("phone", PHONE)):
                self.tab.page.set_viewport_size({"width": width, "height": height})
                self.tab.picture(f"{name}-{label}-{scheme}")
        self.tab.page.set_viewport_size({"width": 360, "height": 740})
        if wide := self.tab.too_wide():
            self.faults.append(f"{path} is {wide} px wider than a phone of 360 px")
        self.faults += [f"{path} cuts off: {words}" for words in self.tab.cut_off()]


@pytest.fixture(scope="module")
def app(here: World) -> Flask:
    """The same hub in this process: what pages it has, and what they ask its database."""
    return create_app(here.hub.settings, hub=here.hub)


def addresses(place: World, app: Flask) -> dict[str, tuple[str, list[str]]]:
    """For every page of the hub who opens it and where, by its rule. A new page must be said here,
    or its rule be made of names that are known."""
    known = {
        "<owner>": "ada",
        "<slug>": "hinge-box",
        "<workshop>": WORKSHOP,
        "<name>": "ada",
        "<version>": "main",
        "<path:path>": "README.md",
        "<int:part_id>": str(place.part),
        "<uuid:printer_id>": str(place.printer),
        "<uuid:order_id>": str(place.order),
        "<uuid:quote_id>": str(place.quote),
        "<int:seq>": "3",
    }
    jobs = {state: f"/jobs/{job}" for state, job in place.jobs.items()}
    special = {
        "/jobs/<uuid:job_id>": ("max", list(jobs.values())),
        "/workshops/<slug>": ("ada", [f"/workshops/{WORKSHOP}"]),
        "/<owner>/<slug>": ("ada", [f"/{DESIGN}", "/ada/hose-coupling"]),
        "/make": ("max", [f"/make?{place.kit}", f"/make?{place.kit}&place=Oslo"]),
        "/make/<int:part_id>": ("max", [f"/make/{place.part}", f"/make/{place.part}?place=Oslo"]),
        "/orders/<uuid:order_id>": (
            "max",
            [f"/orders/{each}" for each in (place.order, place.kit_order)],
        ),
        "/quotes/<uuid:quote_id>": (
            "max",
            [f"/quotes/{each}" for each in (place.quote, place.kit_quote)],
        ),
    }
    found: dict[str, tuple[str, list[str]]] = {}
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("web.") or "GET" not in (rule.methods or ()):
            continue
        if rule.rule in ELSEWHERE or rule.rule.endswith("/events"):  # streams: test_live
            continue
        if rule.rule in special:
            found[rule.rule] = special[rule.rule]
            continue
        path = rule.rule
        if path.startswith("/workshops/"):
            path = path.replace("<slug>", WORKSHOP)
        for name, value in known.items():
            path = path.replace(name, value)
        assert "<" not in path, f"say in this table where {rule.rule} is opened"
        found[rule.rule] = (_who(path), [path])
    return found


def _who(path: str) -> str:
    """Whose page it is."""
    if path.startswith(("/orders", "/quotes", "/make")):
        return "max"
    if path == "/me/invitations" or path.endswith("/attach"):
        return "warden"
    if path.startswith(("/me", "/designs/new", f"/{DESIGN}", "/workshops", "/printers")):
        return "ada"
    return "visitor"


def named(path: str, place: World) -> str:
    """What a page's pictures are called; numbers that differ from run to run are left out."""
    path = path.replace(str(place.kit_order), "kit").replace(str(place.kit_quote), "kit")
    path = re.sub(r"copies-[0-9]+=[0-9]+&?", "", path)
    for state, job in place.jobs.items():
        path = path.replace(str(job), state)
    path = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", path)
    return re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "home"


def test_every_page_asks_the_database_little(here: World, app: Flask) -> None:
    clients: dict[str, Client] = {}
    for who in ("visitor", "max", "ada", "warden"):
        clients[who] = Client(app.test_client())
        if who != "visitor":
            clients[who].form("/sign-in", name=who, password=PASSWORD)
    many = {}
    for who, paths in addresses(here, app).values():
        for path in paths:
            with counted(here.hub.database) as statements:
                clients[who].get(path)
            if len(statements) > MOST_STATEMENTS:
                many[path] = len(statements)
    assert not many


def test_every_page(here: World, app: Flask, chromium: Browser) -> None:
    with ExitStack() as open_tabs:
        walks: dict[str, Walk] = {}
        for rule, (who, paths) in addresses(here, app).items():
            if who not in walks:
                opened = open_tabs.enter_context(tab(chromium, here.running.url))
                if who != "visitor":
                    opened.sign_in(who, PASSWORD)
                walks[who] = Walk(opened, who)
            for path in paths:
                walks[who].visit(path, named(path, here))
                if opened_faults := walks[who].tab.faults:
                    walks[who].faults.append(f"{rule}: {opened_faults}")
                    opened_faults.clear()
        faults = [fault for walk in walks.values() for fault in walk.faults]
    assert not faults, "\n".join(faults)


def test_every_page_in_german_fits_a_phone(here: World, app: Flask, chromium: Browser) -> None:
    """Its words are longer."""
    with ExitStack() as open_tabs:
        walks: dict[str, Walk] = {}
        for who, paths in addresses(here, app).values():
            if who not in walks:
                opened = tab(chromium, here.running.url, size=PHONE, language="de-DE")
                walks[who] = Walk(open_tabs.enter_context(opened), who)
                if who != "visitor":
                    walks[who].tab.sign_in(who, PASSWORD)
            for path in paths:
                walks[who].glance(path, f"german-{named(path, here)}")
        faults = [fault for walk in walks.values() for fault in walk.faults]
    assert not faults, "\n".join(faults)


def test_every_refusal(here: World, chromium: Browser) -> None:
    """What stands there when a page may not be seen, or is not there."""
    with (
        tab(chromium, here.running.url) as visitor,
        tab(chromium, here.running.url) as other,
    ):
        other.sign_in("max", PASSWORD)
        walks = Walk(visitor, "visitor"), Walk(other, "max")
        walks[0].visit("/nobody/nothing", "refused-404", status=404)
        walks[1].visit(f"/printers/{here.printer}/bed-clear", "refused-405", status=405)
        walks[1].visit(f"/workshops/{WORKSHOP}/edit", "refused-403", status=403)
        walks[1].visit("/me/invitations", "refused-operator", status=403)
        faults = [fault for walk in walks for fault in walk.faults]
    assert not faults, "\n".join(faults)
