"""Photos of beds: where a picture is looked for, what is taken for one, and that nothing waits."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from basis.errors import Invalid
from printers import camera as cameras
from printers.agent import PrinterAt
from printers.agent_config import load
from printers.camera import NoPhoto, address_of, snapped
from printers.networks import Networks, OutsideNetworks
from router.states import Run
from tests.support.agent_process import config, gcode, ready, running, until
from tests.support.cameras import Camera, camera_served
from tests.support.hub_stand_in import Fault, HubStandIn, hub_served
from tests.support.octoprint_fixtures import Farm

OCTOPI = "http://octopi.local:5000"


@pytest.fixture
def camera() -> Iterator[Camera]:
    with camera_served() as given:
        yield given


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("http://octopi.local:8080/?action=snapshot", "http://octopi.local:8080/?action=snapshot"),
        ("http://127.0.0.1:8080/?action=snapshot", "http://octopi.local:8080/?action=snapshot"),
        ("http://localhost/snap.jpg", "http://octopi.local/snap.jpg"),
        ("http://[::1]:8080/a", "http://octopi.local:8080/a"),
        ("/webcam/?action=snapshot", "http://octopi.local:5000/webcam/?action=snapshot"),
        ("https://ada:secret@127.0.0.1/x", "https://ada:secret@octopi.local/x"),
    ],
)
def test_the_camera_that_octoprint_names_is_on_octoprint_s_machine(named: str, found: str) -> None:
    assert address_of(named, octoprint_url=OCTOPI) == found


@pytest.mark.parametrize(
    "named",
    [
        *("", "  ", "file:///etc/passwd", "ftp://octopi.local/x", "http://[::1/"),
        *("http://10.0.0.1/admin", "http://octopi.local.evil.example/", "http://octopi.local:x/"),
        "http://octopi.local@169.254.169.254/latest",
    ],
)
def test_nothing_else_in_the_network_is_asked(named: str) -> None:
    with pytest.raises(NoPhoto):
        address_of(named, octoprint_url=OCTOPI)


@pytest.mark.parametrize("gives", ["page", "stream", "slow", "moved", "gone"])
def test_what_is_no_picture_is_not_taken_for_one(camera: Camera, gives: str) -> None:
    camera.gives, began = [gives], time.monotonic()
    with pytest.raises(NoPhoto):
        snapped(camera.url, limit_s=1.0)
    assert time.monotonic() - began < 10
    camera.gives = ["picture"]
    assert snapped(camera.url) == camera.content


def test_only_networks_that_are_named_are_asked(camera: Camera) -> None:
    """As for printers that a hub tends itself."""
    assert snapped(camera.url, networks=Networks.parse("127.0.0.0/8")) == camera.content
    with pytest.raises(OutsideNetworks):
        snapped(camera.url, networks=Networks.parse("192.168.1.0/24"))
    assert camera.asked == 1


def test_the_address_stands_in_the_agent_s_settings(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    head = 'hub = "http://hub"\ntoken = "dha_x"\n[printers.ender]\nurl = "http://o"\nkey = "k"\n'
    for text, snapshot in (("", ""), ('"none"', "none"), ('"http://cam/x"', "http://cam/x")):
        path.write_text(head + (f"snapshot = {text}\n" if text else ""))
        path.chmod(0o600)
        found = load({}, {"config": str(path)}).agent.printers["ender"]
        assert found == PrinterAt("http://o", "k", snapshot)
    for wrong in ('snapshot = "ftp://x"', "snapshot = 5.0", 'colour = "red"'):
        path.write_text(f"{head}{wrong}\n")
        with pytest.raises(Invalid):
            load({}, {"config": str(path)})


# Beside a real OctoPrint.


@pytest.fixture
def hub() -> HubStandIn:
    return HubStandIn("ender")


@pytest.fixture
def address(hub: HubStandIn) -> Iterator[str]:
    with hub_served(hub) as url:
        yield url


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried again soon."""
    monkeypatch.setattr(cameras, "LOOK_AGAIN_S", 0.1)
    monkeypatch.setattr(cameras, "MOST_WAIT_S", 0.2)


@pytest.mark.octoprint
def test_octoprint_s_own_camera_is_used_and_a_failed_try_is_repeated(
    hub: HubStandIn, address: str, farm: Farm, tmp_path: Path, camera: Camera, quick: None
) -> None:
    instance = farm.fresh(0)
    named = {"plugins": {"classicwebcam": {"snapshot": camera.url}}}
    key = {"X-Api-Key": instance.api_key}
    requests.post(f"{instance.url}/api/settings", json=named, headers=key, timeout=5)
    camera.gives = ["gone", "picture"]
    hub.faults += [Fault(where="/photo", kind="dropped"), Fault(where="/photo", kind="failing")]
    try:
        hub.order("ender", gcode(0.5))
        printers = {"ender": (instance.url, instance.api_key)}
        with running(config(address, tmp_path / "agent", printers)) as agent:
            run = hub.wait_state(Run.PRINTED)
            until(lambda: run.photos == [camera.content])
            until(lambda: ready(agent))
    finally:
        named["plugins"]["classicwebcam"]["snapshot"] = ""
        requests.post(f"{instance.url}/api/settings", json=named, headers=key, timeout=5)


@pytest.mark.octoprint
def test_a_camera_that_hangs_delays_nothing(
    hub: HubStandIn, address: str, farm: Farm, tmp_path: Path, camera: Camera, quick: None
) -> None:
    instance = farm.fresh(0)
    marks: list[str] = []
    camera.gives = ["slow"]
    given = config(address, tmp_path / "agent", {"ender": (instance.url, instance.api_key)})
    at = PrinterAt(instance.url, instance.api_key, camera.url)
    hub.order("ender", gcode(0.3))
    with running(replace(given, printers={"ender": at}), at=marks.append) as agent:
        hub.wait_state(Run.PRINTED)
        until(lambda: "after_report" in marks)
        until(lambda: camera.asked == 1)  # the report was told while it waits for the picture
        until(lambda: ready(agent))


@pytest.mark.octoprint
def test_a_key_without_the_right_to_read_settings_gives_no_photo_and_says_so(farm: Farm) -> None:
    instance = farm.fresh(0)
    admin = {"X-Api-Key": instance.api_key}
    rights = ["STATUS", "FILES_LIST", "FILES_UPLOAD", "FILES_SELECT", "PRINT"]
    user = {"name": "least", "password": "x" * 12, "active": True, "groups": [], "admin": False}
    made = requests.post(
        f"{instance.url}/api/access/users",
        json={**user, "permissions": rights},
        headers=admin,
        timeout=5,
    )
    assert made.ok, made.text
    try:
        key = requests.post(
            f"{instance.url}/api/access/users/least/apikey", headers=admin, timeout=5
        ).json()["apikey"]
        looked = cameras.Camera(
            instance.url,
            api_key=key,
            snapshot="",
            hub=lambda: pytest.fail("nothing is brought"),
            say=lambda *_: None,
            stop=threading.Event(),
            chance=lambda: 0.5,
        )
        with pytest.raises(NoPhoto, match="SETTINGS_READ"):
            looked._address()
    finally:
        requests.delete(f"{instance.url}/api/access/users/least", headers=admin, timeout=5)
