"""One hub's open parts, made once at start and handed to whoever needs them."""

import ipaddress
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from flask import current_app, request

from basis import clock
from basis.blobs import Blobs
from basis.db import Database
from basis.prepared import Prepared
from basis.settings import Settings
from basis.tasks import Queue, make_queue
from designhub.keys import Keys
from designhub.live import Watcher
from designhub.seen import Seen
from designhub.slots import Places, Slots
from designs.push import Limits
from designs.store import Store
from router.index import Index
from router.stirring import Stirring
from router.waiting import BY_TOKEN

UPLOADS_OF_ONE = 2
"""Uploads of one person at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Settings and what they opened."""

    settings: Settings
    database: Database
    blobs: Blobs
    queue: Queue
    store: Store
    index: Index
    held: Places
    """Places for questions of agents that wait for work; each holds a thread of the server."""
    glances: Prepared
    """What an idle agent's question needs to know, by its token."""
    stirring: Stirring
    """Which printers have work waiting, for all idle agents together."""
    seen: Seen
    """Signs of life of idle agents, written for many at once."""
    keys: Keys
    """Sign what agents print."""
    uploads: Slots
    """Places for uploads by browser; each holds a thread for as long as its files take to come."""
    live: Watcher
    """Tells open pages what changed; each holds a thread too."""

    def close(self) -> None:
        """Close what holds connections and child processes."""
        self.live.close()
        self.stirring.close()
        self.seen.close()
        self.glances.close()
        self.store.close()
        self.database.close()


def open_hub(settings: Settings) -> Hub:
    """Open everything the settings name; folders are made, tables are not (see `migrate`)."""
    for folder in (settings.data_dir, settings.scratch_dir, settings.downloads_dir):
        folder.mkdir(parents=True, exist_ok=True)
    threads = settings.server_threads
    held = min(settings.held_questions, threads // 2)
    database = Database(settings.database, pool_size=threads + 4)
    keys = Keys(settings.data_dir)
    keys.make(now=clock.now())
    return Hub(
        settings=settings,
        database=database,
        blobs=Blobs(settings.blobs_dir),
        queue=make_queue(url=settings.queue_url, folder=settings.data_dir),
        store=Store(settings.repositories_dir, limits=_push_limits(settings)),
        index=Index(),
        held=Places(held),
        glances=Prepared(database.engine, BY_TOKEN),
        stirring=Stirring(database),
        seen=Seen(database),
        keys=keys,
        uploads=Slots(min(settings.uploads, max(1, threads // 2)), most_of_one=UPLOADS_OF_ONE),
        live=Watcher(database, places=min(settings.live_streams, (threads - held) // 2)),
    )


def this_hub() -> Hub:
    """The hub of the request under way."""
    return cast(Hub, current_app.extensions["designhub"])


def base_url() -> str:
    """The address people use, without a slash at its end."""
    return this_hub().settings.public_url.rstrip("/") or request.host_url.rstrip("/")


def is_only_here() -> bool:
    """Whether that address leads every other machine to itself, as `localhost` does."""
    host = urlsplit(base_url()).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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


def _push_limits(settings: Settings) -> Limits:
    return Limits(
        push_bytes=settings.push_bytes,
        repository_bytes=settings.repository_bytes,
        file_bytes=settings.file_bytes,
        tree_files=settings.push_files,
    )
