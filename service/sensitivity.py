"""What each option costs each layer by a job's own score, from what the store and the bank hold: no forward pass."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from search.engine.answers import Recorded, drive
from search.engine.plan import Plan
from search.engine.resolve import score_of
from search.fronts import middle
from search.scores.errors import OutputError
from search.scores.score import Scores, name_of_score
from service.spaces_view import SENSITIVITY_FILE
from spaces.errors import InputError, LayerpressError
from spaces.space import Space
from store.records import Artifact
from store.store import Store


def sensitivity_document(plan: Plan, store: Store) -> dict[str, Any]:
    """The costs of every layer's options, by the score that the job's strategy begins with.

    A strategy that computes none is shown the errors of the layers' outputs, which every bank has; so is one whose
    score is not measured yet.

    Raises:
        InputError: neither is there.
        JobError: the bank has lost entries, or is not built yet.
    """
    problem = middle(plan.problems)
    score = score_of(plan.strategy, problem)
    recorded = Recorded(store, plan.context("calibration"), problem.space, plan.spec.objective)
    try:
        score.check(problem)
        scores = drive(score.score(problem), recorded.answer)
    except InputError:
        score = OutputError()
        score.check(problem)
        scores = drive(score.score(problem), recorded.answer)
    return _document(problem.space, name_of_score(score), scores)


def sensitivity_files(plan: Plan, store: Store) -> list[Artifact]:
    """The same as a job's artifact; none where it cannot be told, which is no reason for a job to fail."""
    try:
        document = sensitivity_document(plan, store)
    except LayerpressError:
        return []
    content = json.dumps(document, allow_nan=False).encode()
    return [Artifact(name=SENSITIVITY_FILE, media_type="application/json", content=content)]


def _document(space: Space, source: str, scores: Scores) -> dict[str, Any]:
    """By layer, in the model's order; tied layers show what their unit costs."""
    losses: list[dict[str, float | None]] = [{} for _ in space.layers]
    for unit, costs in zip(space.units, scores.costs, strict=True):
        known = {option.slug: _plain(cost) for option, cost in zip(unit.options, costs, strict=True)}
        for index in unit.layers:
            losses[index] = known
    return {
        "unit": scores.unit,
        "source": source,
        "items": [
            {"name": layer.name, "block": layer.block, "module": layer.module, "losses": own}
            for layer, own in zip(space.layers, losses, strict=True)
        ],
    }


def _plain(cost: float) -> float | None:
    return float(cost) if np.isfinite(cost) else None
