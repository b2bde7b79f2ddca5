"""Blobs: whole or not there, the same bytes once, damage noticed."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from basis.blobs import Blobs
from basis.errors import Invalid, NotFound, TooLarge, Unavailable


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def everything(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.binary(max_size=50), max_size=5))
def test_what_is_kept_comes_back(blobs: Blobs, pieces: list[bytes]) -> None:
    blob = blobs.put(pieces, most_bytes=1_000)
    whole = b"".join(pieces)
    assert blob.sha256 == hashlib.sha256(whole).hexdigest()
    assert blob.size_bytes == len(whole)
    assert blobs.checked(blob.sha256).read_bytes() == whole


def test_keeping_twice_is_harmless(blobs: Blobs, tmp_path: Path) -> None:
    first, second = (blobs.put([b"same"], most_bytes=10) for _ in range(2))
    assert first == second
    assert len(everything(tmp_path)) == 1


@pytest.mark.parametrize(("most_bytes", "kept"), [(5, True), (4, False)])
def test_the_limit_is_exact_and_leaves_nothing(
    blobs: Blobs, tmp_path: Path, most_bytes: int, kept: bool
) -> None:
    if kept:
        blobs.put([b"abc", b"de"], most_bytes=most_bytes)
    else:
        with pytest.raises(TooLarge):
            blobs.put([b"abc", b"de"], most_bytes=most_bytes)
    assert len(everything(tmp_path)) == int(kept)


def test_a_source_that_breaks_off_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError("the peer vanished")

    with pytest.raises(ConnectionResetError):
        blobs.put(pieces(), most_bytes=100)
    assert everything(tmp_path) == []


@pytest.mark.parametrize("name", ["", "abc", "../../etc/passwd", "A" * 64, "0" * 63 + "\n"])
def test_only_a_sha256_is_a_name(blobs: Blobs, name: str) -> None:
    with pytest.raises(Invalid):
        blobs.path(name)


def test_what_is_not_kept_is_not_found(blobs: Blobs) -> None:
    with pytest.raises(NotFound):
        blobs.path("0" * 64)


def test_damage_is_noticed_before_use(blobs: Blobs) -> None:
    blob = blobs.put([b"good plastic"], most_bytes=100)
    path = blobs.path(blob.sha256)
    path.chmod(0o600)
    path.write_bytes(b"bad plastic!")
    with pytest.raises(Unavailable, match="damaged"):
        blobs.checked(blob.sha256)


def test_a_full_disk_is_said_and_leaves_nothing(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="disk is full"):
        blobs.put([b"x"], most_bytes=10)
    assert everything(tmp_path) == []
