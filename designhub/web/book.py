"""The open book for people: its entries in words, what stands where, the whole story of an order,
and all of it to take away and check."""

from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from uuid import UUID

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.db import Database
from basis.errors import NotFound
from commons import audit, queries
from designhub.api.designs import whole_number
from designhub.hub import base_url, this_hub
from designhub.web import book_figures
from designhub.web.book_story import story
from designhub.web.book_words import ACCOUNTS, KINDS, OUTCOMES
from router.queries import jobs_of

bp = Blueprint("book", __name__)

LINES = 500
"""Entries read in one transaction while the book is sent."""

MOST_BALANCES = 100
MOST_DEBTS = 50
MOST_SEQ = 10**15
MOST_NAME = 300


@bp.get("/book")
def show() -> ResponseReturnValue:
    """The newest entries, or those before a number, of one kind, about one name; and plots of what
    everything took."""
    before = whole_number("before", most=MOST_SEQ) or None
    kind, about = request.args.get("kind", ""), _name("about")
    if kind not in KINDS:
        kind = ""
    hub = this_hub()
    with hub.database.reading() as session:
        sums = book_figures.sums(hub.database, session)
        page = queries.entries(session, before=before, kind=kind or None, about=about or None)
    whole = not (before or kind or about)
    today = clock.now().date()
    period = book_figures.period_of(request.args.get("per", ""), sums.first_day, today)
    return render_template(
        "book.html",
        page=page,
        sums=sums,
        kinds=KINDS,
        kind=kind,
        about=about,
        before=before,
        whole=whole,
        period=period,
        plots=book_figures.plots(sums.days, period=period, today=today) if whole else [],
    )


@bp.get("/book/balances")
def balances() -> ResponseReturnValue:
    """Who owes whom, and what stands on the accounts."""
    account, after = _name("account"), _name("after")
    hub = this_hub()
    with hub.database.reading() as session:
        sums = book_figures.sums(hub.database, session)
        debts = queries.debts(session, most=MOST_DEBTS + 1)
        found = queries.balances(session, prefix=account, after=after, most=MOST_BALANCES + 1)
    shown = found[:MOST_BALANCES]
    if torn := found[MOST_BALANCES:]:  # the units of one account stay on one page
        shown = [each for each in shown if each.account != torn[0].account] or shown
    return render_template(
        "book_balances.html",
        sums=sums,
        debts=debts[:MOST_DEBTS],
        more_debts=len(debts) > MOST_DEBTS,
        account=account,
        after=after,
        balances=shown,
        next_after=shown[-1].account if torn else None,
        kinds=ACCOUNTS,
    )


@bp.get("/book/check")
def check() -> ResponseReturnValue:
    """How anybody checks the book without this hub."""
    with this_hub().database.reading() as session:
        head = queries.head(session)
    return render_template("book_check.html", head=head, url=base_url())


@bp.get("/book/entries/<int:seq>")
def entry(seq: int) -> ResponseReturnValue:
    """One entry: its sentence, its legs, its place in the chain, and the line that is hashed."""
    with this_hub().database.reading() as session:
        found = queries.entry(session, seq) if seq <= MOST_SEQ else None
        if found is None:
            raise NotFound(f"the book has no entry {seq}")
        line = queries.line(session, seq) or b""
        last = queries.head(session).seq
    return render_template("book_entry.html", entry=found, line=line.decode().rstrip(), last=last)


@bp.get("/book/orders/<uuid:order_id>")
def order(order_id: UUID) -> ResponseReturnValue:
    """What an order took, and what is owed for it to whom: public, as every entry of it is."""
    name = f"order:{order_id}"
    with this_hub().database.reading() as session:
        jobs = [f"job:{job}" for job in jobs_of(session, order_id)]
        told = story(queries.order_story(session, name, jobs=jobs))
    if told.reserved is None:
        raise NotFound(f"the book has no order {order_id}")
    return render_template("book_order.html", name=name, story=told, outcomes=OUTCOMES)


@bp.get("/book/entries.jsonl")
def entries() -> ResponseReturnValue:
    """Every entry up to now, one a line, as it was hashed; with `after` only those that follow."""
    after = whole_number("after", most=MOST_SEQ)
    database = this_hub().database
    with database.reading() as session:
        last = audit.head(session).seq
    answer = Response(_lines(database, after=after, last=last), mimetype="application/jsonl")
    answer.headers["Content-Disposition"] = "attachment; filename=entries.jsonl"
    return answer


@bp.get("/book/verify.py")
def verifier() -> ResponseReturnValue:
    """The program that checks a copy of the book without this hub: Python, nothing else needed."""
    text = files("commons").joinpath("verify.py").read_bytes()
    answer = Response(text, mimetype="text/x-python")
    answer.headers["Content-Disposition"] = "attachment; filename=verify.py"
    return answer


def _lines(database: Database, *, after: int, last: int) -> Iterator[bytes]:
    """Some entries at a time, each time in a transaction of its own: a slow reader holds none open,
    and whatever the size of the book only one piece of it is in memory. Entries are numbered
    without gaps and never change, so the pieces fit."""
    while after < last:
        with database.reading() as session:
            piece = list(islice(audit.export(session, after=after), min(LINES, last - after)))
        if not piece:
            return
        yield b"".join(piece)
        after += len(piece)


def _name(argument: str) -> str:
    return request.args.get(argument, "").strip()[:MOST_NAME]
