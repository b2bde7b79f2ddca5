"""The only table from an error to an HTTP status, and how an error looks as an answer."""

import errno
import logging
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response, current_app, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from basis.db import is_circular, is_disk_full, is_taken
from basis.errors import (
    Conflict,
    HubError,
    Invalid,
    NotAllowed,
    NotFound,
    NotSignedIn,
    NotYours,
    TooLarge,
    TooMany,
    Unavailable,
)
from designhub.web import error_words

STATUS: Mapping[type[HubError], int] = {
    Invalid: 422,
    NotSignedIn: 401,
    NotYours: 403,
    NotFound: 404,
    NotAllowed: 409,
    TooLarge: 413,
    TooMany: 429,
    Unavailable: 503,
    HubError: 500,
}

DISK_FULL = "the hub's disk is full; nothing was changed, try again later"

log = logging.getLogger(__name__)


def status_of(error: HubError) -> int:
    """The HTTP status of an error: the nearest class in the table decides."""
    return status_of_kind(type(error))


def status_of_kind(kind: type[HubError]) -> int:
    """The HTTP status of a kind of error."""
    return next(STATUS[each] for each in kind.__mro__ if each in STATUS)


def install(app: Flask) -> None:
    """Let every failure leave as one shape: problem+json for programs, a page for people."""
    app.register_error_handler(HubError, explain)
    app.register_error_handler(HTTPException, _explain_http)
    app.register_error_handler(DBAPIError, _explain_database)
    app.register_error_handler(OSError, _explain_system)
    app.register_error_handler(Exception, _explain_bug)


def explain(error: HubError) -> ResponseReturnValue:
    """A known failure."""
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s: %s", error.code, error, exc_info=error)
    answer = _answer(status, error.code, str(error))
    if isinstance(error, NotSignedIn) and not wants_page():
        # Without it git never asks for a password; a browser would ask in a window of its own.
        answer.headers["WWW-Authenticate"] = 'Basic realm="DesignHub", charset="UTF-8"'
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.again_s)
    return answer


def _explain_http(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None or error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return error  # a redirect, or an answer somebody made
    code = HTTPStatus(error.code).phrase.lower().replace(" ", "_")
    answer = _answer(error.code, code, error.description or "")
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            answer.headers[name] = value
    return answer


def _explain_database(error: DBAPIError) -> ResponseReturnValue:
    if is_disk_full(error):
        return explain(Unavailable(DISK_FULL))
    if circular := is_circular(error):
        log.warning("two waited for each other: %s", error.orig)
    if circular or "database is locked" in str(error.orig):
        return explain(TooMany("the hub is busy; nothing was changed, try again", again_s=2))
    if is_taken(error):
        log.warning("two wrote the same at once: %s", error.orig)
        return explain(Conflict("somebody did the same in this moment: look what is there now"))
    return _explain_bug(error)


def _explain_system(error: OSError) -> ResponseReturnValue:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return explain(Unavailable(DISK_FULL)) if full else _explain_bug(error)


def _explain_bug(error: Exception) -> ResponseReturnValue:
    log.error("unexpected: %s", error, exc_info=error)
    return _answer(500, "error", "the hub failed at this; the failure is in its log")


def _answer(status: int, code: str, detail: str) -> Response:
    if wants_page():
        page = render_template(
            "error.html",
            status=status,
            code=code,
            detail=detail,
            said=error_words.of_status(status),
            back=request.full_path.rstrip("?") if request.method == "GET" else "/",
            contact=current_app.extensions["designhub"].settings.operator_contact,
            request_id=g.get("request_id", "-"),
        )
        return Response(page, status, content_type="text/html; charset=utf-8")
    body = {"type": f"/docs/errors#{code}", "title": code, "status": status, "detail": detail}
    answer = jsonify(body)
    answer.status_code = status
    answer.content_type = "application/problem+json"
    return answer


def wants_page() -> bool:
    """Whether a person with a browser asked, who would rather read a page."""
    if request.path.startswith("/api/") or ".git/" in request.path:
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
