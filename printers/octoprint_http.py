"""The way to one OctoPrint: HTTP with limits on everything, and what each failure means.

PrinterError
├── PrinterUnreachable   nothing was sent: nothing happened, try again later
├── PrinterBooting       it answers, but not as OctoPrint yet: nothing happened, try again later
│   └── Missing          404: no such file, or booting; `OctoPrint.file` tells the two apart
├── PrinterSilent        sent but unanswered: it may have happened, look before repeating
│   └── Broken           500: something failed inside OctoPrint
├── PrinterBusy          it has a job, or no printer attached: ask for its state
├── PrinterRefused       it will say the same again (bad key, bad name): a person must look
└── AlreadyThere         the path is taken: compare the hash, a different content is an alarm
"""

import http.client
import json
import re
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, TypeVar

import requests
import urllib3.exceptions

from basis.errors import HubError, Invalid
from printers.addresses import checked_url

ANSWER_BYTES = 4_000_000  # far more than any answer we ask for
PIECE_BYTES = 64 * 1024


class PrinterError(HubError):
    """OctoPrint or the way to it failed."""

    code = "printer"


class PrinterUnreachable(PrinterError):
    """No connection: nothing was sent, so nothing happened. Try again later."""

    code = "printer_unreachable"


class PrinterBooting(PrinterError):
    """It answers, but not as OctoPrint yet: nothing happened. Try again later."""

    code = "printer_booting"


class PrinterSilent(PrinterError):
    """Sent, but not answered: it may have happened. Look before repeating."""

    code = "printer_silent"


class PrinterBusy(PrinterError):
    """It has a job, or no printer attached: ask for its state."""

    code = "printer_busy"


class PrinterRefused(PrinterError):
    """It will say the same again: a person must look."""

    code = "printer_refused"


class Missing(PrinterBooting):
    """404: no such file, or booting. Who can tell the two apart catches it."""


class Broken(PrinterSilent):
    """500: something failed inside OctoPrint; for a file it may only mean that there is none."""


class AlreadyThere(PrinterError):
    """A file of this path is stored already: compare its hash, a different one is an alarm."""

    code = "already_there"


MEANING: Mapping[tuple[str, int], type[PrinterError]] = {
    ("upload", 409): AlreadyThere,  # never sent again: the caller compares the hash
    ("any", 400): PrinterRefused,  # on POST also how a wrong key looks ("CSRF validation …")
    ("any", 403): PrinterRefused,
    ("any", 404): Missing,
    ("any", 409): PrinterBusy,  # also offline: the text says "already printing" in both
    ("any", 429): PrinterBusy,
    ("any", 500): Broken,
    ("any", 501): PrinterBooting,  # how a booting OctoPrint answers a POST
    ("any", 503): PrinterBooting,  # how the proxy before a booting OctoPrint answers
}


def meaning(what: str, status: int) -> type[PrinterError]:
    """What an HTTP status that is not a success says about the call `what`."""
    known = MEANING.get((what, status)) or MEANING.get(("any", status))
    if known is not None:
        return known
    # Redirects are never followed: the address is wrong. Only 5xx leaves open what happened.
    return PrinterRefused if status < 500 else PrinterSilent


T = TypeVar("T")


class Link:
    """HTTP to one server with one key. Not for two threads at a time.

    connect_s : limit of the connection, and of any stall while sending.
    read_s    : limit of an answer, from the request's last byte to the answer's last byte.
    adapter   : how connections are made, where it is not the ordinary way.

    Each call uses a fresh connection: one kept from the last call may be dead, and a start that
    dies on it could not be told from one that happened.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str,
        connect_s: float,
        read_s: float,
        adapter: requests.adapters.HTTPAdapter | None = None,
    ) -> None:
        self.base_url = checked_url(base_url)
        if not re.fullmatch(r"[!-~]+", api_key):
            raise Invalid("an OctoPrint API key is printable ASCII without spaces")
        self._limits_s = (connect_s, read_s)
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy has no business between agent and printer
        if adapter is not None:
            self._http.mount(self.base_url, adapter)
        self._http.headers.update(
            {
                "X-Api-Key": api_key,
                "Connection": "close",
                "Accept-Encoding": "identity",  # so the limit of an answer is one of its bytes
                "User-Agent": "designhub-agent",
            }
        )

    def read(self, what: str, url: str, shape: Callable[[Mapping[str, Any]], T]) -> T:
        """GET an answer in our own shape; one that is not OctoPrint's means it is booting."""
        return self.understood(what, self.call(what, "GET", url), shape)

    def post(self, what: str, url: str, command: Mapping[str, Any]) -> None:
        """Send a command. A return says that OctoPrint took it, not that it did it."""
        self.call(what, "POST", url, json=command)

    def understood(
        self,
        what: str,
        answer: bytes,
        shape: Callable[[Mapping[str, Any]], T],
        *,
        acted: bool = False,
    ) -> T:
        """The answer in our own shape. acted: it answers a command, which may have happened."""
        try:
            return shape(json.loads(answer, parse_constant=_no_constant))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            kind = PrinterSilent if acted else PrinterBooting
            raise kind(f"{what} {self.base_url}: not OctoPrint's: {excerpt(answer)}") from exc

    def call(
        self,
        what: str,
        method: str,
        url: str,
        *,
        limits_s: tuple[float, float] | None = None,
        **body: Any,
    ) -> bytes:
        """The body of a successful answer. Raises what `meaning` and `cause_of` say."""
        where = f"{what}: {method} {self.base_url}{url}"
        limits_s = limits_s or self._limits_s
        try:
            with self._http.request(
                method,
                self.base_url + url,
                timeout=limits_s,
                allow_redirects=False,
                stream=True,
                **body,
            ) as answer:
                content = bounded(answer, limit_s=limits_s[1])
        except (requests.RequestException, urllib3.exceptions.HTTPError) as exc:
            raise cause_of(exc, reading=method == "GET")(f"{where}: {words_of(exc)}") from exc
        if 200 <= answer.status_code < 300:
            return content
        raise meaning(what, answer.status_code)(f"{where}: {answer.status_code} {excerpt(content)}")


def cause_of(exc: BaseException, *, reading: bool) -> type[PrinterError]:
    """Which failure an exception of the HTTP library is: did anything leave this machine?

    reading : whether the request only read; then an answer that is no HTTP proves a booting
              server, while after a command it may be the torn reply to something that happened.
    """
    chain = list(_chain(exc))
    if isinstance(exc, ValueError) or any(
        isinstance(e, ssl.SSLCertVerificationError) for e in chain
    ):
        return PrinterRefused  # the address or the certificate is wrong, so nothing was sent
    unsent = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    if any(isinstance(link, (*unsent, requests.ConnectTimeout)) for link in chain):
        return PrinterUnreachable
    torn = (http.client.RemoteDisconnected, http.client.IncompleteRead)
    garbage = any(
        isinstance(link, http.client.HTTPException) and not isinstance(link, torn) for link in chain
    )
    return PrinterBooting if garbage and reading else PrinterSilent


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """The exception and those it wraps: `requests` keeps them in args and in `reason`.

    Not its `__context__`: that leads on to whatever the caller was just handling.
    """
    waiting: list[object] = [exc]
    while waiting:
        link = waiting.pop()
        if isinstance(link, BaseException):
            yield link
            waiting += [*link.args, getattr(link, "reason", None)]


def bounded(answer: requests.Response, *, limit_s: float) -> bytes:
    """The answer's body. PrinterSilent when it grows past its limit of bytes or of time.

    The time-outs of `requests` begin anew with every byte; this one does not.
    """
    until, content = time.monotonic() + limit_s, bytearray()
    while piece := answer.raw.read1(PIECE_BYTES):
        content += piece
        if len(content) > ANSWER_BYTES or time.monotonic() > until:
            raise PrinterSilent(f"{answer.url}: over {ANSWER_BYTES} bytes or {limit_s} s of answer")
    return bytes(content)


class Form:
    """A multipart form that reads its file while it is sent; the length is known beforehand.

    `requests` would hold the file in memory, twice.
    """

    def __init__(
        self, fields: Mapping[str, str], *, name: str, source: BinaryIO, until_s: float
    ) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._source, self._until_s = source, until_s
        self._size_bytes = source.seek(0, 2)
        parts = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        )
        disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
        kind = "Content-Type: application/octet-stream"
        self._head = f"{parts}--{boundary}\r\n{disposition}\r\n{kind}\r\n\r\n".encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._head) + self._size_bytes + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        self._source.seek(0)
        left = self._size_bytes
        yield self._head
        while left:
            piece = self._source.read(min(PIECE_BYTES, left))
            if not piece:
                raise Invalid("the file became shorter while it was sent")
            if time.monotonic() > self._until_s:
                raise PrinterSilent("the upload took too long; ask for the file before repeating")
            left -= len(piece)
            yield piece
        yield self._tail


def excerpt(content: bytes) -> str:
    """The beginning of an answer, on one line and without control characters, for a message."""
    text = " ".join(content[:400].decode("utf-8", "replace").split())
    return "".join(sign for sign in text if sign.isprintable())[:200]


def words_of(exc: BaseException) -> str:
    """What the innermost exception says, without the object of the library that it names."""
    return str(list(_chain(exc))[-1]).rpartition("): ")[2] or type(exc).__name__


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
