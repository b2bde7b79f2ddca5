"""The one key whose signatures an agent believes, kept beside its journal.

It comes from the settings file, which enrolling writes, or, for an agent that was enrolled before
hubs had keys, from the first greeting. A later key is believed when the one before it signed that,
and from then on the older one is not.
"""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from basis.errors import Invalid
from printers.journal import sync_folder
from printers.protocol import HubKey, Lease
from printers.provenance import NotSigned, check_lease
from printers.signing import checked, checked_key, successors

FILE = "hub-key.json"


class HubDistrusted(Invalid):
    """The hub signs with a key that this agent has no reason to believe."""

    code = "hub_distrusted"


class Trust:
    """An agent's belief in one hub; safe from any thread.

    pinned : the key of the settings file; "" believes the hub's word the first time.

    Raises Invalid for a key, or a file, that cannot be read.
    """

    def __init__(self, folder: Path, *, pinned: str = "") -> None:
        self._path = folder / FILE
        self._pinned = checked_key(pinned) if pinned else ""
        self._guard = threading.Lock()
        self.key = self._kept() or self._pinned
        """The key believed now; "" before the first greeting."""

    def newest(self, keys: Sequence[HubKey]) -> str:
        """The key to believe, by what the hub says of its keys. Raises HubDistrusted."""
        if not keys:
            raise HubDistrusted(
                "this hub names no key and so signs nothing: it is older than this agent; install"
                " the agent that it offers at /downloads/"
            )
        trusted = self.key or keys[-1].key
        found = successors(keys, trusted=trusted)
        if not found or found[-1] != keys[-1].key:
            raise HubDistrusted(
                f"this hub signs with {keys[-1].key[:60]}, which does not follow from {trusted},"
                " the key this agent believes: ask the hub's operator for `designhub key show`,"
                " and if the new key is right, put it into the settings as hub_key"
            )
        return found[-1]

    def learn(self, keys: Sequence[HubKey]) -> str:
        """Believe what follows from what was believed, and keep it. Returns what is worth telling
        the owner, or "". Raises HubDistrusted, and OSError when it cannot be kept."""
        with self._guard:
            found = self.newest(keys)
            if found == self.key and self._kept() == found:
                return ""
            before, self.key = self.key, found
            self._keep()
        if not before:
            return f"from now on only files signed by {found} are printed: the hub's key"
        return f"the hub's key is now {found}; the one before signed that" * (before != found)

    def check(self, lease: Lease) -> None:
        """Raises NotSigned unless the hub signed this very lease with the key believed now."""
        if lease.signed is None:
            raise NotSigned(f"run {lease.run} came without the hub's signature: not printed")
        try:
            made = checked(lease.signed, trusted=self.key)
        except NotSigned as exc:
            raise NotSigned(f"run {lease.run} is not what the hub signed: {exc}") from exc
        check_lease(made, lease)

    def _kept(self) -> str:
        """The newest key reached from the pinned one; a new pin in the settings begins anew."""
        try:
            data = json.loads(self._path.read_text("utf-8"))
            pinned, key = data["pinned"], checked_key(data["key"])
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError, Invalid) as exc:
            raise Invalid(f"{self._path} cannot be read: {exc}; set hub_key and remove it") from exc
        return key if not self._pinned or pinned == self._pinned else ""

    def _keep(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump({"pinned": self._pinned, "key": self.key}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        sync_folder(self._path.parent)
