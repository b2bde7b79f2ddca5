"""Where a printed file came from, as one document that the hub signs. Pure: hub and agent share it.

The document names the G-code by its sha256 and stands outside of it: the same slice serves several
jobs, and a file cannot hold its own hash. It is kept and signed as text in one canonical form, so
that what is signed is exactly what is read; `printers.signing` makes and checks the signatures.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from basis.errors import Invalid
from basis.messages import Message
from printers.protocol import HubKey, Lease

FORMAT = "designhub-provenance-1"
KEY_FORMAT = "designhub-key-1"


class NotSigned(Invalid):
    """This file is not what the agent's own hub signed for this run: it must not be printed."""

    code = "not_signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance(Message):
    """What one run prints, and what that was made from. Digests are sha256 in hex."""

    format: str = FORMAT
    hub: str
    """The hub's address."""
    job: UUID
    run: UUID
    printer: UUID
    fence: int
    gcode_sha256: str
    gcode_bytes: int
    design: int
    design_title: str
    commit: str
    part: str
    part_blob: str
    """The git blob of the mesh, as the designer pushed it."""
    choices: dict[str, Any]
    """`printers.capability.Choices`: what the maker ordered."""
    slicer: str
    """Name and version."""
    mesh_sha256: str
    """Of the checked STL that was sliced. Empty, as the three below, for a file that was sliced
    before hubs noted it."""
    profile_sha256: str
    """Of the printer's profile at that moment, as canonical JSON."""
    settings_sha256: str
    """Of the slicer's settings."""
    sliced_at: str
    made_at: str
    """When the run was leased."""


def canonical(data: Mapping[str, Any]) -> str:
    """The one way of writing these values as JSON: sorted, no blanks, no escapes but the needed."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(data: Mapping[str, Any]) -> str:
    """sha256 of values in their canonical form."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


def read(document: str) -> Provenance:
    """A document's values. Raises NotSigned for any text that is not one in its canonical form."""
    try:
        data = json.loads(document)
        if not isinstance(data, dict) or canonical(data) != document:
            raise NotSigned("the provenance is not written in its canonical form")
        made = Provenance.from_json(data)
    except (ValueError, RecursionError, Invalid) as exc:
        raise NotSigned(f"not a provenance: {exc}") from exc
    if data.get("format") != FORMAT:
        raise NotSigned(f"not a provenance: its format is {str(data.get('format'))[:40]!r}")
    return made


def check_lease(made: Provenance, lease: Lease) -> None:
    """Raises NotSigned unless the document speaks of this very lease: its run, printer and file."""
    pairs = {
        "run": (made.run, lease.run),
        "job": (made.job, lease.job),
        "printer": (made.printer, lease.printer),
        "fence": (made.fence, lease.fence),
        "sha256": (made.gcode_sha256, lease.sha256),
        "size": (made.gcode_bytes, lease.size_bytes),
    }
    wrong = [
        f"{name} {said}, not {leased}" for name, (said, leased) in pairs.items() if said != leased
    ]
    if wrong:
        raise NotSigned(f"run {lease.run}: what the hub signed is for {'; '.join(wrong)}")


def rotation(key: HubKey) -> str:
    """What the key before it signs, to say that `key` takes its place."""
    return canonical(
        {"format": KEY_FORMAT, "key": key.key, "replaces": key.replaces, "since": key.since}
    )
