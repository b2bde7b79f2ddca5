"""Files kept by the sha256 of their bytes: written once, never changed.

A file appears under its name only when it is whole and on the disk: it is written to a temporary
name in the same folder, flushed, renamed, and the folder is flushed too.
"""

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from basis.errors import Invalid, NotFound, TooLarge, Unavailable

PIECE_BYTES = 1 << 18
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What identifies a kept file: the sha256 in hex, and its size."""

    sha256: str
    size_bytes: int


class Blobs:
    """A folder of files by sha256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, pieces: Iterable[bytes], *, most_bytes: int) -> Blob:
        """Keep a file given in pieces. Keeping the same bytes twice is harmless.

        Raises TooLarge past `most_bytes`, Unavailable when the disk is full; nothing stays then.
        """
        handle, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                blob = _copied(pieces, file, most_bytes=most_bytes)
            self._publish(Path(name), blob.sha256)
            return blob
        except OSError as exc:
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable("the hub's disk is full; nothing was stored") from exc
            raise
        finally:
            with suppress(FileNotFoundError):
                Path(name).unlink()

    def put_file(self, path: Path, *, most_bytes: int) -> Blob:
        """Keep a copy of a file."""
        with path.open("rb") as file:
            return self.put(read_pieces(file), most_bytes=most_bytes)

    def path(self, sha256: str) -> Path:
        """Where a kept file lies. Raises NotFound, Invalid for what is no sha256."""
        path = self._place(sha256)
        if not path.is_file():
            raise NotFound(f"no file {sha256} is kept here")
        return path

    def checked(self, sha256: str) -> Path:
        """Like `path`, after reading it all again: for bytes that are about to move a machine.

        Raises Unavailable when the disk returned other bytes than were stored.
        """
        path = self.path(sha256)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256:
            raise Unavailable(f"the stored file {sha256} is damaged (now {digest}); restore it")
        return path

    def _place(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise Invalid(f"{sha256[:80]!r} is not a sha256 in lower-case hex")
        return self._folder / sha256[:2] / sha256

    def _publish(self, written: Path, sha256: str) -> None:
        place = self._place(sha256)
        place.parent.mkdir(exist_ok=True)
        written.chmod(0o444)
        written.replace(place)
        flush_folder(place.parent)


def read_pieces(file: BinaryIO) -> Iterator[bytes]:
    """A file in pieces of `PIECE_BYTES`."""
    while piece := file.read(PIECE_BYTES):
        yield piece


def flush_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copied(pieces: Iterable[bytes], file: BinaryIO, *, most_bytes: int) -> Blob:
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        size += len(piece)
        if size > most_bytes:
            raise TooLarge(f"the file is over {most_bytes:,} bytes")
        digest.update(piece)
        file.write(piece)
    file.flush()
    os.fsync(file.fileno())
    return Blob(sha256=digest.hexdigest(), size_bytes=size)
