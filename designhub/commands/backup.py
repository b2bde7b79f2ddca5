"""`designhub backup` and `designhub restore`."""

from pathlib import Path

import click

from basis import clock
from designhub import backups
from designhub.commands.common import errors, note
from designhub.commands.local import data_option, settings_with


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
def backup(file: Path, data: Path | None) -> None:
    """Write all that a hub keeps into FILE, while it runs: database, repositories, files, secret
    key. Keep it as safe as the hub itself.

    \b
    designhub backup /backups/hub-2026-03-01.tar.gz
    """
    with errors.status("backing up") as status:
        size = backups.write(
            settings_with(data), file, now=clock.now(), told=lambda text: status.update(text)
        )
    note(f"{file} is whole: {size / 1e6:.1f} MB")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
def restore(file: Path, data: Path | None) -> None:
    """Bring the backup FILE into an empty data folder, and check its book.

    \b
    designhub restore /backups/hub-2026-03-01.tar.gz --data /srv/hub
    """
    settings = settings_with(data)
    with errors.status("restoring") as status:
        report = backups.restore(file, settings, told=lambda text: status.update(text))
    if not report.ok:
        raise click.ClickException(f"restored, but its book is not right: {report}")
    note(f"{settings.data_dir} is restored. {report}")
