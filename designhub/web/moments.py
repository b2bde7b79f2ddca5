"""Moments as pages say them: UTC in words, which a browser turns into the reader's own zone.

Apart from `words`, which commands beside a printer speak through without the server's packages.
"""

from datetime import datetime

from markupsafe import Markup, escape

from designhub.web.words import moment


def when(at: datetime | None) -> Markup:
    """A moment, or `never`."""
    text = escape(moment(at))
    if at is None:
        return text
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), text)


def told(message: str, *, at: datetime) -> Markup:
    """A message for a page, its `%(at)s` filled in with a moment."""
    return escape(message) % {"at": when(at)}
