"""Pushing the sample designs with the real git client."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import designs
from basis.errors import HubError, Unavailable
from basis.settings import environment_for_child
from designhub.api import schema
from designhub.client import HubSays, design_path
from designhub.demo.people import Person

SAMPLES = Path(designs.__file__ or "").parent / "samples"
PUSH_S = 120

# git asks this for a name and password; the token stays in the environment, out of every file,
# every address and every list of processes.
HELPER = '!f() { echo "username=$DEMO_NAME"; echo "password=$DEMO_TOKEN"; }; f'


class PushRefused(HubError):
    """git did not take the push; the message is what it said."""

    code = "push_refused"


def samples() -> list[str]:
    """Names of the sample designs."""
    return sorted(path.parent.name for path in SAMPLES.glob("*/okh.toml"))


def push(name: str, *, by: Person, url: str, folder: Path, source: Path | None = None) -> str:
    """Push one design, as its designer would; the commit that is published now.

    source : its files; without it, the sample of this name.
    """
    api = by.api(url)
    try:
        design = api.ask(schema.Design, "GET", design_path(f"{by.name}/{name}"))
    except HubSays as exc:
        if exc.status != 404:
            raise
        design = api.ask(schema.Design, "POST", "/designs", schema.DesignAsk(name=name))
    shutil.copytree(source or SAMPLES / name, folder, dirs_exist_ok=True)
    if not (folder / ".git").is_dir():
        _git(folder, by, "init", "--quiet", "--initial-branch=main")
    _git(folder, by, "add", "--all")
    if _git(folder, by, "status", "--porcelain"):
        _git(folder, by, "commit", "--quiet", "--message", f"{design.title or name}")
    tag = f"v{_version(folder)}"
    if not _git(folder, by, "tag", "--list", tag):
        _git(folder, by, "tag", tag)
    _git(folder, by, "push", "--quiet", design.clone, "main", tag)
    return _git(folder, by, "rev-parse", "HEAD")


def _version(folder: Path) -> str:
    manifest = tomllib.loads((folder / "okh.toml").read_text("utf-8"))
    return str(manifest.get("version", "0.0.0"))


def _git(folder: Path, by: Person, *arguments: str) -> str:
    """Run git as somebody who has nothing set up on this machine."""
    known = {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "credential.helper",
        "GIT_CONFIG_VALUE_0": HELPER,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": by.name,
        "GIT_AUTHOR_EMAIL": f"{by.name}@designhub.example",
        "GIT_COMMITTER_NAME": by.name,
        "GIT_COMMITTER_EMAIL": f"{by.name}@designhub.example",
        "DEMO_NAME": by.name,
        "DEMO_TOKEN": by.token,
    }
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment_for_child(known),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PUSH_S,
            check=False,
        )
    except FileNotFoundError as exc:
        raise Unavailable("git is not installed: apt-get install git") from exc
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise PushRefused(f"git {arguments[0]} in {folder}: {said[-500:]}")
    return done.stdout.decode("utf-8", "replace").strip()
