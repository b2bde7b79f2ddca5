"""git over HTTP: the real client against the production server."""

import http.client
import os
import re
import signal
import socket
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from basis import clock
from designs.models import DesignRow, RefRow, VersionRow, Visibility
from designs.push import Limits
from tests.support.git_server import GitServer, Work, client_environment, git_server

SMALL = Limits(push_bytes=8 << 20, file_bytes=4 << 20, tree_files=300, repository_bytes=64 << 20)
BASIC_ADA = {"Authorization": "Basic YWRhOmFkYS1wYXNzd29yZA=="}  # ada:ada-password
BASIC_WRONG = {"Authorization": "Basic YWRhOndyb25n"}
READ_REFS = "info/refs?service=git-upload-pack"
PUSH_REFS = "info/refs?service=git-receive-pack"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("hub"), limits=SMALL) as server:
        yield server


@pytest.fixture
def slug(request: pytest.FixtureRequest) -> str:
    test = request.node.name
    readable = re.sub(r"[^a-z0-9]+", "-", test.lower()).strip("-")[:60]
    return f"{readable}-{zlib.crc32(test.encode()):08x}"


@pytest.fixture
def design(hub: GitServer, slug: str) -> int:
    """An empty public design of ada's, named like the test."""
    return hub.design(slug)


@pytest.fixture
def work(tmp_path: Path, hub: GitServer, design: int, slug: str) -> Work:
    """Ada's working copy of it, with `origin` set."""
    work = Work(tmp_path / "work")
    work.git("remote", "add", "origin", hub.url(f"ada/{slug}.git", caller="ada"))
    return work


def ask(
    hub: GitServer,
    method: str,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """One request by hand: status, headers in lower case, body."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)
    try:
        connection.request(method, f"/{path}", body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def transfers(hub: GitServer) -> list[str]:
    """The server's git processes, but for the idle readers of its pool."""
    return [each for each in hub.git_processes() if "cat-file --batch" not in each]


def wait_until_quiet(hub: GitServer) -> None:
    """Until no transfer is left; fails after ten seconds."""
    for _ in range(100):
        if not transfers(hub):
            return
        time.sleep(0.1)
    pytest.fail(f"still running: {transfers(hub)}")


# Pushing.


def test_a_push_becomes_a_version_that_is_due(
    hub: GitServer, work: Work, design: int, slug: str
) -> None:
    commit = work.commit({"okh.toml": b'name = "box"\n', "box.stl": b"solid\n"}, "first box")
    work.git("push", "origin", "main")
    with hub.database.reading() as session:
        version = session.scalars(select(VersionRow).where(VersionRow.design_id == design)).one()
        row = session.get_one(DesignRow, design)
    assert (version.commit, version.author, version.message) == (commit, "Ada", "first box\n")
    assert row.refs_due is False
    assert row.pushed_at is not None
    assert str(version.id) in (hub.folder / "due").read_text().splitlines()[-1].split()


def test_a_push_over_one_mebibyte_is_chunked_and_whole(
    hub: GitServer, work: Work, tmp_path: Path, slug: str
) -> None:
    content = os.urandom(3 << 20)
    commit = work.commit({"part.step": content})
    seen = work.try_git("push", "origin", "main", more={"GIT_CURL_VERBOSE": "1"})
    assert seen.returncode == 0, seen.stderr
    assert "Transfer-Encoding: chunked" in seen.stderr
    copy = Work(tmp_path)
    copy.git("clone", "--quiet", hub.url(f"ada/{slug}.git"), "copy")
    assert (tmp_path / "copy" / "part.step").read_bytes() == content
    assert Work(tmp_path / "copy").head() == commit


def test_the_probe_before_a_large_push_changes_nothing(
    hub: GitServer, design: int, slug: str
) -> None:
    status, _, _ = ask(
        hub,
        "POST",
        f"ada/{slug}.git/git-receive-pack",
        headers={**BASIC_ADA, "Content-Type": "application/x-git-receive-pack-request"},
        body=b"0000",
    )
    assert status == 200
    with hub.database.reading() as session:
        assert session.get_one(DesignRow, design).refs_due is False


def test_the_first_branch_is_published_whatever_its_name(
    hub: GitServer, work: Work, design: int, tmp_path: Path, slug: str
) -> None:
    work.commit({"a.stl": b"a"})
    work.git("push", "origin", "main:trunk")
    assert hub.store.published(design) == "refs/heads/trunk"
    Work(tmp_path).git("clone", "--quiet", hub.url(f"ada/{slug}.git"), "copy")
    assert (tmp_path / "copy" / "a.stl").read_bytes() == b"a"


def test_tags_and_branches_come_and_only_branches_go(
    hub: GitServer, work: Work, design: int
) -> None:
    work.commit({"a.stl": b"a"})
    work.git("tag", "-a", "-m", "one", "v1")
    work.git("push", "origin", "main", "main:side", "v1")
    work.git("push", "origin", ":side")
    with hub.database.reading() as session:
        refs = session.scalars(select(RefRow.ref).where(RefRow.design_id == design)).all()
        versions = session.scalars(select(VersionRow).where(VersionRow.design_id == design)).all()
    assert sorted(refs) == ["refs/heads/main", "refs/tags/v1"]
    assert len(versions) == 1  # the annotated tag stands for the commit that the branch names


def test_of_two_pushes_to_one_branch_the_later_is_told_why(
    hub: GitServer, work: Work, tmp_path: Path, slug: str
) -> None:
    work.commit({"a.stl": b"a"})
    work.git("push", "origin", "main")
    rivals = []
    for name in ("one", "two"):
        Work(tmp_path).git("clone", "--quiet", hub.url(f"ada/{slug}.git", caller="ada"), name)
        rival = Work(tmp_path / name)
        rival.commit({f"{name}.stl": os.urandom(2 << 20)})
        rivals.append(rival)
    running = [
        subprocess.Popen(
            ["git", "push", "origin", "main"],
            cwd=rival.folder,
            env=client_environment(rival.folder),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rival in rivals
    ]
    said = [each.communicate(timeout=60)[1] for each in running]
    assert sorted(each.returncode for each in running) == [0, 1], said
    loser = next(text for each, text in zip(running, said, strict=True) if each.returncode)
    assert re.search(r"cannot lock ref|fetch first|failed to update ref|incorrect old", loser)
    tip = Work(tmp_path / ("one" if running[0].returncode == 0 else "two")).head()
    assert f"{tip}\trefs/heads/main" in work.git("ls-remote", "origin")


def test_pushes_at_once_to_many_branches_all_become_versions(
    hub: GitServer, work: Work, design: int, tmp_path: Path
) -> None:
    commits = set()
    for number in range(6):
        commits.add(work.commit({"a.stl": str(number).encode()}))
        work.git("branch", f"b{number}")
    running = [
        subprocess.Popen(
            ["git", "push", "--quiet", "origin", f"b{number}"],
            cwd=work.folder,
            env=client_environment(work.folder),
            stderr=subprocess.DEVNULL,
        )
        for number in range(6)
    ]
    assert [each.wait(60) for each in running] == [0] * 6
    with hub.database.reading() as session:
        rows = session.scalars(select(VersionRow).where(VersionRow.design_id == design)).all()
        assert {row.commit for row in rows} == commits
        assert session.get_one(DesignRow, design).refs_due is False


def test_a_client_killed_in_the_middle_of_a_push_leaves_nothing(
    hub: GitServer, work: Work, design: int, slug: str
) -> None:
    work.commit({"a.stl": b"a"})
    work.git("push", "origin", "main")
    before = everything_below(hub.store.path(design) / "objects")
    with socket.create_connection(("127.0.0.1", hub.port)) as half:
        half.sendall(
            f"POST /ada/{slug}.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {BASIC_ADA['Authorization']}\r\n"
            "Content-Type: application/x-git-receive-pack-request\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        command = f"{'0' * 40} {'1' * 40} refs/heads/x\0report-status\n".encode()
        started = f"{len(command) + 4:04x}".encode() + command + b"0000"
        started += b"PACK\0\0\0\2\0\0\0\5" + os.urandom(100)
        half.sendall(f"{len(started):x}\r\n".encode() + started + b"\r\n")
        for _ in range(100):
            if any("receive-pack" in each for each in transfers(hub)):
                break
            time.sleep(0.05)
        else:
            pytest.fail("the push never reached git")
    wait_until_quiet(hub)
    wait_for_objects(hub, design, before)


def test_the_answer_waits_for_the_whole_push(
    hub: GitServer, work: Work, design: int, slug: str
) -> None:
    """nginx sends nothing more of a request once it has seen a line of the answer."""
    command = f"{'0' * 40} {'1' * 40} refs/heads/x\0report-status\n".encode()
    started = f"{len(command) + 4:04x}".encode() + command + b"0000"
    with socket.create_connection(("127.0.0.1", hub.port)) as half:
        half.sendall(
            f"POST /ada/{slug}.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {BASIC_ADA['Authorization']}\r\n"
            "Content-Type: application/x-git-receive-pack-request\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        half.sendall(f"{len(started):x}\r\n".encode() + started + b"\r\n")
        half.settimeout(1.0)
        with pytest.raises(TimeoutError):
            half.recv(1)
        half.sendall(b"0\r\n\r\n")
        half.settimeout(10.0)
        assert half.recv(15).startswith(b"HTTP/1.1 200")
    wait_until_quiet(hub)


def test_a_killed_client_program_leaves_nothing(hub: GitServer, work: Work, design: int) -> None:
    work.commit({f"{n}.stl": os.urandom(1 << 20) for n in range(7)})
    before = everything_below(hub.store.path(design) / "objects")
    client = subprocess.Popen(
        ["git", "push", "origin", "main"],
        cwd=work.folder,
        env=client_environment(work.folder),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for _ in range(400):
        if any("index-pack" in each for each in transfers(hub)):
            break
        time.sleep(0.005)
    os.killpg(client.pid, signal.SIGKILL)
    client.wait()
    wait_until_quiet(hub)
    arrived = "refs/heads/main" in work.git("ls-remote", "origin")
    if not arrived:  # the kill came in time, as it nearly always does
        wait_for_objects(hub, design, before)


def wait_for_objects(hub: GitServer, design: int, wanted: set[str]) -> None:
    """Until exactly these are kept; what is left of a broken push goes a moment after it."""
    place = hub.store.path(design) / "objects"
    for _ in range(50):
        if everything_below(place) == wanted:
            return
        time.sleep(0.1)
    assert everything_below(place) == wanted


def everything_below(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*")}


# Fetching.


def test_the_client_speaks_protocol_version_2(work: Work) -> None:
    work.commit({"a.stl": b"a"})
    work.git("push", "origin", "main")
    seen = work.try_git("ls-remote", "origin", more={"GIT_TRACE_PACKET": "1"})
    assert "version 2" in seen.stderr


def test_a_clone_of_many_refs_whose_request_is_compressed(
    hub: GitServer, work: Work, tmp_path: Path, slug: str
) -> None:
    for number in range(200):
        work.git("commit", "--quiet", "--allow-empty", "-m", str(number))
        work.git("tag", f"v{number}")
    work.git("push", "--quiet", "origin", "main", "--tags")
    seen = Work(tmp_path).try_git(
        "clone", hub.url(f"ada/{slug}.git"), "copy", more={"GIT_CURL_VERBOSE": "1"}
    )
    assert seen.returncode == 0, seen.stderr
    assert "Content-Encoding: gzip" in seen.stderr
    copy = Work(tmp_path / "copy")
    assert len(copy.git("tag").split()) == 200
    work.commit({"new.stl": b"new"})
    work.git("push", "--quiet", "origin", "main")
    copy.git("fetch", "--quiet")
    assert copy.git("rev-parse", "origin/main").strip() == work.head()


def test_partial_and_shallow_clones_bring_less(
    hub: GitServer, work: Work, tmp_path: Path, slug: str
) -> None:
    for number in range(3):
        work.commit({"part.step": os.urandom(500_000)}, str(number))
    work.git("push", "--quiet", "origin", "main")
    url = hub.url(f"ada/{slug}.git")
    partial = Work(tmp_path).try_git("clone", "--bare", "--filter=blob:none", url, "partial")
    assert partial.returncode == 0
    assert "warning" not in partial.stderr
    Work(tmp_path).git("clone", "--bare", "--depth=1", url, "shallow")
    sizes = {
        name: sum(f.stat().st_size for f in (tmp_path / name / "objects").rglob("*.pack"))
        for name in ("partial", "shallow")
    }
    assert sizes["partial"] < 20_000
    assert 500_000 < sizes["shallow"] < 600_000


# Who may.


@pytest.mark.parametrize("service", [READ_REFS, PUSH_REFS])
@pytest.mark.parametrize(
    ("visibility", "who", "status"),
    [
        (Visibility.PUBLIC, "nobody", {READ_REFS: 200, PUSH_REFS: 401}),
        (Visibility.PUBLIC, "wrong", {READ_REFS: 401, PUSH_REFS: 401}),
        (Visibility.PUBLIC, "bob", {READ_REFS: 200, PUSH_REFS: 403}),
        (Visibility.PUBLIC, "ada", {READ_REFS: 200, PUSH_REFS: 200}),
        (Visibility.PRIVATE, "nobody", {READ_REFS: 401, PUSH_REFS: 401}),
        (Visibility.PRIVATE, "bob", {READ_REFS: 404, PUSH_REFS: 404}),
        (Visibility.PRIVATE, "ada", {READ_REFS: 200, PUSH_REFS: 200}),
        (None, "nobody", {READ_REFS: 401, PUSH_REFS: 401}),
        (None, "ada", {READ_REFS: 404, PUSH_REFS: 404}),
    ],
)
def test_who_gets_which_answer(
    hub: GitServer,
    slug: str,
    visibility: Visibility | None,
    who: str,
    status: dict[str, int],
    service: str,
) -> None:
    hub.account("ada")
    hub.account("bob")
    if visibility is not None:
        hub.design(slug, visibility=visibility)
    headers = {
        "nobody": {},
        "wrong": BASIC_WRONG,
        "ada": BASIC_ADA,
        "bob": {"Authorization": "Basic Ym9iOmJvYi1wYXNzd29yZA=="},
    }[who]
    got, about, said = ask(hub, "GET", f"ada/{slug}.git/{service}", headers=headers)
    assert got == status[service], said
    assert ("www-authenticate" in about) == (got == 401)
    if got == 401:
        assert about["www-authenticate"].startswith("Basic ")
    command = service.rpartition("=")[2]
    posted, about, _ = ask(
        hub,
        "POST",
        f"ada/{slug}.git/{command}",
        headers={**headers, "Content-Type": f"application/x-{command}-request"},
        body=b"0000",
    )
    assert posted == status[service]
    assert ("www-authenticate" in about) == (posted == 401)


def test_a_removed_design_is_gone_for_everybody(hub: GitServer, design: int, slug: str) -> None:
    with hub.database.writing() as session:
        session.execute(
            update(DesignRow).where(DesignRow.id == design).values(deleted_at=clock.now())
        )
    for headers in ({}, BASIC_ADA):
        status, _, said = ask(hub, "GET", f"ada/{slug}.git/{READ_REFS}", headers=headers)
        assert status == 404
        assert b"removed" in said


def test_git_tells_its_user_what_is_wrong(hub: GitServer, work: Work, slug: str) -> None:
    hub.account("bob")
    work.commit({"a.stl": b"a"})
    wrong = work.try_git("push", f"http://ada:no@127.0.0.1:{hub.port}/ada/{slug}.git", "main")
    assert wrong.returncode != 0
    assert "Authentication failed" in wrong.stderr
    not_his = work.try_git("push", hub.url(f"ada/{slug}.git", caller="bob"), "main")
    assert "you may read this design but not push to it" in not_his.stderr
    missing = work.try_git("ls-remote", hub.url("ada/nothing-here.git", caller="ada"))
    assert "no such design" in missing.stderr


# Addresses that are not git's.


@pytest.mark.parametrize(
    "path",
    [
        "HEAD",
        "objects/info/packs",
        "objects/info/alternates",
        "config",
        "info/refs",
        "info/refs?service=git-upload-archive",
        "info/refs?service=git-upload-pack%00",
        "../hub.gitconfig",
        "..%2fhub.gitconfig",
        "git-upload-pack/../HEAD",
        "%2e%2e/%2e%2e/hub.sqlite",
        "info%2frefs/../../config",
    ],
)
def test_nothing_else_of_a_repository_can_be_fetched(
    hub: GitServer, work: Work, slug: str, path: str
) -> None:
    work.commit({"a.stl": b"a"})
    work.git("push", "--quiet", "origin", "main")
    status, _, said = ask(hub, "GET", f"ada/{slug}.git/{path}", headers=BASIC_ADA)
    assert status in (404, 405)
    assert b"refs/heads" not in said


@pytest.mark.parametrize(
    "path",
    ["ada/../ada/x.git", "..%2f..%2fetc/passwd.git", "ada%2fx.git", "%00/x.git", "ada/%0a.git"],
)
def test_odd_names_lead_nowhere(hub: GitServer, path: str) -> None:
    hub.account("ada")
    status, _, _ = ask(hub, "GET", f"{path}/{READ_REFS}", headers=BASIC_ADA)
    assert status == 404


def test_a_head_request_starts_no_git(hub: GitServer, design: int, slug: str) -> None:
    status, _, _ = ask(hub, "HEAD", f"ada/{slug}.git/{READ_REFS}")
    assert status == 405


def test_a_foreign_content_type_is_refused(hub: GitServer, design: int, slug: str) -> None:
    status, _, _ = ask(
        hub,
        "POST",
        f"ada/{slug}.git/git-upload-pack",
        headers={"Content-Type": "text/html"},
        body=b"0000",
    )
    assert status == 415


# Limits.


def test_a_pack_over_the_limit_is_refused_in_words(work: Work, hub: GitServer, design: int) -> None:
    before = everything_below(hub.store.path(design) / "objects")
    work.commit({f"{n}.step": os.urandom(3 << 20) for n in range(4)})
    said = work.try_git("push", "origin", "main")
    assert said.returncode != 0
    assert "pack exceeds maximum allowed size" in said.stderr
    wait_until_quiet(hub)
    wait_for_objects(hub, design, before)


def test_a_pack_far_over_the_limit_is_cut_off(work: Work, hub: GitServer, design: int) -> None:
    work.commit({f"{n}.step": os.urandom(1 << 20) for n in range(20)})
    said = work.try_git("push", "origin", "main")
    assert said.returncode != 0
    assert "pack exceeds maximum allowed size" in said.stderr
    wait_until_quiet(hub)
    assert hub.store.refs(design) == []


def test_a_stalled_transfer_ends_with_its_time(tmp_path: Path) -> None:
    with git_server(tmp_path / "hub", timeout_s=1) as hub:
        hub.design("box")
        with socket.create_connection(("127.0.0.1", hub.port), timeout=20) as half:
            half.sendall(
                b"POST /ada/box.git/git-upload-pack HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/x-git-upload-pack-request\r\n"
                b"Content-Length: 1000\r\n\r\n0032"
            )
            answer = b""
            while not answer.endswith(b"0\r\n\r\n"):  # the end of a chunked answer
                answer += half.recv(65536)
        wait_until_quiet(hub)


def test_nothing_is_left_running_after_all_this(hub: GitServer) -> None:
    wait_until_quiet(hub)
    log = (hub.folder / "server.log").read_text()
    assert "Traceback" not in log
