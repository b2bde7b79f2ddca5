"""What exactly was printed: signed with the lease, shown, downloaded, and verified elsewhere."""

import hashlib
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select
from werkzeug.serving import make_server

from basis import clock
from basis.errors import NotAllowed, Unavailable
from basis.settings import Settings
from designhub import backups
from designhub.auth import Scope
from designhub.cli import main
from designhub.hub import open_hub
from designhub.keys import FILE, Keys
from designhub.migrate import migrate
from printers.capability import COMMON
from printers.models import WorkshopRow
from printers.protocol import HubKeys, Lease, Signed
from printers.provenance import check_lease, digest
from printers.signing import checked, is_signed, new_private, sign, successors
from router import slicing
from router.models import JobRow, ProvenanceRow
from tests.support import builders, solids
from tests.support.builders import Shop
from tests.support.hubs import OpenHub


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    return hub.shop()


@pytest.fixture
def address(hub: OpenHub) -> Iterator[str]:
    """Where the hub answers over HTTP."""
    server = make_server("127.0.0.1", 0, hub.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def leased(hub: OpenHub, shop: Shop) -> Lease:
    """The printer's next run, as its agent gets it over HTTP."""
    agent = hub.agent_token(shop.agent)
    state = {"printer": str(shop.printer), "ready": True, "text": "Operational"}
    answer = hub.app.test_client().post(
        "/api/v1/agents/me/ask", json={"printers": [state]}, headers=agent
    )
    return Lease.from_json(answer.get_json()["work"][0])


def signed_of(lease: Lease) -> Signed:
    assert lease.signed is not None
    return lease.signed


def verify(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["verify", *arguments])
    return done.exit_code, done.output


def test_a_lease_says_what_it_prints_and_where_that_came_from(hub: OpenHub, shop: Shop) -> None:
    hub.ordered(shop)
    lease = leased(hub, shop)
    made = checked(signed_of(lease), trusted=hub.hub.keys.current())
    check_lease(made, lease)
    assert (made.commit, made.hub) == (shop.part.commit, "http://localhost")
    assert leased(hub, shop).signed == lease.signed  # asked again: the same
    with hub.hub.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ProvenanceRow)) == 1


def test_maker_and_workshop_get_it_and_nobody_else(hub: OpenHub, shop: Shop) -> None:
    hub.ordered(shop)
    lease = leased(hub, shop)
    stranger = hub.account("stranger")
    where, client = f"/api/v1/runs/{lease.run}/provenance", hub.app.test_client()
    for account_id, status in ((shop.maker, 200), (shop.owner, 200), (stranger, 404)):
        token = hub.token(account_id, Scope.READ)
        assert client.get(where, headers=token).status_code == status
    assert client.get(where).status_code == 401
    page = f"/jobs/{lease.job}/runs/{lease.run}/provenance.json"
    answer = hub.client("maker").get(page)
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert Signed.from_json(answer.get_json()) == lease.signed
    assert hub.client("stranger").get(page).status_code == 404


def test_the_jobs_page_shows_it(hub: OpenHub, shop: Shop) -> None:
    job = hub.ordered(shop)[0]
    assert 'id="printed"' not in hub.client("maker").get(f"/jobs/{job}").text
    lease = leased(hub, shop)
    for name in ("maker", "owner"):
        text = hub.client(name).get(f"/jobs/{job}").text
        assert f"/jobs/{job}/runs/{lease.run}/provenance.json" in text
        assert signed_of(lease).key in text
        assert f"designhub verify FILE.gcode --provenance provenance-{lease.run}.json" in text


@pytest.mark.slicer
def test_a_sliced_file_is_verified_and_every_tampering_is_found(
    hub: OpenHub, address: str, tmp_path: Path
) -> None:
    shop = sliced(hub)
    lease = leased(hub, shop)
    made = checked(signed_of(lease), trusted=hub.hub.keys.current())
    assert made.mesh_sha256 == hashlib.sha256(solids.stl(QUICK)).hexdigest()
    assert made.profile_sha256 == digest(COMMON["virtual"].as_json())
    assert made.slicer.startswith("PrusaSlicer ") and made.settings_sha256 and made.sliced_at
    gcode, record = tmp_path / "part.gcode", tmp_path / "record.json"
    gcode.write_bytes(hub.hub.blobs.path(lease.sha256).read_bytes())
    record.write_text(json.dumps(signed_of(lease).to_json()))
    said = (str(gcode), "--provenance", str(record))
    code, text = verify(*said, "--hub", address)
    assert code == 0 and lease.sha256 in text and "compared with nothing" not in text
    code, text = verify(*said)
    assert code == 0 and "compared with nothing" in text
    assert verify(*said, "--key", signed_of(lease).key)[0] == 0
    code, text = verify(*said, "--key", sign(new_private(), "").key)
    assert code == 1 and "not by" in text
    assert verify(*said, "--key", "nonsense")[0] == 2
    hub.hub.keys.rotate(now=clock.now())  # what the old key signed stays verifiable
    assert verify(*said, "--hub", address)[0] == 0
    assert verify(*said, "--hub", address, "--key", signed_of(lease).key)[0] == 0
    code, text = verify(*said, "--hub", address, "--key", hub.hub.keys.current())
    assert code == 1 and "follows from" in text
    forged = sign(new_private(), signed_of(lease).document)
    record.write_text(json.dumps(forged.to_json()))
    assert verify(*said, "--hub", address)[0] == 1
    record.write_text(json.dumps(signed_of(lease).to_json()).replace("Part", "Trap"))
    assert verify(*said)[0] == 1
    record.write_text(json.dumps(signed_of(lease).to_json()))
    gcode.write_bytes(gcode.read_bytes() + b"\n")
    code, text = verify(*said, "--json")
    assert code == 1 and json.loads(text)["ok"] is False
    record.write_text("{}")
    assert verify(*said)[0] == 2


QUICK = solids.box(*solids.QUICK_PART_MM)


def sliced(hub: OpenHub) -> Shop:
    """A job whose G-code the real slicer made."""
    shop = builders.shop(hub.hub.database, corners=QUICK, blobs=hub.hub.blobs)
    job = builders.ordered(hub.hub.database, shop, ready=False)[0]
    slicing.slice_job(
        job,
        database=hub.hub.database,
        blobs=hub.hub.blobs,
        scratch=hub.hub.settings.scratch_dir,
        wall_s=120.0,
    )
    with hub.hub.database.reading() as session:
        assert session.get_one(JobRow, job).gcode_sha256
    return shop


# --- the key --------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_for_the_hub_alone(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.make(now=clock.now())
    first = keys.current()
    keys.make(now=clock.now())
    assert keys.current() == first
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_of_two_processes_that_start_one_makes_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Keys(tmp_path), Keys(tmp_path)
    first.make(now=clock.now())
    kept = first.current()
    monkeypatch.setattr(Path, "exists", lambda _: False)  # it looked a moment earlier
    second.make(now=clock.now())
    assert second.current() == kept


def test_everybody_may_ask_for_the_keys_and_follow_them(hub: OpenHub, shop: Shop) -> None:
    hub.ordered(shop)
    before = signed_of(leased(hub, shop))
    hub.hub.keys.rotate(now=clock.now())
    hub.hub.keys.rotate(now=clock.now())
    known = HubKeys.from_json(hub.app.test_client().get("/api/v1/keys").get_json()).keys
    assert successors(known, trusted=before.key) == [each.key for each in known]
    assert len(known) == 3
    again = signed_of(leased(hub, shop))  # the lease asked for again is signed anew
    assert again.document == before.document
    assert again.key == known[-1].key and is_signed(again.key, again.document, again.signature)
    assert before.key not in (hub.hub.keys.path.read_text().split('"keys"')[0])


def test_the_commands_show_and_rotate_it(hub: OpenHub) -> None:
    data = str(hub.hub.settings.data_dir)
    before = hub.hub.keys.current()
    shown = CliRunner().invoke(main, ["key", "show", "--data", data])
    assert shown.exit_code == 0 and f"{before} since" in shown.output
    rotated = CliRunner().invoke(main, ["key", "rotate", "--data", data])
    assert rotated.exit_code == 0 and hub.hub.keys.current() in rotated.output
    listed = CliRunner().invoke(main, ["key", "show", "--data", data, "--json"])
    assert json.loads(listed.output)["keys"][0]["key"] == before
    (hub.hub.keys.folder / f".{FILE}.rotating").touch()
    with pytest.raises(NotAllowed, match="being rotated"):
        hub.hub.keys.rotate(now=clock.now())


@pytest.mark.parametrize("content", ["", "{}", '{"private": "x", "keys": []}', None])
def test_a_key_that_cannot_be_used_says_what_to_do(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content)
    with pytest.raises(Unavailable, match="restore it"):
        Keys(tmp_path).sign("x")


def test_a_restored_hub_signs_with_the_same_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "hub")
    hub = open_hub(settings)
    migrate(hub.database)
    hub.keys.rotate(now=clock.now())
    hub.close()
    file = tmp_path / "hub.tar.gz"
    backups.write(settings, file, now=clock.now(), told=lambda _: None)
    back = Settings(data_dir=tmp_path / "back")
    assert backups.restore(file, back, told=lambda _: None).ok
    restored = open_hub(back)
    assert restored.keys.public() == hub.keys.public()
    assert restored.keys.sign("x") == hub.keys.sign("x")
    assert stat.S_IMODE(restored.keys.path.stat().st_mode) == 0o600
    restored.close()


def test_enrolling_tells_the_key(hub: OpenHub, shop: Shop) -> None:
    with hub.hub.database.reading() as session:
        name = session.get_one(WorkshopRow, shop.workshop).slug
    answer = hub.app.test_client().get("/api/v1/workshops").get_json()["workshops"]
    printers = [each["name"] for each in answer[0]["printers"]]
    made = hub.app.test_client().post(
        f"/api/v1/workshops/{name}/agents",
        json={"name": "board", "printers": printers},
        headers=hub.token(shop.owner, *Scope),
    )
    assert made.get_json()["hub_key"] == hub.hub.keys.current()
