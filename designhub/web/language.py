"""Which language a page speaks: what the reader chose, else what the browser asks for."""

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from basis.errors import NotFound
from designhub.language import ENGLISH, LANGUAGES, speak
from designhub.web.session import own_path
from designhub.web.speech import COOKIE, remember

bp = Blueprint("language", __name__)


def choose() -> None:
    """Speak the reader's language. Runs before every page and every error."""
    chosen = request.cookies.get(COOKIE)
    speak(chosen or request.accept_languages.best_match(list(LANGUAGES)) or ENGLISH.code)


@bp.get("/language/<code>")
def change(code: str) -> ResponseReturnValue:
    """Keep a language in the reader's cookie."""
    if code not in LANGUAGES:
        raise NotFound(f"the pages do not speak {code[:20]!r}; they speak {', '.join(LANGUAGES)}")
    back = redirect(own_path(request.args.get("next", "/")), 303)
    remember(back, code)
    return back
