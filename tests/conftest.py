"""Fixtures for every test; each kind stands in its own file under `tests/support/`."""

from hypothesis import settings

# Hypothesis has another profile of its own where CI is set: here results are the same everywhere.
settings.register_profile("designhub", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("designhub")

pytest_plugins = [
    "tests.support.browsers",
    "tests.support.databases",
    "tests.support.hub_process",
    "tests.support.hubs",
    "tests.support.octoprint_fixtures",
    "tests.support.plugin_fixtures",
]
