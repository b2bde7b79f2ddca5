"""Turning a body so that one direction looks straight down: the same turn wherever it is done."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Direction = tuple[float, float, float]

DOWN: Direction = (0.0, 0.0, -1.0)


def rotation(down: Direction) -> NDArray[np.float64]:
    """The shortest turn that brings a direction to straight down; exact for the six axes."""
    d = np.asarray(down, dtype=np.float64)
    d = d / np.linalg.norm(d)
    if d[2] > 1 - 1e-12:  # straight up: half a turn about x
        return np.diag([1.0, -1.0, -1.0])
    axis = np.cross(d, DOWN)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn: NDArray[np.float64] = np.eye(3) + skew + skew @ skew / (1 - d[2])
    return turn


def turned(corners: NDArray[Any], down: Direction) -> NDArray[np.float64]:
    """Corners, (n, 3, 3), turned so that `down` looks straight down."""
    found: NDArray[np.float64] = corners.astype(np.float64) @ rotation(down).T
    return found
