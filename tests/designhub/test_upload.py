"""Designs made and filled in the browser: what is taken, what is refused, and what is left then."""

import io
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from basis.errors import Invalid
from designhub.web.design_edit import slug_of
from designs import push, uploads
from designs.models import DesignRow, VersionRow
from designs.publishing import analyse_version
from tests.support import solids
from tests.support.builders import NOW
from tests.support.hubs import Client, OpenHub

BOX = solids.stl(solids.box(20, 30, 40))
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


def file(data: bytes, name: str) -> tuple[io.BytesIO, str]:
    return io.BytesIO(data), name


@pytest.fixture
def ada(hub: OpenHub) -> Client:
    hub.account("ada")
    return hub.client("ada")


def designs(hub: OpenHub) -> list[DesignRow]:
    with hub.hub.database.reading() as session:
        return list(session.scalars(select(DesignRow)))


def versions(hub: OpenHub) -> list[VersionRow]:
    with hub.hub.database.reading() as session:
        return list(session.scalars(select(VersionRow).order_by(VersionRow.id)))


def measured(hub: OpenHub) -> None:
    inside = hub.hub
    for version in versions(hub):
        analyse_version(
            version.id,
            database=inside.database,
            store=inside.store,
            blobs=inside.blobs,
            scratch=inside.settings.scratch_dir,
            now=NOW,
        )


def made(ada: Client, **more: Any) -> Any:
    fields = {"title": "Hose coupling", "licence": "CERN-OHL-S-2.0", "visibility": "public"}
    return ada.form("/designs/new", {**fields, **more})


def test_a_design_begins_with_files_and_goes_on_with_more(hub: OpenHub, ada: Client) -> None:
    answer = made(
        ada,
        description="Joins two hoses",
        readme="# How\n\nPrint it.",
        files=[file(BOX, "Big box.STL"), file(BOX, "lid.stl")],
        picture=file(PNG, "me.jpg"),
    )
    assert answer.status_code == 303 and answer.location == "/ada/hose-coupling"
    measured(hub)
    first = versions(hub)[0]
    paths = {each.path for each in hub.hub.store.tree(first.design_id, first.commit)}
    assert paths == {"README.md", "okh.toml", "parts/Big-box.stl", "parts/lid.stl", "picture.png"}
    assert first.author == "ada" and first.licence == "CERN-OHL-S-2.0"
    assert first.manifest is not None and first.manifest["faults"] == []
    page = ada.get("/ada/hose-coupling").text
    assert "Big box" in page and page.count('href="/make/') >= 2 and "How</h3>" in page

    more = {"files": [file(BOX + b"", "lid.stl"), file(BOX, "ring.stl")], "base": first.commit}
    assert ada.form("/ada/hose-coupling/upload", more).status_code == 303
    measured(hub)
    second = versions(hub)[1]
    with hub.hub.database.reading() as session:
        parts = [each.name for each in session.get_one(VersionRow, second.id).parts]
    assert parts == ["Big box", "lid", "ring"]

    late = {"files": [file(BOX, "late.stl")], "base": first.commit}
    refused = ada.form("/ada/hose-coupling/upload", late)
    assert refused.status_code == 409 and "meanwhile" in refused.text
    assert len(versions(hub)) == 2
    assert list(hub.hub.settings.scratch_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "empty.stl", "is empty"),
        (b"<html>", "page.stl", "does not begin like one"),
        (b"PK\x05\x06", "not.3mf", "does not begin like one"),
        (b"\0\0", "not.obj", "does not begin like one"),
        (BOX, "program.exe", "is not an STL, OBJ or 3MF"),
        (BOX, "noending", "is not an STL, OBJ or 3MF"),
    ],
)
def test_what_is_no_mesh_makes_nothing(
    hub: OpenHub, ada: Client, data: bytes, name: str, said: str
) -> None:
    answer = made(ada, files=[file(BOX, "good.stl"), file(data, name)])
    assert answer.status_code == 422 and said in answer.text
    assert 'value="Hose coupling"' in answer.text
    assert designs(hub) == [] and not list(hub.hub.store.folder.glob("*.git"))


def test_a_commit_that_the_hook_refuses_leaves_no_design(
    hub: OpenHub, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.hub.store, "limits", push.Limits(tree_files=1))
    answer = made(ada, files=[file(BOX, "good.stl")])
    assert answer.status_code == 422 and "files" in answer.text
    assert designs(hub) == [] and not list(hub.hub.store.folder.glob("*.git"))


def test_only_forms_with_files_may_be_large(hub: OpenHub, ada: Client) -> None:
    hub.app.config["MAX_CONTENT_LENGTH"] = 100_000
    large = BOX + bytes(200_000)
    assert made(ada, files=[file(large, "large.stl")]).status_code == 422  # read, and no mesh
    assert hub.client().form("/designs/new", {"files": [file(large, "x.stl")]}).status_code == 413
    assert ada.form("/orders", {"files": [file(large, "x.stl")]}).status_code == 413


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.stl", "passwd.stl"),
        ("C:\\fakepath\\box.stl", "box.stl"),
        ("CON.stl", "part-CON.stl"),
        (".git.stl", "git.stl"),
        ("-rf.stl", "rf.stl"),
        ("a b\u202e.STL", "a-b.stl"),
        ("..stl", "part.stl"),
        ("x" * 300 + ".stl", "x" * 100 + ".stl"),
    ],
)
def test_names_of_files_become_harmless(given: str, kept: str) -> None:
    assert uploads.clean_name(given) == kept
    assert push.name_fault(kept.encode()) is None


def test_two_files_of_one_name_are_told(tmp_path: Path) -> None:
    given = [uploads.Given(name=name, file=tmp_path) for name in ("Ring.stl", "ring.STL")]
    with pytest.raises(Invalid, match="two files"):
        uploads.placed(given, there=())


def test_an_address_is_made_of_a_title() -> None:
    assert slug_of("Hose coupling, 19 mm") == "hose-coupling-19-mm"
    assert slug_of("Größe") == "grosse"


def test_a_design_is_changed_removed_and_brought_back(hub: OpenHub, ada: Client) -> None:
    made(ada)
    number = designs(hub)[0].id
    assert "git push hub main" in ada.get("/ada/hose-coupling").text
    fields = {"title": "Coupling", "description": "x", "visibility": "private"}
    kept = ada.form("/ada/hose-coupling/settings", fields)
    assert "only you see it" in ada.get(kept.location).text
    assert hub.client().get("/ada/hose-coupling").status_code == 404
    assert ada.form("/ada/hose-coupling/remove").location == "/me/designs#removed"
    assert ada.get("/ada/hose-coupling").status_code == 404
    assert "Bring it back" in ada.get("/me/designs").text
    assert made(ada).status_code == 409  # its address stays taken
    back = ada.form(f"/me/designs/{number}/restore")
    assert ada.get(back.location).status_code == 200
