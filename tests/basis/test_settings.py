"""Settings: bounds hold, typos stop the start, defaults are documented."""

from dataclasses import fields
from pathlib import Path

import pytest

from basis.errors import Invalid
from basis.settings import Settings, read_settings

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_defaults_need_nothing() -> None:
    settings = read_settings({})
    assert settings.port == 8080
    assert settings.database == f"sqlite:///{settings.data_dir / 'hub.sqlite'}"


def test_values_are_read_and_others_variables_left_alone() -> None:
    environ = {
        "DESIGNHUB_PORT": "9000",
        "DESIGNHUB_LOG_JSON": "True",
        "DESIGNHUB_DATA_DIR": "/srv/hub",
        "DESIGNHUB_AGENT_TOKEN": "is the agent's",
        "PATH": "/bin",
    }
    settings = read_settings(environ)
    assert (settings.port, settings.log_json) == (9000, True)
    assert settings.repositories_dir == Path("/srv/hub/repositories")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DESIGNHUB_PROT", "9000", "unknown settings: DESIGNHUB_PROT"),
        ("DESIGNHUB_PORT", "65536", "out of bounds: 0 to 65535"),
        ("DESIGNHUB_PORT", "-1", "out of bounds"),
        ("DESIGNHUB_PORT", "eighty", "DESIGNHUB_PORT='eighty'"),
        ("DESIGNHUB_LEASE_S", "1", "out of bounds: 2 to 3600"),
        ("DESIGNHUB_LOG_JSON", "maybe", "expected true or false"),
        ("DESIGNHUB_REGISTRATION", "sometimes", "not one of: open, invitation, closed"),
    ],
)
def test_mistakes_stop_the_start(name: str, value: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_settings({name: value})


def test_bounds_themselves_are_allowed() -> None:
    assert read_settings({"DESIGNHUB_PORT": "65535"}).port == 65_535
    assert read_settings({"DESIGNHUB_LEASE_S": "2"}).lease_s == 2


@pytest.mark.parametrize("name", [each.name for each in fields(Settings)])
def test_every_setting_stands_in_the_docs(name: str) -> None:
    assert f"`DESIGNHUB_{name.upper()}`" in DOCS.read_text(encoding="utf-8")
