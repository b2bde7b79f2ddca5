"""A model of a part for looking at: binary glTF, small enough for a phone on a slow line.

Corners are indexed and stand as whole numbers of 16 bits over the part's box, which is finer than
any printer: 3 µm on a part of 200 mm. Without normals a viewer shows every triangle as flat as it
is made. The same mesh gives the same bytes.

Format: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html with KHR_mesh_quantization
"""

import gzip
import json
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designs.mesh import Box, MeshRefused, box_of
from designs.topology import BLOCK, Corners, weld

MOST_TRIANGLES = 300_000
"""More than a phone turns smoothly; larger meshes are thinned out for looking, never for making."""
MOST_BYTES = 12_000_000  # 3 × 300,000 corners of 8 bytes, as many numbers of 4, and a head
FINEST = 2_048  # cells along the longest side that thinning out begins with
ROUNDS = 8
STEPS = 32_767  # of half a side, in 16 bits
MAGIC, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
SHORT, USHORT, UINT = 5122, 5123, 5125
TILT = (-(0.5**0.5), 0.0, 0.0, 0.5**0.5)  # our z is up, glTF's y is


@dataclass(frozen=True, slots=True)
class _Indexed:
    """Corners (n, 3) in mm, each once, and the three of every triangle (m, 3)."""

    points: NDArray[np.float32]
    faces: NDArray[np.uint32]


def packed_glb(corners: Corners, *, most_triangles: int = MOST_TRIANGLES) -> bytes:
    """The model, packed by gzip as it is kept and sent.

    Raises MeshRefused for numbers that are no places, and when nothing is left to show.
    """
    return gzip.compress(glb(corners, most_triangles=most_triangles), 6, mtime=0)


def glb(corners: Corners, *, most_triangles: int = MOST_TRIANGLES) -> bytes:
    """A mesh in mm, z up, as glTF has it: metres, y up.

    Over `most_triangles` the corners of one small cell become one. `extras` of the mesh says how
    many triangles the part has, and how many are shown.
    """
    box = box_of(corners)
    mesh = _indexed(corners)
    if len(mesh.faces) > most_triangles:
        mesh = _thinned(mesh, box, most_triangles)
    if len(mesh.faces) == 0:
        raise MeshRefused("not_drawn", "no triangle is left to be shown")
    middle = (np.array(box.low) + np.array(box.high)) / 2
    step_mm = max(high - low for low, high in zip(box.low, box.high, strict=True)) / 2 / STEPS
    places = np.zeros((len(mesh.points), 4), dtype="<i2")  # the fourth fills up to 8 bytes
    places[:, :3] = np.round((mesh.points - middle) / step_mm).clip(-STEPS, STEPS)
    short = len(mesh.points) <= 65_535
    faces = mesh.faces.astype("<u2" if short else "<u4").tobytes()
    head = _head(
        places,
        triangles=len(mesh.faces),
        of=len(corners),
        kind=USHORT if short else UINT,
        faces_bytes=len(faces),
    )
    x, y, z = (float(each) / 1_000 for each in middle)
    head["nodes"] = [
        {
            "mesh": 0,
            "rotation": TILT,
            "translation": (x, z, -y),
            "scale": (step_mm / 1_000,) * 3,
        }
    ]
    return _file(head, places.tobytes() + faces)


def check_packed(data: bytes) -> None:
    """Raises ValueError unless `data` is a packed model of a size that we make."""
    unpacker = zlib.decompressobj(wbits=31)
    plain = unpacker.decompress(data, MOST_BYTES + 1)
    if not unpacker.eof or len(plain) > MOST_BYTES or len(plain) < 20:
        raise ValueError(f"a model of {len(plain)} bytes or more, or one that was cut off")
    said = np.frombuffer(plain, dtype="<u4", count=3)
    if said[0] != MAGIC or said[2] != len(plain):
        raise ValueError("this is no binary glTF")


def _indexed(corners: Corners) -> _Indexed:
    """Equal corners once; triangles with two equal corners have nothing to show."""
    faces, count = weld(corners)
    points = np.empty((count, 3), dtype=np.float32)
    points[faces.reshape(-1)] = corners.reshape(-1, 3)
    return _Indexed(points, _whole(faces))


def _whole(faces: NDArray[np.uint32]) -> NDArray[np.uint32]:
    a, b, c = faces[:, 0], faces[:, 1], faces[:, 2]
    whole: NDArray[np.uint32] = faces[(a != b) & (b != c) & (c != a)]
    return whole


def _thinned(mesh: _Indexed, box: Box, most: int) -> _Indexed:
    """The mesh with as many triangles as may be shown, by clustering: all corners in one cell of a
    grid become their mean, and what collapses goes.

    Rossignac and Borrel, Multi-resolution 3D approximations for rendering complex scenes (1993).
    """
    side = max(high - low for low, high in zip(box.low, box.high, strict=True))
    cells = FINEST
    thinned = mesh
    for _ in range(ROUNDS):
        thinned = _clustered(mesh, np.array(box.low), side / cells)
        if len(thinned.faces) <= most:
            break
        # A surface crosses cells by the square of their number along a side.
        cells = max(2, int(cells * min(0.9, 0.95 * (most / len(thinned.faces)) ** 0.5)))
    else:
        raise MeshRefused("not_drawn", "it has too many large triangles to be shown")
    return thinned


def _clustered(mesh: _Indexed, low: NDArray[Any], cell_mm: float) -> _Indexed:
    keys = np.empty(len(mesh.points), dtype=np.int64)
    for start in range(0, len(keys), BLOCK):
        cell = ((mesh.points[start : start + BLOCK] - low) / cell_mm).astype(np.int64)
        keys[start : start + BLOCK] = (cell[:, 0] << 40) | (cell[:, 1] << 20) | cell[:, 2]
    _, number = np.unique(keys, return_inverse=True)
    count = np.bincount(number)
    means = [np.bincount(number, weights=mesh.points[:, axis]) / count for axis in range(3)]
    faces = _whole(number.astype(np.uint32)[mesh.faces])
    used, faces_used = np.unique(faces, return_inverse=True)
    return _Indexed(
        np.stack(means, axis=1).astype(np.float32)[used],
        faces_used.astype(np.uint32).reshape(-1, 3),
    )


def _head(
    places: NDArray[np.int16], *, triangles: int, of: int, kind: int, faces_bytes: int
) -> dict[str, Any]:
    """What the file says of its bytes: first the places, then the numbers of the triangles."""
    low, high = places[:, :3].min(axis=0).tolist(), places[:, :3].max(axis=0).tolist()
    return {
        "asset": {"version": "2.0", "generator": "DesignHub"},
        "extensionsUsed": ["KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "materials": [{"doubleSided": True, "pbrMetallicRoughness": {"metallicFactor": 0.0}}],
        "meshes": [
            {
                "primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}],
                "extras": {"triangles": of, "shown": triangles},
            }
        ],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": SHORT,
                "count": len(places),
                "type": "VEC3",
                "min": low,
                "max": high,
            },
            {"bufferView": 1, "componentType": kind, "count": triangles * 3, "type": "SCALAR"},
        ],
        "bufferViews": [
            {
                "buffer": 0,
                "byteLength": places.nbytes,
                "byteStride": 8,
                "target": 34962,
            },
            {
                "buffer": 0,
                "byteOffset": places.nbytes,
                "byteLength": faces_bytes,
                "target": 34963,
            },
        ],
        "buffers": [{"byteLength": places.nbytes + faces_bytes}],
    }


def _file(head: dict[str, Any], data: bytes) -> bytes:
    """A file of two chunks, each filled up to whole words."""
    said = json.dumps(head, separators=(",", ":")).encode()
    said += b" " * (-len(said) % 4)
    data += b"\0" * (-len(data) % 4)
    words = [MAGIC, 2, 12 + 8 + len(said) + 8 + len(data), len(said), JSON_CHUNK]
    middle = np.array([len(data), BIN_CHUNK], dtype="<u4").tobytes()
    return np.array(words, dtype="<u4").tobytes() + said + middle + data
