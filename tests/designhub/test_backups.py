"""Backups of a hub that runs, brought back elsewhere."""

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from basis import clock
from basis.errors import Invalid, NotAllowed
from basis.settings import Settings
from designhub import backups
from designhub.hub import open_hub
from designhub.migrate import migrate
from tests.support.git_server import Work
from tests.support.hub_process import RunningHub, command, hub_process
from tests.support.postgres import Postgres
from tests.support.solids import box, stl


def triggers(database: sqlite3.Connection) -> list[str]:
    """What keeps the book from being changed by mistake; a forger takes it away first."""
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    return [name for (name,) in found.fetchall()]


def untold(_: str) -> None:
    """Nobody listens."""


def test_a_running_hub_comes_back_whole(running_hub: RunningHub, tmp_path: Path) -> None:
    ada = running_hub.person()
    commit = ada.push("kept", {"piece.stl": stl(box(4, 4, 4))}, folder=tmp_path)
    running_hub.measured(f"{ada.name}/kept", commit)
    file, data = tmp_path / "hub.tar.gz", tmp_path / "restored"
    taken = command("backup", str(file), "--data", str(running_hub.data))
    assert taken.returncode == 0, taken.stderr
    assert file.stat().st_mode & 0o077 == 0
    with tarfile.open(file) as tar:
        names = tar.getnames()
    assert {"backup.json", "hub.sqlite", "secret_key"} <= set(names)
    back = command("restore", str(file), "--data", str(data))
    assert back.returncode == 0, back.stderr
    assert "The book is right" in back.stderr
    with hub_process(data) as hub:
        assert hub.measured(f"{ada.name}/kept", commit).parts[0].facts is not None
        clone = tmp_path / "clone"
        ada.designhub("design", "show", f"{ada.name}/kept", "--hub", hub.url)
        Work(clone).git("pull", f"{hub.url}/{ada.name}/kept.git", "main")
        assert (clone / "piece.stl").is_file()
    refused = command("restore", str(file), "--data", str(data))
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr


def test_nothing_is_overwritten_and_nothing_half_appears(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "hub")
    hub = open_hub(settings)
    migrate(hub.database)
    hub.close()
    file = tmp_path / "hub.tar.gz"
    backups.write(settings, file, now=clock.now(), told=untold)
    with pytest.raises(NotAllowed, match="is there already"):
        backups.write(settings, file, now=clock.now(), told=untold)
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"not a tar", whole[:-1000] + b"\0" * 1000):
        file.write_bytes(damaged)
        elsewhere = Settings(data_dir=tmp_path / "elsewhere")
        with pytest.raises(Invalid):
            backups.restore(file, elsewhere, told=untold)
        assert not elsewhere.data_dir.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub", "hub.tar.gz"]


def test_a_backup_with_a_changed_book_says_so(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "hub")
    hub = open_hub(settings)
    migrate(hub.database)
    hub.close()
    with closing(sqlite3.connect(settings.data_dir / "hub.sqlite")) as database:
        for name in triggers(database):
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE book_entry SET body = replace(body, 'hub:local', 'hub:other')")
        database.commit()
    file = tmp_path / "hub.tar.gz"
    backups.write(settings, file, now=clock.now(), told=untold)
    back = command("restore", str(file), "--data", str(tmp_path / "back"))
    assert back.returncode == 1
    assert "its book is not right" in back.stderr


def test_a_hub_on_postgresql_comes_back(tmp_path: Path, postgres_server: Postgres) -> None:
    url = postgres_server.new_database()
    settings = Settings(data_dir=tmp_path / "hub", database_url=url)
    hub = open_hub(settings)
    migrate(hub.database)
    hub.close()
    file = tmp_path / "hub.tar.gz"
    backups.write(settings, file, now=clock.now(), told=untold)
    empty = postgres_server.new_database()
    back = Settings(data_dir=tmp_path / "back", database_url=empty)
    report = backups.restore(file, back, told=untold)
    assert report.ok
    assert report.verdict.entries == 1
    with pytest.raises(Invalid, match="set DESIGNHUB_DATABASE_URL"):
        backups.restore(file, Settings(data_dir=tmp_path / "sqlite"), told=untold)
