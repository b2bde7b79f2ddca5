"""Photos of beds: who may bring one, until when, what is kept, and who sees it."""

import io
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from PIL import Image
from sqlalchemy import update
from werkzeug.test import TestResponse

from basis import clock, pictures
from designhub import backups
from designhub.auth import Scope
from router.models import RunRow
from tests.designhub.test_pages import check_shape, printed
from tests.support import builders as b
from tests.support.builders import Shop
from tests.support.cameras import picture
from tests.support.hubs import OpenHub


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    return hub.shop()


@pytest.fixture
def job(hub: OpenHub, shop: Shop) -> UUID:
    made = hub.ordered(shop)[0]
    printed(hub, shop, made)
    return made


def run_of(hub: OpenHub, job: UUID) -> RunRow:
    with hub.hub.database.reading() as session:
        return session.query(RunRow).filter(RunRow.job_id == job).one()


def bring(hub: OpenHub, agent: UUID, run: UUID, content: bytes) -> TestResponse:
    return hub.app.test_client().post(
        f"/api/v1/runs/{run}/photo",
        data=content,
        content_type="image/jpeg",
        headers=hub.agent_token(agent),
    )


def test_maker_and_workshop_see_it_and_nobody_else(hub: OpenHub, shop: Shop, job: UUID) -> None:
    run = run_of(hub, job)
    first = bring(hub, shop.agent, run.id, picture())
    assert first.status_code == 200, first.text
    again = bring(hub, shop.agent, run.id, picture((100, 80)))
    assert again.get_json() == first.get_json()  # the first one stays
    path = f"/jobs/{job}/runs/{run.id}/photo.jpg"
    maker, owner = hub.client("maker"), hub.client("owner")
    for client in (maker, owner):
        answer = client.get(path)
        assert answer.status_code == 200 and answer.content_type == "image/jpeg"
        assert Image.open(io.BytesIO(answer.data)).size == (640, 480)
        assert answer.headers["Cache-Control"] == "private, no-cache"
        answer.close()
    for page in (maker.get(f"/jobs/{job}").text, owner.get(f"/printers/{shop.printer}").text):
        check_shape(page, "photo")
        assert f'src="{path}"' in page
    hub.account("stranger")
    assert hub.client("stranger").get(path).status_code == 404
    assert hub.client().get(path).status_code == 302  # to sign in
    assert path not in hub.client().get(f"/printers/{shop.printer}").text
    header = hub.token(shop.maker, Scope.READ)
    said = hub.app.test_client().get(f"/api/v1/jobs/{job}", headers=header).get_json()
    address = said["runs"][0]["photo"]
    with hub.app.test_client().get(address, headers=header) as shown:
        assert shown.data.startswith(b"\xff\xd8")
    assert hub.app.test_client().get(address).status_code == 401
    assert maker.get(f"/jobs/{job}/runs/{uuid4()}/photo.jpg").status_code == 404


def test_few_are_drawn_at_once_and_the_rest_come_again(hub: OpenHub, shop: Shop, job: UUID) -> None:
    run = run_of(hub, job)
    for _place in range(pictures.AT_ONCE):
        assert pictures.places.acquire(blocking=False)
    try:
        answer = bring(hub, shop.agent, run.id, picture())
    finally:
        pictures.places.release(pictures.AT_ONCE)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) == pictures.AGAIN_S
    assert bring(hub, shop.agent, run.id, b"no picture").status_code == 422  # gives its place back
    assert bring(hub, shop.agent, run.id, picture()).status_code == 200


def test_only_the_run_s_own_agent_brings_it(hub: OpenHub, shop: Shop, job: UUID) -> None:
    run = run_of(hub, job)
    with hub.hub.database.writing() as session:
        place = b.workshop(session, b.account(session))
        other = b.agent(session, place, [b.printer(session, place).id])
    assert bring(hub, other, run.id, picture()).status_code == 404
    assert bring(hub, shop.agent, uuid4(), picture()).status_code == 404
    assert run_of(hub, job).photo_sha256 is None


def test_not_before_the_start_and_not_long_after_the_end(hub: OpenHub, shop: Shop) -> None:
    job = hub.ordered(shop)[0]
    with hub.hub.database.writing() as session:
        run = b.take(session, shop, now=clock.now())
        assert run is not None
        assert run.job_id == job
    assert bring(hub, shop.agent, run.id, picture()).status_code == 409
    late = clock.now() - timedelta(days=1, seconds=1)
    with hub.hub.database.writing() as session:
        session.execute(update(RunRow).values(permitted_at=late, ended_at=late))
    assert bring(hub, shop.agent, run.id, picture()).status_code == 409


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"<html>", 422),
        (picture()[:300], 422),
        (b"\xff\xd8\xff" * (pictures.MOST_BYTES // 3 + 1), 413),
    ],
    ids=["empty", "page", "cut off", "large"],
)
def test_what_is_no_picture_is_refused(
    hub: OpenHub, shop: Shop, job: UUID, content: bytes, status: int
) -> None:
    run = run_of(hub, job)
    assert bring(hub, shop.agent, run.id, content).status_code == status
    assert run_of(hub, job).photo_sha256 is None


def test_backups_keep_it(hub: OpenHub, shop: Shop, job: UUID) -> None:
    run = run_of(hub, job)
    sha256 = bring(hub, shop.agent, run.id, picture()).get_json()["sha256"]
    path = hub.hub.blobs.path(sha256)
    assert path.is_file()
    assert path.relative_to(hub.hub.settings.data_dir).parts[0] in backups.FOLDERS
