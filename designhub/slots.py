"""Places for what takes a thread for long: so many at once, some of them few of one person."""

import threading
from collections import Counter
from uuid import UUID


class Places:
    """Counted places. Safe from many threads; of one process."""

    def __init__(self, most: int) -> None:
        self.free = most
        """How many are free at this moment, without waiting: another thread may be quicker."""
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether there was a place; then `give_back` it."""
        with self._lock:
            taken = self.free > 0
            self.free -= taken
            return taken

    def give_back(self) -> None:
        """The place is free again."""
        with self._lock:
            self.free += 1


class Slots:
    """Counted places, few of one person. Safe from many threads; of one process."""

    def __init__(self, most: int, *, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._taken: Counter[UUID] = Counter()
        self._lock = threading.Lock()

    def take(self, who: UUID) -> bool:
        """Whether there was a place; then `give_back` it."""
        with self._lock:
            if self._taken.total() >= self._most or self._taken[who] >= self._most_of_one:
                return False
            self._taken[who] += 1
            return True

    def give_back(self, who: UUID) -> None:
        """The place is free again."""
        with self._lock:
            self._taken[who] -= 1
            if self._taken[who] <= 0:
                del self._taken[who]
