"""Attached printers: wishes from the page, and the process that tends them."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import select, update
from werkzeug.serving import make_server

from basis import clock
from basis.db import Database
from basis.errors import Conflict, Invalid
from designhub.attached import Keeper
from designhub.auth import Scope
from designhub.hub import secret_key
from printers import attaching, registry
from printers.models import AgentRow, AttachedRow, Attaching, Bed, PrinterRow, WorkshopRow
from printers.networks import Networks
from router.models import JobRow, RunRow
from router.states import Run
from tests.designhub.test_pages import check_shape
from tests.printers.test_appkeys import decide
from tests.support import builders
from tests.support.agent_process import gcode, until
from tests.support.builders import Shop
from tests.support.hubs import Client, OpenHub
from tests.support.octoprint_fixtures import Farm

HERE = Networks.parse("127.0.0.0/8")
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    hub.account("root", operator=True)
    object.__setattr__(hub.hub.settings, "attached_networks", "127.0.0.0/8")
    return hub.shop()


@pytest.fixture
def root(hub: OpenHub, shop: Shop) -> Client:
    return hub.client("root")


def page(hub: OpenHub) -> str:
    with hub.hub.database.reading() as session:
        return f"/workshops/{session.scalars(select(WorkshopRow.slug)).one()}/attach"


def wish(hub: OpenHub, shop: Shop, root: Client, *, url: str, key: str = "") -> None:
    said = root.form(page(hub), printer=str(shop.printer), url=url, key=key)
    assert said.status_code == 303, said.text


def row_of(database: Database, printer: UUID) -> AttachedRow:
    with database.reading() as session:
        return attaching.one(session, printer)


@contextmanager
def keeping(
    hub: OpenHub, networks: Networks = HERE, *, hub_url: str = "http://127.0.0.1:9"
) -> Iterator[None]:
    stop = threading.Event()
    keeper = Keeper(hub.hub, hub_url=hub_url, networks=networks)
    thread = threading.Thread(target=keeper.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def sliced(hub: OpenHub, jobs: list[UUID], content: bytes) -> None:
    """Have real G-code for jobs that were only counted as sliced."""
    blob = hub.hub.blobs.put([content], most_bytes=100_000)
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    with hub.hub.database.writing() as session:
        session.execute(
            update(JobRow)
            .where(JobRow.id.in_(jobs))
            .values(gcode_sha256=blob.sha256, gcode_sha1=sha1, gcode_bytes=len(content))
        )


def settled(hub: OpenHub, shop: Shop, *states: Attaching) -> AttachedRow:
    until(lambda: row_of(hub.hub.database, shop.printer).state in states, limit_s=20)
    return row_of(hub.hub.database, shop.printer)


# The page.


def test_only_operators_attach(hub: OpenHub, shop: Shop) -> None:
    owner = hub.client("owner")
    for answer in (
        owner.get(page(hub)),
        owner.form(page(hub), printer=str(shop.printer), url="http://127.0.0.1"),
        owner.form(f"{page(hub)}/{shop.printer}/detach"),
    ):
        assert answer.status_code == 403
        assert "operators" in answer.text


def test_without_networks_nothing_is_attached(hub: OpenHub, shop: Shop, root: Client) -> None:
    object.__setattr__(hub.hub.settings, "attached_networks", "")
    shown = root.get(page(hub)).text
    check_shape(shown, "attach")
    assert "connects to no printer" in shown
    said = root.form(page(hub), printer=str(shop.printer), url="http://127.0.0.1")
    assert said.status_code == 409


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("ftp://printer", ""),
        ("http://me:secret@printer", ""),
        ("", ""),
        ("http://printer?x=1", ""),
        ("http://printer/" + "a" * 400, ""),
        ("http://printer", "a key"),
        ("http://printer", "k" * 500),
    ],
)
def test_what_cannot_be_attached(
    hub: OpenHub, shop: Shop, root: Client, url: str, key: str
) -> None:
    said = root.form(page(hub), printer=str(shop.printer), url=url, key=key)
    assert said.status_code == 422
    assert "secret" not in said.text


def test_the_key_is_sealed_and_shown_to_nobody(hub: OpenHub, shop: Shop, root: Client) -> None:
    wish(hub, shop, root, url="http://127.0.0.1:9", key=KEY)
    row = row_of(hub.hub.database, shop.printer)
    assert KEY not in row.sealed_key
    assert attaching.opened(row.sealed_key, secret=secret_key(hub.hub.settings)) == KEY
    with pytest.raises(Invalid, match="another secret"):
        attaching.opened(row.sealed_key, secret="another")
    pages = [page(hub), f"/printers/{shop.printer}", page(hub).replace("attach", "connect")]
    texts = [root.get(each).text for each in pages]
    texts.append(hub.app.test_client().get(f"/api/v1/printers/{shop.printer}").text)
    for text in texts:
        assert KEY not in text
        assert row.sealed_key not in text
    files = [each for each in hub.hub.settings.data_dir.rglob("*") if each.is_file()]
    assert not any(KEY.encode() in each.read_bytes() for each in files)


# Where it connects.


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_what_is_not_in_the_networks_is_not_connected_to(
    hub: OpenHub, shop: Shop, root: Client, host: str
) -> None:
    wish(hub, shop, root, url=f"http://{host}:9", key=KEY)
    with keeping(hub, Networks.parse("192.168.7.0/24")):
        row = settled(hub, shop, Attaching.TROUBLE)
    assert "none of the networks" in row.trouble
    shown = root.get(page(hub)).text
    check_shape(shown, "attach in trouble")
    assert "none of the networks" in shown


def test_trouble_is_said_in_words(hub: OpenHub, shop: Shop, root: Client) -> None:
    wish(hub, shop, root, url="http://127.0.0.1:9", key=KEY)
    with keeping(hub):
        assert "nobody answers there" in settled(hub, shop, Attaching.TROUBLE).trouble


@pytest.mark.octoprint
def test_a_wrong_key_is_said_in_words_and_what_answered_is_not_shown(
    hub: OpenHub, shop: Shop, root: Client, farm: Farm
) -> None:
    wish(hub, shop, root, url=farm.fresh(0).url, key="wrong")
    with keeping(hub):
        row = settled(hub, shop, Attaching.TROUBLE)
    assert "is the key right" in row.trouble
    assert "permission to access" not in row.trouble


def attached(hub: OpenHub, printer: UUID, *, secret: str = "") -> None:
    """As if the hub had been let in; its key sealed with `secret`."""
    own = secret_key(hub.hub.settings)
    sealed = attaching.sealed(KEY, secret=secret or own)
    with hub.hub.database.writing() as session:
        row = attaching.one(session, printer)
        attaching.attach(session, row, sealed_key=sealed, secret=own, now=clock.now())


def test_one_octoprint_is_one_printer(hub: OpenHub, shop: Shop, root: Client) -> None:
    wish(hub, shop, root, url="http://127.0.0.1:9", key=KEY)
    wish(hub, shop, root, url="http://127.0.0.1:9/", key=KEY)  # the same printer, said again
    other = builders.shop(hub.hub.database)
    with hub.hub.database.writing() as session, pytest.raises(Conflict, match="its own"):
        attaching.ask(
            session,
            printer=session.get_one(PrinterRow, other.printer),
            url="http://127.0.0.1:9",
            sealed_key="",
            by=shop.maker,
            now=clock.now(),
        )


def test_no_other_agent_takes_the_name_of_the_hub_s_own(hub: OpenHub, shop: Shop) -> None:
    header = hub.token(shop.owner, Scope.OPERATE)
    with hub.hub.database.reading() as session:
        printer = session.get_one(PrinterRow, shop.printer)
        path = f"/api/v1/workshops/{printer.workshop.slug}/agents"
        said = {"name": attaching.NAME, "printers": [printer.name]}
    answer = hub.app.test_client().post(path, json=said, headers=header)
    assert answer.status_code == 422
    assert "choose another" in answer.text


def test_a_key_of_another_secret_stops_no_other_printer(
    hub: OpenHub, shop: Shop, root: Client
) -> None:
    wish(hub, shop, root, url="http://127.0.0.1:9", key=KEY)
    attached(hub, shop.printer, secret="another")
    Keeper(hub.hub, hub_url="http://127.0.0.1:9", networks=HERE).once()
    row = row_of(hub.hub.database, shop.printer)
    assert row.state is Attaching.TROUBLE
    assert "attach it anew" in row.trouble


def test_a_closed_workshop_s_printers_are_tended_no_more(
    hub: OpenHub, shop: Shop, root: Client
) -> None:
    wish(hub, shop, root, url="http://127.0.0.1:9", key=KEY)
    attached(hub, shop.printer)
    with hub.hub.database.writing() as session:
        session.execute(update(AgentRow).values(revoked_at=clock.now()))
    keeper = Keeper(hub.hub, hub_url="http://127.0.0.1:9", networks=HERE)
    keeper.once()
    assert row_of(hub.hub.database, shop.printer).state is Attaching.TROUBLE
    assert not keeper._working
    with hub.hub.database.writing() as session:
        workshop = session.get_one(WorkshopRow, shop.workshop)
        registry.close_workshop(session, workshop, now=clock.now())
    with hub.hub.database.reading() as session:
        assert session.scalars(select(AttachedRow)).all() == []  # its key is forgotten


# With a real OctoPrint.


@pytest.mark.octoprint
def test_the_owner_allows_it_in_octoprint(
    hub: OpenHub, shop: Shop, root: Client, farm: Farm
) -> None:
    octoprint = farm.fresh(0)
    wish(hub, shop, root, url=octoprint.url)
    with keeping(hub):
        row = settled(hub, shop, Attaching.WAITING)
        assert row.dialogue.startswith(octoprint.url)
        assert row.dialogue in root.get(page(hub)).text.replace("&amp;", "&")
        decide(octoprint, "DesignHub", granted=True)
        row = settled(hub, shop, Attaching.ATTACHED, Attaching.TROUBLE)
    assert row.state is Attaching.ATTACHED, row.trouble
    with hub.hub.database.reading() as session:
        printer = session.get_one(PrinterRow, shop.printer)
        assert printer.bed is Bed.OCCUPIED
        assert printer.agent_id is not None
        assert session.get_one(AgentRow, printer.agent_id).name == attaching.NAME


@pytest.mark.octoprint
def test_the_hub_prints_on_it_and_lets_it_go(
    hub: OpenHub, shop: Shop, root: Client, farm: Farm
) -> None:
    octoprint = farm.fresh(0)
    server = make_server("127.0.0.1", 0, hub.app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        with keeping(hub, hub_url=f"http://127.0.0.1:{server.server_port}"):
            wish(hub, shop, root, url=octoprint.url, key=octoprint.api_key)
            settled(hub, shop, Attaching.ATTACHED)
            database = hub.hub.database

            def reported() -> bool:
                with database.reading() as session:
                    printer = session.get_one(PrinterRow, shop.printer)
                    return printer.machine_state == "Operational"

            until(reported, limit_s=30)
            sliced(hub, hub.ordered(shop), gcode(0.5))
            assert root.form(f"/printers/{shop.printer}/bed-clear").status_code == 303

            def ended() -> bool:
                with database.reading() as session:
                    runs = session.scalars(select(RunRow)).all()
                    return [run.state for run in runs] == [Run.PRINTED]

            until(ended, limit_s=60)
            assert root.form(f"{page(hub)}/{shop.printer}/detach").status_code == 303
            with database.reading() as session:
                assert session.get(AttachedRow, shop.printer) is None
                assert session.get_one(PrinterRow, shop.printer).agent_id is None
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_another_agent_takes_it_over(hub: OpenHub, shop: Shop, root: Client) -> None:
    secret, now = secret_key(hub.hub.settings), clock.now()
    wish(hub, shop, root, url="http://127.0.0.1:9", key=KEY)
    with hub.hub.database.writing() as session:
        row = attaching.one(session, shop.printer)
        first = attaching.token_of(session, shop.workshop, secret=secret)
        agent = attaching.attach(session, row, sealed_key=row.sealed_key, secret=secret, now=now)
        assert agent.digest == registry.token_digest(first)
        registry.enrol_agent(
            session, workshop_id=shop.workshop, name="board", printers=[shop.printer], now=now
        )
    with keeping(hub):
        row = settled(hub, shop, Attaching.TROUBLE)
    assert "another agent was enrolled" in row.trouble
    with hub.hub.database.writing() as session:
        registry.revoke_agent(session, workshop_id=shop.workshop, agent_id=agent.id, now=now)
        assert attaching.token_of(session, shop.workshop, secret=secret) != first
