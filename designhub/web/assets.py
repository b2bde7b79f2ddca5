"""Stylesheet and scripts as pages load them: bundled by `make assets`, with the hash of the content
in every name, so that a browser never has to ask for the same bytes twice."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, request, send_file, url_for
from flask.typing import ResponseReturnValue

from basis.errors import NotFound

BUILT = Path(__file__).parents[1] / "static" / "built"
YEAR_S = 365 * 86_400
NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\.(?P<ending>js|css|json|txt)")
KINDS = {
    "js": "text/javascript",
    "css": "text/css",
    "json": "application/json",
    "txt": "text/plain",
}

UNBUILT = (
    "the scripts of the pages were not bundled: pages work without maps, pictures to turn and news "
    "by themselves; say `make assets` in the checkout and install again"
)

bp = Blueprint("assets", __name__)


def asset(name: str) -> str | None:
    """The address of a file that pages load: `hub.css`, `hub.js`.

    Where nothing was built the stylesheet is served as it was written, and scripts are None: pages
    work without them.
    """
    built = manifest().get(name)
    if built is not None:
        return f"/static/built/{built}"
    return url_for("static", filename=name) if name.endswith(".css") else None


def manifest() -> Mapping[str, str]:
    """What each source is called in `static/built/`; empty where nothing was built."""
    path = BUILT / "manifest.json"
    try:
        return _read(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return {}


@lru_cache(maxsize=1)
def _read(path: Path, changed_ns: int) -> Mapping[str, str]:
    """Read again only when it was built again, as `changed_ns` says."""
    return {str(key): str(name) for key, name in json.loads(path.read_bytes()).items()}


@bp.get("/static/built/<name>")
def built(name: str) -> ResponseReturnValue:
    """One built file, packed for those who take it so. Its name changes when its content does."""
    found = NAME.fullmatch(name)
    if found is None or not (path := BUILT / name).is_file():
        raise NotFound(f"there is no built file {name[:80]!r}")
    packed = path.with_name(f"{name}.gz")
    takes = request.accept_encodings.quality("gzip") > 0 and packed.is_file()
    answer: Response = send_file(
        packed if takes else path, mimetype=KINDS[found["ending"]], conditional=True
    )
    if takes:
        answer.content_encoding = "gzip"
    answer.vary.add("Accept-Encoding")
    if found["ending"] != "txt":
        answer.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable"
    return answer
