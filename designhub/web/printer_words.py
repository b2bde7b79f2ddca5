"""Printers, beds, agents, hours and prices in words for people. Pure."""

from collections.abc import Mapping
from datetime import datetime

from designhub.language import Lazy, _, lazy, ngettext
from designhub.web import words
from designhub.web.moments import told
from printers.models import PrinterRow, Trial
from printers.offer import Carriage, Duty, Mode, Prices
from printers.quiet import Quiet
from printers.upkeep import Task
from router.states import Run

CARRIAGE: Mapping[Mode, Lazy] = {
    Mode.FOOT: lazy("You fetch it on foot"),
    Mode.BICYCLE: lazy("You fetch it by bicycle"),
    Mode.CAR: lazy("You fetch it by car"),
    Mode.PARCEL: lazy("It is sent as a parcel"),
}

DAYS: Mapping[str, Lazy] = {
    "mon": lazy("Monday"),
    "tue": lazy("Tuesday"),
    "wed": lazy("Wednesday"),
    "thu": lazy("Thursday"),
    "fri": lazy("Friday"),
    "sat": lazy("Saturday"),
    "sun": lazy("Sunday"),
}

NOTES: Mapping[str, Lazy] = {
    "bed.clear": lazy("The bed is clear"),
    "bed.ejected": lazy("The ejector cleared the bed"),
    "ejects": lazy("Said that its end code takes the part off"),
    "ejects.not": lazy("Its end code does not take the part off any more"),
    "bed.undone": lazy("The bed is not clear after all"),
    "paused": lazy("Paused"),
    "opened": lazy("Takes new work again"),
    "draining": lazy("Finishes what waits, takes no order"),
    "maintenance": lazy("In maintenance"),
    "quiet": lazy("Changed its quiet hours"),
    "plates": lazy("Most copies on a plate"),
    "loaded": lazy("Loaded a spool"),
    "unloaded": lazy("Took a spool out"),
    "changed": lazy("Changed what the machine is"),
    "renamed": lazy("Renamed"),
    "removed": lazy("Removed"),
    "agent.revoked": lazy("Its agent was revoked"),
    "attached.asked": lazy("The hub was asked to tend it itself"),
    "detached": lazy("The hub tends it no more"),
}

DUTIES: Mapping[Duty, Lazy] = {
    Duty.OPEN: lazy("It takes new work."),
    Duty.PAUSED: lazy("Paused: it starts nothing new."),
    Duty.DRAINING: lazy("It makes what waits for it and takes no new order."),
    Duty.MAINTENANCE: lazy("In maintenance: nothing starts until you open it again."),
}

CAUSES: Mapping[str, Lazy] = {
    "came off the bed": lazy("It came off the bed"),
    "tangled, no part": lazy("Tangled plastic instead of a part"),
    "layers shifted": lazy("Its layers shifted"),
    "strings and blobs": lazy("Strings and blobs hang on it"),
    "rough surface": lazy("Its surface is too rough"),
    "filament jammed or ended": lazy("The filament jammed or ended"),
    "broke when taken off": lazy("It broke when it was taken off"),
    "wrong size": lazy("Its size is wrong"),
    "never started": lazy("It never started"),
    "other": lazy("Something else, said below"),
}
"""Why a print failed: what is kept, and how a person reads it."""

SHARES: Mapping[int, Lazy] = {
    0: lazy("nothing"),
    100_000: lazy("a few layers"),
    250_000: lazy("about a quarter"),
    500_000: lazy("about half"),
    750_000: lazy("about three quarters"),
    1_000_000: lazy("all of it"),
}
"""How much of a print lies there, by the share of its file, as a person sees it."""

RUNS: Mapping[Run, tuple[Lazy, str]] = {
    Run.LEASED: (lazy("Getting ready"), "on"),
    Run.PERMITTED: (lazy("Starting"), "on"),
    Run.PRINTING: (lazy("Printing"), "on"),
    Run.PAUSED: (lazy("The machine paused: look at it"), "warn"),
    Run.UNKNOWN: (lazy("Nobody knows what became of it: go and look"), "bad"),
    Run.PRINTED: (lazy("Printed: look at the part"), "warn"),
}
"""A printer's state while a run is open on it, with the kind of its badge."""


def printed(heard_ppm: int) -> list[tuple[str, str]]:
    """What a person may say of how much lies there; first, and without a word of theirs, what the
    machine last told."""
    heard = _("as last heard: %(share)s", share=words.per_cent(heard_ppm))
    return [("", heard), *((str(ppm), str(said)) for ppm, said in SHARES.items())]


def seen(at: datetime | None, *, now: datetime, unseen_s: int) -> str:
    """What is known of the agent beside a printer."""
    if at is None:
        return _("Its agent never reported.")
    if (now - at).total_seconds() > unseen_s:
        return told(_("Its agent is silent since %(at)s."), at=at)
    return _("Its agent reported %(ago)s.", ago=words.ago(at, now))


def is_seen(at: datetime | None, *, now: datetime, unseen_s: int) -> bool:
    """Whether a printer's agent spoke lately."""
    return at is not None and (now - at).total_seconds() <= unseen_s


def public_state(
    printer: PrinterRow, *, busy: bool, waiting: int, now: datetime, unseen_s: int
) -> tuple[str, str]:
    """A printer's state as a maker needs it, and the kind of its badge."""
    if not is_seen(printer.seen_at, now=now, unseen_s=unseen_s):
        return _("Not reachable now"), "warn"
    if printer.duty is Duty.MAINTENANCE:
        return _("In maintenance"), "warn"
    if not printer.accepting or printer.trial is not Trial.PASSED:
        return _("Takes no new work now"), "warn"
    if busy or waiting:
        return _("Busy"), "on"
    return _("Free"), "good"


def waits(what: str, *, material: str) -> str:
    """What a paused print waits for, to who stands before it."""
    if what == "filament":
        return _(
            "Waits for filament: load %(what)s, then press resume at the printer", what=material
        )
    if what == "printer":
        return _(
            "The printer itself paused: has its filament run out? Load %(what)s, then press resume"
            " at the printer",
            what=material,
        )
    return _("Somebody paused it in OctoPrint: resume it there")


def quiet_days(quiet: Quiet) -> list[str]:
    """Quiet hours, a line for each day; equal days in a row are one."""
    days, lines = quiet.to_json()["days"], []
    for text in dict.fromkeys(days.values()):
        same = [day for day in DAYS if days.get(day) == text]
        named = _("every day") if len(same) == len(DAYS) else ", ".join(str(DAYS[d]) for d in same)
        lines.append(_("%(days)s %(hours)s", days=named, hours=text))
    return lines


def quiet_filled(quiet: Quiet | None) -> dict[str, str]:
    """Quiet hours as their form shows them."""
    if quiet is None:
        return {}
    filled = {f"quiet_{day}": text for day, text in quiet.to_json()["days"].items()}
    return filled | ({"must_be_over": "on"} if quiet.must_be_over else {})


def due(task: Task) -> str:
    """When a task of upkeep is due again."""
    last, when = task.last, []
    if last.due_printed_s is not None:
        hours = (last.due_printed_s - last.printed_s) // 3_600
        when.append(
            ngettext("after %(n)s hour of printing", "after %(n)s hours of printing", hours)
        )
    if last.due_on is not None:
        when.append(_("on %(day)s", day=words.day(last.due_on)))
    return _(" or ").join(when)


def pace(printer: PrinterRow) -> str:
    """What its record says of the slicer's times; nothing while there is none."""
    if not printer.took_runs:
        return ""
    share, n = abs(printer.took_per_mille - 1_000) * 10, printer.took_runs
    if printer.took_per_mille == 1_000:
        return ngettext(
            "It takes as long as its slicer thinks, from %(n)s print.",
            "It takes as long as its slicer thinks, from %(n)s prints.",
            n,
        )
    if printer.took_per_mille > 1_000:
        return ngettext(
            "It takes %(share)s longer than its slicer thinks, from %(n)s print.",
            "It takes %(share)s longer than its slicer thinks, from %(n)s prints.",
            n,
            share=words.share(share),
        )
    return ngettext(
        "It takes %(share)s less time than its slicer thinks, from %(n)s print.",
        "It takes %(share)s less time than its slicer thinks, from %(n)s prints.",
        n,
        share=words.share(share),
    )


def way(each: Carriage, currency: str) -> str:
    """One way a part can leave, with what it costs."""
    if each.base_minor and each.per_km_minor:
        cost = _(
            "%(base)s and %(rate)s for each kilometre",
            base=words.money(each.base_minor, currency),
            rate=words.money(each.per_km_minor, currency),
        )
    elif each.base_minor:
        cost = words.money(each.base_minor, currency)
    elif each.per_km_minor:
        rate = words.money(each.per_km_minor, currency)
        cost = _("%(rate)s for each kilometre", rate=rate)
    else:
        cost = _("costs nothing here")
    said = CARRIAGE[each.mode]
    reach = words.distance(each.most_km * 1_000)
    return _("%(way)s, up to %(reach)s: %(cost)s", way=said, reach=reach, cost=cost)


def prices(said: Prices, currency: str) -> list[str]:
    """What a workshop asks for, a sentence for each line of a price."""
    return [
        _(
            "%(price)s for each hour that the machine prints.",
            price=words.money(said.per_hour_minor, currency),
        ),
        _(
            "%(price)s for each copy: setting up, taking off and looking at it.",
            price=words.money(said.labour_minor, currency),
        ),
        _("The material by its weight, at the price of the spool that is loaded."),
        _(
            "%(share)s of all this goes to the people behind the design.",
            share=words.share(said.contribution_bp),
        ),
    ]
