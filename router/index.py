"""The printers on the globe, in memory: the nearest first, exactly.

Points lie on the unit sphere, where a straight line orders neighbours as a great circle does, so a
k-d tree is exact. New and moved printers wait in a short list, searched one by one, until the tree
is built again. The database is the truth: before it answers, the index reads every change since the
last number it saw.
"""

import heapq
import math
import threading
from collections.abc import Iterator
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from printers.queries import places
from router.globe import EARTH_M, unit_vector

REBUILD_AT = 256
"""Changes searched one by one before the tree is built again."""

FIRST = 64
"""How many neighbours the first look asks for; each further one doubles it."""


class Index:
    """Safe for threads: a search uses the arrays it started with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._change = 0
        self._where: dict[UUID, tuple[float, float, float]] = {}
        self._tree: object | None = None
        self._tree_ids: list[UUID] = []
        self._fresh: set[UUID] = set()

    def catch_up(self, session: Session) -> None:
        """Read what changed in the database since the last time. One statement when nothing did."""
        with self._lock:
            for printer, lat_udeg, lon_udeg, change in places(session, after_change=self._change):
                point = unit_vector(lat_udeg, lon_udeg)
                if self._where.get(printer) != point:
                    self._where[printer] = point
                    self._fresh.add(printer)
                self._change = max(self._change, change)
            if len(self._fresh) > REBUILD_AT:
                self._rebuild()

    def __len__(self) -> int:
        return len(self._where)

    def nearest(self, lat_udeg: int, lon_udeg: int) -> Iterator[tuple[UUID, int]]:
        """(printer, great-circle metres), the nearest first, all of them; ties by printer id."""
        here = np.asarray(unit_vector(lat_udeg, lon_udeg))
        with self._lock:
            tree, ids, fresh = self._tree, self._tree_ids, frozenset(self._fresh)
            waiting = [(printer, self._where[printer]) for printer in fresh]
        points = np.asarray([point for _, point in waiting]).reshape(-1, 3)
        chords = np.linalg.norm(points - here, axis=1)
        loose = sorted(
            (_metres(chord), printer)
            for chord, (printer, _) in zip(chords.tolist(), waiting, strict=True)
        )
        settled = (each for each in _from_tree(tree, ids, here) if each[1] not in fresh)
        for metres, printer in heapq.merge(settled, loose):
            yield printer, metres

    def _rebuild(self) -> None:
        from scipy.spatial import cKDTree

        ids = sorted(self._where)
        self._tree = cKDTree(np.asarray([self._where[printer] for printer in ids]))
        self._tree_ids, self._fresh = ids, set()


Found = tuple[int, UUID]


def _from_tree(tree: object | None, ids: list[UUID], here: NDArray[np.float64]) -> Iterator[Found]:
    """All of the tree by distance and id, asking for twice as many each time more are wanted.

    Of printers as far as the last one found, some may lie beyond it: they wait for the next look.
    """
    if tree is None:
        return
    given, wanted = 0, FIRST
    while given < len(ids):
        wanted = min(wanted, len(ids))
        chords, places = tree.query(here, k=[*range(1, wanted + 1)])  # type: ignore[attr-defined]
        batch = sorted(
            (_metres(chord), ids[place])
            for chord, place in zip(chords.tolist(), places.tolist(), strict=True)
        )
        if wanted < len(ids):
            batch = [each for each in batch if each[0] < batch[-1][0]]
        yield from batch[given:]
        given, wanted = len(batch), wanted * 2


def _metres(chord: float) -> int:
    return round(2 * EARTH_M * math.asin(min(1.0, chord / 2)))
