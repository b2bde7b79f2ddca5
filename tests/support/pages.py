"""Pages of a running hub, read and sent as a browser without script does."""

import re
from html import unescape

import requests

from tests.support.hub_process import PASSWORD

ANSWER_S = 30.0


class Pages:
    """One visitor, signed in, with cookies of their own."""

    def __init__(self, hub: str, name: str) -> None:
        self._hub, self._http = hub, requests.Session()
        self._http.trust_env = False
        self.send("/sign-in", at="/sign-in", name=name, password=PASSWORD)
        assert name in self.read("/")

    def read(self, path: str) -> str:
        """What stands there."""
        answer = self._http.get(self._hub + path, timeout=ANSWER_S)
        assert answer.ok, f"{path}: {answer.status_code}"
        return unescape(answer.text)

    def send(self, path: str, *, at: str, **fields: str) -> str:
        """Send a form that stands on the page `at`; the page that comes then."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.read(at))
        assert found is not None, f"no form on {at}"
        fields["csrf"] = found[1]
        answer = self._http.post(self._hub + path, data=fields, timeout=ANSWER_S)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text[-2_000:]}"
        return unescape(answer.text)
