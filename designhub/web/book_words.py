"""Entries of the open book in words for people. Pure; ids stay ids, for the book has no names."""

from collections.abc import Mapping
from typing import Any

from commons.store import Entry
from designhub.web import words

SHORT = 8
"""Letters of an id that are shown; the entry itself has them all."""


def entry(written: Entry) -> str:
    """One entry as a sentence."""
    about: Mapping[str, str] = written.body.get("about", {})
    if written.kind == "policy":
        return f"The book of {written.body.get('policy', {}).get('hub', 'this hub')} was opened"
    if written.kind == "reserve":
        return _reserved(written.body, about)
    if written.kind == "post":
        return f"{_name(about, 'maker')} has the part: {_money(written.body['post'])} were paid"
    if written.kind == "void":
        void = written.body["void"]
        free = f"{_money(void)} are free again" if void.get("amount", "0") != "0" else "no price"
        return f"{_short(void['job'])} ended without payment, {free}{_why(written.body)}"
    return _event(written, about)


def short(name: str) -> str:
    """A name of the book with its long ids cut: `order:1a2b3c4d/job:5e6f7a8b`."""
    return "/".join(_short(step) for step in name.split("/"))


def _event(written: Entry, about: Mapping[str, str]) -> str:
    body, last = written.body, written.key.rpartition("/")[2]
    if any("corrects" in each for each in body.get("events", [])):
        return f"Correction of an earlier entry{_why(body)}"
    if "outcome" in body:
        return _run(body, about)
    if last == "rejected":
        return f"The part of {_name(about, 'job')} was rejected and is scrap{_why(body)}"
    if last == "passed":
        return f"The part of {_name(about, 'job')} is good: its price is owed"
    if last == "added":
        return f"{_name(about, 'workshop')} loaded a spool: {_sum(body, 'raise')}"
    if last.startswith("weighing:"):
        more = _sum(body, "raise")
        said = f"{more} more" if more != "nothing" else f"{_sum(body, 'lower')} less"
        return f"A spool was weighed: {said} than written"
    if last == "published":
        return f"A version of {_name(about, 'design')} was published"
    if last == "forked":
        return f"{_name(about, 'source')} was copied into {_name(about, 'design')}"
    if about.get("member") and _sum(body, "work") != "nothing":
        return f"{_name(about, 'member')} gave {_sum(body, 'work')} to {_name(about, 'design')}"
    actions = sorted({str(each.get("action", "?")) for each in body.get("events", [])})
    return ", ".join(actions) or written.kind


def _run(body: Mapping[str, Any], about: Mapping[str, str]) -> str:
    printer, took = _name(about, "printer"), _sum(body, "consume", unit="mg")
    power, time = _sum(body, "consume", unit="mWh"), _sum(body, "use")
    outcome = {
        "printed": "printed a part",
        "failed": "failed at a part",
        "cancelled": "stopped at a part",
    }.get(str(body["outcome"]), str(body["outcome"]))
    return f"{printer} {outcome}: it took {took} of filament, {power} and {time}"


def _reserved(body: Mapping[str, Any], about: Mapping[str, str]) -> str:
    reserve = body["reserve"]
    jobs = words.count(int(reserve["jobs"]), "copy", "copies")
    return f"{_name(about, 'maker')} ordered {jobs}: {_money(reserve)} are set aside"


def _money(part: Mapping[str, str]) -> str:
    return words.amount(int(part["amount"]), part["unit"])


def _sum(body: Mapping[str, Any], action: str, *, unit: str | None = None) -> str:
    """What all events of one action come to, in the first unit they have (or in `unit`)."""
    total, found = 0, unit
    for each in body.get("events", []):
        measure = each.get("resourceQuantity") or each.get("effortQuantity")
        if each.get("action") != action or measure is None:
            continue
        found = found or measure["hasUnit"]
        if measure["hasUnit"] == found:
            total += int(measure["hasNumericalValue"])
    return words.amount(total, found) if found and total else "nothing"


def _why(body: Mapping[str, Any]) -> str:
    return f": {body['reason']}" if body.get("reason") else ""


def _name(about: Mapping[str, str], kind: str) -> str:
    return _short(about.get(kind, kind))


def _short(name: str) -> str:
    named, at, commit = name.partition("@")
    kind, colon, ident = named.rpartition(":")
    shorter = f"{kind}{colon}{ident[:SHORT]}" if len(ident) > 2 * SHORT else named
    return f"{shorter}{at}{commit[:SHORT]}"
