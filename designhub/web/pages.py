"""All pages, joined. They work without any script; it only makes them livelier.

Every form is checked to be one of ours before its view runs.
"""

from flask import Blueprint, Response, session

from designhub.hub import base_url
from designhub.language import LANGUAGES, spoken
from designhub.web import (
    about,
    api_page,
    assets,
    attach,
    book,
    book_words,
    browse,
    connect,
    design_edit,
    designs,
    docs,
    feeds,
    files,
    home,
    job_words,
    jobs,
    joining,
    language,
    live,
    machines,
    make,
    maps,
    me,
    moments,
    notices,
    orders,
    part_files,
    people,
    printer,
    printer_service,
    quote_words,
    quotes,
    script_words,
    style,
    upload,
    versions,
    words,
    workshop,
    workshop_forms,
)
from designhub.web import session as signing
from designhub.web.assets import asset

bp = Blueprint("web", __name__)
bp.before_app_request(language.choose)
bp.before_request(upload.make_room)  # before any field of a form is read
bp.before_request(signing.check_form)
bp.teardown_request(upload.leave_room)
MODULES = (
    signing,
    joining,
    me,
    notices,
    people,
    language,
    home,
    browse,
    about,
    feeds,
    style,
    assets,
    script_words,
    machines,
    maps,
    upload,
    design_edit,
    designs,
    part_files,
    files,
    versions,
    make,
    quotes,
    orders,
    jobs,
    live,
    workshop_forms,
    connect,
    attach,
    workshop,
    printer,
    printer_service,
    book,
    docs,
    api_page,
)
for module in MODULES:
    bp.register_blueprint(module.bp)


@bp.after_request
def _keep(response: Response) -> Response:
    """A page is for the one who asked and soon old; a file says otherwise itself."""
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-cache"
        response.vary.update(("Accept-Language", "Cookie"))
    return response


@bp.app_context_processor
def _for_templates() -> dict[str, object]:
    """What every page may use. The name comes from the cookie: no page asks the database for it."""
    return {
        "asset": asset,
        "base_url": base_url,
        "book_words": book_words,
        "csrf_token": signing.csrf_token,
        "job_words": job_words,
        "languages": LANGUAGES.values(),
        "moments": moments,
        "quote_words": quote_words,
        "notice_count": notices.count,
        "spoken": spoken,
        "tiles": maps.tiles(),
        "viewer_name": session.get("name"),
        "words": words,
    }
