"""Keys handed out by the owner of a printer, and what a limited one may do. On real servers."""

from pathlib import Path
from uuid import uuid4

import pytest
import requests

from printers.appkeys import POLL_S, AppKeys, KeyRequest
from printers.farm import Instance
from printers.octoprint import OctoPrint, PrinterBusy, PrinterRefused, Verdict
from tests.support.octoprint_fixtures import Farm, StandInBench, dwells, eventually

pytestmark = pytest.mark.octoprint
NEEDED = ["STATUS", "FILES_LIST", "FILES_UPLOAD", "FILES_SELECT", "PRINT"]


def as_owner(instance: Instance, method: str, where: str, **command: object) -> requests.Response:
    """What the owner does in OctoPrint's pages."""
    key = {"X-Api-Key": instance.api_key}
    answer = requests.request(
        method,
        instance.url + where,
        json=command if method == "POST" else None,
        headers=key,
        timeout=5,
    )
    answer.raise_for_status()
    return answer


def decide(instance: Instance, app: str, *, granted: bool) -> None:
    pending = as_owner(instance, "GET", "/api/plugin/appkeys").json()["pending"]
    token = next(token for token, request in pending.items() if request["app_id"] == app)
    as_owner(instance, "POST", f"/plugin/appkeys/decision/{token}", decision=granted)


def test_asking_waiting_and_the_key_once(farm: Farm) -> None:
    """One test for all of it: OctoPrint takes three questions in a minute."""
    instance = farm.fresh(1)
    desk, app = AppKeys(instance.url), f"designhub-{uuid4().hex[:8]}"
    assert desk.available()
    request = desk.ask(app)
    assert request.where.startswith(instance.url)
    assert desk.answer(request) is None
    decide(instance, app, granted=True)
    key = desk.wait(request, limit_s=5)
    assert OctoPrint(instance.url, api_key=key).job().idle
    with pytest.raises(PrinterRefused, match="fetched before"):
        desk.answer(request)

    denied = desk.ask(f"{app}-denied")
    decide(instance, f"{app}-denied", granted=False)
    with pytest.raises(PrinterRefused, match="denied"):
        desk.wait(denied, limit_s=5)

    ignored = desk.ask(f"{app}-ignored")
    naps: list[float] = []  # instead of sleeping
    with pytest.raises(PrinterRefused, match="did not answer"):
        desk.wait(ignored, limit_s=0.1, sleep=naps.append)
    assert set(naps) == {POLL_S}
    with pytest.raises(PrinterBusy):
        desk.ask(f"{app}-too-soon")


def test_an_octoprint_without_the_desk(stand_in: StandInBench) -> None:
    assert not AppKeys(stand_in.url).available()
    with pytest.raises(PrinterRefused):
        AppKeys(stand_in.url).answer(KeyRequest(token="gone", where=""))


def limited(instance: Instance, *permissions: str) -> OctoPrint:
    """A client with the key of a new user who has these rights and no group."""
    name = f"u{uuid4().hex[:8]}"
    as_owner(
        instance,
        "POST",
        "/api/access/users",
        name=name,
        password=uuid4().hex,
        active=True,
        groups=[],
        permissions=list(permissions),
    )
    key = as_owner(instance, "POST", f"/api/access/users/{name}/apikey").json()["apikey"]
    return OctoPrint(instance.url, api_key=key)


def test_five_rights_are_enough_to_print(farm: Farm, gcode_path: str, tmp_path: Path) -> None:
    client = limited(farm.fresh(1), *NEEDED)
    assert client.printer().ready
    client.upload(gcode_path, dwells(tmp_path, seconds=5), userdata={"run": 1})
    client.start(gcode_path)
    assert client.started(gcode_path)
    client.pause(gcode_path)
    assert eventually(lambda: client.job().state == "Paused")
    client.cancel(gcode_path)
    look = client.look
    assert eventually(lambda: look(gcode_path, start_recorded=True) is Verdict.FAILED)
    for call in (client.connect, client.disconnect, lambda: client.delete(gcode_path)):
        with pytest.raises(PrinterRefused, match="403"):
            call()


def test_two_more_rights_recover_and_clean_up(farm: Farm, gcode_path: str, tmp_path: Path) -> None:
    client = limited(farm.fresh(1), *NEEDED, "CONNECTION", "FILES_DELETE")
    client.upload(gcode_path, dwells(tmp_path, seconds=0.1), userdata={})
    client.disconnect()
    assert eventually(lambda: client.connection() == "Closed")
    client.connect()
    assert eventually(lambda: client.connection() == "Operational")
    client.delete(gcode_path)
    assert client.file(gcode_path) is None
