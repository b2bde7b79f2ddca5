"""The side-task queue: quick to begin, harmless to lose, never fatal."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from basis.tasks import Every, Queue, make_queue

done: list[int] = []
event = threading.Event()


def work(number: int) -> None:
    done.append(number)
    event.set()


def broken(number: int) -> None:
    raise RuntimeError(f"cannot do {number}")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = make_queue(url="", folder=tmp_path)
    queue.register(work)
    queue.register(broken)
    done.clear()
    event.clear()
    yield queue


def test_a_task_begins_soon_and_a_broken_one_stops_nothing(queue: Queue) -> None:
    consumer = queue.consumer(threads=1)
    consumer.start()
    try:
        queue.soon(broken, 1)
        queue.soon(work, 2)
        assert event.wait(10)
    finally:
        consumer.stop(graceful=True)
    assert done == [2]


def test_a_task_waits_for_a_worker_of_another_process(queue: Queue, tmp_path: Path) -> None:
    queue.soon(work, 7)
    assert queue.pending() == 1
    other = make_queue(url="", folder=tmp_path)
    other.register(work)
    consumer = other.consumer(threads=1)
    consumer.start()
    try:
        assert event.wait(10)
    finally:
        consumer.stop(graceful=True)
    assert queue.pending() == 0


def test_a_queue_that_is_away_is_not_an_error_of_the_caller() -> None:
    queue = make_queue(url="redis://127.0.0.1:1/0", folder=Path("unused"))
    queue.register(work)
    queue.soon(work, 1)  # logged; the sweep will ask again


def test_every_goes_on_after_a_failure() -> None:
    calls: list[float] = []

    def flaky() -> None:
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise RuntimeError("once")

    every = Every(0.01, flaky)
    every.start()
    deadline = time.monotonic() + 10
    while len(calls) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    every.stop()
    assert len(calls) >= 3
