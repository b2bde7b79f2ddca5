"""What people write in Markdown, as HTML that may stand in a page of ours.

CommonMark with tables and strikethrough, without HTML of the writer's own; what comes out passes an
allow-list once more. Headings are one's own outline below a page's, so they go down two levels and
their anchors begin with `PREFIX`. Links and pictures of the same design lead to the same commit;
a picture from elsewhere becomes a link, for no page of ours contacts another host.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from posixpath import normpath
from urllib.parse import quote, unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from designhub.language import gettext as _
from designhub.language import spoken

MOST_CHARACTERS = 100_000
"""Longer texts are cut: what nests and repeats by intent takes longer than its length."""
MOST_NESTING = 20
PREFIX = "text-"
REL = "nofollow noopener noreferrer ugc"
DOWN = 2
DEEPEST = 6

TAGS = {
    *("a", "blockquote", "br", "code", "em", "hr", "img", "li", "ol", "p", "pre", "s", "strong"),
    *("table", "tbody", "td", "th", "thead", "tr", "ul", "h3", "h4", "h5", "h6"),
}
ATTRIBUTES = {
    "a": {"href", "rel", "title"},
    "img": {"src", "alt", "title", "loading"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "table": {"tabindex"},
    **{f"h{level}": {"id"} for level in range(3, DEEPEST + 1)},
}
SPACES = re.compile(r"\s+")
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands, and where its neighbours are shown: addresses without a slash at their
    end, of one commit."""

    folder: str = ""
    files: str = ""
    raw: str = ""


def rendered(text: str, place: Place) -> str:
    """Markdown as safe HTML. Of a text that is too long only its beginning is shown, and says so.

    Never raises for anything written."""
    cut = len(text) > MOST_CHARACTERS
    shown = _rendered(text[:MOST_CHARACTERS].replace("\0", ""), place, spoken().code)
    if cut:
        shown += f"<p><em>{escape(_('The text goes on; the file has all of it.'))}</em></p>"
    return shown


@lru_cache(maxsize=64)
def _rendered(text: str, place: Place, _language: str) -> str:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MOST_NESTING})
    parser.enable(["table", "strikethrough"])
    parser.validateLink = _is_any_link  # type: ignore[method-assign]  # judged below
    tokens = parser.parse(text)
    _headings(tokens)
    for token in tokens:
        if token.children is not None:
            token.children = _inline(token.children, place)
    html = parser.renderer.render(tokens, parser.options, {})
    for wide in ("pre", "table"):  # rolled sideways when wider than the page, by the keyboard too
        html = html.replace(f"<{wide}>", f'<{wide} tabindex="0">')
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        link_rel=None,
        url_schemes={"http", "https", "mailto"},
    )


def _is_any_link(url: str) -> bool:
    return True


def _headings(tokens: list[Token]) -> None:
    taken: dict[str, int] = {}
    for position, token in enumerate(tokens):
        if token.type not in ("heading_open", "heading_close"):
            continue
        token.tag = f"h{min(int(token.tag[1]) + DOWN, DEEPEST)}"
        if token.type == "heading_open":
            token.attrSet("id", _anchor(tokens[position + 1].content, taken))


def _anchor(heading: str, taken: dict[str, int]) -> str:
    plain = NOT_IN_ANCHORS.sub("", heading.strip().lower())
    name = PREFIX + SPACES.sub("-", plain)[:80]
    number = taken[name] = taken.get(name, -1) + 1
    return f"{name}-{number}" if number else name


def _inline(children: list[Token], place: Place) -> list[Token]:
    """Links and pictures of a paragraph, each judged; what is not allowed leaves its text."""
    kept: list[Token] = []
    links: list[bool] = []
    for token in children:
        if token.type == "link_open":
            allowed = _point(token, "href", _link, place)
            links.append(allowed)
            if allowed:
                kept.append(token)
        elif token.type == "link_close":
            if links and links.pop():
                kept.append(token)
        elif token.type == "image":
            kept += _picture(token, place, inside=any(links))
        else:
            kept.append(token)
    return kept


def _point(
    token: Token, name: str, judge: Callable[[str, Place], str | None], place: Place
) -> bool:
    address = judge(str(token.attrGet(name) or ""), place)
    if address is None:
        return False
    token.attrSet(name, address)
    if address.startswith(("http:", "https:")):
        token.attrSet("rel", REL)
    return True


def _picture(token: Token, place: Place, *, inside: bool) -> list[Token]:
    alt = "".join(each.content for each in token.children or ()) or token.content
    source = str(token.attrGet("src") or "")
    address = None if _is_foreign(source) else _neighbour(source, place.folder, place.raw)
    if address is not None:
        token.attrSet("src", address.partition("#")[0])
        token.attrSet("loading", "lazy")
        return [token]
    label = Token("text", "", 0, content=alt or _("a picture"))
    if inside or not _is_foreign(source):
        return [label]
    opened = Token("link_open", "a", 1, attrs={"href": source, "rel": REL})
    return [opened, label, Token("link_close", "a", -1)]


def _link(address: str, place: Place) -> str | None:
    if address.startswith("#"):
        return f"#{PREFIX}{address[1:]}" if len(address) > 1 else None
    if _is_foreign(address) or address.lower().startswith("mailto:"):
        return address
    return _neighbour(address, place.folder, place.files)


def _is_foreign(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))


def _neighbour(address: str, folder: str, base: str) -> str | None:
    """The address at which a file of the same design is shown; None for what is no path in it."""
    try:
        split = urlsplit(address)
    except ValueError:
        return None
    if split.scheme or split.netloc or not base or "\\" in address:
        return None
    path = unquote(split.path, errors="replace")
    whole = path if path.startswith("/") else f"{folder}/{path}"
    inside = normpath(whole.lstrip("/") or ".")
    if not path or inside.startswith("../") or inside in (".", "..") or "\x00" in inside:
        return None
    anchor = f"#{PREFIX}{split.fragment}" if split.fragment else ""
    return f"{base}/{quote(inside)}{anchor}"
