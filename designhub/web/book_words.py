"""Entries of the open book in words for people; ids stay ids, for the book has no names."""

from collections.abc import Mapping
from typing import Any

from commons.store import Entry
from designhub.language import Lazy, _, lazy, ngettext
from designhub.web import words

SHORT = 8
"""Letters of an id that are shown; the entry itself has them all."""

KINDS: Mapping[str, Lazy] = {
    "reserve": lazy("Ordered"),
    "event": lazy("Made and looked at"),
    "post": lazy("Paid"),
    "void": lazy("Not paid"),
}
"""What the journal can be narrowed to."""

REASONS: Mapping[str, Lazy] = {
    "cancelled": lazy("cancelled"),
    "rejected; at fault: the job": lazy("the job is at fault"),
    "rejected; at fault: the printer": lazy("the printer is at fault"),
    "rejected; at fault: the job and the printer": lazy("the job and the printer are at fault"),
    "rejected; at fault: nobody": lazy("nobody is at fault"),
}
"""The fixed words of the book (`router.bookkeeping`), as a page says them."""

OUTCOMES: Mapping[str, Lazy] = {
    "printed": lazy("a part"),
    "rejected": lazy("rejected: waste"),
    "in_part": lazy("good in part"),
    "failed": lazy("failed: waste"),
    "cancelled": lazy("stopped: waste"),
}
"""What became of a try."""

ACCOUNTS: Mapping[str, Lazy] = {
    "adjust": lazy("found or missed when spools were weighed"),
    "carriage": lazy("carried (less than nothing) or brought to them"),
    "design": lazy("what designs received"),
    "energy": lazy("energy that workshops gave to prints"),
    "escrow": lazy("passed, and not in the hands of those who ordered"),
    "goods": lazy("parts that were handed over"),
    "lot": lazy("filament on spools"),
    "member": lazy("what people paid (less than nothing) or received"),
    "owed": lazy("owed for parts that passed, paid when they are handed over"),
    "part": lazy("parts that are made and not handed over"),
    "printer": lazy("hours that printers gave"),
    "scrap": lazy("waste, failed prints, rejected parts"),
    "supplier": lazy("where spools came from"),
    "unexplained": lazy("mass that went in and did not come out"),
    "work": lazy("work given (less than nothing) or received"),
    "workshop": lazy("what workshops received"),
    "world": lazy("the other side of what was made and used"),
}
"""What stands on the accounts of each kind."""


def entry(written: Entry) -> str:
    """One entry as a sentence."""
    about: Mapping[str, str] = written.body.get("about", {})
    if written.kind == "policy":
        hub = written.body.get("policy", {}).get("hub", "hub")
        return _("The book of %(hub)s was opened", hub=hub)
    if written.kind == "reserve":
        return _reserved(written.body, about)
    if written.kind == "post":
        paid = _money(written.body["post"])
        return _("%(who)s has the part: %(paid)s were paid", who=_name(about, "maker"), paid=paid)
    if written.kind == "void":
        return _voided(written.body)
    return _event(written, about)


def short(name: str) -> str:
    """A name of the book with its long ids cut: `order:1a2b3c4d/job:5e6f7a8b`."""
    return "/".join(_short(step) for step in name.split("/"))


def account(name: str) -> str:
    """What stands on an account, by the kind it is of; an unknown kind says nothing."""
    known = ACCOUNTS.get(name.partition(":")[0])
    return "" if known is None else str(known)


def subjects(written: Entry) -> list[str]:
    """The names that an entry can be found under, the wide ones: a run or a job is in its order."""
    about: Mapping[str, str] = written.body.get("about", {})
    wide = ("order", "workshop", "printer", "design", "source", "maker", "member", "lot")
    return [about[kind] for kind in wide if kind in about]


def _event(written: Entry, about: Mapping[str, str]) -> str:
    body, last = written.body, written.key.rpartition("/")[2]
    if any("corrects" in each for each in body.get("events", [])):
        return _because(_("Correction of an earlier entry"), body)
    if "outcome" in body:
        return _from_spools(_run(body, about), body)
    if last == "rejected":
        said = ngettext(
            "A part of %(job)s was rejected and is scrap",
            "%(n)s parts of %(job)s were rejected and are scrap",
            _measured(body, "accept", unit="piece")[0],
            job=_name(about, "job"),
        )
        return _because(said, body)
    if last == "passed":
        return ngettext(
            "The part of %(job)s is good: its price is owed",
            "%(n)s parts of %(job)s are good: their price is owed",
            _measured(body, "accept", unit="piece")[0],
            job=_name(about, "job"),
        )
    if last == "added":
        who, mass = _name(about, "workshop"), _sum(body, "raise")
        return _("%(who)s loaded a spool: %(mass)s", who=who, mass=mass)
    if last.startswith("weighing:"):
        return _weighed(body)
    if last == "published":
        return _("A version of %(design)s was published", design=_name(about, "design"))
    if last == "forked":
        source, copy = _name(about, "source"), _name(about, "design")
        return _("%(source)s was copied into %(copy)s", source=source, copy=copy)
    if about.get("member") and _total(body, "work"):
        given = {"who": _name(about, "member"), "time": _sum(body, "work")}
        return _("%(who)s gave %(time)s to %(design)s", design=_name(about, "design"), **given)
    actions = sorted({str(each.get("action", "?")) for each in body.get("events", [])})
    return ", ".join(actions) or written.kind


def _run(body: Mapping[str, Any], about: Mapping[str, str]) -> str:
    took = {
        "printer": _name(about, "printer"),
        "mass": _sum(body, "consume", unit="mg"),
        "energy": _sum(body, "consume", unit="mWh"),
        "time": _sum(body, "use"),
    }
    if body["outcome"] == "printed":
        return ngettext(
            "%(printer)s printed a part: it took %(mass)s of filament, %(energy)s and %(time)s",
            "%(printer)s printed %(n)s parts: they took %(mass)s of filament, %(energy)s and"
            " %(time)s",
            _measured(body, "produce", unit="piece")[0],
            **took,
        )
    if body["outcome"] == "failed":
        return _(
            "%(printer)s failed at a part: it took %(mass)s of filament, %(energy)s and %(time)s",
            **took,
        )
    return _(
        "%(printer)s stopped at a part: it took %(mass)s of filament, %(energy)s and %(time)s",
        **took,
    )


def _from_spools(said: str, body: Mapping[str, Any]) -> str:
    spools = sum(
        each.get("action") == "consume" and each.get("resourceInventoriedAs", "").startswith("lot:")
        for each in body.get("events", [])
    )
    if spools < 2:
        return said
    return _("%(what)s; from %(n)s spools, one after the other", what=said, n=spools)


def _reserved(body: Mapping[str, Any], about: Mapping[str, str]) -> str:
    reserve = body["reserve"]
    return ngettext(
        "%(who)s ordered %(n)s copy: %(price)s are set aside",
        "%(who)s ordered %(n)s copies: %(price)s are set aside",
        int(reserve["jobs"]),
        who=_name(about, "maker"),
        price=_money(reserve),
    )


def _voided(body: Mapping[str, Any]) -> str:
    void = body["void"]
    job = _short(void["job"])
    if void.get("amount", "0") == "0":
        return _because(_("%(job)s ended without payment, it had no price", job=job), body)
    price = _money(void)
    said = _("%(job)s ended without payment, %(price)s are free again", job=job, price=price)
    return _because(said, body)


def _weighed(body: Mapping[str, Any]) -> str:
    if _total(body, "raise"):
        more = _sum(body, "raise")
        return _("A spool was weighed: %(mass)s more than written", mass=more)
    less = _sum(body, "lower")
    return _("A spool was weighed: %(mass)s less than written", mass=less)


def _because(said: str, body: Mapping[str, Any]) -> str:
    if not body.get("reason"):
        return said
    reason = body["reason"]
    return _("%(what)s: %(reason)s", what=said, reason=REASONS.get(reason, reason))


def _money(part: Mapping[str, str]) -> str:
    return words.amount(int(part["amount"]), part["unit"])


def _total(body: Mapping[str, Any], action: str) -> int:
    return _measured(body, action)[0]


def _sum(body: Mapping[str, Any], action: str, *, unit: str | None = None) -> str:
    """What all events of one action come to, in the first unit they have (or in `unit`)."""
    total, found = _measured(body, action, unit=unit)
    return words.amount(total, found) if found and total else _("nothing")


def _measured(
    body: Mapping[str, Any], action: str, *, unit: str | None = None
) -> tuple[int, str | None]:
    total, found = 0, unit
    for each in body.get("events", []):
        measure = each.get("resourceQuantity") or each.get("effortQuantity")
        if each.get("action") != action or measure is None:
            continue
        found = found or measure["hasUnit"]
        if measure["hasUnit"] == found:
            total += int(measure["hasNumericalValue"])
    return total, found


def _name(about: Mapping[str, str], kind: str) -> str:
    return _short(about.get(kind, kind))


def _short(name: str) -> str:
    named, at, commit = name.partition("@")
    kind, colon, ident = named.rpartition(":")
    shorter = f"{kind}{colon}{ident[:SHORT]}" if len(ident) > 2 * SHORT else named
    return f"{shorter}{at}{commit[:SHORT]}"
