"""Looking at a design in one of its versions."""

import re
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis.errors import HubError
from designhub import access
from designhub.hub import Hub, base_url, this_hub
from designhub.web import design_words, kit
from designhub.web.design_words import ShownPart
from designhub.web.kit import Offered
from designhub.web.live import later
from designhub.web.markdown import Place, rendered
from designhub.web.session import viewer
from designs import manifest, queries
from designs.models import Analysis, DesignRow, RefRow, VersionRow, Visibility
from router.quoting import MOST_COPIES

bp = Blueprint("designs", __name__)

MOST_README_BYTES = 400_000
MOST_ROOT_FILES = 1_000
LOOK_AGAIN_S = 5
SPDX_ID = re.compile(r"(?!LicenseRef-)[A-Za-z0-9.+-]+")
"""One licence that spdx.org has a page of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readme:
    """A README ready to be shown: as HTML of ours, or as the text it is."""

    path: str
    html: str = ""
    text: str = ""
    fault: str = ""


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
    said = (version.manifest if version else None) or {}
    parts = [design_words.part(row) for row in version.parts] if version else []
    return render_template(
        "design.html",
        design=design,
        owner=owner,
        private=design.visibility is Visibility.PRIVATE,
        yours=caller is not None and caller.id == design.owner_id,
        clone=f"{base_url()}/{owner}/{slug}.git",
        refs=refs,
        version=version,
        names=[design_words.ref_name(ref) for ref in refs if _is_of(ref, version)],
        word=version_word(refs, version) if version else "",
        measuring=version is not None and version.analysis is Analysis.DUE,
        look_again_s=LOOK_AGAIN_S,
        licence=design_words.licence(said.get("licence") or {}),
        faults=said.get("faults") or [],
        manifest_path=_manifest_path(hub, design, version) if said.get("faults") else None,
        parts=parts,
        pictured=[part for part in parts if part.row.mesh.picture_sha256],
        ready=[part for part in parts if part.ready],
        all_parts=kit.address([part.row.id for part in parts if part.ready]),
        kit=[Offered(row=each.row, design=design, copies=1) for each in parts if each.ready],
        most_copies=MOST_COPIES,
        readme=_readme(hub, design, version, f"/{owner}/{slug}") if version else None,
        design_words=design_words,
        card=_card(design, owner, version, parts),
    )


@bp.get("/<owner>/<slug>/events")
def events(owner: str, slug: str) -> ResponseReturnValue:
    """A page of a version that is measured asks here for news. Measuring takes seconds, so no
    thread is held for it: the page is told to look again by itself."""
    with this_hub().database.reading() as session:
        access.design(session, viewer(), owner=owner, name=slug)
    return later(LOOK_AGAIN_S)


def version_word(refs: list[RefRow], version: VersionRow) -> str:
    """A version in addresses: a tag, else a branch, else its commit. A name with a slash would
    look like a folder."""
    names = [ref.ref for ref in refs if _is_of(ref, version)]
    for kind in ("refs/tags/", "refs/heads/"):
        for name in names:
            if name.startswith(kind) and "/" not in name.removeprefix(kind):
                return name.removeprefix(kind)
    return version.commit[:12]


def _card(
    design: DesignRow, owner: str, version: VersionRow | None, parts: list[ShownPart]
) -> dict[str, object]:
    """What a search engine is told of a design (schema.org)."""
    address = f"{base_url()}/{owner}/{design.slug}"
    card: dict[str, object] = {
        "@type": "3DModel" if parts else "CreativeWork",
        "name": design.title,
        "url": address,
        "author": {"@type": "Person", "name": owner, "url": f"{base_url()}/{owner}"},
        "dateCreated": design.created_at.date().isoformat(),
    }
    if design.description:
        card["description"] = design.description[:500]
    if version is not None and SPDX_ID.fullmatch(version.licence):
        card["license"] = f"https://spdx.org/licenses/{version.licence}"
    pictured = [part.row.id for part in parts if part.row.mesh.picture_sha256]
    if pictured:
        card["image"] = f"{base_url()}/parts/{pictured[0]}.png"
    if parts:
        card["encoding"] = [
            {
                "@type": "MediaObject",
                "name": part.row.name,
                "contentUrl": f"{base_url()}/parts/{part.row.id}.stl",
                "encodingFormat": "model/stl",
            }
            for part in parts
            if part.ready
        ]
    return card


def _is_of(ref: RefRow, version: VersionRow | None) -> bool:
    return version is not None and ref.version_id == version.id


def _version(
    session: Session, design: DesignRow, refs: list[RefRow], wanted: str | None
) -> VersionRow | None:
    """The version to show, with its parts; None while nothing was pushed."""
    if not refs and wanted is None:
        return None
    return queries.version(session, design_id=design.id, name=wanted)


def _readme(hub: Hub, design: DesignRow, version: VersionRow, address: str) -> Readme | None:
    """The README. What cannot be read says so: the page is still of use."""
    if not version.readme:
        return None
    try:
        entry = hub.store.at(design.id, version.commit, version.readme)
        data = hub.store.blob(design.id, entry.id, most_bytes=MOST_README_BYTES)
    except HubError as exc:
        return Readme(path=version.readme, fault=str(exc))
    text = data.decode("utf-8", "replace")
    if not version.readme.lower().endswith((".md", ".markdown")):
        return Readme(path=version.readme, text=text)
    place = Place(files=f"{address}/files/{version.commit}", raw=f"{address}/raw/{version.commit}")
    return Readme(path=version.readme, html=rendered(text, place))


def _manifest_path(hub: Hub, design: DesignRow, version: VersionRow | None) -> str | None:
    """Where the manifest lies whose faults are shown; None when there is none."""
    if version is None:
        return None
    try:
        root = hub.store.folder_at(design.id, version.commit, most=MOST_ROOT_FILES)
    except HubError:
        return None
    return next(iter(manifest.find(entry.path for entry in root)), None)
