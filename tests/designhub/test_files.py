"""The files of a design: shown, given out alone and as a zip, and never as a page of ours."""

import io
import zipfile
from pathlib import Path
from threading import BoundedSemaphore

import pytest
from sqlalchemy import update

from designhub.auth import Scope
from designs import sending
from designs.models import DesignRow, Visibility
from designs.versions import read_refs
from tests.support import solids
from tests.support.builders import NOW
from tests.support.git_server import Work
from tests.support.hubs import OpenHub
from tests.support.statements import counted

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PAGE = b"<!doctype html><script>alert(1)</script>"
FILES = {
    "README.md": b"# Lamp\n\n[more](docs/more.md)\n",
    "docs/more.md": b"<script>x</script> *text*\n",
    "page.html": PAGE,
    "sign.svg": SVG,
    "pic.png": PNG,
    "body.stl": solids.stl(solids.box(20, 30, 40)),
    "ascii.stl": b"solid x\nfacet normal 0 0 1\n",
    "odd name (1) ü.txt": b"one\ntwo\n",
    "data.bin": bytes(range(256)),
    "empty.txt": b"",
}


@pytest.fixture
def lamp(hub: OpenHub, tmp_path: Path) -> Work:
    """A public design of ada's, with a release and a branch whose name has a slash."""
    header = hub.token(hub.account("ada"), *Scope)
    hub.account("max")
    made = hub.app.test_client().post("/api/v1/designs", json={"name": "lamp"}, headers=header)
    work = Work(tmp_path / "work")
    work.commit(FILES)
    work.git("tag", "v1.0")
    work.git("branch", "try/this")
    number = made.get_json()["id"]
    to = str(hub.hub.store.path(number))
    work.git("push", "--quiet", to, "main", "v1.0", "try/this")
    with hub.hub.database.writing() as session:
        read_refs(session, hub.hub.store, design_id=number, now=NOW, done=True)
    return work


def test_folders_and_files_are_shown(hub: OpenHub, lamp: Work) -> None:
    client = hub.client()
    listing = client.get("/ada/lamp/files/v1.0/").text
    for name in ("README.md", "docs/", "page.html", "body.stl"):
        assert f">{name}</a>" in listing
    assert "more.md" in client.get("/ada/lamp/files/main/docs").text
    assert (
        '<li id="L2"><code>two</code>' in client.get("/ada/lamp/files/v1.0/odd name (1) ü.txt").text
    )
    more = client.get(f"/ada/lamp/files/{lamp.head()[:9]}/docs/more.md").text
    assert "<em>text</em>" in more and "<script>" not in more
    assert "*text*" in client.get("/ada/lamp/files/v1.0/docs/more.md?plain").text
    assert "<script>" not in client.get("/ada/lamp/files/v1.0/page.html").text
    assert "download>" in client.get("/ada/lamp/files/v1.0/data.bin").text
    assert "empty" in client.get("/ada/lamp/files/v1.0/empty.txt").text
    with counted(hub.hub.database) as statements:
        client.get("/ada/lamp/files/v1.0/")
    assert len(statements) <= 12


@pytest.mark.parametrize(
    ("name", "kind", "way"),
    [
        ("page.html", "text/plain; charset=utf-8", "inline"),
        ("README.md", "text/plain; charset=utf-8", "inline"),
        ("sign.svg", "image/svg+xml; charset=utf-8", "inline"),
        ("pic.png", "image/png", "inline"),
        ("body.stl", "application/octet-stream", "attachment"),
        ("ascii.stl", "application/octet-stream", "attachment"),
        ("data.bin", "application/octet-stream", "attachment"),
    ],
)
def test_a_file_alone_runs_nothing(
    hub: OpenHub, lamp: Work, name: str, kind: str, way: str
) -> None:
    answer = hub.client().get(f"/ada/lamp/raw/{lamp.head()}/{name}")
    assert answer.data == FILES[name] and answer.content_type == kind
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith(way)
    again = hub.client().flask.get(
        f"/ada/lamp/raw/{lamp.head()}/{name}", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "files/v1.0/../../x",
        "files/v1.0/..%2f..%2fetc/passwd",
        "files/v1.0/docs/../README.md%00",
        "raw/v1.0/docs",
        "raw/v1.0/%ff%fe",
        "raw/v1.0/docs%5cmore.md",
        "raw/v1.0/.git/config",
        "files/v9/README.md",
        "files/--help/README.md",
        "raw/HEAD~1/README.md",
        "archive/--output=x.zip",
        "archive/v9.zip",
    ],
)
def test_no_path_leads_out_of_the_version(hub: OpenHub, lamp: Work, path: str) -> None:
    assert hub.client().get(f"/ada/lamp/{path}").status_code in (404, 422)


def test_a_version_is_taken_as_a_zip(hub: OpenHub, lamp: Work) -> None:
    answer = hub.client().get("/ada/lamp/archive/v1.0.zip")
    names = zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    assert "lamp-v1.0/docs/more.md" in names and all(n.startswith("lamp-v1.0/") for n in names)
    assert "lamp-v1.0.zip" in answer.headers["Content-Disposition"]


def test_downloads_have_a_bounded_number_of_places(
    hub: OpenHub, lamp: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_places", BoundedSemaphore(1))
    path = f"/ada/lamp/raw/{lamp.head()}/body.stl"
    held = sending.archive(hub.hub.store, 1, lamp.head(), folder="x")
    assert hub.client().get(path).status_code == 429
    held.close()
    held.close()
    assert [hub.client().get(path).status_code for _ in range(3)] == [200] * 3


def test_files_of_a_private_design_are_its_owners(hub: OpenHub, lamp: Work) -> None:
    with hub.hub.database.writing() as session:
        session.execute(update(DesignRow).values(visibility=Visibility.PRIVATE))
    paths = ("files/v1.0/", "files/v1.0/README.md", "raw/v1.0/README.md", "archive/v1.0.zip")
    for path in paths:
        assert hub.client().get(f"/ada/lamp/{path}").status_code == 404
        assert hub.client("max").get(f"/ada/lamp/{path}").status_code == 404
    ada = hub.client("ada")
    kept = [ada.get(f"/ada/lamp/{path}").headers["Cache-Control"] for path in paths]
    assert kept == ["private, no-cache"] * 4


def test_versions_say_what_names_them(hub: OpenHub, lamp: Work) -> None:
    page = hub.client().get("/ada/lamp/versions").text
    assert "v1.0" in page and "try/this" in page and "being measured" in page
