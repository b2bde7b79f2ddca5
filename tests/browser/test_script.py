"""What script adds to the pages, in a real browser."""

import math
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from designhub.api import schema
from tests.support.browsers import Tab, tab
from tests.support.hub_process import PASSWORD, Person, RunningHub
from tests.support.solids import box, stl

EDGE_MM = 20
MANIFEST = b"""\
okhv = "2.4"
name = "Measuring cube"
license = "CERN-OHL-S-2.0"
licensor = "Ada"
function = "Is twenty millimetres long, wide and high."
version = "1.0.0"

[[part]]
name = "Cube"
export = "cube.stl"
"""


@pytest.fixture(scope="module")
def owner(running_hub: RunningHub, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """Somebody with one measured design."""
    person = running_hub.person("script-owner")
    files = {"okh.toml": MANIFEST, "cube.stl": stl(box(EDGE_MM, EDGE_MM, EDGE_MM))}
    commit = person.push("measuring-cube", files, folder=tmp_path_factory.mktemp("cube"))
    running_hub.measured("script-owner/measuring-cube", commit)
    return person


@pytest.fixture
def anybody(chromium: Browser, running_hub: RunningHub) -> Iterator[Tab]:
    """A tab of somebody without an account."""
    with tab(chromium, running_hub.url) as opened:
        yield opened


@pytest.fixture
def inside(chromium: Browser, running_hub: RunningHub, owner: Person) -> Iterator[Tab]:
    """A tab in which the owner is signed in."""
    with tab(chromium, running_hub.url) as opened:
        opened.sign_in(owner.name, PASSWORD)
        yield opened


def test_a_part_is_turned_and_measured(owner: Person, anybody: Tab) -> None:
    page = anybody.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    anybody.open(f"/{owner.name}/measuring-cube")
    assert not [url for url in asked if "viewer-" in url or url.endswith(".glb")]
    anybody.press("Turn and measure it in 3D")
    page.locator(".viewer-stage canvas").wait_for()
    page.wait_for_function("!document.querySelector('.viewer-stage').hasAttribute('aria-busy')")
    page.get_by_role("button", name="Measure", exact=True).click()
    page.locator(".viewer-stage").scroll_into_view_if_needed()
    for x in (0, EDGE_MM):
        seen = page.evaluate(
            "([x, y, z]) => document.querySelector('[data-viewer]').viewer.seen(x, y, z)",
            [x, 0, EDGE_MM],
        )
        page.mouse.click(seen["x"], seen["y"])
    expect(page.locator(".viewer-said")).to_have_text(re.compile(r"\d mm"))
    said = page.locator(".viewer-said").inner_text()
    length = re.search(r"([\d.]+)\s*mm", said)
    assert length is not None, said
    assert math.isclose(float(length[1]), EDGE_MM, abs_tol=0.2), said


def test_the_viewer_lays_a_part_on_the_side_that_is_chosen(owner: Person, anybody: Tab) -> None:
    """In the viewer, beside its picture and in the caption; also what looks straight up."""
    page = anybody.page
    anybody.open(f"/{owner.name}/measuring-cube")
    anybody.press("Make it near me")
    page.get_by_text("How it is printed").click()
    anybody.press("Turn and measure it in 3D")
    page.wait_for_function("document.querySelector('.viewer-stage:not([aria-busy]) canvas')")
    page.wait_for_function("document.querySelector('#viewer').viewer?.model")
    ways = page.locator("[data-down]:not(#viewer)")
    assert ways.count() == 7
    for way in reversed(ways.all()):  # the first is chosen already
        way.check()
        x, y, z = (float(each) for each in str(way.get_attribute("data-down")).split())
        turned = page.evaluate(
            """([x, y, z]) => {
              const { position, quaternion } = document.querySelector("#viewer").viewer.model;
              return position.clone().set(x, z, -y).applyQuaternion(quaternion).toArray();
            }""",
            [x, y, z],
        )
        assert turned == pytest.approx([0, -1, 0], abs=1e-3), way.get_attribute("value")
        lies = str(way.get_attribute("value"))
        assert f"pose-{lies}" in str(page.locator("#viewer img").get_attribute("class"))
    expect(page.locator("figcaption")).to_have_text(re.compile("As it was modelled: .*overhang"))


def test_a_map_is_drawn_and_a_point_on_it_is_the_place(owner: Person, inside: Tab) -> None:
    page = inside.page
    open_workshop(owner, "map-lab")
    inside.open("/workshops")
    expect(page.locator(".map-place").first).to_be_visible()
    assert drawn(page)
    inside.open("/workshops/new")
    sheet = page.locator(".map-sheet")
    sheet.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.map canvas')?.width > 0")
    sheet.click(position={"x": 120, "y": 120})
    place = page.locator("[name=place]")
    expect(place).to_have_value(re.compile(r"^-?\d+(\.\d+)?, -?\d+(\.\d+)?$"))
    by_mouse = place.input_value()
    sheet.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(place).not_to_have_value(by_mouse)


def test_the_place_is_asked_of_the_browser(inside: Tab) -> None:
    page = inside.page
    inside.open("/workshops/new")
    page.context.clear_permissions()
    page.get_by_role("button", name="Where I am now").click()
    expect(page.locator(".here-said")).to_contain_text("may not tell where you are")
    expect(page.locator("[name=place]")).to_have_value("")
    page.context.grant_permissions(["geolocation"])
    page.context.set_geolocation({"latitude": 48.39841, "longitude": 9.99155})
    page.get_by_role("button", name="Where I am now").click()
    expect(page.locator("[name=place]")).to_have_value("48.398, 9.992")


def test_a_press_is_sent_once_and_a_question_is_asked_before(inside: Tab) -> None:
    page = inside.page
    sent: list[str] = []

    def slowly(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(route.request.url.removeprefix(inside.base))
        route.continue_()

    page.route("**/me/tokens**", slowly)
    inside.open("/me/tokens")
    inside.fill(name="script")
    # Both presses are made before the browser can leave the page.
    page.evaluate(
        """() => {
          const make = document.querySelector('form[action="/me/tokens"] .acts button');
          make.click();
          make.click();
        }"""
    )
    inside.says("This is the token script.")
    assert sent == ["/me/tokens"]

    revoke = page.get_by_role("article").filter(has_text="script").get_by_role("button")
    dialog = page.get_by_role("dialog")
    revoke.click()
    expect(dialog).to_contain_text("Revoke this token?")
    page.keyboard.press("Enter")  # the way back has the focus
    expect(dialog).to_have_count(0)
    revoke.click()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert sent == ["/me/tokens"]
    revoke.click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("article").filter(has_text="script")).to_have_count(0)
    assert len(sent) == 2


def test_a_board_follows_what_happens(owner: Person, inside: Tab) -> None:
    page = inside.page
    open_workshop(owner, "live-lab")
    with page.expect_response("**/workshops/live-lab/events") as stream:
        inside.open("/workshops/live-lab")
    assert stream.value.status == 200
    # A reader's own doing outlives the change.
    page.evaluate("document.querySelector('#board').mine = true")
    add_printer(owner, "live-lab")
    expect(page.locator("#board article#ender")).to_be_visible()
    assert page.evaluate("document.querySelector('#board').mine")


def test_a_board_without_a_stream_asks_now_and_then(owner: Person, inside: Tab) -> None:
    page = inside.page
    open_workshop(owner, "poll-lab")
    page.route("**/workshops/poll-lab/events", lambda route: route.fulfill(status=503))
    with page.expect_response("**/workshops/poll-lab/events"):
        inside.open("/workshops/poll-lab")
    add_printer(owner, "poll-lab")
    expect(page.locator("#board article#ender")).to_be_visible(timeout=10_000)


def test_designs_are_found_while_typing(owner: Person, anybody: Tab) -> None:
    page = anybody.page
    anybody.open("/")
    search = page.locator("main [name=q]")
    search.press_sequentially("measuring")
    expect(page.locator("#found")).to_contain_text("Measuring cube")
    search.fill("nothing-is-called-so")
    expect(page.locator("#found")).not_to_contain_text("Measuring cube")
    assert page.url == f"{anybody.base}/"


def test_a_command_is_copied(anybody: Tab) -> None:
    page = anybody.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    anybody.open("/style")
    button = page.locator("[data-copy]").first
    text = button.get_attribute("data-copy")
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == text
    expect(button).to_have_text("Copy")


def open_workshop(owner: Person, name: str) -> None:
    """A workshop of the owner's, without a printer."""
    asked = schema.WorkshopAsk(name=name, place="Ulm, DE")
    owner.api.ask(schema.Workshop, "POST", "/workshops", asked)


def add_printer(owner: Person, workshop: str) -> None:
    """A printer called `ender` in it."""
    asked = schema.PrinterAsk(name="ender", common="ender3")
    owner.api.ask(schema.Printer, "POST", f"/workshops/{workshop}/printers", asked)


def drawn(page: Page) -> bool:
    """Whether the canvas of the map has more than one colour: land, sea, borders."""
    return bool(
        page.evaluate(
            """() => {
              const canvas = document.querySelector(".map canvas");
              const { width, height } = canvas;
              const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
              return new Set(new Uint32Array(data.buffer)).size > 1;
            }"""
        )
    )
