"""Objects of repositories, read through `git.Repo`s that stay open.

An open Repo holds two git children that answer by a pipe; two threads on one pipe read each other's
answers, so each Repo is lent to one thread at a time. Opening one anew for every page costs several
times as much as keeping it.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import BoundedSemaphore, Lock

import git
from git.objects.fun import tree_entries_from_data

from basis.errors import Invalid, NotFound, TooLarge, Unavailable

ID = re.compile(r"[0-9a-f]{40}")
TREE_MODE = 0o40000
SUBMODULE_MODE = 0o160000
LAST_SECOND = 253_402_300_799  # of the year 9999; git takes later ones, `datetime` does not
WAIT_S = 60.0
"""How long a reader waits for its turn when all are lent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one commit says of itself; characters that are not valid text are replaced."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: str
    committed_at: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in a commit's tree. `size_bytes` is 0 for everything but a file."""

    path: str
    mode: int
    kind: str  # "blob", "tree", or "commit" for a submodule
    id: str
    size_bytes: int


class Pool:
    """At most `most` open repositories; the one unused for longest is closed first."""

    def __init__(self, most: int, *, environment: Mapping[str, str]) -> None:
        self._most = most
        self._environment = dict(environment)
        self._lock = Lock()
        self._turns = BoundedSemaphore(most)
        self._idle: OrderedDict[int, tuple[Path, git.Repo]] = OrderedDict()
        self._lent = 0

    @contextmanager
    def lend(self, place: Path) -> Iterator[git.Repo]:
        """An open repository that no other thread has until the block ends."""
        if not self._turns.acquire(timeout=WAIT_S):
            raise Unavailable("all repository readers are busy; try again later")
        try:
            repo = self._take(place)
            sound = False  # after an unforeseen end, an answer may be left unread in a pipe
            try:
                yield repo
                sound = True
            except (NotFound, TooLarge):
                sound = True
                raise
            finally:
                self._give_back(place, repo, sound=sound)
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close every idle repository."""
        with self._lock:
            idle, self._idle = self._idle, OrderedDict()
        for _, repo in idle.values():
            repo.close()

    def _take(self, place: Path) -> git.Repo:
        surplus = None
        with self._lock:
            newest_first = reversed(self._idle.items())
            known = next((key for key, (where, _) in newest_first if where == place), None)
            self._lent += 1
            if known is not None:
                return self._idle.pop(known)[1]
            if self._idle and len(self._idle) + self._lent > self._most:
                surplus = self._idle.popitem(last=False)[1][1]
        if surplus is not None:
            surplus.close()
        try:
            repo = git.Repo(place)
        except BaseException:
            with self._lock:
                self._lent -= 1
            raise
        repo.git.update_environment(**self._environment)
        return repo

    def _give_back(self, place: Path, repo: git.Repo, *, sound: bool) -> None:
        with self._lock:
            self._lent -= 1
            if sound:
                self._idle[id(repo)] = (place, repo)
        if not sound:
            repo.close()


def checked_id(oid: str) -> str:
    """The id itself. Raises Invalid for anything but 40 hex digits: nothing else may reach git."""
    if not ID.fullmatch(oid):
        raise Invalid(f"{oid[:80]!r} is not a 40-hex object id")
    return oid


def size_of(repo: git.Repo, oid: str, *, kind: str) -> int:
    """Size in bytes of an object of the wanted kind. Raises NotFound when there is none."""
    try:
        _, found, size = repo.git.get_object_header(checked_id(oid))
    except ValueError as exc:
        raise NotFound(f"there is no {kind} {oid}") from exc
    if _text(found) != kind:
        raise NotFound(f"{oid} is no {kind}")
    return size


def data_of(repo: git.Repo, blob: str, *, most_bytes: int) -> bytes:
    """A file's bytes. Raises NotFound, and TooLarge before reading more than `most_bytes`."""
    size = size_of(repo, blob, kind="blob")
    if size > most_bytes:
        raise TooLarge(f"the file {blob} has {size:,} bytes; at most {most_bytes:,} are read")
    return repo.git.get_object_data(blob)[3]


def root_of(repo: git.Repo, commit: str) -> str:
    """The tree of a commit. Raises NotFound when there is no such commit."""
    return _small(repo, commit, kind="commit")[5:45].decode("ascii")


def commit_of(repo: git.Repo, commit: str) -> git.Commit:
    """The commit with this id. Raises NotFound when there is none."""
    size_of(repo, commit, kind="commit")
    return git.Commit(repo, bytes.fromhex(commit))


def described(commit: git.Commit) -> Commit:
    """A commit in our words."""
    author = commit.author.name or commit.author.email or ""
    moment_s = min(max(commit.committed_date, 0), LAST_SECOND)
    return Commit(
        id=commit.hexsha,
        tree=commit.tree.hexsha,
        parents=tuple(parent.hexsha for parent in commit.parents),
        author=clean(author),
        committed_at=datetime.fromtimestamp(moment_s, UTC),
        message=clean(_text(commit.message)),
    )


def clean(text: str) -> str:
    """Text that every database and page can hold: no NUL, no half characters."""
    return text.replace("\0", "").encode(errors="surrogateescape").decode(errors="replace")


def folder(repo: git.Repo, tree: str) -> list[tuple[str, int, str]]:
    """(name, mode, id) of everything directly in a tree."""
    data = _small(repo, tree, kind="tree")
    return [(name, mode, oid.hex()) for oid, mode, name in tree_entries_from_data(data)]


def found_at(repo: git.Repo, tree: str, path: str) -> tuple[int, str]:
    """(mode, id) of what lies at `path` below a tree; the empty path is the tree itself.

    Raises NotFound: `..`, an empty component or a file used as a folder name nothing in a tree.
    """
    mode, oid = TREE_MODE, tree
    for name in path.split("/") if path else []:
        inside = folder(repo, oid) if mode == TREE_MODE else []
        known = next(((m, o) for n, m, o in inside if n == name), None)
        if known is None:
            raise NotFound(f"there is no {path[:200]!r} in this version")
        mode, oid = known
    return mode, oid


def entry(repo: git.Repo, path: str, mode: int, oid: str) -> Entry:
    """One thing in a tree, with its size if it is a file."""
    kind = {TREE_MODE: "tree", SUBMODULE_MODE: "commit"}.get(mode, "blob")
    size = size_of(repo, oid, kind="blob") if kind == "blob" else 0
    return Entry(path=path, mode=mode, kind=kind, id=oid, size_bytes=size)


def _small(repo: git.Repo, oid: str, *, kind: str) -> bytes:
    """A commit or tree, which are small: read at once, without asking for the size before."""
    try:
        _, found, _, data = repo.git.get_object_data(checked_id(oid))
    except ValueError as exc:
        raise NotFound(f"there is no {kind} {oid}") from exc
    if _text(found) != kind:
        raise NotFound(f"{oid} is no {kind}")
    return data


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
