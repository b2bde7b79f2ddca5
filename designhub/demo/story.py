"""What happens in the demo, step by step, each step timed and told."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from basis import clock
from basis.errors import NotAllowed, Unavailable
from commons import verify
from designhub.api import schema
from designhub.client import HubApi, design_path
from designhub.commands.common import put, put_table
from designhub.commands.orders import place, why
from designhub.commands.workshops import Enrolled, enrolled, write_agent_config
from designhub.demo import pushing
from designhub.demo.people import Person, everybody
from designhub.demo.stage import Stage
from designhub.web import words

NEAR = "Seoul"
WORKSHOPS = (
    ("seongnam-lab", "Seongnam lab", "Seongnam-si, KR"),
    ("incheon-makers", "Incheon makers", "Incheon, KR"),
    ("suwon-works", "Suwon works", "Suwon, KR"),
)
PRINTER = "virtual"
DESIGN, PART = "hose-coupling", "coupling-8-mm-to-6-mm"
OVER = ("printed", "failed", "passed", "unknown")
ANALYSE_S, SLICE_S, PRINT_S = 120.0, 180.0, 900.0
SPEAKING_S = 5.0


@dataclass(slots=True)
class Told:
    """What was seen, for the table at the end."""

    seconds: dict[str, float] = field(default_factory=dict)
    commit: str = ""
    quotes: schema.Quotes | None = None
    job: schema.Job | None = None
    entries: list[schema.BookEntry] = field(default_factory=list)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step takes."""
        began = time.monotonic()
        yield
        self.seconds[step] = round(time.monotonic() - began, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody and everything that was set up."""

    people: dict[str, Person]
    urls: tuple[str, ...]
    """The OctoPrint servers."""


def set_up(stage: Stage, *, octoprint: Path) -> Cast:
    """Start hub, printers and agents; make the accounts and workshops that are not there yet."""
    began = clock.iso(clock.now())
    _say("Starting a hub and three OctoPrint servers with virtual printers …")
    stage.start_hub()
    stage.start_farm(len(WORKSHOPS), octoprint=octoprint)
    stage.until(stage.hub_answers, what="the hub does not answer")
    people, fresh = everybody(stage.places.people, stage.url)
    _say(f"The hub answers at {stage.url}")
    count = len(WORKSHOPS)
    stage.until(lambda: bool(stage.printers(count)), what="the OctoPrint servers are not ready")
    servers = stage.printers(count)
    _say("The OctoPrint servers are ready")
    owner = people["cho"].api(stage.url)
    stage.places.agents.mkdir(exist_ok=True, mode=0o700)
    for (slug, title, where), server in zip(WORKSHOPS, servers, strict=True):
        config = stage.places.agents / f"{slug}.toml"
        if fresh or not config.is_file():
            made = _enrolled(owner, slug=slug, title=title, where=where)
            write_agent_config(
                config, hub=stage.url, made=made, octoprint=server.url, key=server.api_key
            )
        stage.start_agent(slug, config)
    stage.until(lambda: _all_seen(owner, since=began), what="the agents do not report")
    _say("An agent speaks for each printer")
    _tidy(stage, owner)
    return Cast(people=people, urls=tuple(server.url for server in servers))


def play(stage: Stage, cast: Cast) -> Told:
    """From a push to a part in the hand."""
    told = Told()
    ada, ben, cho = (cast.people[name] for name in ("ada", "ben", "cho"))
    book = HubApi(stage.url)
    before = book.ask(schema.BookHead, "GET", "/book/head").seq
    with told.timed("push"):
        for name in sorted(pushing.samples(), key=lambda each: each == DESIGN):
            folder = stage.places.designs / name
            told.commit = pushing.push(name, by=ada, url=stage.url, folder=folder)
            _say(f"git push: ada/{name} at {told.commit[:10]}")
    with told.timed("analyse"):
        version = f"{design_path(f'ada/{DESIGN}')}/versions/{told.commit}"
        api = ben.api(stage.url)
        stage.until(
            lambda: api.ask(schema.Version, "GET", version).analysis == "done",
            what=f"ada/{DESIGN} is not measured",
            limit_s=ANALYSE_S,
        )
    _say("Every mesh is measured")
    with told.timed("quote"):
        told.quotes = api.ask(schema.Quotes, "POST", "/quotes", _wish(told.commit))
    best = _best(told.quotes)
    _say(
        f"Asked near {NEAR}: {len(told.quotes.quotes)} offers; the best is {place(best.where)}"
        f" for {words.money(best.total_minor, best.currency)}"
    )
    with told.timed("slice"):
        order = schema.OrderAsk(quote=best.id, key=str(best.id))
        job_id = api.ask(schema.Order, "POST", "/orders", order).jobs[0]
        stage.until(
            lambda: _job(api, job_id).state != "ordered", what="not sliced", limit_s=SLICE_S
        )
    _say(f"Ordered and sliced: job {job_id}")
    _insist(cho.api(stage.url), job_id)
    with told.timed("print"):
        _watch(stage, api, job_id)
    told.job = _accept(stage, cho.api(stage.url), job_id)
    told.entries = _entries(book, after=before)
    _check_book(book)
    return told


def result(told: Told) -> dict[str, object]:
    """What a program wants to know of a demo."""
    job = told.job
    if job is None:
        raise Unavailable("the demo did not come to its end")
    return {
        "job": str(job.id),
        "state": job.state,
        "design": f"ada/{DESIGN}",
        "commit": job.commit,
        "printer": f"{job.where.workshop}/{job.where.printer_name}",
        "distance_m": job.distance_m,
        "gcode_sha256": job.gcode_sha256,
        "seconds": told.seconds,
    }


def show(told: Told, *, stage: Stage, cast: Cast) -> None:
    """A short table of what happened, and the addresses to open."""
    job, quotes = told.job, told.quotes
    if job is None or quotes is None:
        return
    best = quotes.quotes[0]
    rows = [
        ("design", f"ada/{DESIGN}: {job.part}"),
        ("version", job.commit),
        ("printer", f"{place(job.where)}: {_reason(quotes)}"),
        ("distance", f"{words.distance(job.distance_m)}, fetched by {job.mode}"),
        ("material", f"{words.grams(job.mass_mg)} of {best.material} {best.colour}"),
        ("print", f"{job.duration_s / 60:.1f} min by the slicer's own count"),
        ("CO2e", words.grams(job.co2e_mg)),
        ("price", words.money(job.total_minor, job.currency)),
        ("book", ", ".join(f"entry {each.seq}: {_entry(each)}" for each in told.entries)),
        ("seconds", ", ".join(f"{step} {took:.2f}" for step, took in told.seconds.items())),
    ]
    put("")
    put_table(("what", "how it was"), rows, none="")
    put("")
    opened = [
        ("hub", stage.url, ""),
        ("design", f"{stage.url}/ada/{DESIGN}", ""),
        ("job", f"{stage.url}/jobs/{job.id}", "sign in as ben or cho"),
        ("workshops", f"{stage.url}/workshops", ""),
        ("open book", f"{stage.url}/book", f"designhub audit {stage.url}"),
        *(("OctoPrint", url, "") for url in cast.urls),
    ]
    for label, address, remark in opened:
        put(f"{label:11}{address}" + (f"  ({remark})" if remark else ""))
    put("")
    who = ", ".join(f"{each.name} {each.password}" for each in cast.people.values())
    put(f"Names and passwords: {who}")


def _say(text: str) -> None:
    put(f"{time.strftime('%H:%M:%S')}  {text}")


def _enrolled(owner: HubApi, *, slug: str, title: str, where: str) -> Enrolled:
    return enrolled(
        owner,
        workshop=schema.WorkshopAsk(
            name=slug,
            title=title,
            place=where,
            currency="KRW",
            per_hour_minor=2_000,
            labour_minor=1_500,
        ),
        printer=schema.PrinterAsk(name=PRINTER, common="virtual"),
        spool=schema.SpoolAsk(
            material="PLA", colour="orange", left_mg=1_000_000, price_per_kg_minor=25_000
        ),
    )


def _printers(api: HubApi) -> Iterator[tuple[str, schema.Printer]]:
    for workshop in api.ask(schema.Workshops, "GET", "/workshops").workshops:
        for printer in workshop.printers:
            yield f"{workshop.name}/{printer.name}", printer


def _all_seen(api: HubApi, *, since: str) -> bool:
    """Whether every agent spoke since this demo began. Moments of one width compare as text."""
    return all((printer.seen_at or "") > since for _, printer in _printers(api))


def _tidy(stage: Stage, api: HubApi) -> None:
    """What a person does who comes into the workshop in the morning: look at what is left over
    from an interrupted demo, and at the beds."""
    for name, printer in _printers(api):
        if printer.job is not None:
            _end_leftover(stage, api, name, printer.job)
        elif printer.bed != "clear":
            api.ask(schema.Printer, "POST", f"/printers/{printer.id}/bed/clear")
            _say(f"The demo's person looks at the bed of {name}, and says that it is clear")


def _end_leftover(stage: Stage, api: HubApi, name: str, job_id: UUID) -> None:
    """A print that an interrupted demo left behind, once there is evidence of its end."""

    def known() -> bool:
        found = _job(api, job_id)
        return found.state != "assigned" or found.runs[-1].state in ("printed", "unknown")

    _say(f"{name} has a print left over from a demo that was stopped: waiting for word of it")
    api.ask(schema.Job, "POST", f"/jobs/{job_id}/cancel")
    stage.until(known, what=f"no word of job {job_id}", limit_s=60.0)
    if _job(api, job_id).state == "assigned":
        asked = schema.FailedAsk(cause="the demo was stopped meanwhile", printer_at_fault=False)
        api.ask(schema.Job, "POST", f"/jobs/{job_id}/failed", asked)
    printer = _job(api, job_id).where.printer
    api.ask(schema.Printer, "POST", f"/printers/{printer}/bed/clear")
    _say(f"The demo's person threw it away and cleared the bed of {name}")


def _wish(commit: str) -> schema.QuoteAsk:
    return schema.QuoteAsk(
        design=f"ada/{DESIGN}",
        place=NEAR,
        version=commit,
        part=PART,
        material="PLA",
        layer_height_um=300,  # fewer lines: a virtual printer takes about as long as there are
        modes=["foot", "bicycle", "car"],  # fetched: done when the person at the printer passed it
    )


def _best(quotes: schema.Quotes) -> schema.Quote:
    if not quotes.quotes:
        refusals = (*quotes.near_misses, *quotes.refusals)
        reasons = "; ".join(f"{place(each.where)}: {why(each)}" for each in refusals)
        raise NotAllowed(f"no printer of the demo can make it: {reasons}")
    return quotes.quotes[0]


def _reason(quotes: schema.Quotes) -> str:
    """Why the first quote is the first."""
    best, others = quotes.quotes[0], quotes.quotes[1:]
    if not others:
        return "the only offer"
    second = others[0]
    ahead = [
        (other.cost - term.cost, term.name)
        for term, other in zip(best.terms, second.terms, strict=True)
    ]
    gain, name = max(ahead)
    return (
        f"first of {len(quotes.quotes)} by the {best.preset} preset, mostly for {name}"
        f" ({gain:,} of {second.cost - best.cost:,} points ahead of {place(second.where)}"
        f" by {second.mode})"
    )


def _job(api: HubApi, job_id: UUID) -> schema.Job:
    return api.ask(schema.Job, "GET", f"/jobs/{job_id}")


def _insist(workshop: HubApi, job_id: UUID) -> None:
    """Where the slice needs more than was quoted, the workshop may agree to the quoted price."""
    job = _job(workshop, job_id)
    if job.state == "asked":
        _say(f"The hub asks: {job.reason}")
        workshop.ask(schema.Job, "POST", f"/jobs/{job_id}/agree")
        _say("The demo's person agrees in place of the workshop")
    elif job.state == "unroutable":
        raise NotAllowed(f"it cannot be sliced: {job.reason}")


def _watch(stage: Stage, api: HubApi, job_id: UUID) -> None:
    """Show the print's progress until the machine says that it is done."""
    shown, spoken = "", 0.0

    def over() -> bool:
        nonlocal shown, spoken
        job = _job(api, job_id)
        run = job.runs[-1] if job.runs else None
        state = run.state if run is not None and job.state == "assigned" else job.state
        now = time.monotonic()
        done = f" {words.per_cent(run.progress_ppm)}" if run and state == "printing" else ""
        left = run.seconds_left if run and state == "printing" else None
        text = f"{place(job.where)}: {state}{done}" + (f", {left} s left" if left else "")
        if state not in shown or now - spoken > SPEAKING_S:
            _say(text)
            shown, spoken = state, now
        return state in OVER

    stage.until(over, what=f"job {job_id} is not printed", limit_s=PRINT_S)
    job = _job(api, job_id)
    if job.runs[-1].state != "printed":
        raise Unavailable(f"the print did not succeed: {job.runs[-1].state}: {job.runs[-1].cause}")


def _accept(stage: Stage, api: HubApi, job_id: UUID) -> schema.Job:
    """The demo gives the word that only a person may give, and says so."""
    done = api.ask(schema.Job, "POST", f"/jobs/{job_id}/passed")
    _say('The demo says "looks good" in place of the person at the printer; the maker takes it')
    api.ask(schema.Printer, "POST", f"/printers/{done.where.printer}/bed/clear")
    _say("The demo's person takes the part off, and says that the bed is clear")
    return done


def _entries(book: HubApi, *, after: int) -> list[schema.BookEntry]:
    found = book.ask(schema.BookEntries, "GET", "/book/entries").entries
    return sorted((each for each in found if each.seq > after), key=lambda each: each.seq)


def _entry(each: schema.BookEntry) -> str:
    """What an entry is about, without the long ids in its key."""
    kinds = [word.partition(":")[0] for word in each.key.split("/")]
    return f"{each.kind} {'/'.join(kinds)}"


def _check_book(book: HubApi) -> None:
    verdict = verify.verify(book.lines("/book/entries.jsonl"))
    if not verdict.ok:
        raise Unavailable(str(verdict))
    _say(f"{verdict}")
