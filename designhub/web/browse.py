"""The list of designs: searched, narrowed and in an order, a page at a time."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from designhub import access
from designhub.api.designs import whole_number
from designhub.hub import this_hub
from designhub.language import _, lazy
from designhub.web.cards import cards
from designhub.web.session import viewer
from designs import catalogue, finding
from designs.finding import MOST_WORDS, Sort, Wish

bp = Blueprint("browse", __name__)

PAGE = 24
MOST_LETTERS = 200
BED = re.compile(r"([0-9]{1,4})\s*[x×*, ]\s*([0-9]{1,4})\s*[x×*, ]\s*([0-9]{1,4})(?:\s*mm)?")
SORTS = (
    (Sort.BEST, lazy("Best match")),
    (Sort.NEWEST, lazy("Newest first")),
    (Sort.NAME, lazy("By name")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form says, as it was typed."""

    q: str
    licence: str
    fits: str
    sort: str

    @property
    def narrowed(self) -> bool:
        """Whether more is asked than words."""
        return bool(self.licence or self.fits)

    def address(self, **changes: Any) -> str:
        """This question with something changed, as an address."""
        said = {"q": self.q, "licence": self.licence, "fits": self.fits, "sort": self.sort}
        kept = {name: value for name, value in {**said, **changes}.items() if value}
        return "/designs" + (f"?{urlencode(kept)}" if kept else "")


@bp.get("/designs")
def designs() -> ResponseReturnValue:
    """Designs with every word that is asked for, which are of a licence or fit on a bed."""
    caller, asked = viewer(), _asked()
    reader_id, after = access.reader(caller), whole_number("after", most=1_000_000)
    words, ignored = _words(asked.q)
    bed_um = _bed_um(asked.fits)
    wish = Wish(words=words, licence=asked.licence, bed_um=bed_um, sort=_sort(asked.sort))
    with this_hub().database.reading() as session:
        rows = finding.find(session, wish, reader_id=reader_id, after=after, most=PAGE + 1)
        shown = cards(session, rows[:PAGE])
        licences = finding.licences(session)
        nowhere = [] if rows else finding.words_nowhere(session, words, reader_id=reader_id)
    if asked.licence and asked.licence not in licences:
        licences.append(asked.licence)
    wrong = bool(asked.fits) and bed_um is None
    return render_template(
        "designs.html",
        asked=asked,
        designs=shown,
        looked_for=words,
        ignored=ignored,
        nowhere=nowhere,
        licences=[("", _("any")), *((each, each) for each in licences)],
        sorts=SORTS,
        wrong_bed=_("Three lengths in millimetres, such as 220 × 220 × 250.") if wrong else None,
        first=after + 1,
        last=after + len(shown),
        before=asked.address(after=max(0, after - PAGE)) if after else None,
        next=asked.address(after=after + PAGE) if len(rows) > PAGE else None,
    )


def _asked() -> Asked:
    given = {
        name: request.args.get(name, "").strip()[:MOST_LETTERS]
        for name in ("q", "licence", "fits", "sort")
    }
    # What is so anyway needs no mention in an address.
    return Asked(**given | {"sort": "" if _sort(given["sort"]) is Sort.BEST else given["sort"]})


def _words(text: str) -> tuple[list[str], list[str]]:
    """The words that are looked for, each once, and what was typed beside them."""
    found = list(dict.fromkeys(catalogue.words_of(text)))
    pieces = text.casefold().split()
    short = [piece for piece in pieces if not catalogue.words_of(piece)]
    return found[:MOST_WORDS], [*short, *found[MOST_WORDS:]]


def _sort(text: str) -> Sort:
    return Sort(text) if text in frozenset(Sort) else Sort.BEST


def _bed_um(text: str) -> tuple[int, int, int] | None:
    """A bed as people write it, `220 x 220 x 250`; None for none, or one that cannot be read."""
    said = BED.fullmatch(text)
    if said is None:
        return None
    width, depth, height = (int(each) * 1_000 for each in said.groups())
    return width, depth, height
