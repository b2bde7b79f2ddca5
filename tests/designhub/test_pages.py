"""What the plain pages show, without any script, and that many rows cost what few do."""

import gzip
import json
import re
import subprocess
import sys
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from basis import clock
from designhub.auth import Scope
from designhub.web import book as book_page
from designhub.web.job_words import JOBS
from designs.models import DesignRow, MeshRow, PartRow, RefRow, VersionRow
from designs.publishing import analyse_version
from designs.versions import read_refs
from printers.models import PrinterRow, WorkshopRow
from printers.offer import Mode
from printers.protocol import ReportEvent
from router import lease
from router.states import Job
from tests.support import builders, solids
from tests.support.builders import NOW, Shop
from tests.support.git_server import Work
from tests.support.hubs import OpenHub
from tests.support.statements import counted

TOP = Path(__file__).parents[2]
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
OWN = "http://localhost"
"""The hub's own address in these tests, which stands before what is shown elsewhere."""
MOST_STATEMENTS = 12


class Shape(HTMLParser):
    """What a page is made of: open tags must close, every field has a label, ids are unique."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.labelled: set[str] = set()
        self.unlabelled: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and what it lacks."""
        given = dict(attrs)
        self.tags.append((tag, given))
        if "id" in given:
            self.ids.append(str(given["id"]))
        if tag == "label" and given.get("for"):
            self.labelled.add(str(given["for"]))
        field = tag in ("input", "select", "textarea") and given.get("type") != "hidden"
        if field and "label" not in self.open:
            self.unlabelled.append(str(given.get("id")))
        if tag == "img" and "alt" not in given:
            self.faults.append(f"no alt: {given}")
        data = tag == "script" and given == {"type": "application/ld+json"}
        ours = tag == "script" and str(given.get("src")).startswith("/static/built/hub-")
        foreign = tag in ("script", "style", "iframe", "object") and not (data or ours)
        if foreign or "style" in given:
            self.faults.append(f"<{tag}> with {given}")
        if any(name.startswith("on") for name in given):
            self.faults.append(f"<{tag}> with a script")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> in {'/'.join(self.open)}")
        else:
            self.open.pop()


def check_shape(text: str, where: str) -> Shape:
    """Raises AssertionError for a page that is not well made, or asks for something foreign."""
    shape = Shape()
    shape.feed(text)
    assert not shape.faults and not shape.open, (where, shape.faults, shape.open)
    assert set(shape.unlabelled) <= shape.labelled, (where, shape.unlabelled)
    assert len(shape.ids) == len(set(shape.ids)), (where, shape.ids)
    for tag, given in shape.tags:
        for name in ("src", "href", "action"):
            address = (given.get(name) or "").removeprefix(f"{OWN}/")
            assert not re.match(r"[a-z]+:|//", address), (where, tag, address)
    forms = [given for tag, given in shape.tags if tag == "form" and given.get("method") == "post"]
    tokens = [given for _, given in shape.tags if given.get("name") == "csrf"]
    assert len(forms) == len(tokens), where
    assert sum(tag == "h1" for tag, _ in shape.tags) == 1, where
    return shape


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    """The world of these tests, with a branch that names the version."""
    made = hub.shop()
    with hub.hub.database.writing() as session:
        version = session.get_one(VersionRow, version_of(made))
        ref = RefRow(
            design_id=version.design_id,
            ref="refs/heads/main",
            version_id=version.id,
            updated_at=NOW,
        )
        session.add(ref)
    return made


def version_of(shop: Shop) -> int:
    """The only version of the shop's design."""
    return shop.part.part_id  # made together, one of each


def addresses(hub: OpenHub, shop: Shop, job: object) -> dict[str, str]:
    """Every page of a small world, by its name."""
    with hub.hub.database.reading() as session:
        slug = session.scalars(select(DesignRow.slug)).first()
        workshop = session.scalars(select(WorkshopRow.slug)).first()
        order = session.connection().exec_driver_sql("SELECT id FROM customer_order").scalar()
    return {
        "home": "/",
        "search": "/designs?q=design&fits=200x200x200&licence=CC0-1.0",
        "found nothing": "/designs?q=x+nothing+at+all",
        "designs": "/designs?sort=name",
        "design": f"/owner/{slug}",
        "make": f"/make/{shop.part.part_id}",
        "orders": "/orders",
        "order": f"/orders/{order}",
        "job": f"/jobs/{job}",
        "workshops": "/workshops",
        "workshop": f"/workshops/{workshop}",
        "book": "/book",
        "about": "/about",
        "api": "/docs/api",
        "book, one name": f"/book?about=workshop:{shop.workshop}",
        "balances": "/book/balances",
        "check": "/book/check",
        "entry": "/book/entries/2",
        "order in the book": f"/book/orders/{UUID(str(order))}",
        "errors": "/docs/errors",
        "sign-in": "/sign-in",
        "sign-up": "/sign-up",
        "nothing": "/nobody/nothing",
    }


def test_every_page_is_well_made_and_asks_for_nothing_foreign(hub: OpenHub, shop: Shop) -> None:
    job = hub.ordered(shop)[0]
    for who in (None, "maker", "owner"):
        client = hub.client(who)
        for name, path in addresses(hub, shop, job).items():
            answer = client.get(path)
            if answer.status_code in (302, 404) and name != "nothing":
                continue
            check_shape(answer.text, f"{name} for {who}")
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert answer.headers["Cache-Control"] == "private, no-cache" or name == "nothing"
        quotes = client.get(f"/make/{shop.part.part_id}?place=Oslo&copies=2")
        check_shape(quotes.text, f"quotes for {who}")


def test_nothing_said_by_people_becomes_markup(hub: OpenHub, shop: Shop) -> None:
    job = hub.ordered(shop)[0]
    with hub.hub.database.writing() as session:
        fault = {
            "code": "x",
            "key": EVIL,
            "line": 1,
            "severity": "error",
            "text": EVIL,
            "fix": EVIL,
        }
        session.execute(update(DesignRow).values(title=EVIL, description=EVIL))
        session.execute(
            update(VersionRow).values(
                author=EVIL, manifest={"faults": [fault], "licence": {"raw": EVIL, "why": EVIL}}
            )
        )
        session.execute(update(PartRow).values(name=EVIL, path=EVIL))
        session.execute(update(WorkshopRow).values(title=EVIL, place=EVIL))
        session.execute(update(PrinterRow).values(machine_state=EVIL[:60]))
    for who in ("maker", "owner"):
        client = hub.client(who)
        for name, path in addresses(hub, shop, job).items():
            answer = client.get(path)
            assert "<script>" not in answer.text and "<img src=x" not in answer.text, name
            if answer.status_code != 302:
                check_shape(answer.text, name)
        wish = {"place": EVIL, "colour": EVIL}
        answer = client.get(f"/make/{shop.part.part_id}", query_string=wish)
        assert answer.status_code == 404 and "<script>" not in answer.text
    search = hub.client().get("/designs", query_string={"q": EVIL})
    assert "<script>" not in search.text and "&lt;script&gt;" in search.text


def test_pages_cost_few_statements_whatever_the_number_of_rows(hub: OpenHub, shop: Shop) -> None:
    """Measured with one of each, and again with dozens: the same, and at most twelve."""

    def costs() -> dict[str, int]:
        clients = {who: hub.client(who) for who in ("maker", "owner")}
        found = {}
        for name, path in addresses(hub, shop, job).items():
            for who, client in clients.items():
                with counted(hub.hub.database) as statements:
                    client.get(path)
                found[f"{name} for {who}"] = len(statements)
                assert len(statements) <= MOST_STATEMENTS, (name, who, statements)
        with counted(hub.hub.database) as statements:
            answer = clients["maker"].get(f"/make/{shop.part.part_id}?place=Oslo")
        assert answer.status_code == 200
        found["quotes"] = len(statements)
        assert len(statements) <= MOST_STATEMENTS, statements
        return found

    job = hub.ordered(shop)[0]
    hub.client("maker").get(f"/make/{shop.part.part_id}?place=Oslo")  # fills the index
    before = costs()
    with hub.hub.database.writing() as session:
        place = session.get_one(WorkshopRow, shop.workshop)
        for number in range(30):
            builders.part(session, shop.owner)
            machine = builders.printer(session, place, seen=clock.now())
            builders.spool(session, machine, by=shop.owner)
            other = builders.workshop(session, builders.account(session))
            builders.printer(session, other, seen=clock.now())
            session.add(
                RefRow(
                    design_id=shop.part.design_id,
                    ref=f"refs/tags/v{number}",
                    version_id=version_of(shop),
                    updated_at=NOW,
                )
            )
    for _ in range(12):
        hub.ordered(shop)
    after = costs()
    assert all(after[name] <= before[name] + 1 for name in before), (before, after)


def test_a_visitor_finds_a_design_and_asks_for_quotes(hub: OpenHub, shop: Shop) -> None:
    client = hub.client()
    home = client.get("/").text
    path = re.findall(r'href="(/owner/[^"]+)"', home)[0]
    page = client.get(path).text
    for said in ("20 × 20 × 20 mm", "8.0 cm³", "12 triangles", "1 body", "Licence"):
        assert said in page.replace("\u00a0", " "), said
    assert "git clone http://localhost" + path + ".git" in page
    assert client.get(path + ".git").location == path
    make = re.findall(r'href="(/make/\d+)"', page)[0]
    assert "Ask the workshops" in client.get(make).text


def printed(hub: OpenHub, shop: Shop, job: object, *, until: str = "finished") -> str:
    """Let the agent print a job by the API; gives the run."""
    agent, client = hub.agent_token(shop.agent), hub.app.test_client()

    def say(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(f"/api/v1/{path}", json=body, headers=agent)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    state = {"printer": str(shop.printer), "ready": True, "text": "Operational"}
    work = say("agents/me/ask", {"printers": [state]})["work"][0]
    assert work["job"] == str(job)
    run, fence = work["run"], work["fence"]
    say(f"runs/{run}/permit", {"fence": fence, "sha256": work["sha256"]})
    beat = {"fence": fence, "printing": True, "progress_ppm": 425_000, "seconds_left": 310}
    beat |= {"nozzle_c": 214, "nozzle_target_c": 215, "bed_c": 60, "layer": 12, "layers": 140}
    say(f"runs/{run}/beat", beat)
    if until == "finished":
        say(f"runs/{run}/report", {"fence": fence, "event": "finished", "print_s": 540})
    return str(run)


def test_a_job_is_followed_judged_and_handed_over(hub: OpenHub, shop: Shop) -> None:
    with hub.hub.database.reading() as session:
        title = session.scalars(select(DesignRow.title)).one()
    job = hub.ordered(shop, modes=frozenset({Mode.PARCEL}))[0]
    maker, owner = hub.client("maker"), hub.client("owner")
    assert "Ready: it waits for its printer." in maker.get(f"/jobs/{job}").text
    printed(hub, shop, job, until="printing")
    page = maker.get(f"/jobs/{job}").text.replace("\u00a0", " ")
    assert "Printing." in page and "42 % of the file" in page and "5 min left" in page
    for read in ("layer 12 of 140", "nozzle 214 of 215 °C", "bed 60 °C"):
        assert read in page
    assert 'http-equiv="refresh"' in page and "Stop the print and cancel" in page
    queue = owner.get(f"/workshops/{workshop_of(hub, shop)}").text
    assert f"/jobs/{job}" in queue and title in queue and "layer 12 of 140" in queue
    assert "the bed is clear" not in queue
    early = owner.form(f"/printers/{shop.printer}/bed-clear")
    assert early.status_code == 409 and "wait for its end" in early.text
    agent, client = hub.agent_token(shop.agent), hub.app.test_client()
    run = json.loads(client.get(f"/api/v1/jobs/{job}", headers=hub.token(shop.maker)).text)["runs"][
        0
    ]
    body = {"fence": run["fence"], "event": "finished", "print_s": 540}
    client.post(f"/api/v1/runs/{run['id']}/report", json=body, headers=agent)
    page = owner.get(f"/jobs/{job}").text
    assert "a person must look" in page and "It failed" in page
    assert 'http-equiv="refresh"' not in page and "It looks good" in page
    assert "It looks good" not in maker.get(f"/jobs/{job}").text
    assert owner.form(f"/jobs/{job}/passed").location == f"/jobs/{job}"
    assert "waits to be handed over" in maker.get(f"/jobs/{job}").text
    assert maker.form(f"/jobs/{job}/received").status_code == 303
    page = maker.get(f"/jobs/{job}").text
    assert "Done: it is made and good." in page and "(the workshop)" in page and "(you)" in page
    assert "(the agent)" in page
    assert "The maker has it</button>" not in page
    book = hub.client().get("/book").text
    assert "were paid" in book and "printed a part" in book


def test_a_failed_part_says_why_and_is_tried_again(hub: OpenHub, shop: Shop) -> None:
    job = hub.ordered(shop)[0]
    printed(hub, shop, job)
    owner = hub.client("owner")
    empty = owner.form(f"/jobs/{job}/failed", cause="  ")
    assert empty.status_code == 422 and "what was wrong" in empty.text
    said = {"cause": "<b>warped</b>", "printer_at_fault": "on", "again": "on"}
    assert owner.form(f"/jobs/{job}/failed", said).status_code == 303
    page = owner.get(f"/jobs/{job}").text
    assert "&lt;b&gt;warped&lt;/b&gt;" in page and "At fault: the printer." in page
    assert str(JOBS[Job.READY]) in page
    with hub.hub.database.reading() as session:
        assert session.get_one(PrinterRow, shop.printer).failed == 1


def workshop_of(hub: OpenHub, shop: Shop) -> str:
    """The workshop's name in its address."""
    with hub.hub.database.reading() as session:
        return session.get_one(WorkshopRow, shop.workshop).slug


def test_a_workshop_says_what_is_true_of_its_printer(hub: OpenHub, shop: Shop) -> None:
    owner, printer = hub.client("owner"), f"/printers/{shop.printer}"
    path = f"/workshops/{workshop_of(hub, shop)}"
    assert owner.form(f"{printer}/duty", duty="paused").location.startswith(path)
    assert "Takes no new work now" in hub.client().get(path).text
    refused = hub.client().get(f"/make/{shop.part.part_id}?place=Oslo").text
    assert "it is paused" in refused
    owner.form(f"{printer}/duty", duty="open")
    spool = {"material": "PETG", "colour": "red", "grams": "750,5", "price": "31.90", "slot": "1"}
    assert owner.form(f"{printer}/spools", spool).status_code == 303
    page = hub.client().get(path).text.replace("\u00a0", " ")
    assert "PETG red" in page and "PLA black" in page
    assert "PETG red, 750.5 g left" in owner.get(path).text.replace("\u00a0", " ")
    for field, value in (("grams", "many"), ("price", "-1"), ("slot", "x"), ("material", "wood")):
        answer = owner.form(f"{printer}/spools", spool | {field: value})
        assert answer.status_code == 422, field
        assert owner.get(path).text.replace("\u00a0", " ").count("PETG red, ") == 1
    job = hub.ordered(shop)[0]
    printed(hub, shop, job)
    assert f"{printer}/bed-clear" in owner.get(path).text
    assert owner.form(f"{printer}/bed-clear").status_code == 303
    assert f"{printer}/bed-clear" not in owner.get(path).text


def test_the_bed_waits_for_a_permit_that_is_out(hub: OpenHub, shop: Shop) -> None:
    """The agent fell silent, a person gave the run up: it may begin all the same."""
    (job,), now = hub.ordered(shop), clock.now()
    silent = now - timedelta(seconds=builders.LEASE_S + 1)
    with hub.hub.database.writing() as session:
        run = builders.take(session, shop, now=silent)
        assert run is not None
        builders.permit(session, shop, run, now=silent)
        lease.expire(session, now=now)
    owner, printer = hub.client("owner"), f"/printers/{shop.printer}"
    assert owner.form(f"/jobs/{job}/failed", cause="nothing there").status_code == 303
    page = owner.get(printer).text
    assert f"{printer}/bed-clear" not in page and "A start permit is still out" in page
    refused = owner.form(f"{printer}/bed-clear")
    assert refused.status_code == 409 and "its agent may start it until" in refused.text
    with hub.hub.database.writing() as session:
        builders.report(session, shop, run, ReportEvent.NEVER_STARTED, now=now)
    assert f"{printer}/bed-clear" in owner.get(printer).text
    assert owner.form(f"{printer}/bed-clear").status_code == 303


def test_a_pushed_design_is_shown_with_its_readme_faults_and_refusals(
    hub: OpenHub, tmp_path: Path
) -> None:
    """Real git, real measuring: one good part, one with a hole, one that is no mesh."""
    client = hub.client()
    ada = hub.account("ada")
    header = hub.token(ada, *Scope)
    made = client.flask.post("/api/v1/designs", json={"name": "lamp"}, headers=header)
    assert "Nothing was pushed yet" in client.get("/ada/lamp").text
    work = Work(tmp_path / "work")
    box = solids.box(20, 30, 40)
    work.commit(
        {
            "README.md": f"# Lamp\n\nA small lamp. {EVIL}\n".encode(),
            "body.stl": solids.stl(box),
            "holed.stl": solids.stl(box[2:]),
            "broken.stl": b"solid nothing",
        }
    )
    work.git("tag", "v1.0")
    opened, number = hub.hub, made.get_json()["id"]
    work.git("push", "--quiet", str(opened.store.path(number)), "main", "v1.0")
    with opened.database.writing() as session:
        due = read_refs(session, opened.store, design_id=number, now=NOW, done=True)
    assert "read and measured" in client.get("/ada/lamp").text
    assert 'http-equiv="refresh"' in client.get("/ada/lamp").text
    for version_id in due:
        analyse_version(
            version_id,
            database=opened.database,
            store=opened.store,
            blobs=opened.blobs,
            scratch=opened.settings.scratch_dir,
            now=NOW,
        )
    page = client.get("/ada/lamp").text
    plain = page.replace("\u00a0", " ")
    assert "20 × 30 × 40 mm" in plain and '<span class="good">yes</span>' in plain
    assert "open edges" in plain and "It cannot be printed:" in plain
    assert "A small lamp. &lt;script&gt;" in page and "<script>" not in page
    assert "okh.toml" in page and "okhv = &#34;2.4&#34;" in page
    assert page.count('href="/make/') == 2
    check_shape(page, "lamp")
    assert "v1.0" in page and client.get("/ada/lamp?version=main").status_code == 200
    assert client.get(f"/ada/lamp?version={work.head()[:8]}").status_code == 200
    assert client.get("/ada/lamp?version=v9").status_code == 404
    picture = re.findall(r'src="(/parts/\d+\.png)"', page)[0]
    assert client.get(picture).data.startswith(b"\x89PNG")
    assert picture in client.get("/designs?q=lamp").text


def test_the_book_is_taken_away_in_pieces_and_verified_without_the_hub(
    hub: OpenHub, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_page, "LINES", 2)
    for _ in range(3):
        hub.ordered(shop)
    client = hub.client()
    answer = client.flask.get("/book/entries.jsonl")
    pieces = answer.iter_encoded()
    first = next(pieces)
    hub.ordered(shop)  # no transaction is held between the pieces: a slow reader stops nobody
    text = first + b"".join(pieces)
    answer.close()
    lines = text.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [str(n) for n in range(1, len(lines) + 1)]
    everything = client.get("/book/entries.jsonl").data
    assert everything.startswith(text) and len(everything.splitlines()) == len(lines) + 1
    rest = client.get("/book/entries.jsonl?after=2").data
    assert rest == b"".join(everything.splitlines(keepends=True)[2:])
    (tmp_path / "entries.jsonl").write_bytes(everything)
    (tmp_path / "verify.py").write_bytes(client.get("/book/verify.py").data)
    head = client.flask.get("/api/v1/book/head").get_json()["hash"]
    done = subprocess.run(
        [sys.executable, "-I", "verify.py", "entries.jsonl", "--head", head],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert head in client.get("/book").text


def test_the_book_is_read_page_by_page(hub: OpenHub, shop: Shop) -> None:
    for _ in range(60):
        hub.ordered(shop)
    client = hub.client()
    page = client.get("/book").text
    older = re.findall(r'href="(/book\?before=\d+)#entries"', page)[0]
    seqs = [int(each) for each in re.findall(r'<li value="(\d+)">', page)]
    more = [int(each) for each in re.findall(r'<li value="(\d+)">', client.get(older).text)]
    assert seqs == list(range(seqs[0], seqs[0] - 50, -1)) and more[0] == seqs[-1] - 1
    assert "lot:" in client.get("/book/balances?account=lot:").text
    assert client.get("/book?before=x").status_code == 422


def test_every_code_of_an_error_has_its_place(hub: OpenHub) -> None:
    page = hub.client().get("/docs/errors").text
    for code in ("not_yours", "foreign_form", "quote_over", "stale_fence", "method_not_allowed"):
        assert f'id="{code}"' in page, code
    problem = hub.app.test_client().get("/api/v1/jobs/x").get_json()
    assert f'id="{problem["type"].partition("#")[2]}"' in page


def test_a_failure_of_the_hub_says_so_without_its_inside(
    hub: OpenHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("designs.finding.find", broken)
    answer = hub.client().get("/")
    assert answer.status_code == 500
    assert "secret" not in answer.text and "The hub failed" in answer.text
    check_shape(answer.text, "failure")


def test_the_sheet_is_small_and_knows_both_schemes(hub: OpenHub) -> None:
    sheet = hub.client().get("/static/hub.css")
    assert sheet.status_code == 200 and len(gzip.compress(sheet.data)) <= 10_000
    assert "prefers-color-scheme: dark" in sheet.text
    assert "url(" not in sheet.text and "@import" not in sheet.text


def contrast(one: str, two: str) -> float:
    """Contrast of two colours as WCAG 2 defines it."""

    def light(colour: str) -> float:
        digits = colour if len(colour) == 6 else "".join(each * 2 for each in colour)
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((light(one), light(two)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_text_is_legible_in_both_schemes() -> None:
    sheet = (TOP / "designhub/static/hub.css").read_text()
    schemes = [
        dict(re.findall(r"--([a-z-]+): #([0-9a-f]+)", part)) for part in sheet.split("@media")[:2]
    ]
    for colours in schemes:
        for ink in ("text", "soft", "accent", "warn", "bad", "good"):
            for ground in ("page", "surface", "sunken"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground, colours)
        for kind in ("good", "warn", "bad"):
            for ink in (kind, "text", "soft"):
                assert contrast(colours[ink], colours[f"{kind}-tint"]) >= 4.5, (ink, kind, colours)
        for ink in ("accent", "text", "soft"):
            assert contrast(colours[ink], colours["tint"]) >= 4.5, (ink, colours)
        assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
        for ground in ("page", "surface"):
            assert contrast(colours["edge"], colours[ground]) >= 3, (ground, colours)


def test_pages_read_rows_of_older_hubs(hub: OpenHub, shop: Shop) -> None:
    """A mesh that is still owed its measures, and a version without a manifest, are shown so."""
    with hub.hub.database.writing() as session:
        session.execute(update(MeshRow).values(analysis="due", facts=None, stl_sha256=None))
        slug = session.scalars(select(DesignRow.slug)).one()
    page = hub.client().get(f"/owner/{slug}").text
    assert "Being measured." in page and "none stated" in page


def test_what_is_to_be_pasted_names_this_hub(hub: OpenHub) -> None:
    said = hub.client().get("/book/check").text
    for name in ("entries.jsonl", "verify.py"):
        assert f"curl -O http://localhost/book/{name}" in said
