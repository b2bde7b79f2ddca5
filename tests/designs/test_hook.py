"""The pre-receive hook: real pushes into a real repository, and what the pusher reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from designs.push import DEPTH, PATH_BYTES, VARIABLE, Limits
from designs.store import Store
from tests.support.git_server import Refused, Work

LIMITS = Limits(file_bytes=100_000, tree_files=50, repository_bytes=400_000)
NUMBER = 7


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "hub", limits=LIMITS)
    store.create(NUMBER)
    yield store
    store.close()


@pytest.fixture
def work(tmp_path: Path, store: Store) -> Work:
    work = Work(tmp_path / "work")
    work.git("remote", "add", "origin", str(store.path(NUMBER)))
    work.git("config", "core.protectNTFS", "false")
    work.git("config", "core.protectHFS", "false")
    return work


def push(work: Work, *refs: str, limits: Limits = LIMITS) -> str:
    """Push and give what the hub said; raises Refused with it."""
    done = work.try_git("push", "origin", *refs, more={VARIABLE: limits.to_json()})
    if done.returncode != 0:
        raise Refused(done.stderr)
    return done.stderr


def refused(work: Work, *refs: str, limits: Limits = LIMITS) -> str:
    """Push what has to be refused by the hook; what its user reads."""
    with pytest.raises(Refused) as caught:
        push(work, *(refs or ("main",)), limits=limits)
    assert "remote: This push was refused" in str(caught.value)
    assert "pre-receive hook declined" in str(caught.value)
    return str(caught.value)


def test_an_ordinary_design_is_taken(work: Work, store: Store) -> None:
    commit = work.commit({"okh.toml": b"", "cad/box.FCStd": b"x" * 90_000, "größe.stl": b""})
    assert "remote" not in push(work, "main")
    assert store.resolve(NUMBER, "refs/heads/main") == commit


def test_a_design_without_manifest_is_taken_with_advice(work: Work) -> None:
    work.commit({"box.stl": b""})
    assert "has no okh.toml yet" in push(work, "main")


def test_a_symbolic_link_is_refused_by_its_path(work: Work, store: Store) -> None:
    (work.folder / "cad").mkdir()
    (work.folder / "cad" / "link.stl").symlink_to("/etc/passwd")
    work.commit({"a.stl": b""})
    assert "cad/link.stl: this is a symbolic link; push the file itself" in refused(work)
    assert list((store.path(NUMBER) / "objects").glob("**/*.pack")) == []


def test_what_a_later_commit_takes_back_is_still_refused(work: Work) -> None:
    (work.folder / "link.stl").symlink_to("/etc/passwd")
    work.commit({"a.stl": b""})
    work.git("rm", "--quiet", "link.stl")
    work.commit({"a.stl": b"b"})
    assert "link.stl" in refused(work)


def test_only_what_is_new_is_checked(work: Work) -> None:
    work.commit({"old.step": b"x" * 90_000, "a/b.stl": b""})
    push(work, "main")
    work.commit({"new.stl": b""})
    push(work, "main", limits=Limits(file_bytes=50_000))
    work.commit({"new.step": b"y" * 60_000})
    said = refused(work, limits=Limits(file_bytes=50_000))
    assert "new.step: this file has 58.6 kB" in said
    assert "old.step" not in said


@pytest.mark.parametrize(
    ("name", "word"),
    [
        (b"a\\b.stl", "backslash"),
        (b"aux.stl", "device"),
        (b"part. ", "space"),
        (b"a\x1b[2Jb\r.stl", "control characters"),
        (b"caf\xe9.stl", "not UTF-8"),
        (b"git~1", ""),
    ],
)
def test_odd_names_are_refused_and_shown_harmlessly(work: Work, name: bytes, word: str) -> None:
    blob = work.blob(b"x")
    inner = work.git("mktree", "-z", stdin=b"100644 blob " + blob.encode() + b"\t" + name + b"\0")
    work.raw_commit([("040000", inner.strip(), b"cad")])
    with pytest.raises(Refused) as caught:  # some of these git refuses before us
        push(work, "main")
    said = str(caught.value)
    assert word in said
    assert "\x1b[2J" not in said


def test_names_that_are_one_file_elsewhere_are_refused(work: Work) -> None:
    blob = work.blob(b"x")
    work.raw_commit([("100644", blob, b"README.md"), ("100644", blob, b"readme.md")])
    assert "'README.md' beside it is the same name" in refused(work)


@pytest.mark.parametrize("url", ["git@example.org:a.git", "../a", "https://example.org/a\r"])
def test_submodules_from_elsewhere_than_https_are_refused(work: Work, url: str) -> None:
    listed = work.blob(f'[submodule "x"]\n\tpath = x\n\turl = "{url}"\n'.encode())
    work.raw_commit([("100644", listed, b".gitmodules"), ("160000", "1" * 40, b"x")])
    assert ".gitmodules" in refused(work)


def test_https_submodules_are_taken(work: Work, store: Store) -> None:
    listed = work.blob(b'[submodule "x"]\n\tpath = x\n\turl = https://example.org/x.git\n')
    commit = work.raw_commit([("100644", listed, b".gitmodules"), ("160000", "1" * 40, b"x")])
    push(work, "main")
    assert [(e.path, e.kind) for e in store.tree(NUMBER, commit)] == [
        (".gitmodules", "blob"),
        ("x", "commit"),
    ]


def test_a_large_file_is_refused_by_its_path(work: Work) -> None:
    work.commit({"cad/huge.step": b"x" * 100_001})
    assert "cad/huge.step: this file has 97.7 kB; a single one may have at most" in refused(work)


def test_a_pointer_is_refused_by_its_path(work: Work) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"
    work.commit({"cad/box.step": pointer})
    said = refused(work)
    assert "cad/box.step: this is a Git LFS pointer, and Git LFS is not supported yet" in said
    assert "push the file itself, up to 97.7 kB" in said


def test_a_commit_of_too_many_files_is_refused(work: Work) -> None:
    work.commit({f"{n}.stl": b"" for n in range(51)})
    assert "a commit with 51 files; at most 50" in refused(work)


def test_files_of_earlier_pushes_count_too(work: Work) -> None:
    work.commit({f"a/{n}.stl": b"" for n in range(50)})
    push(work, "main")
    work.commit({"b/one.stl": b""})
    assert "51 files" in refused(work)


def test_a_tree_that_multiplies_itself_is_refused_at_once(work: Work) -> None:
    """Ten folders in each of ten, eight deep: a hundred million files of a few hundred bytes."""
    oid, mode = work.blob(b"x"), "100644"
    for _ in range(8):
        kind = "blob" if mode == "100644" else "tree"
        lines = b"".join(f"{mode} {kind} {oid}\t{n}\0".encode() for n in range(10))
        oid, mode = work.git("mktree", "-z", stdin=lines).strip(), "040000"
    commit = work.git("commit-tree", oid, "-m", "bomb").strip()
    work.git("update-ref", "refs/heads/main", commit)
    assert "100,000,000 files" in refused(work)


def test_long_paths_are_refused(work: Work) -> None:
    folder = "/".join(["f" * 99] * 3)
    work.commit({f"{folder}/{'x' * (PATH_BYTES - 300)}": b""})
    push(work, "main")
    work.commit({f"{folder}/{'x' * (PATH_BYTES - 299)}": b""})
    said = refused(work)
    assert f"{folder}/{'x' * (PATH_BYTES - 299)}: the path has {PATH_BYTES + 1} bytes" in said


def test_deep_folders_are_refused(work: Work) -> None:
    work.commit({"/".join(["d"] * (DEPTH - 1)) + "/a.stl": b""})
    push(work, "main")
    work.commit({"e/" * DEPTH + "a.stl": b""})
    assert f"more than {DEPTH} deep" in refused(work)
    work.commit({"e/" * 150 + "b.stl": b""})
    assert f"more than {DEPTH} deep" in refused(work)


def test_a_repository_that_grows_too_large_is_refused(work: Work, store: Store) -> None:
    import random

    for number in range(4):
        work.commit({f"{number}.step": random.Random(number).randbytes(95_000)})
        push(work, "main")
    work.commit({"4.step": random.Random(4).randbytes(95_000)})
    assert "at most 390.6 kB are kept" in refused(work)


def test_the_published_branch_only_grows_and_others_may_be_rewound(work: Work) -> None:
    work.commit({"a.stl": b"a"})
    push(work, "main", "main:try")
    work.git("commit", "--quiet", "--amend", "-m", "other")
    assert "whose history only grows" in refused(work, "+main")
    push(work, "+main:try")
    push(work, ":try")
    assert "cannot be deleted" in refused(work, ":main")


def test_tags_stay(work: Work) -> None:
    work.commit({"a.stl": b"a"})
    work.git("tag", "v1")
    push(work, "main", "v1")
    work.commit({"a.stl": b"b"})
    work.git("tag", "--force", "v1")
    assert "cannot be moved" in refused(work, "+v1")
    assert "cannot be deleted" in refused(work, ":v1")


@pytest.mark.parametrize("ref", ["refs/heads/--upload-pack=x", "refs/tags/-v1", "refs/notes/x"])
def test_odd_refs_are_refused(work: Work, ref: str) -> None:
    work.commit({"a.stl": b"a"})
    assert ref in refused(work, f"main:{ref}")


def test_a_push_option_is_not_taken(work: Work) -> None:
    work.commit({"a.stl": b"a"})
    with pytest.raises(Refused, match="does not support push options"):
        push(work, "--push-option=a;b=c", "main")


def test_tags_of_files_and_folders_are_checked_too(work: Work) -> None:
    (work.folder / "x").symlink_to("/etc/passwd")
    work.commit({"a.stl": b"a"})
    work.git("tag", "tree", "main^{tree}")
    assert "x: this is a symbolic link" in refused(work, "tree")
    work.git("tag", "file", work.blob(b"x" * 100_001))
    assert "this file has 97.7 kB" in refused(work, "file")
    work.git("tag", "-a", "-m", "nested", "nested", "tree")
    assert "x: this is a symbolic link" in refused(work, "nested")


def test_many_new_commits_cost_no_process_each(work: Work, store: Store) -> None:
    lines = ["blob", "mark :1", "data 1", "x"]
    for number in range(2_000):
        lines += ["commit refs/heads/main", f"committer A <a@b> {1_700_000_000 + number} +0000"]
        lines += ["data 1", "m", f"M 100644 :1 d{number % 20}/f{number % 40}.stl", ""]
    work.git("fast-import", "--quiet", stdin="\n".join(lines).encode())
    push(work, "main")
    assert len(store.log(NUMBER, store.resolve(NUMBER, "refs/heads/main"), most=5_000)) == 2_000
