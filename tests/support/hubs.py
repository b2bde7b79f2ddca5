"""A whole hub in a folder: opened, migrated, and asked through Flask's test client.

The tables are made once for all tests, by the migrations; each test gets a copy of that file.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from basis import clock
from basis.settings import Settings
from designhub import auth
from designhub.app import create_app
from designhub.auth import Scope
from designhub.hub import Hub, open_hub
from designhub.migrate import migrate
from designhub.models import AccountRow
from printers import registry
from printers.models import AgentRow, PrinterRow
from tests.support import builders
from tests.support.builders import Shop

PASSWORD = "a long enough password"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Argon2 is slow by intent: the hash of everybody made here says that it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHub:
    """An opened hub with its application."""

    hub: Hub
    app: Flask

    def client(self, name: str | None = None) -> "Client":
        """A browser; with a name, of somebody who is signed in."""
        client = Client(self.app.test_client())
        if name is not None:
            answer = client.form("/sign-in", name=name, password=PASSWORD)
            assert answer.status_code == 303, answer.text
        return client

    def account(self, name: str, *, operator: bool = False) -> UUID:
        """Somebody with `PASSWORD`."""
        row = AccountRow(name=name, password_hash=HASH, operator=operator, created_at=clock.now())
        with self.hub.database.writing() as session:
            session.add(row)
        return row.id

    def token(self, account_id: UUID, *scopes: Scope) -> dict[str, str]:
        """The header of a program of theirs."""
        with self.hub.database.writing() as session:
            _, text = auth.create_token(
                session, account_id=account_id, name="test", scopes=scopes, now=clock.now()
            )
        return {"Authorization": f"Bearer {text}"}

    def agent_token(self, agent_id: UUID) -> dict[str, str]:
        """The header of an agent, whose token is made anew."""
        text = f"{registry.AGENT_TOKEN}of-{agent_id}"
        with self.hub.database.writing() as session:
            session.execute(
                update(AgentRow)
                .where(AgentRow.id == agent_id)
                .values(digest=registry.token_digest(text))
            )
        return {"Authorization": f"Bearer {text}"}

    def shop(self) -> Shop:
        """The smallest world in which something can be ordered, of people who can sign in: `maker`
        and `owner`. Its printer was seen now, not on the day of the tests."""
        made = builders.shop(self.hub.database, blobs=self.hub.blobs)
        with self.hub.database.writing() as session:
            for account_id, name in ((made.maker, "maker"), (made.owner, "owner")):
                session.execute(
                    update(AccountRow)
                    .where(AccountRow.id == account_id)
                    .values(name=name, password_hash=HASH)
                )
            session.execute(update(PrinterRow).values(seen_at=clock.now()))
        return made

    def ordered(self, shop: Shop, **wish: Any) -> list[UUID]:
        """The jobs of one order made now, as good as sliced."""
        return builders.ordered(self.hub.database, shop, now=clock.now(), **wish)


@dataclass(frozen=True, slots=True)
class Client:
    """A browser that fills in forms as a person does: it opens a page with a form first."""

    flask: FlaskClient

    def get(self, path: str, **more: Any) -> TestResponse:
        """A page."""
        return self.flask.get(path, headers={"Accept": "text/html"}, buffered=True, **more)

    def form(self, path: str, data: dict[str, Any] | None = None, **fields: Any) -> TestResponse:
        """Press a button: the fields, and the token that our pages put into every form."""
        with self.flask.session_transaction() as cookie:
            cookie.setdefault("csrf", "token-of-the-test")
            fields |= {**(data or {}), "csrf": cookie["csrf"]}
        return self.flask.post(path, data=fields, headers={"Accept": "text/html"})


@contextmanager
def opened(folder: Path, **chosen: Any) -> Iterator[OpenHub]:
    """An opened hub with its tables in `folder`, until the block ends."""
    settings = Settings(data_dir=folder, secret_key="of a test", **chosen)
    hub = open_hub(settings)
    try:
        migrate(hub.database)
        yield OpenHub(hub=hub, app=create_app(settings, hub=hub))
    finally:
        hub.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an empty hub; copies of it need no migration any more."""
    folder = tmp_path_factory.mktemp("migrated")
    with opened(folder):
        pass
    return folder


@pytest.fixture
def hub(migrated: Path, tmp_path: Path) -> Iterator[OpenHub]:
    """An empty hub."""
    folder = shutil.copytree(migrated, tmp_path / "hub")
    with opened(folder) as made:
        yield made
