"""``python -m service.runner ROLE ...``: one of the service's processes; its settings come on standard input."""

from __future__ import annotations

import sys
from importlib import import_module

ROLES = ("head", "gauge", "job", "loop", "web")  # modules beside this one, each with a ``main``

if __name__ == "__main__":
    role = sys.argv.pop(1)
    assert role in ROLES, role
    sys.exit(import_module(f"service.runner.{role}").main())
