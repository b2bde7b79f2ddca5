"""The cookie that keeps a reader's language."""

from flask import current_app
from werkzeug.wrappers import Response

COOKIE = "language"
YEAR_S = 365 * 86_400


def remember(answer: Response, code: str) -> None:
    """Keep a language in the reader's cookie, one of its own: reading the session would make every
    picture somebody's."""
    answer.set_cookie(
        COOKIE,
        code,
        max_age=YEAR_S,
        httponly=True,
        samesite="Lax",
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
    )
