"""What a page costs: answers a second, beside a bare Flask answer of the same length.

    python -m tests.bench.bench_pages [--designs 10000] [--seconds 1] [--rounds 7] [--profile home]

In one process and one thread, without a network: what a page takes of a processor. Each page is
asked in turns with its bare answer; the ratio of answers a second is the figure.
"""

import argparse
import cProfile
import json
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import insert, select
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from basis import clock
from designhub.models import AccountRow
from designs.models import (
    Analysis,
    DesignRow,
    MeshRow,
    PartRow,
    RefRow,
    VersionRow,
    Visibility,
    WordRow,
)
from printers.models import WorkshopRow
from tests.support import builders, solids
from tests.support.builders import NOW
from tests.support.hubs import OpenHub, opened

WORDS = ("hinge", "coupling", "bracket", "lamp", "hose", "clip", "gear", "handle", "box", "knob")
LICENCES = ("CERN-OHL-S-2.0", "CC-BY-4.0", "CC0-1.0", "MIT")


def main() -> None:
    """Run all and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--designs", type=int, default=10_000)
    options.add_argument("--seconds", type=float, default=1.0)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--profile", default="")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as name, opened(Path(name)) as hub:
        paths, cookie = _fill(hub, chosen.designs)
        calls = {page: _call(hub.app, path, cookie) for page, path in paths.items()}
        if chosen.profile:
            _profile(calls[chosen.profile])
            return
        figures = {
            page: _compare(call, seconds=chosen.seconds, rounds=chosen.rounds)
            for page, call in calls.items()
        }
    print(json.dumps(figures, indent=2))  # noqa: T201 - a bench prints


def _fill(hub: OpenHub, number: int) -> tuple[Mapping[str, str], str]:
    """Many designs, one workshop, one job; the pages to ask for, and the maker's cookie."""
    shop = hub.shop()
    job = hub.ordered(shop)[0]
    with hub.hub.database.writing() as session:
        builders.print_all(session, shop, now=clock.now())
    hub.ordered(shop)
    facts = builders.facts(solids.box(20, 20, 20)).to_json()
    owner = {"owner_id": shop.owner, "visibility": Visibility.PUBLIC, "created_at": NOW}
    done = {"analysis": Analysis.DONE, "size_bytes": 684, "format": "stl", "facts": facts}
    with hub.hub.database.writing() as session:
        session.execute(insert(AccountRow), [_person(each) for each in range(200)])
        first = 1_000  # beyond what the builders made
        ids = range(first, first + number)
        rows = [_design(each) | owner for each in ids]
        session.execute(insert(DesignRow), rows)
        session.execute(insert(VersionRow), [_version(each) for each in ids])
        session.execute(insert(RefRow), [_ref(each) for each in ids])
        session.execute(insert(MeshRow), [_mesh(each) | done for each in ids])
        session.execute(insert(PartRow), [_part(each) for each in ids])
        session.execute(insert(WordRow), [word for each in ids for word in _words(each)])
        workshop = session.scalars(select(WorkshopRow.slug)).one()
    client = hub.client("maker")
    cookie = client.flask.get_cookie("session")
    paths = {
        "home": "/",
        "designs": "/designs",
        "search": "/designs?q=hing+42",
        "fits, licence": "/designs?fits=10x10x10&licence=MIT",
        "design": f"/owner/{WORDS[0]}-{first}",
        "job": f"/jobs/{job}",
        "workshop": f"/workshops/{workshop}",
        "feed": "/designs.atom",
    }
    return paths, f"session={cookie.value if cookie else ''}"


def _person(each: int) -> dict[str, Any]:
    return {"name": f"person{each}", "password_hash": "!", "created_at": NOW}


def _design(each: int) -> dict[str, Any]:
    word = WORDS[each % len(WORDS)]
    text = f"A {word} that holds two things together, number {each} of many."
    return {
        "id": each,
        "slug": f"{word}-{each}",
        "title": f"{word.title()} {each}",
        "description": text,
        "pushed_at": NOW,
    }


def _version(each: int) -> dict[str, Any]:
    return {
        "id": each,
        "design_id": each,
        "commit": f"{each:040x}",
        "committed_at": NOW,
        "pushed_at": NOW,
        "analysis": Analysis.DONE,
        "analysed_at": NOW,
        "licence": LICENCES[each % len(LICENCES)],
    }


def _ref(each: int) -> dict[str, Any]:
    return {"design_id": each, "ref": "refs/tags/v1.0", "version_id": each, "updated_at": NOW}


def _mesh(each: int) -> dict[str, Any]:
    sha256 = f"{each:064x}"
    return {
        "id": each,
        "blob": f"{each:040x}",
        "reader": 1,
        "stl_sha256": sha256,
        "picture_sha256": sha256,
    }


def _part(each: int) -> dict[str, Any]:
    named = {"slug": "part", "name": "Part", "path": "part.stl"}
    return {"id": each, "version_id": each, "position": 0, "mesh_id": each, **named}


def _words(each: int) -> list[dict[str, Any]]:
    words = {WORDS[each % len(WORDS)]: 100, str(each): 100, "holds": 10, "together": 10}
    return [{"word": word, "design_id": each, "weight": n} for word, n in words.items()]


def _call(app: Flask, path: str, cookie: str) -> Callable[[], bytes]:
    asked, _, query = path.partition("?")
    headers = Headers({"Cookie": cookie, "Accept": "text/html"})
    environ = EnvironBuilder(path=asked, query_string=query, headers=headers).get_environ()

    def call() -> bytes:
        body, status, _ = run_wsgi_app(app, dict(environ), buffered=True)
        assert status.startswith("200"), status
        return b"".join(body)

    return call


def _bare(length: int) -> Callable[[], bytes]:
    """A Flask application that knows nothing but one text."""
    app, text = Flask("bare"), "x" * length
    app.add_url_rule("/", view_func=lambda: text)
    return _call(app, "/", "")


def _compare(call: Callable[[], bytes], *, seconds: float, rounds: int) -> dict[str, Any]:
    length = len(call())
    bare = _bare(length)
    pages, ratios = [], []
    for number in range(rounds):
        order = (call, bare) if number % 2 else (bare, call)
        rate = {each: _rate(each, seconds=seconds) for each in order}
        pages.append(rate[call])
        ratios.append(rate[call] / rate[bare])
    return {
        "bytes": length,
        "answers_per_s": round(statistics.median(pages), 1),
        "ratio_to_bare_flask": {
            "median": round(statistics.median(ratios), 3),
            "least": round(min(ratios), 3),
            "most": round(max(ratios), 3),
        },
    }


def _rate(call: Callable[[], bytes], *, seconds: float) -> float:
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        call()
        count += 1
    return count / (time.perf_counter() - began)


def _profile(call: Callable[[], bytes]) -> None:
    for _ in range(5):
        call()
    with cProfile.Profile() as profile:
        for _ in range(50):
            call()
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
