"""The jobs that are disturbed: a tiny model, and as many searches on it as anybody likes, each of a few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEXT = ROOT / "examples" / "text"
EVOLUTION = {
    "name": "evolution",
    "generations": 4,
    "offspring": 6,
    "stages": [{"tokens": 512, "survivors": 2}, {"tokens": 2048, "survivors": 1}],
    "groups": "global",
    "start": {"name": "allocate", "score": {"name": "measured-kl", "tokens": 512}},
}
REGION = {
    "name": "trust-region",
    "score": {"name": "fisher"},
    "rounds": 4,
    "probes": 6,
    "probe_tokens": 512,
    "proposals": 4,
    "mutations": 2,
    "screen_tokens": 512,
    "rivals": 2,
    "race": {"tokens": 512, "rungs": 2},
}
SAMPLES = {
    "name": "random",
    "samples": 24,
    "stages": [{"tokens": 512, "survivors": 6}, {"tokens": 2048, "survivors": 1}],
}
STRATEGIES: tuple[Mapping[str, Any], ...] = (EVOLUTION, REGION, SAMPLES)
BUDGETS = (3.0, 2.75, 2.5, 3.25)


def job(model: Path, number: int) -> dict[str, Any]:
    """The job of a number: strategies, budgets and numbers of workers take turns, and each has a seed of its own."""
    return {
        "model": str(model),
        "name": f"job {number}",
        "calibration": {"source": str(TEXT / "calibration.txt"), "tokens": 4096, "sequence_length": 128},
        "validation": {"source": str(TEXT / "validation.txt"), "tokens": 4096},
        "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4], "group_size": 64}]},
        "budget": {"nominal_bits_per_weight": BUDGETS[number % len(BUDGETS)]},
        "strategy": dict(STRATEGIES[number % len(STRATEGIES)]),
        "seed": number,
        "workers": 1 + number % 2,
        "resources": {"cpus": 1},
    }
