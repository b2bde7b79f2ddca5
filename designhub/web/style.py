"""The components that pages are made of, each shown once: what a page may use."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

bp = Blueprint("style", __name__)

COLOURS = (
    *("page", "surface", "sunken", "text", "soft", "line", "edge", "accent", "on-accent", "tint"),
    *("good", "good-tint", "warn", "warn-tint", "bad", "bad-tint"),
)


@bp.get("/style")
def show() -> ResponseReturnValue:
    """Tokens and components."""
    return render_template("style.html", colours=COLOURS)
