"""Finding a machine and bringing settings: the pages and the API, to a printer that takes work."""

import io
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from designhub.auth import Scope
from printers import trials
from printers.capability import Profile
from printers.models import PrinterRow, Trial
from tests.designhub.test_pages import check_shape
from tests.designhub.test_workshop_pages import OPENED, filled
from tests.support.hubs import OpenHub
from tests.support.slicer_export import exported

pytestmark = pytest.mark.slicer

WHERE = "/workshops/atelier/printers/machines"
ENDER = "Creality Ender-3 (0.4 mm nozzle)"


@pytest.fixture
def ada(hub: OpenHub) -> Any:
    hub.account("ada")
    client = hub.client("ada")
    client.form("/workshops/new", OPENED)
    return client


def fields(page: str) -> dict[str, str]:
    """A filled form of a printer, what it carries along included."""
    rest = re.search(r'<input type="hidden" name="rest" value="([^"]*)"', page)
    assert rest is not None
    chosen = re.search(r"<option selected>(marlin2?)</option>", page)
    return filled(page) | {
        "rest": unescape(rest[1]),
        "machine": unescape(filled(page)["machine"]),
        "gcode_flavor": chosen[1] if chosen else "marlin",
    }


def only_printer(hub: OpenHub) -> PrinterRow:
    with hub.hub.database.reading() as session:
        return session.scalars(select(PrinterRow)).one()


def test_a_machine_is_found_taken_tried_and_takes_work(hub: OpenHub, ada: Any) -> None:
    start = ada.get("/workshops/atelier/printers/new").text
    assert f'action="{WHERE}"' in start
    page = ada.get(f"{WHERE}?search=ender-3+0.4").text
    check_shape(page, "found machines")
    assert ENDER in page
    chosen = ada.get(WHERE, query_string={"vendor": "Creality", "printer": ENDER}).text
    check_shape(chosen, "chosen machine")
    assert (
        "0.20 mm NORMAL (0.4 mm nozzle) @CREALITY" in chosen and "Generic PLA @CREALITY" in chosen
    )
    data = {"vendor": "Creality", "printer": ENDER, "print": "", "filament": ""}
    form = ada.form(WHERE, data).text
    check_shape(form, "filled form")
    said = fields(form)
    assert said["bed_x_mm"] == "225" and said["machine"] == "Creality Ender-3"
    added = ada.form("/workshops/atelier/printers/new", said | {"name": "ender"})
    assert added.status_code == 303, added.text
    row = only_printer(hub)
    profile = Profile.from_json(row.profile)
    assert row.trial is Trial.DUE
    assert profile.tuning is not None and ENDER in profile.tuning.origin
    assert profile.bed_min_x_mm == 3
    assert "A cube is being sliced" in ada.get("/workshops/atelier").text or row.seen_at is None
    trials.try_printer(
        row.id, database=hub.hub.database, scratch=hub.hub.settings.scratch_dir, wall_s=120
    )
    assert only_printer(hub).trial is Trial.PASSED
    edit = ada.get(f"/printers/{row.id}/edit").text
    assert ENDER in edit
    changed = fields(edit) | {"name": "ender", "rated_power_w": "350"}
    assert ada.form(f"/printers/{row.id}/edit", changed).status_code == 303
    again = Profile.from_json(only_printer(hub).profile)
    assert (again.rated_power_w, again.tuning) == (350, profile.tuning)
    plain = changed | {"no_tuning": "on"}
    assert ada.form(f"/printers/{row.id}/edit", plain).status_code == 303
    assert Profile.from_json(only_printer(hub).profile).tuning is None


def test_a_start_code_that_does_not_pass_is_shown_with_its_line(ada: Any) -> None:
    data = {"vendor": "Voron", "printer": "Voron_v2_250_afterburner 0.4 nozzle"}
    page = unescape(ada.form(WHERE, data).text)
    check_shape(page, "voron")
    assert "Read this first" in page
    assert "print_start EXTRUDER=" in page
    assert "purge along the left edge" in fields(page)["start_gcode"]


def test_a_file_is_read_and_what_was_not_taken_is_told(ada: Any, tmp_path: Path) -> None:
    text = exported(tmp_path, start_gcode=r"G28\n", post_process="/bin/evil", unheard_of="7")
    page = ada.form(WHERE, {"file": (io.BytesIO(text.encode()), "mine.ini")}).text
    check_shape(page, "own settings")
    assert "<code>post_process</code>: would run a program" in page
    assert "<code>unheard_of</code>" in page
    assert "/bin/evil" not in page
    said = fields(page) | {"name": "own"}
    assert ada.form("/workshops/atelier/printers/new", said).status_code == 303


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        ({"file": (io.BytesIO(b""), "x.ini")}, 422, "choose a file"),
        ({"file": (io.BytesIO(b"PK\x03\x04"), "x.3mf")}, 422, "line 1"),
        ({"file": (io.BytesIO(b"#" * 300_000), "x.ini")}, 413, "KB"),
        ({"vendor": "Nobody", "printer": "x"}, 404, "no profiles of a vendor"),
        ({"vendor": "Creality", "printer": "<b>x"}, 404, "&lt;b&gt;x"),
        ({"vendor": "Creality", "printer": ENDER, "print": "x"}, 422, "is not for"),
        ({"vendor": "Creality", "printer": ENDER, "filament": "x"}, 422, "is not for"),
    ],
)
def test_what_cannot_be_read_is_said(
    ada: Any, data: dict[str, Any], status: int, words: str
) -> None:
    answer = ada.form(WHERE, dict(data))
    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.parametrize(
    "rest",
    [
        "[]",
        "{",
        "[" * 50_000,
        json.dumps({"bed_x_mm": 1}),
        json.dumps({"unheard_of": 1}),
        json.dumps({"tuning": {"settings": {"post_process": "x"}, "filaments": {}}}),
    ],
)
def test_what_a_form_carries_along_is_checked_like_everything(ada: Any, rest: str) -> None:
    said = filled(ada.get("/workshops/atelier/printers/new?common=mk3s").text)
    answer = ada.form("/workshops/atelier/printers/new", said | {"name": "p", "rest": rest})
    assert answer.status_code == 422


def test_by_the_api_a_profile_is_made_read_and_added(
    hub: OpenHub, ada: Any, tmp_path: Path
) -> None:
    token = hub.token(hub.account("bob"), Scope.OPERATE)
    client = hub.app.test_client()
    machines = client.get("/api/v1/machines?search=mini+prusa").get_json()["machines"]
    mini = next(each for each in machines if each["printer"].startswith("Original Prusa MINI"))
    asked = {"vendor": mini["vendor"], "printer": mini["printer"]}
    presets = client.get("/api/v1/machines/presets", query_string=asked).get_json()
    assert presets["prints"] and presets["filaments"] and presets["unclear"] == []
    body = asked | {"print_profile": presets["prints"][1], "filaments": presets["filaments"][:1]}
    made = client.post("/api/v1/machines/profile", json=body, headers=token)
    assert made.status_code == 200, made.text
    workshop = {"name": "bobs", "place": "Oslo"}
    assert client.post("/api/v1/workshops", json=workshop, headers=token).status_code == 201
    printer = {"name": "mini", "profile": made.get_json()["profile"]}
    added = client.post("/api/v1/workshops/bobs/printers", json=printer, headers=token)
    assert added.status_code == 201, added.text
    assert added.get_json()["trial"] == "due"
    ini = {"ini": exported(tmp_path, post_process="x"), "name": "mine.ini"}
    read = client.post("/api/v1/machines/profile", json=ini, headers=token).get_json()
    assert {"name": "post_process", "why": "would run a program", "look": True} in read["left_out"]
    for both in ({}, asked | ini):
        refused = client.post("/api/v1/machines/profile", json=both, headers=token)
        assert refused.status_code == 422
    plain = {"name": "two", "common": "ender3"}
    common = client.post("/api/v1/workshops/bobs/printers", json=plain, headers=token)
    assert common.get_json()["trial"] == "passed"
