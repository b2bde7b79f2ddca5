"""The pre-receive hook: check what a push brought while it is still in quarantine.

git runs it in the repository, with one line `<old> <new> <ref>` on its input for each pushed ref.
What it writes reaches the pusher; an exit code other than 0 refuses the push. It runs as a plain
file (`python -I -S hook.py`), so that it starts in a few hundredths of a second.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from designs import push
from designs.push import Fault, RefChange, TreeEntry

WINDOW = 256
"""Objects asked for ahead of reading: their names fit in a pipe, so neither side waits for ever."""


class Measure(NamedTuple):
    """What one folder holds, all folders below it included."""

    files: int
    longest_path: int  # bytes
    depth: int


class Objects:
    """One `git cat-file --batch` for everything that is read."""

    def __init__(self) -> None:
        command = ["git", "cat-file", "--batch"]
        self._git = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._ask = cast(IO[bytes], self._git.stdin)
        self._answer = cast(IO[bytes], self._git.stdout)

    def read(self, ids: list[str]) -> Iterator[tuple[str, bytes]]:
        """(id, bytes) of each object, in order."""
        for start in range(0, len(ids), WINDOW):
            window = ids[start : start + WINDOW]
            self._ask.write("".join(f"{oid}\n" for oid in window).encode())
            self._ask.flush()
            for oid in window:
                yield oid, self._one()

    def tree(self, oid: str) -> list[TreeEntry]:
        """What one tree names."""
        self._ask.write(f"{oid}\n".encode())
        self._ask.flush()
        return list(push.tree_entries(self._one()))

    def close(self) -> None:
        """End the process."""
        self._ask.close()
        self._answer.close()
        self._git.wait()

    def _one(self) -> bytes:
        _, _, size = self._answer.readline().split()
        content = self._answer.read(int(size))
        self._answer.read(1)
        return content


class Check:
    """One push: what is new in it, and all that is wrong with it."""

    def __init__(self, changes: list[RefChange], limits: push.Limits, *, published: str) -> None:
        self._changes, self._limits, self._published = changes, limits, published
        self._faults: list[Fault] = []
        self._measures: dict[str, Measure] = {}
        self._folders: dict[str, str] = {}  # new tree → the path it was first met at
        self._submodule_lists: dict[str, str] = {}  # blob → path

    def run(self) -> list[Fault]:
        """Every fault found; none when the push may be taken."""
        self._faults += push.ref_faults(self._changes, published=self._published)
        news = sorted({change.new for change in self._changes} - {push.NOTHING})
        if self._faults or not news:
            return self._faults
        self._check_repository_size()
        self._check_fast_forward()
        objects = Objects()
        try:
            self._check_content(objects, news)
        finally:
            objects.close()
        return self._faults

    def _fault(self, where: str, why: str) -> None:
        self._faults.append(Fault(where, why))

    def _check_repository_size(self) -> None:
        """Old and new objects together; the new ones lie in quarantine, a folder among the old."""
        total = _bytes_below(Path("objects"))
        if total > self._limits.repository_bytes:
            limit = push.size(self._limits.repository_bytes)
            self._fault(
                "repository", f"{push.size(total)} with this push; at most {limit} are kept"
            )

    def _check_fast_forward(self) -> None:
        for change in self._changes:
            if change.ref != self._published or change.old == push.NOTHING:
                continue
            command = ["git", "merge-base", "--is-ancestor", "--end-of-options"]
            if subprocess.run([*command, change.old, change.new], check=False).returncode != 0:
                self._fault(
                    change.ref,
                    "this is the published branch, whose history only grows."
                    " Pull and merge, or push to another branch",
                )

    def _check_content(self, objects: Objects, news: list[str]) -> None:
        commits: list[str] = []
        small: dict[str, str] = {}
        for number, (oid, kind, size, path) in enumerate(_new_objects(news)):
            if number >= push.OBJECTS:
                self._fault("push", f"more than {push.OBJECTS:,} new objects; push it in steps")
                return
            if kind == "commit":
                commits.append(oid)
            elif kind == "tree":
                self._folders[oid] = path
            elif kind == "blob":
                self._faults += push.blob_faults(path or oid, size, self._limits)
                if size < push.POINTER_BYTES:
                    small[oid] = path
        for oid, content in objects.read(list(small)):
            self._faults += push.pointer_faults(small[oid], content, self._limits)
        roots = {data[5:45].decode() for _, data in objects.read(commits)}
        for root in sorted(roots):
            self._check_commit(objects, root)
        for tree in self._folders:  # what only a tag of a folder leads to
            self._measured(objects, tree)
        for blob, path in self._submodule_lists.items():
            self._faults += push.submodule_faults(path, _settings(blob))

    def _check_commit(self, objects: Objects, root: str) -> None:
        whole = self._measured(objects, root)
        if whole.depth > push.DEPTH:
            self._fault("push", f"folders nested more than {push.DEPTH} deep; nest them less")
        if whole.files > self._limits.tree_files:
            most = f"{self._limits.tree_files:,}"
            self._fault("push", f"a commit with {whole.files:,} files; at most {most} in a design")
        if whole.longest_path > push.PATH_BYTES and whole.depth <= push.DEPTH:
            self._fault(
                self._longest_path(objects, root),
                f"the path has {whole.longest_path} bytes; at most {push.PATH_BYTES}: shorten it",
            )

    def _measured(self, objects: Objects, tree: str, level: int = 1) -> Measure:
        """Measure and check a folder. Each is looked at once however often it is named, so a tree
        that names itself a billion times over takes no longer than one that does not."""
        known = self._measures.get(tree)
        if known is not None:
            return known
        if level > push.DEPTH:
            return Measure(0, 0, 1)
        entries = objects.tree(tree)
        if tree in self._folders:
            self._faults += push.tree_faults(entries, folder=self._folders[tree])
        files, longest, depth = 0, 0, 1
        for entry in entries:
            length = len(entry.name)
            if entry.mode == push.TREE:
                inside = self._measured(objects, entry.id, level + 1)
                files += inside.files
                length += 1 + inside.longest_path
                depth = max(depth, 1 + inside.depth)
            else:
                files += 1
                if entry.name.lower() == b".gitmodules" and tree in self._folders:
                    path = f"{self._folders[tree]}/.gitmodules".lstrip("/")
                    self._submodule_lists[entry.id] = path
            longest = max(longest, length)
        self._measures[tree] = Measure(files, longest, depth)
        return self._measures[tree]

    def _longest_path(self, objects: Objects, tree: str) -> str:
        """The path whose length `_measured` found."""
        names = []
        while entries := objects.tree(tree):
            reach = {
                entry: len(entry.name)
                + (1 + self._measures[entry.id].longest_path if entry.mode == push.TREE else 0)
                for entry in entries
            }
            farthest = max(reach, key=reach.__getitem__)
            names.append(farthest.name.decode(errors="replace"))
            if farthest.mode != push.TREE:
                break
            tree = farthest.id
        return "/".join(names)


def main() -> int:
    """Read what git says, check it, tell the pusher."""
    lines = sys.stdin.buffer.read().decode(errors="surrogateescape").split("\n")[:-1]
    if len(lines) > push.REFS:
        print(push.refusal([Fault("push", f"more than {push.REFS:,} refs; push them in steps")]))  # noqa: T201
        return 1
    changes = [RefChange(*line.split(" ", 2)) for line in lines]
    limits = push.Limits.from_json(os.environ.get(push.VARIABLE, ""))
    published = Path("HEAD").read_text(encoding="utf-8").strip().removeprefix("ref: ")
    faults = Check(changes, limits, published=published).run()
    said = push.refusal(faults) if faults else _advice(changes, published)
    sys.stdout.write(said)
    return 1 if faults else 0


def _advice(changes: list[RefChange], published: str) -> str:
    """A word to somebody whose design has no manifest; never a refusal."""
    tip = next((change.new for change in changes if change.ref == published), push.NOTHING)
    if tip == push.NOTHING:
        return ""
    command = ["git", "ls-tree", "-z", "--name-only", "--end-of-options", tip]
    names = subprocess.run(command, capture_output=True, check=True).stdout.split(b"\0")
    if any(push.is_manifest(name) for name in names):
        return ""
    return (
        "This design has no okh.toml yet. With one, people find it by its name and know its"
        " licence.\n"
    )


def _new_objects(news: list[str]) -> Iterator[tuple[str, str, int, str]]:
    """(id, kind, size, path) of every object that no ref of the repository leads to yet."""
    command = ["git", "rev-list", "--objects", "--stdin", "--not", "--all"]
    # `--not` turns round everything after it; ids given by --stdin stay as they are.
    lister = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ask, found = cast(IO[bytes], lister.stdin), cast(IO[bytes], lister.stdout)
    ask.write("".join(f"{new}\n" for new in news).encode())
    ask.close()
    command = ["git", "cat-file", "--buffer"]
    command.append("--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)")
    checker = subprocess.Popen(command, stdin=found, stdout=subprocess.PIPE)
    found.close()
    with cast(IO[bytes], checker.stdout) as answer:
        for line in answer:
            oid, kind, size, path = line.rstrip(b"\n").split(b" ", 3)
            yield oid.decode(), kind.decode(), int(size), path.decode(errors="replace")
    if checker.wait() != 0 or lister.wait() != 0:
        raise RuntimeError("git could not list what is new in this push")


def _settings(blob: str) -> list[tuple[str, str]] | None:
    """The lines of a `.gitmodules` as git reads them; None when it cannot."""
    command = ["git", "config", "-z", f"--blob={blob}", "--no-includes", "--list"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        return None
    lines = done.stdout.decode(errors="surrogateescape").split("\0")[:-1]
    return [(key, value) for key, _, value in (line.partition("\n") for line in lines)]


def _bytes_below(place: Path) -> int:
    """Size of all files in a folder; one that vanishes meanwhile counts nothing."""
    total = 0
    for folder, _, files in os.walk(place):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
            except FileNotFoundError:
                continue
    return total


if __name__ == "__main__":
    sys.exit(main())
