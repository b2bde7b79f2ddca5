"""A hub on PostgreSQL with everything going on at once: waits, locks, circles.

    python -m tests.bench.bench_postgres [--seconds 60]

Eight callers in the hub's own process, without a pause: three makers, two agents, a person who
judges, one who keeps printers, and the worker's part after slicing. The database does not wait for
its disk.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from unittest.mock import patch

from tests.support.busy_hub import BusyHub
from tests.support.hubs import opened
from tests.support.postgres import postgres


def main() -> None:
    """Run it and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=60.0)
    seconds = options.parse_args().seconds
    with (
        patch("designhub.idle.SEEN_EVERY_S", 0.0),  # signs of life are written all the time
        postgres() as server,
        tempfile.TemporaryDirectory(prefix="bench-postgres-") as name,
        opened(Path(name) / "hub", database_url=server.new_database(), held_questions=0) as hub,
    ):
        told = BusyHub(hub).run(until=lambda _: False, limit_s=seconds)
    figures = {
        "seconds": seconds,
        "answers": dict(sorted(told.counts.items())),
        "median_and_most_ms": {
            what: [round(statistics.median(waits) * 1000), round(max(waits) * 1000)]
            for what, waits in sorted(told.waits_s.items())
        },
        "sessions_that_wait_for_a_lock_mean_most": [
            round(statistics.mean(told.locked), 2),
            max(told.locked),
        ],
        "deadlocks": told.deadlocks,
        "broken": told.broken,
    }
    print(json.dumps(figures, indent=2))  # noqa: T201 - a bench prints


if __name__ == "__main__":
    main()
