"""Accounts and tokens."""

from uuid import UUID

from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import Invalid
from designhub import accounts, auth
from designhub.api import schema, shown
from designhub.api.openapi import describes, said
from designhub.auth import Scope, needs
from designhub.hub import this_hub

bp = Blueprint("people_api", __name__, url_prefix="/api/v1")


@bp.post("/accounts")
@describes("Make an account", takes=schema.AccountAsk, gives=schema.Account, status=201)
def sign_up() -> ResponseReturnValue:
    """Open to anybody, to the invited, or to nobody, as the hub's operator decided."""
    hub, asked = this_hub(), said(schema.AccountAsk)
    whence = auth.whence(request.remote_addr)
    accounts.count_sign_up(hub, by=whence, mail=False, now=clock.now())
    with hub.database.writing() as session:
        row = accounts.sign_up(
            session,
            hub.settings,
            name=asked.name,
            password=asked.password,
            invitation=asked.invitation,
            now=clock.now(),
        )
    made = schema.Account(id=row.id, name=row.name, scopes=sorted(auth.ALL))
    return made.to_json(), 201


@bp.get("/me")
@describes("Who am I?", gives=schema.Account, who="account")
@needs(Scope.READ)
def me() -> ResponseReturnValue:
    """The account behind the credentials, and what they may do."""
    caller = g.caller
    return schema.Account(id=caller.id, name=caller.name, scopes=sorted(caller.scopes)).to_json()


@bp.get("/tokens")
@describes("My tokens", gives=schema.Tokens, who="account")
@needs(Scope.READ)
def tokens() -> ResponseReturnValue:
    """Those that were not revoked, with when each was last used."""
    with this_hub().database.reading() as session:
        rows = auth.tokens_of(session, g.caller.id)
    return schema.Tokens(tokens=[shown.token(row) for row in rows]).to_json()


@bp.post("/tokens")
@describes("Make a token", takes=schema.TokenAsk, gives=schema.Token, status=201, who="account")
@needs(Scope.READ)
def make_token() -> ResponseReturnValue:
    """A token can make only tokens that may do no more than itself."""
    asked, caller = said(schema.TokenAsk), g.caller
    scopes = scopes_of(asked.scopes)
    for scope in scopes:
        auth.require(caller, scope)
    if asked.days is not None and not 1 <= asked.days <= 3_650:
        raise Invalid("days must be 1 to 3,650")
    with this_hub().database.writing() as session:
        row, text = auth.create_token(
            session,
            account_id=caller.id,
            name=asked.name,
            scopes=scopes,
            days=asked.days,
            now=clock.now(),
        )
    return shown.token(row, text=text).to_json(), 201


@bp.delete("/tokens/<uuid:token_id>")
@describes("Revoke a token", status=204, who="account")
@needs(Scope.READ)
def revoke_token(token_id: UUID) -> ResponseReturnValue:
    """It works no more from now on."""
    with this_hub().database.writing() as session:
        auth.revoke_token(session, account_id=g.caller.id, token_id=token_id, now=clock.now())
    return "", 204


def scopes_of(words: list[str]) -> list[Scope]:
    """Scopes by their names. Raises Invalid naming the known ones."""
    try:
        return [Scope(word) for word in words]
    except ValueError as exc:
        raise Invalid(f"{exc}; the scopes: {', '.join(Scope)}") from exc
