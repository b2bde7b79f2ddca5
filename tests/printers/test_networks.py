"""Connections that go to named networks and nowhere else, over real sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printers.appkeys import AppKeys
from printers.networks import Networks, OutsideNetworks
from printers.octoprint import OctoPrint, PrinterRefused, PrinterUnreachable
from printers.push import Push
from tests.support.octoprint_fixtures import StandInBench, dwells

HERE = Networks.parse("127.0.0.0/8")
ELSEWHERE = Networks.parse("192.168.7.0/24, fd00::/8")


@contextmanager
def counted() -> Iterator[tuple[int, list[bytes]]]:
    """A port on this machine, and what anybody said to it."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    heard.append(line.recv(65536))
                    there = b"http://127.0.0.1:1/"
                    line.sendall(b"HTTP/1.0 302 Found\r\nLocation: %b\r\n\r\n" % there)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1]), heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("address", "held"),
    [
        ("192.168.7.1", True),
        ("192.168.8.1", False),
        ("::ffff:192.168.7.1", True),
        ("::ffff:127.0.0.1", False),
        ("fd00::1%eth0", True),
        ("fe80::1%eth0", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("::1", False),
        ("169.254.169.254", False),
    ],
)
def test_addresses(address: str, held: bool) -> None:
    assert ELSEWHERE.hold(address) is held


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_any_address_in_any_network(address: Any, network: Any, length: int) -> None:
    first = type(network)(int(network) >> 32 - length << 32 - length)
    ours = Networks.parse(f"{first}/{length}")
    same = int(address) >> 32 - length == int(network) >> 32 - length
    assert ours.hold(str(address)) is same
    assert ours.hold(f"::ffff:{address}") is same


@pytest.mark.parametrize("text", ["192.168.7.1/24", "home", "1.2.3.4/99", "::/129"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition("/")[0]):
        Networks.parse(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
def test_nothing_is_connected_to_outside(host: str) -> None:
    with counted() as (port, heard):
        url = f"http://{host}:{port}"
        calls: list[Callable[[], object]] = [
            OctoPrint(url, api_key="key", networks=ELSEWHERE).job,
            lambda: OctoPrint(url, api_key="key", networks=ELSEWHERE).start("a.gcode"),
            AppKeys(url, networks=ELSEWHERE).available,
            lambda: AppKeys(url, networks=ELSEWHERE).ask("DesignHub"),
        ]
        for call in calls:
            with pytest.raises(OutsideNetworks, match="none of the networks"):
                call()
        said: list[str] = []
        push = Push(
            url,
            api_key="key",
            hear=lambda _: None,
            awake=lambda: None,
            say=lambda _, text: said.append(text),
            chance=lambda: 0.0,
            networks=ELSEWHERE,
        )
        push.start()
        push.join(0.5)
        push.close()
        assert "none of the networks" in said[0]
    assert heard == []


def test_a_redirect_is_not_followed() -> None:
    with counted() as (port, heard):
        client = OctoPrint(f"http://127.0.0.1:{port}", api_key="key", networks=HERE)
        with pytest.raises(PrinterRefused, match="302"):
            client.job()
        with pytest.raises(PrinterRefused, match="302"):
            client.start("a.gcode")
    assert len(heard) == 2


def test_a_name_that_leads_elsewhere_by_now_is_refused(
    stand_in: StandInBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is what is connected to: the name is asked for once a connection."""
    port, asked = int(stand_in.url.rpartition(":")[2]), []
    answers = ["127.0.0.1", "127.0.0.1", "10.0.0.1"]
    resolve = socket.getaddrinfo

    def named(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "printer.example":
            asked.append(host)
            host = answers[min(len(asked), len(answers)) - 1]
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", named)
    client = OctoPrint(f"http://printer.example:{port}", api_key=stand_in.api_key, networks=HERE)
    assert client.job().idle
    assert client.job().idle
    assert len(asked) == 2
    with pytest.raises(OutsideNetworks, match=r"10\.0\.0\.1"):
        client.job()


def test_a_name_with_one_address_outside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: Any, **__: Any) -> Any:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(OutsideNetworks):
        HERE.targets("printer.example", 80)


def test_within_them_all_is_as_ever(
    stand_in: StandInBench, gcode_path: str, tmp_path: Path
) -> None:
    client = OctoPrint(stand_in.url, api_key=stand_in.api_key, networks=HERE)
    client.upload(gcode_path, dwells(tmp_path, seconds=0.3), userdata={})
    client.start(gcode_path)
    assert client.started(gcode_path)


def test_nobody_there_and_no_such_name_are_unreachable() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(PrinterUnreachable):
            OctoPrint(url, api_key="key", networks=HERE).job()
    with pytest.raises(PrinterUnreachable, match="leads nowhere"):
        OctoPrint("http://nobody.invalid", api_key="key", networks=HERE).job()
