"""Making an account, a new password by mail, and confirming an address.

Following a link only shows a page: what opens links before their reader does must not use them up.
"""

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import Conflict, HubError, NotFound, TooMany
from designhub import accounts, auth, links, mail, worker
from designhub.auth import BadName, BadPassword, NameTaken, ReservedName
from designhub.errors import status_of
from designhub.hub import this_hub
from designhub.language import Lazy, _, lazy
from designhub.mail import BadAddress
from designhub.models import Letter, LinkKind
from designhub.web.session import begin, said_next, viewer, wait_words

bp = Blueprint("joining", __name__)

FIELDS = {
    BadName: ("name", lazy("This cannot be a name: a–z, 0–9 and - inside, at most 39 characters.")),
    ReservedName: ("name", lazy("This is a word of the hub’s own addresses. Choose another.")),
    NameTaken: ("name", lazy("This name is taken. Choose another.")),
    BadPassword: ("password", lazy("A password has 10 to 200 characters.")),
    BadAddress: ("mail", lazy("This is not a mail address such as ada@example.org.")),
}
"""Which field of a form a fault belongs to, and what to write there."""


@bp.get("/sign-up")
def sign_up() -> ResponseReturnValue:
    """Choose a name and a password, as far as the operator leaves that to people."""
    return _sign_up_page()


@bp.post("/sign-up")
def signing_up() -> ResponseReturnValue:
    """Make the account and sign in with it."""
    hub, form = this_hub(), request.form
    owed = None
    try:
        wanted = form.get("mail", "").strip()
        if wanted:
            mail.address(wanted)
        accounts.count_sign_up(
            hub, by=auth.whence(request.remote_addr), mail=bool(wanted), now=clock.now()
        )
        with hub.database.writing() as session:
            row = accounts.sign_up(
                session,
                hub.settings,
                name=form.get("name", "").strip(),
                password=form.get("password", ""),
                invitation=form.get("invitation", ""),
                now=clock.now(),
            )
            if wanted:
                owed = accounts.ask_mail(session, row.id, wanted, now=clock.now())
    except HubError as exc:
        return _sign_up_page(fault=exc)
    soon(owed)
    begin(row.id)
    return redirect(said_next(), 303)


@bp.get("/reset")
def reset() -> ResponseReturnValue:
    """Ask for a link, or with one choose a new password."""
    if (secret := request.args.get("link")) is None:
        return render_template("reset.html", **_whom_to_ask())
    return _new_password_page(secret)


@bp.post("/reset")
def ask_reset() -> ResponseReturnValue:
    """Owe a link to whoever this is. The answer is the same for everybody and nobody."""
    hub, whom = this_hub(), request.form.get("whom", "").strip().lower()
    try:
        if not auth.NAME.fullmatch(whom):
            mail.address(whom)
        auth.count_try(hub, "reset", by=auth.whence(request.remote_addr), now=clock.now())
    except (BadAddress, TooMany) as exc:
        wrong = (
            wait_words(exc)
            if isinstance(exc, TooMany)
            else _("This is neither the name of an account nor a mail address.")
        )
        page = render_template("reset.html", whom=whom, fault=wrong, **_whom_to_ask())
        return page, status_of(exc)
    with hub.database.writing() as session:
        owed = mail.owe(session, Letter.RESET, whom=whom, account=None, now=clock.now())
    soon(owed)
    return render_template("reset.html", sent=True, **_whom_to_ask())


@bp.post("/reset/password")
def set_password() -> ResponseReturnValue:
    """Set the new password; every session of the account is over."""
    secret, new = request.form.get("link", ""), request.form.get("password", "")
    try:
        if new != request.form.get("again", ""):
            return _new_password_page(secret, wrong=str(DIFFERENT), status=422)
        with this_hub().database.writing() as session:
            owed = accounts.reset(session, secret, new, now=clock.now())
    except BadPassword as exc:
        return _new_password_page(secret, wrong=str(FIELDS[BadPassword][1]), status=status_of(exc))
    except NotFound:
        return _new_password_page(secret)
    soon(owed)
    return redirect("/sign-in?said=reset", 303)


@bp.get("/confirm")
def confirm() -> ResponseReturnValue:
    """The page that a link in a mail leads to: a button, for only a person presses it."""
    secret = request.args.get("link", "")
    with this_hub().database.reading() as session:
        link = links.look(session, LinkKind.MAIL, secret, now=clock.now())
    page = render_template("confirm.html", secret=secret, mail=link.mail if link else None)
    return page, 200 if link is not None else 404


@bp.post("/confirm")
def confirmed() -> ResponseReturnValue:
    """The address is theirs."""
    secret = request.form.get("link", "")
    try:
        with this_hub().database.writing() as session:
            row = accounts.confirm_mail(session, secret, now=clock.now())
    except NotFound:
        return render_template("confirm.html", secret="", mail=None), 404
    except Conflict as exc:
        wrong = _("This address belongs to another account here. Sign in with that one instead.")
        return render_template("confirm.html", secret="", mail=None, fault=wrong), status_of(exc)
    return render_template("confirm.html", done=True, mail=row.mail, signed_in=viewer() is not None)


DIFFERENT = lazy("The two are not the same. Type the new password twice.")


def soon(mail_id: int | None) -> None:
    """Send a mail that was just owed."""
    if mail_id is not None:
        this_hub().queue.soon(worker.send_mail, mail_id)


def field_of(fault: HubError) -> tuple[str, Lazy] | None:
    """The field that a fault belongs to, and what to write there."""
    return FIELDS.get(type(fault))


def _sign_up_page(*, fault: HubError | None = None) -> ResponseReturnValue:
    hub, given = this_hub(), request.form if request.method == "POST" else request.args
    invitation, registration = given.get("invitation", "").strip(), hub.settings.registration
    invited = None
    if registration == "invitation" and invitation:
        with hub.database.reading() as session:
            invited = links.look(session, LinkKind.INVITATION, invitation, now=clock.now())
    may = registration == "open" or invited is not None
    at = field_of(fault) if fault is not None else None
    page = render_template(
        "sign_up.html",
        may=may,
        closed=registration == "closed",
        invitation=invitation,
        name=given.get("name", "")[:200] if request.method == "POST" else "",
        mail=given.get("mail", "")[:300] if request.method == "POST" else "",
        wrong={at[0]: at[1]} if at else {},
        fault=_said(fault) if at is None and may else None,
        least=auth.PASSWORD_CHARACTERS[0],
        most=auth.PASSWORD_CHARACTERS[1],
        next=said_next(),
        **_whom_to_ask(),
    )
    return page, 200 if fault is None else status_of(fault)


def _said(fault: HubError | None) -> str | None:
    """A fault in words for people."""
    if isinstance(fault, TooMany):
        return wait_words(fault)
    return str(fault) if fault is not None else None


def _new_password_page(
    secret: str, *, wrong: str | None = None, status: int = 200
) -> ResponseReturnValue:
    with this_hub().database.reading() as session:
        link = links.look(session, LinkKind.RESET, secret, now=clock.now())
    page = render_template(
        "new_password.html",
        secret=secret if link is not None else None,
        wrong=wrong,
        least=auth.PASSWORD_CHARACTERS[0],
        most=auth.PASSWORD_CHARACTERS[1],
    )
    return page, status if link is not None else 404


def _whom_to_ask() -> dict[str, str]:
    """Whom to ask, as the operator wants it said."""
    return {"contact": this_hub().settings.operator_contact}
