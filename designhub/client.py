"""Speak to a hub over its JSON API, as the commands do.

HubError
├── HubAway       nothing was answered: the address is wrong, or the hub is not running
└── HubSays       the hub answered no; its own words, its code and HTTP status

Nothing is sent twice: whoever calls knows what may be repeated.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from basis.errors import HubError, Invalid, Unavailable
from basis.messages import Message

CONNECT_S, READ_S = 5.0, 60.0
MOST_ANSWER_BYTES = 32 << 20
MOST_LINE_BYTES = 1 << 20

Kind = TypeVar("Kind", bound=Message)


class HubAway(Unavailable):
    """There was no answer that a hub gives."""

    code = "hub_away"


class HubSays(HubError):
    """The hub answered with a failure; the message is the hub's own."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Bearer(AuthBase):
    """Set as `auth`, so that a .netrc of this machine's user cannot replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class HubApi:
    """One hub, spoken to as one account, or as a stranger."""

    def __init__(
        self, url: str, *, token: str = "", password: tuple[str, str] | None = None
    ) -> None:
        """token : of an account; password : its name and password instead.

        Raises Invalid when `url` is no web address.
        """
        self.url = url.strip().rstrip("/")
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise Invalid(f"{url!r} is no hub's address; one looks like http://127.0.0.1:8080")
        if not token.isascii() or any(letter.isspace() for letter in token):
            raise Invalid("the token holds blanks or other letters than a token has: copy it again")
        self._http = requests.Session()
        self._http.auth = HTTPBasicAuth(*password) if password else _Bearer(token)

    def ask(
        self,
        gives: type[Kind],
        method: str,
        path: str,
        said: Message | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
    ) -> Kind:
        """One call of `/api/v1<path>`, its answer read strictly as `gives`.

        Raises HubSays when the hub says no, HubAway when nothing that is a hub answers.
        """
        body = said.to_json() if said is not None else None
        with self._answer(method, f"/api/v1{path}", said=body, query=query) as answer:
            where = f"{method} {self.url}/api/v1{path}"
            try:
                return gives.from_json(_whole(answer, where))
            except Invalid as exc:
                raise HubAway(f"{where}: not the answer of a hub of this release: {exc}") from exc

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of a long answer, with their newlines, none held longer than needed."""
        with self._answer("GET", path) as answer:
            waiting = b""
            try:
                for piece in answer.iter_content(1 << 16):
                    *whole, waiting = (waiting + piece).split(b"\n")
                    for line in whole:
                        yield line + b"\n"
                    if len(waiting) > MOST_LINE_BYTES:
                        break
            except requests.RequestException as exc:
                raise HubAway(f"{self.url}{path} broke off: {exc}") from exc
            if waiting:
                yield waiting

    @contextmanager
    def _answer(
        self, method: str, path: str, *, said: Any = None, query: Any = None
    ) -> Iterator[requests.Response]:
        try:
            answer = self._http.request(
                method,
                self.url + path,
                json=said,
                params=query,
                timeout=(CONNECT_S, READ_S),
                allow_redirects=False,  # a POST would arrive as a GET
                stream=True,
                headers={"Accept": "application/json"},
            )
        except requests.Timeout as exc:
            raise HubAway(f"the hub at {self.url} did not answer in {READ_S:.0f} s") from exc
        except requests.RequestException as exc:
            raise HubAway(
                f"no hub answers at {self.url} ({_cause(exc)}): is the address right (--hub,"
                " DESIGNHUB_URL), and does `designhub serve` run there?"
            ) from exc
        with answer:
            if answer.is_redirect:
                raise HubAway(f"{self.url} sends us on to {answer.headers['Location']}: use that")
            if not answer.ok:
                raise _refusal(answer, f"{method} {self.url}{path}")
            yield answer


def part_of_path(text: str) -> str:
    """Text as one part of a path."""
    return quote(text, safe="")


def design_path(design: str) -> str:
    """`owner/name` as a path. Raises Invalid for another form."""
    owner, slash, name = design.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise Invalid(f"{design!r} names no design: say owner/name")
    return f"/designs/{part_of_path(owner)}/{part_of_path(name)}"


def _whole(answer: requests.Response, where: str) -> Any:
    data = b""
    try:
        for piece in answer.iter_content(1 << 16):
            data += piece
            if len(data) > MOST_ANSWER_BYTES:
                raise HubAway(f"{where}: the answer is over {MOST_ANSWER_BYTES >> 20} MB")
    except requests.RequestException as exc:
        raise HubAway(f"{where} broke off: {exc}") from exc
    try:
        return json.loads(data or b"{}")
    except ValueError as exc:
        raise HubAway(f"{where}: this is no hub: it answers {data[:60]!r}") from exc


def _refusal(answer: requests.Response, where: str) -> HubError:
    """The hub's own words, when it was a hub that answered."""
    try:
        said = _whole(answer, where)
        return HubSays(str(said["detail"]), status=answer.status_code, code=str(said["title"]))
    except (HubAway, KeyError, TypeError):
        return HubAway(f"{where}: this is no hub: it answers {answer.status_code}")


def _cause(error: BaseException) -> str:
    """The innermost reason: what the system said, not how the libraries wrapped it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or str(error)[:200]
