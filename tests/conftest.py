"""Fixtures for every test; each kind stands in its own file under `tests/support/`."""

pytest_plugins = [
    "tests.support.databases",
    "tests.support.hubs",
    "tests.support.octoprint_fixtures",
]
