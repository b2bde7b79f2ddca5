"""Writers of printers never wait for each other in a circle."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from basis import clock
from basis.db import Database
from printers import registry, upkeep
from printers.offer import Duty
from tests.support import builders


def test_many_changes_of_one_printer_at_once_all_succeed(database: Database) -> None:
    shop = builders.shop(database)

    def touch() -> None:
        with database.writing() as session:
            registry.touched(session, shop.printer)

    def rest() -> None:
        with database.writing() as session:
            upkeep.set_duty(
                session,
                printer_id=shop.printer,
                duty=Duty.OPEN,
                because="",
                by=shop.owner,
                now=clock.now(),
            )

    def seen() -> None:
        with database.writing() as session:
            registry.seen(
                session, agent_id=shop.agent, states={shop.printer: "Operational"}, now=clock.now()
            )

    verbs: list[Callable[[], None]] = [touch, rest, seen] * 20
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(verb) for verb in verbs]:
            done.result(60)
