"""What the commands share: which hub, JSON or a table, and quantities in words."""

import json
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Literal

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from basis.messages import Message
from designhub.client import HubApi

DEFAULT_HUB = "http://127.0.0.1:8080"

PIPED_WIDTH = 200
"""Columns of a table that no terminal will cut: addresses and ids stay whole."""


def _console(*, stderr: bool) -> Console:
    found = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not found.is_terminal:
        found.width = PIPED_WIDTH
    return found


console = _console(stderr=False)
"""For what was asked for. Progress and failures go to standard error."""

errors = _console(stderr=True)


def hub_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--hub` and `--token`; the command gets an `api` instead."""

    @click.option(
        "--hub",
        envvar="DESIGNHUB_URL",
        default=DEFAULT_HUB,
        show_default=True,
        metavar="URL",
        help="The hub; or DESIGNHUB_URL.",
    )
    @click.option(
        "--token",
        envvar="DESIGNHUB_TOKEN",
        default="",
        metavar="TOKEN",
        help="Your token there. Better in DESIGNHUB_TOKEN, where other users cannot see it.",
    )
    @wraps(command)
    def with_api(*args: Any, hub: str, token: str, **more: Any) -> Any:
        return command(*args, api=HubApi(hub, token=token), **more)

    return with_api


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`: the API's own answer instead of a table."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def put_json(message: Message | dict[str, Any]) -> None:
    """One JSON object on standard output."""
    data = message.to_json() if isinstance(message, Message) else message
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def put_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, none: str) -> None:
    """A table, or the sentence `none` when it would be empty. A heading that ends in `>` is one of
    figures."""
    if not rows:
        console.print(none, markup=False)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        figures = heading.endswith(">")
        justify: Literal["left", "right"] = "right" if figures else "left"
        table.add_column(heading.rstrip(">"), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def put(text: str) -> None:
    """A line for people."""
    console.print(text, markup=False)


def note(text: str) -> None:
    """A line about how it goes, apart from what was asked for."""
    errors.print(text, markup=False)
