"""``python -m service.runner head``: a Ray head that leaves no process behind, whatever ends it or its parent.

Ray's own processes watch each other, but some take a minute to notice. They are all in this one's group.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from threading import Thread

from search.engine.cluster import start_head


def main() -> int:
    """Start it with the arguments on the first line of standard input, and wait for its end."""
    arguments = json.loads(sys.stdin.readline())
    head = start_head(**arguments | {"temp_dir": Path(arguments["temp_dir"])})
    signal.signal(signal.SIGTERM, lambda number, frame: head.terminate())
    Thread(target=_end_with_parent, daemon=True).start()
    return head.wait()


def _end_with_parent() -> None:
    """The input ends when the parent does."""
    sys.stdin.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)
