"""Products of vectors with the Hessian of a model's loss, which is never written down."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from evaluators.sensitivity.gradients import WeightedModel, Weights, gradients, twice_differentiable
from evaluators.statistic import Passes
from spaces.errors import InputError

logger = logging.getLogger(__name__)

Method = Literal["auto", "double-backward", "finite-differences"]

NO_SECOND_DERIVATIVE = ("is not implemented", "double backward")  # what autograd then says


class HessianProducts:
    """Multiplies by the Hessian over all of a model's weights together: (H v)_l = sum_k H_lk v_k.

    ``double-backward`` differentiates the gradient: one forward and three backward passes, the forward and one of the
    backward passes only once where the graph is kept. ``finite-differences`` takes (g(W + h v) - g(W - h v)) / 2h:
    two of each, no more memory than a gradient, and any kernel will do. ``auto`` is the first, and the second for a
    model that has an operation without a second derivative.
    """

    def __init__(self, model: WeightedModel, method: Method, *, relative_step: float) -> None:
        """``relative_step`` is that of a finite difference, |h v| / |W|."""
        self._model = model
        self._relative_step = relative_step
        self._weights = model.weights()
        self._method = method
        self._kept: tuple[Tensor, Weights] | None = None  # tokens, and their gradients with the graph

    @property
    def weights(self) -> Weights:
        return self._weights

    def multiply(
        self,
        vectors: Weights,
        tokens: Tensor,  # (B, S)
        *,
        keep: bool = False,
    ) -> Weights:
        """The product for the mean loss on ``tokens``; ``keep`` the graph for another product on the same tokens.

        Raises:
            InputError: the model has no second derivative, and the method needs one.
        """
        if self._method == "finite-differences":
            return self._difference(vectors, tokens)
        try:
            return self._differentiate(vectors, tokens, keep=keep)
        except RuntimeError as error:
            if not any(sign in str(error) for sign in NO_SECOND_DERIVATIVE):
                raise
            self._fall_back(error)
        return self._difference(vectors, tokens)

    def multiply_mean(
        self,
        vectors: Weights,
        batches: Sequence[Tensor],  # each (B, S), with one S
    ) -> Weights:
        """The product for the mean loss over all the batches; a single one's graph is kept for the next product."""
        total = sum(len(tokens) for tokens in batches)
        mean = tuple(torch.zeros_like(vector) for vector in vectors)
        for tokens in batches:
            image = self.multiply(vectors, tokens, keep=len(batches) == 1)
            for sum_, part in zip(mean, image, strict=True):
                sum_.add_(part, alpha=len(tokens) / total)
        return mean

    def _fall_back(self, error: RuntimeError) -> None:
        reason = str(error).splitlines()[0]
        if self._method == "double-backward":
            raise InputError(
                f"method double-backward needs second derivatives, and this model has none ({reason}); "
                f"write method: finite-differences"
            ) from error
        logger.info("no second derivative (%s): finite differences of gradients instead", reason)
        self._method, self._kept = "finite-differences", None

    def _differentiate(self, vectors: Weights, tokens: Tensor, *, keep: bool) -> Weights:
        with twice_differentiable():
            slope = self._slope(tokens, keep=keep)
            return torch.autograd.grad(
                slope, self._weights, grad_outputs=vectors, retain_graph=keep, materialize_grads=True
            )

    def _slope(self, tokens: Tensor, *, keep: bool) -> Weights:
        """The gradients, differentiable once more."""
        if self._kept is not None and self._kept[0] is tokens:
            return self._kept[1]
        self._kept = None  # before the next graph is made: two do not fit where one does
        loss = self._model.loss(self._weights, tokens)
        foreign = find_foreign(loss)
        if foreign is not None:
            raise NotImplementedError(f"the second derivative of {foreign} is not implemented, as far as can be known")
        slope = gradients(loss, self._weights, create_graph=True)
        if keep:
            self._kept = (tokens, slope)
        return slope

    def _difference(self, vectors: Weights, tokens: Tensor) -> Weights:
        length = norm(vectors)
        if length == 0:
            return tuple(torch.zeros_like(vector) for vector in vectors)
        step = self._relative_step * (norm(self._weights) or 1.0) / length
        ahead, behind = (self._gradients_at(vectors, sign * step, tokens) for sign in (1, -1))
        return tuple((front - back) / (2 * step) for front, back in zip(ahead, behind, strict=True))

    def _gradients_at(self, vectors: Weights, step: float, tokens: Tensor) -> Weights:
        moved = tuple(
            (weight.detach() + step * vector).requires_grad_()
            for weight, vector in zip(self._weights, vectors, strict=True)
        )
        return self._model.gradients(moved, tokens)


def find_foreign(value: Tensor) -> str | None:
    """A kernel in the graph of ``value`` with a backward pass of its own, which autograd cannot look into.

    Such a pass may be beyond autograd's sight, as a fused kernel's is, and then a second derivative lacks its part
    without any error: ``once_differentiable`` raises only where the pass itself is asked for.
    """
    seen: set[object] = {None}
    waiting: list[Any] = [value.grad_fn]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        if isinstance(node, BackwardCFunction):
            return type(node).__name__
        seen.add(node)
        waiting += [function for function, _ in node.next_functions]
    return None


def product_passes(num_tokens: int, method: Method) -> Passes:
    """What one product costs."""
    if method == "finite-differences":
        return Passes(forward_tokens=2 * num_tokens, backward_tokens=2 * num_tokens)
    return Passes(forward_tokens=num_tokens, backward_tokens=3 * num_tokens)


def inner_product(left: Weights, right: Weights) -> float:
    """Of all of them as one vector."""
    products = [(one * other).sum(dtype=torch.float64) for one, other in zip(left, right, strict=True)]
    return float(torch.stack(products).sum())


def norm(vectors: Weights) -> float:
    """The length of all of them as one vector."""
    squares = [vector.detach().square().sum(dtype=torch.float64) for vector in vectors]
    return float(torch.stack(squares).sum().sqrt())
