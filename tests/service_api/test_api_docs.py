"""What docs/api.md shows is true: its blocks run, one after the other, against a real service."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import httpx2
import pytest

from service.api.problems import CODES

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page shows curl")
def test_every_block_runs(api: httpx2.Client, tmp_path: Path) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 6
    script = "set -euo pipefail\n" + "\n".join(blocks)
    environment = {"LAYERPRESS_URL": f"http://127.0.0.1:{api.base_url.port}", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    ran = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    assert len(api.get("/jobs").json()["items"]) == 1  # the clone


def test_every_error_is_in_the_table() -> None:
    told = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))
    assert {int(status): code for status, code in told.items()} == {
        status: code for status, code in CODES.items() if status not in (400, 406)
    }
