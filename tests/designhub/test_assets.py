"""What pages load: small at first, kept by browsers for ever, and from this hub alone."""

import gzip
import re
from pathlib import Path

import pytest

from designhub.web import assets
from designhub.web.assets import BUILT, asset, manifest
from tests.support.hubs import OpenHub

FIRST_PAINT_BYTES = 60_000


@pytest.fixture(autouse=True)
def built() -> None:
    if not manifest():
        pytest.fail("nothing is built: make assets", False)


def test_the_first_paint_is_small(hub: OpenHub) -> None:
    client, bytes_sent = hub.app.test_client(), 0
    for name in ("hub.css", "hub.js"):
        path = f"/static/built/{manifest()[name]}"
        answer = client.get(path, headers={"Accept-Encoding": "gzip"}, buffered=True)
        assert answer.content_encoding == "gzip" and answer.status_code == 200
        bytes_sent += len(answer.data)
    assert bytes_sent <= FIRST_PAINT_BYTES
    script = (BUILT / manifest()["hub.js"]).read_text()
    assert not re.search(r'^import|;import[{"]', script), "hub.js loads another file at once"
    assert "WebGL" not in script and "geoPath" not in script


def test_a_built_file_is_kept_for_ever_and_packed_for_those_who_take_it(hub: OpenHub) -> None:
    client, path = hub.app.test_client(), f"/static/built/{manifest()['hub.js']}"
    plain, packed, refused = (
        client.get(path, headers={"Accept-Encoding": taken}, buffered=True)
        for taken in ("identity", "br, gzip", "gzip;q=0")
    )
    for answer in (plain, refused):
        assert "Content-Encoding" not in answer.headers
    assert gzip.decompress(packed.data) == plain.data == refused.data
    for answer in (plain, packed):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.vary.to_header() == "Accept-Encoding"
        assert answer.content_type == "text/javascript; charset=utf-8"
        assert "Set-Cookie" not in answer.headers
    again = {"If-None-Match": packed.headers["ETag"], "Accept-Encoding": "gzip"}
    assert client.get(path, headers=again, buffered=True).status_code == 304
    assert plain.headers["ETag"] != packed.headers["ETag"]


@pytest.mark.parametrize("name", ["nothing.js", ".made", "hub.js.gz", "..%5Chub.css", "a.py"])
def test_nothing_else_is_served_there(hub: OpenHub, name: str) -> None:
    assert hub.client().get(f"/static/built/{name}").status_code == 404


def test_pages_name_what_was_built_and_no_other_host(hub: OpenHub) -> None:
    page = hub.client().get("/style").text
    with hub.app.test_request_context():
        for name in ("hub.css", "hub.js"):
            assert f'"{asset(name)}"' in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_every_bundled_library_is_named_with_its_licence(hub: OpenHub) -> None:
    text = hub.client().get("/static/built/licences.txt").text
    for library in ("d3-geo", "htmx.org", "three", "topojson-client", "world-atlas"):
        assert re.search(rf"^{re.escape(library)} [0-9.]+, \S+", text, re.MULTILINE), library
    assert "Permission to use" in text


def test_a_hub_without_its_scripts_says_so(
    hub: OpenHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "make assets" not in hub.app.test_client().get("/readyz").text
    monkeypatch.setattr(assets, "BUILT", tmp_path)
    assert "make assets" in hub.app.test_client().get("/readyz").text
