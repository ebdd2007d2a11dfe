"""Ctrl-C: once ends a command in order, twice ends the process at once."""

from __future__ import annotations

import os
import signal
from types import FrameType

EXIT_CODE = 130


class Interrupted(BaseException):
    """The user pressed Ctrl-C. Not a KeyboardInterrupt: libraries on the way would answer that one themselves."""


def listen() -> None:
    """From now on Ctrl-C raises ``Interrupted`` in the main thread."""
    signal.signal(signal.SIGINT, _interrupt)


def was_pressed() -> bool:
    """Whether Ctrl-C was pressed: what a command dies of afterwards, in whatever library, it dies of that."""
    return signal.getsignal(signal.SIGINT) is _end_at_once


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _end_at_once)
    raise Interrupted


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"\ninterrupted twice: ended at once; what was finished is kept\n")
    os._exit(EXIT_CODE)
