"""How the triangles of a mesh hang together: pure functions on an array of corners.

Equal corners are welded by sorting a key of their bits, and edges are counted by sorting a key of
their ends; so five million triangles need 1 GB, and no triangle is ever looked at alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Corners = NDArray[np.float32]
"""(n, 3, 3) mm, z up: n triangles of three corners, counter-clockwise seen from outside."""

BLOCK = 65_536  # triangles at a time: nine columns of float64 are 4.7 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """How the triangles hang together."""

    degenerate: int
    open_edges: int
    non_manifold_edges: int
    consistent_winding: bool
    bodies: int
    euler: int
    body_of: NDArray[np.int64]  # per triangle: a number of its body, −1 for a degenerate one

    @property
    def watertight(self) -> bool:
        """Every edge belongs to exactly two triangles, and there is an edge."""
        return self.open_edges == self.non_manifold_edges == 0 < self.bodies


def weld(corners: Corners) -> tuple[NDArray[np.uint32], int]:
    """A number for every corner, equal for equal corners, and how many numbers there are.

    Corners are compared by a 64-bit key of their bits. Two different corners of five million
    triangles meet in one key with a chance of 10⁻⁷; who forges it spoils the facts of his own part.
    """
    points = corners.reshape(-1, 3)
    keys = np.empty(len(points), dtype=np.uint64)
    for start in range(0, len(points), BLOCK):
        # Adding zero turns −0 into 0, the only two equal numbers with different bits.
        bits = (points[start : start + BLOCK] + np.float32(0)).view(np.uint32)
        key = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)
        for axis, odd in ((1, 0xBF58476D1CE4E5B9), (2, 0x94D049BB133111EB)):
            key ^= key >> np.uint64(32)
            key += bits[:, axis]
            key *= np.uint64(odd)
        key ^= key >> np.uint64(29)
        keys[start : start + BLOCK] = key
    order, keys = _order(keys)
    new = np.empty(len(keys), dtype=bool)
    new[0] = True
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    del keys
    # Numbered by their first place in the file, for what is near in the file is near in the part:
    # neighbours get near numbers, and every later step finds them in the cache.
    first = order[new]
    appears = np.zeros(len(order), dtype=bool)
    appears[first] = True
    number = np.cumsum(appears, dtype=np.uint32)[first] - np.uint32(1)
    ids = np.empty(len(order), dtype=np.uint32)
    ids[order] = number[np.cumsum(new, dtype=np.uint32) - np.uint32(1)]
    return ids.reshape(-1, 3), len(number)


def _order(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """What np.argsort says, in a third of its time, and the keys in that order.

    Plain numbers sort much faster than an order does, so each key lends its low bits to its index;
    the few keys that differed in these bits alone are put in order afterwards.
    """
    low = np.uint64((1 << (len(keys) - 1).bit_length()) - 1)
    packed = keys & ~low
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    packed &= low
    order = packed.view(np.int64)
    found = keys[order]
    step = found[1:] ^ found[:-1]
    mixed = np.flatnonzero((step != 0) & (step <= low))
    if len(mixed):
        run = np.zeros(len(keys), dtype=np.int64)
        np.cumsum(step > low, out=run[1:])
        touched = np.zeros(run[-1] + 1, dtype=bool)
        touched[run[mixed]] = True
        places = np.flatnonzero(touched[run])
        members = order[places]
        order[places] = members[np.argsort(keys[members], kind="stable")]
        found = keys[order]
    return order, found


def topology_of(corners: Corners) -> Topology:
    """How the triangles hang together when equal corners are one."""
    ids, count = weld(corners)
    a, b, c = ids[:, 0], ids[:, 1], ids[:, 2]
    whole = (a != b) & (b != c) & (c != a)
    degenerate = len(ids) - int(np.count_nonzero(whole))
    good = ids[whole] if degenerate else ids
    if len(good) == 0:
        return Topology(
            degenerate=degenerate,
            open_edges=0,
            non_manifold_edges=0,
            consistent_winding=True,
            bodies=0,
            euler=0,
            body_of=np.full(len(ids), -1, dtype=np.int64),
        )
    keys = _edge_keys(good)
    edges = keys >> np.uint64(1)
    first = np.empty(len(edges), dtype=bool)
    first[0] = True
    np.not_equal(edges[1:], edges[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    ends = np.append(starts[1:], len(edges)) - 1
    shared = (ends - starts + 1).astype(np.int32)  # by how many triangles
    # How often each is run backwards; sums up to its end are five times faster than sums of each.
    back = np.diff(np.cumsum(keys & np.uint64(1), dtype=np.int32)[ends], prepend=np.int32(0))
    edges = edges[starts]
    del keys, first, starts, ends
    low, high = (edges >> np.uint64(32)).astype(np.int64), edges.astype(np.uint32).astype(np.int64)
    label = components(count, low, high)
    used = np.zeros(count, dtype=bool)
    used[low] = True
    used[high] = True
    bodies = np.count_nonzero(used & (label == np.arange(count)))
    return Topology(
        degenerate=degenerate,
        open_edges=int(np.count_nonzero(shared == 1)),
        non_manifold_edges=int(np.count_nonzero(shared > 2)),
        # An edge shared by an even number must be run as often in one direction as in the other.
        consistent_winding=bool((np.abs(2 * back - shared) <= shared % 2).all()),
        bodies=int(bodies),
        euler=int(np.count_nonzero(used)) - len(edges) + len(good),
        body_of=np.where(whole, label[a], -1),
    )


def components(count: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of `count` nodes the smallest or largest node it is connected with by the edges
    `one`–`other`: the same for all nodes of a piece, and a member of it.

    Every round joins the roots of all edges at once and forgets the edges inside of a piece. The
    sides change by round, so that a star with its root in the wrong place takes two rounds and not
    as many as it has arms.
    """
    label = np.arange(count)
    hook: tuple[Any, ...] = (np.minimum, np.maximum)
    while len(one):
        here, there = hook
        # `here` of the two roots becomes the parent; several parents for one root: any will do.
        moved = there(one, other)
        label[moved] = here(one, other)
        _flatten(label, moved if len(moved) < count else slice(None))
        one, other = label[one], label[other]
        apart = one != other
        one, other = one[apart], other[apart]
        hook = there, here
    _flatten(label, slice(None))
    return label


def _flatten(label: NDArray[np.int64], nodes: NDArray[np.int64] | slice) -> None:
    """Let `nodes` point to their roots: each step halves the way that is left."""
    parent = label[nodes].copy()
    while True:
        further = label[parent]
        if np.array_equal(further, parent):
            return
        label[nodes] = parent = further


def _edge_keys(ids: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """One sorted number for each side of each triangle: its smaller end, its larger end, and in the
    last bit the direction it is run in."""
    keys = np.empty((3, len(ids)), dtype=np.uint64)
    for side in range(3):
        start, end = ids[:, side], ids[:, (side + 1) % 3]
        key = keys[side]
        key[:] = np.minimum(start, end)
        key <<= np.uint64(32)
        key |= np.maximum(start, end)
        key <<= np.uint64(1)
        key |= start > end
    flat = keys.reshape(-1)
    flat.sort()
    return flat
