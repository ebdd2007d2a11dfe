"""A search among ggml types, from job file to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.engine.plan import make_plan
from search.engine.run import run_job
from search.report import report
from search.spec import read_spec
from store.store import Store

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.usefixtures("running_ray")


def test_a_search_among_ggml_types_runs_end_to_end(job: dict[str, Any], tmp_path: Path) -> None:
    options = [{"kind": "ggml", "types": ["q3_k", "q5_k", "q6_k", "iq4_nl"], "indivisible": "fallback"}]
    asked = job | {
        "space": {"options": options},
        "budget": {"bits_per_weight": 13.0},
        "strategy": {"name": "allocate", "score": "output-error"},
    }
    plan = make_plan(read_spec(asked), tmp_path)
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        outcome = run_job(plan, store, lambda progress: None)
    space, answer = plan.problem.space, outcome.answer.configuration
    assert plan.problem.holds(space.levels(answer))
    slugs = {option.slug for _, option in answer.options}
    assert len(slugs) > 1
    assert slugs <= {"keep", "ggml-q4_0", "ggml-q5_1", "ggml-q8_0", "ggml-iq4_nl"}
    compressed = [(name, option) for name, option in answer.options if option.slug != "keep"]
    layers = {layer.name: layer for layer in space.layers}
    bits = sum(option.bits(layers[name].rows, layers[name].columns, 32).stored for name, option in compressed)
    assert plan.bank.size_bytes(compressed) * 8 == bits
    assert 0 < float(np.mean(outcome.answer.validation.kl)) < 1
    names = [row["name"] for row in report(outcome)["baselines"]]
    assert "uniform ggml-q4_0" in names
