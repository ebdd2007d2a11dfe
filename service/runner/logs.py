"""Plain lines on standard error, one for each event, without secrets; and a job's warnings for its own log."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping

from service.runner.secrets import without_secrets

FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Safe(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log our own INFO, and what other libraries warn of."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Safe(FORM))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for room in ("service", "search", "store"):
        logging.getLogger(room).setLevel(level)


class JobLog(logging.Handler):
    """Hands every warning to ``tell``, as the payload of an event."""

    def __init__(self, tell: Callable[[Mapping[str, object]], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + "".join(traceback.format_exception(*record.exc_info))
        self._tell(
            {"level": record.levelname, "logger": record.name, "message": without_secrets(message)[:MESSAGE_LENGTH]}
        )


MESSAGE_LENGTH = 10_000  # of one line of a job's log: a traceback fits, a dump does not
