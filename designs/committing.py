"""A commit that the hub makes of files somebody uploaded, taken in as a push of theirs.

It is made in a repository of its own beside, and pushed from there: the same hook checks it, the
same quarantine holds it, and of two that come at once one is told so.
"""

import errno
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from basis.db import Database
from basis.errors import Conflict, Invalid, Unavailable
from designs import objects, push, versions
from designs.store import GIT_S, Store

REMOTE = "remote:"
MOVED = ("stale info", "fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref")


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who uploaded: what the commit says of its author."""

    name: str
    mail: str


def moved() -> Conflict:
    """The branch is not where the uploader saw it."""
    return Conflict(
        "somebody pushed to this design meanwhile: look at what is there now, then upload again"
    )


def take(
    database: Database,
    store: Store,
    *,
    design_id: int,
    files: Mapping[str, Path],
    base: str | None,
    author: Author,
    message: str,
    scratch: Path,
    now: datetime,
) -> list[int]:
    """Put files into a design as one more commit on its published branch.

    files : where each file of a path lies; a path that is there already gets the new content.
    base  : the commit that the branch was seen at, None while it has none.
    Returns the ids of versions whose analysis is due.
    Raises Conflict when the branch is elsewhere by now, Invalid with what the hook says.
    """
    store.create(design_id)
    hold = store.pushing(design_id)
    try:
        with database.writing() as session:
            versions.expect_refs(session, design_id=design_id)
        try:
            with tempfile.TemporaryDirectory(prefix="upload-", dir=scratch) as folder:
                beside = _Beside(store, design_id, Path(folder))
                commit = beside.commit(files, base=base, author=author, message=message, now=now)
                beside.push(commit, base=base)
        except subprocess.CalledProcessError as exc:
            if os.strerror(errno.ENOSPC) in exc.stderr:
                raise OSError(errno.ENOSPC, "an upload found no room") from exc
            raise Unavailable(f"the commit could not be made: {exc.stderr[:300]}") from exc
        finally:
            store.publish_first_branch(design_id)
            with database.writing() as session:
                due = versions.read_refs(
                    session, store, design_id=design_id, now=now, done=hold.last()
                )
        return due
    finally:
        hold.close()


class _Beside:
    """An empty repository that borrows the objects of a design's."""

    def __init__(self, store: Store, design_id: int, folder: Path) -> None:
        self._store, self._design_id, self._folder = store, design_id, folder
        self._git_dir = folder / "repository.git"
        self._run("init", "--quiet", "--bare", "--template=", str(self._git_dir))
        borrowed = self._git_dir / "objects" / "info" / "alternates"
        borrowed.parent.mkdir(exist_ok=True)
        borrowed.write_text(f"{store.path(design_id) / 'objects'}\n")

    def commit(
        self,
        files: Mapping[str, Path],
        *,
        base: str | None,
        author: Author,
        message: str,
        now: datetime,
    ) -> str:
        """The id of the new commit."""
        listed = "".join(f"{path.absolute()}\n" for path in files.values())
        ids = self._git("hash-object", "-w", "--no-filters", "--stdin-paths", said=listed).split()
        if base is not None:
            self._git("read-tree", objects.checked_id(base))
        entries = "".join(f"100644 {oid}\t{path}\0" for path, oid in zip(files, ids, strict=True))
        self._git("update-index", "-z", "--index-info", said=entries)
        tree = self._git("write-tree").strip()
        parents = [] if base is None else ["-p", base]
        moment = f"{int(now.timestamp())} +0000"
        people = {
            f"GIT_{role}_{what}": text
            for role in ("AUTHOR", "COMMITTER")
            for what, text in (("NAME", author.name), ("EMAIL", author.mail), ("DATE", moment))
        }
        return self._git("commit-tree", tree, *parents, said=message, more=people).strip()

    def push(self, commit: str, *, base: str | None) -> None:
        """Hand the commit over, if the branch is still where it was seen."""
        branch = self._store.published(self._design_id)
        to = str(self._store.path(self._design_id))
        lease = f"--force-with-lease={branch}:{base or ''}"
        limits = {
            push.VARIABLE: self._store.limits.to_json(),
            "GIT_ALLOW_PROTOCOL": "file",
        }
        try:
            self._git("push", "--porcelain", lease, to, f"{commit}:{branch}", more=limits)
        except subprocess.CalledProcessError as exc:
            told = [push.plain(line) for line in exc.stderr.splitlines()]
            if any(word in exc.stdout + exc.stderr for word in MOVED):
                raise moved() from exc
            why = [line.removeprefix(REMOTE).strip() for line in told if line.startswith(REMOTE)]
            if not why:
                raise Unavailable(f"the upload could not be taken: {' '.join(told)[:300]}") from exc
            raise Invalid(" ".join(why)[:2_000]) from exc

    def _git(self, *arguments: str, said: str = "", more: Mapping[str, str] | None = None) -> str:
        index = {"GIT_INDEX_FILE": str(self._folder / "index")}
        where = ("--git-dir", str(self._git_dir), "-c", "core.bigFileThreshold=32m")
        return self._run(*where, *arguments, said=said, more={**index, **(more or {})})

    def _run(self, *arguments: str, said: str = "", more: Mapping[str, str] | None = None) -> str:
        try:
            return subprocess.run(
                ["git", *arguments],
                env={**self._store.environment(), **(more or {})},
                cwd=self._folder,
                input=said,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=GIT_S,
                check=True,
            ).stdout
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Unavailable(f"git could not be run: {exc}") from exc
