"""What somebody sets for themselves: profile, address, password, tokens, invitations, the end."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, g, make_response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import HubError, Invalid, NotSignedIn, NotYours, TooMany
from designhub import accounts, auth, letters
from designhub.auth import BadPassword, Scope
from designhub.errors import status_of
from designhub.hub import this_hub
from designhub.language import LANGUAGES, Lazy, _, lazy
from designhub.models import AccountRow
from designhub.web.joining import DIFFERENT, FIELDS, field_of, soon
from designhub.web.session import begin, check_password, signed_in, wait_words
from designhub.web.speech import remember

bp = Blueprint("me", __name__)

SCOPES = {
    Scope.PUSH: lazy("push designs, make and change them"),
    Scope.ORDER: lazy("ask for quotes, order, cancel, receive"),
    Scope.OPERATE: lazy("run workshops: printers, beds, verdicts"),
}
"""What a token may do beyond reading one's own private things, which every token may."""

DAYS = (30, 90, 365)
INVITATION_DAYS = (1, 7, 30)
NOT_IT = lazy("This is not your password.")

SAID = {
    "kept": lazy("Kept."),
    "mail": lazy("A link is on its way to this address. Follow it, and the address counts."),
    "no-mail": lazy("The hub keeps no mail address of yours."),
    "password": lazy("Your password is changed, and you are signed out everywhere but here."),
}
"""What just happened, above the page."""


# Profile and address.


@bp.get("/me")
@signed_in
def me() -> ResponseReturnValue:
    """Who one is here, and the way to everything one sets."""
    return _profile(said=SAID.get(request.args.get("said", "")))


@bp.post("/me")
@signed_in
def describe() -> ResponseReturnValue:
    """Keep the shown name, the text and the language."""
    form = request.form
    try:
        with this_hub().database.writing() as database:
            row = accounts.describe(
                database,
                g.caller.id,
                display=form.get("display", ""),
                about=form.get("about", ""),
                language=form.get("language", ""),
            )
    except Invalid as exc:
        wrong = _("Too long: a name has at most 80 characters, the text 2,000.")
        return _profile(typed=dict(form), fault=wrong, status=status_of(exc))
    back = redirect("/me?said=kept", 303)
    if row.language:
        remember(back, row.language)
    return back


@bp.post("/me/mail")
@signed_in
def set_mail() -> ResponseReturnValue:
    """Send a link to an address, or forget the one there is. The password is asked for: with the
    address one could get a new one."""
    hub, form = this_hub(), request.form
    wanted = form.get("mail", "").strip()
    try:
        check_password(g.caller.name, form.get("password", ""))
        owed = None
        if "remove" not in form:
            auth.count_try(hub, "mail", by=str(g.caller.id), now=clock.now())
        with hub.database.writing() as database:
            if "remove" in form:
                accounts.forget_mail(database, g.caller.id, now=clock.now())
            else:
                owed = accounts.ask_mail(database, g.caller.id, wanted, now=clock.now())
    except (NotSignedIn, TooMany, Invalid) as exc:
        wrong = _wrong_password(exc) if not isinstance(exc, Invalid) else {"mail": _at(exc)}
        return _profile(typed={"mail": wanted}, wrong=wrong, status=_status(exc))
    soon(owed)
    return redirect(f"/me?said={'no-mail' if owed is None else 'mail'}#mail", 303)


# Password and sessions.


@bp.get("/me/password")
@signed_in
def password() -> ResponseReturnValue:
    """The old one, and the new one twice."""
    return _password_page()


@bp.post("/me/password")
@signed_in
def change_password() -> ResponseReturnValue:
    """Change it; this session goes on, all others end."""
    form = request.form
    try:
        check_password(g.caller.name, form.get("old", ""))
        if form.get("new", "") != form.get("again", ""):
            return _password_page(wrong={"again": str(DIFFERENT)}, status=422)
        with this_hub().database.writing() as database:
            owed = accounts.change_password(
                database, g.caller.id, form.get("new", ""), now=clock.now()
            )
    except BadPassword as exc:
        wrong = {"new": str(FIELDS[BadPassword][1])}
        return _password_page(wrong=wrong, status=status_of(exc))
    except (NotSignedIn, TooMany) as exc:
        return _password_page(wrong={"old": _wrong_password(exc)["password"]}, status=_status(exc))
    soon(owed)
    begin(g.caller.id)
    return redirect("/me?said=password", 303)


@bp.post("/me/sign-out-everywhere")
@signed_in
def sign_out_everywhere() -> ResponseReturnValue:
    """End every session, this one too."""
    with this_hub().database.writing() as database:
        accounts.end_sessions(database, g.caller.id)
    session.clear()
    return redirect("/sign-in?said=everywhere", 303)


# Tokens.


@bp.get("/me/tokens")
@signed_in
def tokens() -> ResponseReturnValue:
    """Every token that was not revoked, and a form for another."""
    return _tokens_page()


@bp.post("/me/tokens")
@signed_in
def make_token() -> ResponseReturnValue:
    """Make one; its text is on this page and never again."""
    form = request.form
    name = accounts.plain_text(form.get("name", ""), most=80)
    scopes = [scope for scope in SCOPES if scope.value in form.getlist("scopes")]
    days = form.get("days", "")
    if not name:
        return _tokens_page(wrong=_("Give it a name, so that you know later what it is for."))
    with this_hub().database.writing() as database:
        _row, text = auth.create_token(
            database,
            account_id=g.caller.id,
            name=name,
            scopes=scopes,
            days=int(days) if days in map(str, DAYS) else None,
            now=clock.now(),
        )
    answer = make_response(_tokens_page(made=text, made_name=name))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/me/tokens/<uuid:token_id>/revoke")
@signed_in
def revoke_token(token_id: UUID) -> ResponseReturnValue:
    """It works no more from now on."""
    with this_hub().database.writing() as database:
        auth.revoke_token(database, account_id=g.caller.id, token_id=token_id, now=clock.now())
    return redirect("/me/tokens", 303)


# Invitations.


@bp.get("/me/invitations")
@signed_in
def invitations() -> ResponseReturnValue:
    """What became of every invitation; for operators."""
    _only_operators()
    return _invitations_page()


@bp.post("/me/invitations")
@signed_in
def invite() -> ResponseReturnValue:
    """Make one; its link is on this page and never again."""
    _only_operators()
    hub, form = this_hub(), request.form
    days = form.get("days", "")
    with hub.database.writing() as database:
        _row, secret = accounts.invite(
            database,
            hub.settings,
            by=g.caller.id,
            note=form.get("note", ""),
            days=int(days) if days in map(str, INVITATION_DAYS) else 7,
            now=clock.now(),
        )
    link = letters.link_to(hub.settings, "/sign-up", "invitation", secret)
    answer = make_response(_invitations_page(made=link))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/me/invitations/<uuid:link_id>/take-back")
@signed_in
def take_back(link_id: UUID) -> ResponseReturnValue:
    """It works no more; one that was used stays used."""
    _only_operators()
    with this_hub().database.writing() as database:
        accounts.take_back_invitation(database, link_id, now=clock.now())
    return redirect("/me/invitations", 303)


# The end.


@bp.get("/me/close")
@signed_in
def closing() -> ResponseReturnValue:
    """What closing means."""
    return render_template("me_close.html")


@bp.post("/me/close")
@signed_in
def close() -> ResponseReturnValue:
    """Close the account, with the password once more."""
    try:
        check_password(g.caller.name, request.form.get("password", ""))
        with this_hub().database.writing() as database:
            accounts.close(database, g.caller.id, now=clock.now())
        this_hub().stirring.look_at_once()  # its agents' tokens are good for nothing
    except accounts.StillAtWork as exc:
        return render_template("me_close.html", at_work=True), status_of(exc)
    except (NotSignedIn, TooMany) as exc:
        page = render_template("me_close.html", wrong=_wrong_password(exc)["password"])
        return page, _status(exc)
    session.clear()
    return redirect("/sign-in?said=closed", 303)


def _profile(
    *,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
    fault: str | None = None,
    said: Lazy | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    with this_hub().database.reading() as database:
        row = database.get_one(AccountRow, g.caller.id)
    kept = {"display": row.display, "about": row.about, "language": row.language, "mail": row.mail}
    page = render_template(
        "me.html",
        account=row,
        typed={**kept, **(typed or {})},
        wrong=wrong or {},
        fault=fault,
        said=said,
        language_options=[("", _("as my browser asks")), *_language_options()],
        mails=bool(this_hub().settings.smtp_host),
    )
    return page, status


def _language_options() -> list[tuple[str, str]]:
    return [(each.code, each.name) for each in LANGUAGES.values()]


def _password_page(
    *, wrong: dict[str, str] | None = None, status: int = 200
) -> ResponseReturnValue:
    least, most = auth.PASSWORD_CHARACTERS
    page = render_template("me_password.html", wrong=wrong or {}, least=least, most=most)
    return page, status


def _tokens_page(
    *, made: str | None = None, made_name: str = "", wrong: str | None = None
) -> ResponseReturnValue:
    with this_hub().database.reading() as database:
        rows = auth.tokens_of(database, g.caller.id)
    page = render_template(
        "me_tokens.html",
        tokens=[(row, _scope_words(row.scopes), _is_over(row.expires_at)) for row in rows],
        scopes=SCOPES.items(),
        days=DAYS,
        made=made,
        made_name=made_name,
        wrong=wrong,
        chosen=request.form.getlist("scopes") if wrong else [],
    )
    return page, 422 if wrong else 201 if made else 200


def _scope_words(scopes: str) -> list[str]:
    words = scopes.split()
    return [str(text) for scope, text in SCOPES.items() if scope.value in words]


def _is_over(expires_at: datetime | None) -> bool:
    return expires_at is not None and expires_at < clock.now()


def _invitations_page(*, made: str | None = None) -> ResponseReturnValue:
    hub = this_hub()
    with hub.database.reading() as database:
        rows = accounts.invitations(database)
    page = render_template(
        "me_invitations.html",
        invitations=[(row, name, _is_over(row.expires_at)) for row, name in rows],
        registration=hub.settings.registration,
        days=INVITATION_DAYS,
        made=made,
    )
    return page, 201 if made else 200


def _only_operators() -> None:
    if not g.caller.operator:
        raise NotYours("invitations are made by the hub's operator: ask them for one")


def _wrong_password(fault: HubError) -> dict[str, Any]:
    said = wait_words(fault) if isinstance(fault, TooMany) else str(NOT_IT)
    return {"password": said}


def _at(fault: HubError) -> str:
    at = field_of(fault)
    return str(at[1]) if at is not None else str(fault)


def _status(fault: HubError) -> int:
    """A wrong password on a page of somebody who is signed in is a mistake in a form."""
    return 422 if isinstance(fault, NotSignedIn) else status_of(fault)
