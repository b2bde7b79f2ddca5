"""Addresses of the stylesheet and the scripts."""

from flask import url_for


def asset(name: str) -> str | None:
    """The address of a file that pages load; None where it was not built."""
    return url_for("static", filename=name) if name.endswith(".css") else None
