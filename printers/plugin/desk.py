"""One thread for what people wish at the printer, and the board of the hub while somebody looks.

Whoever puts a wish down goes on at once; how it went stands in `Said` soon after.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from basis.errors import HubError, TooMany
from printers.at_printer import Board
from printers.hub import HubRefused

MOST_WISHES = 4
WATCHED_S = 15.0
"""How long after a page last asked somebody counts as looking."""

LOOK_S = 4.0
"""How old the board may get while somebody looks."""

OLD_S = 60.0
"""A board older than this is not shown any more."""

TICK_S = 0.5
STOP_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How the last wish of a person went, for the page that it was made on."""

    number: int = 0
    good: bool = True
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the desk knows now."""

    said: Said
    busy: bool
    board: Board | None
    board_fault: str
    """Why the board is missing or old; "" when it is neither."""


class Desk:
    """The thread. A wish returns what to tell the person, and the board if it brought one.

    board : asks the hub how the printer stands; None while there is none to ask.
    """

    def __init__(self, *, board: Callable[[], Board | None], log: logging.Logger) -> None:
        self._ask_board, self._log = board, log
        self._guard = threading.Lock()
        self._wishes: queue.Queue[Callable[[], tuple[str, Board | None]] | None] = queue.Queue(
            maxsize=MOST_WISHES
        )
        self._waiting = 0
        self._said = Said()
        self._board: Board | None = None
        self._board_fault = ""
        self._board_at = self._asked_at = self._watched_at = float("-inf")
        self._thread = threading.Thread(target=self._serve, name="designhub-desk", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End after the wish that is under way."""
        with suppress(queue.Full):  # then it ends with OctoPrint: it is a daemon
            self._wishes.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def wish(self, do: Callable[[], tuple[str, Board | None]]) -> None:
        """Put a wish down. Raises TooMany while several wait for the hub."""
        with self._guard:
            try:
                self._wishes.put_nowait(do)
            except queue.Full as exc:
                raise TooMany("the hub has not answered yet: wait a moment", again_s=5) from exc
            self._waiting += 1

    def shown(self) -> Shown:
        """What to show; a page that asks is somebody who looks."""
        now = time.monotonic()
        with self._guard:
            self._watched_at = now
            old = now - self._board_at > OLD_S
            return Shown(
                said=self._said,
                busy=self._waiting > 0,
                board=None if old else self._board,
                board_fault=self._board_fault,
            )

    def look_again(self) -> None:
        """Something changed: the board is asked for at the next tick."""
        with self._guard:
            self._asked_at = float("-inf")

    def forget(self) -> None:
        """The board was another hub's."""
        with self._guard:
            self._board, self._board_fault = None, ""
            self._asked_at = float("-inf")

    def _serve(self) -> None:
        while True:
            try:
                do = self._wishes.get(timeout=TICK_S)
            except queue.Empty:
                self._look()
                continue
            if do is None:
                return
            self._fulfil(do)

    def _fulfil(self, do: Callable[[], tuple[str, Board | None]]) -> None:
        board = None
        try:
            text, board = do()
            good = True
        except HubRefused as exc:
            good, text = False, exc.detail
        except (HubError, OSError) as exc:
            good, text = False, str(exc)
        except Exception as exc:  # a mistake of ours must not end the thread
            self._log.exception("unexpected")
            good, text = False, f"unexpected: {type(exc).__name__}: {exc}"
        with self._guard:
            self._waiting -= 1
            self._said = Said(number=self._said.number + 1, good=good, text=text[:1_000])
        if board is not None:
            self._know(board)

    def _look(self) -> None:
        """Ask for the board, when somebody looks and it is not fresh."""
        now = time.monotonic()
        with self._guard:
            due = now - self._watched_at < WATCHED_S and now - self._asked_at > LOOK_S
            self._asked_at = now if due else self._asked_at
        if not due:
            return
        try:
            board = self._ask_board()
        except HubError as exc:
            with self._guard:
                self._board_fault = str(exc)[:500]
        except Exception:
            self._log.exception("unexpected")
        else:
            if board is not None:
                self._know(board)

    def _know(self, board: Board) -> None:
        with self._guard:
            self._board, self._board_fault = board, ""
            self._board_at = self._asked_at = time.monotonic()
