"""OctoPrint's push socket, as a hint: look now. What happened is told by REST alone.

The socket (sockjs) also speaks plain HTTP: one answer that never ends brings its frames, and other
requests carry what we say. So `requests` is enough, and a small board needs no library for web
sockets. A hint that is lost, doubled or made up changes nothing but the moment of the next look,
and the words for why a print failed.

Frames: https://sockjs.github.io/sockjs-protocol/sockjs-protocol-0.3.3.html
"""

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import urllib3.exceptions

from printers.addresses import checked_url
from printers.networks import Networks
from printers.octoprint_http import (
    PrinterBooting,
    PrinterError,
    PrinterSilent,
    bounded,
    cause_of,
    meaning,
)
from printers.ways import Way, watched

EVENTS = (
    *("PrintStarted", "PrintDone", "PrintFailed", "PrintCancelled", "PrintPaused", "PrintResumed"),
    *("PrinterStateChanged", "Error", "FilamentChange"),
)
"""What is asked for; everything else stays in OctoPrint."""

SUBSCRIPTION = {"state": False, "events": list(EVENTS), "plugins": []}

FRAME_BYTES = 64 * 1024
"""The longest frame that is read; the greeting, which lists all permissions, has about 12,000."""

QUIET_S = 600.0
"""How long nothing may come before the line is made anew. OctoPrint sends no sign of life on it;
that the other end is gone is noticed by the kernel's own (`ways.watched`)."""

ANSWER_S = 10.0
MOST_REASONS = 8
MOST_WORDS = 200
FIRST_AGAIN_S = 1.0
MOST_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One event, as far as we use it."""

    kind: str
    path: str = ""
    """Of the file in local storage that it is about; "" for all else."""
    reason: str = ""
    """Of a failure, in words: "cancelled at the printer", or the firmware's own."""
    by_person: bool = False
    """Of a pause: somebody asked OctoPrint for it, rather than the printer."""


class Push(threading.Thread):
    """Listens to one OctoPrint until closed, and calls `hear` with each hint.

    hear    : called from this thread with each hint; must not block.
    awake   : called when hints begin to come, for something may have happened before.
    say     : events for the log, as (level, text).
    chance  : a number from 0 to 1, for waits that are not in step with others.
    networks: where connections may go; None is anywhere.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str,
        hear: Callable[[Hint], None],
        awake: Callable[[], None],
        say: Callable[[str, str], None],
        chance: Callable[[], float],
        connect_s: float = 5.0,
        networks: Networks | None = None,
    ) -> None:
        self.base_url = checked_url(base_url)
        super().__init__(name=f"push-{self.base_url}", daemon=True)
        self._api_key, self._connect_s, self._networks = api_key, connect_s, networks
        self._hear, self._awake, self._say, self._chance = hear, awake, say, chance
        self._closed = threading.Event()
        self._silent = True
        self.listening = threading.Event()
        """Set while hints come."""

    def close(self) -> None:
        """End soon; the thread may still read until the next heartbeat, and is a daemon."""
        self._closed.set()

    def run(self) -> None:
        """Listen, and after a failure listen again, a little later each time."""
        failures = 0
        while not self._closed.is_set():
            why = "it hung up"
            try:
                for hint in self._hints():
                    self._hear(hint)
            except PrinterError as exc:
                why = str(exc)
            except Exception as exc:  # a mistake here must cost hints and nothing else
                why = f"{type(exc).__name__}: {exc}"
            # A line that was quiet for long ends, and the next one is made at once.
            failures = 0 if self.listening.is_set() else failures + 1
            self.listening.clear()
            if failures == 1:
                self._silent = True
                self._say("info", f"no hints from OctoPrint, only looking: {why}")
            pause_s = min(MOST_AGAIN_S, FIRST_AGAIN_S * 2.0 ** min(failures, 10))
            self._closed.wait(pause_s * (0.5 + self._chance() / 2))

    def _hints(self) -> Iterator[Hint]:
        """The hints of one session, until its line ends. Raises PrinterError."""
        with requests.Session() as http:
            http.trust_env = False
            http.headers.update(
                {
                    "User-Agent": "designhub-agent",
                    "Accept-Encoding": "identity",
                    "Connection": "close",  # one kept from the last call may be dead
                }
            )
            http.mount(self.base_url, Way(watched(), networks=self._networks))
            who = self._login(http)
            session = f"/sockjs/{secrets.randbelow(1000):03}/{secrets.token_hex(8)}"
            for frame in self._frames(http, session):
                if frame == "o":
                    self._send(http, session, {"subscribe": SUBSCRIPTION})
                    self._send(http, session, {"auth": who})
                elif frame.startswith("a"):
                    for message in messages(frame):
                        if "reauthRequired" in message:
                            return  # log in anew
                        if not self.listening.is_set() and "connected" in message:
                            self.listening.set()
                            if self._silent:
                                self._silent = False
                                self._say("info", "OctoPrint gives hints")
                            self._awake()
                        if (hint := hint_from(message)) is not None:
                            yield hint
                elif frame.startswith("c"):
                    return
                if self._closed.is_set():
                    return

    def _login(self, http: requests.Session) -> str:
        """`name:session` of our key: a passive login changes nothing for anybody."""
        key, url = {"X-Api-Key": self._api_key}, "/api/login"
        with self._called(
            http, url, read_s=ANSWER_S, json={"passive": True}, headers=key
        ) as answer:
            content = bounded(answer, limit_s=ANSWER_S)
        try:
            said = json.loads(content)
            name, session = str(said["name"]), str(said["session"])
        except (ValueError, KeyError, TypeError, RecursionError):
            # Nothing of the answer may get into a message: it holds the key.
            raise PrinterBooting(f"push: {self.base_url}: no session in the login") from None
        return f"{name}:{session}"

    def _send(self, http: requests.Session, session: str, message: Mapping[str, Any]) -> None:
        text = json.dumps([json.dumps(dict(message))])
        self._post(http, f"{session}/xhr_send", data=text, headers={"Content-Type": "text/plain"})

    def _post(self, http: requests.Session, url: str, **more: Any) -> None:
        with self._called(http, url, read_s=ANSWER_S, **more) as answer:
            bounded(answer, limit_s=ANSWER_S)

    def _frames(self, http: requests.Session, session: str) -> Iterator[str]:
        """Frame by frame. The server ends an answer after 128 KiB: the session goes on with the
        next one."""
        while True:
            heard = False
            with self._called(http, f"{session}/xhr_streaming", read_s=QUIET_S) as answer:
                for line in lines(answer):
                    if self._closed.is_set():
                        return
                    if line and not line.startswith("h"):
                        heard = True
                        yield line
            if not heard:  # else we would ask again and again
                raise PrinterSilent(f"{self.base_url}{session}: an empty line of hints")

    @contextmanager
    def _called(
        self, http: requests.Session, url: str, *, read_s: float, **more: Any
    ) -> Iterator[requests.Response]:
        """One POST whose answer may be read while it comes. Raises PrinterError."""
        where = f"push: POST {self.base_url}{url}"
        limits_s = (self._connect_s, read_s)
        try:
            with http.post(
                f"{self.base_url}{url}",
                timeout=limits_s,
                allow_redirects=False,
                stream=True,
                **more,
            ) as answer:
                if not 200 <= answer.status_code < 300:
                    raise meaning("push", answer.status_code)(f"{where}: {answer.status_code}")
                yield answer
        except (requests.RequestException, urllib3.exceptions.HTTPError) as exc:
            raise cause_of(exc, reading=True)(f"{where}: {type(exc).__name__}") from exc


class Reasons:
    """The words for the newest failures, by path; a few of them."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def hear(self, hint: Hint) -> None:
        """Remember a reason; a print that begins has none yet."""
        if hint.kind == "PrintStarted":
            self._known.pop(hint.path, None)
        elif hint.reason and hint.path:
            self._known[hint.path] = hint.reason
            while len(self._known) > MOST_REASONS:
                self._known.popitem(last=False)

    def of(self, path: str) -> str:
        """Why the print of `path` failed, as far as OctoPrint said; else ""."""
        return self._known.get(path, "")


def lines(answer: requests.Response) -> Iterator[str]:
    """The lines of an answer as they come, none longer than `FRAME_BYTES`. Raises PrinterSilent."""
    rest = b""
    while piece := answer.raw.read1(FRAME_BYTES):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
        if len(rest) > FRAME_BYTES:
            raise PrinterSilent(f"{answer.url}: a frame of over {FRAME_BYTES} bytes")


def messages(frame: str) -> list[Mapping[str, Any]]:
    """The messages of an `a` frame; none of one that is not understood."""
    try:
        found = json.loads(frame[1:])
    except (ValueError, RecursionError):
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def hint_from(message: Mapping[str, Any]) -> Hint | None:
    """The hint in a message, if there is one."""
    event = message.get("event")
    if not isinstance(event, dict) or event.get("type") not in EVENTS:
        return None
    payload = event.get("payload")
    said = payload if isinstance(payload, dict) else {}
    path = said.get("path")
    local = isinstance(path, str) and said.get("origin", "local") == "local"
    kind = str(event["type"])
    reason = _reason(said) if kind == "PrintFailed" else ""
    by_person = kind == "PrintPaused" and bool(said.get("user"))
    where = str(path)[:MOST_WORDS] if local else ""
    return Hint(kind=kind, path=where, reason=reason, by_person=by_person)


def _reason(said: Mapping[str, Any]) -> str:
    if said.get("reason") == "cancelled":
        return "cancelled at the printer, or by its own board"
    words = " ".join(str(said.get("error") or "").split())
    clean = "".join(sign for sign in words if sign.isprintable())[:MOST_WORDS]
    return f"the printer's error: {clean}" if clean else "an error that OctoPrint does not name"
