"""`designhub serve` and `designhub worker`."""

import logging
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import click

from basis.errors import Unavailable
from designhub import logs, plugin_wheel, serving, wheel
from designhub.attached import Keeper
from designhub.commands.local import at_home, data_option, settings_with
from designhub.hub import open_hub
from designhub.migrate import is_current
from designhub.processes import (
    Asked,
    KeptRunning,
    check_port,
    ended_by_signals,
    this_program,
)
from designhub.web import assets
from designhub.worker import Worker, register
from printers.networks import Networks

log = logging.getLogger(__name__)


@click.command()
@data_option
@click.option("--host", help="Address to listen on; DESIGNHUB_HOST, or 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65_535), help="0 takes a free one; DESIGNHUB_PORT.")
@click.option("--no-worker", is_flag=True, help="Leave the side work to `designhub worker`.")
def serve(data: Path | None, host: str | None, port: int | None, no_worker: bool) -> None:
    """Serve a hub: pages, API and git, with the side work in a process beside it.

    The tables are brought to this release first. All settings are DESIGNHUB_* variables.

    \b
    designhub serve
    designhub serve --data /srv/hub --port 9000
    DESIGNHUB_DATABASE_URL=postgresql://hub@/hub designhub serve --no-worker
    """
    settings = settings_with(data, host=host, port=port)
    settings = replace(settings, port=check_port(settings.host, settings.port))
    logs.set_up(level=settings.log_level, as_json=settings.log_json)
    at_home(settings).close()
    if not assets.manifest():
        log.warning("%s", assets.UNBUILT)
    settings.downloads_dir.mkdir(exist_ok=True)
    wheel.put_wheel(settings.downloads_dir)
    plugin_wheel.put_plugin(settings.downloads_dir)
    with ExitStack() as running:
        if not no_worker:
            side = KeptRunning(this_program("worker", "--data", str(settings.data_dir)))
            side.start()
            running.callback(side.stop)
        if settings.attached_networks:
            at = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::") else settings.host  # noqa: S104
            own = f"http://{f'[{at}]' if ':' in at else at}:{settings.port}"
            beside = this_program("attached", "--data", str(settings.data_dir), "--hub", own)
            keeper = KeptRunning(beside)
            keeper.start()
            running.callback(keeper.stop)
        host_part = f"[{settings.host}]" if ":" in settings.host else settings.host
        click.echo(f"DesignHub serves on http://{host_part}:{settings.port}", err=True)
        serving.serve(settings)


@click.command()
@data_option
def worker(data: Path | None) -> None:
    """Run the side work of a hub: measuring what was pushed, slicing what was ordered.

    `designhub serve` runs one beside itself; more of them share the work.

    \b
    designhub worker --data /srv/hub
    """
    settings = settings_with(data)
    logs.set_up(level=settings.log_level, as_json=settings.log_json)
    hub = open_hub(settings)
    if not is_current(hub.database):
        raise Unavailable(f"{settings.data_dir} is no hub of this release: start `designhub serve`")
    register(hub.queue)
    working = Worker(hub)
    with ended_by_signals(), suppress(Asked):
        try:
            working.start()
            threading.Event().wait()
        finally:
            working.stop()
            hub.close()


@click.command()
@data_option
@click.option("--hub", default="http://127.0.0.1:8080", help="Where the hub answers here.")
def attached(data: Path | None, hub: str) -> None:
    """Tend the printers that are attached to a hub, on networks that its settings name.

    `designhub serve` runs it beside itself where DESIGNHUB_ATTACHED_NETWORKS names any.

    \b
    DESIGNHUB_ATTACHED_NETWORKS=192.168.7.0/24 designhub attached --data /srv/hub
    """
    settings = settings_with(data)
    logs.set_up(level=settings.log_level, as_json=settings.log_json)
    networks = Networks.parse(settings.attached_networks)
    if not networks:
        raise Unavailable("name the printers' networks first: DESIGNHUB_ATTACHED_NETWORKS")
    opened = open_hub(settings)
    if not is_current(opened.database):
        raise Unavailable(f"{settings.data_dir} is no hub of this release: start `designhub serve`")
    stop = threading.Event()
    with ended_by_signals(), suppress(Asked):
        try:
            Keeper(opened, hub_url=hub, networks=networks).run(stop)
        finally:
            opened.close()
