"""The key that signs for this hub, and the public halves of those before it: one small file.

It is read anew for each signature, which is made once for each run, so that a rotation by command
counts at once in every process of a hub that runs.
"""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from basis.blobs import flush_folder
from basis.clock import iso
from basis.errors import HubError, Invalid, NotAllowed, Unavailable
from printers.protocol import HubKey, Signed
from printers.provenance import rotation
from printers.signing import new_private, public_of, sign

FILE = "hub_key.json"


@dataclass(frozen=True, slots=True)
class Keys:
    """A hub's keys, in its data folder."""

    folder: Path

    @property
    def path(self) -> Path:
        """The file; nobody but the hub may read it."""
        return self.folder / FILE

    def make(self, *, now: datetime) -> None:
        """Have a key from the first start on. Of several processes that start, one makes it."""
        if self.path.exists():
            return
        private = new_private()
        new = self._written(private, [HubKey(key=public_of(private), since=iso(now))])
        with suppress(FileExistsError):  # another process was first: its key counts
            self.path.hardlink_to(new)
        new.unlink()
        flush_folder(self.folder)

    def public(self) -> list[HubKey]:
        """Every key this hub signed with; the last is in use."""
        return self._read()[1]

    def current(self) -> str:
        """The public key in use."""
        return self.public()[-1].key

    def sign(self, document: str) -> Signed:
        """A document signed with the key in use."""
        return sign(self._read()[0], document)

    def rotate(self, *, now: datetime) -> HubKey:
        """A new key in place of the present one, which signs for it and is then forgotten; its
        public half stays, for what it signed. Raises NotAllowed while
        another rotation is under way."""
        lock = self.folder / f".{FILE}.rotating"
        try:
            lock.touch(mode=0o600, exist_ok=False)
        except FileExistsError as exc:
            raise NotAllowed(f"the key is being rotated; if not, remove {lock}") from exc
        try:
            private, known = self._read()
            following = new_private()
            entry = HubKey(key=public_of(following), since=iso(now), replaces=known[-1].key)
            signed = sign(private, rotation(entry))
            entry = HubKey(**{**entry.to_json(), "signature": signed.signature})
            self._written(following, [*known, entry]).replace(self.path)
            flush_folder(self.folder)
            return entry
        finally:
            lock.unlink()

    def _read(self) -> tuple[str, list[HubKey]]:
        try:
            data: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
            keys = [HubKey.from_json(each) for each in data["keys"]]
            if public_of(data["private"]) != keys[-1].key:
                raise Invalid("its private key is not that of its last public one")
            return data["private"], keys
        except FileNotFoundError as exc:
            raise Unavailable(
                f"{self.path} is missing: restore it from a backup; without it agents refuse work"
            ) from exc
        except (OSError, ValueError, KeyError, IndexError, TypeError, HubError) as exc:
            raise Unavailable(f"{self.path} cannot be used: {exc}; restore it") from exc

    def _written(self, private: str, keys: list[HubKey]) -> Path:
        """The file under another name, on the disk."""
        new = self.folder / f".{FILE}.{secrets.token_hex(4)}"
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"private": private, "keys": [key.to_json() for key in keys]}, file)
            file.flush()
            os.fsync(file.fileno())
        return new
