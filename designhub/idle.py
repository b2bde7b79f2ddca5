"""Idle agents, answered before Flask.

Most of what a hub hears are agents that ask for work while there is none. Nothing of Flask, of the
session or of a transaction is needed to say so: one prepared statement, by the token, tells all
that decides, and its answer is kept for the same question of the same agent. Whatever is not
plainly that case goes on to the view as if it had not been read here, so there is one place that
leases, refuses and explains.

What is kept is true within `LOOK_S`: a thread looks which printers have work waiting, which
changed hands, and whose bed or offer changed. An answer about such a printer is forgotten, and
none is relied on while the thread does not look.
"""

import itertools
import json
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from io import BytesIO
from typing import Any
from uuid import UUID

from basis import clock
from basis.errors import Invalid
from basis.prepared import Prepared
from designhub.answers import Answers, Kept
from designhub.seen import SEEN_EVERY_S, Seen
from designhub.slots import Places
from printers import protocol, registry
from router import waiting
from router.stirring import Stirring

PATH = "/api/v1/agents/me/ask"
MOST_BYTES = 65_536
"""Of a question answered here: several hundred printers."""

KEPT_S = 600.0
"""How long an answer is kept at most."""

BEARER = f"Bearer {protocol.AGENT_TOKEN}"

HEADERS = (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"))
"""Of an answer to a program: what else the hub's answers carry is for browsers that show pages."""

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]

log = logging.getLogger(__name__)


def again_s(poll_s: int) -> float:
    """When an idle agent shall ask again; spread, so that no two keep in step."""
    return round(poll_s * (0.9 + random.random() / 5), 2)  # noqa: S311 - spreads the load


class IdleDesk:
    """WSGI in front of `application`.

    glances : `router.waiting.BY_TOKEN` on the hub's database.
    held    : places for questions that are held open; while one is free, that is the view's affair.
    """

    def __init__(
        self,
        application: Application,
        *,
        glances: Prepared,
        stirring: Stirring,
        seen: Seen,
        poll_s: int,
        held: Places,
    ) -> None:
        self._application, self._held = application, held
        self._glances, self._stirring, self._seen = glances, stirring, seen
        self._answers = Answers(stirring)
        # Many moments to ask again, written once: in turn they spread agents as chance would.
        self._no_work = itertools.cycle(
            b'{"work": [], "again_s": %.2f, "why_not": ' % again_s(poll_s) for _ in range(1_000)
        )
        self.answered = self.looked_up = 0
        """How many questions were answered here, and for how many of them the database was asked;
        for tests and benches."""

    @property
    def remembered(self) -> int:
        """How many answers are kept; for tests."""
        return len(self._answers)

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Answer an idle agent, or hand the request on."""
        if environ["PATH_INFO"] == PATH and environ["REQUEST_METHOD"] == "POST":
            bearer, length = environ.get("HTTP_AUTHORIZATION", ""), _length(environ)
            if length is not None and bearer.startswith(BEARER) and bearer.isascii():
                body: bytes = environ["wsgi.input"].read(length)
                answer = self._answer(bearer.encode(), body)
                if answer is not None:
                    self.answered += 1
                    start_response("200 OK", [*HEADERS, ("Content-Length", str(len(answer)))])
                    return [answer]
                environ["wsgi.input"] = BytesIO(body)
        return self._application(environ, start_response)

    def _answer(self, bearer: bytes, body: bytes) -> bytes | None:
        """Say "no work now" as JSON; None when the view must decide."""
        now_s = time.monotonic()
        # A header holds no line break: no other token and question come to the same bytes.
        question = sha256(bearer + b"\n" + body).digest()
        kept = self._answers.get(question)
        if kept is None or now_s > kept.until_s or not self._stirring.looking(now_s):
            kept = self._look_up(question, bearer[len("Bearer ") :].decode(), body, now_s)
            if kept is None:
                return None
        if kept.waits and self._held.free:
            return None
        if now_s > kept.due_s:
            kept.due_s = now_s + SEEN_EVERY_S
            self._seen.note(kept.agent, kept.texts)
        return next(self._no_work) + kept.why_not

    def _look_up(self, question: bytes, token: str, body: bytes, now_s: float) -> Kept | None:
        """Ask the database; None when the view must decide. Kept where that can be relied on."""
        try:
            said = protocol.Question.from_json(json.loads(body))
        except (ValueError, RecursionError, Invalid):
            return None
        look = self._stirring.looks
        self.looked_up += 1
        try:
            rows = self._glances(digest=registry.token_digest(token))
        except Exception:  # any driver's own: the view asks again, and explains
            log.exception("an idle agent's question could not be looked up")
            return None
        known = {row[0]: waiting.Glance(*row[:-1]) for row in rows}
        if not known or not _nothing_new(said, known):
            # The view may write down what it says: what was told before is no longer told.
            self._answers.forget(each.printer for each in said.printers if each.printer in known)
            return None
        ready = [each.printer for each in said.printers if each.ready]
        seen = [known[each.printer].seen_at for each in said.printers]
        ages_s = [(clock.now() - at).total_seconds() for at in seen if at is not None]
        why_not = json.dumps({str(each): known[each].reason for each in ready})
        kept = Kept(
            agent=rows[0][-1],
            # No more of it than is kept of a printer: an agent may say a long text, and often.
            texts={each.printer: each.text[:60] for each in said.printers},
            until_s=now_s + KEPT_S,
            due_s=now_s + SEEN_EVERY_S - max(0.0, *ages_s, 0.0),
            waits=bool(ready) and said.wait_s > 0,
            why_not=why_not.encode() + b"}",
        )
        if kept.texts:  # of an agent that names no printer nothing stirs when it is revoked
            self._answers.keep(question, kept, look=look)
        return kept


def _length(environ: dict[str, Any]) -> int | None:
    """The bytes of a question that has the common form."""
    length: str = environ.get("CONTENT_LENGTH", "")
    if environ.get("CONTENT_TYPE") != "application/json" or not length.isdecimal():
        return None
    return count if (count := int(length)) <= MOST_BYTES else None


def _nothing_new(said: protocol.Question, known: Mapping[UUID, waiting.Glance]) -> bool:
    """Whether the hub knows all that an agent says, and has no work for it."""
    if said != protocol.Question(printers=said.printers, wait_s=said.wait_s):
        return False
    return all(_same(each, known.get(each.printer)) for each in said.printers)


def _same(state: protocol.PrinterState, known: waiting.Glance | None) -> bool:
    """The same of one printer."""
    if known is None or known.seen_at is None or known.machine_state != state.text[:60]:
        return False
    if state != protocol.PrinterState(printer=state.printer, ready=state.ready, text=state.text):
        return False
    return not (state.ready and known.worth)
