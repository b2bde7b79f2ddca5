"""What the hub tells the book, one function per fact; pure, ids only, never names of people.

A fact is a key (saying it twice is saying it once), a kind, who said it, when it happened, and a
body of Valueflows events. Amounts are whole numbers in the unit that ends the parameter's name. The
accounts these facts touch are described in `docs/book.md`.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Literal
from uuid import UUID

from basis.errors import Invalid
from basis.units import ceil_div
from commons import verify
from commons.settlement import money_unit

Id = str | int | UUID
Event = dict[str, Any]
Outcome = Literal["printed", "failed", "cancelled"]

_TEXT = 200  # signs: a path or a reason, not an essay


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened, in the form `book.record` takes."""

    key: str
    kind: str
    at: datetime
    by: str
    body: Mapping[str, Any]


def named(kind: str, ident: Id) -> str:
    """`kind:ident`, such as `member:4c`; an id that already says its kind stays as it is.

    Raises Invalid when that is no name of the book (spaces, slashes, mail addresses).
    """
    text = str(ident)
    return _checked(text if text.startswith(f"{kind}:") else f"{kind}:{text}")


def event(
    action: str,
    amount: int | None = None,
    unit: str | None = None,
    *,
    of: str | None = None,
    to: str | None = None,
    mass_mg: int = 0,
    **more: str | None,
) -> Event:
    """One Valueflows event. `of` is the resource, `to` the one that receives.

    mass_mg : what the pieces weigh, beside their number; left out when 0.
    more    : further fields of the event, left out when None.
    """
    made: Event = {"action": action}
    which = "effortQuantity" if action in verify.EFFORT else "resourceQuantity"
    if amount is not None and unit is not None:
        made[which] = {"hasNumericalValue": str(amount), "hasUnit": unit}
    if mass_mg:
        made["massQuantity"] = {"hasNumericalValue": str(mass_mg), "hasUnit": "mg"}
    places = {"resourceInventoriedAs": of, "toResourceInventoriedAs": to}
    return made | {key: text for key, text in (places | more).items() if text is not None}


# Orders and money --------------------------------------------------------------------------------


def order_reserved(
    *,
    order_id: Id,
    maker_id: Id,
    workshop_id: Id,
    lines: Sequence[tuple[str, int]],
    currency: str,
    jobs: int,
    at: datetime,
) -> Fact:
    """The price of an order, set aside from what its maker may spend; one entry per order.

    lines : label and amount in the minor unit of `currency`, as the quote showed them.
    jobs  : how many copies share the price; each ends its share once, received or voided, and a
            job of several copies on one plate ends theirs together.
    """
    if jobs < 1 or any(amount < 0 for _, amount in lines):
        raise Invalid(f"{order_id}: an order has at least one job and no line below zero")
    order, maker = named("order", order_id), named("member", maker_id)
    body = {
        "about": {"maker": maker, "order": order, "workshop": named("workshop", workshop_id)},
        "lines": [{"amount": str(amount), "label": plain(label)} for label, amount in lines],
        "reserve": {
            "account": maker,
            "amount": str(sum(amount for _, amount in lines)),
            "jobs": str(jobs),
            "key": order,
            "unit": money_unit(currency),
        },
    }
    return Fact(key=f"{order}/reserved", kind="reserve", at=at, by=maker, body=body)


def part_passed(
    *,
    job_id: Id,
    order_id: Id,
    run_key: str,
    maker_id: Id,
    workshop_id: Id,
    design_id: Id,
    shares: Sequence[tuple[str, int, str]],
    currency: str,
    by: Id,
    at: datetime,
    pieces: int = 1,
) -> Fact:
    """A person looked at the part and took it: from here on its price is owed.

    shares : (account, amount in minor units, why), as `settlement.shares` computes them for what
             passed. They wait on `owed:<account>` until it is received.
    pieces : how many copies passed of those on the plate; the others are `rejected`.
    """
    order, job = named("order", order_id), named("job", job_id)
    about = _about_run(run_key) | {
        "design": named("design", design_id),
        "maker": named("member", maker_id),
        "order": order,
        "workshop": named("workshop", workshop_id),
    }
    if about["job"] != job:
        raise Invalid(f"the run {run_key} is not a run of {job}")
    events = [
        event("accept", pieces, "piece", of=_part(job), inputOf=run_key),
        event("modify", pieces, "piece", of=_part(job), outputOf=run_key, state="passed"),
        *_claims(order, shares, currency),
    ]
    body = {"about": about, "claim": job, "events": events}
    return Fact(key=f"{order}/{job}/passed", kind="event", at=at, by=_actor(by), body=body)


def part_received(
    *,
    job_id: Id,
    order_id: Id,
    maker_id: Id,
    workshop_id: Id,
    shares: Sequence[tuple[str, int, str]],
    currency: str,
    mass_mg: int,
    distance_m: int,
    by: Id,
    at: datetime,
    pieces: int = 1,
) -> Fact:
    """The maker has the part: its share of the reservation is paid, in the same entry.

    shares     : exactly those of `part_passed`; and so is `pieces`.
    mass_mg    : exactly the `good_mg` of the run that made the part, less what was rejected of it.
    distance_m : how far it was carried; 0 when it was not.
    """
    order, job, maker = named("order", order_id), named("job", job_id), named("member", maker_id)
    workshop, unit = named("workshop", workshop_id), money_unit(currency)
    total = sum(amount for _, amount, _ in shares)
    carried = ceil_div(mass_mg * distance_m, 1_000_000)  # mg·m to kg·m
    passes = {"provider": workshop, "receiver": maker}
    events = [
        event("pickup", pieces, "piece", of=_part(job)) | passes,
        event("dropoff", pieces, "piece", of=_part(job)) | passes,
        *([event("deliverService", carried, "kg.m") | passes] if carried else []),
        event(
            "transfer",
            pieces,
            "piece",
            of=_part(job),
            to=f"goods:{maker}",
            mass_mg=mass_mg,
            **passes,
        ),
        *(
            event("transfer", amount, unit, of=f"owed:{_checked(account)}", to=account)
            for account, amount, _ in shares
            if amount
        ),
        *([event("transfer", total, unit, of=maker, to=f"escrow:{order}")] if total else []),
    ]
    body = {
        "about": {"job": job, "maker": maker, "order": order, "workshop": workshop},
        "events": events,
        "post": {
            "amount": str(total),
            "job": job,
            "reservation": order,
            "settles": f"{order}/{job}/passed",
            "unit": unit,
        }
        | _of_several(pieces),
    }
    return Fact(key=f"{order}/{job}/ended", kind="post", at=at, by=_actor(by), body=body)


def job_voided(
    *,
    job_id: Id,
    order_id: Id,
    amount_minor: int,
    currency: str,
    reason: str,
    by: Id,
    at: datetime,
    passed_shares: Sequence[tuple[str, int, str]] | None = None,
    pieces: int = 1,
) -> Fact:
    """A job will not be paid (cancelled, unroutable, refused): its share is free again.

    pieces        : how many copies it was to make.
    passed_shares : the shares of `part_passed` when the part had passed, so that nothing stays
                    owed; None when it never passed.
    """
    order, job, unit = named("order", order_id), named("job", job_id), money_unit(currency)
    void = {"amount": str(amount_minor), "job": job, "reservation": order, "unit": unit}
    void |= _of_several(pieces)
    if passed_shares is not None:
        void["settles"] = f"{order}/{job}/passed"
    back = [
        event("transfer", amount, unit, of=f"owed:{account}", to=f"escrow:{order}")
        for account, amount, _ in passed_shares or ()
        if amount
    ]
    body = {
        "about": {"job": job, "order": order},
        "events": back,
        "reason": plain(reason),
        "void": void,
    }
    return Fact(key=f"{order}/{job}/ended", kind="void", at=at, by=_actor(by), body=body)


def _of_several(pieces: int) -> dict[str, str]:
    """How many copies an entry ends; one goes without saying."""
    if pieces < 1:
        raise Invalid(f"a job is of at least one copy, not {pieces}")
    return {} if pieces == 1 else {"jobs": str(pieces)}


def _claims(order: str, shares: Sequence[tuple[str, int, str]], currency: str) -> list[Event]:
    return [
        event(
            "transfer",
            amount,
            money_unit(currency),
            of=f"escrow:{order}",
            to=f"owed:{_checked(account)}",
            note=plain(why),
        )
        for account, amount, why in shares
        if amount
    ]


# Runs and matter ---------------------------------------------------------------------------------


def run_ended(
    *,
    run_key: str,
    printer_id: Id,
    workshop_id: Id,
    agent_id: Id,
    design: Id,
    commit: str,
    part: str,
    lots: Sequence[tuple[Id, int]],
    outcome: Outcome,
    filament_source: str,
    energy_mwh: int,
    energy_source: str,
    machine_s: int,
    good_mg: int,
    at: datetime,
    scrap_mg: int | None = None,
    pieces: int = 1,
) -> Fact:
    """What one run took and what came of it, whatever its outcome.

    run_key  : "printer:P/job:J/run:R"; the run that is told twice is recorded once.
    agent_id : who says so, an agent or (as "member:…") a person.
    lots     : the spools the filament came from in the order of their use, and the mg of each; an
               event for each of them in the one entry.
    energy_mwh, machine_s : taken; `…_source` says measured or estimated, and by what.
    good_mg  : what the good part weighs; 0 unless printed.
    pieces   : how many copies lie on the plate; `good_mg` is of all of them.
    scrap_mg : weighed waste. Without it all that is not the part is waste; with it the rest, above
               or below zero, is kept in sight on `unexplained:printer:P`.
    """
    about = _about_run(run_key)
    printer, workshop = named("printer", printer_id), named("workshop", workshop_id)
    version = _version(design, commit)
    if about["printer"] != printer:
        raise Invalid(f"the run {run_key} is not a run on {printer}")
    if outcome != "printed" and good_mg:
        raise Invalid(f"{run_key} {outcome}, so it made no good part, not one of {good_mg} mg")
    filament_mg = sum(mg for _, mg in lots)
    if min(energy_mwh, machine_s, good_mg, scrap_mg or 0, *(mg for _, mg in lots)) < 0:
        raise Invalid(f"{run_key}: an amount below zero")
    scrap = max(0, filament_mg - good_mg) if scrap_mg is None else scrap_mg
    taken = {"inputOf": run_key, "provider": workshop}
    events = [
        *chain.from_iterable(
            _some("consume", mg, "mg", named("lot", lot), taken, filament_source)
            for lot, mg in lots
        ),
        *_some("consume", energy_mwh, "mWh", f"energy:{workshop}", taken, energy_source),
        *_some("use", machine_s, "s", printer, taken, None),
        event("cite", 1, "piece", of=version, inputOf=run_key, note=plain(part)),
    ]
    if outcome == "printed":
        events.append(
            event(
                "produce",
                pieces,
                "piece",
                of=_part(about["job"]),
                mass_mg=good_mg,
                outputOf=run_key,
            )
        )
    if scrap:
        events.append(event("produce", scrap, "mg", of=f"scrap:{workshop}", outputOf=run_key))
    events += _unexplained(filament_mg - good_mg - scrap, printer, run_key)
    body = {
        "about": about | {"design": version.partition("@")[0], "workshop": workshop},
        "events": events,
        "outcome": outcome,
    }
    by = _actor(agent_id, kind="agent")
    return Fact(key=run_key, kind="event", at=at, by=by, body=body)


def _some(
    action: str, amount: int, unit: str, of: str, more: Mapping[str, str], source: str | None
) -> list[Event]:
    """The event, unless nothing was taken."""
    note = None if source is None else plain(source)
    return [event(action, amount, unit, of=of, source=note) | dict(more)] if amount else []


def _unexplained(rest_mg: int, printer: str, run_key: str) -> list[Event]:
    """What went in and did not come out (or the reverse), as an event of its own."""
    account = f"unexplained:{printer}"
    if rest_mg > 0:
        return [event("produce", rest_mg, "mg", of=account, outputOf=run_key, state="unexplained")]
    if rest_mg < 0:
        return [event("consume", -rest_mg, "mg", of=account, inputOf=run_key, state="unexplained")]
    return []


def rejected(
    *,
    run_key: str,
    workshop_id: Id,
    good_mg: int,
    reason: str,
    by: Id,
    at: datetime,
    pieces: int = 1,
) -> Fact:
    """A person failed a part that the printer called finished: it becomes scrap, explicitly.

    good_mg : exactly what `run_ended` said the part weighs; of some of a plate, their share of it.
    pieces  : how many copies were failed of those on the plate.
    """
    about, workshop = _about_run(run_key), named("workshop", workshop_id)
    part, steps = _part(about["job"]), {"inputOf": run_key}
    events = [
        event("accept", pieces, "piece", of=part) | steps,
        event("modify", pieces, "piece", of=part, outputOf=run_key, state="failed"),
        event("consume", pieces, "piece", of=part, mass_mg=good_mg) | steps,
    ]
    if good_mg:
        events.append(event("produce", good_mg, "mg", of=f"scrap:{workshop}", outputOf=run_key))
    body = {
        "about": about | {"workshop": workshop},
        "events": events,
        "reason": plain(reason),
    }
    return Fact(key=f"{run_key}/rejected", kind="event", at=at, by=_actor(by), body=body)


def lot_added(*, lot_id: Id, workshop_id: Id, mass_mg: int, by: Id, at: datetime) -> Fact:
    """A spool came into the workshop, holding `mass_mg` of filament."""
    lot, workshop = named("lot", lot_id), named("workshop", workshop_id)
    events = [event("raise", mass_mg, "mg", of=lot, against="supplier", receiver=workshop)]
    body = {"about": {"lot": lot, "workshop": workshop}, "events": events}
    return Fact(key=f"{lot}/added", kind="event", at=at, by=_actor(by), body=body)


def lot_weighed(
    *, lot_id: Id, workshop_id: Id, weighing_id: Id, difference_mg: int, by: Id, at: datetime
) -> Fact:
    """A spool was weighed and held `difference_mg` more (or, below zero, less) than booked."""
    lot, workshop = named("lot", lot_id), named("workshop", workshop_id)
    action = "raise" if difference_mg > 0 else "lower"
    events = [event(action, abs(difference_mg), "mg", of=lot, against="adjust")]
    body = {
        "about": {"lot": lot, "workshop": workshop},
        "events": events if difference_mg else [],
    }
    key = f"{lot}/{named('weighing', weighing_id)}"
    return Fact(key=key, kind="event", at=at, by=_actor(by), body=body)


# Designs and work --------------------------------------------------------------------------------


def version_published(
    *,
    design: Id,
    commit: str,
    by: Id,
    licence: str,
    at: datetime,
    cites: Sequence[tuple[Id, str]] = (),
) -> Fact:
    """A version of a design is there for everybody. No money moves, ever.

    cites : (design, commit) of every version it builds upon.
    """
    version = _version(design, commit)
    events = [event("cite", 1, "piece", of=_version(*parent), inputOf=version) for parent in cites]
    events.append(event("produce", 1, "piece", of=version, outputOf=version, note=plain(licence)))
    body = {"about": {"design": named("design", design)}, "events": events}
    return Fact(key=f"{version}/published", kind="event", at=at, by=_actor(by), body=body)


def design_forked(*, design: Id, commit: str, fork: Id, by: Id, at: datetime) -> Fact:
    """A version was copied into a design of its own: free of charge, and always credited."""
    source, copy = _version(design, commit), _version(fork, commit)
    events = [event("copy", 1, "piece", of=source, to=copy)]
    about = {"design": named("design", fork), "source": named("design", design)}
    body = {"about": about, "events": events}
    return Fact(key=f"{copy}/forked", kind="event", at=at, by=_actor(by), body=body)


def work_logged(
    *, log_id: Id, member_id: Id, design: Id, seconds: int, by: Id, at: datetime
) -> Fact:
    """Work that somebody gave to a design: credit, not pay."""
    member, target = named("member", member_id), named("design", design)
    if seconds <= 0:
        raise Invalid(f"logged work lasts at least a second, got {seconds}")
    body = {
        "about": {"design": target, "member": member},
        "events": [event("work", seconds, "s", provider=member, receiver=target)],
    }
    return Fact(key=named("work", log_id), kind="event", at=at, by=_actor(by), body=body)


# Mistakes ----------------------------------------------------------------------------------------


def corrected(
    *, key: str, corrects: str, events: Sequence[Event], reason: str, by: Id, at: datetime
) -> Fact:
    """Correct an earlier entry by the difference to it; the entry itself stays.

    corrects : key of the entry. Price and claims cannot be corrected: they end by post or void.
    events   : differences, amounts below zero allowed; each like an event of that entry.
    """
    body = {
        "about": _about_key(corrects),
        "events": [dict(one, corrects=corrects) for one in events],
        "reason": plain(reason),
    }
    return Fact(key=key, kind="event", at=at, by=_actor(by), body=body)


def negated(body: Mapping[str, Any]) -> list[Event]:
    """The events that undo all events of an entry: the same with opposite amounts."""
    return [_negated(one) for one in body.get("events", [])]


def _negated(one: Mapping[str, Any]) -> Event:
    changed = dict(one)
    for which in ("resourceQuantity", "effortQuantity", "massQuantity"):
        if which in one:
            opposite = -verify.number(one[which]["hasNumericalValue"])
            changed[which] = one[which] | {"hasNumericalValue": str(opposite)}
    return changed


# Small things ------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """`text` as the book can hold it: NFC, no half characters, at most 200 signs.

    Paths come from git and may hold anything; a run must be recorded all the same.
    """
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", whole)[:_TEXT]


def _checked(text: str) -> str:
    try:
        return verify.name(text)
    except verify.Wrong as exc:
        raise Invalid(str(exc)) from exc


def _actor(by: Id, *, kind: str = "member") -> str:
    """Who says it: `hub`, a name such as `agent:4c`, or a bare id of the given kind."""
    text = str(by)
    return _checked(text) if ":" in text or text == "hub" else named(kind, text)


def _version(design: Id, commit: str) -> str:
    return _checked(f"{named('design', design)}@{commit}")


def _part(job: str) -> str:
    return f"part:{job}"


def _about_run(run_key: str) -> dict[str, str]:
    """The printer, the job and the run that a run's key names."""
    steps = [_checked(step) for step in run_key.split("/")]
    if [step.partition(":")[0] for step in steps] != ["printer", "job", "run"]:
        raise Invalid(f"{run_key!r} is not a run such as printer:3/job:77/run:1")
    return {"printer": steps[0], "job": steps[1], "run": run_key}


def _about_key(key: str) -> dict[str, str]:
    """What the key of an entry itself tells about its subject."""
    return {
        kind: step
        for step in key.split("/")
        if (kind := step.partition(":")[0]) in ("printer", "job", "order", "lot")
    }


__all__ = [
    "Event",
    "Fact",
    "corrected",
    "design_forked",
    "event",
    "job_voided",
    "lot_added",
    "lot_weighed",
    "named",
    "negated",
    "order_reserved",
    "part_passed",
    "part_received",
    "plain",
    "rejected",
    "run_ended",
    "version_published",
    "work_logged",
]
