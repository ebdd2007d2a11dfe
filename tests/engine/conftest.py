"""A small trained-like job on real Ray: a tiny random Llama with the reference model's tokenizer and text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from benchmarks.tiny_model import save_tiny_model
from search.engine.cluster import start_ray

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "examples" / "reference-model"
TEXT = ROOT / "examples" / "text"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Llama whose weights are large enough for compression to show."""
    folder = tmp_path_factory.mktemp("model")
    save_tiny_model(folder)
    return folder


@pytest.fixture
def job(tiny_model: Path) -> dict[str, Any]:
    """A job of a few seconds: 21 layers, 2 to 4 bits, evolution started from an allocation."""
    stages = [{"tokens": 512, "survivors": 2}, {"tokens": 2048, "survivors": 1}]
    return {
        "model": str(tiny_model),
        "calibration": {"source": str(TEXT / "calibration.txt"), "tokens": 4096, "sequence_length": 128},
        "validation": {"source": str(TEXT / "validation.txt"), "tokens": 4096},
        "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4], "group_size": 64}]},
        "budget": {"nominal_bits_per_weight": 3.0},
        "strategy": {
            "name": "evolution",
            "generations": 3,
            "offspring": 6,
            "stages": stages,
            "groups": "global",
            "start": {"name": "allocate", "score": {"name": "measured-kl", "tokens": 512}},
        },
        "workers": 1,
    }


@pytest.fixture(scope="session")
def running_ray() -> Iterator[None]:
    """One Ray for all tests in this process."""
    started = start_ray(2)
    yield
    if started:
        ray.shutdown()
