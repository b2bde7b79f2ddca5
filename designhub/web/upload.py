"""Files from a browser into a design: the first version of a new one, or one more of an old."""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from basis import clock
from basis.errors import HubError, NotFound, TooLarge, TooMany
from designhub import access, worker
from designhub.errors import status_of
from designhub.hub import base_url, this_hub
from designhub.web.session import signed_in, viewer
from designs import committing, manifest, push, queries, uploads
from designs.committing import Author
from designs.models import DesignRow, Visibility
from designs.uploads import Given

bp = Blueprint("upload", __name__)

TAKING = frozenset({"web.upload.take", "web.design_edit.create"})
"""Views whose forms bring files; any other form keeps the small limit."""
AGAIN_S = 15
MOST_README_BYTES = 200_000
MESSAGE_CHARACTERS = 500


def make_room() -> None:
    """Let a form with files be as large as the setting allows, for somebody signed in, while there
    is a place for it. Runs before any field is read. Raises TooLarge, TooMany while nothing of it
    was read yet."""
    if request.endpoint not in TAKING or (caller := viewer()) is None:
        return
    hub = this_hub()
    most = hub.settings.upload_bytes
    request.max_content_length = most
    if (request.content_length or 0) > most:
        raise TooLarge(
            f"these files are larger than {push.size(most)} together. Nothing was kept: choose"
            " fewer, or push them with git, which may bring more"
        )
    if not hub.uploads.take(caller.id):
        raise TooMany(
            "other uploads are being taken in just now. Nothing was kept: go back, wait a moment,"
            " and send it again",
            again_s=AGAIN_S,
        )
    g.uploading = caller.id


def leave_room(_error: BaseException | None) -> None:
    """The upload is over, however it ended."""
    if (who := g.pop("uploading", None)) is not None:
        this_hub().uploads.give_back(who)


@bp.get("/<owner>/<slug>/upload")
@signed_in
def show(owner: str, slug: str) -> ResponseReturnValue:
    """The form for one more version."""
    return _page(_own(owner, slug))


@bp.post("/<owner>/<slug>/upload")
@signed_in
def take(owner: str, slug: str) -> ResponseReturnValue:
    """Keep the files as a new commit on the published branch."""
    design = _own(owner, slug)
    try:
        with folder_of_upload() as name:
            given, picture, readme = received(Path(name))
            _add(design, given, picture=picture, readme=readme)
    except HubError as exc:
        return _page(design, fault=exc)
    return redirect(f"/{owner}/{slug}", 303)


def folder_of_upload() -> "tempfile.TemporaryDirectory[str]":
    """A folder of the hub's that goes when the upload is done."""
    return tempfile.TemporaryDirectory(prefix="form-", dir=this_hub().settings.scratch_dir)


def received(folder: Path) -> tuple[list[Given], Given | None, Path | None]:
    """The form's files under names of ours: meshes, a picture, and the README's text.

    Raises Invalid, TooLarge, naming the file that we do not take.
    """
    meshes = [
        _saved(each, folder / f"mesh-{number}")
        for number, each in enumerate(request.files.getlist("files")[: uploads.MOST_FILES + 1])
        if each.filename
    ]
    uploads.check_meshes(meshes, file_bytes=this_hub().settings.file_bytes)
    image = request.files.get("picture")
    picture = _saved(image, folder / "picture") if image is not None and image.filename else None
    if picture is not None:
        uploads.check_picture(picture)
    text = request.form.get("readme", "").replace("\r\n", "\n").strip()
    readme = None
    if text:
        readme = folder / "readme"
        readme.write_text(text[:MOST_README_BYTES] + "\n", encoding="utf-8", errors="replace")
    return meshes, picture, readme


def commit(design: DesignRow, files: Mapping[str, Path], *, base: str | None, message: str) -> None:
    """Put files into a design in the caller's name, and ask for its measuring."""
    hub = this_hub()
    host = urlsplit(base_url()).hostname or "localhost"
    due = committing.take(
        hub.database,
        hub.store,
        design_id=design.id,
        files=files,
        base=base,
        author=Author(name=g.caller.name, mail=f"{g.caller.name}@users.{host}"),
        message=message[:MESSAGE_CHARACTERS],
        scratch=hub.settings.scratch_dir,
        now=clock.now(),
    )
    for version_id in due:
        hub.queue.soon(worker.analyse_version, version_id)


def _saved(given: FileStorage, path: Path) -> Given:
    given.save(path)
    return Given(name=given.filename or "", file=path)


def _own(owner: str, slug: str) -> DesignRow:
    with this_hub().database.reading() as session:
        return access.own_design(session, g.caller, owner=owner, name=slug)


def _add(
    design: DesignRow, given: list[Given], *, picture: Given | None, readme: Path | None
) -> None:
    """One more version: files of a name that is there take its place, others are added."""
    store, seen = this_hub().store, request.form.get("base", "")
    base = tip(design)
    if seen != (base or ""):
        raise committing.moved()
    there = {each.path: each for each in store.tree(design.id, base)} if base else {}
    paths = uploads.placed(given, there=there)
    files = {path: each.file for path, each in paths.items()}
    if picture is not None:
        files[f"picture{uploads.check_picture(picture)}"] = picture.file
    if readme is not None:
        files[uploads.README] = readme
    name = next(iter(manifest.find(path for path in there if "/" not in path)), "")
    if name.lower().endswith(".toml"):
        data = store.blob(design.id, there[name].id, most_bytes=1 << 20)
        longer = uploads.with_parts(data, list(paths))
        if longer != data:
            files[name] = given[0].file.with_name("manifest")
            files[name].write_bytes(longer)
    said = request.form.get("message", "").strip() or f"Upload {len(given)} files"
    commit(design, files, base=base, message=said)


def tip(design: DesignRow) -> str | None:
    """The commit that the published branch is at; None while there is none."""
    store = this_hub().store
    with suppress(NotFound):
        return store.resolve(design.id, store.published(design.id))
    return None


def _page(design: DesignRow, *, fault: HubError | None = None) -> ResponseReturnValue:
    with this_hub().database.reading() as session:
        refs = queries.refs(session, design.id)
    page = render_template(
        "upload.html",
        design=design,
        owner=g.caller.name,
        private=design.visibility is Visibility.PRIVATE,
        yours=True,
        word=refs[0].version.commit[:12] if refs else "",
        base=tip(design) or "",
        most=this_hub().settings.upload_bytes,
        typed=request.form,
        fault=fault,
    )
    return page, 200 if fault is None else status_of(fault)
