"""The components that pages are made of, each shown once: what a page may use."""

import numpy as np
from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from designs.glb import glb

bp = Blueprint("style", __name__)

COLOURS = (
    *("page", "surface", "sunken", "text", "soft", "line", "edge", "accent", "on-accent", "tint"),
    *("good", "good-tint", "warn", "warn-tint", "bad", "bad-tint"),
)


CUBE = np.array(
    [
        *([[0, 0, 0], [0, 1, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [1, 0, 0]]),
        *([[0, 0, 1], [1, 0, 1], [1, 1, 1]], [[0, 0, 1], [1, 1, 1], [0, 1, 1]]),
        *([[0, 0, 0], [1, 0, 0], [1, 0, 1]], [[0, 0, 0], [1, 0, 1], [0, 0, 1]]),
        *([[1, 1, 0], [0, 1, 0], [0, 1, 1]], [[1, 1, 0], [0, 1, 1], [1, 1, 1]]),
        *([[0, 1, 0], [0, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 1], [0, 1, 1]]),
        *([[1, 0, 0], [1, 1, 0], [1, 1, 1]], [[1, 0, 0], [1, 1, 1], [1, 0, 1]]),
    ],
    dtype=np.float32,
)
CUBE_MM = 20


@bp.get("/style/part.glb")
def part() -> ResponseReturnValue:
    """A cube for the viewer to show."""
    return Response(glb(CUBE * np.float32(CUBE_MM)), mimetype="model/gltf-binary")


@bp.get("/style")
def show() -> ResponseReturnValue:
    """Tokens and components."""
    return render_template("style.html", colours=COLOURS)
