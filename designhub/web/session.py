"""Signing in and out with a password, and what makes a form one of ours.

A session is a signed cookie that names an account and carries a mark of its password: with another
password the session is over. Every form carries a token of the session; a foreign page knows none.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, g, make_response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import HubError, NotSignedIn, NotYours, TooMany
from designhub import auth
from designhub.auth import Caller
from designhub.errors import status_of
from designhub.hub import this_hub
from designhub.language import Lazy, lazy, ngettext
from designhub.models import AccountRow
from designhub.web.speech import remember

bp = Blueprint("session", __name__)

OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A path of this hub: printable ASCII without a backslash, and not the address of another host."""

WRONG = lazy("The name or the password is wrong.")

SAID = {
    "everywhere": lazy("You are signed out everywhere. Programs with a token of yours go on."),
    "reset": lazy("Your new password counts from now on. Sign in with it."),
    "closed": lazy("Your account is closed. Nobody can sign in with it any more."),
}
"""What just happened, above the form to sign in."""

Given = ParamSpec("Given")


class ForeignForm(NotYours):
    """A form came from another page than ours, or from one that was opened before you signed in or
    out. Nothing was changed: open the page again and press the button once more."""

    code = "foreign_form"


# Who looks at a page.


def viewer() -> Caller | None:
    """The signed-in person, or nobody; asked of the database once for each request."""
    if "viewer" not in g:
        g.viewer = _viewer()
    found: Caller | None = g.viewer
    return found


def signed_in(
    view: Callable[Given, ResponseReturnValue],
) -> Callable[Given, ResponseReturnValue]:
    """Let a page be seen only by somebody who signed in; the person is `g.caller`."""

    @wraps(view)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> ResponseReturnValue:
        caller = viewer()
        if caller is None:
            if request.method in ("GET", "HEAD"):
                return redirect(sign_in_address(request.full_path.rstrip("?")))
            raise NotSignedIn("your session is over; sign in, then do it again")
        g.caller = caller
        return view(*args, **kwargs)

    return guarded


def sign_in_address(back_to: str) -> str:
    """The address of the sign-in page that leads back to one of our paths."""
    return "/sign-in?" + urlencode({"next": own_path(back_to)})


def own_path(text: str) -> str:
    """`text` when it is a path of this hub, else the home page."""
    return text if OWN_PATH.fullmatch(text) else "/"


def _viewer() -> Caller | None:
    account_id = session.get("account")
    if account_id is None:
        return None
    with this_hub().database.reading() as database:
        row = database.get(AccountRow, UUID(account_id))
    if row is None or not hmac.compare_digest(_mark(row), session.get("mark", "")):
        session.clear()
        return None
    today = clock.now().date().isoformat()
    if session.get("day") != today:
        session["day"] = today  # the cookie is sent anew, so that its time begins again
    return Caller(id=row.id, name=row.name, operator=row.operator, scopes=auth.ALL)


def begin(account_id: UUID) -> AccountRow:
    """Start a session. Whatever the cookie held before is forgotten, the form token too."""
    with this_hub().database.reading() as database:
        row = database.get_one(AccountRow, account_id)
    session.clear()
    session.permanent = True
    session.update(
        account=str(row.id), name=row.name, mark=_mark(row), day=clock.now().date().isoformat()
    )
    return row


def _mark(row: AccountRow) -> str:
    """Changes with the password, and when somebody signs out everywhere; says nothing of the
    password, for the stored hash is salted."""
    return hashlib.sha256(f"{row.password_hash}:{row.sessions}".encode()).hexdigest()[:16]


# Forms.


def csrf_token() -> str:
    """The session's form token, made when the first form is shown."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def check_form() -> None:
    """Raises ForeignForm for a form without the session's token. Runs before every page."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    told = request.form.get("csrf", "").encode()
    if not hmac.compare_digest(str(session.get("csrf", secrets.token_hex())).encode(), told):
        raise ForeignForm(
            "this form is too old, or did not come from this hub's own page. Nothing was changed:"
            " open the page again and press the button once more"
        )


# Pages.


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Name and password."""
    if viewer() is not None:
        return redirect(own_path(request.args.get("next", "/")))
    return _sign_in_page(said=SAID.get(request.args.get("said", "")))


@bp.post("/sign-in")
def signing_in() -> ResponseReturnValue:
    """Check them; too many wrong tries have to wait."""
    name = request.form.get("name", "").strip().lower()
    try:
        caller = check_password(name, request.form.get("password", ""))
    except (NotSignedIn, TooMany) as exc:
        return _sign_in_page(name=name, fault=exc)
    row = begin(caller.id)
    back = redirect(own_path(request.form.get("next", "/")), 303)
    if row.language:
        remember(back, row.language)
    return back


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Forget the session."""
    session.clear()
    return redirect("/", 303)


def check_password(name: str, password: str) -> Caller:
    """Whose name and password these are. Raises NotSignedIn, TooMany."""
    if not password:
        raise NotSignedIn("the name or the password is wrong")  # nobody's try to guess it
    address = auth.whence(request.remote_addr)
    return auth.sign_in(this_hub(), name=name, password=password, address=address)


def wait_words(fault: TooMany) -> str:
    """How long to wait, for people."""
    minutes = max(1, -(-fault.again_s // 60))
    return ngettext(
        "Too many tries. Wait a minute, then try again.",
        "Too many tries. Wait %(n)s minutes, then try again.",
        minutes,
    )


def said_next() -> str:
    """Where to go afterwards, as the address or the form says: one of our own paths."""
    return own_path(request.values.get("next", "/"))


def _sign_in_page(
    *, name: str = "", fault: HubError | None = None, said: Lazy | None = None
) -> ResponseReturnValue:
    wrong = wait_words(fault) if isinstance(fault, TooMany) else str(WRONG) if fault else None
    page = render_template("sign_in.html", name=name, fault=wrong, said=said, next=said_next())
    answer = make_response(page, 200 if fault is None else status_of(fault))
    if isinstance(fault, TooMany):
        answer.headers["Retry-After"] = str(fault.again_s)
    return answer
