"""Speak to the hub. Every call may be repeated with the same message; the caller decides when.

HubFailed
├── HubUnreachable   nothing was sent: try again later
├── HubSilent        sent, but the hub itself did not answer: say the same again, after `again_s`
├── TokenRefused     the hub does not know this token: the operator must give another
└── HubRefused       it will say the same again: repeating is of no use

`protocol.StaleFence` is raised as it is. Only problem+json counts as the hub's own refusal: a proxy
in front of a hub that is being restarted says 404 too, and no run may be given up for that.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import requests
import urllib3.exceptions

from basis.errors import HubError, Invalid
from basis.messages import Message
from printers.journal import sync_folder
from printers.octoprint_http import PrinterSilent, bounded, cause_of, excerpt, words_of
from printers.protocol import (
    Answer,
    Beat,
    BeatAnswer,
    EnrolAsk,
    Enrolled,
    Hello,
    Permit,
    PermitAsk,
    Question,
    Report,
    Reported,
    StaleFence,
    Welcome,
)

MOST_GCODE_BYTES = 256_000_000
PIECE_BYTES = 64 * 1024
MOST_AGAIN_S = 3_600.0


class HubFailed(HubError):
    """The hub, or the way to it, did not do what was asked."""

    code = "hub"


class HubUnreachable(HubFailed):
    """No connection: nothing was sent, so nothing happened. Try again later."""

    code = "hub_unreachable"


class HubSilent(HubFailed):
    """Sent, but not answered by the hub itself: say the same again."""

    code = "hub_silent"

    def __init__(self, message: str, *, again_s: float = 0.0) -> None:
        super().__init__(message)
        self.again_s = again_s


class TokenRefused(HubFailed):
    """The hub does not accept this token. Asking again helps once the operator has changed it."""

    code = "token_refused"


class HubRefused(HubFailed):
    """The hub understood and will say the same again. `refusal` is its stable word for why."""

    code = "hub_refused"

    def __init__(self, message: str, *, refusal: str, status: int, detail: str = "") -> None:
        super().__init__(message)
        self.refusal, self.status = refusal, status
        self.detail = detail or message
        """The hub's own sentence, for a person who did not ask for the rest."""


class WrongFile(HubFailed):
    """What arrived is not the file that the lease names; what was kept of it is deleted."""

    code = "wrong_file"


M = TypeVar("M", bound=Message)


class HubClient:
    """One hub, with one token. Not for two threads at a time.

    connect_s : limit of the connection, and of any stall while sending or downloading.
    read_s    : limit of an answer; a held question may take its own `wait_s` longer.
    ca_file   : certificates to trust instead of the public ones, for a hub on one's own network.
    proxy     : an HTTP proxy on the way to the hub.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str,
        connect_s: float = 10.0,
        read_s: float = 30.0,
        ca_file: str = "",
        proxy: str = "",
    ) -> None:
        self.base_url = checked_hub_url(base_url)
        if not re.fullmatch(r"[!-~]+", token):
            raise Invalid("the agent's token is printable ASCII without spaces; copy it again")
        self._limits_s = (connect_s, read_s)
        self._http = requests.Session()
        # A forgotten ~/.netrc would replace our token without a word.
        self._http.trust_env = False
        self._http.verify = ca_file or True
        if proxy:
            self._http.proxies = {"http": proxy, "https": proxy}
        self._http.headers.update(
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # so the limit of an answer is one of its bytes
                "User-Agent": "designhub-agent",
            }
        )

    def close(self) -> None:
        """Let the connections go; harmless to repeat."""
        self._http.close()

    def enrol(self, ask: EnrolAsk) -> Enrolled:
        """Turn a code into the right to speak for printers. The same code and token may be said
        again; HubRefused when the code is wrong, over or another's."""
        return self._post("/agents/enrol", ask, Enrolled)

    def hello(self, hello: Hello) -> Welcome:
        """Say who we are; hear which printers we speak for."""
        return self._post("/agents/me/hello", hello, Welcome)

    def ask(self, question: Question) -> Answer:
        """Ask for work. A lease whose answer was lost comes again with the next question."""
        return self._post("/agents/me/ask", question, Answer, longer_s=question.wait_s)

    def permit(self, run: UUID, ask: PermitAsk) -> Permit:
        """Ask to start. The answer is good for `good_s` from the moment this was called."""
        permit = self._post(f"/runs/{run}/permit", ask, Permit)
        if (permit.run, permit.fence) != (run, ask.fence):
            raise HubSilent(f"permit for run {run}: the answer is for another run: {permit}")
        return permit

    def beat(self, run: UUID, beat: Beat) -> BeatAnswer:
        """Give a sign of life; hear whether to go on."""
        return self._post(f"/runs/{run}/beat", beat, BeatAnswer)

    def report(self, run: UUID, report: Report) -> Reported:
        """Say what became of a run."""
        return self._post(f"/runs/{run}/report", report, Reported)

    def photo(self, run: UUID, picture: bytes) -> None:
        """Bring the photo of the bed at the end of a run; saying it again is harmless."""
        url = f"/runs/{run}/photo"
        headers = {"Content-Type": "image/jpeg"}
        where = f"POST {self.base_url}/api/v1{url}"
        sent = self._sent("POST", url, limits_s=self._limits_s, data=picture, headers=headers)
        with sent as answer:
            content = _content(answer, self._limits_s[1])
        if not 200 <= answer.status_code < 300:
            self._refuse(where, answer, content)

    def fetch(
        self,
        run: UUID,
        to: Path,
        *,
        size_bytes: int,
        sha256: str,
        most_bytes: int = MOST_GCODE_BYTES,
        limit_s: float = 3_600.0,
    ) -> None:
        """Have the run's G-code as the file `to`, complete, verified and on disk.

        What an earlier call got before it was cut off is kept beside `to` and not asked for again,
        unless the whole then proves to be another file.

        Raises WrongFile for other content or size, OSError when this disk is full, and as above.
        """
        if not 0 < size_bytes <= most_bytes:
            raise WrongFile(f"run {run}: {size_bytes} bytes; this agent takes up to {most_bytes}")
        part = to.with_suffix(".part")
        have = part.stat().st_size if part.exists() else 0
        if have > size_bytes:
            part.unlink()
            have = 0
        kept = have > 0
        if have < size_bytes:
            self._download(f"/runs/{run}/gcode", part, have, size_bytes, time.monotonic() + limit_s)
        with part.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
            if found == sha256:
                os.fsync(content.fileno())
        if found != sha256:
            part.unlink()
            if kept:  # a power cut may have damaged it: once more, from the beginning
                self.fetch(
                    run,
                    to,
                    size_bytes=size_bytes,
                    sha256=sha256,
                    most_bytes=most_bytes,
                    limit_s=limit_s,
                )
                return
            raise WrongFile(f"run {run}: the file's sha256 is {found}, the lease says {sha256}")
        part.replace(to)
        sync_folder(to.parent)

    def _download(self, url: str, part: Path, have: int, size_bytes: int, until_s: float) -> None:
        headers = {"Accept": "*/*"} | ({"Range": f"bytes={have}-"} if have else {})
        where = f"GET {self.base_url}/api/v1{url}"
        with self._sent("GET", url, headers=headers, limits_s=self._limits_s) as answer:
            if answer.status_code == 206:
                expected = f"bytes {have}-{size_bytes - 1}/{size_bytes}"
                if answer.headers.get("Content-Range", "") != expected:
                    part.unlink(missing_ok=True)
                    raise HubSilent(f"{where}: another range than asked for")
            elif answer.status_code == 200:
                have = 0  # it does not know ranges: from the beginning
            else:
                if answer.status_code == 416:
                    part.unlink(missing_ok=True)
                self._refuse(where, answer, _content(answer, self._limits_s[1]))
            with part.open("r+b" if part.exists() else "w+b") as file:
                file.truncate(have)
                file.seek(have)
                while piece := _piece(answer):
                    have += len(piece)
                    if have > size_bytes:
                        file.truncate(0)
                        raise WrongFile(f"{where}: more than the {size_bytes} bytes of the lease")
                    file.write(piece)
                    if time.monotonic() > until_s:
                        raise HubSilent(f"{where}: took too long after {have} bytes")
        if have < size_bytes:
            raise HubSilent(f"{where}: cut off after {have} of {size_bytes} bytes")

    def _post(self, url: str, message: Message, kind: type[M], *, longer_s: float = 0.0) -> M:
        where = f"POST {self.base_url}/api/v1{url}"
        limits_s = (self._limits_s[0], self._limits_s[1] + longer_s)
        with self._sent("POST", url, json=message.to_json(), limits_s=limits_s) as answer:
            content = _content(answer, limits_s[1])
        if not 200 <= answer.status_code < 300:
            self._refuse(where, answer, content)
        try:
            return kind.from_json(json.loads(content))
        except (ValueError, Invalid, RecursionError) as exc:
            raise HubSilent(f"{where}: not the hub's answer: {excerpt(content)}") from exc

    def _sent(
        self, method: str, url: str, *, limits_s: tuple[float, float], **body: Any
    ) -> requests.Response:
        where = f"{method} {self.base_url}/api/v1{url}"
        try:
            return self._http.request(
                method,
                f"{self.base_url}/api/v1{url}",
                timeout=limits_s,
                allow_redirects=False,  # a redirected POST becomes a GET
                stream=True,
                **body,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as exc:
            raise _failure(exc)(f"{where}: {words_of(exc)}") from exc

    def _refuse(self, where: str, answer: requests.Response, content: bytes) -> None:
        """Raise what an answer without success means."""
        status = answer.status_code
        if 300 <= status < 400:
            target = answer.headers.get("Location", "")[:200]
            raise HubSilent(f"{where}: it moved to {target}: set the hub's address to that")
        problem = _problem(answer, content)
        code, detail = str(problem.get("title", "")), str(problem.get("detail", ""))[:500]
        said = f"{where}: {status} {code}: {detail}" if problem else f"{where}: {status}"
        again_s = _seconds(answer.headers.get("Retry-After", ""))
        if not problem or status >= 500 or status in (408, 425, 429):
            raise HubSilent(
                f"{said} {'' if problem else excerpt(content)}".strip(), again_s=again_s
            )
        if status == 401 or (status == 403 and code == "not_signed_in"):
            raise TokenRefused(f"{said}: the hub does not accept this agent's token")
        if code == StaleFence.code:
            raise StaleFence(said)
        raise HubRefused(said, refusal=code, status=status, detail=detail)


def checked_hub_url(base_url: str) -> str:
    """The hub's address without a closing slash. Raises Invalid unless it is http(s)://host…"""
    try:
        parts = urlsplit(base_url)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine or parts.username is not None or parts.query or parts.fragment:
        raise Invalid(f"{base_url[:200]!r}: the hub's address reads https://hub.example")
    return base_url.rstrip("/").removesuffix("/api/v1")


def backoff_s(failures: int, *, chance: Callable[[], float], most_s: float = 30.0) -> float:
    """How long to wait after so many failures in a row: doubling, and never in step with others.

    chance : a number from 0 to 1, e.g. `random.random`.
    """
    return min(most_s, 0.5 * 2.0 ** min(failures, 10)) * (0.5 + chance() / 2)


def _failure(exc: BaseException) -> Callable[[str], HubFailed]:
    """Whether anything left this machine; a wrong certificate or address means that nothing did."""
    return HubSilent if issubclass(cause_of(exc, reading=False), PrinterSilent) else HubUnreachable


def _content(answer: requests.Response, limit_s: float) -> bytes:
    try:
        return bounded(answer, limit_s=limit_s)
    except (requests.RequestException, urllib3.exceptions.HTTPError, PrinterSilent) as exc:
        raise HubSilent(f"{answer.url}: {words_of(exc)}") from exc


def _piece(answer: requests.Response) -> bytes:
    try:
        return bytes(answer.raw.read1(PIECE_BYTES))
    except (requests.RequestException, urllib3.exceptions.HTTPError) as exc:
        raise HubSilent(f"{answer.url}: {words_of(exc)}") from exc


def _problem(answer: requests.Response, content: bytes) -> Mapping[str, Any]:
    """The hub's own explanation; empty when somebody else answered."""
    if "application/problem+json" not in answer.headers.get("Content-Type", ""):
        return {}
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _seconds(text: str) -> float:
    return min(float(text), MOST_AGAIN_S) if re.fullmatch(r"\d{1,6}", text) else 0.0
