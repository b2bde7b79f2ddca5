"""Who somebody is: what they made and run, in public."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from basis.errors import NotFound
from designhub import auth
from designhub.hub import this_hub
from designhub.models import AccountRow
from designs import queries as designs
from designs.models import Visibility
from printers import queries as printers

bp = Blueprint("people", __name__)

MOST = 60


@bp.get("/<owner>")
def show(owner: str) -> ResponseReturnValue:
    """Somebody's public designs and workshops; the same for everybody."""
    with this_hub().database.reading() as session:
        known = auth.NAME.fullmatch(owner) is not None
        asked = select(AccountRow).where(AccountRow.name == owner)
        row = session.scalar(asked) if known else None
        if row is None:
            raise NotFound(f"there is nobody called {owner[:60]!r} here")
        mine = designs.of_owner(session, row.id, most=500, removed=False)
        shown = [each for each in mine if each.visibility is Visibility.PUBLIC][:MOST]
        pictures = designs.pictures(session, [each.id for each in shown])
        workshops = printers.workshops(session, owner_id=row.id, most=MOST)
    return render_template(
        "person.html", person=row, designs=shown, pictures=pictures, workshops=workshops
    )
