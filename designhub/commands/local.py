"""What the commands on the hub's own machine share: its settings, folder and database."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from basis.db import Database
from basis.settings import Settings, settings_of_this_process
from designhub.migrate import migrate


def data_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data`, which every command on the hub's own machine knows."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        help="The hub's folder; DESIGNHUB_DATA_DIR, or ./hub-data.",
    )(command)


def settings_with(data: Path | None, **more: Any) -> Settings:
    """The settings of the environment, with what options say instead."""
    given = {"data_dir": data.absolute() if data else None, **more}
    return replace(
        settings_of_this_process(),
        **{name: value for name, value in given.items() if value is not None},
    )


def at_home(settings: Settings) -> Database:
    """The hub's database, its tables brought to this release."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database, pool_size=2)
    migrate(database)
    return database
