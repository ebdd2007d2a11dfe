"""What the scores by a layer's Hessian share: the squared perturbations, and a table made of curvatures times those."""

from __future__ import annotations

import numpy as np

from evaluators.sensitivity.weight_norms import WeightNorms
from search.scores.entries import check_gradients, entries_of, scores_of
from search.scores.score import Scores
from search.strategy import Asking, Problem, sampled
from spaces.errors import InputError
from spaces.option import Banked
from spaces.space import Space


def check_curvature(problem: Problem, score: str) -> None:
    """Refuse what a score by second derivatives of the dense model's weights cannot take.

    Raises:
        InputError: a part may be dropped, or the model runs in fewer than 32 bits.
    """
    if problem.dtype != "float32":
        raise InputError(
            f"score {score} needs second derivatives, which drown in the rounding of evaluation.dtype "
            f"{problem.dtype}; write evaluation.dtype: float32, or use score fisher or output-error"
        )
    check_gradients(problem, score)


def quantized_layers(space: Space) -> tuple[str, ...]:
    """The layers that some option quantizes, in the space's order."""
    indices = {
        index
        for unit in space.units
        if any(isinstance(option, Banked) for option in unit.options)
        for index in unit.layers
    }
    return tuple(space.layers[index].name for index in sorted(indices))


def perturbations(problem: Problem) -> Asking[np.ndarray]:  # float64 (entries,), in the order of ``entries_of``
    """|dW|^2 of every bank entry: the relative error that the bank recorded, times |W|^2, which is asked for."""
    layers = quantized_layers(problem.space)
    samples = yield from sampled(WeightNorms(layers=layers), 0, len(layers), f"norms of {len(layers)} layers")
    norms = dict(zip(layers, samples["squared_norms"], strict=True))
    return np.array(
        [problem.errors(layer, option).weight * norms[layer] for layer, option in entries_of(problem.space)]
    )


def curvature_scores(
    space: Space,
    curvatures: np.ndarray,  # float64 (samples, layers), in the order of ``quantized_layers``
    squares: np.ndarray,  # float64 (entries,)
) -> Scores:
    """1/2 curvature x |dW|^2, summed over a unit's layers: the second-order term of the loss, in nats per token."""
    places = {name: place for place, name in enumerate(quantized_layers(space))}
    columns = [places[layer] for layer, _ in entries_of(space)]
    return scores_of(space, curvatures[:, columns] * squares / 2, lambda layers: layers.sum(axis=1))
