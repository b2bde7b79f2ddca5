"""What became of a design over time: its releases and branches, and which parts changed."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from designhub import access
from designhub.api.designs import whole_number
from designhub.hub import base_url, this_hub
from designhub.language import gettext as _
from designhub.language import ngettext
from designhub.web import design_words
from designhub.web.session import viewer
from designs import queries
from designs.models import Analysis, RefRow, VersionRow, Visibility

bp = Blueprint("versions", __name__)

PAGE = 30
MESSAGE_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One version with everything that names it, and how its parts differ from the one before."""

    row: VersionRow
    refs: list[RefRow]
    changes: str

    @property
    def message(self) -> str:
        """The first paragraph of what its author said."""
        return self.row.message.strip().split("\n\n")[0][:MESSAGE_CHARACTERS]


@bp.get("/<owner>/<slug>/versions")
def show(owner: str, slug: str) -> ResponseReturnValue:
    """The newest first, a page of them at a time."""
    caller = viewer()
    after = whole_number("after", most=1_000_000)
    with this_hub().database.reading() as session:
        design = access.design(session, caller, owner=owner, name=slug)
        refs = queries.refs(session, design.id)
        named = _named(refs)
        page = named[after : after + PAGE + 1]
        meshes = queries.meshes_of(session, [row.id for row, _refs in page])
    shown = [
        Shown(
            row=row,
            refs=of_it,
            changes=_changes(row, page[place + 1][0] if place + 1 < len(page) else None, meshes),
        )
        for place, (row, of_it) in enumerate(page[:PAGE])
    ]
    return render_template(
        "versions.html",
        design=design,
        owner=owner,
        private=design.visibility is Visibility.PRIVATE,
        yours=caller is not None and caller.id == design.owner_id,
        clone=f"{base_url()}/{owner}/{slug}.git",
        versions=shown,
        word=refs[0].version.commit[:12] if refs else "",
        design_words=design_words,
        next=after + PAGE if len(page) > PAGE else None,
    )


def _named(refs: list[RefRow]) -> list[tuple[VersionRow, list[RefRow]]]:
    """Each version once, with the tags and branches that name it, by the moment of its commit."""
    found: dict[int, tuple[VersionRow, list[RefRow]]] = {}
    for ref in refs:
        found.setdefault(ref.version_id, (ref.version, []))[1].append(ref)
    return sorted(found.values(), key=lambda each: (each[0].committed_at, each[0].id), reverse=True)


def _changes(
    row: VersionRow, before: VersionRow | None, meshes: Mapping[int, Mapping[str, int]]
) -> str:
    """How the parts of a version differ from those of the one before, in words."""
    if row.analysis is Analysis.DUE:
        return _("being measured")
    now = meshes.get(row.id, {})
    if before is None:
        return ngettext("%(n)s part", "%(n)s parts", len(now))
    if before.analysis is Analysis.DUE:
        return ""
    old = meshes.get(before.id, {})
    new = len(now.keys() - old.keys())
    gone = len(old.keys() - now.keys())
    changed = sum(old[path] != now[path] for path in now.keys() & old.keys())
    told = [
        ngettext("%(n)s part changed", "%(n)s parts changed", changed) if changed else "",
        ngettext("%(n)s new part", "%(n)s new parts", new) if new else "",
        ngettext("%(n)s part gone", "%(n)s parts gone", gone) if gone else "",
    ]
    return ", ".join(filter(None, told)) or _("the same parts")
