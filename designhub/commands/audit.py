"""`designhub audit`: verify a book without trusting the hub that wrote it."""

import sys
from pathlib import Path

import click

from basis.errors import HubError
from commons import verify
from designhub.client import HubApi
from designhub.commands.common import DEFAULT_HUB, note, put, put_json

BOOK = "/book/entries.jsonl"
FIELDS = ("ok", "entries", "head", "line", "seq", "why")


@click.command()
@click.argument("source", metavar="[FILE|URL]", required=False)
@click.option("--head", metavar="HASH", help="A hash seen elsewhere, which must be in the book.")
@click.option("--hub", envvar="DESIGNHUB_URL", default=DEFAULT_HUB, metavar="URL", help="Its book.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_context
def audit(
    ctx: click.Context, source: str | None, head: str | None, hub: str, as_json: bool
) -> None:
    """Verify the export of an open book: every line, hash, sum and balance.

    From a file (- is standard input), from a hub's address, or from --hub. Nothing of the hub is
    used but the export itself. The exit code is 0 when the book is right, 1 when it is not, 2 when
    it cannot be read.

    \b
    designhub audit entries.jsonl
    designhub audit https://hub.example --head 5f0c…
    """
    where = source or hub
    try:
        if where.startswith(("http://", "https://")):
            verdict = verify.verify(HubApi(where.removesuffix(BOOK)).lines(BOOK), head=head)
        elif where == "-":
            verdict = verify.verify(verify.lines_of(sys.stdin.buffer), head=head)
        else:
            with Path(where).open("rb") as stream:
                verdict = verify.verify(verify.lines_of(stream), head=head)
    except OSError as exc:
        raise _Unreadable(f"{where} cannot be read: {exc.strerror or exc}") from exc
    except HubError as exc:
        raise _Unreadable(str(exc)) from exc
    if as_json:
        put_json({name: getattr(verdict, name) for name in FIELDS})
    else:
        put(str(verdict))
        if verdict.ok and head is None:
            note(
                "A cut end leaves no trace in the book itself: compare the head with one that was"
                " published elsewhere, or give that with --head."
            )
    ctx.exit(0 if verdict.ok else 1)


class _Unreadable(click.ClickException):
    exit_code = 2
