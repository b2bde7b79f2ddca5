"""Making a design, saying something else of it, removing it and bringing it back."""

import hashlib
import json
import re
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Blueprint, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import HubError, NotFound
from designhub import access
from designhub.api.designs import visibility
from designhub.errors import status_of
from designhub.hub import base_url, this_hub
from designhub.language import Lazy, lazy
from designhub.web import design_words, upload
from designhub.web.session import signed_in
from designs import catalogue, queries, uploads
from designs.models import Analysis, DesignRow, Visibility
from designs.uploads import Given

bp = Blueprint("design_edit", __name__)

MOST_DESIGNS = 200
NOT_IN_SLUGS = re.compile(r"[^a-z0-9]+")

CHANGED = lazy(
    "This design was changed meanwhile, perhaps in another tab. Nothing of yours is kept yet: look"
    " at it once more, then press again."
)

SAID = {
    "kept": lazy("Kept."),
    "public": lazy("Kept. It is public now: everybody finds it, with all its versions."),
    "private": lazy("Kept. It is private now: only you see it; orders that there are go on."),
}


@bp.get("/designs/new")
@signed_in
def new() -> ResponseReturnValue:
    """The form for a new design."""
    return _new_page()


@bp.post("/designs/new")
@signed_in
def create() -> ResponseReturnValue:
    """Make it: with the files that came, or empty, to be pushed to."""
    form = request.form
    slug = form.get("slug", "").strip().lower() or slug_of(form.get("title", ""))
    try:
        if not any(each.filename for each in request.files.getlist("files")):
            _created(slug)
        else:
            with upload.folder_of_upload() as name:
                folder = Path(name)
                _created_with(slug, folder, *upload.received(folder))
    except HubError as exc:
        return _new_page(fault=exc)
    return redirect(f"/{g.caller.name}/{slug}", 303)


@bp.get("/me/designs")
@signed_in
def mine() -> ResponseReturnValue:
    """One's own designs, and those that can be brought back."""
    now = clock.now()
    with this_hub().database.reading() as session:
        rows = queries.of_owner(session, g.caller.id, most=MOST_DESIGNS, removed=False)
        gone = queries.of_owner(session, g.caller.id, most=MOST_DESIGNS, removed=True)
        ids = [row.id for row in rows]
        pictures = queries.pictures(session, ids)
        versions = queries.newest_versions(session, ids)
        refused = queries.refused_parts(session, [row.id for row in versions.values()])
    since = now - timedelta(days=catalogue.RESTORE_DAYS)
    return render_template(
        "my_designs.html",
        designs=rows,
        pictures=pictures,
        versions=versions,
        refused=refused,
        due=Analysis.DUE,
        private=Visibility.PRIVATE,
        removed=[row for row in gone if row.deleted_at is not None and row.deleted_at > since],
        days=timedelta(days=catalogue.RESTORE_DAYS),
    )


@bp.get("/<owner>/<slug>/settings")
@signed_in
def settings(owner: str, slug: str) -> ResponseReturnValue:
    """What is said of a design, who sees it, and its end."""
    return _settings_page(_own(owner, slug))


@bp.post("/<owner>/<slug>/settings")
@signed_in
def change(owner: str, slug: str) -> ResponseReturnValue:
    """Say something else of it."""
    form = request.form
    with this_hub().database.writing() as session:
        row = access.own_design(session, g.caller, owner=owner, name=slug)
        if form.get("seen", state_of(row)) != state_of(row):
            return _settings_page(row, fault=CHANGED)
        before = row.visibility
        catalogue.change(
            session,
            row,
            title=form.get("title", ""),
            description=form.get("description", ""),
            visibility=visibility(form.get("visibility", "")),
        )
        said = "kept" if row.visibility is before else row.visibility.value
    return redirect(f"/{owner}/{slug}/settings?said={said}", 303)


@bp.post("/<owner>/<slug>/remove")
@signed_in
def remove(owner: str, slug: str) -> ResponseReturnValue:
    """Out of sight; it can be brought back."""
    with this_hub().database.writing() as session:
        row = access.own_design(session, g.caller, owner=owner, name=slug)
        catalogue.remove(row, now=clock.now())
    return redirect("/me/designs#removed", 303)


@bp.post("/me/designs/<int:design_id>/restore")
@signed_in
def restore(design_id: int) -> ResponseReturnValue:
    """Undo a removal."""
    with this_hub().database.writing() as session:
        row = session.get(DesignRow, design_id)
        if row is None or row.owner_id != g.caller.id:
            raise NotFound("you have no such design")
        catalogue.restore(row, now=clock.now())
        slug = row.slug
    return redirect(f"/{g.caller.name}/{slug}", 303)


def state_of(row: DesignRow) -> str:
    """Names what is said of a design now, so that a form made before shows that it is older."""
    said = json.dumps([row.title, row.description, row.visibility.value])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def slug_of(title: str) -> str:
    """A title as the last part of an address: `Hose coupling, 19 mm` → `hose-coupling-19-mm`."""
    plain = unicodedata.normalize("NFKD", title.replace("ß", "ss")).encode("ascii", "ignore")
    return NOT_IN_SLUGS.sub("-", plain.decode().lower()).strip("-")[:80].strip("-")


def _created(slug: str) -> DesignRow:
    hub = this_hub()
    with hub.database.writing() as session:
        row = catalogue.create(
            session, owner_id=g.caller.id, slug=slug, now=clock.now(), **_described()
        )
        hub.store.create(row.id)
    return row


def _filled(slug: str) -> DesignRow | None:
    """One's own empty design of this name, described as the form says; None when there is none."""
    with this_hub().database.writing() as session:
        row = queries.empty_design(session, owner_id=g.caller.id, slug=slug)
        if row is not None:
            catalogue.change(session, row, **_described())
        return row


def _described() -> dict[str, Any]:
    form = request.form
    return {
        "title": form.get("title", ""),
        "description": form.get("description", ""),
        "visibility": visibility(form.get("visibility", "public")),
    }


def _created_with(
    slug: str, folder: Path, given: list[Given], picture: Given | None, readme: Path | None
) -> None:
    """A design with its first version. What is wrong with the files was said before; should the
    commit fail all the same, nothing is left of it.

    An empty design of that name is filled: it may be what a hub that died in the middle left
    behind, and whoever sends the form again gets what they wanted."""
    hub, form = this_hub(), request.form
    paths = uploads.placed(given, there=())
    files = {path: each.file for path, each in paths.items()}
    picture_path = f"picture{uploads.check_picture(picture)}" if picture is not None else None
    if picture is not None and picture_path is not None:
        files[picture_path] = picture.file
    if readme is not None:
        files[uploads.README] = readme
    files[uploads.MANIFEST] = folder / "manifest"
    files[uploads.MANIFEST].write_bytes(
        uploads.first_manifest(
            title=" ".join(form.get("title", "").split())[:200] or slug,
            function=" ".join(form.get("description", "").split())[:4_000],
            licence=form.get("licence", ""),
            licensor=g.caller.name,
            repo=f"{base_url()}/{g.caller.name}/{slug}",
            meshes=list(paths),
            picture=picture_path,
            readme=readme is not None,
        )
    )
    design = _filled(slug) or _created(slug)
    try:
        upload.commit(design, files, base=None, message="First version")
    except (HubError, OSError):
        with hub.database.writing() as session:
            # Another click may have filled it meanwhile.
            empty = not queries.refs(session, design.id)
            if empty:
                catalogue.forget(session, session.get_one(DesignRow, design.id))
        if empty:
            hub.store.discard(design.id)
        raise


def _own(owner: str, slug: str) -> DesignRow:
    with this_hub().database.reading() as session:
        return access.own_design(session, g.caller, owner=owner, name=slug)


def _new_page(*, fault: HubError | None = None) -> ResponseReturnValue:
    page = render_template(
        "design_new.html",
        typed=request.form,
        licences=design_words.CHOICES,
        most=this_hub().settings.upload_bytes,
        most_files=uploads.MOST_FILES,
        at=f"{base_url()}/{g.caller.name}/",
        fault=fault,
    )
    return page, 200 if fault is None else status_of(fault)


def _settings_page(design: DesignRow, *, fault: Lazy | None = None) -> ResponseReturnValue:
    with this_hub().database.reading() as session:
        refs = queries.refs(session, design.id)
    page = render_template(
        "design_settings.html",
        design=design,
        owner=g.caller.name,
        private=design.visibility is Visibility.PRIVATE,
        yours=True,
        word=refs[0].version.commit[:12] if refs else "",
        said=SAID.get(request.args.get("said", "")),
        days=catalogue.RESTORE_DAYS,
        seen=state_of(design),
        typed=request.form,
        fault=fault,
    )
    return page, 200 if fault is None else 409
