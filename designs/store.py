"""Bare git repositories by design number, and what the hub reads from them.

A repository lies at `<folder>/<design id>.git`; names of people and designs never touch the disk.
All repositories include one file, `hub.gitconfig`, so a changed limit holds for every one of them
at once, and share one folder of hooks. Nothing is ever checked out, and only 40-hex ids and full
ref names reach git.
"""

import errno
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from basis.errors import Invalid, NotFound, TooLarge, Unavailable
from designs import objects, push
from designs.objects import Commit, Entry

FULL_REF = re.compile(r"refs/(?:heads|tags)/[^\x00-\x20\x7f~^:?*\[\\]+")
PATH = "/usr/local/bin:/usr/bin:/bin"
GIT_S = 300.0
"""Longest that one command of the hub's own (not a transfer) may take."""
PIECE_BYTES = 1 << 18
HOOK = Path(__file__).with_name("hook.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A tag or branch: its full name, and the commit it stands for, if it does."""

    name: str
    commit: str | None


class Store:
    """All repositories of a hub."""

    def __init__(
        self, folder: Path, *, limits: push.Limits | None = None, most_open: int = 24
    ) -> None:
        """`most_open` bounds the repositories kept open for reading; each has two children."""
        self.folder = folder.absolute()
        self.limits = limits or push.Limits()
        self._home = self.folder / "home"  # empty: no user's configuration has a say in our git
        self._home.mkdir(parents=True, exist_ok=True)
        hooks = self.folder / "hooks"
        hooks.mkdir(exist_ok=True)
        _put(hooks / "pre-receive", _hook_script(), mode=0o755)
        _put(self.folder / "hub.gitconfig", _shared_config(self.limits, hooks=hooks), mode=0o644)
        self._pool = objects.Pool(most_open, environment=self.environment())

    def environment(self) -> dict[str, str]:
        """The whole environment of a git command of the hub."""
        return {
            "PATH": PATH,
            "HOME": str(self._home),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
        }

    def path(self, design_id: int) -> Path:
        """Where the repository of a design lies, whether it exists or not."""
        return self.folder / f"{int(design_id)}.git"

    def exists(self, design_id: int) -> bool:
        """Whether the design has a repository."""
        return (self.path(design_id) / "HEAD").is_file()

    def create(self, design_id: int) -> Path:
        """Make the empty repository of a design, with `main` as its published branch.

        It appears whole or not at all; making it again changes nothing.
        """
        place = self.path(design_id)
        if self.exists(design_id):
            return place
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            self._run(
                "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(fresh)
            )
            with (fresh / "config").open("a") as config:
                config.write("[include]\n\tpath = ../hub.gitconfig\n")
            fresh.chmod(0o755)
            fresh.rename(place)
        except OSError:
            if not self.exists(design_id):  # else somebody else was a moment faster
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return place

    def refs(self, design_id: int) -> list[Ref]:
        """All tags and branches, sorted by name."""
        wanted = "%(refname)%00%(objectname)%00%(objecttype)%00%(*objectname)%00%(*objecttype)"
        arguments = ("for-each-ref", f"--format={wanted}", "refs/heads/", "refs/tags/")
        refs = []
        for line in (
            self._run(*arguments, design_id=design_id).decode(errors="replace").splitlines()
        ):
            name, target, kind, peeled, peeled_kind = line.split("\0")
            commit = {"commit": target, "tag": peeled}.get(kind)
            if kind == "tag" and peeled_kind != "commit":  # a tag of a tag, or of a file
                commit = self._peeled(design_id, target)
            refs.append(Ref(name=name, commit=commit))
        return refs

    def published(self, design_id: int) -> str:
        """Full name of the branch that a clone checks out; it may have no commit yet."""
        head = (self._there(design_id) / "HEAD").read_text(encoding="utf-8")
        return head.strip().removeprefix("ref: ")

    def publish_first_branch(self, design_id: int) -> None:
        """If the published branch has no commit but another one has, publish that one.

        Somebody's first push may well be called `master`; a clone must not come out empty.
        """
        if (self.path(design_id) / self.published(design_id)).is_file():
            return  # as nearly always, and no git needed to see it
        branches = [ref.name for ref in self.refs(design_id) if ref.name.startswith("refs/heads/")]
        if not branches or self.published(design_id) in branches:
            return
        likely = [name for name in ("refs/heads/main", "refs/heads/master") if name in branches]
        branch = (likely or branches)[0]
        self._run("symbolic-ref", "--end-of-options", "HEAD", branch, design_id=design_id)

    def resolve(self, design_id: int, name: str) -> str:
        """The commit that a full ref name (`refs/tags/v1.0`) or a 40-hex id stands for.

        Raises Invalid for any other kind of name, NotFound when it stands for no commit.
        """
        if not objects.ID.fullmatch(name) and not FULL_REF.fullmatch(name):
            raise Invalid(f"{name[:80]!r} is neither a full ref name nor a 40-hex commit id")
        commit = self._peeled(design_id, name)
        if commit is None:
            raise NotFound(f"{name[:80]!r} names no commit of this design")
        return commit

    def commit(self, design_id: int, commit: str) -> Commit:
        """What a commit says of itself. Raises NotFound when there is no such commit."""
        with self._pool.lend(self._there(design_id)) as repo:
            return objects.described(objects.commit_of(repo, commit))

    def commits(self, design_id: int, commits: Iterable[str]) -> list[Commit]:
        """What several commits say of themselves, in the order given."""
        with self._pool.lend(self._there(design_id)) as repo:
            return [objects.described(objects.commit_of(repo, commit)) for commit in commits]

    def log(self, design_id: int, commit: str, *, most: int) -> list[Commit]:
        """At most `most` commits, from this one back in time."""
        with self._pool.lend(self._there(design_id)) as repo:
            newest = objects.commit_of(repo, commit)
            return [objects.described(c) for c in repo.iter_commits(newest.hexsha, max_count=most)]

    def tree(self, design_id: int, commit: str, *, most: int = 100_000) -> list[Entry]:
        """Every file and submodule of a commit, in git's order.

        Raises TooLarge for more than `most`, NotFound when there is no such commit.
        """
        arguments = ("ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options")
        said = self._run(*arguments, objects.checked_id(commit), design_id=design_id)
        if said.count(b"\0") > most:
            raise TooLarge(f"commit {commit} has more than {most:,} files")
        return [_listed(line) for line in said.split(b"\0")[:-1]]

    def folder_at(
        self, design_id: int, commit: str, path: str = "", *, most: int | None = None
    ) -> list[Entry]:
        """What lies directly in a folder of a commit, at most the first `most` in git's order.
        Raises NotFound when it is no folder."""
        with self._pool.lend(self._there(design_id)) as repo:
            root = objects.root_of(repo, commit)
            mode, oid = objects.found_at(repo, root, path)
            if mode != objects.TREE_MODE:
                raise NotFound(f"{path[:200]!r} is not a folder in this version")
            prefix = f"{path}/" if path else ""
            inside = objects.folder(repo, oid)[:most]
            return [objects.entry(repo, prefix + name, mode, each) for name, mode, each in inside]

    def at(self, design_id: int, commit: str, path: str) -> Entry:
        """The file or folder at `path` of a commit. Raises NotFound when nothing is there."""
        with self._pool.lend(self._there(design_id)) as repo:
            root = objects.root_of(repo, commit)
            return objects.entry(repo, path, *objects.found_at(repo, root, path))

    def blob(self, design_id: int, blob: str, *, most_bytes: int) -> bytes:
        """A file's bytes. Raises NotFound, or TooLarge before reading more than `most_bytes`."""
        with self._pool.lend(self._there(design_id)) as repo:
            return objects.data_of(repo, blob, most_bytes=most_bytes)

    def pieces(self, design_id: int, blob: str) -> Iterator[bytes]:
        """A file in pieces, from a git process of its own: a slow reader holds nobody else up.

        Close the iterator to end it early. Raises NotFound at once, before the first piece.
        """
        with self._pool.lend(self._there(design_id)) as repo:
            objects.size_of(repo, blob, kind="blob")
        return self._pieces(design_id, blob)

    def discard(self, design_id: int) -> None:
        """Remove the repository of a design that is no more."""
        shutil.rmtree(self.path(design_id), ignore_errors=True)

    def maintain(self, design_id: int) -> None:
        """Pack what pushes left and remove what a killed one left behind; may be repeated."""
        tasks = ("loose-objects", "incremental-repack", "commit-graph", "pack-refs")
        which = [f"--task={task}" for task in tasks]
        self._run("maintenance", "run", "--quiet", *which, design_id=design_id)
        with closing(self.pushing(design_id)) as hold:
            hold.last()

    def pushing(self, design_id: int) -> "Pushing":
        """Say that a push runs. The kernel takes it back when the hub dies."""
        return Pushing(self._there(design_id))

    def close(self) -> None:
        """End every git process kept for reading."""
        self._pool.close()

    def _there(self, design_id: int) -> Path:
        if not self.exists(design_id):
            raise NotFound(f"design {design_id} has no repository")
        return self.path(design_id)

    def _peeled(self, design_id: int, name: str) -> str | None:
        wanted = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        try:
            return self._run(*wanted, design_id=design_id).decode().strip()
        except NotFound:
            return None

    def _run(self, *arguments: str, design_id: int | None = None) -> bytes:
        """One short git command. Raises NotFound when git says no: what we ask is well-formed."""
        where = [] if design_id is None else ["--git-dir", str(self._there(design_id))]
        try:
            done = subprocess.run(
                ["git", *where, *arguments],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=GIT_S,
                check=True,
            )
        except subprocess.CalledProcessError as exc:
            said = push.plain(exc.stderr.decode(errors="replace"))[:400]
            if os.strerror(errno.ENOSPC) in said:
                raise OSError(errno.ENOSPC, f"git {arguments[0]}: {said}") from exc
            raise NotFound(f"git {arguments[0]}: {said or 'no such thing'}") from exc
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Unavailable(f"git {arguments[0]} could not be run: {exc}") from exc
        return done.stdout

    def _pieces(self, design_id: int, blob: str) -> Iterator[bytes]:
        with subprocess.Popen(
            ["git", "--git-dir", str(self.path(design_id)), "cat-file", "blob", blob],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as child:
            try:
                while piece := cast(IO[bytes], child.stdout).read(PIECE_BYTES):
                    yield piece
            finally:
                child.kill()


class Pushing:
    """A hold on a repository that is being pushed to, shared with the other pushes to it."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._file = (repository / "designhub.lock").open("w")
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def last(self) -> bool:
        """Whether no other push is under way. If so none can begin until this one lets go, and what
        broken ones left in quarantine is removed; if not, one of the others will be the last."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # git ended by a signal often leaves it, ended by the kernel always.
        for left in (self._repository / "objects").glob("tmp_objdir-incoming-*"):
            shutil.rmtree(left, ignore_errors=True)
        return True

    def close(self) -> None:
        """Let go; may be called again."""
        self._file.close()


def _listed(line: bytes) -> Entry:
    """One line of `git ls-tree -l -z`."""
    about, path = line.split(b"\t", 1)
    mode, kind, oid, size = about.decode().split()
    return Entry(
        path=path.decode(errors="replace"),
        mode=int(mode, 8),
        kind=kind,
        id=oid,
        size_bytes=int(size) if kind == "blob" else 0,
    )


def _put(path: Path, text: str, *, mode: int) -> None:
    """Have a file so that a git that starts meanwhile sees the old or the new one, never half.

    One that is as it should be is left alone: a hub starts on a full disk, too.
    """
    if _is_there(path, text, mode=mode):
        return
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).rename(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _is_there(path: Path, text: str, *, mode: int) -> bool:
    try:
        return path.read_text("utf-8") == text and path.stat().st_mode & 0o777 == mode
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def _hook_script() -> str:
    """A shell line that checks a push. `-I -S` skips what Python would look up for other programs,
    which is most of its start."""
    command = shlex.join([sys.executable, "-I", "-S", str(HOOK)])
    return f"#!/bin/sh\nexec {command}\n"


def _shared_config(limits: push.Limits, *, hooks: Path) -> str:
    """What holds for every repository; the reason stands where it is not plain."""
    return f"""\
[core]
	hooksPath = {_quoted(str(hooks))}
	; larger files are streamed, neither held in memory nor compared for deltas
	bigFileThreshold = 32m
	logAllRefUpdates = false
	fsync = committed,reference
[http]
	; otherwise any object, unreachable ones too, can be fetched as a plain file
	getanyfile = false
[receive]
	fsckObjects = true
	maxInputSize = {limits.push_bytes}
	advertisePushOptions = false
	denyDeleteCurrent = refuse
	autogc = false
	; one flushed pack for each push instead of up to a hundred loose files
	unpackLimit = 1
[transfer]
	fsckObjects = true
[uploadpack]
	allowFilter = true
[gc]
	; the hub packs in the background, never while somebody waits
	auto = 0
[maintenance]
	auto = false
[pack]
	windowMemory = 64m
	threads = 2
"""


def _quoted(text: str) -> str:
    """A value of a git configuration file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
