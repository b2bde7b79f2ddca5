"""Idle agents, answered before Flask.

Most of what a hub hears are agents that ask for work while there is none. Nothing of Flask, of the
session or of a transaction is needed to say so: one prepared statement, by the token, tells all
that decides, and its answer is kept for the same question of the same agent. Whatever is not
plainly that case goes on to the view as if it had not been read here, so there is one place that
leases, refuses and explains.

What is kept is true within `LOOK_S`: a thread looks which printers have work waiting, which
changed hands, and whose bed or offer changed. An answer about such a printer is looked up anew, and
so is every one while the thread does not look.
"""

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from uuid import UUID

from basis import clock
from basis.errors import Invalid
from basis.prepared import Prepared
from designhub.seen import SEEN_EVERY_S, Seen
from printers import protocol, registry
from router import waiting
from router.stirring import Stirring

PATH = "/api/v1/agents/me/ask"
MOST_BYTES = 65_536
"""Of a question answered here: several hundred printers."""

MOST_KEPT = 200_000
"""Answers kept, one for each agent; above it all are forgotten."""

KEPT_S = 600.0
"""How long an answer is kept at most."""

BEARER = f"Bearer {protocol.AGENT_TOKEN}"

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]

log = logging.getLogger(__name__)


def again_s(poll_s: int) -> float:
    """When an idle agent shall ask again; spread, so that no two keep in step."""
    return round(poll_s * (0.9 + random.random() / 5), 2)  # noqa: S311 - spreads the load


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What one agent asked last, and why it gets nothing."""

    body: bytes
    """The sha256 of its question."""
    agent: UUID
    texts: dict[UUID, str]
    as_of: int
    """The last look finished before it was looked up."""
    until_s: float
    written_s: float
    """When its sign of life was last written down, or is about to be."""
    waits: bool
    why_not: bytes


@dataclass(slots=True)
class _Asked:
    """A question that may be answered here."""

    token: str
    body: bytes
    key: bytes = field(init=False)
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.key = hashlib.sha256(self.token.encode()).digest()
        self.digest = hashlib.sha256(self.body).digest()


class IdleDesk:
    """WSGI in front of `application`.

    glances  : `router.waiting.BY_TOKEN` on the hub's database.
    may_hold : whether a question could be held open now, which is the view's affair.
    headers  : what every answer of the hub carries.
    """

    def __init__(
        self,
        application: Application,
        *,
        glances: Prepared,
        stirring: Stirring,
        seen: Seen,
        poll_s: int,
        may_hold: Callable[[], bool],
        headers: Iterable[tuple[str, str]],
    ) -> None:
        self._application, self._may_hold = application, may_hold
        self._glances, self._stirring, self._seen = glances, stirring, seen
        self._poll_s = poll_s
        self._headers = [("Content-Type", "application/json"), *headers]
        self._kept: dict[bytes, _Kept] = {}
        self.answered = self.looked_up = 0
        """How many questions were answered here, and for how many of them the database was asked;
        for tests and benches."""

    @property
    def remembered(self) -> int:
        """How many answers are kept; for tests."""
        return len(self._kept)

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Answer an idle agent, or hand the request on."""
        if environ["PATH_INFO"] == PATH and environ["REQUEST_METHOD"] == "POST":
            asked = _read(environ)
            answer = None if asked is None else self._answer(asked)
            if answer is not None:
                self.answered += 1
                length = ("Content-Length", str(len(answer)))
                start_response("200 OK", [*self._headers, length])
                return [answer]
        return self._application(environ, start_response)

    def _answer(self, asked: _Asked) -> bytes | None:
        """Say "no work now" as JSON; None when the view must decide."""
        now_s = time.monotonic()
        kept = self._kept.get(asked.key)
        if (
            kept is None
            or kept.body != asked.digest
            or now_s > kept.until_s
            or self._stirring.since(kept.texts, kept.as_of)
        ):
            kept = self._look_up(asked, now_s)
            if kept is None:
                return None
        if kept.waits and self._may_hold():
            return None
        if now_s - kept.written_s > SEEN_EVERY_S:
            kept.written_s = now_s
            self._seen.note(kept.agent, kept.texts)
        return b'{"work": [], "again_s": %.2f, "why_not": %b}' % (
            again_s(self._poll_s),
            kept.why_not,
        )

    def _look_up(self, asked: _Asked, now_s: float) -> _Kept | None:
        """Ask the database; None when the view must decide. Kept where that can be relied on."""
        try:
            said = protocol.Question.from_json(json.loads(asked.body))
        except (ValueError, RecursionError, Invalid):
            return None
        if said != protocol.Question(printers=said.printers, wait_s=said.wait_s):
            return None
        as_of = self._stirring.looks
        self.looked_up += 1
        try:
            rows = self._glances(digest=registry.token_digest(asked.token))
        except Exception:  # any driver's own: the view asks again, and explains
            log.exception("an idle agent's question could not be looked up")
            return None
        known = {row[0]: waiting.Glance(*row[:-1]) for row in rows}
        if not known or not all(
            _nothing_new(each, known.get(each.printer)) for each in said.printers
        ):
            return None
        ready = [each.printer for each in said.printers if each.ready]
        seen = [known[each.printer].seen_at for each in said.printers]
        ages_s = [(clock.now() - at).total_seconds() for at in seen if at is not None]
        kept = _Kept(
            body=asked.digest,
            agent=rows[0][-1],
            # No more of it than is kept of a printer: an agent may say a long text, and often.
            texts={each.printer: each.text[:60] for each in said.printers},
            as_of=as_of,
            until_s=now_s + KEPT_S,
            written_s=now_s - max(0.0, *ages_s, 0.0),
            waits=bool(ready) and said.wait_s > 0,
            why_not=json.dumps({str(each): known[each].reason for each in ready}).encode(),
        )
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[asked.key] = kept
        return kept


def _read(environ: dict[str, Any]) -> _Asked | None:
    """The question, if it has the common form; the request can still be read by others."""
    bearer, length = environ.get("HTTP_AUTHORIZATION", ""), environ.get("CONTENT_LENGTH", "")
    if not bearer.startswith(BEARER) or not length.isdecimal() or int(length) > MOST_BYTES:
        return None
    if environ.get("CONTENT_TYPE") != "application/json":
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(body)
    return _Asked(bearer[len("Bearer ") :], body)


def _nothing_new(state: protocol.PrinterState, known: waiting.Glance | None) -> bool:
    """Whether the hub knows all that an agent says of a printer, and has no work for it."""
    if known is None or known.seen_at is None or known.machine_state != state.text[:60]:
        return False
    if state != protocol.PrinterState(printer=state.printer, ready=state.ready, text=state.text):
        return False
    return not (state.ready and known.worth)
