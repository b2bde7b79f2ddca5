"""One binding quote, read once more before it is ordered; and asking anew when it ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, session
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import HubError
from designhub import access
from designhub.hub import this_hub
from designhub.web import kit, quote_words
from designhub.web.kit import Named
from designhub.web.make import bind
from designhub.web.quote_words import Bar, Source
from designhub.web.session import sign_in_address, viewer
from designhub.web.wish import Wish
from printers import queries as printers
from printers.models import PrinterRow
from printers.offer import COLLECTED, Mode
from router import queries
from router.models import QuoteItemRow, QuoteRow
from router.quote import Inputs, eta_s

bp = Blueprint("quotes", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A quote with all that its page shows."""

    row: QuoteRow
    inputs: Inputs
    named: tuple[Named, ...]
    printer: PrinterRow
    order: UUID | None

    @property
    def title(self) -> str:
        """What is ordered."""
        return kit.title_of([(part, design) for part, _version, design in self.named])

    @property
    def parts(self) -> list[tuple[Named, QuoteItemRow]]:
        """Each part with its copies."""
        return list(zip(self.named, self.row.items, strict=True))

    @property
    def versions(self) -> list[tuple[str, str]]:
        """Commit and licence of each version that parts are of, once."""
        return list(dict.fromkeys((each.commit, each.licence) for _, each, _ in self.named))

    @property
    def bars(self) -> list[Bar]:
        """The terms of its rank."""
        return quote_words.bars(self.row, self.inputs)

    @property
    def sources(self) -> list[Source]:
        """The factors behind it."""
        return quote_words.sources(self.inputs)

    @property
    def ready_at(self) -> datetime:
        """When the maker has it, as it was told."""
        return self.row.created_at + timedelta(seconds=eta_s(self.inputs))

    @property
    def collected(self) -> bool:
        """Whether the maker comes for it."""
        return Mode(self.inputs.mode) in COLLECTED


@bp.get("/quotes/<uuid:quote_id>")
def show(quote_id: UUID) -> ResponseReturnValue:
    """What is made, where, when and at which price; what follows from ordering it."""
    read, now = _read(quote_id), clock.now()
    return render_template(
        "quote.html",
        each=read,
        over=read.row.expires_at < now or not read.printer.accepting,
        instead="instead" in request.args,
        wish=_wish(read.row),
        signed_in=viewer() is not None,
        sign_in=sign_in_address(f"/quotes/{quote_id}"),
    )


@bp.post("/quotes/<uuid:quote_id>/again")
def again(quote_id: UUID) -> ResponseReturnValue:
    """The same wish at the same printer, at today's price."""
    return redirect(anew(quote_id), 303)


def anew(quote_id: UUID) -> str:
    """Where to go on when a quote does not bind any more: to a new one of the same printer with
    the same wish, or to what the others answer. Raises NotFound."""
    read = _read(quote_id)
    wish, row = _wish(read.row), read.row
    try:
        made = bind(read.named, wish, row.printer_id, Mode(read.inputs.mode))
    except HubError:  # it cannot any more, or nobody knows where: the page of the wish says why
        return wish.address
    return f"/quotes/{made}?instead"


def _wish(row: QuoteRow) -> Wish:
    return Wish.of_quote(row, place=str(session.get("place", "")))


def _read(quote_id: UUID) -> _Read:
    caller = viewer()
    with this_hub().database.reading() as database:
        row = queries.quote(database, quote_id, maker_id=access.reader(caller))
        found = access.parts(database, caller, [item.part_id for item in row.items])
        printer = printers.printer(database, row.printer_id)
        order = queries.ordered_by(database, quote_id, maker_id=access.reader(caller))
    return _Read(
        row=row,
        inputs=Inputs.from_json(row.inputs),
        named=tuple(found[item.part_id] for item in row.items),
        printer=printer,
        order=order,
    )
