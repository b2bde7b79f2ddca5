"""Who takes part in the demo: made once, kept for the next time."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from designhub.api import schema
from designhub.client import HubApi, HubSays

SCOPES: Mapping[str, tuple[str, ...]] = {
    "ada": ("push",),  # designs
    "ben": ("order",),  # wants a part
    "cho": ("operate",),  # runs the workshops
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account with a password, for the pages, and a token, for the commands."""

    name: str
    password: str
    token: str

    def api(self, url: str) -> HubApi:
        """The hub, spoken to as this person."""
        return HubApi(url, token=self.token)


def everybody(path: Path, url: str) -> tuple[dict[str, Person], bool]:
    """The people by name, and whether they are new here: then nothing else is known either."""
    known = _read(path)
    if known and _works(known["ada"], url):
        return known, False
    made = {name: _made(name, scopes, url) for name, scopes in SCOPES.items()}
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump([asdict(person) for person in made.values()], file, indent=2)
    return made, True


def _read(path: Path) -> dict[str, Person]:
    if not path.is_file():
        return {}
    people = [Person(**each) for each in json.loads(path.read_text("utf-8"))]
    return {person.name: person for person in people}


def _works(person: Person, url: str) -> bool:
    try:
        person.api(url).ask(schema.Account, "GET", "/me")
    except HubSays:
        return False
    return True


def _made(name: str, scopes: tuple[str, ...], url: str) -> Person:
    password = secrets.token_urlsafe(12)
    asked = schema.AccountAsk(name=name, password=password)
    HubApi(url).ask(schema.Account, "POST", "/accounts", asked)
    token = schema.TokenAsk(name="demo", scopes=list(scopes))
    api = HubApi(url, password=(name, password))
    made = api.ask(schema.Token, "POST", "/tokens", token)
    return Person(name=name, password=password, token=made.token or "")
