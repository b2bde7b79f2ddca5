"""What idle agents were told, kept for when they ask the same again."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from router.stirring import Stirring

MOST_KEPT = 200_000
"""Printers of which an answer is kept; above it all are forgotten."""


@dataclass(slots=True, eq=False, kw_only=True)
class Kept:
    """Why one question gets nothing."""

    agent: UUID
    texts: dict[UUID, str]
    """What it says of each machine: at least one."""
    until_s: float
    """Looked up anew after it."""
    due_s: float
    """When its sign of life is to be written down."""
    waits: bool
    """Whether it would rather be held open."""
    why_not: bytes
    """As the end of a JSON object."""


class Answers:
    """Answers by the sha256 of question and token. Safe from many threads.

    A printer stands in one answer at most, so an agent has no more of them than printers, whatever
    it asks. An answer goes when one of its printers stirs.
    """

    def __init__(self, stirring: Stirring) -> None:
        self._stirring = stirring
        self._by_question: dict[bytes, Kept] = {}
        self._by_printer: dict[UUID, bytes] = {}
        self._lock = Lock()
        self.get = self._by_question.get
        """The answer to a question, if one is kept. Asked for each question: the dict's own."""
        stirring.tell(self.forget)

    def __len__(self) -> int:
        return len(self._by_question)

    def keep(self, question: bytes, kept: Kept, *, look: int) -> None:
        """Keep what was found out after `look` looks, unless something stirred meanwhile."""
        with self._lock:
            self._forget(kept.texts)
            if len(self._by_printer) + len(kept.texts) > MOST_KEPT:
                self._forget_all()
            self._by_question[question] = kept
            self._by_printer |= dict.fromkeys(kept.texts, question)
            # Only now: whoever stirs a printer says so first and then comes here to forget it.
            if self._stirring.since(kept.texts, look):
                self._forget(kept.texts)

    def forget(self, printers: Iterable[UUID] | None) -> None:
        """Forget what was told of these printers; None: all."""
        with self._lock:
            if printers is None:
                self._forget_all()
            else:
                self._forget(printers)

    def _forget(self, printers: Iterable[UUID]) -> None:
        for printer in printers:
            question = self._by_printer.get(printer)
            if question is not None:
                for each in self._by_question.pop(question).texts:
                    del self._by_printer[each]

    def _forget_all(self) -> None:
        self._by_question.clear()
        self._by_printer.clear()
