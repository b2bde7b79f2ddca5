"""The plain pages: one for each thing, so that everything can be seen in a browser."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

bp = Blueprint("pages", __name__)


@bp.get("/")
def home() -> ResponseReturnValue:
    """Where to begin."""
    return render_template("home.html")
