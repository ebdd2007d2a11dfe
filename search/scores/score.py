"""What a score is: a number for each unit and option that predicts the loss it adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from search.strategy import Asking, Problem
from spaces.option import DROP
from spaces.space import Levels, Space

SCORES = {
    "weight-error": "search.scores.errors:WeightError",
    "output-error": "search.scores.errors:OutputError",
    "measured-kl": "search.scores.measured:MeasuredKL",
    "hessian-trace": "search.scores.hessian_trace:HessianTrace",
    "hessian-eigenvalue": "search.scores.hessian_eigenvalue:HessianEigenvalue",
    "hessian-eigenvalue-spread": "search.scores.hessian_eigenvalue:HessianEigenvalueSpread",
    "fisher": "search.scores.fisher:Fisher",
    "gradient-output": "search.scores.gradient_output:GradientOutput",
    "delta-loss": "search.scores.delta_loss:DeltaLoss",
    "linearity": "search.scores.linearity:Linearity",
    "spectral-error": "search.scores.spectral_error:SpectralError",
    "activation-entropy": "search.scores.activation_entropy:ActivationEntropy",
    "cosine-similarity": "search.scores.cosine_similarity:CosineSimilarity",
    "gram": "search.scores.gram:Gram",
    "inter-layer": "search.scores.inter_layer:InterLayer",
}

PREDICTED_KL = "predicted KL, nats per token"
# whose costs are on a scale of their own or a bound; every other score predicts the KL
NO_PREDICTION = (
    "weight-error",
    "output-error",
    "hessian-eigenvalue",
    "hessian-eigenvalue-spread",
    "delta-loss",
    "spectral-error",
    "activation-entropy",
    "cosine-similarity",
)
Table = list[np.ndarray]  # one float64 array (options,) for each unit; infinity closes an option


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """What two changes cost together beyond the sum of both. A move is a (unit, level), counted unit after unit."""

    matrix: np.ndarray  # (moves, moves), symmetric; only pairs of different units count
    errors: np.ndarray | None = None  # (moves, moves), standard errors

    def of(self, moves: np.ndarray) -> float:  # int64 (units,), one move of each unit
        """The sum over the pairs of the moves that are made together."""
        among = self.matrix[np.ix_(moves, moves)]
        return float((among.sum() - np.trace(among)) / 2)

    def shrunk(self) -> Interactions:
        """Each less what its own noise accounts for: times 1 - (error / value)^2, and never below zero.

        The positive-part estimator of James and Stein (1961), entry by entry; without errors nothing changes.
        """
        if self.errors is None:
            return self
        errors = np.where(np.isfinite(self.errors), self.errors, np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            kept = np.where(self.matrix == 0, 0.0, np.maximum(0.0, 1 - (errors / np.abs(self.matrix)) ** 2))
        return Interactions(matrix=kept * self.matrix)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a score says of a space: additive costs and, where it knows them, errors and interactions."""

    costs: Table
    errors: Table | None = None  # standard errors of the costs
    interactions: Interactions | None = None
    unit: str = PREDICTED_KL  # of the costs

    def predict(self, space: Space, levels: Levels) -> float:
        """The predicted loss, up to a constant; what lies in a dropped part costs nothing."""
        hidden = hidden_units(space, levels)
        shown = [unit for unit in range(len(levels)) if unit not in hidden]
        total = float(sum(self.costs[unit][levels[unit]] for unit in shown))
        if self.interactions is None:
            return total
        starts = first_moves(space)
        return total + self.interactions.of(np.array([starts[unit] + levels[unit] for unit in shown], dtype=np.int64))


def first_moves(space: Space) -> np.ndarray:  # int64 (units,)
    """The number of each unit's first move."""
    counts = [len(unit.options) for unit in space.units]
    return np.cumsum([0, *counts[:-1]])


def hidden_units(space: Space, levels: Levels) -> set[int]:
    """Units inside a part that is dropped."""
    firsts = [space.layers[unit.layers[0]] for unit in space.units]
    pairs = zip(firsts, space.units, levels, strict=True)
    dropped = {first.name for first, unit, level in pairs if unit.options[level] == DROP}
    return {unit for unit, first in enumerate(firsts) if dropped.intersection(first.inside)} if dropped else set()


class Score(Protocol):
    """Predicts what each option costs. Settings are the fields of a frozen dataclass."""

    def check(self, problem: Problem) -> None:
        """Refuse, before any work, options that the score has no number for, or a model that cannot give it.

        Raises:
            InputError: names what does not fit and a score that does.
        """

    def planned_tokens(self, problem: Problem) -> int:
        """Tokens that it will ask to be read, forward and backward."""

    def score(self, problem: Problem) -> Asking[Scores]:
        """Ask for what must be measured, if anything, and say what each option costs."""


def name_of_score(score: Score) -> str:
    """The name that ``SCORES`` lists it under."""
    return next(name for name, path in SCORES.items() if path == f"{type(score).__module__}:{type(score).__name__}")
