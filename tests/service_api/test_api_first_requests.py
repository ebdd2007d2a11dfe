"""The first requests that a service gets, all at once, while torch and transformers are still being imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("first_requests.py")


@pytest.mark.slow
@pytest.mark.parametrize("apart_s", [0.0, 0.3, 1.0])
def test_a_service_that_was_just_started_answers_them_all(apart_s: float, tmp_path: Path) -> None:
    path = os.pathsep.join(map(str, (SCRIPT.parents[2], SCRIPT.parent)))
    asked = [sys.executable, str(SCRIPT), str(tmp_path), str(apart_s)]
    ran = subprocess.run(asked, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [200] * 4, ran.stderr
