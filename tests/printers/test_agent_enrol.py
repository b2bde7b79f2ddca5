"""The agent's side of enrolling, against a real hub over HTTP: once, whole, and cut off."""

import json
import stat
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select
from werkzeug.serving import make_server

from basis.errors import Invalid
from designhub import enrolling
from printers.agent import PrinterAt
from printers.agent_cli import agent
from printers.agent_config import load
from printers.agent_enrol import UNFINISHED, Wish, enrol
from printers.hub import HubClient, HubRefused, HubUnreachable
from printers.models import AgentRow, PrinterRow, WorkshopRow
from printers.octoprint_http import PrinterRefused
from tests.support import builders
from tests.support.builders import Shop
from tests.support.hubs import OpenHub
from tests.support.octoprint_fixtures import StandInBench

OCTOPRINT = "http://127.0.0.1:5000"


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    return hub.shop()


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A folder of the machine beside the printer."""
    folder = tmp_path / "board"
    folder.mkdir()
    return folder


@pytest.fixture
def address(hub: OpenHub) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, hub.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def code_for(hub: OpenHub, shop: Shop, *printers: Any) -> str:
    with hub.hub.database.writing() as session:
        ids = printers or (shop.printer,)
        return enrolling.offer(hub.hub, session, workshop_id=shop.workshop, printers=ids)[1]


def wish(path: Path, hub: str, code: str, **changes: Any) -> Wish:
    said: dict[str, Any] = {"octoprints": (OCTOPRINT,), "key": "KEY"}
    return Wish(path=path / "agent.toml", hub=hub, code=code, **said | changes)


def name_of(hub: OpenHub, shop: Shop) -> str:
    with hub.hub.database.reading() as session:
        return session.get_one(PrinterRow, shop.printer).name


def agents(hub: OpenHub) -> int:
    with hub.hub.database.reading() as session:
        return session.scalar(select(func.count(AgentRow.id))) or 0


def test_the_command_enrols_checks_and_next_time_runs_from_its_file(
    hub: OpenHub, shop: Shop, address: str, stand_in: StandInBench, board: Path
) -> None:
    path = board / "agent.toml"
    code = code_for(hub, shop)
    argv = ["--hub", address, "--enrol", code.lower(), "--config", str(path), "--check"]
    argv += ["--octoprint", stand_in.url, "--key", stand_in.api_key]
    first = CliRunner().invoke(agent, argv)
    assert first.exit_code == 0, first.output
    assert "Enrolled at Workshop" in first.output and "OctoPrint" in first.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = load({}, {"config": str(path)})
    assert loaded.warnings == () and list(loaded.agent.printers) == [name_of(hub, shop)]
    again = CliRunner().invoke(agent, argv)
    assert again.exit_code == 1 and "is enrolled already" in again.output
    assert [each.name for each in board.iterdir()] == ["agent.toml"]
    assert CliRunner().invoke(agent, ["--config", str(path), "--check"]).exit_code == 0


def test_cut_off_before_the_answer_nothing_is_lost(
    hub: OpenHub, shop: Shop, address: str, board: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is on disk before the code is said: the second try is known by it."""
    before, code, said = agents(hub), code_for(hub, shop), wish
    real = HubClient.enrol

    def lost(client: Any, ask: Any) -> Any:
        real(client, ask)
        raise KeyboardInterrupt

    monkeypatch.setattr(HubClient, "enrol", lost)
    with pytest.raises(KeyboardInterrupt):
        enrol(said(board, address, code), say=print)
    kept = tomllib.loads((board / "agent.toml").read_text())
    assert kept[UNFINISHED] == code
    with pytest.raises(Invalid, match=f"--enrol {code}"):
        load({}, {"config": str(board / "agent.toml")})
    monkeypatch.setattr(HubClient, "enrol", real)
    path = enrol(said(board, address, code), say=print)
    assert tomllib.loads(path.read_text())["token"] == kept["token"]
    assert agents(hub) == before + 1


def test_a_wrong_code_leaves_nothing_and_an_absent_hub_keeps_the_token(
    hub: OpenHub, shop: Shop, address: str, board: Path
) -> None:
    with pytest.raises(HubRefused, match="make a new one"):
        enrol(wish(board, address, "AAAA-AAAA"), say=print)
    assert list(board.iterdir()) == []
    with pytest.raises(HubUnreachable, match="say the same command again"):
        enrol(wish(board, "http://127.0.0.1:9", "AAAA-AAAA"), say=print)
    assert (board / "agent.toml").exists()
    enrol(wish(board, address, code_for(hub, shop)), say=print)  # another code begins anew


def test_two_printers_need_two_addresses_and_the_code_is_not_lost(
    hub: OpenHub, shop: Shop, address: str, board: Path
) -> None:
    with hub.hub.database.writing() as session:
        second = builders.printer(session, session.get_one(WorkshopRow, shop.workshop))
    code = code_for(hub, shop, shop.printer, second.id)
    with pytest.raises(Invalid, match=f"--octoprint {second.name}="):
        enrol(wish(board, address, code), say=print)
    both = (f"{name_of(hub, shop)}={OCTOPRINT}", f"{second.name}=http://127.0.0.1:5001")
    path = enrol(wish(board, address, code, octoprints=both), say=print)
    assert len(load({}, {"config": str(path)}).agent.printers) == 2


@contextmanager
def key_desk(answers: list[tuple[int, dict[str, str]]]) -> Iterator[str]:
    """An OctoPrint of which only the application keys answer: one answer for each look."""

    class Desk(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith("/probe"):
                self._say(204, {})
            else:
                self._say(*answers.pop(0))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say(201, {"app_token": "T", "auth_dialog": "http://octopi.local/allow"})

        def _say(self, status: int, body: dict[str, str]) -> None:
            content = b"" if status == 204 else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_octoprint_is_asked_for_a_key_which_is_kept_at_once(
    hub: OpenHub, shop: Shop, address: str, board: Path
) -> None:
    code, told = code_for(hub, shop), list[str]()
    with key_desk([(404, {}), (200, {"api_key": "GRANTED"})]) as octoprint:
        said = wish(board, address, code, octoprints=(octoprint,), key="")
        with pytest.raises(PrinterRefused, match="denied"):
            enrol(said, say=told.append)
        path = enrol(said, say=told.append)
    assert "http://octopi.local/allow" in told[0] and "designhub agent --config" in told[-1]
    found = load({}, {"config": str(path)}).agent.printers
    assert found == {name_of(hub, shop): PrinterAt(octoprint, "GRANTED")}
