"""Files for programs: the wheel that workshops install the agent from, and the open book whole."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from flask import Blueprint, Response, render_template, send_file
from flask.typing import ResponseReturnValue

from basis.errors import NotFound
from commons import audit
from designhub.api.designs import whole_number
from designhub.hub import Hub, base_url, this_hub

bp = Blueprint("downloads", __name__)

BOOK_BATCH = 1_000
"""Entries read in one go, so that no slow reader holds a database connection."""


@bp.get("/downloads/")
def listed() -> ResponseReturnValue:
    """What can be downloaded, with the command that installs an agent."""
    files = sorted(_offered().values(), key=lambda path: path.name)
    return render_template(
        "downloads.html",
        files=[(path.name, path.stat().st_size) for path in files],
        base=base_url(),
    )


@bp.get("/downloads/<name>")
def download(name: str) -> ResponseReturnValue:
    """One file. Only what the list shows is given out."""
    path = _offered().get(name)
    if path is None:
        raise NotFound(f"there is no download {name[:80]!r}; there are: {', '.join(_offered())}")
    answer = send_file(path, mimetype="application/octet-stream", conditional=True)
    answer.headers["Content-Disposition"] = f"attachment; filename={path.name}"
    return answer


@bp.get("/book/entries.jsonl")
def book() -> ResponseReturnValue:
    """The open book, line by line as it is hashed; `?after=` gives only the entries after one."""
    after = whole_number("after", most=10**15)
    return Response(_lines(this_hub(), after), content_type="application/jsonl; charset=utf-8")


def _lines(hub: Hub, after: int) -> Iterator[bytes]:
    """Entries are only ever added, so pages read one after the other are one book."""
    while True:
        with hub.database.reading() as session:
            lines = list(islice(audit.export(session, after=after), BOOK_BATCH))
        yield b"".join(lines)
        after += len(lines)
        if len(lines) < BOOK_BATCH:
            return


def _offered() -> dict[str, Path]:
    folder = this_hub().settings.downloads_dir
    return {path.name: path for path in sorted(folder.glob("*.whl"))}
