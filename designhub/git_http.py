"""git over HTTP: `/<owner>/<slug>.git`, carried to git's own `http-backend`.

What a client is told: 401 while it has not said who it is and may not do this as a stranger (git
asks for a password only then, and a stranger cannot tell a private design from none), 404 for a
design it may not see, 403 for one it may read but not push to.
"""

import logging
import re
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from flask import Blueprint, Request, Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import LengthRequired, MethodNotAllowed

from basis import clock
from basis.db import Database
from basis.errors import HubError, NotFound, NotSignedIn, NotYours, TooMany
from designhub.errors import status_of
from designhub.git_transfer import Transfer
from designhub.models import AccountRow
from designs import push, versions
from designs.models import DesignRow, Visibility
from designs.store import Store

log = logging.getLogger(__name__)

READ, PUSH = "git-upload-pack", "git-receive-pack"
PROBE = "4"
"""Content-Length of the empty push that git sends before a large one, to be asked for a password
before it has sent everything."""
MEMORY_BYTES = 1 << 30
"""Most private memory of each git process of a push: a small pack can unfold without end. A fetch
reads only what was checked when it came."""
PROTOCOL = re.compile(r"[a-z0-9=:._-]{1,100}")

NAMED = (
    select(DesignRow)
    .join(AccountRow, AccountRow.id == DesignRow.owner_id)
    .where(AccountRow.name == bindparam("owner"), DesignRow.slug == bindparam("slug"))
)  # made once: putting it together takes longer than asking it


@dataclass(frozen=True, slots=True)
class Greeting:
    """The answer to a client's first question."""

    headers: list[tuple[str, str]]
    body: bytes


class Caller(Protocol):
    """Somebody who said who they are."""

    @property
    def name(self) -> str:
        """Their account's name."""


Who = TypeVar("Who", bound=Caller)


@dataclass(frozen=True, kw_only=True)
class _Carrier(Generic[Who]):
    """What the addresses below share; see `git_blueprint`."""

    database: Database
    store: Store
    authenticate: Callable[[Request], Who | None]
    may_read: Callable[[Who | None, DesignRow], bool]
    may_push: Callable[[Who, DesignRow], bool]
    after_refs: Callable[[Session, int], None]
    after_push: Callable[[list[int]], None]
    timeout_s: float
    greetings: dict[str, Greeting] = field(default_factory=dict)

    def allowed(self, owner: str, slug: str, service: str) -> tuple[DesignRow, Who | None]:
        """The design and the caller, if this caller may do this to it."""
        caller = self.authenticate(request)
        design = _design(self.database, owner, slug)
        if design is not None and design.deleted_at is not None:
            if design.visibility is Visibility.PUBLIC:  # that it existed is no secret
                raise NotFound("this design was removed")
            design = None
        seen = design is not None and self.may_read(caller, design)
        if caller is None and (service == PUSH or not seen):
            raise NotSignedIn("sign in with your name and your password or a token")
        if design is None or not seen:
            raise NotFound("there is no such design, or none that you may see")
        if service == PUSH and (caller is None or not self.may_push(caller, design)):
            raise NotYours("you may read this design but not push to it")
        return design, caller

    def advertise(self, owner: str, slug: str, service: str) -> Response:
        """What is there to fetch, or to push on.

        Under protocol 2 a fetch begins with what git itself can do: nothing of the repository is in
        it, and all ours have one configuration, so git is asked once and not at every fetch.
        """
        design, caller = self.allowed(owner, slug, service)
        asked = request.headers.get("Git-Protocol", "")
        same_for_all = service == READ and asked == "version=2"
        if same_for_all and asked in self.greetings:
            greeting = self.greetings[asked]
            return Response(greeting.body, 200, greeting.headers)
        query = f"service={service}"
        running = self.start(design, caller, service, asks="info/refs", query=query)
        status, headers = running.head()
        if not same_for_all:
            return Response(running, status, headers, direct_passthrough=True)
        with closing(running):
            body = b"".join(running)
        if status == 200 and body.endswith(b"0000") and b"version 2\n" in body:
            self.greetings[asked] = Greeting(headers, body)
        return Response(body, status, headers)

    def carry(self, owner: str, slug: str, service: str) -> Response:
        """A fetch, a clone or a push."""
        design, caller = self.allowed(owner, slug, service)
        running = self.start(design, caller, service, asks=service)
        status, headers = running.head()
        return Response(running, status, headers, direct_passthrough=True)

    def start(
        self, design: DesignRow, caller: Who | None, service: str, *, asks: str, query: str = ""
    ) -> Transfer:
        """Git at work on this request."""
        place = self.store.create(design.id)  # if the hub died between the row and the repository
        environment = {
            **self.store.environment(),
            **_request_variables(request, query=query),
            "GIT_PROJECT_ROOT": str(self.store.folder),
            "PATH_INFO": f"/{place.name}/{asks}",
            "GIT_HTTP_EXPORT_ALL": "1",
            push.VARIABLE: self.store.limits.to_json(),
        }
        if caller is not None and service == PUSH:  # git takes pushes from nobody else
            environment["REMOTE_USER"] = caller.name
        brings = asks == PUSH and request.environ.get("CONTENT_LENGTH") != PROBE
        return Transfer(
            [*(_limited() if service == PUSH else ()), _backend()],
            environment=environment,
            body=request.environ["wsgi.input"] if request.method == "POST" else None,
            length=request.content_length,
            timeout_s=self.timeout_s,
            most_unread_bytes=self.store.limits.push_bytes,
            ended=self.receiving(design.id) if brings else lambda: None,
        )

    def receiving(self, design_id: int) -> Callable[[], None]:
        """Note that a push begins; the result reads its refs when it has ended, however it did."""
        hold = self.store.pushing(design_id)
        try:
            with self.database.writing() as session:
                versions.expect_refs(session, design_id=design_id)
        except BaseException:
            hold.close()
            raise

        def received() -> None:
            try:
                due = self.read_refs(design_id, done=hold.last())
                if due:
                    self.after_push(due)
            except Exception:
                # The push itself stands and git has said so; `refs_due` makes the sweep read it.
                log.exception("the refs of design %s are left to the sweep", design_id)
            finally:
                hold.close()

        return received

    def read_refs(self, design_id: int, *, done: bool) -> list[int]:
        """Bring the rows up to the repository, in a transaction of its own."""
        self.store.publish_first_branch(design_id)
        with self.database.writing() as session:
            due = versions.read_refs(
                session, self.store, design_id=design_id, now=clock.now(), done=done
            )
            self.after_refs(session, design_id)
            return due


def git_blueprint(
    *,
    database: Database,
    store: Store,
    authenticate: Callable[[Request], Who | None],
    may_read: Callable[[Who | None, DesignRow], bool],
    may_push: Callable[[Who, DesignRow], bool],
    after_refs: Callable[[Session, int], None],
    after_push: Callable[[list[int]], None],
    timeout_s: float,
) -> Blueprint:
    """The three addresses that a git client asks, for every design.

    `authenticate` gives None for a stranger and raises NotSignedIn for wrong credentials;
    `after_refs` is called in the transaction that read a push's refs into the rows of a design;
    `after_push` gets the ids of versions whose analysis is due; a transfer ends after `timeout_s`.
    """
    bp = Blueprint("git", __name__)
    carrier = _Carrier(
        database=database,
        store=store,
        authenticate=authenticate,
        may_read=may_read,
        may_push=may_push,
        after_refs=after_refs,
        after_push=after_push,
        timeout_s=timeout_s,
    )

    @bp.get("/<owner>/<slug>.git/info/refs")
    def advertise(owner: str, slug: str) -> ResponseReturnValue:
        """What is there to fetch, or to push on."""
        service = request.args.get("service", "")
        if request.method != "GET":
            raise MethodNotAllowed(["GET"])
        if service not in (READ, PUSH):
            raise NotFound("only git's smart protocol is spoken here: use git 1.6.6 or newer")
        return carrier.advertise(owner, slug, service)

    @bp.post("/<owner>/<slug>.git/git-upload-pack")
    def fetch(owner: str, slug: str) -> ResponseReturnValue:
        """A clone or fetch."""
        return carrier.carry(owner, slug, READ)

    @bp.post("/<owner>/<slug>.git/git-receive-pack")
    def receive(owner: str, slug: str) -> ResponseReturnValue:
        """A push."""
        return carrier.carry(owner, slug, PUSH)

    @bp.errorhandler(HubError)
    def explain(error: HubError) -> ResponseReturnValue:
        """A known failure as plain text, the only kind of answer that git shows to its user."""
        answer = Response(f"{error}\n", status_of(error), content_type="text/plain; charset=utf-8")
        if isinstance(error, NotSignedIn):
            answer.headers["WWW-Authenticate"] = 'Basic realm="DesignHub", charset="UTF-8"'
        if isinstance(error, TooMany):
            answer.headers["Retry-After"] = str(error.again_s)
        return answer

    return bp


def _design(database: Database, owner: str, slug: str) -> DesignRow | None:
    with database.reading() as session:
        return session.scalar(NAMED, {"owner": owner, "slug": slug})


def _request_variables(asked: Request, *, query: str) -> dict[str, str]:
    """What git may know of the request: each value is known, checked or made here."""
    given = asked.environ
    variables = {
        "QUERY_STRING": query,
        "REQUEST_METHOD": asked.method,
        "REMOTE_ADDR": asked.remote_addr or "",
        "CONTENT_TYPE": given.get("CONTENT_TYPE", ""),
    }
    if asked.content_length is not None:
        variables["CONTENT_LENGTH"] = str(asked.content_length)
    elif asked.method == "POST" and not given.get("wsgi.input_terminated"):
        raise LengthRequired("this server cannot tell where a request of unknown length ends")
    protocol = given.get("HTTP_GIT_PROTOCOL", "")
    if PROTOCOL.fullmatch(protocol):
        variables["HTTP_GIT_PROTOCOL"] = protocol
    if given.get("HTTP_CONTENT_ENCODING") in ("gzip", "x-gzip"):
        variables["HTTP_CONTENT_ENCODING"] = "gzip"
    return variables


@cache
def _backend() -> str:
    """The program itself: run as `git http-backend` it would keep a second process waiting."""
    said = subprocess.run(
        ["git", "--exec-path"], capture_output=True, text=True, check=True, timeout=30
    )
    return str(Path(said.stdout.strip()) / "git-http-backend")


def _limited() -> list[str]:
    return ["prlimit", f"--data={MEMORY_BYTES}", "--core=0"]
