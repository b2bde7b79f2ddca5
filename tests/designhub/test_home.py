"""Home, the list of designs, the feed and what search engines read."""

import html
import json
import re
from typing import Any

import pytest
from defusedxml import ElementTree
from sqlalchemy import select, update

from basis import clock
from designhub.web import browse, feeds
from designs.catalogue import index_words
from designs.models import DesignRow, VersionRow, Visibility
from router.emissions import factors
from tests.designhub.test_pages import EVIL, MOST_STATEMENTS, check_shape
from tests.support import builders, solids
from tests.support.builders import NOW, Shop
from tests.support.hubs import OpenHub
from tests.support.statements import counted

ATOM = "{http://www.w3.org/2005/Atom}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def named(hub: OpenHub, owner: Any, *names: str, **changes: Any) -> None:
    """Public designs with a part, found by their names."""
    with hub.hub.database.writing() as session:
        for name in names:
            made = builders.part(session, owner, changes.get("corners"))
            row = session.get_one(DesignRow, made.design_id)
            row.slug, row.title = name.lower().replace(" ", "-"), name
            index_words(session, row, readme="", names=())
            builders.ref(session, made)


def titles(hub: OpenHub, path: str) -> list[str]:
    """What a page of the list shows, in its order."""
    return re.findall(r'<h3><a href="[^"]+">([^<]+)</a></h3>', hub.client().get(path).text)


# Home.


def test_an_empty_hub_says_how_to_begin(hub: OpenHub) -> None:
    page = hub.client().get("/").text
    check_shape(page, "empty home")
    for said in ("No designs yet", "No workshop yet", "Nothing yet", "git push hub main"):
        assert said in page, said
    assert "No designs yet" in hub.client().get("/designs").text


def test_home_shows_what_is_new_and_what_was_made_but_not_for_whom(hub: OpenHub) -> None:
    shop = hub.shop()
    hub.ordered(shop)
    assert "Nothing yet" in hub.client().get("/").text
    with hub.hub.database.writing() as session:
        builders.print_all(session, shop, now=clock.now())
    page = hub.client().get("/").text.replace("\u00a0", " ")
    lately = page[page.index('id="lately"') : page.index('id="begin"')]
    assert "Workshop" in lately and "Oslo" in lately and "under 5 km" in lately
    assert "maker" not in lately.replace("to its maker", "")
    with hub.hub.database.writing() as session:
        session.execute(update(DesignRow).values(visibility=Visibility.PRIVATE))
    for who in (None, "maker", "owner"):
        assert "Nothing yet" in hub.client(who).get("/").text


def test_a_link_to_an_old_search_leads_to_the_list(hub: OpenHub) -> None:
    assert hub.client().get("/?q=hose+10 mm").location == "/designs?q=hose+10+mm"


# The list.


def test_designs_are_found_narrowed_and_sorted(hub: OpenHub) -> None:
    owner = hub.account("owner")
    named(hub, owner, "Lamp", "Hose clip")
    named(hub, owner, "Tall lamp", corners=solids.box(150, 30, 200))
    assert titles(hub, "/designs") == ["Tall lamp", "Hose clip", "Lamp"]
    assert titles(hub, "/designs?sort=name") == ["Hose clip", "Lamp", "Tall lamp"]
    assert titles(hub, "/designs?q=lam") == ["Tall lamp", "Lamp"]
    assert titles(hub, "/designs?q=lam+tal") == ["Tall lamp"]
    for bed, there in (("40x150x200", True), ("150 × 40 × 200 mm", True), ("40x149x200", False)):
        found = titles(hub, f"/designs?q=tall&fits={bed}")
        assert (found == ["Tall lamp"]) == there, bed
    with hub.hub.database.writing() as session:
        first = select(DesignRow.id).where(DesignRow.slug == "lamp").scalar_subquery()
        session.execute(
            update(VersionRow).where(VersionRow.design_id == first).values(licence="MIT")
        )
    assert titles(hub, "/designs?licence=MIT") == ["Lamp"]
    assert '<option value="MIT">' in hub.client().get("/designs").text


def test_nothing_found_says_why_and_what_to_try(hub: OpenHub) -> None:
    named(hub, hub.account("owner"), "Lamp", "Hose")
    client = hub.client()
    page = client.get("/designs?q=x+lamp+zzz").text
    assert "Not searched for: x." in page and "No design has the word zzz." in page
    assert "no design has all of them" in client.get("/designs?q=lamp+hose").text
    page = client.get("/designs?q=lamp&licence=nobodys&sort=name").text
    assert 'href="/designs?q=lamp&amp;sort=name"' in page
    wrong = client.get("/designs?fits=big&q=lamp")
    assert "“big” is no size of a bed" in wrong.text and 'value="big"' in wrong.text
    assert "Lamp" in wrong.text
    assert "No more designs" in client.get("/designs?after=24").text
    assert client.get("/designs?after=-1").status_code == 422
    strange = client.get("/designs", query_string={"q": EVIL, "licence": EVIL, "sort": EVIL})
    check_shape(strange.text, "strange")
    assert "<script>" not in strange.text


def test_the_list_is_read_page_by_page(hub: OpenHub) -> None:
    owner = hub.account("owner")
    with hub.hub.database.writing() as session:
        for _ in range(browse.PAGE + 3):
            builders.part(session, owner)
    client = hub.client()
    with counted(hub.hub.database) as statements:
        page = client.get("/designs").text
    assert len(statements) <= MOST_STATEMENTS
    assert "1 to 24" in page and 'rel="prev"' not in page
    more = re.findall(r'href="([^"]+)" rel="next"', page)[0]
    page = client.get(more).text
    assert "25 to 27" in page and page.count('class="card"') == 3 and 'rel="next"' not in page
    assert re.findall(r'href="([^"]+)" rel="prev"', page) == ["/designs"]


# What programs read.


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    """A public design with a tag and hostile words, and a private one."""
    made = hub.shop()
    with hub.hub.database.writing() as session:
        builders.ref(session, made.part, "refs/tags/v1.0")
        title = f"{EVIL}\x0b]]>"
        session.execute(update(DesignRow).values(title=title, description=title))
        hidden = builders.part(session, made.owner)
        session.get_one(DesignRow, hidden.design_id).visibility = Visibility.PRIVATE
        session.get_one(DesignRow, hidden.design_id).slug = "hidden"
    return made


def test_the_feed_has_what_a_reader_needs(hub: OpenHub, shop: Shop) -> None:
    answer = hub.client().get("/designs.atom")
    assert answer.content_type == "application/atom+xml; charset=utf-8"
    root = ElementTree.fromstring(answer.data)
    for name in ("id", "title", "updated"):
        assert root.findtext(f"{ATOM}{name}")
    entries = root.findall(f"{ATOM}entry")
    assert len(entries) == 1 and b"hidden" not in answer.data
    entry = entries[0]
    assert entry.findtext(f"{ATOM}title") == f"{EVIL}]]> v1.0"
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "owner"
    assert entry.findtext(f"{ATOM}updated") == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert entry.findtext(f"{ATOM}rights") == "CC0-1.0"
    for link in root.iter(f"{ATOM}link"):
        assert link.attrib["href"].startswith("http://localhost/"), link.attrib
    path = str(entry.findtext(f"{ATOM}id")).removeprefix("http://localhost")
    assert hub.client().get(path).status_code == 200


def test_a_feed_that_did_not_change_is_not_sent_again(hub: OpenHub, shop: Shop) -> None:
    client = hub.app.test_client()
    first = client.get("/designs.atom")
    assert first.headers["Cache-Control"].startswith("public, max-age=")
    assert "Set-Cookie" not in first.headers
    for header, value in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
        again = client.get("/designs.atom", headers={header: first.headers[value]})
        assert again.status_code == 304 and not again.data
    with hub.hub.database.writing() as session:
        builders.part(session, shop.owner)
    again = client.get("/designs.atom", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200


def test_the_site_map_holds_public_pages_in_files_of_a_limited_size(
    hub: OpenHub, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def addresses(path: str) -> list[str]:
        root = ElementTree.fromstring(client.get(path).data)
        return [str(each.text) for each in root.iter(f"{SITEMAP}loc")]

    client = hub.client()
    listed = addresses("/sitemap.xml")
    assert any("/owner/design" in each for each in listed) and "hidden" not in str(listed)
    for address in listed:
        assert client.get(address.removeprefix("http://localhost")).status_code == 200, address
    assert "Sitemap: http://localhost/sitemap.xml\n" in client.get("/robots.txt").text
    monkeypatch.setattr(feeds, "MOST_ADDRESSES", 1)
    with hub.hub.database.writing() as session:
        builders.part(session, shop.owner)
    files = addresses("/sitemap.xml")
    assert len(files) == 2
    paged = [each for file in files for each in addresses(file.removeprefix("http://localhost"))]
    assert set(listed) < set(paged) and len(paged) == len(listed) + 1
    assert client.get("/sitemap.xml?page=3").status_code == 404


def test_pages_say_what_a_link_to_them_shows(hub: OpenHub, shop: Shop) -> None:
    page = hub.client().get("/").text
    assert '<link rel="canonical" href="http://localhost/">' in page
    assert '<meta property="og:title" content="Open designs, made near you">' in page
    data = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert json.loads(data[0])["@type"] == "WebSite"


def test_facts_of_a_page_cannot_leave_their_element(hub: OpenHub) -> None:
    with hub.app.test_request_context("/"):
        template = '{% import "_ui.html" as ui %}{{ ui.facts({"name": name}) }}'
        text = hub.app.jinja_env.from_string(template).render(name=f"</script>{EVIL}")
    assert text.count("<") == 2 and json.loads(text[text.index("{") : -9])["name"].endswith(EVIL)


def test_every_emission_factor_is_shown_with_its_source(hub: OpenHub) -> None:
    page, used = html.unescape(hub.client().get("/about").text), factors()
    tables = ("transport", "material", "grid", "circuity_per_mille")
    rows = [row for table in tables for row in used.data[table].values()]
    rows += [used.data[name] for name in ("energy", "waste_bp", "packaging_mg")]
    assert all(row["source"] in page for row in rows)
    assert page.count("<tr><td>") == len(rows)
    assert page.count("not checked at its source") == sum(not row["checked"] for row in rows)
    assert used.sha256 in page


def test_the_api_is_readable_without_a_program(hub: OpenHub) -> None:
    """Every call and message of the description has its place, every link leads to one."""
    page = hub.client().get("/docs/api").text
    shape = check_shape(page, "api")
    document = hub.app.test_client().get("/api/v1/openapi.json").get_json()
    calls = [each for methods in document["paths"].values() for each in methods.values()]
    wanted = {call["operationId"] for call in calls} | document["components"]["schemas"].keys()
    assert wanted <= set(shape.ids)
    led = {given["href"] for tag, given in shape.tags if tag == "a" and given.get("href")}
    inside = {str(href)[1:] for href in led if str(href).startswith("#")}
    assert inside <= set(shape.ids)
    plain = html.unescape(page)
    assert """-d '{"design": "ada/hinge-box", "place": "Ulm, DE"}'""" in plain
    assert "<code>City, CC</code>" in plain and "whole number, mg" in plain and "push" in plain
