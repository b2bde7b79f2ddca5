"""A hub that keeps `printers.protocol` and the table of `router.states`, and can fail on purpose.

Only for faults: losing replies, being away, answering as a proxy would. What the real hub does is
tested with the real hub.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

from basis.errors import HubError, Invalid, NotAllowed, NotFound, NotSignedIn
from basis.messages import Message
from designhub.api.schema import PhotoKept
from printers.capability import COMMON
from printers.protocol import (
    Answer,
    Beat,
    BeatAnswer,
    Hello,
    HubKey,
    Lease,
    Permit,
    PermitAsk,
    PrinterBrief,
    Question,
    Report,
    Reported,
    ReportEvent,
    Signed,
    StaleFence,
    Welcome,
    Word,
    gcode_path,
)
from printers.provenance import Provenance, canonical, rotation
from printers.signing import new_private, public_of, sign
from router.states import HELD, LIVE, OPEN, Event, Run, after

TOKEN = "dha_stand-in"
SINCE = "2026-03-01T12:00:00.000000Z"
STATUS = {NotSignedIn: 401, NotFound: 404, NotAllowed: 409, Invalid: 422}
EVENTS = {
    ReportEvent.STARTED: Event.START,
    ReportEvent.PAUSED: Event.PAUSE,
    ReportEvent.FINISHED: Event.FINISH,
    ReportEvent.FAILED: Event.FAIL,
    ReportEvent.NEVER_STARTED: Event.FAIL,
    ReportEvent.RELEASED: Event.RELEASE,
    ReportEvent.UNCLEAR: Event.EXPIRE,
}


@dataclass(kw_only=True)
class PrinterRow:
    brief: PrinterBrief
    clear: bool = True
    fence: int = 0
    jobs: list[bytes] = field(default_factory=list)


@dataclass(kw_only=True)
class RunRow:
    lease: Lease
    printer: PrinterRow
    gcode: bytes
    state: Run = Run.LEASED
    lease_until: float
    permit_until: float | None = None
    stop: bool = False
    said: list[Report] = field(default_factory=list)
    beats: int = 0
    beat: Beat | None = None
    """The last one."""
    never_started: bool = False
    photos: list[bytes] = field(default_factory=list)
    waits_for: str = ""


@dataclass(kw_only=True)
class Fault:
    """What happens to the next call whose address contains `where`.

    lost      : done, but the answer never leaves
    dropped   : the connection ends before it is done
    twice     : done twice, as if the message had been doubled on the way
    proxy     : somebody in front answers 404 in HTML; nothing is done
    failing   : 500 problem+json; nothing is done
    cut       : (files) the answer ends after half of its bytes
    """

    where: str
    kind: str
    times: int = 1


class HubStandIn:
    """The hub's memory. `names`: its printers, each with a clear bed and the virtual profile."""

    def __init__(self, *names: str, lease_s: int = 30, permit_s: int = 60) -> None:
        self.lease_s, self.permit_s = lease_s, permit_s
        profile = COMMON["virtual"].as_json()
        self.printers = {
            name: PrinterRow(brief=PrinterBrief(printer=uuid4(), name=name, profile=profile))
            for name in names
        }
        self.runs: dict[UUID, RunRow] = {}
        self.faults: list[Fault] = []
        self.away = False
        self.again_s = 0.3
        self.beds_violated = 0
        self.why: dict[str, str] = {}
        self.guard = threading.RLock()
        self.calls: list[str] = []
        self.ranges: list[int] = []
        """From which byte on each file was asked for."""
        self.keys = [new_private()]
        """Its private keys; it signs with the last one."""
        self.signs: Callable[[Lease], Signed | None] = self.sign

    def order(self, name: str, gcode: bytes) -> None:
        with self.guard:
            self.printers[name].jobs.append(gcode)

    def only_run(self) -> RunRow:
        assert len(self.runs) == 1, f"{len(self.runs)} runs"
        return next(iter(self.runs.values()))

    def wait_state(self, *states: Run, limit_s: float = 20.0) -> RunRow:
        """The only run, once it is in one of `states`."""
        until = time.monotonic() + limit_s
        while True:
            with self.guard:
                if self.runs and self.only_run().state in states:
                    return self.only_run()
                seen = [(run.state, run.said) for run in self.runs.values()]
            assert time.monotonic() < until, f"never {states}: {seen}"
            time.sleep(0.02)

    def expire(self) -> None:
        now = time.monotonic()
        for run in self.runs.values():
            if run.state in HELD and run.lease_until < now:
                run.state = after(run.state, Event.EXPIRE)
                if run.state is Run.RELEASED:
                    run.printer.jobs.insert(0, run.gcode)

    def hello(self, said: Hello) -> Welcome:
        briefs = [each.brief for each in self.printers.values()]
        return Welcome(
            agent=uuid4(),
            name="bench",
            printers=briefs,
            beat_s=1,
            lease_s=self.lease_s,
            keys=self.public(),
        )

    def public(self) -> list[HubKey]:
        """Its keys, each signed for by the one before."""
        found = [HubKey(key=public_of(self.keys[0]), since=SINCE)]
        for private, following in pairwise(self.keys):
            key = HubKey(key=public_of(following), since=SINCE, replaces=public_of(private))
            found.append(replace(key, signature=sign(private, rotation(key)).signature))
        return found

    def sign(self, lease: Lease, **changes: Any) -> Signed:
        """What it signs of a lease; `changes` make it speak of something else."""
        return sign(self.keys[-1], document_of(lease, **changes))

    def ask(self, said: Question) -> Answer:
        work, why_not = [], {}
        for state in said.printers:
            row = next(p for p in self.printers.values() if p.brief.printer == state.printer)
            if state.foreign:
                row.clear = False
                self.why[row.brief.name] = state.why
            if state.ready:
                lease, why = self._lease(row)
                if lease is None:
                    why_not[str(state.printer)] = why
                else:
                    work.append(lease)
        return Answer(work=work, again_s=self.again_s, why_not=why_not)

    def _lease(self, row: PrinterRow) -> tuple[Lease | None, str]:
        now = time.monotonic()
        for run in self.runs.values():
            if run.printer is row and run.state in HELD | LIVE:
                return (run.lease, "") if run.state is Run.LEASED else (None, f"{run.state}")
        if not row.clear:
            return None, "its bed is not clear"
        if not row.jobs:
            return None, "no job waits for it"
        gcode = row.jobs.pop(0)
        row.fence += 1
        run_id, job = uuid4(), uuid4()
        lease = Lease(
            run=run_id,
            job=job,
            printer=row.brief.printer,
            fence=row.fence,
            path=gcode_path(job=job, run=run_id),
            sha256=hashlib.sha256(gcode).hexdigest(),
            sha1=hashlib.sha1(gcode, usedforsecurity=False).hexdigest(),
            size_bytes=len(gcode),
            title="cube 1.0",
            duration_s=60,
            lease_s=self.lease_s,
        )
        lease = replace(lease, signed=self.signs(lease))
        self.runs[run_id] = RunRow(
            lease=lease, printer=row, gcode=gcode, lease_until=now + self.lease_s
        )
        return lease, ""

    def permit(self, run: RunRow, said: PermitAsk) -> Permit:
        now = time.monotonic()
        self._held(run)
        if run.stop:
            raise NotAllowed("cancelled: do not start it")
        if run.state in (Run.PERMITTED, Run.UNKNOWN):
            left = 0 if run.permit_until is None else int(run.permit_until - now)
            if left <= 0:
                raise NotAllowed("the permit ran out or was used")
            return Permit(run=run.lease.run, fence=said.fence, good_s=left)
        if run.state is not Run.LEASED:
            raise NotAllowed(f"it is {run.state}")
        if said.sha256 != run.lease.sha256:
            raise NotAllowed("another file")
        if not run.printer.clear:
            raise NotAllowed("the bed is not clear")
        run.state = after(run.state, Event.PERMIT)
        run.printer.clear = False
        run.permit_until = now + self.permit_s
        run.lease_until = now + self.lease_s
        return Permit(run=run.lease.run, fence=said.fence, good_s=self.permit_s)

    def beat(self, run: RunRow, said: Beat) -> BeatAnswer:
        self._held(run)
        if run.state is Run.PRINTED:
            raise StaleFence("reported as printed")
        run.beats += 1
        run.beat = said
        if said.printing or said.paused:
            self._moving(run, paused=said.paused)
            run.waits_for = said.waits_for if said.paused else ""
        if run.state in HELD:
            run.lease_until = time.monotonic() + self.lease_s
        word = Word.STOP if run.stop else Word.ON
        return BeatAnswer(word=word, beat_s=1, lease_s=self.lease_s)

    def report(self, run: RunRow, said: Report) -> Reported:
        run.said.append(said)
        if run.state in HELD | LIVE:
            if said.event in (ReportEvent.STARTED, ReportEvent.PAUSED):
                self._moving(run, paused=said.event is ReportEvent.PAUSED)
            elif said.event is ReportEvent.NEVER_STARTED and run.state is Run.LEASED:
                run.state = after(run.state, Event.RELEASE)
            elif not (said.event is ReportEvent.UNCLEAR and run.state is Run.UNKNOWN):
                run.never_started = said.event is ReportEvent.NEVER_STARTED
                run.state = after(run.state, EVENTS[said.event])
        return Reported(run=run.lease.run, state=run.state.value)

    def _moving(self, run: RunRow, *, paused: bool) -> None:
        wanted = Run.PAUSED if paused else Run.PRINTING
        if run.state is not wanted:
            run.state = after(run.state, Event.PAUSE if paused else Event.START)
        run.permit_until = None

    def _held(self, run: RunRow) -> None:
        if run.state not in OPEN:
            raise StaleFence(f"it ended: {run.state}")

    # HTTP.

    def answer(self, method: str, path: str, body: Any) -> Message | bytes:
        """What one call gives; raises what the real hub answers with."""
        self.expire()
        calls: Mapping[str, tuple[type[Message], Any]] = {
            "/agents/me/hello": (Hello, self.hello),
            "/agents/me/ask": (Question, self.ask),
        }
        if path in calls:
            of_agent, heard = calls[path]
            return heard(of_agent.from_json(body))  # type: ignore[no-any-return]
        _, _, run_id, what = path.split("/")
        run = self.runs.get(UUID(run_id))
        if run is None:
            raise NotFound(f"this agent has no run {run_id}")
        if method == "GET":
            return run.gcode
        if what == "photo":
            run.photos.append(body)
            return PhotoKept(run=run.lease.run, sha256="")
        of_run: Mapping[str, tuple[Any, Any]] = {
            "permit": (PermitAsk, self.permit),
            "beat": (Beat, self.beat),
            "report": (Report, self.report),
        }
        kind, act = of_run[what]
        said: Any = kind.from_json(body)
        if said.fence != run.lease.fence:
            raise StaleFence(f"fence {run.lease.fence}, not {said.fence}")
        return act(run, said)  # type: ignore[no-any-return]

    def next_fault(self, path: str) -> str:
        for fault in self.faults:
            if fault.where in path and fault.times > 0:
                fault.times -= 1
                return fault.kind
        return ""


def document_of(lease: Lease, **changes: Any) -> str:
    """What a hub signs of a lease."""
    said: dict[str, Any] = {
        "hub": "http://hub.test",
        "job": lease.job,
        "run": lease.run,
        "printer": lease.printer,
        "fence": lease.fence,
        "gcode_sha256": lease.sha256,
        "gcode_bytes": lease.size_bytes,
        "design": 1,
        "design_title": "cube",
        "commit": "0" * 40,
        "part": "cube",
        "part_blob": "1" * 40,
        "choices": {},
        "slicer": "none",
        "mesh_sha256": "",
        "profile_sha256": "",
        "settings_sha256": "",
        "sliced_at": "",
        "made_at": SINCE,
    }
    return canonical(Provenance(**said | changes).to_json())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubStandIn

    def do_GET(self) -> None:
        self._serve("GET", None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_photo = self.headers["Content-Type"].startswith("image/")
        self._serve("POST", body if is_photo else json.loads(body))

    def _serve(self, method: str, body: Any) -> None:
        path = self.path.removeprefix("/api/v1")
        with self.hub.guard:
            self.hub.calls.append(path.rsplit("/", 1)[-1])
            fault = self.hub.next_fault(path)
            if self.hub.away or fault == "dropped":
                self.close_connection = True
                return
            if fault == "proxy":
                self._send(404, "text/html", b"<html>no such site</html>")
                return
            try:
                if fault == "failing":
                    raise HubError("the hub failed at this")
                if self.headers["Authorization"] != f"Bearer {TOKEN}":
                    raise NotSignedIn("no such token")
                said = self.hub.answer(method, path, body)
                if fault == "twice":
                    said = self.hub.answer(method, path, body)
            except HubError as exc:
                status = next((STATUS[k] for k in type(exc).__mro__ if k in STATUS), 500)
                problem = {"title": exc.code, "status": status, "detail": str(exc)}
                self._send(status, "application/problem+json", json.dumps(problem).encode())
                return
        if fault == "lost":
            self.close_connection = True
        elif isinstance(said, bytes):
            self._file(said, cut=fault == "cut")
        else:
            self._send(200, "application/json", json.dumps(said.to_json()).encode())

    def _file(self, content: bytes, *, cut: bool) -> None:
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.hub.ranges.append(first)
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        rest = content[first:]
        self.wfile.write(rest[: len(rest) // 2] if cut else rest)
        self.close_connection = self.close_connection or cut

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in mid-call is what these tests are about."""


@contextmanager
def hub_served(hub: HubStandIn) -> Iterator[str]:
    """The hub on a free port; its address."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
