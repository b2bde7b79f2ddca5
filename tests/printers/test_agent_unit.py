"""The systemd unit that an installation prints for itself, as systemd reads it."""

import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from basis.errors import Invalid
from printers.agent_cli import agent
from printers.agent_unit import NAME, quoted, this_program, unit

SETTINGS = """\
hub = "https://hub.example"
token = "dha_secret"
folder = "{folder}"

[printers.ender]
url = "http://127.0.0.1"
key = "an-octoprint-key"
"""


def printed(folder: Path) -> str:
    """What the command prints for settings in this folder."""
    config = folder / "designhub-agent.toml"
    config.write_text(SETTINGS.format(folder=folder / "journal"))
    config.chmod(0o600)
    done = CliRunner().invoke(agent, ["--config", str(config), "--systemd"])
    assert done.exit_code == 0, done.output
    return done.output


def test_systemd_finds_no_fault_in_it(tmp_path: Path) -> None:
    text = printed(tmp_path)
    file = tmp_path / NAME
    file.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if NAME in line]
    assert ours == []


def test_it_starts_this_installation_and_holds_no_secret(tmp_path: Path) -> None:
    text = printed(tmp_path)
    [start] = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(start.removeprefix("ExecStart="))
    assert words[: len(this_program())] == this_program()
    done = subprocess.run(
        [*words[:-1], "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert "hub.example" in done.stderr, "it reads those settings"
    assert f"ReadWritePaths={tmp_path / 'journal'}" in text
    for secret in ("dha_secret", "an-octoprint-key"):
        assert secret not in text


def test_without_a_settings_file_there_is_no_unit() -> None:
    done = CliRunner().invoke(agent, ["--systemd"])
    assert done.exit_code == 1
    assert "--config FILE --systemd" in done.output


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/a/b.toml", "/a/b.toml"),
        ("/a b/c", '"/a b/c"'),
        ("50%", "50%%"),
        ("$HOME/x", "$$HOME/x"),
        ('say "x"', '"say \\"x\\""'),
    ],
)
def test_words(text: str, word: str) -> None:
    assert quoted(text) == word


def test_a_line_break_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="control character"):
        unit(config=tmp_path / "a\nExecStart=/bin/sh", folder=tmp_path, user="pi")
