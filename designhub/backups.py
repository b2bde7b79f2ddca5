"""A hub in one tar file, taken while it runs, and back into an empty data folder.

The database is copied first, in one consistent moment; repositories and blobs after it. What the
copied rows speak of is therefore in the backup: files and git objects are only ever added. Refs
that a push moved meanwhile are read again by the sweep of the restored hub.
"""

import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import URL, make_url

from basis.blobs import flush_folder
from basis.clock import iso
from basis.db import Database
from basis.errors import Invalid, NotAllowed, Unavailable
from basis.settings import Settings
from commons import audit
from commons.store import Head
from designhub import keys
from designs.models import DesignRow

FORMAT = "designhub-backup-1"
ABOUT, SQLITE, DUMP = "backup.json", "hub.sqlite", "hub.pgdump"
FOLDERS = ("repositories", "blobs")
SECRETS = ("secret_key", keys.FILE)
MOST_ABOUT_BYTES = 10_000
DUMP_S = 6 * 3_600
PASSED_OVER = (".new-", "tmp_", "incoming-", "tmp-")
"""Beginnings of names of files that somebody is still writing; git and our blobs rename them."""

Told = Callable[[str], None]


def write(settings: Settings, target: Path, *, now: datetime, told: Told) -> int:
    """Back the hub of `settings` up into `target`; how many bytes that took.

    The file appears under its name only when it is whole and on the disk. `told` hears, in words,
    how far it is. Raises Unavailable for a missing tool, NotAllowed when `target` is there already.
    """
    if target.exists():
        raise NotAllowed(f"{target} is there already: choose another name")
    if not settings.data_dir.is_dir():
        raise Invalid(f"{settings.data_dir} is no data folder of a hub")
    new = target.with_name(f".{target.name}.new")
    try:
        with tempfile.TemporaryDirectory(prefix="backup-", dir=target.absolute().parent) as scratch:
            kept, head = _copied_database(settings, Path(scratch), told)
            about = {
                "format": FORMAT,
                "release": version("designhub"),
                "taken": iso(now),
                "database": kept.name,
                "book": {"seq": head.seq, "hash": head.hash},
            }
            with new.open("wb") as file:
                os.fchmod(file.fileno(), 0o600)  # it holds secret keys and password hashes
                _pack(file, settings, kept, about, told)
                file.flush()
                os.fsync(file.fileno())
        new.replace(target)
        flush_folder(target.absolute().parent)
    finally:
        new.unlink(missing_ok=True)
    return target.stat().st_size


def restore(source: Path, settings: Settings, *, told: Told) -> audit.Report:
    """Bring a backup into the data folder of `settings`, and check its book.

    Nothing that is there is overwritten: raises NotAllowed when the folder, or the PostgreSQL
    database, is not empty, Invalid when the file is no whole backup.
    """
    folder = settings.data_dir
    if folder.exists() and any(folder.iterdir()):
        raise NotAllowed(f"{folder} is not empty: restore into a new folder, or move this one away")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=folder.parent) as scratch:
        place = Path(scratch) / "hub"
        place.mkdir(mode=0o700)
        about = _unpacked(source, place, told)
        database = place / about["database"]
        url = make_url(settings.database)
        if url.get_backend_name() != "sqlite":
            _load_dump(url, database)
            database.unlink()
        elif about["database"] != SQLITE:
            raise Invalid(
                f"{source} holds a PostgreSQL database: set DESIGNHUB_DATABASE_URL to an empty one"
            )
        elif settings.database_url:
            _move_sqlite(url, database)
        if folder.exists():
            folder.rmdir()
        place.rename(folder)
        flush_folder(folder.parent)
    told("checking the book")
    opened = Database(settings.database, pool_size=2)
    try:
        with opened.writing() as session:
            # A push may have moved refs between the database's moment and the repository's.
            session.execute(update(DesignRow).values(refs_due=True))
        with opened.reading() as session:
            report = audit.check(session)
            head = audit.head(session)
    finally:
        opened.close()
    if report.ok and {"seq": head.seq, "hash": head.hash} != about["book"]:
        raise Invalid(f"the restored book ends at entry {head.seq}, not at {about['book']['seq']}")
    return report


def _copied_database(settings: Settings, scratch: Path, told: Told) -> tuple[Path, Head]:
    """A copy of the database as of one moment, and the last entry of the book in it."""
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite":
        told("copying the database")
        path = scratch / SQLITE
        source = Path(url.database or "")
        if not source.is_file():
            raise Invalid(f"there is no database at {source}: is this the hub's data folder?")
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as running,
            closing(sqlite3.connect(path)) as copy,
        ):
            running.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, not three
        with _opened(f"sqlite:///{path}") as database, database.reading() as session:
            return path, audit.head(session)
    told("dumping the database with pg_dump")
    path = scratch / DUMP
    with _opened(settings.database) as database, database.reading() as session:
        head = audit.head(session)  # what comes after it is in the dump too
    _run_postgres("pg_dump", url, "--format=custom", "--no-owner", f"--file={path}")
    return path, head


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url, pool_size=1)
    try:
        yield database
    finally:
        database.close()


def _run_postgres(tool: str, url: URL, *arguments: str) -> None:
    """Run one of PostgreSQL's tools; the password goes by the environment, not the command line."""
    program = shutil.which(tool)
    if program is None:
        raise Unavailable(f"{tool} is not installed: apt-get install postgresql-client")
    plain = url.set(drivername="postgresql", password=None)
    address = plain.render_as_string(hide_password=False)
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGPASSWORD": url.password or ""}
    done = subprocess.run(
        [program, *arguments, f"--dbname={address}"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DUMP_S,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-500:]
        raise Unavailable(f"{tool} failed: {said}")


def _pack(file: Any, settings: Settings, kept: Path, about: dict[str, Any], told: Told) -> None:
    """Everything into one compressed tar."""
    count = 0
    with (
        gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        text = json.dumps(about).encode()
        entry = tarfile.TarInfo(ABOUT)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
        tar.add(kept, kept.name)
        for name in SECRETS:
            if (settings.data_dir / name).is_file():
                tar.add(settings.data_dir / name, name)
        for folder in FOLDERS:
            for path in _files(settings.data_dir / folder):
                if _added(tar, path, str(path.relative_to(settings.data_dir))):
                    count += 1
                    if count % 1_000 == 0:
                        told(f"{count:,} files")
    told(f"{count:,} files")


def _files(folder: Path) -> Iterator[Path]:
    """Folders and plain files. Git's refs come before its objects, so that a push meanwhile
    leaves objects without a ref in the backup, never a ref without its objects."""
    names = {"HEAD": 0, "refs": 1, "packed-refs": 2}
    for path in sorted(folder.iterdir(), key=lambda each: (names.get(each.name, 3), each.name)):
        if path.name.startswith(PASSED_OVER) or path.suffix == ".lock" or path.is_symlink():
            continue
        yield path
        if path.is_dir():
            yield from _files(path)


def _added(tar: tarfile.TarFile, path: Path, name: str) -> bool:
    """Add one file or folder; one that vanished meanwhile was a draft, or has a new name now."""
    try:
        tar.add(path, name, recursive=False)
    except FileNotFoundError:
        return False
    return path.is_file()


def _unpacked(source: Path, place: Path, told: Told) -> dict[str, Any]:
    """Unpack a backup; what it says of itself."""
    told("unpacking")
    try:
        with gzip.open(source) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
            first = tar.next()
            if first is None or first.name != ABOUT or first.size > MOST_ABOUT_BYTES:
                raise Invalid(f"{source} is no backup of a hub")
            file = tar.extractfile(first)
            about: dict[str, Any] = json.loads(file.read()) if file else {}
            if about.get("format") != FORMAT or about.get("database") not in (SQLITE, DUMP):
                raise Invalid(f"{source} is a backup of another format: {about.get('format')!r}")
            while (entry := tar.next()) is not None:
                if entry.name.split("/")[0] not in {*FOLDERS, *SECRETS, about["database"]}:
                    raise Invalid(f"{source} holds {entry.name!r}, which no backup of ours does")
                tar.extract(entry, place, filter="data")
            while packed.read(1 << 20):  # to the end, where the check sum of it all stands
                pass
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError) as exc:
        raise Invalid(f"{source} is damaged or not whole: {exc}") from exc
    if not (place / about["database"]).is_file():
        raise Invalid(f"{source} lacks its database")
    return about


def _load_dump(url: URL, dump: Path) -> None:
    if dump.name != DUMP:
        raise Invalid("this backup holds a SQLite database: leave DESIGNHUB_DATABASE_URL empty")
    # In one transaction, and it fails at the first table that is there already.
    _run_postgres(
        "pg_restore", url, "--single-transaction", "--exit-on-error", "--no-owner", str(dump)
    )


def _move_sqlite(url: URL, database: Path) -> None:
    target = Path(url.database or "")
    if target.exists():
        raise NotAllowed(f"{target} is there already: move it away")
    shutil.move(database, target)
