"""The production server with git over HTTP on it, as a process, and a real git client."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from basis import clock
from basis.db import Base, Database
from designhub.models import AccountRow
from designs.models import DesignRow, Visibility
from designs.push import Limits
from designs.store import Store
from tests.support import git_app

TOP = Path(__file__).parents[2]
CLIENT_S = 60


@dataclass(frozen=True, kw_only=True)
class GitServer:
    """A running hub, and a door to its database and repositories for the test itself."""

    port: int
    pid: int
    folder: Path
    database: Database
    store: Store

    def account(self, name: str) -> AccountRow:
        """The account of this name, made when there is none."""
        with self.database.writing() as session:
            row = session.scalar(select(AccountRow).where(AccountRow.name == name))
            if row is None:
                row = AccountRow(name=name, password_hash="-", created_at=clock.now())
                session.add(row)
        return row

    def design(
        self, slug: str, *, owner: str = "ada", visibility: Visibility = Visibility.PUBLIC
    ) -> int:
        """Make a design with an empty repository; its number."""
        account = self.account(owner)
        row = DesignRow(
            owner_id=account.id,
            slug=slug,
            title=slug,
            visibility=visibility,
            created_at=clock.now(),
        )
        with self.database.writing() as session:
            session.add(row)
            session.flush()
            self.store.create(row.id)
        return row.id

    def url(self, path: str, *, caller: str | None = None) -> str:
        """The address of `/<path>`, with somebody's password in it."""
        who = f"{caller}:{caller}-password@" if caller else ""
        return f"http://{who}127.0.0.1:{self.port}/{path}"

    def git_processes(self) -> list[str]:
        """Command lines of the server's children that are git's."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                environment = (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(self.store.folder).encode() in environment and "git" in command:
                found.append(command)
        return found


@contextmanager
def git_server(
    folder: Path, *, limits: Limits | None = None, timeout_s: float = 600, threads: int = 16
) -> Iterator[GitServer]:
    """Serve an empty hub in `folder` by granian until the block ends."""
    limits = limits or Limits()
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{folder / 'hub.sqlite'}")
    Base.metadata.create_all(database.engine)
    store = Store(folder / "repositories", limits=limits)
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws"]
    command += ["--port", str(port), "--blocking-threads", str(threads), "--factory"]
    command += [f"{git_app.__name__}:{git_app.make_app.__name__}"]
    environment = {
        **os.environ,
        git_app.FOLDER: str(folder),
        git_app.LIMITS: limits.to_json(),
        git_app.TIMEOUT_S: str(timeout_s),
    }
    with (folder / "server.log").open("wb") as said:
        process = subprocess.Popen(command, cwd=TOP, env=environment, stdout=said, stderr=said)
        try:
            _wait_for(port, process)
            yield GitServer(
                port=port, pid=process.pid, folder=folder, database=database, store=store
            )
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            store.close()
            database.close()


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError("the server did not start; its log says why")


class Work:
    """A working copy driven by the real git client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / ".git").exists():
            folder.mkdir(parents=True, exist_ok=True)
            self.git("init", "--quiet", "--initial-branch=main")

    def git(
        self, *arguments: str, stdin: bytes | None = None, more: dict[str, str] | None = None
    ) -> str:
        """Run git and give what it said on its output. Raises Refused with what it said on both."""
        done = self.try_git(*arguments, stdin=stdin, more=more)
        if done.returncode != 0:
            raise Refused(done.stdout + done.stderr)
        return done.stdout

    def try_git(
        self, *arguments: str, stdin: bytes | None = None, more: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run git, whatever comes of it."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**client_environment(self.folder), **(more or {})},
            input=stdin,
            capture_output=True,
            timeout=CLIENT_S,
            check=False,
        )
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def commit(self, files: dict[str, bytes], message: str = "change") -> str:
        """Write files, commit them, and give the commit's id."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.head()

    def raw_commit(self, tree: list[tuple[str, str, bytes]]) -> str:
        """A commit on `main` of a tree that git itself would not make: (mode, id, name) entries."""
        lines = b"".join(
            f"{mode} {'tree' if mode == '040000' else 'commit' if mode == '160000' else 'blob'}"
            f" {oid}\t".encode()
            + name
            + b"\0"
            for mode, oid, name in tree
        )
        made = self.git("mktree", "-z", "--missing", stdin=lines).strip()
        commit = self.git("commit-tree", made, "-m", "made by hand").strip()
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def blob(self, content: bytes) -> str:
        """Store a file's content; its id."""
        return self.git("hash-object", "-w", "--stdin", stdin=content).strip()

    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD").strip()


class Refused(Exception):
    """git said no; the message is what its user reads."""


def client_environment(home: Path) -> dict[str, str]:
    """The environment of a git client that has nothing of this machine's user."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
        "LC_ALL": "C.UTF-8",
    }
