"""A PostgreSQL server of our own for one test run: Debian's package, a temporary folder, a socket.

No port is opened. PostgreSQL refuses to run as root, so root hands it to an unprivileged user.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = "PostgreSQL's server is missing: apt-get install postgresql (or: make setup)"


def _bin_folder() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise RuntimeError(INSTALL)
    return found[-1].parent


def _as_user() -> list[str]:
    """How to run the server's commands: PostgreSQL itself refuses root."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]


@contextmanager
def postgres() -> Iterator["Postgres"]:
    """Start a server, yield it, stop it and delete its folder."""
    tools = _bin_folder()
    folder = Path(tempfile.mkdtemp(prefix="hub-pg-", dir="/tmp"))
    prefix = _as_user()
    if prefix:
        account = pwd.getpwnam(prefix[1].split("=")[1])
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = folder / "data"
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(folder)}

    def call(*command: str) -> None:
        subprocess.run(
            [*prefix, *command],
            check=True,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    control = str(tools / "pg_ctl")
    try:
        call(str(tools / "initdb"), "-D", str(data), "-A", "trust", "-U", "hub", "-E", "UTF8")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=200"
        options += " -c fsync=off -c full_page_writes=off"  # nothing here outlives the run
        call(control, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield Postgres(folder)
        finally:
            call(control, "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Postgres:
    """A running server; each test asks for a database of its own."""

    def __init__(self, socket_folder: Path) -> None:
        self._folder = socket_folder

    def new_database(self) -> str:
        """Create an empty database and return its SQLAlchemy address."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self._say(f'CREATE DATABASE "{name}"')
        return f"postgresql://hub@/{name}?host={self._folder}"

    def renew(self, name: str, template: str) -> None:
        """Make a database again as a copy of another, whoever is still connected to it."""
        self._say(
            f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
            # As files: through the log, as is usual, every test would write all of it twice.
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy',
        )

    def _say(self, *statements: str) -> None:
        import psycopg

        where = f"host={self._folder} user=hub dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


def name_in(url: str) -> str:
    """The database that an address of ours names."""
    return url.split("@/")[1].split("?")[0]
