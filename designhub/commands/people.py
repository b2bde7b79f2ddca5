"""`designhub user` and `designhub token`: accounts on the hub's own machine."""

import secrets
import sys
from pathlib import Path

import click
from sqlalchemy import select

from basis import clock
from basis.errors import NotFound
from designhub.auth import Scope, create_account, create_token
from designhub.commands.common import json_option, note, put, put_json
from designhub.commands.local import at_home, data_option, settings_with
from designhub.models import AccountRow


@click.group()
def user() -> None:
    """Accounts of the hub whose data folder lies on this machine."""


@user.command("add")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--generate", is_flag=True, help="Make a password up and print it.")
@click.option("--operator", is_flag=True, help="May do to everything what its owner may.")
@data_option
def add_user(
    name: str, password_stdin: bool, generate: bool, operator: bool, data: Path | None
) -> None:
    """Make an account NAME; the password is asked for, made up, or read.

    \b
    designhub user add ada
    designhub user add ada --generate
    echo "$PASSWORD" | designhub user add ada --password-stdin --operator
    """
    if password_stdin and generate:
        raise click.UsageError("--password-stdin and --generate exclude each other")
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif generate:
        password = secrets.token_urlsafe(15)
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    database = at_home(settings_with(data))
    with database.writing() as session:
        create_account(session, name=name, password=password, operator=operator, now=clock.now())
    database.close()
    note(f"{name} may sign in now.")
    if generate:
        put(password)


@click.group()
def token() -> None:
    """Tokens of the hub whose data folder lies on this machine."""


@token.command("add")
@click.argument("name")
@click.option("--account", required=True, help="Whose token it is.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do: push, order, operate. Repeat for more; reading is always one.",
)
@click.option("--days", type=click.IntRange(1, 3_650), help="It ends by itself after so many.")
@data_option
@json_option
def add_token(
    name: str,
    account: str,
    scopes: tuple[str, ...],
    days: int | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Make a token called NAME; its text is printed this once.

    \b
    designhub token add laptop --account ada --scope push --scope order
    """
    database = at_home(settings_with(data))
    with database.writing() as session:
        owner = session.scalar(select(AccountRow.id).where(AccountRow.name == account))
        if owner is None:
            raise NotFound(f"there is no account {account!r}: designhub user add {account}")
        row, text = create_token(
            session,
            account_id=owner,
            name=name,
            scopes=[Scope(scope) for scope in scopes],
            days=days,
            now=clock.now(),
        )
        may = row.scopes.split()
    database.close()
    if as_json:
        put_json({"name": name, "account": account, "scopes": may, "token": text})
    else:
        note(f"{account}'s token {name!r} may: {', '.join(may)}")
        put(text)
