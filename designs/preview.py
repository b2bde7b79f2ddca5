"""A picture of a part: numpy draws the triangles, Pillow shrinks and packs them.

The view is orthographic from the front left and above, z up, with outlines where the depth jumps or
the surface bends: edges say more about a part than light does. The same mesh gives the same bytes
with the same Pillow.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from designs.mesh import Box, MeshRefused, box_of, columns_of
from designs.topology import BLOCK, Corners

SIZE_PX = 512
FINER = 2  # drawn so many times larger, then shrunk: smooth edges
AZIMUTH_DEG, ELEVATION_DEG = -35.0, 28.0
MARGIN = 0.04  # of the side, on every side
CANDIDATES = 2**21  # pixels tested at a time: about 300 MB of columns at the most
MOST_CANDIDATES = 60_000_000  # 3 to 6 s; beyond it the picture is drawn coarser
COLOUR = (140, 164, 190)
PAPER = (247, 247, 245)
LIGHT = (0.35, 0.55, 0.76)  # where it comes from: right, up, towards the camera
OUTLINE = 0.55  # how dark a line is
JUMP = 0.02  # of the depth of the whole: a step that gets a line
BEND = 0.8  # cosine between neighbours below which a bend gets a line
DEPTH_STEPS = 4e9  # depth 0…1 as a whole number of 32 bits
SLACK = 1e-5  # a pixel on the seam of two triangles belongs to both rather than to none
NOTHING = np.uint64(2**64 - 1)


@dataclass(frozen=True, slots=True)
class _Screen:
    """Corners as the camera sees them: (3, n), x right and y down in pixels, depth 0 (near) … 1.

    float32 is 10⁻⁴ of a pixel here, and halves the memory of a large mesh.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    depth: NDArray[np.float32]
    deep_px: float  # what a depth of 1 is in pixels


def picture(
    corners: Corners,
    *,
    colours: NDArray[np.uint8] | None = None,
    both_sides: bool = False,
    size_px: int = SIZE_PX,
) -> bytes:
    """A square PNG of a mesh in mm: what `drawn` draws."""
    return png(drawn(corners, colours=colours, both_sides=both_sides, size_px=size_px))


def png(image: Image.Image) -> bytes:
    """Packed as every picture of ours."""
    packed = BytesIO()
    image.save(packed, "PNG", compress_level=6)  # 9 is seven times slower, 5 % smaller
    return packed.getvalue()


def drawn(
    corners: Corners,
    *,
    colours: NDArray[np.uint8] | None = None,
    both_sides: bool = False,
    size_px: int = SIZE_PX,
) -> Image.Image:
    """A square picture of a mesh in mm.

    `colours` is (n, 3), red green blue for each triangle; `both_sides` draws triangles that are
    turned away too, for a surface with holes. Raises MeshRefused for numbers that cannot be drawn,
    and `not_drawn` when no triangle covers a pixel: a blank picture would hide that something is
    wrong.
    """
    box = box_of(corners)
    for coarser in (1, 2, 4, 8):
        side_px = size_px * FINER // coarser
        screen = _seen(corners, box, side_px)
        frame = _drawn(screen, side_px, both_sides=both_sides)
        if frame is not None and (frame == NOTHING).all() and not both_sides:
            frame = _drawn(screen, side_px, both_sides=True)  # an open sheet seen from behind
        if frame is not None:
            break
    else:
        raise MeshRefused("not_drawn", "too many large triangles lie over each other to draw them")
    if (frame == NOTHING).all():
        raise MeshRefused("not_drawn", "from where we look the part has no area to be seen")
    pixels = _shaded(frame, screen, colours).reshape(side_px, side_px, 3)
    return Image.fromarray(pixels, "RGB").resize((size_px, size_px), Image.Resampling.LANCZOS)


def _seen(corners: Corners, box: Box, side_px: int) -> _Screen:
    """Turn the mesh towards the camera and fit it into the frame."""
    a, e = np.radians(AZIMUTH_DEG), np.radians(ELEVATION_DEG)
    towards = np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
    right = np.array([np.cos(a), np.sin(a), 0.0])  # z × towards, of length 1
    axes = np.stack([right, np.cross(right, towards), -towards])  # right, down, away
    middle = [(low + high) / 2 for low, high in zip(box.low, box.high, strict=True)]
    seen = np.empty((3, 3, len(corners)), dtype=np.float32)  # axis, corner, triangle
    for start in range(0, len(corners), BLOCK):
        columns = columns_of(corners[start : start + BLOCK]).reshape(3, 3, -1)
        columns -= np.array(middle)[None, :, None]
        for axis in range(3):
            turned = sum(axes[axis, i] * columns[:, i] for i in range(3))
            seen[axis, :, start : start + BLOCK] = turned
    low, high = seen.min(axis=(1, 2)), seen.max(axis=(1, 2))
    spread, deep = float((high - low)[:2].max()), float(high[2] - low[2])
    scale = side_px * (1 - 2 * MARGIN) / spread if spread > 0 else 1.0
    for axis in range(2):
        seen[axis] -= (low[axis] + high[axis]) / 2
        seen[axis] *= scale
        seen[axis] += side_px / 2
    seen[2] -= low[2]
    if deep > 0:
        seen[2] /= deep
    return _Screen(x=seen[0], y=seen[1], depth=seen[2], deep_px=deep * scale)


def _drawn(screen: _Screen, side_px: int, *, both_sides: bool) -> NDArray[np.uint64] | None:
    """For every pixel the nearest triangle, as depth in the upper and its number in the lower half:
    the smallest key wins, so one pass decides without a second look. None when it would take
    minutes."""
    frame = np.full(side_px * side_px, NOTHING)
    doubled = _doubled(screen.x, screen.y)
    faces = np.flatnonzero(doubled != 0 if both_sides else doubled > 0)
    boxes = []
    for axis in (screen.x, screen.y):
        first, second, third = (corner[faces] for corner in axis)
        low = np.minimum(np.minimum(first, second), third)
        high = np.maximum(np.maximum(first, second), third)
        # Pixel i has its centre at i + ½.
        begin = np.clip(np.ceil(low - 0.5), 0, side_px).astype(np.int32)
        end = np.clip(np.floor(high - 0.5) + 1, 0, side_px).astype(np.int32)
        boxes += [begin, np.maximum(end - begin, 0)]
    left, wide, top, high_px = boxes
    pixels = wide * high_px
    # Small boxes first, so that a batch holds many small ones or few large ones.
    order = np.argsort(pixels, kind="stable")
    order = order[np.searchsorted(pixels[order], 1) :]
    ends = np.cumsum(pixels[order], dtype=np.int64)
    if len(order) and ends[-1] > MOST_CANDIDATES:
        return None
    start = 0
    while start < len(order):
        reached = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, reached + CANDIDATES, side="right")))
        batch = order[start:end]
        boxes_of = (left[batch], wide[batch], top[batch], high_px[batch])
        _draw(frame, screen, faces[batch], boxes_of, side_px)
        start = end
    return frame


def _doubled(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Twice the signed area on the screen, positive when the triangle faces us: y runs down."""
    doubled: NDArray[Any] = (x[2] - x[0]) * (y[1] - y[0]) - (x[1] - x[0]) * (y[2] - y[0])
    return doubled


def _draw(
    frame: NDArray[np.uint64],
    screen: _Screen,
    faces: NDArray[np.int64],
    boxes: tuple[NDArray[np.int32], ...],
    side_px: int,
) -> None:
    """Draw some triangles: test every pixel in the box of each by its barycentric coordinates.

    These, and the depth, are linear in the pixel: each is begun at the first pixel of a row and
    stepped along it, so most of the work is done by the row.
    """
    left, wide, top, high_px = boxes
    x, y, depth = (each[:, faces].astype(np.float64) for each in (screen.x, screen.y, screen.depth))
    area = _doubled(x, y)
    area[area == 0] = np.inf  # a sliver that only float32 took for a triangle
    of_row = np.repeat(np.arange(len(faces), dtype=np.int32), high_px)
    row = _counted(high_px) + top[of_row]
    px, py = left + 0.5 - x[0], row + 0.5 - y[0][of_row]
    # Shares of the second and the third corner.
    step_2, step_3 = (y[0] - y[2]) / area, (y[1] - y[0]) / area
    begin_2 = (px * step_2)[of_row] + py * ((x[2] - x[0]) / area)[of_row]
    begin_3 = (px * step_3)[of_row] + py * ((x[0] - x[1]) / area)[of_row]
    in_row = wide[of_row]
    which = np.repeat(np.arange(len(of_row), dtype=np.int32), in_row)
    along = _counted(in_row)
    second = begin_2[which] + along * step_2[of_row][which]
    third = begin_3[which] + along * step_3[of_row][which]
    inside = np.flatnonzero((second >= -SLACK) & (third >= -SLACK) & (second + third <= 1 + SLACK))
    second, third, which = second[inside], third[inside], which[inside]
    pixel = (row * side_px + left[of_row])[which] + along[inside]
    face = of_row[which]
    near = depth[0][face] + second * (depth[1] - depth[0])[face]
    near += third * (depth[2] - depth[0])[face]
    key = (np.clip(near, 0.0, 1.0) * DEPTH_STEPS).astype(np.uint64) << np.uint64(32)
    key |= faces[face].astype(np.uint64)
    np.minimum.at(frame, pixel, key)


def _counted(lengths: NDArray[np.int32]) -> NDArray[np.int32]:
    """0, 1, … for each length in turn: (2, 3) gives 0 1 0 1 2."""
    ends = np.cumsum(lengths, dtype=np.int32)
    return np.arange(ends[-1], dtype=np.int32) - np.repeat(ends - lengths, lengths)


def _shaded(
    frame: NDArray[np.uint64], screen: _Screen, colours: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Colour by the angle to the light, darker along outlines."""
    side_px = round(len(frame) ** 0.5)
    drawn = frame != NOTHING
    face = (frame[drawn] & np.uint64(2**32 - 1)).astype(np.int64)
    seen = np.zeros(screen.x.shape[1], dtype=bool)
    seen[face] = True
    normal = _normals(screen, np.flatnonzero(seen))[:, (np.cumsum(seen) - 1)[face]]
    light = np.array(LIGHT) / np.linalg.norm(LIGHT)
    bright = 0.38 + 0.55 * np.maximum(0.0, light @ normal) + 0.12 * np.maximum(0.0, normal[2])
    depth = np.full(len(frame), 2.0)  # the paper lies far behind
    depth[drawn] = (frame[drawn] >> np.uint64(32)).astype(np.float64) / DEPTH_STEPS
    facing = np.zeros((3, len(frame)))
    facing[:, drawn] = normal
    line = _outlines(depth.reshape(side_px, side_px), facing.reshape(3, side_px, side_px))
    bright[line.reshape(-1)[drawn]] *= OUTLINE
    base = np.asarray(COLOUR, dtype=np.float64) if colours is None else colours[face]
    pixels = np.empty((len(frame), 3), dtype=np.uint8)
    pixels[:] = PAPER
    pixels[drawn] = np.clip(bright[:, None] * base, 0, 255).astype(np.uint8)
    return pixels


def _normals(screen: _Screen, faces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Unit normals of some triangles, (3, m): right, up, towards the camera, and never away."""
    x, y = (each[:, faces].astype(np.float64) for each in (screen.x, screen.y))
    z = screen.depth[:, faces] * -screen.deep_px
    one = [axis[1] - axis[0] for axis in (x, -y, z)]
    other = [axis[2] - axis[0] for axis in (x, -y, z)]
    normal = np.stack(
        [
            one[1] * other[2] - one[2] * other[1],
            one[2] * other[0] - one[0] * other[2],
            one[0] * other[1] - one[1] * other[0],
        ]
    )
    length = np.sqrt((normal**2).sum(axis=0))
    normal /= np.where(length > 0, length, 1.0)
    return np.where(normal[2] < 0, -normal, normal)


def _outlines(depth: NDArray[np.float64], facing: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels where the surface steps or bends against the next one to the right or below."""
    line = np.zeros(depth.shape, dtype=bool)
    for here, there in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        step = np.abs(depth[here] - depth[there]) > JUMP
        bend = (facing[(slice(None), *here)] * facing[(slice(None), *there)]).sum(axis=0) < BEND
        both = (depth[here] < 2) & (depth[there] < 2)
        edge = step | (bend & both)
        line[here] |= edge
        line[there] |= edge
    return line
