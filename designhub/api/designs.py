"""Designs, versions and parts."""

from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import Invalid, NotFound
from designhub import access, publications
from designhub.api import schema, shown
from designhub.api.openapi import describes, said
from designhub.auth import Scope, needs, optional_caller
from designhub.hub import base_url, this_hub
from designs import catalogue, finding, queries
from designs.finding import Wish
from designs.models import Visibility

bp = Blueprint("designs_api", __name__, url_prefix="/api/v1")
PAGE = 30


@bp.get("/designs")
@describes(
    "Search designs",
    gives=schema.Designs,
    query={"q": "words; each may be a beginning", "after": "how many to pass over"},
)
def search() -> ResponseReturnValue:
    """Public designs and one's own, the best first; without words the newest."""
    caller = optional_caller()
    words = catalogue.words_of(request.args.get("q", ""))
    after = whole_number("after", most=1_000_000)
    with this_hub().database.reading() as session:
        rows = finding.find(
            session,
            Wish(words=words),
            reader_id=access.reader(caller),
            after=after,
            most=PAGE + 1,
        )
        names = access.names_of(session, {row.owner_id for row in rows})
    shown_rows = rows[:PAGE]
    return schema.Designs(
        designs=[
            shown.design(row, owner=names[row.owner_id], base_url=base_url()) for row in shown_rows
        ],
        next=after + PAGE if len(rows) > PAGE else None,
    ).to_json()


@bp.post("/designs")
@describes("Make a design", takes=schema.DesignAsk, gives=schema.Design, status=201, who="account")
@needs(Scope.PUSH)
def create() -> ResponseReturnValue:
    """An empty repository to push to."""
    hub, asked, caller = this_hub(), said(schema.DesignAsk), g.caller
    with hub.database.writing() as session:
        row = catalogue.create(
            session,
            owner_id=caller.id,
            slug=asked.name,
            title=asked.title,
            description=asked.description,
            visibility=visibility(asked.visibility),
            now=clock.now(),
        )
        hub.store.create(row.id)
    return shown.design(row, owner=caller.name, base_url=base_url()).to_json(), 201


@bp.get("/designs/<owner>/<name>")
@describes("One design", gives=schema.Design)
def show(owner: str, name: str) -> ResponseReturnValue:
    """Its title, description and clone address."""
    caller = optional_caller()
    with this_hub().database.reading() as session:
        row = access.design(session, caller, owner=owner, name=name)
    return shown.design(row, owner=owner, base_url=base_url()).to_json()


@bp.patch("/designs/<owner>/<name>")
@describes("Change a design", takes=schema.DesignChange, gives=schema.Design, who="account")
@needs(Scope.PUSH)
def change(owner: str, name: str) -> ResponseReturnValue:
    """Title, description, visibility; what is left out stays."""
    asked = said(schema.DesignChange)
    with this_hub().database.writing() as session:
        row = access.own_design(session, g.caller, owner=owner, name=name)
        catalogue.change(
            session,
            row,
            title=asked.title,
            description=asked.description,
            visibility=None if asked.visibility is None else visibility(asked.visibility),
        )
        session.flush()
        publications.record(session, design_id=row.id, now=clock.now())
    return shown.design(row, owner=owner, base_url=base_url()).to_json()


@bp.delete("/designs/<owner>/<name>")
@describes("Remove a design", status=204, who="account")
@needs(Scope.PUSH)
def remove(owner: str, name: str) -> ResponseReturnValue:
    """Out of sight; its repository stays, for orders and the book refer to it, and it can be
    brought back."""
    with this_hub().database.writing() as session:
        row = access.own_design(session, g.caller, owner=owner, name=name)
        catalogue.remove(row, now=clock.now())
    return "", 204


@bp.post("/designs/<owner>/<name>/restore")
@describes("Bring a removed design back", gives=schema.Design, who="account")
@needs(Scope.PUSH)
def restore(owner: str, name: str) -> ResponseReturnValue:
    """Undo a removal."""
    with this_hub().database.writing() as session:
        owner_id = access.owner_id(session, owner)
        row = queries.removed_design(session, owner_id=owner_id, slug=name)
        if row is None or owner_id != g.caller.id:
            raise NotFound(f"you have no removed design {name!r}")
        catalogue.restore(row, now=clock.now())
        session.flush()
        publications.record(session, design_id=row.id, now=clock.now())
    return shown.design(row, owner=owner, base_url=base_url()).to_json()


@bp.get("/designs/<owner>/<name>/versions")
@describes("Tags and branches", gives=schema.Versions)
def versions(owner: str, name: str) -> ResponseReturnValue:
    """The newest first."""
    caller = optional_caller()
    with this_hub().database.reading() as session:
        row = access.design(session, caller, owner=owner, name=name)
        found = queries.refs(session, row.id)
    return schema.Versions(versions=[shown.version_brief(each) for each in found]).to_json()


@bp.get("/designs/<owner>/<name>/versions/<path:version>")
@describes("One version", gives=schema.Version)
def version(owner: str, name: str, version: str) -> ResponseReturnValue:
    """By tag, branch or commit; `latest` is the newest tag, else the published branch."""
    caller = optional_caller()
    wanted = None if version == "latest" else version
    with this_hub().database.reading() as session:
        design = access.design(session, caller, owner=owner, name=name)
        row = queries.version(session, design_id=design.id, name=wanted)
        found = queries.refs(session, design.id)
        return shown.version(row, refs=found).to_json()


def visibility(word: str) -> Visibility:
    """Raises Invalid for another word."""
    try:
        return Visibility(word)
    except ValueError:
        raise Invalid(f"visibility {word!r} is neither public nor private") from None


def whole_number(name: str, *, most: int) -> int:
    """A number of the query, 0 when it is not there. Raises Invalid."""
    text = request.args.get(name, "0")
    if not text.isascii() or not text.isdigit() or len(text) > 15 or int(text) > most:
        raise Invalid(f"{name}={text[:40]!r} is not a whole number up to {most:,}")
    return int(text)
