"""The files of a design at one of its versions: looked at, taken away one by one or all as a zip.

Nothing of a stranger's is ever a page of ours: what a browser might run is text, a picture it
cannot run, or a download.
"""

import codecs
import re
from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, Response, render_template, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.http import dump_options_header

from basis.errors import NotFound
from designhub import access
from designhub.hub import this_hub
from designhub.web.designs import version_word
from designhub.web.markdown import Place, rendered
from designhub.web.session import viewer
from designs import objects, queries, sending
from designs.models import DesignRow, RefRow, VersionRow, Visibility
from designs.objects import Entry

bp = Blueprint("files", __name__)

MOST_ENTRIES = 2_000
MOST_SHOWN_BYTES = 512 << 10
MOST_LINES = 5_000
LINE_CHARACTERS = 2_000
MARKDOWN = (".md", ".markdown")
MESHES = (".stl", ".obj", ".3mf")
PICTURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)
SVG = re.compile(rb"\s*<(\?xml|!--|svg|!DOCTYPE svg)", re.IGNORECASE)
LINK_MODE = 0o120000
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
"""Of a file on its own: it runs nothing, loads nothing, and is of no origin."""
PICTURE_S = 3_600
NOT_IN_NAMES = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """A version that somebody may see."""

    design: DesignRow
    owner: str
    refs: list[RefRow]
    version: VersionRow
    word: str

    @property
    def address(self) -> str:
        return f"/{self.owner}/{self.design.slug}"

    @property
    def public(self) -> bool:
        return self.design.visibility is Visibility.PUBLIC


@bp.get("/<owner>/<slug>/files/<version>/")
@bp.get("/<owner>/<slug>/files/<version>/<path:path>")
def show(owner: str, slug: str, version: str, path: str = "") -> ResponseReturnValue:
    """A folder, or a file as far as it can be read."""
    at, store = _at(owner, slug, version), this_hub().store
    path = path.rstrip("/")
    found = store.at(at.design.id, at.version.commit, path) if path else None
    if found is None or found.kind == "tree":
        inside = store.folder_at(at.design.id, at.version.commit, path, most=MOST_ENTRIES)
        return _page("files.html", at, path, entries=_sorted(inside), most=MOST_ENTRIES)
    if found.kind != "blob" or found.mode == LINK_MODE:
        return _page("file.html", at, path, entry=found, kind="link")
    data = b""
    if found.size_bytes <= MOST_SHOWN_BYTES:
        data = store.blob(at.design.id, found.id, most_bytes=MOST_SHOWN_BYTES)
    kind = _kind_shown(path, found, data)
    text = data.decode("utf-8", "replace") if kind in ("text", "markdown") else ""
    plain = "plain" in request.args
    html = ""
    if kind == "markdown" and not plain:
        base = f"{at.address}/{{}}/{at.version.commit}"
        folder = path.rpartition("/")[0]
        place = Place(folder=folder, files=base.format("files"), raw=base.format("raw"))
        html = rendered(text, place)
    lines = text.splitlines()
    part = next((each for each in at.version.parts if each.path == path), None)
    return _page(
        "file.html",
        at,
        path,
        entry=found,
        kind=kind,
        html=html,
        lines=[line[:LINE_CHARACTERS] for line in lines[:MOST_LINES]],
        more_lines=max(0, len(lines) - MOST_LINES),
        part=part,
    )


@bp.get("/<owner>/<slug>/raw/<version>/<path:path>")
def raw(owner: str, slug: str, version: str, path: str) -> ResponseReturnValue:
    """A file as it is."""
    at, store = _at(owner, slug, version), this_hub().store
    found = store.at(at.design.id, at.version.commit, path)
    if found.kind != "blob" or found.mode == LINK_MODE:
        raise NotFound(f"{path[:200]!r} is not a file")
    if request.if_none_match.contains(found.id):
        return _guarded(Response(status=304), at, found.id)
    sent = sending.file(store, at.design.id, found.id)
    try:
        kind = _kind_sent(path, sent.beginning())
    except BaseException:
        sent.close()
        raise
    answer = Response(sent, mimetype=kind or "application/octet-stream")
    answer.content_length = found.size_bytes
    name = path.rpartition("/")[2]
    way = "inline" if kind else "attachment"
    answer.headers["Content-Disposition"] = _disposition(way, name)
    return _guarded(answer, at, found.id)


@bp.get("/<owner>/<slug>/archive/<version>.zip")
def archive(owner: str, slug: str, version: str) -> ResponseReturnValue:
    """Every file of a version."""
    at = _at(owner, slug, version)
    folder = NOT_IN_NAMES.sub("-", f"{slug}-{at.word}")
    if at.version.commit in request.if_none_match:
        return _guarded(Response(status=304), at, at.version.commit)
    sent = sending.archive(this_hub().store, at.design.id, at.version.commit, folder=folder)
    try:
        whole = bool(sent.beginning())
    except BaseException:
        sent.close()
        raise
    if not whole:
        sent.close()
        raise NotFound("this version cannot be packed: clone it with git")
    answer = Response(sent, mimetype="application/zip")
    answer.headers["Content-Disposition"] = _disposition("attachment", f"{folder}.zip")
    return _guarded(answer, at, at.version.commit)


@bp.get("/parts/<int:part_id>.stl")
def measured(part_id: int) -> ResponseReturnValue:
    """A part as it was measured and is sliced: binary STL, in mm, right side out."""
    with this_hub().database.reading() as session:
        part, _, design = access.part(session, viewer(), part_id)
    sha256 = part.mesh.stl_sha256
    if sha256 is None:
        raise NotFound(f"part {part_id} is not measured yet, or cannot be made")
    path = this_hub().blobs.path(sha256)
    answer = send_file(path, mimetype="model/stl", conditional=True, etag=sha256)
    answer.headers["Content-Disposition"] = _disposition("attachment", f"{part.slug}.stl")
    return _kept(answer, public=design.visibility is Visibility.PUBLIC)


def _at(owner: str, slug: str, version: str) -> _At:
    with this_hub().database.reading() as session:
        design = access.design(session, viewer(), owner=owner, name=slug)
        refs = queries.refs(session, design.id)
        row = queries.version(session, design_id=design.id, name=version)
    return _At(design=design, owner=owner, refs=refs, version=row, word=version_word(refs, row))


def _page(template: str, at: _At, path: str, **more: object) -> ResponseReturnValue:
    caller = viewer()
    steps = path.split("/") if path else []
    base = f"{at.address}/files/{quote(at.word, safe='')}/"
    crumbs = [(at.word, base if steps else None)]
    for number, step in enumerate(steps, 1):
        here = base + quote("/".join(steps[:number]))
        crumbs.append((objects.clean(step), here if number < len(steps) else None))
    return render_template(
        template,
        design=at.design,
        owner=at.owner,
        private=not at.public,
        yours=caller is not None and caller.id == at.design.owner_id,
        version=at.version,
        word=at.word,
        path=path,
        name=objects.clean(steps[-1]) if steps else "",
        base=base,
        raw=f"{at.address}/raw/{at.version.commit}/{quote(path)}",
        crumbs=crumbs,
        **more,
    )


def _sorted(entries: list[Entry]) -> list[tuple[str, Entry]]:
    """Folders first; each with the name that a page can hold."""
    named = [(objects.clean(each.path.rpartition("/")[2]), each) for each in entries]
    return sorted(named, key=lambda each: (each[1].kind != "tree", each[0].casefold()))


def _kind_shown(path: str, entry: Entry, data: bytes) -> str:
    """How a file is shown: `picture`, `markdown`, `text`, or `other` for a download."""
    if entry.size_bytes > MOST_SHOWN_BYTES:
        ending = path.lower().rpartition(".")[2]
        return "picture" if ending in ("png", "jpg", "jpeg", "gif", "webp") else "other"
    if _is_picture(data) or (path.lower().endswith(".svg") and SVG.match(data)):
        return "picture"
    if not _is_text(data):
        return "other"
    return "markdown" if path.lower().endswith(MARKDOWN) else "text"


def _kind_sent(path: str, data: bytes) -> str | None:
    """The type of a file that a browser may show by itself; None for a download."""
    if picture := _is_picture(data):
        return picture
    if path.lower().endswith(".svg") and SVG.match(data):
        return "image/svg+xml"
    if path.lower().endswith(MESHES) or not _is_text(data):
        return None
    return "text/plain"


def _is_picture(data: bytes) -> str | None:
    return next((kind for shape, kind in PICTURES if shape.match(data)), None)


def _is_text(data: bytes) -> bool:
    """Whether it is UTF-8; it may be cut off within a character."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _disposition(way: str, name: str) -> str:
    plain = NOT_IN_NAMES.sub("-", objects.clean(name)).encode("ascii", "replace").decode()
    header = dump_options_header(way, {"filename": plain.replace("?", "-")})
    return f"{header}; filename*=UTF-8''{quote(objects.clean(name), safe='')}"


def _guarded(answer: Response, at: _At, tag: str) -> Response:
    answer.headers["Content-Security-Policy"] = SANDBOX
    answer.set_etag(tag)
    return _kept(answer, public=at.public)


def _kept(answer: Response, *, public: bool) -> Response:
    """A public file may be kept for a while by anybody; a design may become private meanwhile."""
    answer.headers["Cache-Control"] = (
        f"public, max-age={PICTURE_S}" if public else "private, no-cache"
    )
    return answer
