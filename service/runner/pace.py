"""How fast a job goes, over its last minute: the seconds that are left of its phase, and evaluations a minute."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from search.engine.progress import Progress

WINDOW_S = 60.0  # older moments say little: what the cache answers goes a thousand times faster
SHORTEST_S = 5.0  # less says nothing
GRAIN_S = 1.0  # between moments that are kept


@dataclass(kw_only=True)
class Pace:
    """Told each moment and the time it came; remembers a minute of them."""

    _seen: deque[tuple[float, Progress]] = field(default_factory=deque)

    def note(self, moment: Progress, now_s: float) -> None:
        """A moment of the job; a new phase, or another part of one, is another matter."""
        if self._seen and not _goes_on(self._seen[-1][1], moment):
            self._seen.clear()
        if not self._seen or now_s - self._seen[-1][0] >= GRAIN_S:
            self._seen.append((now_s, moment))
        while len(self._seen) > 1 and now_s - self._seen[1][0] > WINDOW_S:
            self._seen.popleft()

    def left_s(self, moment: Progress, now_s: float) -> float | None:
        """Seconds until the phase has done what it planned; None as long as nobody can say."""
        rate = self._rate(moment.done, "done", now_s)
        if not moment.total or rate is None or rate <= 0:
            return None
        return round(max(0, moment.total - moment.done) / rate, 1)

    def evaluations_per_minute(self, moment: Progress, now_s: float) -> float | None:
        """Those that workers computed; what the store had counts for nothing."""
        rate = self._rate(moment.computed, "computed", now_s)
        return None if rate is None else max(0.0, round(60 * rate, 1))

    def _rate(self, count: int, name: str, now_s: float) -> float | None:
        """By which a count grew in a second."""
        if not self._seen or now_s - self._seen[0][0] < SHORTEST_S:
            return None
        began_s, first = self._seen[0]
        return float(count - getattr(first, name)) / (now_s - began_s)


def _goes_on(before: Progress, now: Progress) -> bool:
    return before.phase == now.phase and before.total == now.total
