"""Strangers' pictures: what comes out is a plain JPEG of ours, or a refusal."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from basis.errors import TooLarge
from basis.pictures import EDGE_PX, KEPT_BYTES, MOST_BYTES, NotAPicture, redrawn

RED = (200, 30, 30)


def picture(kind: str = "JPEG", size: tuple[int, int] = (640, 480), **how: object) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, RED).save(content, format=kind, **how)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_becomes_a_plain_jpeg(tmp_path: Path, kind: str) -> None:
    content = redrawn(picture(kind, (3_200, 1_200)), scratch=tmp_path)
    found = Image.open(io.BytesIO(content))
    assert (found.format, found.size) == ("JPEG", (EDGE_PX, 600))
    pixel = found.convert("RGB").getpixel((5, 5))
    assert isinstance(pixel, tuple)
    assert all(abs(a - b) < 12 for a, b in zip(pixel, RED, strict=True))
    assert len(content) < KEPT_BYTES
    assert list(tmp_path.iterdir()) == []


def test_what_a_camera_notes_beside_the_pixels_is_gone_and_it_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010E] = "at Ada's kitchen"
    content = redrawn(picture(exif=exif, comment=b"secret place"), scratch=tmp_path)
    assert b"kitchen" not in content and b"secret" not in content
    found = Image.open(io.BytesIO(content))
    assert found.size == (480, 640)
    assert not found.getexif()


def bomb() -> bytes:
    """A PNG of a few kilobytes that says it is 100,000 pixels on each side."""
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00" * 3_000_000)

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    whole = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + whole


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>404</html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        picture("GIF"),
        picture()[:400],
        picture("PNG")[:-40],
        bomb(),
    ],
    ids=["empty", "page", "svg", "gif", "cut off", "cut off png", "bomb"],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NotAPicture):
        redrawn(content, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        redrawn(b"\xff" * (MOST_BYTES + 1), scratch=tmp_path)
