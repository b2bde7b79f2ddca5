"""git over HTTP on the hub against nginx + fcgiwrap + `git http-backend`, and the hub's memory.

    python -m tests.bench.bench_git [--megabytes 200] [--pairs 7]

Both serve the same folder with the same configuration and the same hook, so the ratio is the price
of the way there and nothing else. The peer is plain Debian: `apt-get install nginx-light fcgiwrap`.
Prints one JSON object. Ratios are medians (smallest to largest) of runs that alternate.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from designs.push import VARIABLE, Limits
from tests.support.git_server import GitServer, Work, free_port, git_server

LIMITS = Limits(push_bytes=1 << 32, file_bytes=1 << 30, repository_bytes=1 << 40)
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1; user root;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/fastcgi;
  proxy_temp_path {folder}/proxy; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port};
    location ~ ^/ada/([0-9]+\\.git/.*)$ {{
      fastcgi_pass unix:{folder}/fcgi.sock; include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME {backend}; fastcgi_param GIT_PROJECT_ROOT {root};
      fastcgi_param GIT_HTTP_EXPORT_ALL 1; fastcgi_param PATH_INFO /$1;
      fastcgi_param GIT_CONFIG_NOSYSTEM 1; fastcgi_param GIT_CONFIG_COUNT 1;
      fastcgi_param GIT_CONFIG_KEY_0 http.receivepack; fastcgi_param GIT_CONFIG_VALUE_0 true;
    }}
  }}
}}
"""


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--megabytes", type=int, default=200)
    asked.add_argument("--pairs", type=int, default=7)
    wanted = asked.parse_args()
    missing = [name for name in ("nginx", "fcgiwrap") if not shutil.which(name, path=PATHS)]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}. apt-get install nginx-light fcgiwrap")
    with tempfile.TemporaryDirectory(prefix="bench-git-") as name:
        folder = Path(name)
        with (
            git_server(folder / "hub", limits=LIMITS) as hub,
            nginx(folder / "peer", hub) as peer,
        ):
            found = measure(hub, peer, folder, megabytes=wanted.megabytes, pairs=wanted.pairs)
    json.dump(found, sys.stdout, indent=2)
    print()  # noqa: T201


PATHS = "/usr/sbin:/usr/bin:/sbin:/bin"


@contextmanager
def nginx(folder: Path, hub: GitServer) -> Iterator[str]:
    """The peer on the hub's repositories; its address up to the repository's folder name."""
    folder.mkdir()
    port = free_port()
    backend = subprocess.check_output(["git", "--exec-path"], text=True).strip()
    text = NGINX.format(
        folder=folder, port=port, backend=f"{backend}/git-http-backend", root=hub.store.folder
    )
    (folder / "nginx.conf").write_text(text)
    environment = {**hub.store.environment(), VARIABLE: LIMITS.to_json()}
    commands = [
        ["fcgiwrap", "-c", "8", "-s", f"unix:{folder}/fcgi.sock"],
        ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")],
    ]
    running = [
        subprocess.Popen(command, env={**environment, "PATH": PATHS}, start_new_session=True)
        for command in commands
    ]
    try:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}/ada"
    finally:
        for process in running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            process.wait(10)


def measure(
    hub: GitServer, peer: str, folder: Path, *, megabytes: int, pairs: int
) -> dict[str, object]:
    """Every figure."""
    small = hub.design("small")
    source = Work(folder / "small")
    for number in range(20):
        source.commit({f"{number % 5}.stl": os.urandom(2_000)}, str(number))
    source.git("push", "--quiet", hub.url("ada/small.git", caller="ada"), "main")
    large = hub.design("large")
    heavy = Work(folder / "large")
    heavy.commit({f"{n}.step": os.urandom(10_000_000) for n in range(megabytes // 10)})
    # Packed once here, so that the client's own work is small beside the way.
    heavy.git("-c", "core.bigFileThreshold=1m", "gc", "--quiet")

    def clone(url: str) -> None:
        target = tempfile.mkdtemp(dir=folder)
        source.git("clone", "--quiet", "--bare", url, target)
        shutil.rmtree(target)

    def push_small(url: str) -> None:
        source.git("push", "--quiet", "--force", url, f"{commits.pop()}:refs/heads/x")

    def push_large(url: str) -> None:
        heavy.git("push", "--quiet", url, "main:refs/heads/x")

    def empty_again() -> None:
        place = hub.store.path(large)
        source.git("--git-dir", str(place), "update-ref", "-d", "refs/heads/x")
        shutil.rmtree(place / "objects" / "pack")
        (place / "objects" / "pack").mkdir()

    hub_small, peer_small = hub.url("ada/small.git", caller="ada"), f"{peer}/{small}.git"
    hub_large, peer_large = hub.url("ada/large.git", caller="ada"), f"{peer}/{large}.git"
    commits = [
        source.git("commit-tree", "main^{tree}", "-p", "main", "-m", str(n)).strip()
        for n in range(2 * pairs + 2)
    ]

    def eight(url: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(clone, [url] * 8))

    found: dict[str, object] = {"megabytes": megabytes, "pairs": pairs}
    found["small clone"] = ratio(clone, hub.url("ada/small.git"), peer_small, pairs)
    found["8 small clones at once"] = ratio(eight, hub.url("ada/small.git"), peer_small, pairs)
    found["small push"] = ratio(push_small, hub_small, peer_small, pairs)
    found["large push"] = ratio(push_large, hub_large, peer_large, pairs, after=empty_again)
    grown = memory(hub, lambda: push_large(hub_large))
    found["server memory, large push, MB"] = grown
    found["large clone"] = ratio(clone, hub_large, peer_large, pairs)
    found["server memory, large clone, MB"] = memory(hub, lambda: clone(hub_large))
    return found


def ratio(
    work: Callable[[str], None],
    ours: str,
    theirs: str,
    pairs: int,
    *,
    after: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Time of `work` on ours ÷ on theirs: median, smallest, largest; and our median in seconds."""
    for url in (ours, theirs):
        work(url)
        after()
    ratios, seconds = [], []
    for number in range(pairs):
        taken = {}
        for url in (ours, theirs) if number % 2 else (theirs, ours):
            started = time.perf_counter()
            work(url)
            taken[url] = time.perf_counter() - started
            after()
        ratios.append(taken[ours] / taken[theirs])
        seconds.append(taken[ours])
    return {
        "ratio": round(statistics.median(ratios), 3),
        "least": round(min(ratios), 3),
        "most": round(max(ratios), 3),
        "seconds": round(statistics.median(seconds), 3),
    }


def memory(hub: GitServer, work: Callable[[], None]) -> float:
    """By how much the server's processes grow at most meanwhile, in MB; git's are not counted."""
    servers = [hub.pid, *children(hub.pid)]
    for pid in servers:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = {pid: kilobytes(pid, "VmRSS") for pid in servers}
    work()
    return round(sum(kilobytes(pid, "VmHWM") - before[pid] for pid in servers) / 1024, 1)


def children(pid: int) -> list[int]:
    """Processes that granian started to serve."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kilobytes(pid: int, name: str) -> int:
    """One figure of `/proc/<pid>/status`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


if __name__ == "__main__":
    main()
