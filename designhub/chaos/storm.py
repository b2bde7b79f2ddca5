"""The whole experiment: set up, storm, calm, count."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from commons import verify
from designhub.api import schema
from designhub.chaos import design, result
from designhub.chaos.monkey import Monkey
from designhub.chaos.people import DESIGN, LOOK_S, PLACE, Button, Maker, Person
from designhub.chaos.plan import Plan
from designhub.chaos.records import Records
from designhub.chaos.result import Result
from designhub.chaos.world import World
from designhub.client import HubApi, HubAway, HubSays, design_path
from designhub.commands.workshops import Enrolled, enrolled, write_agent_config
from designhub.demo import pushing
from designhub.demo.people import Person as Account
from designhub.demo.people import everybody
from printers import farm

WORKSHOP = "chaos-lab"
SPOOL_MG = 5_000_000
ANALYSE_S = 120.0
STORM_S_PER_JOB, STORM_LEAST_S = 15.0, 900.0
CALM_S_PER_PRINTER, CALM_LEAST_S = 20.0, 600.0
EXTRA_JOBS = 12
"""Orders more, while lines of the protocol are left that nobody has died at."""


@dataclass(slots=True)
class Cast:
    """Who takes part."""

    accounts: dict[str, Account]
    printers: list[UUID]
    persons: list[Person]
    maker: Maker
    records: Records
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running(world: World) -> Iterator[World]:
    """Nothing of it outlives the block."""
    try:
        yield world
    finally:
        world.stop()


def run(plan: Plan, world: World, *, say: Callable[[str], None]) -> Result:
    """All of it; what came of it."""
    began = time.monotonic()
    cast = set_up(plan, world, say=say)
    set_up_s = time.monotonic() - began
    monkey = Monkey(
        plan,
        world,
        persons={f"octoprint-{person.number}": person for person in cast.persons},
        records=cast.records,
        say=say,
    )
    say(f"The storm begins: {plan.jobs} jobs on {plan.printers} printers, seed {plan.seed}")
    acting = [
        threading.Thread(target=_acting, args=(person, cast.over), daemon=True)
        for person in cast.persons
    ]
    monkey.start()
    for thread in acting:
        thread.start()
    _storm(plan, cast, monkey, say=say)
    say("The storm is over; everything is let run out")
    monkey.stop()
    storm_s = time.monotonic() - began - set_up_s
    _calm(cast, plan, say=say)
    cast.over.set()
    for thread in acting:
        thread.join()
    world.until(world.hub_answers, what="the hub does not answer after the storm")
    return result.count(
        plan,
        world,
        monkey,
        jobs=_seen(cast, world),
        judged={run: why for person in cast.persons for run, why in person.judged_unknown.items()},
        records=cast.records.read(),
        book=_book(world),
        seconds={"set up": set_up_s, "storm": storm_s, "all": time.monotonic() - began},
    )


def set_up(plan: Plan, world: World, *, say: Callable[[str], None]) -> Cast:
    """A hub, its people, a design that is measured, printers with agents and clear beds."""
    say("Starting a hub and OctoPrint servers")
    world.add_hub()
    world.add_farm(plan.printers)
    places = world.places
    accounts, _ = everybody(places.folder / "people.json", world.url)
    source = design.write(places.folder / "design")
    commit = pushing.push(
        DESIGN, by=accounts["ada"], url=world.url, folder=places.folder / "pushed", source=source
    )
    ada = accounts["ada"].api(world.url)
    version = f"{design_path(f'ada/{DESIGN}')}/versions/{commit}"
    world.until(
        lambda: ada.ask(schema.Version, "GET", version).analysis == "done",
        what="the design is not measured",
        limit_s=ANALYSE_S,
    )
    owner = accounts["cho"].api(world.url)
    made = [_enrolled(owner, number) for number in range(plan.printers)]
    printers = [each.printer.id for each in made]
    for printer in printers[1::2]:  # both copies of an order of two lie on one plate
        change = schema.PrinterChange(most_pieces=2)
        owner.ask(schema.Printer, "PATCH", f"/printers/{printer}", change)
    records = Records(places.folder / "people.jsonl")
    maker = Maker(
        accounts["ben"].api(world.url),
        printers=printers,
        wanted=plan.jobs,
        chance=random.Random(f"{plan.seed}/maker"),  # noqa: S311 - a plan, not a secret
    )
    persons = [
        _person(plan, world, accounts["cho"], number, printers, maker, records, say)
        for number in range(plan.printers)
    ]
    for number, (each, person) in enumerate(zip(made, persons, strict=True)):
        _agent(world, number, each)
        person.take_off()
        owner.ask(schema.Printer, "POST", f"/printers/{each.printer.id}/bed/clear")
    world.until(
        lambda: all(
            owner.ask(schema.Printer, "GET", f"/printers/{each}").seen_at for each in printers
        ),
        what="the agents do not report",
    )
    say("The first parts are ordered and sliced; the cache serves the rest")
    world.until(lambda: _sliced(maker), what="the first parts are not sliced")
    return Cast(accounts=accounts, printers=printers, persons=persons, maker=maker, records=records)


def _sliced(maker: Maker) -> bool:
    maker.once()
    return bool(maker.jobs) and all(job.state != "ordered" for job in maker.jobs.values())


def _enrolled(owner: HubApi, number: int) -> Enrolled:
    return enrolled(
        owner,
        workshop=schema.WorkshopAsk(name=WORKSHOP, place=PLACE, title="Chaos lab"),
        printer=schema.PrinterAsk(name=f"printer-{number}", common="virtual"),
        spool=schema.SpoolAsk(
            material="PLA", colour="white", left_mg=SPOOL_MG, price_per_kg_minor=2_000
        ),
    )


def _agent(world: World, number: int, made: Enrolled) -> None:
    """Settings that lead over the relays, and the agent that reads them."""
    server = world.servers[number]
    config = world.places.agent(number).with_suffix(".toml")
    write_agent_config(
        config,
        hub=world.relay(world.url, name=f"agent-{number} to hub", replays=True),
        made=made,
        octoprint=world.relay(server.url, name=f"agent-{number} to octoprint", replays=False),
        key=server.api_key,
    )
    world.add_agent(number, config)


def _person(
    plan: Plan,
    world: World,
    account: Account,
    number: int,
    printers: list[UUID],
    maker: Maker,
    records: Records,
    say: Callable[[str], None],
) -> Person:
    return Person(
        url=world.url,
        token=account.token,
        printer=printers[number],
        number=number,
        instance=lambda: farm.recorded(world.places.farm)[number],
        jobs=lambda: [job for job in maker.open if job.where.printer == printers[number]],
        records=records,
        chance=random.Random(f"{plan.seed}/person {number}"),  # noqa: S311
        say=say,
    )


def _acting(person: Person, over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        person.once()


def _storm(plan: Plan, cast: Cast, monkey: Monkey, *, say: Callable[[str], None]) -> None:
    """Until all is ordered, all is done, and every line was hit; or until it takes too long."""
    until = time.monotonic() + max(STORM_LEAST_S, STORM_S_PER_JOB * plan.jobs)
    maker, told = cast.maker, ""
    while time.monotonic() < until:
        with suppress(HubAway, HubSays):
            maker.once()
            if (job_id := maker.to_cancel()) is not None:
                cast.persons[0].press(*[Button(f"/jobs/{job_id}/cancel")] * 2)
        if len(maker.jobs) >= maker.wanted and len(maker.open) <= plan.printers:
            if not monkey.busy:
                return
            if maker.wanted < plan.jobs + EXTRA_JOBS:
                maker.wanted += 1
        if (now := _how_far(maker)) != told:
            say(told := now)
        time.sleep(LOOK_S)


def _calm(cast: Cast, plan: Plan, *, say: Callable[[str], None]) -> None:
    """Until every job has ended; what is open after the limit is forgotten."""
    until = time.monotonic() + max(CALM_LEAST_S, CALM_S_PER_PRINTER * plan.printers)
    maker, told = cast.maker, ""
    maker.wanted = min(maker.wanted, len(maker.jobs))
    while maker.open and time.monotonic() < until:
        with suppress(HubAway, HubSays):
            maker.once()
        if (now := _how_far(maker)) != told:
            say(told := now)
        time.sleep(LOOK_S)


def _how_far(maker: Maker) -> str:
    done = len(maker.jobs) - len(maker.open)
    return f"{done} of {len(maker.jobs)} jobs have ended"


def _seen(cast: Cast, world: World) -> list[schema.Job]:
    """Every job that the hub has for the maker, also one whose order nobody heard of."""
    api = cast.accounts["ben"].api(world.url)
    known = set(cast.maker.jobs)
    for order in api.ask(schema.Orders, "GET", "/orders").orders:
        known |= set(order.jobs)
    return [api.ask(schema.Job, "GET", f"/jobs/{each}") for each in sorted(known)]


def _book(world: World) -> tuple[list[bytes], str]:
    """The lines of the open book, and what is wrong with the book in itself."""
    lines = list(HubApi(world.url).lines("/book/entries.jsonl"))
    verdict = verify.verify(iter(lines))
    return lines, "" if verdict.ok else str(verdict)
