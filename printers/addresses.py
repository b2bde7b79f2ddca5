"""Addresses of printers, as text."""

import re
from urllib.parse import urlsplit

from basis.errors import Invalid

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]{0,20}://\S*|\b\d{1,3}(?:\.\d{1,3}){3}\b\S*", re.IGNORECASE)


def checked_url(base_url: str) -> str:
    """The address without a closing slash; Invalid unless it is http(s)://host[:port][/prefix]."""
    try:
        parts = urlsplit(base_url)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    # A password in the address would end up in messages and logs.
    if not fine or parts.username is not None or parts.query or parts.fragment:
        raise Invalid("the address of an OctoPrint reads http://host:port, without user or query")
    return base_url.rstrip("/")


def without_addresses(text: str) -> str:
    """Words about a printer for people who need not know where in a workshop's own network it is:
    makers, and everybody who looks at a printer of the hub."""
    return _ADDRESS.sub("…", text)
