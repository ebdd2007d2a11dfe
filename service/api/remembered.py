"""What takes a while to find out, found out beside the requests that ask for it and kept for a moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Condition, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Remembered(Generic[T]):
    """Looks again when somebody asks and the last look is ``max_age_s`` old; whoever asks hears of the last look."""

    def __init__(self, look: Callable[[], T], *, max_age_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._max_age_s = max_age_s
        self._clock = clock
        self._changed = Condition()
        self._value: T | None = None
        self._looked_at: float | None = None
        self._is_looking = False

    def value(self, patience_s: float) -> T | None:
        """What was seen last; None where the first look takes longer than ``patience_s``."""
        with self._changed:
            is_old = self._looked_at is None or self._clock() - self._looked_at >= self._max_age_s
            if is_old and not self._is_looking:
                self._is_looking = True
                Thread(target=self._run, name="looking", daemon=True).start()
            if self._looked_at is None:
                self._changed.wait_for(lambda: self._looked_at is not None, patience_s)
            return self._value

    def _run(self) -> None:
        try:
            value = self._look()
        except Exception:  # nobody waits for this thread who could be told
            logger.exception("could not look")
            value = None
        with self._changed:
            self._value = self._value if value is None else value
            self._looked_at = self._clock()
            self._is_looking = False
            self._changed.notify_all()
