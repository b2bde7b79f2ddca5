"""The index of printers against a look at every one of them, and against the database."""

import random
from collections.abc import Iterable
from itertools import islice
from uuid import UUID

import pytest

import router.index
from basis.db import Database
from printers import registry
from printers.models import PrinterRow, WorkshopRow
from router.globe import great_circle_m
from router.index import Index
from tests.support import builders as b
from tests.support.databases import counted

Point = tuple[int, int]
PLACES: list[Point] = [
    (59_912_730, 10_746_090),
    (0, 179_999_000),
    (0, -179_999_000),
    (89_999_000, 45_000_000),
    (-89_999_000, -45_000_000),
]


def points(count: int, *, seed: int) -> list[Point]:
    """Points everywhere, and crowds at the antimeridian, at the poles and at one address."""
    chance = random.Random(seed)
    found = [
        (chance.randint(-90_000_000, 90_000_000), chance.randint(-180_000_000, 180_000_000))
        for _ in range(count // 2)
    ]
    while len(found) < count:
        lat, lon = chance.choice(PLACES)
        found.append((lat + chance.choice([0, 0, 500, -500]), lon))
    return found


class World:
    """Printers at points, in rows and in a dictionary."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.where: dict[UUID, Point] = {}
        self._owner: UUID | None = None

    def add(self, where: Iterable[Point]) -> None:
        with self._database.writing() as session:
            self._owner = self._owner or b.account(session)
            for lat, lon in where:
                shop = b.workshop(session, self._owner, lat_udeg=lat, lon_udeg=lon)
                self.where[b.printer(session, shop).id] = (lat, lon)

    def move(self, printer: UUID, to: Point) -> None:
        with self._database.writing() as session:
            row = session.get_one(PrinterRow, printer)
            place = session.get_one(WorkshopRow, row.workshop_id)
            place.lat_udeg, place.lon_udeg = to
            registry.touched(session, printer)
            self.where[printer] = to

    def nearest(self, here: Point) -> list[tuple[int, UUID]]:
        return sorted((great_circle_m(here, at), printer) for printer, at in self.where.items())

    def catch_up(self, index: Index) -> None:
        with self._database.reading() as session:
            index.catch_up(session)

    def check(self, index: Index, here: Point) -> None:
        """Every printer once, by distance and then by id, as near as it is."""
        found = [(metres, printer) for printer, metres in index.nearest(*here)]
        assert [each[1] for each in found] == [each[1] for each in self.nearest(here)]
        assert found == self.nearest(here)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.mark.parametrize("rebuild_at", [0, 30, 10_000])
def test_the_index_agrees_with_a_look_at_every_printer(
    world: World, rebuild_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in the tree, some in it, none in it; with crowds larger than one look of the tree."""
    monkeypatch.setattr(router.index, "REBUILD_AT", rebuild_at)
    monkeypatch.setattr(router.index, "FIRST", 4)
    index = Index()
    world.add(points(60, seed=1))
    world.catch_up(index)
    world.add(points(12, seed=2))
    world.catch_up(index)
    assert len(index) == 72
    for here in (*PLACES, *points(6, seed=3)):
        world.check(index, here)


def test_the_nearest_are_found_without_looking_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router.index, "REBUILD_AT", 0)
    index = Index()
    world.add(points(60, seed=4))
    world.catch_up(index)
    found = [(metres, printer) for printer, metres in islice(index.nearest(0, 0), 3)]
    assert found == world.nearest((0, 0))[:3]


@pytest.mark.parametrize("rebuild_at", [0, 10_000])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_empty_index_and_a_lonely_printer(
    world: World, count: int, rebuild_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router.index, "REBUILD_AT", rebuild_at)
    index = Index()
    world.add(PLACES[:count])
    world.catch_up(index)
    assert len(index) == count
    world.check(index, (0, 0))


@pytest.mark.parametrize("rebuild_at", [0, 10_000])
def test_a_printer_that_moved_is_found_at_its_new_place_only(
    world: World, rebuild_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router.index, "REBUILD_AT", rebuild_at)
    index = Index()
    world.add([(0, 0), (10_000_000, 0), (20_000_000, 0)])
    world.catch_up(index)
    monkeypatch.setattr(router.index, "REBUILD_AT", 10_000)  # it waits beside the tree
    first = next(printer for printer, at in world.where.items() if at == (0, 0))
    world.move(first, (30_000_000, 0))
    world.catch_up(index)
    world.check(index, (0, 0))
    assert [printer for printer, _ in index.nearest(0, 0)][-1] == first


def test_catching_up_reads_only_what_changed(world: World, database: Database) -> None:
    index = Index()
    world.add(PLACES)
    world.catch_up(index)
    with counted(database) as statements:
        world.catch_up(index)
    assert len(statements) == 1  # it found nothing


def test_a_search_under_way_is_not_disturbed_by_news(world: World) -> None:
    index = Index()
    world.add([(0, 0), (10_000_000, 0)])
    world.catch_up(index)
    before = world.nearest((0, 0))
    search = index.nearest(0, 0)
    first = next(search)
    world.add([(5_000_000, 0)])
    world.catch_up(index)
    assert [(m, p) for p, m in (first, *search)] == before
