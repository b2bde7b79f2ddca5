"""The way to the hub, over real HTTP: what each failure means, and files that arrive whole."""

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from basis.errors import Invalid
from printers.hub import (
    HubClient,
    HubRefused,
    HubSilent,
    HubUnreachable,
    TokenRefused,
    WrongFile,
    backoff_s,
)
from printers.protocol import Beat, Hello, PermitAsk, PrinterState, Question, StaleFence
from tests.support.hub_stand_in import TOKEN, Fault, HubStandIn, RunRow, hub_served

GCODE = bytes(range(256)) * 2_000


@pytest.fixture
def hub() -> HubStandIn:
    return HubStandIn("ender")


@pytest.fixture
def client(hub: HubStandIn) -> Iterator[HubClient]:
    with hub_served(hub) as url:
        yield HubClient(url, token=TOKEN, connect_s=1, read_s=2)


def leased(hub: HubStandIn, client: HubClient) -> RunRow:
    hub.order("ender", GCODE)
    printer = hub.printers["ender"].brief.printer
    answer = client.ask(Question(printers=[PrinterState(printer=printer, ready=True)]))
    return hub.runs[answer.work[0].run]


def fetch(client: HubClient, run: RunRow, to: Path, **other: object) -> None:
    given = {"size_bytes": run.lease.size_bytes, "sha256": run.lease.sha256, **other}
    client.fetch(run.lease.run, to, **given)  # type: ignore[arg-type]


def test_a_conversation(hub: HubStandIn, client: HubClient, tmp_path: Path) -> None:
    assert [brief.name for brief in client.hello(Hello()).printers] == ["ender"]
    run = leased(hub, client)
    fetch(client, run, tmp_path / "a.gcode")
    assert (tmp_path / "a.gcode").read_bytes() == GCODE
    ask = PermitAsk(fence=1, sha256=run.lease.sha256)
    assert client.permit(run.lease.run, ask).good_s == hub.permit_s
    assert client.permit(run.lease.run, ask).good_s in (hub.permit_s, hub.permit_s - 1)
    assert client.beat(run.lease.run, Beat(fence=1)).beat_s == 1


@pytest.mark.parametrize("kind", ["lost", "dropped", "proxy", "failing"])
def test_what_is_not_the_hubs_own_word_may_be_said_again(
    kind: str, hub: HubStandIn, client: HubClient
) -> None:
    hub.faults = [Fault(where="hello", kind=kind)]
    with pytest.raises(HubSilent):
        client.hello(Hello())
    client.hello(Hello())


def test_refusals_have_names(hub: HubStandIn, client: HubClient) -> None:
    run = leased(hub, client)
    with pytest.raises(StaleFence, match="fence 1, not 7"):
        client.beat(run.lease.run, Beat(fence=7))
    with pytest.raises(HubRefused) as refused:
        client.permit(run.lease.run, PermitAsk(fence=1, sha256="f" * 64))
    assert (refused.value.refusal, refused.value.status) == ("not_allowed", 409)
    with pytest.raises(HubRefused, match="no run"):
        client.beat(uuid4(), Beat(fence=1))
    with pytest.raises(TokenRefused):
        HubClient(client.base_url, token="other").hello(Hello())


def test_nobody_there_is_unreachable_and_nobody_answering_is_silent() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(HubUnreachable):
            HubClient(url, token=TOKEN, connect_s=0.5).hello(Hello())
        held.listen()
        with pytest.raises(HubSilent):
            HubClient(url, token=TOKEN, connect_s=0.5, read_s=0.2).hello(Hello())


def test_a_file_cut_off_goes_on_where_it_stopped(
    hub: HubStandIn, client: HubClient, tmp_path: Path
) -> None:
    run = leased(hub, client)
    hub.faults = [Fault(where="gcode", kind="cut", times=2)]
    to = tmp_path / "a.gcode"
    for have in (len(GCODE) // 2, len(GCODE) * 3 // 4):
        with pytest.raises(HubSilent):
            fetch(client, run, to)
        assert to.with_suffix(".part").stat().st_size == have
        assert not to.exists()
    fetch(client, run, to)
    assert to.read_bytes() == GCODE
    assert not to.with_suffix(".part").exists()


def test_another_file_is_refused_and_forgotten(
    hub: HubStandIn, client: HubClient, tmp_path: Path
) -> None:
    run, to = leased(hub, client), tmp_path / "a.gcode"
    run.gcode = GCODE[:-1] + b"x"
    with pytest.raises(WrongFile, match="sha256"):
        fetch(client, run, to)
    run.gcode = GCODE + b"x"
    with pytest.raises(WrongFile, match="more than"):
        fetch(client, run, to)
    with pytest.raises(WrongFile, match="up to"):
        fetch(client, run, to, most_bytes=10)
    run.gcode = GCODE
    for left in (b"?" * 100, b"?" * len(GCODE), b"\0" * (2 * len(GCODE))):
        to.with_suffix(".part").write_bytes(left)  # as a power cut may leave it
        to.unlink(missing_ok=True)
        fetch(client, run, to)
    assert hashlib.sha256(to.read_bytes()).hexdigest() == run.lease.sha256


@pytest.mark.parametrize("url", ["hub.example", "ftp://hub", "http://me:pw@hub", "http://hub?x=1"])
def test_an_address_that_cannot_work(url: str) -> None:
    with pytest.raises(Invalid, match="reads https"):
        HubClient(url, token=TOKEN)


def test_waits_grow_to_a_limit() -> None:
    waits = [backoff_s(n, chance=lambda: 1.0) for n in range(12)]
    assert waits == sorted(waits)
    assert waits[0] == 0.5
    assert waits[-1] == 30.0
    assert backoff_s(0, chance=lambda: 0.0) == 0.25
