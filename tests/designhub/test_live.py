"""Open pages are told of changes: soon, cheaply, and by few threads."""

import time
from collections.abc import Iterator
from threading import Thread
from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy import text, update

from designhub.live import MOST_OF_ONE, Topic, Watcher
from printers.models import PrinterRow
from printers.protocol import ReportEvent
from tests.support import builders
from tests.support.builders import Shop
from tests.support.hub_process import hub_process
from tests.support.hubs import OpenHub
from tests.support.statements import counted

LIMIT_S = 10.0


@pytest.fixture
def watcher(hub: OpenHub) -> Iterator[Watcher]:
    """A watcher that looks often and has three places."""
    made = Watcher(hub.hub.database, places=3, look_s=0.01, beat_s=0.02)
    yield made
    made.close()


def told(stream: Iterator[bytes]) -> str:
    """The next event of a stream."""
    until = time.monotonic() + LIMIT_S
    for piece in stream:
        if piece.startswith(b"event: changed\nid: "):
            return piece.decode()
        assert time.monotonic() < until, piece
    raise AssertionError("the stream ended")


def silent(stream: Iterator[bytes]) -> bool:
    """Whether a stream says nothing but that it goes on."""
    return all(next(stream).startswith(b":") for _ in range(5))


def eventually(watcher: Watcher, watched: int) -> None:
    until = time.monotonic() + LIMIT_S
    while watcher.watched != watched:
        assert time.monotonic() < until
        time.sleep(0.005)


def stream_of(watcher: Watcher, kind: str, ident: UUID, *, seen: str = "") -> Iterator[bytes]:
    found = watcher.watch(Topic(kind, ident), viewer="somebody", seen=seen)
    assert found is not None
    return iter(found)


def test_what_happens_to_a_job_reaches_its_job_its_order_and_its_workshop(
    hub: OpenHub, watcher: Watcher
) -> None:
    shop = hub.shop()
    job, database = hub.ordered(shop)[0], hub.hub.database
    with database.reading() as session:
        order = session.execute(text("SELECT order_id FROM job")).scalar_one()
    streams = [
        stream_of(watcher, "job", job),
        stream_of(watcher, "order", UUID(str(order))),
        stream_of(watcher, "workshop", shop.workshop),
    ]
    assert [next(each) for each in streams] == [b"retry: 3000\n\n"] * 3
    first = [told(each) for each in streams]  # what the page was made from may be older
    assert all(silent(each) for each in streams)
    with database.writing() as session:
        run = builders.take(session, shop)
        assert run is not None
    assert [told(each) for each in streams] != first
    with database.writing() as session:
        builders.permit(session, shop, run)
    for each in streams:
        told(each)
    for progress in (100_000, 500_000):
        with database.writing() as session:
            builders.beat(session, shop, run, printing=True, progress_ppm=progress)
        for each in streams:
            told(each)
    with database.writing() as session:  # less than what is shown: nobody is woken
        builders.beat(session, shop, run, printing=True, progress_ppm=500_900)
    assert all(silent(each) for each in streams)
    with database.writing() as session:
        builders.report(session, shop, run, ReportEvent.FINISHED)
    for each in streams:
        told(each)


def test_a_workshop_changes_with_its_printers(hub: OpenHub, watcher: Watcher) -> None:
    shop = hub.shop()
    stream = stream_of(watcher, "workshop", shop.workshop)
    told(stream)
    with hub.hub.database.writing() as session:
        session.execute(update(PrinterRow).values(machine_state="Offline"))
    told(stream)


def test_a_page_that_knows_the_last_change_is_not_told_it_again(
    hub: OpenHub, watcher: Watcher
) -> None:
    job = hub.ordered(hub.shop())[0]
    mark = told(stream_of(watcher, "job", job)).split()[3]
    again = stream_of(watcher, "job", job, seen=mark)
    next(again)
    assert silent(again)


def test_many_streams_cost_what_one_does(hub: OpenHub) -> None:
    shop = hub.shop()
    jobs = [job for _ in range(8) for job in hub.ordered(shop)]
    watcher = Watcher(hub.hub.database, places=100, look_s=60)
    try:
        with counted(hub.hub.database) as statements:
            streams = [
                watcher.watch(Topic("job", job), viewer=f"{job}") for job in jobs for _ in range(3)
            ]
            for each in streams:
                assert each is not None
                told(iter(each))
        assert len(statements) <= len(streams)  # one for each time that somebody came
        watcher.look_s = 0.01
        with counted(hub.hub.database) as statements:
            extra = watcher.watch(Topic("workshop", shop.workshop), viewer="owner")
            assert extra is not None
            told(iter(extra))
        assert {each.count("FROM job") for each in statements} <= {0, 1}
    finally:
        watcher.close()


def test_places_are_counted_and_given_back(watcher: Watcher) -> None:
    topic = Topic("job", uuid4())
    taken = [watcher.watch(topic, viewer=f"{number}") for number in range(3)]
    assert watcher.watch(topic, viewer="late") is None
    for stream in taken:
        assert stream is not None
        stream.close()
        stream.close()  # a server may say it twice
    assert watcher.watched == 0
    assert watcher.watch(topic, viewer="late") is not None


def test_one_viewer_does_not_take_all_places(hub: OpenHub) -> None:
    watcher, topic = Watcher(hub.hub.database, places=100), Topic("job", uuid4())
    taken = [watcher.watch(topic, viewer="greedy") for _ in range(MOST_OF_ONE + 1)]
    assert taken[-1] is None and None not in taken[:-1]
    assert watcher.watch(topic, viewer="other") is not None
    watcher.close()


def test_nobody_looks_while_no_page_is_open(hub: OpenHub, watcher: Watcher) -> None:
    stream = watcher.watch(Topic("job", uuid4()), viewer="a")
    assert stream is not None
    told(iter(stream))
    thread = watcher._thread
    assert thread is not None
    stream.close()
    thread.join(LIMIT_S)
    assert not thread.is_alive()
    again = watcher.watch(Topic("job", uuid4()), viewer="a")
    assert again is not None and told(iter(again))


def test_a_stream_ends_with_its_life_and_with_the_hub(hub: OpenHub, watcher: Watcher) -> None:
    watcher.life_s = 0.05
    assert list(stream_of(watcher, "job", uuid4()))
    watcher.life_s = 60
    rest: list[bytes] = []
    reader = Thread(target=lambda: rest.extend(stream_of(watcher, "job", uuid4())))
    reader.start()
    eventually(watcher, 2)
    watcher.close()
    reader.join(LIMIT_S)
    assert not reader.is_alive()
    assert watcher.watch(Topic("job", uuid4()), viewer="late") is None


def test_a_database_that_fails_ends_no_stream(
    hub: OpenHub, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("designhub.live.AFTER_FAULT_S", 0.01)
    hub.ordered(hub.shop())
    stream = stream_of(watcher, "job", uuid4())
    told(stream)
    with hub.hub.database.writing() as session:
        session.execute(text("ALTER TABLE happening RENAME TO away"))
    assert silent(stream)
    with hub.hub.database.writing() as session:
        session.execute(text("ALTER TABLE away RENAME TO happening"))
    assert silent(stream)


@pytest.fixture
def shop(hub: OpenHub) -> Shop:
    """Somebody who orders, and whom they order from."""
    return hub.shop()


def test_only_those_who_may_see_a_page_get_its_stream(hub: OpenHub, shop: Shop) -> None:
    hub.account("stranger")
    job = hub.ordered(shop)[0]
    for who, status in ((None, 302), ("stranger", 404), ("maker", 200), ("owner", 200)):
        answer = hub.client(who).flask.get(f"/jobs/{job}/events", buffered=False)
        assert answer.status_code == status, who
        if status == 200:
            assert answer.content_type == "text/event-stream; charset=utf-8"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "event: changed" in told(answer.iter_encoded())
        answer.close()
    assert hub.hub.live.watched == 0


def test_a_page_without_a_place_is_told_when_to_ask_again(hub: OpenHub, shop: Shop) -> None:
    job, client = hub.ordered(shop)[0], hub.client("maker")
    held = [client.flask.get(f"/jobs/{job}/events", buffered=False) for _ in range(MOST_OF_ONE)]
    answer = client.get(f"/jobs/{job}/events")
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "30"
    for each in held:
        each.close()
    assert client.flask.get(f"/jobs/{job}/events", buffered=False).status_code == 200


def test_the_real_server_notices_who_went_and_ends_at_once(hub: OpenHub, shop: Shop) -> None:
    job = hub.ordered(shop)[0]
    cookie = hub.client("maker").flask.get_cookie("session")
    assert cookie is not None
    served = hub_process(
        hub.hub.settings.data_dir, SECRET_KEY="of a test", LIVE_STREAMS="1", SERVER_THREADS="8"
    )
    with served as server, requests.Session() as browser:
        browser.headers["Cookie"] = f"session={cookie.value}"
        url = f"{server.url}/jobs/{job}/events"

        def opened() -> requests.Response:
            return browser.get(url, stream=True, timeout=LIMIT_S)

        first = opened()
        assert "event: changed" in told(first.iter_content(None))
        assert opened().status_code == 503
        first.close()
        until = time.monotonic() + LIMIT_S
        with hub.hub.database.writing() as session:
            assert builders.take(session, shop) is not None  # the next event finds nobody
        while (again := opened()).status_code == 503:
            assert time.monotonic() < until
            time.sleep(0.05)
        began = time.monotonic()
        server.child.stop(grace_s=LIMIT_S)
        assert time.monotonic() - began < LIMIT_S / 2
        again.close()
