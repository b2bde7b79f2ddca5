"""What programs of others read: the feed of new versions, robots.txt and the map of the site.

All three are about public things alone, the same for everybody, and may be kept by anybody for a
while.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from xml.etree import ElementTree

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from basis.errors import NotFound
from designhub import access
from designhub.api.designs import whole_number
from designhub.hub import base_url, this_hub
from designs import finding, queries
from designs.models import DesignRow, VersionRow
from printers import queries as printers

bp = Blueprint("feeds", __name__)

ENTRIES = 50
MOST_ADDRESSES = 5_000
"""In one file of the site map; more designs make an index of several."""
KEEP_S = 600
ATOM = "http://www.w3.org/2005/Atom"
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Letters that no XML document may hold, however they are written."""

ROBOTS = """\
User-agent: *
Disallow: /api/
Disallow: /jobs/
Disallow: /language/
Disallow: /make/
Disallow: /me
Disallow: /orders
Disallow: /sign-in
Disallow: /sign-up
Disallow: /*?version=
Sitemap: {base}/sitemap.xml
"""


@bp.get("/designs.atom")
def feed() -> ResponseReturnValue:
    """The newest versions of public designs (RFC 4287)."""
    with this_hub().database.reading() as session:
        rows = finding.newest_versions(session, most=ENTRIES)
        names = access.names_of(session, {design.owner_id for _, design, _ in rows})
        pictures = queries.pictures_of(session, [version.id for version, _, _ in rows])
    base, newest = base_url(), max((version.pushed_at for version, _, _ in rows), default=None)
    root = _element("feed", xmlns=ATOM)
    _add(root, "id", f"{base}/designs.atom")
    _add(root, "title", "DesignHub: newest designs")  # the same for all, whatever they speak
    _add(root, "updated", _moment(newest))
    _add(root, "link", rel="self", type="application/atom+xml", href=f"{base}/designs.atom")
    _add(root, "link", rel="alternate", type="text/html", href=f"{base}/designs")
    for version, design, tag in rows:
        picture = pictures.get(version.id)
        root.append(_entry(version, design, tag=tag, by=names[design.owner_id], picture=picture))
    answer = _xml(root, "application/atom+xml")
    answer.last_modified = newest
    return answer.make_conditional(request)


@bp.get("/robots.txt")
def robots() -> ResponseReturnValue:
    """What is of no use to a search engine."""
    answer = Response(ROBOTS.format(base=base_url()), content_type="text/plain; charset=utf-8")
    return _kept(answer)


@bp.get("/sitemap.xml")
def sitemap() -> ResponseReturnValue:
    """The addresses of all public pages; of a large hub, of the files that hold them."""
    number, base = whole_number("page", most=1_000_000), base_url()
    with this_hub().database.reading() as session:
        files = -(-finding.public_designs(session) // MOST_ADDRESSES) or 1
        if number > files:
            raise NotFound(f"the site map has {files} files")
        if files > 1 and number == 0:
            return _xml(
                _addresses("sitemapindex", "sitemap", _files(base, files)), "application/xml"
            ).make_conditional(request)
        first = max(number, 1) - 1
        rows = finding.public_addresses(session, after=first * MOST_ADDRESSES, most=MOST_ADDRESSES)
        names = access.names_of(session, {row[0] for row in rows})
        places = printers.whereabouts(session, most=MOST_ADDRESSES) if first == 0 else []
    pages: dict[str, datetime | None] = {}
    if first == 0:
        pages = dict.fromkeys(f"{base}{path}" for path in ("/", "/designs", "/workshops", "/about"))
        pages |= dict.fromkeys(f"{base}/workshops/{slug}" for slug, _, _ in places)
    pages |= {f"{base}/{names[owner]}/{slug}": at for owner, slug, at in rows}
    answer = _xml(_addresses("urlset", "url", pages), "application/xml")
    return answer.make_conditional(request)


def _entry(
    version: VersionRow, design: DesignRow, *, tag: str | None, by: str, picture: int | None
) -> ElementTree.Element:
    address = f"{base_url()}/{by}/{design.slug}"
    called = tag.removeprefix("refs/tags/") if tag else version.commit[:10]
    entry = _element("entry")
    _add(entry, "id", f"{address}?version={version.commit}")
    _add(entry, "title", f"{design.title} {called}")
    _add(entry, "updated", _moment(version.pushed_at))
    _add(entry, "published", _moment(version.pushed_at))
    _add(_add(entry, "author"), "name", by)
    _add(
        entry, "link", rel="alternate", type="text/html", href=f"{address}?version={version.commit}"
    )
    if picture is not None:
        href = f"{base_url()}/parts/{picture}.png"
        _add(entry, "link", rel="enclosure", type="image/png", href=href)
    _add(entry, "summary", design.description or design.title)
    if version.licence:
        _add(entry, "rights", version.licence)
    return entry


def _files(base: str, files: int) -> Mapping[str, datetime | None]:
    return {f"{base}/sitemap.xml?page={number}": None for number in range(1, files + 1)}


def _addresses(outer: str, inner: str, pages: Mapping[str, datetime | None]) -> ElementTree.Element:
    root = _element(outer, xmlns=SITEMAP)
    for address, changed in pages.items():
        each = _add(root, inner)
        _add(each, "loc", address)
        if changed is not None:
            _add(each, "lastmod", _moment(changed))
    return root


def _element(name: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.Element(name, attributes)


def _add(
    parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    made = ElementTree.SubElement(parent, name, attributes)
    if text is not None:
        made.text = NOT_IN_XML.sub("", text)
    return made


def _moment(at: datetime | None) -> str:
    """RFC 3339; of a feed without entries the beginning of time, as it must say one."""
    return "1970-01-01T00:00:00Z" if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _xml(root: ElementTree.Element, kind: str) -> Response:
    text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return _kept(Response(text, content_type=f"{kind}; charset=utf-8"))


def _kept(answer: Response) -> Response:
    answer.add_etag()
    answer.headers["Cache-Control"] = f"public, max-age={KEEP_S}"
    return answer
