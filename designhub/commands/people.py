"""`designhub user` and `designhub token`: accounts on the hub's own machine."""

import secrets
import sys
from pathlib import Path

import click
from sqlalchemy import select

from basis import clock
from basis.errors import NotFound
from designhub import accounts, letters
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
    password = _new_password(password_stdin, generate)
    database = at_home(settings_with(data))
    with database.writing() as session:
        create_account(session, name=name, password=password, operator=operator, now=clock.now())
    database.close()
    note(f"{name} may sign in now.")
    if generate:
        put(password)


@user.command("password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--generate", is_flag=True, help="Make a password up and print it.")
@data_option
def set_password(name: str, password_stdin: bool, generate: bool, data: Path | None) -> None:
    """Set another password for NAME, who forgot it; a closed account is opened by it.

    They are signed out everywhere; their tokens stay.

    \b
    designhub user password ada --generate
    """
    password = _new_password(password_stdin, generate)
    database = at_home(settings_with(data))
    with database.writing() as session:
        owner = session.scalar(select(AccountRow.id).where(AccountRow.name == name))
        if owner is None:
            raise NotFound(f"there is no account {name!r}: designhub user add {name}")
        accounts.change_password(session, owner, password, now=clock.now())
        accounts.reopen(session, owner)
    database.close()
    note(f"{name} signs in with the new password from now on.")
    if generate:
        put(password)


@user.command("invite")
@click.option("--for", "whom", default="", metavar="TEXT", help="For whom, as you will see it.")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="It lasts.")
@data_option
def invite(whom: str, days: int, data: Path | None) -> None:
    """Make a link with which one person makes one account.

    It needs DESIGNHUB_REGISTRATION=invitation, here and where the hub runs.

    \b
    designhub user invite --for "Grace, from the workshop on Monday" --days 3
    """
    settings = settings_with(data)
    database = at_home(settings)
    with database.writing() as session:
        _row, secret = accounts.invite(
            session, settings, by=None, note=whom, days=days, now=clock.now()
        )
    database.close()
    note(f"It works once, for {days} days, and is shown this once.")
    put(letters.link_to(settings, "/sign-up", "invitation", secret))


def _new_password(from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        raise click.UsageError("--password-stdin and --generate exclude each other")
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if generate:
        return secrets.token_urlsafe(15)
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


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
