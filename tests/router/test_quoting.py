"""From a wish to ranked quotes, near misses and refusals, out of a database full of printers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from basis.db import Database
from basis.errors import Invalid
from printers.capability import COMMON, Choices
from printers.models import PrinterRow
from printers.offer import Carriage, Mode, Prices
from printers.slicer import job_ini
from router import quoting
from router.figures import plate_of
from router.index import Index
from router.matching import Axis
from router.models import JobRow, QuoteRow
from router.quote import Inputs, Preset
from router.quoting import Answer, quotes_for, recomputed
from router.states import Job
from tests.support import builders as b
from tests.support import solids
from tests.support.builders import NOW, Shop
from tests.support.databases import counted


@pytest.fixture
def world(database: Database) -> Shop:
    return b.shop(database)


def more_printers(database: Database, world: Shop, count: int, **of_workshop: object) -> None:
    """Each in a workshop of its own, ever further north."""
    with database.writing() as session:
        for number in range(1, count + 1):
            place = b.workshop(
                session, world.owner, lat_udeg=b.OSLO.lat_udeg + 9_000 * number, **of_workshop
            )
            b.spool(session, b.printer(session, place), by=world.owner)


def ask(database: Database, world: Shop, **wish: Any) -> Answer:
    with database.writing() as session:
        return b.ask(session, b.request(world.part, **wish), maker=world.maker)


def test_a_quote_binds_and_can_be_computed_again(database: Database, world: Shop) -> None:
    with database.writing() as session:
        answer = b.ask(session, b.request(world.part, copies=3), maker=world.maker)
    with database.reading() as session:
        (row,) = session.scalars(select(QuoteRow))
    assert [each.id for each in answer.quotes] == [row.id]
    again = recomputed(row)
    assert (row.total_minor, row.cost, row.co2e_mg) == (
        again.total_minor,
        again.cost,
        again.co2e_mg,
    )
    assert row.lines == [
        {"label": line.label, "amount_minor": line.amount_minor, "source": line.source}
        for line in again.lines
    ]
    assert row.inputs_sha256 == Inputs.from_json(row.inputs).sha256()
    assert row.expires_at == NOW + timedelta(hours=1)
    assert (row.printer_id, row.spool_id, row.copies) == (world.printer, world.spool, 3)


def test_the_number_of_statements_does_not_grow_with_the_printers(
    database: Database, world: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quoting, "FIRST_BATCH", 100)
    ask(database, world)
    with counted(database) as few:
        ask(database, world)
    more_printers(database, world, 20)
    with counted(database) as many:
        answer = ask(database, world, modes=frozenset({Mode.PARCEL}))
    assert len(answer.quotes) == 10
    assert len(many) == len(few)


def test_each_way_is_a_quote_of_its_own_and_the_best_comes_first(
    database: Database, world: Shop
) -> None:
    answer = ask(database, world, modes=frozenset(Mode))
    assert {row.inputs["mode"] for row in answer.quotes} == {"foot", "car", "parcel"}
    costs = [row.cost for row in answer.quotes]
    assert costs == sorted(costs)
    assert len({row.request_id for row in answer.quotes}) == 1
    assert set(answer.offers) == {world.printer}


@pytest.mark.parametrize("preset", Preset)
def test_presets_rank_the_same_printers_differently(
    database: Database, world: Shop, preset: Preset
) -> None:
    """A dear one on a clean grid, a cheap one on a dirty grid, and one that has been waiting."""
    with database.writing() as session:
        for country, per_hour, hours in (("IN", 10, 0), ("NO", 4_000, 0), ("NO", 300, 20)):
            prices = Prices(per_hour_minor=per_hour, labour_minor=per_hour)
            place = b.workshop(session, world.owner, country=country, prices=prices)
            one = b.printer(session, place)
            one.idle_since = NOW - timedelta(hours=hours)
            b.spool(session, one, by=world.owner)
    answer = ask(database, world, preset=preset)
    best = answer.offers[answer.quotes[0].printer_id]
    expected = {Preset.CHEAPEST: "IN", Preset.GREENEST: "NO"}
    assert best.country == expected.get(preset, best.country)
    assert [row.cost for row in answer.quotes] == sorted(recomputed(r).cost for r in answer.quotes)


def test_equal_wishes_give_equal_answers(database: Database, world: Shop) -> None:
    more_printers(database, world, 3)
    first, second = ask(database, world), ask(database, world)
    assert [row.inputs_sha256 for row in first.quotes] == [
        row.inputs_sha256 for row in second.quotes
    ]
    assert [row.printer_id for row in first.quotes] == [row.printer_id for row in second.quotes]


def test_refusals_carry_every_reason_and_near_misses_only_one(
    database: Database, world: Shop
) -> None:
    with database.writing() as session:
        place = session.get_one(PrinterRow, world.printer).workshop
        small = replace(COMMON["virtual"], height_mm=30)
        wrong = b.printer(session, place, profile=small, seen=None)
        b.spool(session, wrong, by=world.owner, material="PETG")
        unloaded = b.printer(session, place)
        b.spool(session, unloaded, by=world.owner, material="PETG")
        thing = b.part(session, world.owner, solids.box(20, 20, 40))
        answer = b.ask(session, b.request(thing))
    assert [row.printer_id for row in answer.quotes] == [world.printer]
    ((near,), (far,)) = (answer.near_misses, answer.refusals)
    assert near.offer.printer == unloaded.id
    assert [each.axis for each in near.reasons] == [Axis.MATERIAL]
    assert far.offer.printer == wrong.id
    assert [each.axis for each in far.reasons] == [Axis.HEIGHT, Axis.MATERIAL, Axis.SEEN]


def test_the_makers_own_limits_refuse_with_what_it_would_take(
    database: Database, world: Shop
) -> None:
    cheapest = ask(database, world, modes=frozenset({Mode.FOOT, Mode.PARCEL})).quotes
    total = min(row.total_minor for row in cheapest)
    both = frozenset({Mode.FOOT, Mode.PARCEL})
    within = ask(database, world, modes=both, max_total_minor=total)
    assert [row.inputs["mode"] for row in within.quotes] == ["foot"]
    assert within.near_misses == within.refusals == ()
    (miss,) = ask(database, world, modes=both, max_total_minor=total - 1).near_misses
    assert (miss.reasons[0].axis, miss.reasons[0].available) == (Axis.PRICE, str(total))
    far = replace(b.OSLO, lat_udeg=b.OSLO.lat_udeg + 1_000_000)  # 111 km, 145 by road
    (miss,) = ask(database, world, place=far).near_misses
    assert [each.axis for each in miss.reasons] == [Axis.CARRIAGE]
    modes = frozenset({Mode.PARCEL})
    (miss,) = ask(database, world, place=far, modes=modes, max_distance_m=100_000).near_misses
    assert [each.axis for each in miss.reasons] == [Axis.DISTANCE]


def test_prices_are_compared_in_one_currency(database: Database, world: Shop) -> None:
    """A yen is not a cent: what is priced otherwise is shown as nearly possible."""
    with database.writing() as session:
        place = b.workshop(session, world.owner, currency="JPY", prices=b.PRICES)
        there = b.printer(session, place)
        b.spool(session, there, by=world.owner)
    near_oslo = ask(database, world, currency="EUR")
    assert {row.currency for row in near_oslo.quotes} == {"EUR"}
    assert [each.reasons[0].axis for each in near_oslo.near_misses] == [Axis.CURRENCY]
    yen = ask(database, world, currency="JPY")
    assert [row.printer_id for row in yen.quotes] == [there.id]
    assert len({row.currency for row in ask(database, world).quotes}) == 1


def test_what_others_ordered_counts_as_queue_and_as_filament(
    database: Database, world: Shop
) -> None:
    (before,) = ask(database, world).quotes
    b.ordered(database, world)
    (after,) = ask(database, world).quotes
    assert after.inputs["queue_s"] == before.duration_s
    with database.reading() as session:
        (free_mg,) = (
            each.free_mg for row in ask(database, world).offers.values() for each in row.loaded
        )
        spool_mg = session.scalars(select(PrinterRow)).one().spools[0].left_mg
    assert free_mg == spool_mg - before.mass_mg


def test_a_printers_own_record_corrects_its_times(database: Database, world: Shop) -> None:
    (plain,) = ask(database, world).quotes
    made = [b.ordered(database, world)[0] for _ in range(3)]
    with database.writing() as session:
        session.execute(
            update(JobRow).where(JobRow.id.in_(made)).values(duration_s=plain.duration_s * 3 // 2)
        )
        b.print_all(session, world)
    (corrected,) = ask(database, world).quotes
    assert corrected.duration_s == plain.duration_s * 3 // 2
    assert "3 passed jobs" in corrected.inputs["items"][0]["duration_source"]
    # The record never corrects itself.
    assert corrected.items[0].estimated_s == plain.items[0].estimated_s


def test_a_part_sliced_before_is_quoted_by_its_slice(database: Database, world: Shop) -> None:
    (estimated,) = ask(database, world).quotes
    choices = Choices(material="PLA")
    plate = plate_of(stl_sha256=world.part.stl_sha256, ini=job_ini(COMMON["virtual"], choices))
    with database.writing() as session:
        session.add(
            b.slice_row(estimated.items[0], key="a", plate=plate, mass_mg=4_321, duration_s=1_234)
        )
    (exact,) = ask(database, world).quotes
    assert (exact.mass_mg, exact.duration_s) == (4_321, 1_234)
    (item,) = exact.inputs["items"]
    assert item["mass_source"] == item["duration_source"] == "sliced by a test"
    other = ask(database, world, choices=replace(choices, infill_pct=30)).quotes[0]
    assert other.inputs["items"][0]["mass_source"].startswith("estimated")


def test_a_printer_that_cannot_follow_the_choices_is_refused_not_an_error(
    database: Database, world: Shop
) -> None:
    answer = ask(database, world, choices=Choices(material="PLA", layer_height_um=400))
    assert [each.axis for each in answer.near_misses[0].reasons] == [Axis.NOZZLE]


def test_the_search_ends_and_says_what_is_wrong_with_a_wish(
    database: Database, world: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for copies in (0, quoting.MOST_COPIES + 1):
        with pytest.raises(Invalid, match="copies must be 1 to 100"):
            ask(database, world, copies=copies)
    more_printers(database, world, 4)
    monkeypatch.setattr(quoting, "MOST_CANDIDATES", 2)
    assert len(ask(database, world).quotes) == 2


def test_the_search_goes_one_step_beyond_enough(
    database: Database, world: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cleaner grid further off can win, so the nearest `wanted` do not end the search."""
    monkeypatch.setattr(quoting, "FIRST_BATCH", 1)
    with database.writing() as session:
        dirty = b.workshop(session, world.owner, country="IN", carriage=[way("parcel")])
        clean = b.workshop(
            session, world.owner, lat_udeg=b.OSLO.lat_udeg + 500_000, carriage=[way("parcel")]
        )
        for place in (dirty, clean):
            b.spool(session, b.printer(session, place), by=world.owner)
        session.execute(
            update(PrinterRow).where(PrinterRow.id == world.printer).values(accepting=False)
        )
        index = Index()
        wish = b.request(world.part, modes=frozenset({Mode.PARCEL}), preset=Preset.GREENEST)
        answer = quotes_for(
            session,
            index=index,
            request=wish,
            maker_id=None,
            now=NOW,
            quote_s=60,
            unseen_s=600,
            wanted=1,
        )
    (best,) = answer.quotes
    assert answer.offers[best.printer_id].country == "NO"


def way(mode: str) -> Carriage:
    return Carriage(mode=Mode(mode), base_minor=100)


def test_a_visitors_quote_belongs_to_nobody(database: Database, world: Shop) -> None:
    with database.writing() as session:
        (row,) = b.ask(session, b.request(world.part)).quotes
        assert row.maker_id is None
    with database.reading() as session:
        assert not list(session.scalars(select(JobRow).where(JobRow.state == Job.ORDERED)))
