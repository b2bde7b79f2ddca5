"""Side work: measuring versions, slicing jobs, sending mail, and the sweep that repairs what a
crash forgot.

A task gets ids and nothing else, may run twice, and is only a hint: what is owed stands in rows.
"""

import logging
from uuid import UUID

from basis import clock
from basis.tasks import Every, Queue
from designhub import links, mail, publications
from designhub.hub import Hub
from designs import publishing, versions
from designs.models import VersionRow
from printers import trials
from router import lease, slicing

SWEEP_S = 15.0
LEASES_S = 2.0
PUBLISH_S = 3_600.0
FORGET_S = 3_600.0

log = logging.getLogger(__name__)


def analyse_version(version_id: int) -> None:
    """Read and measure one pushed version."""
    hub = _hub()
    publishing.analyse_version(
        version_id,
        database=hub.database,
        store=hub.store,
        blobs=hub.blobs,
        scratch=hub.settings.scratch_dir,
        now=clock.now(),
    )
    with hub.database.reading() as session:
        version = session.get(VersionRow, version_id)
    if version is not None:
        with hub.database.writing() as session:
            publications.record(session, design_id=version.design_id, now=clock.now())


def make_model(mesh_id: int) -> None:
    """Make the model of a mesh that was measured before there were models."""
    hub = _hub()
    publishing.make_model(
        mesh_id, database=hub.database, blobs=hub.blobs, scratch=hub.settings.scratch_dir
    )


def slice_job(job_id: str) -> None:
    """Slice one ordered job."""
    hub = _hub()
    slicing.slice_job(
        UUID(job_id),
        database=hub.database,
        blobs=hub.blobs,
        scratch=hub.settings.scratch_dir,
        wall_s=hub.settings.slicer_wall_s,
    )


def try_printer(printer_id: str) -> None:
    """Slice a cube for a printer that was added or changed."""
    hub = _hub()
    trials.try_printer(
        UUID(printer_id),
        database=hub.database,
        scratch=hub.settings.scratch_dir,
        wall_s=hub.settings.slicer_wall_s,
    )


def send_mail(mail_id: int) -> None:
    """Send one mail that is owed."""
    mail.send(_hub(), mail_id, now=clock.now())


def register(queue: Queue) -> None:
    """Let a queue know the side work: in the server that asks for it, and in the worker."""
    for task in (analyse_version, make_model, slice_job, try_printer, send_mail):
        queue.register(task)


class Worker:
    """Runs the side work of one hub in this process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._consumer = hub.queue.consumer(threads=hub.settings.worker_threads)
        self._rounds = [
            Every(SWEEP_S, self.sweep),
            Every(LEASES_S, self.expire),
            Every(PUBLISH_S, self.publish),
            Every(FORGET_S, self.forget),
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        global _current
        _current = self._hub
        self._consumer.start()
        for each in self._rounds:
            each.start()

    def stop(self) -> None:
        """Finish what is under way, then end."""
        for each in self._rounds:
            each.stop()
        self._consumer.stop(graceful=True)

    def sweep(self) -> None:
        """Ask again for all that rows say is owed. Cheap when nothing is."""
        hub = self._hub
        with hub.database.reading() as session:
            late = versions.refs_due(session)
            measured = publishing.due(session)
            modelled = publishing.models_due(session)
            sliced = slicing.due(session)
            untried = trials.due(session)
            owed = mail.due(session, now=clock.now())
        for design_id in late:
            measured += publishing.read_late_refs(
                design_id, database=hub.database, store=hub.store, now=clock.now()
            )
        if hub.queue.pending():
            return  # what is owed is most likely on its way
        for version_id in measured:
            hub.queue.soon(analyse_version, version_id)
        for job_id in sliced:
            hub.queue.soon(slice_job, str(job_id))
        for printer_id in untried:
            hub.queue.soon(try_printer, str(printer_id))
        for mail_id in owed:
            hub.queue.soon(send_mail, mail_id)
        for mesh_id in modelled:
            hub.queue.soon(make_model, mesh_id)

    def expire(self) -> None:
        """End leases that ran out."""
        with self._hub.database.reading() as session:
            late = lease.any_late(session, now=clock.now())
        if late:
            with self._hub.database.writing() as session:
                ended = lease.expire(session, now=clock.now())
            log.info("%d leases ran out", ended)

    def publish(self) -> None:
        """Bring into the book what a crash, or an older hub, left out."""
        more = publications.AT_ONCE
        while more == publications.AT_ONCE:
            with self._hub.database.writing() as session:
                more = publications.record(session, now=clock.now())

    def forget(self) -> None:
        """Remove what nobody needs any more."""
        with self._hub.database.writing() as session:
            links.forget(session, now=clock.now())
            mail.forget(session, now=clock.now())


_current: Hub | None = None


def _hub() -> Hub:
    if _current is None:
        raise RuntimeError("a side task ran outside a worker")
    return _current
