"""OBJ, read strictly: corners and faces; colours, textures, groups and lines are left aside.

Statements: http://www.martinreddy.net/gfx/3d/OBJ.spec
"""

import re
from collections.abc import Iterator
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from designs.mesh import FAR_MM, MeshRefused, check_numbers, too_many
from designs.topology import Corners

BLOCK_BYTES = 4_000_000  # of text at a time
LONGEST_LINE = 16_000_000  # bytes: a polygon of a million corners
ASIDE = frozenset(
    b"vt vn vp g o s l p usemtl mtllib usemap maplib lod bevel c_interp d_interp shadow_obj".split()
)
CURVED = frozenset(b"cstype deg bmat step curv curv2 surf parm trim scrv hole sp end con".split())
COMMENT = re.compile(rb"#[^\n]*")


def read_obj(data: memoryview, *, most_triangles: int) -> Corners:
    """The triangles of an OBJ file, polygons cut into fans.

    Raises MeshRefused: `empty`, `bad_line`, `not_a_number`, `bad_index`, `unsupported`,
    `too_many_triangles`, `not_finite`, `too_far`.
    """
    points: list[NDArray[np.float64]] = []
    faces: list[NDArray[np.int64]] = []
    point_count = face_count = 0
    for lines, before in _blocks(data):
        is_point = [line[:2] in (b"v ", b"v\t") for line in lines]
        is_face = [line[:2] in (b"f ", b"f\t") for line in lines]
        _check_others(lines, is_point, is_face, before)
        found = _points(lines, is_point, before)
        # How many corners the file has at each line: indices may count back from there.
        known = [point_count + seen for seen in accumulate(is_point)]
        cut = _faces(lines, is_face, known, before)
        points.append(found)
        faces.append(cut)
        point_count += len(found)
        face_count += len(cut)
        if max(face_count, point_count // 3) > most_triangles:
            raise too_many(max(face_count, point_count // 3), most_triangles)
    if face_count == 0:
        raise MeshRefused("empty", "this OBJ file holds no face: export the part as a mesh")
    return corners_of(np.concatenate(points), np.concatenate(faces))


def corners_of(points: NDArray[np.float64], faces: NDArray[np.int64]) -> Corners:
    """The corners of every triangle from a list of points, mm, and three indices each from 0.

    Raises MeshRefused `bad_index`, `not_finite` or `too_far` naming the triangle. A point that no
    face uses may be anything.
    """
    bad = np.asarray((faces < 0) | (faces >= len(points)))
    if bad.any():
        raise MeshRefused(
            "bad_index",
            f"triangle {int(np.flatnonzero(bad.any(axis=1))[0]) + 1} names corner"
            f" {int(faces[bad][0]) + 1}, but there are {len(points)}: export the part again",
        )
    fine = np.asarray((np.abs(points) < FAR_MM).all(axis=1))
    if not fine.all():
        wrong = np.flatnonzero(~fine[faces].all(axis=1))
        if len(wrong):
            check_numbers(points[faces[wrong[:1]]], before=int(wrong[0]))
        points = np.where(fine[:, None], points, 0.0)
    # take() of an array of float32 is the only copy as large as the mesh.
    return points.astype(np.float32).take(faces, axis=0)


def _blocks(data: memoryview) -> Iterator[tuple[list[bytes], int]]:
    """Pieces of whole lines without blanks and comments, and how many lines came before each."""
    rest, place, before = b"", 0, 0
    while place < len(data) or rest:
        rest += bytes(data[place : place + BLOCK_BYTES])
        place += BLOCK_BYTES
        end = len(rest) if place >= len(data) else rest.rfind(b"\n") + 1
        # A line that goes on after a backslash belongs together.
        while 0 < end < len(rest) and rest[max(0, end - 3) : end].rstrip(b"\r\n")[-1:] == b"\\":
            end = rest.rfind(b"\n", 0, end - 1) + 1
        if end == 0:
            if len(rest) > LONGEST_LINE:
                raise MeshRefused(
                    "bad_line", f"line {before + 1} is longer than any OBJ has: export it again"
                )
            continue
        text, rest = rest[:end], rest[end:]
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        text = text.replace(b"\\\n", b" ")
        if b"#" in text:
            text = COMMENT.sub(b"", text)
        lines = [line.strip() for line in text.split(b"\n")]
        yield lines, before
        before += len(lines) - 1


def _check_others(
    lines: list[bytes], is_point: list[bool], is_face: list[bool], before: int
) -> None:
    """Refuse a statement that is neither a corner, a face, nor known to be without shape."""
    for number, (line, point, face) in enumerate(zip(lines, is_point, is_face, strict=True)):
        if point or face or not line:
            continue
        word = line.split(None, 1)[0]
        if word in CURVED:
            raise MeshRefused(
                "unsupported",
                f"line {before + number + 1} describes a curved surface: export triangles",
            )
        if word not in ASIDE:
            shown = line[:40].decode("ascii", "replace")
            raise MeshRefused(
                "bad_line", f"line {before + number + 1} is no OBJ statement: {shown!r}"
            )


def _points(lines: list[bytes], is_point: list[bool], before: int) -> NDArray[np.float64]:
    """The first three numbers of every `v` line; a weight or a colour may follow."""
    found = [line.split() for line, point in zip(lines, is_point, strict=True) if point]
    try:
        if any(len(words) < 4 for words in found) or any(
            b"_" in line for line, point in zip(lines, is_point, strict=True) if point
        ):
            raise ValueError
        return np.array(
            [[float(words[1]), float(words[2]), float(words[3])] for words in found]
        ).reshape(-1, 3)
    except ValueError:
        pass
    for number, (line, point) in enumerate(zip(lines, is_point, strict=True)):
        if point and not _three_numbers(line):
            shown = line[:40].decode("ascii", "replace")
            raise MeshRefused(
                "not_a_number", f"line {before + number + 1} holds no corner: {shown!r}"
            )
    raise AssertionError("every corner has three numbers")


def _three_numbers(line: bytes) -> bool:
    words = line.split()[1:4]
    try:
        return len([float(word) for word in words]) == 3 and b"_" not in line
    except ValueError:
        return False


def _faces(
    lines: list[bytes], is_face: list[bool], known: list[int], before: int
) -> NDArray[np.int64]:
    """Three indices from 0 for every triangle; not yet compared with how many corners follow."""
    all_triangles = _plain_faces(lines, is_face)
    if all_triangles is not None:
        return all_triangles
    cut: list[tuple[int, int, int]] = []
    for number, (line, face) in enumerate(zip(lines, is_face, strict=True)):
        if not face:
            continue
        try:
            around = [_index(word, known[number]) for word in line.split()[1:]]
        except ValueError:
            around = []
        if len(around) < 3:
            shown = line[:40].decode("ascii", "replace")
            raise MeshRefused(
                "bad_index",
                f"line {before + number + 1} is no face of three or more corners: {shown!r}",
            )
        first = around[0]
        cut += [(first, b, c) for b, c in pairwise(around[1:])]
    return np.array(cut, dtype=np.int64).reshape(-1, 3)


def _plain_faces(lines: list[bytes], is_face: list[bool]) -> NDArray[np.int64] | None:
    """The indices when every face is a plain triangle: five times faster. None when one is not."""
    text = b" ".join([line for line, face in zip(lines, is_face, strict=True) if face])
    words, count = text.split(), sum(is_face)
    if len(words) != 4 * count or words[::4].count(b"f") != count or b"-" in text or b"_" in text:
        return None
    index = np.empty((count, 3), dtype=np.int64)
    try:
        for side in range(3):
            column = words[side + 1 :: 4]
            if b"/" in text:
                column = [word.partition(b"/")[0] for word in column]
            index[:, side] = np.fromiter(map(int, column), dtype=np.int64, count=count)
    except (ValueError, OverflowError):
        return None  # the slow way finds the line
    return index - 1


def _index(word: bytes, known: int) -> int:
    """The corner of `12/3/4`, from 0. Beyond any file it is −1, which no file has."""
    text = word.partition(b"/")[0]
    if b"_" in text or len(text) > 20:
        raise ValueError(text)
    index = int(text)
    if index > 0:
        return min(index - 1, 2**62)
    if index == 0 or index + known < 0:
        raise ValueError(text)
    return index + known
