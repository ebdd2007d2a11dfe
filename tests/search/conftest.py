"""Makes the contracts importable from the tests of this room, with their assertions explained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contracts"))
pytest.register_assert_rewrite("strategy_contract", "synthetic_search")
