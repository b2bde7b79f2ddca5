"""The docs tell the truth: every setting, error code, API path, command and link is looked up."""

import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import click
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from basis.errors import HubError
from basis.settings import AGENT_PREFIX, CLIENT_VARIABLES, PREFIX, Settings
from designhub.app import create_app
from designhub.cli import main
from designhub.errors import status_of_kind
from printers.agent_config import WHERE, AgentSettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
PACKAGES = ("basis", "commons", "designhub", "designs", "printers", "router")
MOST_README_LINES = 120

READER = MarkdownIt().enable("table")


def tokens(page: Path) -> Iterator[Token]:
    """Everything in a page, with what stands inside of lines."""
    for token in READER.parse(page.read_text("utf-8")):
        yield token
        yield from token.children or ()


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def cells(page: Path) -> dict[str, list[str]]:
    """The rows of all tables of a page by the code in their first cell."""
    found = {}
    for line in page.read_text("utf-8").splitlines():
        row = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("|") and (first := re.search(r"`([^`]+)`", row[0])):
            found[first.group(1)] = row
    return found


# Settings.


def shown(value: object) -> str:
    """A default as the table shows it."""
    if value == "":
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_every_setting_stands_in_the_docs_with_its_default() -> None:
    rows = cells(DOCS / "settings.md")
    wanted = {PREFIX + each.name.upper(): shown(each.default) for each in fields(Settings)}
    assert {name: row[1] for name, row in rows.items()} == wanted


def test_every_setting_shows_its_bounds() -> None:
    rows = cells(DOCS / "settings.md")
    for each in fields(Settings):
        low, high = each.metadata["low"], each.metadata["high"]
        bounds = "" if low is None else f"{low:,} to {high:,}"
        bounds = bounds or " or ".join(f"`{choice}`" for choice in each.metadata["choices"])
        if bounds:
            assert rows[PREFIX + each.name.upper()][2] == bounds


def test_every_setting_of_the_agent_stands_in_the_docs() -> None:
    rows = cells(ROOT / WHERE)
    wanted = {AGENT_PREFIX + each.name.upper() for each in fields(AgentSettings)}
    assert {name for name in rows if name.startswith(AGENT_PREFIX)} == wanted


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_setting_that_is_not_there(page: Path) -> None:
    known = {PREFIX + each.name.upper() for each in fields(Settings)} | CLIENT_VARIABLES
    known |= {AGENT_PREFIX + each.name.upper() for each in fields(AgentSettings)}
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", page.read_text("utf-8")))
    assert named - known - {AGENT_PREFIX.rstrip("_")} == set()


# Errors.


def modules() -> Iterator[ModuleType]:
    """Every module of the packages, but for those that only Alembic or OctoPrint can load."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            foreign = (".migrations", ".samples", ".plugin.entry")
            if not any(each in found.name for each in foreign):
                yield importlib.import_module(found.name)


def error_kinds() -> dict[str, set[int]]:
    """Every code of an error class, with the statuses it leaves the hub with."""
    codes: dict[str, set[int]] = {}
    for module in modules():
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, HubError) and "code" in vars(kind):
                codes.setdefault(str(vars(kind)["code"]), set()).add(status_of_kind(kind))
    return {code: statuses for code, statuses in codes.items() if not code.startswith("<")}


def test_every_error_code_stands_in_the_docs_with_its_status() -> None:
    text, rows = (DOCS / "errors.md").read_text("utf-8"), cells(DOCS / "errors.md")
    kinds = error_kinds()
    assert len(kinds) > 30
    for code, statuses in kinds.items():
        assert f'<a id="{code}"></a>`{code}`' in text, f"docs/errors.md lacks {code}"
        if rows[code][1].isdigit():
            assert {int(rows[code][1])} == statuses, code


def test_every_documented_code_exists() -> None:
    text = (DOCS / "errors.md").read_text("utf-8")
    anchors = re.findall(r'<a id="([^"]+)"></a>`([^`]+)`', text)
    http = {status.phrase.lower().replace(" ", "_") for status in HTTPStatus}
    assert all(anchor == code for anchor, code in anchors)
    assert {code for code, _ in anchors} - error_kinds().keys() - http == set()
    assert len(anchors) == len(set(anchors))


# The API.


def test_every_path_of_the_api_stands_in_the_docs(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    with app.test_client() as client:
        paths = client.get("/api/v1/openapi.json").get_json()["paths"]
    app.extensions["designhub"].close()
    described = {f"{method.upper()} {path}" for path, verbs in paths.items() for method in verbs}
    documented = {code for code in cells(DOCS / "api.md") if re.match(r"[A-Z]+ /api/", code)}
    assert documented == described


# Links.


def anchors(page: Path) -> set[str]:
    """What a link into a page may end with: its headings, and ids it gives itself."""
    found = set(re.findall(r'<a id="([^"]+)">', page.read_text("utf-8")))
    parsed = list(tokens(page))
    for before, token in pairwise(parsed):
        if before.type == "heading_open":
            words = re.sub(r"[^\w\- ]", "", token.content.lower())
            found.add(words.replace(" ", "-"))
    return found


def links(page: Path) -> Iterator[str]:
    """The relative addresses in a page."""
    for token in tokens(page):
        address = token.attrGet("href") or token.attrGet("src")
        if isinstance(address, str) and not re.match(r"[a-z]+:", address):
            yield address


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for address in links(page):
        path, _, anchor = address.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)}: {address}"
        if anchor:
            assert anchor in anchors(target), f"{name_of(page)}: {address}"


# Commands.


def commands(page: Path) -> Iterator[list[str]]:
    """Every `designhub …` of a page's code blocks and code in lines, as words."""
    for token in tokens(page):
        if token.type not in ("fence", "code_inline"):
            continue
        for line in token.content.replace("\\\n", " ").splitlines():
            for piece in re.split(r"&& |\| ", line.strip().removeprefix("$ ")):
                if found := re.match(r"(?:\S*/bin/)?designhub( \S.*)?$", piece.strip()):
                    said = re.sub(r"\s(#|\().*| …", " ", found.group(1) or "")
                    yield shlex.split(said)


def check(words: list[str]) -> None:
    """Fail unless click knows these commands, options and choices. Arguments may be anything."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]!r}"
        command, words = found, words[1:]
    known = {name: each for each in command.params for name in (*each.opts, *each.secondary_opts)}
    for word, value in pairwise([*words, ""]):
        if word.startswith("--") and word not in ("--help", "--version"):
            assert word in known, f"{command.name} has no {word}"
            if isinstance(choice := known[word].type, click.Choice):
                assert value in choice.choices, f"{command.name} {word} {value}"


def all_commands(group: click.Group, *before: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group with the words that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*before, name)), command
        if isinstance(command, click.Group):
            yield from all_commands(command, *before, name)


def test_the_examples_in_the_help_of_every_command_exist() -> None:
    seen = 0
    for name, command in all_commands(main):
        for line in re.sub(r"\\+\n", " ", command.help or "").splitlines():
            if found := re.match(r"(?:echo .*\| |DESIGNHUB_\S+ )?designhub( \S.*)", line.strip()):
                check(shlex.split(found.group(1).replace("…", "")))
                seen += 1
        assert command.help, name
    assert seen > 20


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_in_the_docs_exists(page: Path) -> None:
    for words in commands(page):
        check(words)


def short_commands() -> list[str]:
    """What the README invites to type: asks for help and changes nothing."""
    found = [
        line.removeprefix("$ ")
        for token in tokens(ROOT / "README.md")
        if token.type == "fence" and token.info == "console"
        for line in token.content.splitlines()
    ]
    assert found
    assert all(re.fullmatch(r"designhub( [a-z]+)* --help", line) for line in found)
    return found


@pytest.mark.parametrize("line", short_commands())
def test_the_short_commands_of_the_readme_run(line: str, tmp_path: Path) -> None:
    words = [sys.executable, "-P", "-m", "designhub.cli", *line.split()[1:]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: ")
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_readme_stays_short() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= MOST_README_LINES
