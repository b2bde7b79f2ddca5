"""What a quote costs: the pure arithmetic, the search of the index, and a whole answer.

    python -m tests.bench.bench_quote [--printers 1000] [--rounds 30]

Printers stand at random places around Oslo; the database is SQLite in a temporary folder. Printed
are medians, and for the answer the slowest of the rounds too. Nothing here is asserted.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from uuid import UUID

from basis.db import Base, Database
from printers.capability import Choices
from printers.offer import Mode
from router import estimate
from router.index import Index
from router.quote import quote
from router.quoting import Request, quotes_for
from tests.router.worlds import PROFILE, inputs
from tests.support import builders as b
from tests.support.databases import counted
from tests.support.solids import box


def _fill(database: Database, *, printers: int) -> UUID:
    chance = random.Random(1)
    with database.writing() as session:
        owner = b.account(session)
        for _ in range(printers):
            place = b.workshop(
                session,
                owner,
                lat_udeg=b.OSLO.lat_udeg + chance.randint(-2_000_000, 2_000_000),
                lon_udeg=b.OSLO.lon_udeg + chance.randint(-2_000_000, 2_000_000),
            )
            b.spool(session, b.printer(session, place), by=owner)
    return owner


def _seconds(work: Callable[[], object], *, rounds: int) -> list[float]:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return taken


def _say(what: str, taken: Sequence[float]) -> None:
    middle, worst = statistics.median(taken) * 1e6, max(taken) * 1e6
    sys.stdout.write(f"{what:45} {middle:10.0f} µs  (slowest {worst:.0f})\n")


def _pure(rounds: int) -> None:
    one, facts, choices = inputs(), b.facts(box(20, 20, 20)), Choices(material="PLA")
    many = rounds * 100
    _say("one quote from its inputs", _seconds(lambda: quote(one), rounds=many))
    _say(
        "estimate of filament and time",
        _seconds(
            lambda: (
                estimate.mass_mg(facts, profile=PROFILE, choices=choices),
                estimate.duration_s(facts, profile=PROFILE, choices=choices),
            ),
            rounds=many,
        ),
    )


def _answers(database: Database, owner: UUID, *, rounds: int) -> None:
    index = Index()
    with database.writing() as session:
        part = b.part(session, owner)
        index.catch_up(session)
    here = (b.OSLO.lat_udeg, b.OSLO.lon_udeg)
    _say(
        f"the 64 nearest of {len(index)} printers",
        _seconds(lambda: list(islice(index.nearest(*here), 64)), rounds=rounds),
    )
    parcel = frozenset({Mode.PARCEL})
    for what, wish in (
        (
            "an answer that the nearest 192 printers give",
            b.request(part, modes=parcel),
        ),
        (
            "an answer that no printer gives (1,024 asked)",
            b.request(part, choices=Choices(material="TPU"), modes=parcel),
        ),
    ):

        def ask(wish: Request = wish) -> None:
            with database.writing() as session:
                quotes_for(
                    session,
                    index=index,
                    request=wish,
                    maker_id=None,
                    now=b.NOW,
                    quote_s=60,
                    unseen_s=600,
                )

        with counted(database) as statements:
            ask()
        _say(f"{what}, {len(statements)} statements", _seconds(ask, rounds=rounds))


def main() -> None:
    """Print the figures."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    reader.add_argument("--printers", type=int, default=1_000)
    reader.add_argument("--rounds", type=int, default=30)
    asked = reader.parse_args()
    _pure(asked.rounds)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'hub.sqlite'}")
        Base.metadata.create_all(database.engine)
        _answers(database, _fill(database, printers=asked.printers), rounds=asked.rounds)
        database.close()


if __name__ == "__main__":
    main()
