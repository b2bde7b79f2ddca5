"""The wheel that workshops install the agent from."""

from pathlib import Path

from flask import Blueprint, render_template, send_file
from flask.typing import ResponseReturnValue

from basis.errors import NotFound
from designhub.hub import base_url, this_hub

bp = Blueprint("downloads", __name__)


@bp.get("/downloads/")
def listed() -> ResponseReturnValue:
    """What can be downloaded, with the command that installs an agent."""
    files = sorted(offered().values(), key=lambda path: path.name)
    return render_template(
        "downloads.html",
        files=[(path.name, path.stat().st_size) for path in files],
        base=base_url(),
    )


@bp.get("/downloads/<name>")
def download(name: str) -> ResponseReturnValue:
    """One file. Only what the list shows is given out."""
    path = offered().get(name)
    if path is None:
        raise NotFound(f"there is no download {name[:80]!r}; there are: {', '.join(offered())}")
    answer = send_file(path, mimetype="application/octet-stream", conditional=True)
    answer.headers["Content-Disposition"] = f"attachment; filename={path.name}"
    return answer


def offered() -> dict[str, Path]:
    """What there is, by name."""
    folder = this_hub().settings.downloads_dir
    return {path.name: path for path in sorted(folder.glob("*.whl"))}
