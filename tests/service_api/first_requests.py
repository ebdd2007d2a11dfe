"""A process that has imported nothing slow yet is asked several things at once; writes the statuses."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
from live_api import EXAMPLES, Listening

from service.api.server import ApiServer
from service.api.settings import ApiSettings
from service.api.views import EXAMPLE_SPEC
from store.store import Store

TEXT = EXAMPLES / "text"


def main(home: Path, apart_s: float) -> None:
    url = f"sqlite:///{home}/store.db"
    Store.open(url).close()  # as `layerpress serve` does before it answers
    settings = ApiSettings(store_url=url, home=home, roots=(EXAMPLES,))
    texts = {key: {"source": str(TEXT / f"{key}.txt")} for key in ("calibration", "validation")}
    spec = {**EXAMPLE_SPEC, "model": str(EXAMPLES / "reference-model"), **texts}
    assert "transformers" not in sys.modules
    with Listening(ApiServer(settings)) as address, httpx2.Client(timeout=120.0) as client:
        base = f"{address}/api/v1"
        asks = [
            lambda: client.get(f"{base}/schemas/job"),
            lambda: client.post(f"{base}/jobs?dry_run=true", json=spec),
            lambda: client.get(f"{base}/openapi.json"),
            lambda: client.post(f"{base}/jobs?dry_run=true", json=spec),
        ]
        with ThreadPoolExecutor(len(asks)) as pool:
            answers = []
            for ask in asks:
                answers.append(pool.submit(ask))
                time.sleep(apart_s)
    sys.stdout.write(json.dumps([answer.result().status_code for answer in answers]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
