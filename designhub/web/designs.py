"""Looking at a design with one of its versions, and the pictures of parts."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, send_file
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis.errors import HubError, NotFound
from designhub import access
from designhub.auth import Caller
from designhub.hub import Hub, base_url, this_hub
from designhub.web.session import viewer
from designs import queries
from designs.facts import MeshFacts
from designs.models import Analysis, DesignRow, PartRow, RefRow, VersionRow, Visibility

bp = Blueprint("designs", __name__)

MOST_README_BYTES = 200_000
PICTURE_S = 3_600
"""How long anybody may keep a public picture; a design may become private meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPart:
    """A part with its facts read, if there are any."""

    row: PartRow
    facts: MeshFacts | None


@bp.get("/<owner>/<slug>")
def show(owner: str, slug: str) -> ResponseReturnValue:
    """One design and one of its versions: the newest release, or the one that is asked for."""
    if slug.endswith(".git"):  # somebody opened the clone address
        return redirect(f"/{owner}/{slug.removesuffix('.git')}")
    hub, caller = this_hub(), viewer()
    wanted = request.args.get("version") or None
    with hub.database.reading() as session:
        design = access.design(session, caller, owner=owner, name=slug)
        refs = queries.refs(session, design.id)
        version = _version(session, design, refs, wanted)
    return render_template(
        "design.html",
        design=design,
        owner=owner,
        private=design.visibility is Visibility.PRIVATE,
        yours=caller is not None and caller.id == design.owner_id,
        clone=f"{base_url()}/{owner}/{slug}.git",
        refs=refs,
        version=version,
        measuring=version is not None and version.analysis is Analysis.DUE,
        manifest=(version.manifest if version else None) or {},
        parts=[_shown(row) for row in version.parts] if version else [],
        readme=_readme(hub, design, version) if version else None,
    )


@bp.get("/parts/<int:part_id>.png")
def picture(part_id: int) -> ResponseReturnValue:
    """The picture of a part; of a private design only for its owner."""
    hub = this_hub()
    with hub.database.reading() as session:
        part, _, design = queries.part(session, part_id)
        public = design.visibility is Visibility.PUBLIC
        caller: Caller | None = None if public else viewer()
        hidden = design.deleted_at is not None or not queries.may_see(design, access.reader(caller))
    sha256 = part.mesh.picture_sha256
    if hidden or sha256 is None:
        raise NotFound(f"there is no picture of part {part_id}")
    answer = send_file(hub.blobs.path(sha256), mimetype="image/png", conditional=True, etag=sha256)
    keep = f"public, max-age={PICTURE_S}" if public else "private, no-cache"
    answer.headers["Cache-Control"] = keep
    return answer


def _version(
    session: Session, design: DesignRow, refs: list[RefRow], wanted: str | None
) -> VersionRow | None:
    """The version to show, with its parts; None while nothing was pushed."""
    if not refs and wanted is None:
        return None
    return queries.version(session, design_id=design.id, name=wanted)


def _shown(row: PartRow) -> ShownPart:
    stored: dict[str, Any] | None = row.mesh.facts
    return ShownPart(row=row, facts=MeshFacts.from_json(stored) if stored is not None else None)


def _readme(hub: Hub, design: DesignRow, version: VersionRow) -> str | None:
    """The README as it is written. What cannot be read says so: the page is still of use."""
    if not version.readme:
        return None
    try:
        entry = hub.store.at(design.id, version.commit, version.readme)
        data = hub.store.blob(design.id, entry.id, most_bytes=MOST_README_BYTES)
    except HubError as exc:
        return f"The README cannot be shown here: {exc}"
    return data.decode("utf-8", "replace")
