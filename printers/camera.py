"""The photo of a bed at the end of a run: taken and brought to the hub beside everything else.

Nothing waits for it, nothing depends on it, and it is tried a few times only. The picture comes
from the address that the agent's settings name, or from the one that OctoPrint takes its own
snapshots from, which must be on OctoPrint's machine.
"""

import ipaddress
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit
from uuid import UUID

import requests
import urllib3.exceptions

from basis.errors import HubError
from printers.hub import HubClient, HubFailed, HubRefused, TokenRefused, backoff_s
from printers.networks import Networks, OutsideNetworks
from printers.octoprint_http import Link, PrinterRefused
from printers.ways import way_within

NEVER = "none"
"""In place of an address: no photos of this printer."""

MOST_BYTES = 8_000_000
LOOKS, LOOK_AGAIN_S = 3, 2.0
TRIES, MOST_WAIT_S = 8, 120.0
"""How often the hub is told, and how long at most between two times."""

CONNECT_S, READ_S = 5.0, 10.0
PIECE_BYTES = 64 * 1024
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"RIFF")


class NoPhoto(HubError):
    """There is no picture to be had; the message says why."""

    code = "no_photo"


class Camera:
    """What looks at one printer's bed.

    snapshot : the picture's address; "" is the one that OctoPrint uses, `NEVER` is none.
    networks : where connections may go; None is anywhere.
    hub      : makes a client for the thread that brings the photo.
    say      : events for the log, as (level, text).
    """

    def __init__(
        self,
        octoprint_url: str,
        *,
        api_key: str,
        snapshot: str,
        hub: Callable[[], HubClient],
        say: Callable[[str, str], None],
        stop: threading.Event,
        chance: Callable[[], float],
        networks: Networks | None = None,
    ) -> None:
        self._octoprint_url, self._api_key, self._snapshot = octoprint_url, api_key, snapshot
        self._hub, self._say, self._stop, self._chance = hub, say, stop, chance
        self._networks, self._said = networks, ""

    def after(self, run: UUID) -> None:
        """A run ended: take its photo, in a thread of its own."""
        if self._snapshot != NEVER:
            threading.Thread(
                target=self._bring, args=(run,), name=f"photo-{run}", daemon=True
            ).start()

    def _bring(self, run: UUID) -> None:
        try:
            self._told(run, self._taken())
        except HubError as exc:
            self._once(f"no photo: {exc}")
        except Exception as exc:  # a mistake of ours must cost no more than a photo
            self._once(f"no photo: {type(exc).__name__}: {exc}")

    def _once(self, text: str) -> None:
        """What stands in the way is the same after every run: it is said once."""
        if text != self._said:
            self._said = text
            self._say("warning", text)

    def _taken(self) -> bytes:
        url = self._address()
        for look in range(1, LOOKS + 1):
            try:
                return snapped(url, networks=self._networks)
            except NoPhoto:
                if look == LOOKS or self._stop.wait(LOOK_AGAIN_S):
                    raise
        raise AssertionError  # the last look returns or raises

    def _address(self) -> str:
        if self._snapshot:
            return self._snapshot
        link = Link(
            self._octoprint_url,
            api_key=self._api_key,
            connect_s=CONNECT_S,
            read_s=READ_S,
            adapter=way_within(self._networks),
        )
        try:
            named = link.read("settings", "/api/settings", _named)
        except OutsideNetworks:
            raise
        except PrinterRefused as exc:
            raise NoPhoto(
                "the key may not read OctoPrint's settings, where the camera stands: allow it"
                " SETTINGS_READ, or name the camera with snapshot in the agent's settings"
            ) from exc
        return address_of(named, octoprint_url=self._octoprint_url)

    def _told(self, run: UUID, picture: bytes) -> None:
        hub = self._hub()
        try:
            for failures in range(1, TRIES + 1):
                try:
                    hub.photo(run, picture)
                    return
                except (HubRefused, TokenRefused):
                    raise
                except HubFailed:
                    wait_s = backoff_s(failures + 2, chance=self._chance, most_s=MOST_WAIT_S)
                    if failures == TRIES or self._stop.wait(wait_s):
                        raise
        finally:
            hub.close()


def address_of(named: str, *, octoprint_url: str) -> str:
    """Where the picture is that OctoPrint's settings name, as this machine reaches it.

    Raises NoPhoto when there is none, or when it is on a third machine: whoever may change
    OctoPrint's settings must not send this agent anywhere in its network.
    """
    if not named.strip():
        raise NoPhoto("OctoPrint's settings name no camera for snapshots")
    try:
        parts, there = urlsplit(urljoin(octoprint_url, named.strip())), urlsplit(octoprint_url)
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        raise NoPhoto(f"OctoPrint names a camera at {named[:200]!r}, which is no address") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise NoPhoto(f"OctoPrint names a camera at {named[:200]!r}, which is no web address")
    if host != there.hostname and not _loopback(host):
        raise NoPhoto(
            f"OctoPrint's camera is on another machine, {host}: name it with snapshot in the"
            " agent's settings if it is yours"
        )
    # Its loopback is its own machine, not ours.
    reached = there.hostname or ""
    reached = f"[{reached}]" if ":" in reached else reached
    user = parts.netloc.rpartition("@")[0]
    netloc = (f"{user}@" if user else "") + reached + (f":{port}" if port is not None else "")
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))


def snapped(url: str, *, limit_s: float = READ_S, networks: Networks | None = None) -> bytes:
    """The picture behind an address. Raises NoPhoto."""
    where = urlsplit(url).hostname
    try:
        with requests.Session() as http:
            http.trust_env = False  # a proxy has no business between agent and printer
            if (way := way_within(networks)) is not None:
                http.mount("http://", way)
                http.mount("https://", way)
            answer = http.get(url, timeout=(CONNECT_S, limit_s), allow_redirects=False, stream=True)
            with answer:
                if answer.status_code != 200:
                    raise NoPhoto(f"the camera at {where} answers {answer.status_code}")
                content = _bounded(answer, until_s=time.monotonic() + limit_s)
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as exc:
        raise NoPhoto(f"the camera at {where} does not answer: {type(exc).__name__}") from exc
    if not content.startswith(BEGINNINGS):
        raise NoPhoto(f"what the camera at {where} gives is no JPEG, PNG or WebP")
    return content


def _bounded(answer: requests.Response, *, until_s: float) -> bytes:
    content = bytearray()
    while piece := answer.raw.read1(PIECE_BYTES):
        content += piece
        if len(content) > MOST_BYTES or time.monotonic() > until_s:
            raise NoPhoto("the camera sends without end: is it the address of its stream?")
    return bytes(content)


def _named(settings: Mapping[str, Any]) -> str:
    camera = settings.get("webcam") or {}
    return str(camera.get("snapshotUrl") or "")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
