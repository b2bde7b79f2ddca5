"""The open book, for everybody."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from basis.clock import iso
from commons import audit, queries
from designhub.api import schema
from designhub.api.designs import whole_number
from designhub.api.openapi import describes
from designhub.hub import this_hub

bp = Blueprint("book_api", __name__, url_prefix="/api/v1")


@bp.get("/book/entries")
@describes(
    "Entries of the book",
    gives=schema.BookEntries,
    query={"before": "a sequence number; only older entries", "kind": "only entries of one kind"},
)
def entries() -> ResponseReturnValue:
    """The newest first; the whole book as it is hashed: `/book/entries.jsonl`."""
    before = whole_number("before", most=10**15) or None
    with this_hub().database.reading() as session:
        page = queries.entries(session, before=before, kind=request.args.get("kind") or None)
    return schema.BookEntries(
        entries=[
            schema.BookEntry(
                seq=each.seq,
                key=each.key,
                kind=each.kind,
                at=iso(each.at),
                recorded=iso(each.recorded),
                by=each.by,
                body=dict(each.body),
                prev=each.prev,
                hash=each.hash,
            )
            for each in page.entries
        ],
        next=page.before,
    ).to_json()


@bp.get("/book/head")
@describes("The last entry", gives=schema.BookHead)
def head() -> ResponseReturnValue:
    """Keep it: it shows later that nothing before it was changed or cut off."""
    with this_hub().database.reading() as session:
        last = audit.head(session)
    return schema.BookHead(seq=last.seq, hash=last.hash).to_json()


@bp.get("/book/balances")
@describes(
    "Balances",
    gives=schema.Balances,
    query={"account": "the beginning of account names, such as workshop: or design:4"},
)
def balances() -> ResponseReturnValue:
    """What stands on each account, zero balances left out."""
    with this_hub().database.reading() as session:
        found = queries.balances(session, prefix=request.args.get("account", ""))
    return schema.Balances(
        balances=[
            schema.Balance(account=each.account, unit=each.unit, amount=str(each.amount))
            for each in found
        ]
    ).to_json()
