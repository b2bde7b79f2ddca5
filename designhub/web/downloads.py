"""The wheels that workshops install the agent, or the plugin for OctoPrint, from."""

from pathlib import Path

from flask import Blueprint, render_template, send_file
from flask.typing import ResponseReturnValue

from basis.errors import NotFound
from designhub import plugin_wheel, wheel
from designhub.hub import base_url, this_hub

bp = Blueprint("downloads", __name__)


@bp.get("/downloads/")
def listed() -> ResponseReturnValue:
    """What can be downloaded, and how it is installed: the agent, and the plugin for OctoPrint."""
    files = sorted(offered().values(), key=lambda path: path.name)
    return render_template(
        "downloads.html",
        files=[(path.name, path.stat().st_size) for path in files],
        agents=agents(),
        plugins=plugins(),
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


def agents() -> list[str]:
    """The wheels of the agent, by name: one, once the hub was started by `designhub serve`."""
    return [name for name in offered() if name.startswith(f"{wheel.NAME}-")]


def plugins() -> list[str]:
    """The same of the plugin."""
    return [name for name in offered() if name.startswith(f"{plugin_wheel.PACKAGE}-")]
