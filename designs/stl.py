"""STL, read strictly and written one way.

A binary STL is known by its size alone: 84 bytes and 50 for each triangle its header counts. The
text in its first bytes says nothing, for many begin with "solid". Everything else that begins with
"solid" must be the text form, of which every token has its place.
"""

import re
from collections.abc import Iterator

import numpy as np

from designs.mesh import MeshRefused, check_numbers, columns_of, cross_of, too_many
from designs.topology import BLOCK, Corners

FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
HEAD = 84  # bytes: 80 of anything, 4 of count

TEXT_BLOCK = 4_000_000  # bytes of text at a time
NO_FACET = 16_000_000  # bytes without the end of a facet: this is no mesh
TOKENS = 21  # facet normal x y z outer loop 3×(vertex x y z) endloop endfacet
KEYWORDS = {
    0: b"facet",
    1: b"normal",
    5: b"outer",
    6: b"loop",
    7: b"vertex",
    11: b"vertex",
    15: b"vertex",
    19: b"endloop",
    20: b"endfacet",
}
NAME_LINE = re.compile(rb"^[^\S\n]*(?:end)?solid\b[^\n]*$", re.MULTILINE)


def read_stl(data: memoryview, *, most_triangles: int) -> Corners:
    """The triangles of an STL file, text or binary, as they stand in it.

    Raises MeshRefused: `cut_off`, `wrong_count`, `empty`, `too_many_triangles`, `no_facet`,
    `bad_facet`, `not_a_number`, `not_finite`, `too_far`.
    """
    count = int.from_bytes(data[80:HEAD], "little") if len(data) >= HEAD else 0
    if len(data) >= HEAD and len(data) == HEAD + FACET.itemsize * count:
        return _read_binary(data, count, most_triangles)
    if bytes(data[:512]).removeprefix(b"\xef\xbb\xbf").lstrip()[:5].lower() == b"solid":
        return _read_text(data, most_triangles)
    if len(data) < HEAD:
        raise MeshRefused(
            "cut_off", f"{len(data)} bytes are too few for an STL file: push the whole file"
        )
    code = "cut_off" if len(data) < HEAD + FACET.itemsize * count else "wrong_count"
    raise MeshRefused(
        code,
        f"its header counts {count} triangles, which take {HEAD + FACET.itemsize * count} bytes,"
        f" but the file has {len(data)}: export it again",
    )


def stl_pieces(corners: Corners) -> Iterator[bytes]:
    """A binary STL, piece by piece, without attributes and with normals from the corners: equal
    meshes give equal bytes.

    Layout: https://www.fabbers.com/tech/STL_Format
    """
    # The head must not begin with "solid": readers take that for the text form.
    yield b"binary part".ljust(80, b"\0") + len(corners).to_bytes(4, "little")
    for start in range(0, len(corners), BLOCK):
        block = corners[start : start + BLOCK]
        cross = cross_of(columns_of(block))
        length = np.sqrt(cross[0] ** 2 + cross[1] ** 2 + cross[2] ** 2)
        length[length == 0] = 1
        facets = np.zeros(len(block), dtype=FACET)
        for axis in range(3):
            facets["normal"][:, axis] = cross[axis] / length
        facets["corners"] = block
        yield facets.tobytes()


def _read_binary(data: memoryview, count: int, most_triangles: int) -> Corners:
    if count == 0:
        raise MeshRefused("empty", "this STL file counts no triangle: export the part again")
    if count > most_triangles:
        raise too_many(count, most_triangles)
    facets = np.frombuffer(data, dtype=FACET, offset=HEAD)
    return np.ascontiguousarray(facets["corners"], dtype=np.float32)


def _read_text(data: memoryview, most_triangles: int) -> Corners:
    """The text form, in bounded pieces: time and memory grow with the file and with nothing else,
    however many `solid`s it holds."""
    pieces: list[Corners] = []
    count = 0
    for text in _facet_blocks(data):
        piece = _facets(text, count)
        count += len(piece)
        if count > most_triangles:
            raise too_many(count, most_triangles)
        pieces.append(piece)
    if count == 0:
        raise MeshRefused("empty", "this STL file holds no facet: export the part again")
    return np.concatenate(pieces)


def _facet_blocks(data: memoryview) -> Iterator[bytes]:
    """The text in lower case, without its name lines, in pieces of whole facets.

    Refuses a rest that is not the end of a solid: that file was cut off.
    """
    rest, place = b"", 0
    while place < len(data):
        piece = bytes(data[place : place + TEXT_BLOCK])
        if place == 0:
            piece = piece.removeprefix(b"\xef\xbb\xbf")
        place += TEXT_BLOCK
        rest += piece.lower().replace(b"\r", b"\n")
        end = _last_facet(rest)
        if end == 0 and len(rest) > NO_FACET:
            raise MeshRefused(
                "no_facet", f"no facet ends within {NO_FACET // 1_000_000} MB: this is not an STL"
            )
        if end:
            text, rest = rest[:end], rest[end:]
            # Most pieces have no name line, and to look for the word is a hundred times faster.
            yield NAME_LINE.sub(b"", text) if b"solid" in text else text
    lines = rest.split(b"\n")
    said = [line.split(None, 1)[0] for line in lines if line.strip()]
    if not said or said[-1] != b"endsolid" or not {b"solid", b"endsolid"}.issuperset(said):
        raise MeshRefused(
            "cut_off", "this STL file ends before its last solid does: push the whole file"
        )


def _last_facet(text: bytes) -> int:
    """Where the last facet ends; 0 without one. The word in a solid's name is not an end."""
    end = len(text)
    while (place := text.rfind(b"endfacet", 0, end)) >= 0:
        line = text.rfind(b"\n", 0, place) + 1
        if not NAME_LINE.match(text, line):
            return place + len(b"endfacet")
        end = line
    return 0


def _facets(text: bytes, before: int) -> Corners:
    """The triangles of a piece of whole facets; `before` is how many came before it."""
    tokens = text.split()
    count = len(tokens) // TOKENS
    right = len(tokens) == count * TOKENS and all(
        tokens[place::TOKENS].count(word) == count for place, word in KEYWORDS.items()
    )
    if not right:
        for number in range(count + 1):
            facet = tokens[number * TOKENS : (number + 1) * TOKENS]
            if [facet[i : i + 1] for i in KEYWORDS] != [[word] for word in KEYWORDS.values()]:
                start = b" ".join(facet[:4]).decode("ascii", "replace")[:60]
                raise MeshRefused(
                    "bad_facet",
                    f"facet {before + number + 1} is not written as STL demands, near"
                    f" {start!r}: export the part again",
                )
    numbers = np.empty((count, 9))
    for column, place in enumerate((8, 9, 10, 12, 13, 14, 16, 17, 18)):
        words = tokens[place::TOKENS]
        try:
            numbers[:, column] = [float(word) for word in words]
        except ValueError:
            raise _not_a_number(words, before) from None
    if b"_" in text:  # Python would read 1_000, nobody else does
        for place in (8, 9, 10, 12, 13, 14, 16, 17, 18):
            if any(b"_" in word for word in tokens[place::TOKENS]):
                raise _not_a_number(tokens[place::TOKENS], before)
    corners = numbers.reshape(-1, 3, 3)
    check_numbers(corners, before=before)  # before a float32 turns too large into infinite
    return corners.astype(np.float32)


def _not_a_number(words: list[bytes], before: int) -> MeshRefused:
    for number, word in enumerate(words):
        try:
            float(word)
            right = b"_" not in word
        except ValueError:
            right = False
        if not right:
            shown = word.decode("ascii", "replace")[:40]
            text = (
                f"facet {before + number + 1} has {shown!r} for a coordinate: export the part again"
            )
            return MeshRefused("not_a_number", text)
    raise AssertionError("every word is a number")
