"""Every command: help, answers for programs, and failures in one line."""

import json
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import requests

from designhub import processes
from designhub.api import schema
from designhub.cli import SECTIONS, main
from tests.support.hub_process import RunningHub, command
from tests.support.solids import box, stl

BASE = "certifi charset_normalizer click idna markdown_it mdurl pygments requests rich urllib3"
"""What the base install brings: click, requests, rich, and what those need."""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and every group of commands."""
    yield path
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield (*path, name)


def found(path: tuple[str, ...]) -> click.Command:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        next_one = command.get_command(click.Context(command), name)
        assert next_one is not None
        command = next_one
    return command


@pytest.mark.parametrize("path", list(commands(main)), ids=lambda path: " ".join(path) or "-")
def test_every_command_explains_itself_with_an_example(path: tuple[str, ...]) -> None:
    command = found(path)
    context = click.Context(command, info_name=" ".join(("designhub", *path)))
    text = command.get_help(context)
    assert command.help
    if not isinstance(command, click.Group) and path != ("agent",):
        assert f"designhub {' '.join(path)}" in text.split("Options:")[0].partition("\n")[2]
    for option in command.params:
        assert not isinstance(option, click.Option) or option.help or option.show_default, option


def test_the_first_help_names_every_command() -> None:
    done = command("--help")
    assert done.returncode == 0
    for section, listed in SECTIONS.items():
        assert section in done.stdout
        for name, (_, about) in listed.items():
            assert name in done.stdout
            assert about in done.stdout


def test_usage_mistakes_end_with_2_and_failures_with_1(running_hub: RunningHub) -> None:
    assert command("nonsense").returncode == 2
    assert command("order", "ada/hook").returncode == 2  # no place
    nobody = command("order", "nobody/nothing", "--near", "Seoul", hub=running_hub.url)
    assert nobody.returncode == 1
    assert nobody.stderr == "Error: there is nobody called 'nobody' here\n"
    assert nobody.stdout == ""
    settings = subprocess.run(
        processes.this_program("worker"),
        env={"PATH": "/usr/bin:/bin", "DESIGNHUB_PROT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert settings.returncode == 1
    assert "unknown settings: DESIGNHUB_PROT" in settings.stderr


def test_answers_for_programs(running_hub: RunningHub, tmp_path: Path) -> None:
    ada = running_hub.person()
    made = ada.ask("design", "create", "shim", "--title", "Shim")
    assert made["clone"] == f"{ada.url}/{ada.name}/shim.git"
    assert "shim" in [each["name"] for each in ada.ask("design", "list")["designs"]]
    assert ada.ask("design", "search", "shim", ada.name)["designs"] == []
    assert [each["title"] for each in ada.ask("design", "search", "shim")["designs"]] == ["Shim"]
    commit = ada.push("shims", {"shim.stl": stl(box(5, 5, 1))}, folder=tmp_path)
    running_hub.measured(f"{ada.name}/shims", commit)
    shown = ada.ask("design", "show", f"{ada.name}/shims", "--version", commit[:10])
    assert shown["parts"][0]["facts"]["size_x_um"] == 5_000
    near = ("--near", "-30.5,-30.5", "--max-km", "10")
    quotes = ada.ask("quote", f"{ada.name}/shims", *near)
    assert quotes["quotes"] == []
    lab = f"lab-of-{ada.name}"
    where = ("--workshop", lab, "--near", "-30.5,-30.5", "--common", "virtual")
    enrolled = ada.ask("printer", "enrol", "one", *where)
    assert enrolled["printer"]["bed"] == "occupied"
    assert enrolled["agent"]["token"] in enrolled["start"]
    again = ada.ask("printer", "enrol", "one", *where)
    assert again["printer"]["id"] == enrolled["printer"]["id"]
    assert again["agent"]["token"] != enrolled["agent"]["token"]
    assert ada.ask("bed", "clear", f"{lab}/one")["bed"] == "clear"
    assert ada.ask("printer", "show", enrolled["printer"]["id"])["bed"] == "clear"
    names = [each["name"] for each in ada.ask("printer", "list")["workshops"]]
    assert lab in names
    near_misses = ada.ask("quote", f"{ada.name}/shims", *near)["near_misses"]
    [refusal] = [each for each in near_misses if each["where"]["workshop"] == lab]
    assert [each["axis"] for each in refusal["reasons"]] == ["seen"]


def test_a_printer_is_loaded_paused_and_opened(running_hub: RunningHub) -> None:
    ada, eve = running_hub.person(), running_hub.person()
    printer = f"loft-of-{ada.name}/one"
    where = ("--workshop", f"loft-of-{ada.name}", "--near", "-30.5,-30.5", "--common", "virtual")
    ada.ask("printer", "enrol", "one", *where, "--per-kg", "1900")
    assert ada.ask("printer", "pause", printer)["accepting"] is False
    assert "starts nothing new" in ada.designhub("printer", "pause", printer)
    assert ada.ask("printer", "drain", printer)["duty"] == "draining"
    resting = ada.ask("printer", "maintain", printer, "--because", "belts")
    assert (resting["duty"], resting["because"]) == ("maintenance", "belts")
    assert "in maintenance (belts)" in ada.designhub("printer", "show", printer)
    assert ada.ask("printer", "open", printer)["accepting"] is True
    done = ada.ask("printer", "upkeep", printer, "rods oiled", "--again-hours", "200")
    assert [each["due"] for each in done["tasks"]] == [False]
    assert "after 200 h" in ada.designhub("printer", "upkeep", printer)
    workshop = printer.partition("/")[0]
    assert "fri 22:00–07:00" in ada.designhub("printer", "quiet", workshop, "--every", "22-7")
    quiet = ada.ask("printer", "quiet", printer, "--day", "sat=0-24", "--must-be-over")["quiet"]
    assert quiet == {"days": {"sat": "00:00–24:00"}, "must_be_over": True}
    assert ada.ask("printer", "quiet", printer, "--none")["quiet"]["days"] == {}
    assert len(ada.ask("printer", "quiet", printer, "--as-workshop")["quiet"]["days"]) == 7
    spool = ("--colour", "red", "--grams", "250")
    loaded = ada.ask("printer", "load", printer, "--material", "PLA", *spool)["spools"]
    known = ("slot", "material", "colour", "left_mg", "price_per_kg_minor")
    assert [[each[name] for name in known] for each in loaded] == [[0, "PLA", "red", 250_000, 1900]]
    petg = ("printer", "load", printer, "--material", "PETG", "--slot", "1", *spool)
    assert "--per-kg" in ada.designhub(*petg, fails=True)
    assert "slot 1: PETG red, 250" in ada.designhub(*petg, "--per-kg", "0")
    for words in (("pause", printer), ("open", printer), (*petg[1:], "--per-kg", "0")):
        assert "is not yours" in eve.designhub("printer", *words, fails=True)
    pusher = ada.api.ask(
        schema.Token, "POST", "/tokens", schema.TokenAsk(name="p", scopes=["push"])
    )
    refused = command("printer", "pause", printer, hub=ada.url, token=pusher.token or "")
    assert "operate" in refused.stderr


def test_the_agents_settings_are_written_for_its_owner_alone(
    running_hub: RunningHub, tmp_path: Path
) -> None:
    ada, config = running_hub.person(), tmp_path / "agent.toml"
    profile = tmp_path / "profile.json"
    printer = ("printer", "enrol", "own", "--workshop", f"lab-of-{ada.name}")
    octoprint = ("--octoprint", "http://127.0.0.1:9", "--key", 'k"ey', "--config", str(config))
    profile.write_text('{"name": "Own"}')
    bad = ada.designhub(*printer, "--near", "Ulm, DE", "--profile", str(profile), fails=True)
    assert "Profile" in bad
    nowhere = ada.designhub(*printer, "--common", "ender3", fails=True)
    assert "--near" in nowhere
    ada.designhub(*printer, "--near", "Ulm, DE", "--common", "ender3", *octoprint)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    checked = command("agent", "--check", "--config", str(config))
    assert "knows this agent as agent of own" in checked.stdout
    assert "printer own" in checked.stderr
    assert "is its address right?" in checked.stderr


def test_accounts_and_tokens_are_made_beside_a_running_hub(running_hub: RunningHub) -> None:
    data = ("--data", str(running_hub.data))
    made = command("user", "add", "eve", "--generate", *data)
    assert made.returncode == 0, made.stderr
    assert len(made.stdout.strip()) == 20
    taken = command("user", "add", "eve", "--password-stdin", *data, stdin="long enough it is\n")
    assert taken.stderr == "Error: 'eve' is taken; choose another name\n"
    short = command("user", "add", "eva", "--password-stdin", *data, stdin="short\n")
    assert "10 to 200 characters" in short.stderr
    token = command("token", "add", "t", "--account", "eve", "--scope", "push", "--json", *data)
    text = json.loads(token.stdout)["token"]
    used = command("design", "create", "hers", hub=running_hub.url, token=text)
    assert used.returncode == 0, used.stderr
    nobody = command("token", "add", "t", "--account", "nobody", *data)
    assert "designhub user add nobody" in nobody.stderr


def test_an_audit_tells_right_wrong_and_unreadable_apart(
    running_hub: RunningHub, tmp_path: Path
) -> None:
    live = command("audit", running_hub.url, "--json")
    assert live.returncode == 0, live.stderr
    head = json.loads(live.stdout)["head"]
    assert command("audit", "--head", head, hub=running_hub.url).returncode == 0
    book = tmp_path / "book.jsonl"
    book.write_bytes(requests.get(f"{running_hub.url}/book/entries.jsonl", timeout=10).content)
    assert command("audit", "-", stdin=book.read_text()).returncode == 0
    book.write_text(book.read_text().replace('"seq":"1"', '"seq":"2"', 1))
    wrong = command("audit", str(book))
    assert wrong.returncode == 1
    assert "WRONG at line 1" in wrong.stdout
    assert command("audit", str(tmp_path / "none.jsonl")).returncode == 2
    assert command("audit", "http://127.0.0.1:9").returncode == 2


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for start in (("serve", "--data"), ("demo", "--folder")):
            done = command(*start, str(tmp_path / start[0]), "--port", port)
            assert done.returncode == 1
            assert f"port {port} on 127.0.0.1 cannot be used" in done.stderr
            assert "--port" in done.stderr


def test_the_hub_offers_an_agent_that_installs_alone(
    running_hub: RunningHub, tmp_path: Path
) -> None:
    """In a fresh environment, without a network, with what the base install names and no more."""
    page = requests.get(f"{running_hub.url}/downloads/", timeout=10).text
    name = page.split("/downloads/")[1].split("<")[0]
    wheel = tmp_path / name
    wheel.write_bytes(requests.get(f"{running_hub.url}/downloads/{name}", timeout=10).content)
    fresh = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(fresh)], check=True)
    python = fresh / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True)
    site = next((fresh / "lib").glob("python3*/site-packages"))
    ours = Path(click.__file__).parents[1]
    for package in BASE.split():
        shutil.copytree(ours / package, site / package)
    for words in (
        ("--help",),
        ("agent", "--help"),
        ("quote", "--help"),
        ("printer", "enrol", "--help"),
        ("farm", "start", "--help"),
        ("audit", running_hub.url),
        ("design", "list", "--hub", running_hub.url),
    ):
        done = subprocess.run(
            [str(fresh / "bin" / "designhub"), *words],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    served = subprocess.run(
        [str(fresh / "bin" / "designhub"), "serve"], capture_output=True, text=True, check=False
    )
    assert served.returncode == 1
    assert "pip install 'designhub[hub]'" in served.stderr
    assert requests.get(f"{running_hub.url}/downloads/../secret_key", timeout=10).status_code == 404
