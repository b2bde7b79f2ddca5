"""One hub's open parts, made once at start and handed to whoever needs them."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from designs.store import Store
from flask import current_app
from router.index import Index

from basis.blobs import Blobs
from basis.db import Database
from basis.settings import Settings
from basis.tasks import Queue, make_queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Settings and what they opened."""

    settings: Settings
    database: Database
    blobs: Blobs
    queue: Queue
    store: Store
    index: Index

    def close(self) -> None:
        """Close what holds connections and child processes."""
        self.store.close()
        self.database.close()


def open_hub(settings: Settings) -> Hub:
    """Open everything the settings name; folders are made, tables are not (see `migrate`)."""
    for folder in (settings.data_dir, settings.scratch_dir, settings.downloads_dir):
        folder.mkdir(parents=True, exist_ok=True)
    return Hub(
        settings=settings,
        database=Database(settings.database, pool_size=settings.server_threads + 4),
        blobs=Blobs(settings.blobs_dir),
        queue=make_queue(url=settings.queue_url, folder=settings.data_dir),
        store=Store(settings.repositories_dir),
        index=Index(),
    )


def this_hub() -> Hub:
    """The hub of the request under way."""
    return cast(Hub, current_app.extensions["designhub"])


def secret_key(settings: Settings) -> str:
    """What signs sessions: from the settings, or made once and kept for this hub alone."""
    if settings.secret_key:
        return settings.secret_key
    path = settings.data_dir / "secret_key"
    if not path.exists():
        new = path.with_name(f"secret_key.{secrets.token_hex(4)}")
        new.touch(mode=0o600)
        new.write_text(secrets.token_hex(32))
        with suppress(FileExistsError):  # another process of this hub was first: its key counts
            path.hardlink_to(new)
        new.unlink()
    return path.read_text()
