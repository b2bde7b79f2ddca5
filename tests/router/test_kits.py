"""Several parts in one order: one printer, one price, a job for each copy, settled job by job."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from basis.db import Database
from basis.errors import Invalid
from commons import audit
from commons import queries as book
from commons.models import ReservationRow
from commons.settlement import total
from designs.queries import PrintablePart
from printers.capability import COMMON, Choices
from printers.models import SpoolRow
from printers.offer import Mode
from printers.slicer import job_ini
from router import bookkeeping, jobs, lease, queries, slicing
from router.figures import plate_of
from router.matching import Axis, Fixer
from router.models import JobRow, OrderRow, QuoteItemRow, QuoteRow, SliceRow
from router.quoting import MOST_COPIES, MOST_PARTS, Answer, Wanted, quote_at, recomputed
from router.states import Job
from tests.router.test_quoting import more_printers
from tests.support import builders as b
from tests.support import solids
from tests.support.builders import NOW, Shop
from tests.support.databases import counted

SHAPES = {
    "Bracket": solids.box(20, 20, 20),
    "Knob": solids.box(10, 10, 10),
    "Plate": solids.box(40, 40, 2),
}


@pytest.fixture
def world(database: Database) -> Shop:
    return b.shop(database)


@pytest.fixture
def kit(database: Database, world: Shop) -> list[PrintablePart]:
    """A bracket, a knob and a plate of one design."""
    with database.writing() as session:
        return b.parts(session, world.owner, SHAPES)


def some(kit: list[PrintablePart], *copies: int) -> tuple[Wanted, ...]:
    return tuple(Wanted(part=part, copies=n) for part, n in zip(kit, copies, strict=False))


def ask(database: Database, world: Shop, items: tuple[Wanted, ...], **wish: Any) -> Answer:
    with database.writing() as session:
        return b.ask(session, b.request(world.part, items=items, **wish), maker=world.maker)


def order(database: Database, world: Shop, quote: QuoteRow, *, key: str = "k") -> OrderRow:
    with database.writing() as session:
        made = jobs.order(
            session, quote_id=quote.id, maker_id=world.maker, idempotency_key=key, now=NOW
        )
        return queries.order_by_id(session, made.id)


def alone(database: Database, world: Shop, wanted: Wanted) -> dict[str, int]:
    (quote,) = ask(database, world, (wanted,)).quotes
    return {line["label"]: line["amount_minor"] for line in quote.lines}


def test_a_kit_is_one_quote_whose_lines_sum_to_its_total(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    items = some(kit, 3, 2, 1)
    (quote,) = ask(database, world, items).quotes
    assert quote.total_minor == sum(line["amount_minor"] for line in quote.lines)
    assert quote.cost == sum(term["cost"] for term in quote.terms)
    assert all(each["source"] for each in (*quote.lines, *quote.terms))
    assert quote.copies == 6
    assert [(item.part_id, item.copies) for item in quote.items] == [
        (each.part.part_id, each.copies) for each in items
    ]
    lines = {line["label"]: line["amount_minor"] for line in quote.lines}
    apart = [alone(database, world, each) for each in items]
    assert lines["labour"] == sum(each["labour"] for each in apart)
    assert lines["carriage"] == apart[0]["carriage"]  # once, however many parts
    assert 0 <= sum(each["material"] for each in apart) - lines["material"] < 3


def test_a_kit_can_be_computed_again(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    """I9."""
    ask(database, world, some(kit, 2, 2))
    with database.reading() as session:
        (row,) = session.scalars(select(QuoteRow))
        again = recomputed(row)
    assert (row.total_minor, row.cost, row.co2e_mg) == (
        again.total_minor,
        again.cost,
        again.co2e_mg,
    )
    assert [each["part"] for each in row.inputs["items"]] == ["Bracket", "Knob"]


def test_the_part_that_does_not_fit_is_named_and_may_be_left_out(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    bed_mm = COMMON["virtual"].bed_x_mm
    with database.writing() as session:
        (wide,) = b.parts(session, world.owner, {"Tray": solids.box(bed_mm + 1, 20, 5)})
    answer = ask(database, world, (*some(kit, 1), Wanted(part=wide, copies=1)))
    assert answer.quotes == ()
    ((reason,),) = [each.reasons for each in answer.near_misses]
    assert (reason.axis, reason.part) == (Axis.WIDTH, "Tray")
    assert reason.who_can_fix is Fixer.MAKER
    assert len(ask(database, world, some(kit, 1)).quotes) == 1
    (refusal,) = ask(database, world, (Wanted(part=wide),)).refusals  # alone nothing can be left
    assert (refusal.reasons[0].part, refusal.reasons[0].who_can_fix) == ("", Fixer.DESIGNER)


def test_parts_of_one_name_are_told_apart(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    with database.writing() as session:
        other = b.parts(session, world.owner, {"Bracket": solids.box(5, 5, 5)})
    items = (*some(kit, 1), *some(other, 1))
    (quote,) = ask(database, world, items).quotes
    assert [each["part"] for each in quote.inputs["items"]] == ["Bracket (1)", "Bracket (2)"]


@pytest.mark.parametrize("copies", [(), (0,), (MOST_COPIES, 1), (-1, 5)])
def test_too_few_and_too_many_are_refused(
    world: Shop, kit: list[PrintablePart], copies: tuple[int, ...]
) -> None:
    with pytest.raises(Invalid):
        b.request(world.part, items=some(kit, *copies))


def test_a_part_named_twice_and_too_many_parts_are_refused(
    world: Shop, kit: list[PrintablePart]
) -> None:
    with pytest.raises(Invalid, match="named twice"):
        b.request(world.part, items=some(kit, 1) * 2)
    with pytest.raises(Invalid, match=f"1 to {MOST_PARTS} different parts"):
        b.request(world.part, items=some(kit, 1) * (MOST_PARTS + 1))


def test_statements_grow_neither_with_printers_nor_with_parts(
    database: Database, world: Shop, kit: list[PrintablePart], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.quoting.FIRST_BATCH", 100)
    ask(database, world, some(kit, 1))
    with counted(database) as few:
        ask(database, world, some(kit, 1))
    more_printers(database, world, 20)
    with counted(database) as many:
        answer = ask(database, world, some(kit, 2, 2, 2), modes=frozenset({Mode.PARCEL}))
    assert len(answer.quotes) == 10
    assert len(many) == len(few)


def test_an_order_has_a_job_for_each_copy_of_each_part(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    (quote,) = ask(database, world, some(kit, 2, 1)).quotes
    made = order(database, world, quote)
    assert [(job.number, job.item.position, job.copy) for job in made.jobs] == [
        (1, 0, 1),
        (2, 0, 2),
        (3, 1, 1),
    ]
    assert [job.reserved_mg for job in made.jobs] == [
        item.mass_mg for item in made.quote.items for _ in range(item.copies)
    ]
    with database.reading() as session:
        assert jobs.reserved_mg(session) == {world.spool: quote.mass_mg}
        titles = [lease.title(session, session.get_one(JobRow, job.id)) for job in made.jobs]
    assert [title.split(": ")[1].split(" (")[0] for title in titles] == [
        *("Bracket, copy 1 of 2", "Bracket, copy 2 of 2", "Knob"),
    ]


def test_the_spool_must_last_for_the_whole_kit(
    database: Database, kit: list[PrintablePart], world: Shop
) -> None:
    (quote,) = ask(database, world, some(kit, 1, 1)).quotes
    (spare,) = ask(database, world, some(kit, 1)).quotes
    with database.writing() as session:
        spool = session.get_one(SpoolRow, world.spool)
        spool.left_mg = quote.mass_mg + spare.mass_mg - 1
    order(database, world, quote)
    with pytest.raises(jobs.NotEnoughLeft):
        order(database, world, spare, key="other")


def print_everything(database: Database, world: Shop, made: OrderRow) -> None:
    with database.writing() as session:
        for each in made.jobs:
            job = session.get_one(JobRow, each.id)
            if job.state is Job.ORDERED:
                row = b.slice_row(job.item, key=str(job.id))
                slicing.ready(session, job.id, row, now=NOW)
        b.print_all(session, world)


def test_each_job_settles_its_share_and_the_shares_are_the_price(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    (quote,) = ask(database, world, some(kit, 2, 1, 1)).quotes
    made = order(database, world, quote)
    shares = [total(lines) for lines in bookkeeping.lines_of_jobs(made.quote, made.jobs)]
    assert sum(shares) == quote.total_minor
    heavy, _, light, _ = shares
    assert heavy > light  # a bracket takes more than a knob
    with database.writing() as session:
        jobs.cancel(session, job_id=made.jobs[2].id, by=world.maker, now=NOW)
    print_everything(database, world, made)
    with database.reading() as session:
        states = [job.state for job in queries.order_by_id(session, made.id).jobs]
        assert states == [Job.DONE, Job.DONE, Job.CANCELLED, Job.DONE]
        (reservation,) = session.scalars(select(ReservationRow))
        assert reservation.state == "posted"
        found = audit.check(session)
        assert found.ok, str(found)


def test_every_design_of_a_kit_gets_its_own_contribution(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    with database.writing() as session:
        other = b.parts(session, world.owner, {"Box": solids.box(15, 15, 15)})
    items = (*some(kit, 1), *some(other, 2))
    (quote,) = ask(database, world, items).quotes
    print_everything(database, world, order(database, world, quote))
    with database.reading() as session:
        ends = [each for each in book.entries(session, most=200).entries if each.kind == "post"]
        got: dict[str, int] = {}
        for entry in ends:
            for leg in entry.legs:
                if leg.account.startswith("design:"):
                    got[leg.account] = got.get(leg.account, 0) + leg.amount
    line = next(each for each in quote.lines if each["label"] == "commons contribution")
    wanted = {f"design:{kit[0].design_id}", f"design:{other[0].design_id}"}
    assert set(got) == wanted
    assert sum(got.values()) == line["amount_minor"] > 0


def test_an_earlier_slice_gives_the_figures_of_its_part_alone(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    (before,) = ask(database, world, some(kit, 1, 1)).quotes
    choices = Choices(material="PLA")
    ini = job_ini(COMMON["virtual"], choices)
    plate = plate_of(stl_sha256=kit[1].stl_sha256, ini=ini)
    with database.writing() as session:
        session.add(
            SliceRow(
                key="0" * 64,
                plate=plate,
                gcode_sha256="1" * 64,
                gcode_sha1="2" * 40,
                gcode_bytes=1,
                mass_mg=4_321,
                duration_s=1_234,
                sliced_by="a test",
                created_at=NOW,
            )
        )
    (after,) = ask(database, world, some(kit, 1, 1)).quotes
    assert after.items[0].mass_mg == before.items[0].mass_mg
    assert (after.items[1].mass_mg, after.items[1].duration_s) == (4_321, 1_234)
    source = next(each["source"] for each in after.lines if each["label"] == "material")
    assert source.startswith("Bracket: estimated") and source.endswith("Knob: sliced by a test")


def test_a_dearer_slice_stops_its_own_job_alone(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    (quote,) = ask(database, world, some(kit, 1, 1)).quotes
    made = order(database, world, quote)
    first, second = made.jobs
    with database.writing() as session:
        item = session.get_one(QuoteItemRow, first.item_id)
        dear = b.slice_row(item, key="a", duration_s=item.duration_s * 2)
        slicing.ready(session, first.id, dear, now=NOW)
        item = session.get_one(QuoteItemRow, second.item_id)
        slicing.ready(session, second.id, b.slice_row(item, key="b"), now=NOW)
        states = [jobs.get(session, each.id).state for each in (first, second)]
    assert states == [Job.ASKED, Job.READY]


def test_the_binding_quote_of_one_printer(
    database: Database, world: Shop, kit: list[PrintablePart]
) -> None:
    with database.writing() as session:
        row = quote_at(
            session,
            printer_id=world.printer,
            request=b.request(world.part, items=some(kit, 1, 2)),
            maker_id=world.maker,
            now=NOW,
            quote_s=60,
            unseen_s=600,
        )
    assert row is not None and row.expires_at == NOW + timedelta(seconds=60)
    made = order(database, world, row)
    assert len(made.jobs) == 3
    assert order(database, world, row).id == made.id  # the second click
