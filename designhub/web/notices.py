"""Notices: what happened that concerns the reader, and how many of them are new."""

import threading
import time
from collections.abc import Mapping
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from basis import clock
from designhub import access
from designhub.api.designs import whole_number
from designhub.hub import this_hub
from designhub.language import Lazy, lazy
from designhub.models import AccountRow
from designhub.web.session import signed_in
from designs import queries as designs
from router import notices
from router.notices import Notice

bp = Blueprint("notices", __name__)

PAGE = 30
REMEMBERED_S = 30.0
"""How old the count in the header may be."""

AS_MAKER: Mapping[str, tuple[Lazy, str]] = {
    "job.sliced": (lazy("It is ready to be printed and waits for its printer."), "good"),
    "job.costs_more": (lazy("It needs much more than was quoted. The workshop decides."), "warn"),
    "job.agree": (lazy("The workshop makes it at the quoted price."), "good"),
    "job.refuse": (lazy("It cannot be made on this printer. Order it elsewhere."), "bad"),
    "job.run_failed": (lazy("The print failed. The workshop decides on another try."), "bad"),
    "job.retry": (lazy("The workshop tries once more."), ""),
    "job.begun": (
        lazy("Some of a plate were not good. The workshop decides on another try."),
        "bad",
    ),
    "job.pass": (lazy("It is made, and a person found it good."), "good"),
    "job.receive": (lazy("It was handed over."), "good"),
    "job.cancel": (lazy("It was cancelled."), "warn"),
    "run.start": (lazy("The print began."), ""),
    "message": (lazy("There is a message for you."), ""),
}
AS_WORKSHOP: Mapping[str, tuple[Lazy, str]] = {
    "job.sliced": (lazy("A job is ready for this printer."), ""),
    "job.costs_more": (lazy("It needs much more than was quoted. You decide."), "warn"),
    "job.run_failed": (lazy("A try failed. Look at the bed, then decide on another."), "bad"),
    "job.receive": (lazy("Its maker has received it."), "good"),
    "job.cancel": (lazy("Its maker cancelled it."), "warn"),
    "run.finish": (lazy("The print ended. Look at the part, then clear the bed."), "warn"),
    "run.waits_filament": (
        lazy("The print waits for filament: load it and press resume at the printer."),
        "warn",
    ),
    "run.waits_printer": (
        lazy("The printer itself paused: look whether its filament ran out."),
        "warn",
    ),
    "run.pause": (lazy("The print paused and waits for somebody."), "warn"),
    "run.expire": (lazy("Its agent fell silent while it may print. Look at the printer."), "bad"),
    "run.moves_unbidden": (lazy("The printer moves without leave. Look at it now."), "bad"),
    "message": (lazy("There is a message for you."), ""),
}

_counts: dict[UUID, tuple[float, int]] = {}
_lock = threading.Lock()


@bp.get("/me/notices")
@signed_in
def show() -> ResponseReturnValue:
    """The newest first."""
    before = whole_number("before", most=1 << 53) or None
    with this_hub().database.reading() as database:
        found = notices.page(database, g.caller.id, now=clock.now(), before=before, most=PAGE + 1)
        shown = found[:PAGE]
        seen = database.get_one(AccountRow, g.caller.id).notices_seen
        titles = designs.titles(database, {each.part_id for each in shown})
        names = access.names_of(database, {each.maker_id for each in shown})
    return render_template(
        "me_notices.html",
        notices=shown,
        titles=titles,
        names=names,
        seen=seen,
        said=said,
        newest=shown[0].id if shown and before is None else 0,
        next=shown[-1].id if len(found) > PAGE else None,
        before=before,
    )


@bp.post("/me/notices/read")
@signed_in
def read() -> ResponseReturnValue:
    """Everything up to what was shown is read; what came meanwhile is not."""
    told = request.form.get("newest", "")
    newest = int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 0
    with this_hub().database.writing() as database:
        database.execute(
            update(AccountRow)
            .where(AccountRow.id == g.caller.id, AccountRow.notices_seen < newest)
            .values(notices_seen=newest)
        )
    with _lock:
        _counts.pop(g.caller.id, None)
    return redirect("/me/notices", 303)


def said(notice: Notice) -> tuple[Lazy, str]:
    """A notice in words for its reader, and how it is marked."""
    return (AS_MAKER if notice.as_maker else AS_WORKSHOP)[notice.what]


def count() -> int:
    """How many are unread, for the header: one statement, and none for half a minute after it. A
    page is shown without the figure rather than not at all."""
    kept = session.get("account")
    if kept is None:
        return 0
    account_id, now = UUID(kept), time.monotonic()
    with _lock:
        until, known = _counts.get(account_id, (0.0, 0))
    if now < until:
        return known
    seen = select(AccountRow.notices_seen).where(AccountRow.id == account_id).scalar_subquery()
    try:
        with this_hub().database.reading() as database:
            found = notices.unread(database, account_id, seen=seen, now=clock.now())
    except SQLAlchemyError:
        return 0
    with _lock:
        if len(_counts) > 1_000:
            _counts.clear()
        _counts[account_id] = (now + REMEMBERED_S, found)
    return found
