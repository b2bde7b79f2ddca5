"""The open book: newest entries in words, balances, and the whole of it to take away and check."""

from collections.abc import Iterator
from importlib.resources import files
from itertools import islice

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from basis.db import Database
from commons import audit, queries
from designhub.api.designs import whole_number
from designhub.hub import this_hub

bp = Blueprint("book", __name__)

LINES = 500
"""Entries read in one transaction while the book is sent."""

MOST_BALANCES = 200
MOST_SEQ = 10**15


@bp.get("/book")
def show() -> ResponseReturnValue:
    """The newest entries, what is kept of the book's end, and what stands on the accounts."""
    before = whole_number("before", most=MOST_SEQ) or None
    account = request.args.get("account", "").strip()[:100]
    with this_hub().database.reading() as session:
        page = queries.entries(session, before=before)
        totals = queries.totals(session)
        balances = queries.balances(session, prefix=account, most=MOST_BALANCES + 1)
    return render_template(
        "book.html",
        page=page,
        totals=totals,
        account=account,
        balances=balances[:MOST_BALANCES],
        more_balances=len(balances) > MOST_BALANCES,
    )


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
