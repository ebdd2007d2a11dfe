"""A job of a few seconds: a tiny random Llama with the reference model's tokenizer and text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from store.records import JobRecord, NewJob
from store.store import Store

ROOT = Path(__file__).parents[2]
TEXT = ROOT / "examples" / "text"


def small_job(model: Path, *, generations: int = 3, seed: int = 0) -> dict[str, Any]:
    """21 layers of 2 to 4 bits, evolution started from an allocation; more ``generations`` take longer."""
    return {
        "model": str(model),
        "calibration": {"source": str(TEXT / "calibration.txt"), "tokens": 4096, "sequence_length": 128},
        "validation": {"source": str(TEXT / "validation.txt"), "tokens": 4096},
        "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4], "group_size": 64}]},
        "budget": {"nominal_bits_per_weight": 3.0},
        "strategy": {
            "name": "evolution",
            "generations": generations,
            "offspring": 6,
            "stages": [{"tokens": 512, "survivors": 2}, {"tokens": 2048, "survivors": 1}],
            "groups": "global",
            "start": {"name": "allocate", "score": {"name": "measured-kl", "tokens": 512}},
        },
        "seed": seed,
    }


def submit(store: Store, job: dict[str, Any], *, priority: int = 0, workers: int = 1) -> JobRecord:
    """Queue it."""
    new = NewJob(name="small", spec=job | {"workers": workers}, model=job["model"], priority=priority, workers=workers)
    return store.add_job(new)[0]
