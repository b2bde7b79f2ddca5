"""The agent's live view in a terminal."""

import threading

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from printers.agent import Agent, AgentConfig, Happening, Snapshot, View
from printers.readings import Readings

FRAMES_PER_S = 4
COLOURS = {"info": "", "warning": "yellow", "error": "bold red"}


def with_screen(config: AgentConfig, ending: threading.Event) -> None:
    """Run an agent until `ending`, with all its printers in a table and its log above it."""
    console = Console()
    working = Agent(config, on_event=lambda what: _line(what, console))
    failed: list[BaseException] = []

    def work() -> None:
        try:
            working.run(ending)
        except BaseException as exc:
            failed.append(exc)
            ending.set()

    thread = threading.Thread(target=work, name="agent")
    with Live(
        console=console,
        get_renderable=lambda: screen(working.snapshot()),
        refresh_per_second=FRAMES_PER_S,
    ):
        thread.start()
        while not ending.wait(1.0):
            pass
        thread.join()
    if failed:
        raise failed[0]


def screen(now: Snapshot) -> Table:
    """All printers at one glance."""
    table = Table(
        title="DesignHub agent",
        caption=f"hub: {escape(now.hub)}; next question in {now.again_s:.0f} s",
        expand=True,
    )
    for heading in ("printer", "state", "job", "progress", "left", "machine"):
        table.add_column(heading, overflow="fold")
    for view in now.printers:
        table.add_row(*map(escape, _row(view)))
    return table


def _row(view: View) -> tuple[str, ...]:
    state = "free" if view.ready and not view.why_not else view.text
    if view.ready and view.why_not:
        state = f"free; {view.why_not}"
    if view.run is None:
        return view.name, state, "", "", "", ""
    left = "" if view.seconds_left is None else _duration(view.seconds_left)
    done = round(view.progress_ppm / 10_000)
    bar = "█" * (done // 10) + "·" * (10 - done // 10)
    return view.name, state, view.title, f"{bar} {done} %", left, _machine(view.readings)


def _machine(now: Readings) -> str:
    """Heat and layer, as far as they are known."""
    heat = [
        f"{name} {actual_c}/{'?' if target_c is None else target_c} °C"
        for name, actual_c, target_c in (
            ("nozzle", now.nozzle_c, now.nozzle_target_c),
            ("bed", now.bed_c, now.bed_target_c),
        )
        if actual_c is not None
    ]
    layer = [] if now.layer is None else [f"layer {now.layer}/{now.layers}"]
    return ", ".join(heat + layer)


def _duration(seconds: int) -> str:
    hours, rest = divmod(max(0, seconds), 3_600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"


def _line(what: Happening, console: Console) -> None:
    where = f"{what.printer}: " if what.printer else ""
    console.print(
        f"{what.at:%H:%M:%S} {where}{what.text}",
        style=COLOURS[what.level],
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
