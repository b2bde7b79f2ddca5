"""The Flask application of one hub."""

from collections.abc import Callable, Mapping
from importlib.metadata import version as installed_version
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.middleware.proxy_fix import ProxyFix

from basis import clock, jail
from basis.errors import Invalid
from basis.settings import Settings
from designhub import access, errors, language, logs, publications, worker
from designhub.api import (
    agents,
    at_printer,
    book,
    designs,
    jobs,
    machines,
    people,
    photos,
    quotes,
    service,
    workshops,
)
from designhub.api.openapi import document
from designhub.auth import Caller, Scope, caller_of, require
from designhub.git_http import git_blueprint
from designhub.hub import Hub, open_hub, secret_key
from designhub.idle import IdleDesk
from designhub.migrate import is_current
from designhub.web import assets, downloads, pages
from designs import queries
from designs.models import DesignRow

MOST_BODY_BYTES = 4 << 20
"""Of a form or a JSON body; git's own transfers have their own limits."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:{tiles};"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load: everything from this hub, and map pictures of the host that its operator
chose, if they did."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(settings: Settings, *, hub: Hub | None = None) -> Flask:
    """An application on an opened hub, or on the one that `settings` name."""
    hub = hub or open_hub(settings)
    worker.register(hub.queue)
    app = Flask("designhub")
    app.extensions["designhub"] = hub
    app.config.update(
        SECRET_KEY=secret_key(settings),
        MAX_CONTENT_LENGTH=MOST_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MOST_BODY_BYTES,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,  # pictures stay cacheable; pages renew it daily
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https://"),
        PERMANENT_SESSION_LIFETIME=settings.session_days * 86_400,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count)  # type: ignore[method-assign]
    app.wsgi_app = IdleDesk(  # type: ignore[method-assign]
        app.wsgi_app,
        glances=hub.glances,
        stirring=hub.stirring,
        seen=hub.seen,
        poll_s=settings.poll_s,
        held=hub.held,
    )
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        language.message_of, language.form_of, newstyle=True
    )
    logs.install(app)
    errors.install(app)
    app.before_request(_check_address)
    app.after_request(_hardened(_headers(settings)))
    for module in (
        people,
        designs,
        quotes,
        jobs,
        workshops,
        service,
        machines,
        photos,
        agents,
        at_printer,
        book,
        downloads,
        pages,
    ):
        app.register_blueprint(module.bp)
    app.register_blueprint(_git(hub))
    app.add_url_rule("/healthz", view_func=_healthz)
    app.add_url_rule("/readyz", view_func=lambda: _readyz(hub))
    openapi = document(app, version=installed_version("designhub"))
    app.add_url_rule("/api/v1/openapi.json", "openapi", lambda: openapi)
    return app


def _git(hub: Hub) -> Blueprint:
    def may_read(caller: Caller | None, design: DesignRow) -> bool:
        return queries.may_see(design, access.reader(caller))

    def may_push(caller: Caller, design: DesignRow) -> bool:
        require(caller, Scope.PUSH)
        return design.owner_id == caller.id

    def after_refs(session: Session, design_id: int) -> None:
        publications.record(session, design_id=design_id, now=clock.now())

    def after_push(version_ids: list[int]) -> None:
        for version_id in version_ids:
            hub.queue.soon(worker.analyse_version, version_id)

    return git_blueprint(
        database=hub.database,
        store=hub.store,
        authenticate=caller_of,
        may_read=may_read,
        may_push=may_push,
        after_refs=after_refs,
        after_push=after_push,
        timeout_s=hub.settings.git_timeout_s,
    )


def _check_address() -> None:
    """Refuse what no address of ours holds and a database would choke on."""
    if "\x00" in request.path or any("\x00" in text for text in request.args.values()):
        raise Invalid("the address holds a NUL character; no name or number here does")


def _headers(settings: Settings) -> dict[str, str]:
    """The security headers of every answer."""
    address = urlsplit(settings.tile_url)
    tiles = f" {address.scheme}://{address.netloc}" if settings.tile_url else ""
    return {"Content-Security-Policy": POLICY.format(tiles=tiles), **SECURITY_HEADERS}


def _hardened(headers: Mapping[str, str]) -> Callable[[Response], Response]:
    """What puts them there."""

    def harden(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    return harden


def _healthz() -> ResponseReturnValue:
    """The process answers."""
    return {"status": "ok"}


def _readyz(hub: Hub) -> ResponseReturnValue:
    """What the hub needs is there: 200, or 503 naming what is not."""
    checks = {
        "database": _check(lambda: is_current(hub.database)),
        "disk": _check(lambda: hub.settings.scratch_dir.is_dir()),
        "git": _check(lambda: hub.store.folder.is_dir()),
    }
    isolation = jail.isolation()
    body = {
        "status": "ok" if all(checks.values()) else "not ready",
        "checks": checks,
        "isolation": isolation.value,
        "warnings": _warnings(isolation),
    }
    return body, 200 if all(checks.values()) else 503


def _warnings(isolation: jail.Isolation) -> list[str]:
    """What works less well here than it could."""
    found = []
    if isolation is not jail.Isolation.BUBBLEWRAP:
        found.append(
            "no user namespaces: strangers' files are read with limits only; OpenSCAD is off"
        )
    if not assets.manifest():
        found.append(assets.UNBUILT)
    return found


def _check(look: Callable[[], bool]) -> bool:
    try:
        return look()
    except (OSError, SQLAlchemyError):
        return False
