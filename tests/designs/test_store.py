"""Repositories on disk and what is read from them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from basis.errors import Invalid, NotFound, TooLarge
from designs.push import Limits
from designs.store import Store
from tests.support.git_server import Work

NUMBER = 42


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "repositories", most_open=3)
    store.create(NUMBER)
    yield store
    store.close()


@pytest.fixture
def work(tmp_path: Path, store: Store) -> Work:
    work = Work(tmp_path / "work")
    work.git("remote", "add", "origin", str(store.path(NUMBER)))
    return work


def pushed(work: Work, files: dict[str, bytes], *refs: str, message: str = "change") -> str:
    commit = work.commit(files, message)
    work.git("push", "--quiet", "origin", *(refs or ("main",)))
    return commit


def setting(store: Store, name: str) -> str:
    """What git itself says of a setting in the repository."""
    said = subprocess.run(
        ["git", "--git-dir", str(store.path(NUMBER)), "config", "--includes", "--get", name],
        env=store.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.strip()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("core.bare", "true"),
        ("http.getanyfile", "false"),
        ("receive.fsckobjects", "true"),
        ("receive.denydeletecurrent", "refuse"),
        ("receive.advertisepushoptions", "false"),
        ("uploadpack.allowfilter", "true"),
        ("gc.auto", "0"),
    ],
)
def test_git_sees_the_shared_settings(store: Store, name: str, value: str) -> None:
    assert setting(store, name) == value


def test_a_changed_limit_holds_for_repositories_made_before(store: Store) -> None:
    assert setting(store, "receive.maxInputSize") == str(1 << 30)
    Store(store.folder, limits=Limits(push_bytes=12345)).close()
    assert setting(store, "receive.maxInputSize") == "12345"


def test_a_folder_of_any_name_serves(tmp_path: Path) -> None:
    with closing(Store(tmp_path / 'a "b" \\c; d')) as store:
        store.create(1)
        work = Work(tmp_path / "work")
        work.commit({"x": b""})
        (work.folder / "link").symlink_to("x")
        work.commit({})
        done = work.try_git("push", str(store.path(1)), "main")
        assert "this is a symbolic link" in done.stderr


def test_making_a_repository_again_changes_nothing(store: Store, work: Work) -> None:
    commit = pushed(work, {"a": b"a"})
    store.create(NUMBER)
    assert store.resolve(NUMBER, "refs/heads/main") == commit


def test_many_make_one_repository_at_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(store.create, [7] * 8)) == {store.path(7)}
    assert not [each for each in store.folder.iterdir() if each.name.startswith(".new")]


def test_a_repository_that_is_not_there(store: Store) -> None:
    for read in (store.refs, store.published, store.pushing, store.maintain):
        with pytest.raises(NotFound, match="design 1 has no repository"):
            read(1)


def test_refs_with_the_commit_behind_each(store: Store, work: Work) -> None:
    first = work.commit({"a": b"a"})
    work.git("tag", "light")
    work.git("tag", "-a", "-m", "x", "annotated")
    work.git("tag", "-a", "-m", "x", "nested", "annotated")
    work.git("tag", "file", work.blob(b"x"))
    work.git("tag", "-a", "-m", "x", "folder", "main^{tree}")
    second = work.commit({"b": b"b"})
    work.git("push", "--quiet", "origin", "main", "--tags")
    assert {ref.name: ref.commit for ref in store.refs(NUMBER)} == {
        "refs/heads/main": second,
        "refs/tags/annotated": first,
        "refs/tags/file": None,
        "refs/tags/folder": None,
        "refs/tags/light": first,
        "refs/tags/nested": first,
    }
    assert store.resolve(NUMBER, "refs/tags/nested") == first
    assert store.resolve(NUMBER, second) == second


@pytest.mark.parametrize(
    "name",
    [
        "main",
        "HEAD",
        "--help",
        "--output=x",
        "refs/heads/../../HEAD",
        "refs/heads/main^",
        "refs/heads/main~1",
        "refs/heads/main:a",
        "refs/heads/a\nb",
        "refs/remotes/x",
        "a" * 39,
        "A" * 40,
        "a" * 40 + "\n",
        "",
    ],
)
def test_only_full_names_and_ids_are_looked_up(store: Store, work: Work, name: str) -> None:
    pushed(work, {"a": b"a"})
    with pytest.raises((Invalid, NotFound)):
        store.resolve(NUMBER, name)


@pytest.mark.parametrize("name", ["--output=x", "main", "a" * 39, "HEAD"])
def test_only_ids_are_read(store: Store, work: Work, tmp_path: Path, name: str) -> None:
    pushed(work, {"a": b"a"})
    reads: list[Callable[[], object]] = [
        lambda: store.commit(NUMBER, name),
        lambda: store.tree(NUMBER, name),
        lambda: store.at(NUMBER, name, "a"),
        lambda: store.blob(NUMBER, name, most_bytes=9),
        lambda: store.pieces(NUMBER, name),
        lambda: store.log(NUMBER, name, most=9),
    ]
    for read in reads:
        with pytest.raises(Invalid):
            read()


def test_a_branch_named_like_an_option_is_one_among_others(store: Store, work: Work) -> None:
    commit = pushed(work, {"a": b"a"})
    place = store.path(NUMBER) / "refs" / "heads" / "--upload-pack=x"
    place.write_text(commit + "\n")  # from before the hook refused such names
    assert store.resolve(NUMBER, "refs/heads/--upload-pack=x") == commit
    assert "refs/heads/--upload-pack=x" in [ref.name for ref in store.refs(NUMBER)]


def test_what_a_commit_says(store: Store, work: Work) -> None:
    first = work.commit({"a": b"a"})
    more = {"GIT_AUTHOR_NAME": "Zoë", "GIT_COMMITTER_DATE": "1700000000 +0530"}
    work.git("commit", "--allow-empty", "--quiet", "-m", "grüße\n\nlong", more=more)
    work.git("push", "--quiet", "origin", "main")
    commit = store.commit(NUMBER, work.head())
    assert commit.author == "Zoë"
    assert commit.message == "grüße\n\nlong\n"
    assert commit.parents == (first,)
    assert commit.committed_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert [each.id for each in store.log(NUMBER, work.head(), most=9)] == [work.head(), first]
    assert len(store.log(NUMBER, work.head(), most=1)) == 1


def test_odd_commits_are_read_all_the_same(store: Store, work: Work) -> None:
    """What fsck lets through, or an import brought: far dates, broken text, no name."""
    tree = work.git("mktree", stdin=b"").strip()
    texts = [
        b"author A\xff <> 99999999999 +0000\ncommitter B <> 99999999999 +0000\n\nx\xff\n",
        b"author  <a@b> 0 -2359\ncommitter  <a@b> 0 +1400\n\n",
    ]
    seen = []
    for text in texts:
        raw = f"tree {tree}\n".encode() + text
        made = subprocess.run(
            ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
            cwd=store.path(NUMBER),
            input=raw,
            env=store.environment(),
            capture_output=True,
            check=True,
        )
        seen.append(store.commit(NUMBER, made.stdout.decode().strip()))
    assert seen[0].committed_at <= datetime.max.replace(tzinfo=UTC)
    assert "\ufffd" in seen[0].author + seen[0].message
    assert seen[1].committed_at == datetime(1970, 1, 1, tzinfo=UTC)
    for each in seen:
        (each.author + each.message).encode()


def test_a_tree_with_every_path(store: Store, work: Work) -> None:
    (work.folder / "run.sh").write_bytes(b"#!")
    (work.folder / "run.sh").chmod(0o755)
    commit = pushed(work, {"b/größe 1.stl": b"123", "a.stl": b"", 'b/"q".stl': b"1"})
    entries = store.tree(NUMBER, commit)
    assert [(e.path, oct(e.mode), e.size_bytes) for e in entries] == [
        ("a.stl", "0o100644", 0),
        ('b/"q".stl', "0o100644", 1),
        ("b/größe 1.stl", "0o100644", 3),
        ("run.sh", "0o100755", 2),
    ]
    assert store.tree(NUMBER, commit, most=4) == entries
    with pytest.raises(TooLarge):
        store.tree(NUMBER, commit, most=3)
    assert [(e.path, e.kind) for e in store.folder_at(NUMBER, commit)] == [
        ("a.stl", "blob"),
        ("b", "tree"),
        ("run.sh", "blob"),
    ]
    assert [e.path for e in store.folder_at(NUMBER, commit, "b")] == ['b/"q".stl', "b/größe 1.stl"]
    assert store.at(NUMBER, commit, "b/größe 1.stl") == entries[2]


@pytest.mark.parametrize(
    "path",
    ["../a.stl", "/a.stl", "a.stl/", "b/..", "b//c.stl", "a.stl/x", "c", "--help", "B/c.stl"],
)
def test_a_path_that_is_not_in_the_tree(store: Store, work: Work, path: str) -> None:
    commit = pushed(work, {"a.stl": b"", "b/c.stl": b""})
    with pytest.raises(NotFound):
        store.at(NUMBER, commit, path)
    with pytest.raises(NotFound):
        store.folder_at(NUMBER, commit, path)


def test_a_file_is_read_up_to_a_limit(store: Store, work: Work) -> None:
    content = os.urandom(700_000)
    commit = pushed(work, {"a.step": content})
    blob = store.at(NUMBER, commit, "a.step").id
    assert store.blob(NUMBER, blob, most_bytes=700_000) == content
    assert b"".join(store.pieces(NUMBER, blob)) == content
    with pytest.raises(TooLarge):
        store.blob(NUMBER, blob, most_bytes=699_999)
    for wrong in (commit, "0" * 40):
        with pytest.raises(NotFound):
            store.blob(NUMBER, wrong, most_bytes=9)
        with pytest.raises(NotFound):
            store.pieces(NUMBER, wrong)
    with pytest.raises(NotFound):
        store.tree(NUMBER, blob)
    with pytest.raises(NotFound):
        store.commit(NUMBER, blob)


def test_pieces_that_nobody_wants_to_the_end(store: Store, work: Work) -> None:
    commit = pushed(work, {"a.step": os.urandom(3_000_000)})
    pieces = store.pieces(NUMBER, store.at(NUMBER, commit, "a.step").id)
    with closing(pieces):  # type: ignore[type-var]
        assert len(next(pieces)) > 0
    assert list(pieces) == []


def test_many_readers_get_their_own_answers(store: Store, work: Work, tmp_path: Path) -> None:
    """Eight threads, five repositories, three of them open at a time."""
    contents = {f"{n}.bin": os.urandom(1 + n * 997) for n in range(40)}
    commit = work.commit(contents)
    numbers = range(100, 105)
    for number in numbers:
        work.git("push", "--quiet", str(store.create(number)), "main")

    def read(turn: int) -> bool:
        number, name = numbers[turn % 5], f"{turn % 40}.bin"
        blob = store.at(number, commit, name).id
        return store.blob(number, blob, most_bytes=1 << 20) == contents[name]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(240)))
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    readers = [
        each
        for each in children
        if b"cat-file" in Path(f"/proc/{each}/cmdline").read_bytes()
        and Path(f"/proc/{each}/cwd").readlink().is_relative_to(store.folder)
    ]
    assert len(readers) <= 6


def test_readers_see_what_was_pushed_after_they_were_opened(store: Store, work: Work) -> None:
    first = pushed(work, {"a": b"a"})
    assert store.commit(NUMBER, first).id == first
    second = pushed(work, {"a": b"b"})
    assert store.commit(NUMBER, second).parents == (first,)
    store.maintain(NUMBER)
    assert store.blob(NUMBER, store.at(NUMBER, first, "a").id, most_bytes=9) == b"a"


def test_the_first_branch_is_published_when_main_never_came(store: Store, work: Work) -> None:
    assert store.published(NUMBER) == "refs/heads/main"
    pushed(work, {"a": b"a"}, "main:zeta", "main:master")
    store.publish_first_branch(NUMBER)
    assert store.published(NUMBER) == "refs/heads/master"
    work.git("push", "--quiet", "origin", "main")
    store.publish_first_branch(NUMBER)
    assert store.published(NUMBER) == "refs/heads/master"


def test_the_last_of_several_pushes_knows_it_and_clears_up(store: Store) -> None:
    left = store.path(NUMBER) / "objects" / "tmp_objdir-incoming-abc"
    left.mkdir()
    one, two = store.pushing(NUMBER), store.pushing(NUMBER)
    assert one.last() is False
    assert left.exists()  # it may be the other's
    one.close()
    assert two.last() is True
    assert not left.exists()
    two.close()


def test_maintenance_keeps_everything(store: Store, work: Work) -> None:
    commits = [pushed(work, {"a": os.urandom(100)}, message=str(n)) for n in range(5)]
    store.maintain(NUMBER)
    store.maintain(NUMBER)
    assert [each.id for each in store.log(NUMBER, commits[-1], most=9)] == commits[::-1]
    assert (store.path(NUMBER) / "objects" / "info" / "commit-graphs").is_dir()


FULL = """
import pathlib, resource, sys
from designs.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
Store(pathlib.Path(sys.argv[1])).close()
"""


def test_repositories_can_be_opened_on_a_full_disk(store: Store, tmp_path: Path) -> None:
    """No byte can be written: what stands there already is good enough, and nothing new is left."""
    opened = subprocess.run(
        [sys.executable, "-c", FULL, str(store.folder)], capture_output=True, text=True, check=False
    )
    assert opened.returncode == 0, opened.stderr
    fresh = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "new")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "File too large" in fresh.stderr
    assert list((tmp_path / "new" / "hooks").iterdir()) == []
