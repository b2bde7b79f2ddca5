"""What the plugin keeps between two runs of OctoPrint: its hub, its printer there, and its token.

One small file that nobody else can read; nothing of it stands in OctoPrint's own settings, which
pages and backups show.
"""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from basis.errors import Invalid
from basis.messages import Message
from printers.journal import sync_folder

MOST_BYTES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(Message):
    """How the plugin knows its hub; without a printer it has not been enrolled yet."""

    hub: str = ""
    token: str = ""
    printer: str = ""
    """Its name in the hub."""
    printer_id: str = ""
    workshop: str = ""
    code: str = ""
    """While enrolling is not finished: the token is on disk before the code is said."""

    @property
    def enrolled(self) -> bool:
        """Whether there is a printer to work for."""
        return bool(self.hub and self.token and self.printer)

    def begun_with(self, *, hub: str, code: str, token: str) -> "Memory":
        """About to say `code`; the token of an earlier try with the same code stays."""
        if (self.hub, self.code) == (hub, code) and self.token:
            return self
        return replace(Memory(), hub=hub, code=code, token=token)


def load(path: Path) -> Memory:
    """What was kept; nothing when there is no such file. Raises Invalid for one that is damaged."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Invalid(f"{path}: larger than {MOST_BYTES} bytes")
        return Memory.from_json(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, Invalid) as exc:
        raise Invalid(f"{path}: {exc}; move it away and enrol again") from exc


def save(path: Path, memory: Memory) -> None:
    """Keep it, whole or not at all. Raises OSError when the disk is full."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(memory.to_json(), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)
