"""The plugin's way to the hub: an agent's, and the words of the people at the printer."""

from printers.at_printer import BedIsClear, Board, BoardAsk, Looked
from printers.hub import HubClient


class Voice(HubClient):
    """A `HubClient` that also speaks for people. Every call may be said again."""

    def board(self, ask: BoardAsk) -> Board:
        """How the printer stands."""
        return self._post("/agents/me/board", ask, Board)

    def looked(self, word: Looked) -> Board:
        """A person looked at a print. HubRefused when it is not theirs to judge, or not now."""
        return self._post("/agents/me/looked", word, Board)

    def bed_is_clear(self, word: BedIsClear) -> Board:
        """A person looked at the bed. HubRefused while a print may be moving on it."""
        return self._post("/agents/me/bed-clear", word, Board)
