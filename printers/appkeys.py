"""Ask the owner of an OctoPrint for a key of our own, instead of having one typed in.

The key acts as the user who grants it, with all that user's rights: ask owners to grant it from a
user that may only upload, select and print.

API: https://docs.octoprint.org/en/main/bundledplugins/appkeys.html
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from printers.networks import Networks
from printers.octoprint_http import Link, Missing, PrinterBooting, PrinterRefused
from printers.ways import way_within

POLL_S = 2.0  # OctoPrint drops a request that is not asked after for 5 s
NO_KEY = "none-yet"  # the calls of this file need none


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """A question that waits for the owner, who answers it in OctoPrint's own pages."""

    token: str
    where: str  # the page where the owner decides, "" when OctoPrint names none


class AppKeys:
    """The key desk of one OctoPrint server. Every method raises a PrinterError."""

    def __init__(
        self,
        base_url: str,
        *,
        connect_s: float = 3.0,
        read_s: float = 30.0,
        networks: Networks | None = None,
    ) -> None:
        """networks : where connections may go; None is anywhere."""
        self._link = Link(
            base_url,
            api_key=NO_KEY,
            connect_s=connect_s,
            read_s=read_s,
            adapter=way_within(networks),
        )

    def available(self) -> bool:
        """Whether this OctoPrint hands out keys; False also while it boots."""
        try:
            self._link.call("key desk", "GET", "/plugin/appkeys/probe")
        except PrinterBooting:
            return False
        return True

    def ask(self, app: str) -> KeyRequest:
        """Ask for a key under the name `app`, which the owner sees.

        PrinterBusy after three questions in a minute.
        """
        answer = self._link.call(
            "key request", "POST", "/plugin/appkeys/request", json={"app": app}
        )
        return self._link.understood("key request", answer, _request)

    def answer(self, request: KeyRequest) -> str | None:
        """The key, or None while the owner has not decided.

        The key is given exactly once: store it at once. PrinterRefused when the owner said no,
        the request expired, or the key was fetched before.
        """
        url = f"/plugin/appkeys/request/{request.token}"
        try:
            answer = self._link.call("key answer", "GET", url)
        except Missing as exc:
            raise PrinterRefused(f"no key: denied, expired or fetched before ({exc})") from exc
        return self._link.understood("key answer", answer, _key)

    def wait(
        self,
        request: KeyRequest,
        *,
        limit_s: float = 600.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> str:
        """Ask every two seconds until the owner decides; PrinterRefused after `limit_s`."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            key = self.answer(request)
            if key is not None:
                return key
            sleep(POLL_S)
        raise PrinterRefused(f"the owner did not answer within {limit_s:.0f} s: ask again")


def _request(data: Mapping[str, Any]) -> KeyRequest:
    token, where = data["app_token"], data.get("auth_dialog", "")
    if not isinstance(token, str) or not re.fullmatch(r"[\w-]{1,200}", token, re.ASCII):
        raise ValueError("no token in the answer")
    # Shown to a person as a link: nothing but a web address.
    fine = isinstance(where, str) and urlsplit(where).scheme in ("http", "https")
    return KeyRequest(token=token, where=where if fine else "")


def _key(data: Mapping[str, Any]) -> str | None:
    """The key in an answer of status 200; 202 comes without one."""
    key = data.get("api_key")
    return key if isinstance(key, str) and key else None
