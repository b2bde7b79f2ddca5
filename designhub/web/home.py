"""The first page: what the hub is for, what is new, where things are made, how to begin."""

from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from designhub import access
from designhub.hub import this_hub
from designhub.lately import printed_lately
from designhub.web.cards import cards
from designhub.web.session import viewer
from designs import finding
from designs.finding import Wish
from printers import queries as printers

bp = Blueprint("home", __name__)

NEWEST = 8
PRINTED = 6
WORKSHOPS = 12
"""Named in words beside the map, which shows all."""


@bp.get("/")
def home() -> ResponseReturnValue:
    """Search, newest designs, workshops, what was printed, and a beginning for everybody."""
    asked = request.args.get("q")
    if asked is not None:  # where the search stood once
        return redirect("/designs?" + urlencode({"q": asked[:200]}))
    caller = viewer()
    with this_hub().database.reading() as session:
        rows = finding.find(session, Wish(), reader_id=access.reader(caller), most=NEWEST)
        newest = cards(session, rows)
        workshops = printers.whereabouts(session, most=WORKSHOPS + 1)
        printed = printed_lately(session, most=PRINTED)
        owners = access.names_of(session, {each.owner_id for each in printed}) if printed else {}
    return render_template(
        "home.html",
        newest=newest,
        workshops=workshops[:WORKSHOPS],
        more_workshops=len(workshops) > WORKSHOPS,
        printed=printed,
        owners=owners,
    )
