"""Who may see and do what: every page and API call, by role, for a private design and an order."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import select, update

from basis import clock
from commons import queries as book
from designhub.auth import Scope
from designs.models import DesignRow, MeshRow, PartRow, RefRow, VersionRow, Visibility
from printers.models import WorkshopRow
from router.models import JobRow, OrderRow
from router.states import Job
from tests.support import builders
from tests.support.builders import NOW, Shop
from tests.support.hubs import Client, OpenHub

ROLES = ("visitor", "stranger", "maker", "owner", "operator")
SECRET = "Zwergenlampe"
GLB = b"glTF and a model"
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A hub where `owner` runs a workshop and has a private design; `maker` ordered from them."""

    hub: OpenHub
    shop: Shop
    design: DesignRow
    part_id: int
    order: UUID
    quote: UUID
    job: UUID
    workshop: str
    clients: Mapping[str, Client]

    def path(self, template: str) -> str:
        """An address with the ids of this place filled in."""
        return template.format(
            slug=self.design.slug,
            part=self.part_id,
            order=self.order,
            quote=self.quote,
            job=self.job,
            workshop=self.workshop,
            printer=self.shop.printer,
            slot=0,
            agent=self.shop.agent,
        )


@pytest.fixture
def place(hub: OpenHub) -> Place:
    """The maker has ordered before the design became private."""
    shop = hub.shop()
    hub.account("stranger")
    hub.account("operator", operator=True)
    job = hub.ordered(shop)[0]
    picture = hub.hub.blobs.put([PNG], most_bytes=1_000)
    model = hub.hub.blobs.put([gzip.compress(GLB, mtime=0)], most_bytes=1_000)
    with hub.hub.database.writing() as session:
        part = session.get_one(PartRow, shop.part.part_id)
        session.execute(
            update(MeshRow)
            .where(MeshRow.id == part.mesh_id)
            .values(picture_sha256=picture.sha256, glb_sha256=model.sha256)
        )
        version = session.get_one(VersionRow, part.version_id)
        session.add(
            RefRow(
                design_id=version.design_id,
                ref="refs/heads/main",
                version_id=version.id,
                updated_at=NOW,
            )
        )
        design = session.get_one(DesignRow, version.design_id)
        design.title, design.description = SECRET, f"{SECRET} in detail"
        design.visibility = Visibility.PRIVATE
        order, quote = session.execute(select(OrderRow.id, OrderRow.quote_id)).one()
        workshop = session.scalars(select(WorkshopRow.slug)).one()
    clients = {role: hub.client(None if role == "visitor" else role) for role in ROLES}
    return Place(
        hub=hub,
        shop=shop,
        design=design,
        part_id=shop.part.part_id,
        order=order,
        quote=quote,
        job=job,
        workshop=workshop,
        clients=clients,
    )


PAGES = {
    "/owner": (200, 200, 200, 200, 200),
    "/me/notices": (302, 200, 200, 200, 200),
    # visitor, stranger, maker, owner, operator
    "/me": (302, 200, 200, 200, 200),
    "/me/password": (302, 200, 200, 200, 200),
    "/me/tokens": (302, 200, 200, 200, 200),
    "/me/invitations": (302, 403, 403, 403, 200),
    "/me/close": (302, 200, 200, 200, 200),
    "/reset": (200, 200, 200, 200, 200),
    "/confirm": (404, 404, 404, 404, 404),
    "/": (200, 200, 200, 200, 200),
    "/designs": (200, 200, 200, 200, 200),
    "/about": (200, 200, 200, 200, 200),
    "/designs.atom": (200, 200, 200, 200, 200),
    "/robots.txt": (200, 200, 200, 200, 200),
    "/sitemap.xml": (200, 200, 200, 200, 200),
    "/owner/{slug}": (404, 404, 404, 200, 404),
    "/owner/{slug}?version=main": (404, 404, 404, 200, 404),
    "/designs/new": (302, 200, 200, 200, 200),
    "/me/designs": (302, 200, 200, 200, 200),
    "/owner/{slug}/settings": (302, 404, 404, 200, 404),
    "/owner/{slug}/upload": (302, 404, 404, 200, 404),
    "/owner/{slug}/versions": (404, 404, 404, 200, 404),
    "/owner/{slug}/events": (404, 404, 404, 503, 404),  # look again by yourself
    "/owner/{slug}/files/main/": (404, 404, 404, 404, 404),  # nothing was pushed
    "/parts/{part}.png": (404, 404, 404, 200, 200),  # the operator speaks for every workshop
    "/parts/{part}/poses.png": (404, 404, 404, 200, 200),
    "/parts/{part}.stl": (404, 404, 404, 200, 404),
    "/parts/{part}.glb": (404, 404, 404, 200, 200),
    "/make/{part}": (404, 404, 404, 200, 404),
    "/make": (404, 404, 404, 404, 404),  # it names no part
    "/make?copies-{part}=1": (404, 404, 404, 200, 404),
    "/places": (200, 200, 200, 200, 200),
    "/quotes/{quote}": (404, 404, 404, 404, 404),  # the design became private meanwhile
    "/orders": (302, 200, 200, 200, 200),
    "/orders/{order}": (302, 404, 200, 404, 200),
    "/jobs/{job}": (302, 404, 200, 200, 200),
    "/workshops": (200, 200, 200, 200, 200),
    "/me/printers": (302, 200, 200, 200, 200),
    "/printers/{printer}": (200, 200, 200, 200, 200),
    "/printers/{printer}/qr.svg": (302, 403, 403, 200, 200),
    "/printers/{printer}/label": (302, 403, 403, 200, 200),
    "/printers/{printer}/edit": (302, 403, 403, 200, 200),
    "/printers/{printer}/upkeep": (302, 403, 403, 200, 200),
    "/workshops/new": (302, 200, 200, 200, 200),
    "/workshops/{workshop}/edit": (302, 403, 403, 200, 200),
    "/workshops/{workshop}/printers/new": (302, 403, 403, 200, 200),
    "/workshops/{workshop}/printers/machines": (302, 403, 403, 200, 200),
    "/workshops/{workshop}/connect": (302, 403, 403, 200, 200),
    "/workshops/{workshop}/attach": (302, 403, 403, 403, 200),  # into the operator's network
    "/workshops/{workshop}/connect/{agent}": (302, 403, 403, 404, 404),  # no such code
    "/workshops/{workshop}": (200, 200, 200, 200, 200),
    "/book": (200, 200, 200, 200, 200),
    "/book/balances": (200, 200, 200, 200, 200),
    "/book/check": (200, 200, 200, 200, 200),
    "/book/entries/1": (200, 200, 200, 200, 200),
    "/book/orders/{order}": (200, 200, 200, 200, 200),
    "/book/entries.jsonl": (200, 200, 200, 200, 200),
    "/book/verify.py": (200, 200, 200, 200, 200),
    "/docs/api": (200, 200, 200, 200, 200),
    "/docs/errors": (200, 200, 200, 200, 200),
    "/map/places.json": (200, 200, 200, 200, 200),
    "/map/places?bbox=10,59,11,60": (200, 200, 200, 200, 200),
    "/style/part.glb": (200, 200, 200, 200, 200),
    "/style": (200, 200, 200, 200, 200),
}

BUTTONS = {
    "/designs/new": (401, 422, 422, 422, 422),
    "/owner/{slug}/settings": (401, 404, 404, 422, 404),
    "/owner/{slug}/upload": (401, 404, 404, 422, 404),
    "/me/notices/read": (401, 303, 303, 303, 303),
    "/me": (401, 303, 303, 303, 303),
    "/me/mail": (401, 422, 422, 422, 422),
    "/me/password": (401, 422, 422, 422, 422),
    "/me/tokens": (401, 422, 422, 422, 422),
    "/me/tokens/{printer}/revoke": (401, 404, 404, 404, 404),
    "/me/invitations": (401, 403, 403, 403, 409),
    "/me/invitations/{printer}/take-back": (401, 403, 403, 403, 303),
    "/me/close": (401, 422, 422, 422, 422),
    "/reset": (422, 422, 422, 422, 422),
    "/reset/password": (404, 404, 404, 404, 404),
    "/confirm": (404, 404, 404, 404, 404),
    "/make/{part}": (404, 404, 404, 422, 404),
    "/make": (404, 404, 404, 404, 404),
    "/quotes/{quote}/again": (404, 404, 404, 404, 404),
    "/orders": (401, 422, 422, 422, 422),
    "/jobs/{job}/passed": (401, 404, 403, 409, 409),
    "/jobs/{job}/failed": (401, 404, 403, 422, 422),
    "/jobs/{job}/retry": (401, 404, 403, 303, 303),  # it is ready: said already
    "/jobs/{job}/agree": (401, 404, 403, 303, 303),
    "/jobs/{job}/received": (401, 404, 409, 409, 409),
    "/jobs/{job}/explode": (401, 404, 404, 404, 404),
    "/printers/{printer}/bed-clear": (401, 403, 403, 303, 303),
    "/workshops/new": (401, 422, 422, 422, 422),
    "/workshops/{workshop}/edit": (401, 403, 403, 422, 422),
    "/workshops/{workshop}/printers/new": (401, 403, 403, 422, 422),
    "/workshops/{workshop}/printers/machines": (401, 403, 403, 404, 404),
    "/workshops/{workshop}/connect": (401, 403, 403, 422, 422),
    "/workshops/{workshop}/attach": (401, 403, 403, 403, 409),
    "/workshops/{workshop}/attach/{printer}/detach": (401, 403, 403, 403, 303),
    "/workshops/{workshop}/agents/{agent}/revoke": (401, 403, 403, 303, 404),
    "/printers/{printer}/edit": (401, 403, 403, 422, 422),
    "/printers/{printer}/try": (401, 403, 403, 303, 303),
    "/printers/{printer}/bed-undo": (401, 403, 403, 409, 409),  # it is over a minute ago
    "/printers/{printer}/spools/{slot}/unload": (401, 403, 403, 303, 404),
    "/printers/{printer}/remove": (401, 403, 403, 409, 409),  # a job of it is open
    "/printers/{printer}/duty": (401, 403, 403, 422, 422),
    "/printers/{printer}/ejects": (401, 403, 403, 303, 303),
    "/printers/{printer}/plates": (401, 403, 403, 422, 422),
    "/printers/{printer}/quiet": (401, 403, 403, 303, 303),
    "/printers/{printer}/upkeep": (401, 403, 403, 422, 422),
    "/printers/{printer}/spools": (401, 403, 403, 422, 422),
    "/jobs/{job}/messages": (401, 404, 422, 422, 422),
    "/jobs/{job}/cancel": (401, 404, 303, 303, 303),
    "/orders/{order}/cancel": (401, 404, 303, 404, 303),
    "/owner/{slug}/remove": (401, 404, 404, 303, 404),
    "/me/designs/{part}/restore": (401, 404, 404, 303, 404),
}


def test_pages_by_role(place: Place) -> None:
    for template, wanted in PAGES.items():
        path = place.path(template)
        found = tuple(place.clients[role].get(path).status_code for role in ROLES)
        assert found == wanted, path


def test_buttons_by_role(place: Place) -> None:
    for template, wanted in BUTTONS.items():
        path = place.path(template)
        found = tuple(place.clients[role].form(path).status_code for role in ROLES)
        assert found == wanted, path


def test_the_tables_hold_every_page(place: Place) -> None:
    def plain(rule: str) -> str:
        return rule.replace("<uuid:", "{").replace("<int:", "{").replace("<", "{").replace(">", "}")

    shapes = {
        "{order_id}": "{order}",
        "{quote_id}": "{quote}",
        "{job_id}": "{job}",
        "{printer_id}": "{printer}",
        "{part_id}": "{part}",
        "{design_id}": "{part}",  # made together, one of each
        "{token_id}": "{printer}",  # no token has a printer's id
        "{link_id}": "{printer}",
        "{enrolment_id}": "{agent}",  # nor a code an agent's
        "{agent_id}": "{agent}",
        "{seq}": "1",
        "/workshops/{slug}": "/workshops/{workshop}",
        "/{owner}/{slug}": "/owner/{slug}",
        "/{owner}": "/owner",
    }
    elsewhere = {"/sign-in", "/sign-up", "/sign-out", "/jobs/{job}/{word}", "/language/{code}"}
    elsewhere |= {"/static/built/{name}", "/static/words/{code}.json", "/map/places"}
    elsewhere.add("/me/sign-out-everywhere")  # test_people
    # test_files: by role, in a repository
    elsewhere |= {
        "/owner/{slug}/files/{version}/",
        "/owner/{slug}/files/{version}/{path:path}",
        "/owner/{slug}/raw/{version}/{path:path}",
        "/owner/{slug}/archive/{version}.zip",
    }
    elsewhere |= {"/jobs/{job}/events", "/orders/{order}/events"}  # test_live: they do not end
    elsewhere.add("/workshops/{workshop}/events")
    elsewhere.add("/jobs/{job}/runs/{run_id}/provenance.json")  # test_provenance
    elsewhere.add("/jobs/{job}/runs/{run_id}/photo.jpg")  # test_photos
    for rule in place.hub.app.url_map.iter_rules():
        if not rule.endpoint.startswith("web."):
            continue
        path = plain(rule.rule)
        for shape, ours in shapes.items():
            path = path.replace(shape, ours)
        table = BUTTONS if "POST" in (rule.methods or ()) else PAGES
        assert path in table or path in elsewhere, rule.rule


def test_a_private_design_shows_nowhere_else(place: Place) -> None:
    """Its maker and its workshop know it from the order; nobody else reads its name anywhere."""
    public = [
        "/",
        "/designs",
        f"/designs?q={SECRET}",
        "/workshops",
        "/workshops/{workshop}",
        "/book",
    ]
    public += ["/book/orders/{order}", "/book/entries/2", "/book/balances"]
    public += ["/book/entries.jsonl", "/api/v1/designs", f"/api/v1/designs?q={SECRET}"]
    public += ["/owner/{slug}", "/api/v1/workshops/{workshop}", "/api/v1/book/entries"]
    for template in public:
        for role in ("visitor", "stranger", "maker"):
            answer = place.clients[role].get(place.path(template))
            found = answer.text.replace(f"“{SECRET}”", "").replace(f'value="{SECRET}"', "")
            found = found.replace(f"<title>{SECRET}", "")  # what was searched for is said back
            assert SECRET not in found, (role, template)
    assert SECRET in place.clients["owner"].get("/").text
    assert SECRET in place.clients["maker"].get(place.path("/jobs/{job}")).text


def test_a_removed_design_is_gone_for_its_owner_too(place: Place) -> None:
    with place.hub.hub.database.writing() as session:
        session.execute(update(DesignRow).values(deleted_at=NOW))
    for template in ("/owner/{slug}", "/parts/{part}.png", "/parts/{part}.glb", "/make/{part}"):
        assert place.clients["owner"].get(place.path(template)).status_code == 404


def test_a_workshop_sees_what_it_has_to_make_for_as_long_as_it_has_to(place: Place) -> None:
    """The design belongs to somebody else, and is private: its picture, and nothing more."""
    hub, picture, job = place.hub, place.path("/parts/{part}.png"), place.path("/jobs/{job}")
    board = place.path("/printers/{printer}")
    designer, another = hub.account("designer"), hub.account("another")
    with hub.hub.database.writing() as session:
        session.execute(update(DesignRow).values(owner_id=designer))
        builders.workshop(session, another, slug="elsewhere")
        assert builders.take(session, place.shop, now=clock.now()) is not None

    def seen(role: str) -> tuple[int, int]:
        client = place.clients[role]
        return client.get(picture).status_code, client.get(job).status_code

    assert hub.client("another").get(picture).status_code == 404
    assert seen("owner") == seen("operator") == (200, 200)
    assert picture in place.clients["owner"].get(board).text
    assert seen("maker") == (404, 200)
    assert seen("stranger") == (404, 404)
    for path in (f"/designer/{place.design.slug}", place.path("/make/{part}")):
        assert place.clients["owner"].get(path).status_code == 404
    for state, status in ((Job.PASSED, 200), (Job.DONE, 404), (Job.CANCELLED, 404)):
        with hub.hub.database.writing() as session:
            session.execute(update(JobRow).values(state=state))
        assert seen("owner") == seen("operator") == (status, 200)
        assert SECRET in place.clients["owner"].get(job).text


def test_pictures_are_kept_by_strangers_only_when_public(place: Place) -> None:
    path = place.path("/parts/{part}.png")
    own = place.clients["owner"].get(path)
    assert own.data == PNG and own.content_type == "image/png"
    assert own.headers["Cache-Control"] == "private, no-cache"
    assert own.headers["X-Content-Type-Options"] == "nosniff"
    with place.hub.hub.database.writing() as session:
        session.execute(update(DesignRow).values(visibility=Visibility.PUBLIC))
    public = place.clients["visitor"].get(path)
    assert public.headers["Cache-Control"].startswith("public, max-age=")
    assert "Set-Cookie" not in public.headers and "Cookie" not in public.headers.get("Vary", "")
    again = place.clients["visitor"].flask.get(
        path, headers={"If-None-Match": public.headers["ETag"]}, buffered=True
    )
    assert again.status_code == 304


def test_models_are_for_whom_the_picture_is(place: Place) -> None:
    path = place.path("/parts/{part}.glb")
    packed = place.clients["owner"].flask.get(
        path, headers={"Accept-Encoding": "gzip"}, buffered=True
    )
    plain = place.clients["owner"].get(path)
    assert gzip.decompress(packed.data) == plain.data == GLB
    for answer in (packed, plain):
        assert answer.content_type == "model/gltf-binary"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "Accept-Encoding" in answer.vary
    again = {"If-None-Match": packed.headers["ETag"], "Accept-Encoding": "gzip"}
    assert place.clients["owner"].flask.get(path, headers=again, buffered=True).status_code == 304
    with place.hub.hub.database.writing() as session:
        session.execute(update(DesignRow).values(visibility=Visibility.PUBLIC))
    public = place.clients["visitor"].get(path)
    assert public.headers["Cache-Control"].startswith("public, max-age=")
    assert public.vary.to_header() == "Accept-Encoding"
    for unmade in ("", None):
        with place.hub.hub.database.writing() as session:
            session.execute(update(MeshRow).values(glb_sha256=unmade))
        assert place.clients["visitor"].get(path).status_code == 404


def test_the_queue_is_for_the_workshop(place: Place) -> None:
    path = place.path("/workshops/{workshop}")
    for role in ("visitor", "stranger", "maker"):
        page = place.clients[role].get(path).text
        assert str(place.job) not in page and "<form method" not in page.split("</header>")[1]
    for role in ("owner", "operator"):
        page = place.clients[role].get(path).text
        assert str(place.job) in page and "Load or unload a spool" in page


def test_each_side_of_a_job_sees_its_own_buttons(place: Place) -> None:
    path = place.path("/jobs/{job}")
    maker, owner = (place.clients[role].get(path).text for role in ("maker", "owner"))
    assert "ordered by maker" in owner and "your order" in maker
    assert "/cancel" in maker and "/cancel" in owner
    assert "/passed" not in maker + owner  # nothing is printed yet


def test_the_open_book_names_nobody(place: Place) -> None:
    place.clients["maker"].form(place.path("/jobs/{job}/cancel"))
    with place.hub.hub.database.reading() as session:
        assert len(book.entries(session).entries) >= 4
    for path in ("/book", "/book/entries.jsonl", "/api/v1/book/entries"):
        text = place.clients["visitor"].get(path).text.replace('"maker":', "")
        assert "maker" not in text and "owner" not in text, path


def test_the_api_keeps_the_same_secrets(place: Place) -> None:
    hub, shop = place.hub, place.shop
    with hub.hub.database.reading() as session:
        stranger = session.execute(
            select(DesignRow.owner_id).where(DesignRow.id == place.design.id)
        ).scalar_one()
    assert stranger == shop.owner
    tokens = {
        "stranger": hub.token(hub.account("another"), *Scope),
        "maker": hub.token(shop.maker, *Scope),
        "owner": hub.token(shop.owner, *Scope),
    }
    wanted = {
        "/api/v1/designs/owner/{slug}": (404, 404, 200),
        "/api/v1/designs/owner/{slug}/versions": (404, 404, 200),
        "/api/v1/designs/owner/{slug}/versions/main": (404, 404, 200),
        "/api/v1/orders/{order}": (404, 200, 404),
        "/api/v1/jobs/{job}": (404, 200, 200),
    }
    client = hub.app.test_client()
    for template, statuses in wanted.items():
        found = tuple(
            client.get(place.path(template), headers=header).status_code
            for header in tokens.values()
        )
        assert found == statuses, template
    quoted = {"design": f"owner/{place.design.slug}", "place": "Oslo"}
    asked = [
        client.post("/api/v1/quotes", json=quoted, headers=header).status_code
        for header in tokens.values()
    ]
    assert asked == [404, 404, 201]
