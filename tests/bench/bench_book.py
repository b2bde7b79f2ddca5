"""What one committed entry of the open book costs, as a share of raw `executemany`.

    python -m tests.bench.bench_book [--entries 200] [--pairs 7]

On SQLite in a temporary folder, with `synchronous` FULL (what the hub uses) and NORMAL. Raw means
the same rows (an entry, its legs) handed to sqlite3 in one `executemany` per table and one commit.
Variants are interleaved and their order alternates; printed is the median (min–max) of the paired
ratios, so 1 would be as fast as raw. Nothing here is asserted.
"""

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import event

from basis.db import Base, Database
from commons import audit, verify
from commons.book import Fact, record, restore
from tests.commons.worlds import NOW, printed


def _database(folder: Path, name: str, synchronous: str) -> Database:
    database = Database(f"sqlite:///{folder / name}.sqlite")

    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA synchronous={synchronous}")

    event.listen(database.engine, "connect", set_up)
    Base.metadata.create_all(database.engine)
    return database


def _one_by_one(database: Database, facts: Sequence[Fact]) -> None:
    for fact in facts:
        with database.writing() as session:
            record(session, fact, now=NOW)


def _in_one(database: Database, facts: Sequence[Fact]) -> None:
    with database.writing() as session:
        for fact in facts:
            record(session, fact, now=NOW)


def _restored(database: Database, lines: Sequence[bytes]) -> None:
    with database.writing() as session:
        restore(session, lines)


def _raw(path: Path, synchronous: str, entries: list[tuple[object, ...]], legs: object) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO book_entry VALUES (?,?,?,?,?,?,?,?,?)", entries)
    connection.executemany("INSERT INTO book_leg VALUES (?,?,?,?)", legs)  # type: ignore[arg-type]
    connection.execute("COMMIT")
    connection.close()


def _timed(call: Callable[[], None]) -> int:
    start = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - start


def _rows(database: Database) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    with database.engine.connect() as connection:
        entries = [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM book_entry")]
        legs = [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM book_leg")]
    return entries, legs


def measure(synchronous: str, *, entries: int, pairs: int) -> dict[str, list[float]]:
    """Paired ratios raw ÷ ours, per variant."""
    facts = [printed(n) for n in range(entries)]
    ratios: dict[str, list[float]] = {"commit each": [], "one transaction": [], "restore": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = _database(folder, "first", synchronous)
        _in_one(first, facts)
        rows, legs = _rows(first)
        with first.reading() as session:
            lines = list(audit.export(session))
        first.close()
        for pair in range(pairs + 1):  # the first pair warms up
            took: dict[str, int] = {}
            order = ["raw", *ratios]
            for variant in order if pair % 2 else reversed(order):
                where = f"{variant.replace(' ', '-')}-{pair}"
                database = _database(folder, where, synchronous)
                path = folder / f"{where}.sqlite"
                calls: dict[str, Callable[[], None]] = {
                    "raw": lambda p=path: _raw(p, synchronous, rows, legs),  # type: ignore[misc]
                    "commit each": lambda d=database: _one_by_one(d, facts),  # type: ignore[misc]
                    "one transaction": lambda d=database: _in_one(d, facts),  # type: ignore[misc]
                    "restore": lambda d=database: _restored(d, lines),  # type: ignore[misc]
                }
                took[variant] = _timed(calls[variant])
                database.close()
            if pair:
                for variant, found in ratios.items():
                    found.append(took["raw"] / took[variant])
    return ratios


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=7)
    asked = parser.parse_args()
    sys.stdout.write(f"{asked.entries} runs, SQLite, share of raw executemany (1 = as fast)\n")
    for synchronous in ("FULL", "NORMAL"):
        found = measure(synchronous, entries=asked.entries, pairs=asked.pairs)
        for variant, ratios in found.items():
            middle = statistics.median(ratios)
            span = f"{min(ratios):.3f}–{max(ratios):.3f}"
            sys.stdout.write(f"  {synchronous:6} {variant:15} {middle:.3f} ({span})\n")
    with tempfile.TemporaryDirectory() as name:
        database = _database(Path(name), "verify", "NORMAL")
        _in_one(database, [printed(n) for n in range(5_000)])
        with database.reading() as session:
            lines = list(audit.export(session))
        database.close()
    took = _timed(lambda: None if verify.verify(lines).ok else sys.exit("the book is wrong"))
    sys.stdout.write(f"  verify: {len(lines) * 10**9 // took} entries/s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
