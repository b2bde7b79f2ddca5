"""A small hub that speaks git alone, for the server process of `tests.support.git_server`.

Everybody's password is their name and `-password`; an owner may push, and a public design is
everybody's to read. The real rules stand in `designhub.auth`; what is tested here is the carrying.
"""

import os
from pathlib import Path

from flask import Flask, Request
from sqlalchemy import select

from basis.db import Database
from basis.errors import NotSignedIn
from designhub.git_http import git_blueprint
from designhub.models import AccountRow
from designs.models import DesignRow, Visibility
from designs.push import Limits
from designs.store import Store

FOLDER, LIMITS, TIMEOUT_S = "GIT_APP_FOLDER", "GIT_APP_LIMITS", "GIT_APP_TIMEOUT_S"


def make_app() -> Flask:
    """The application that granian serves."""
    folder = Path(os.environ[FOLDER])
    database = Database(f"sqlite:///{folder / 'hub.sqlite'}")

    def authenticate(asked: Request) -> AccountRow | None:
        given = asked.authorization
        if given is None:
            return None
        with database.reading() as session:
            account = session.scalar(select(AccountRow).where(AccountRow.name == given.username))
        if account is None or given.password != f"{account.name}-password":
            raise NotSignedIn("the name or the password is wrong")
        return account

    def may_read(caller: AccountRow | None, design: DesignRow) -> bool:
        owns = caller is not None and caller.id == design.owner_id
        return owns or design.visibility is Visibility.PUBLIC

    def may_push(caller: AccountRow, design: DesignRow) -> bool:
        return caller.id == design.owner_id

    def after_push(version_ids: list[int]) -> None:
        with (folder / "due").open("a") as file:
            file.write(" ".join(str(each) for each in version_ids) + "\n")

    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 100_000  # for forms; packs must not feel it
    blueprint = git_blueprint(
        database=database,
        store=Store(folder / "repositories", limits=Limits.from_json(os.environ[LIMITS])),
        authenticate=authenticate,
        may_read=may_read,
        may_push=may_push,
        after_refs=lambda session, design_id: None,
        after_push=after_push,
        timeout_s=float(os.environ[TIMEOUT_S]),
    )
    app.register_blueprint(blueprint)
    return app
