"""Modules with torch and transformers behind them, which routes import when they first need them: seconds, once."""

from __future__ import annotations

from threading import Lock

ONE_AT_A_TIME = Lock()
"""Held while they are imported: a thread that comes upon ``transformers`` half made finds its names missing."""
