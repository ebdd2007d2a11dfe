"""A model's loss as a function of some of its layers' weights, for gradients and curvature.

Axes: ``B`` sequences, ``S`` tokens in each, ``V`` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from compressors.weights import weight_of

Weights = tuple[Tensor, ...]  # one (out, in) for each layer, in the layers' order


class WeightedModel:
    """The model with the weights of ``layers`` as arguments.

    Nothing of the model is changed, not even ``requires_grad``: what ``weights`` returns shares memory with it, and
    tied modules follow. With few layers, autograd keeps and walks only what comes after the first of them.
    """

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        self._model = model
        self._layers = tuple(layers)
        self._modules = [model.get_submodule(name) for name in layers]
        self._is_transposed = [_is_transposed(module) for module in self._modules]

    @property
    def device(self) -> torch.device:
        return next(self._model.parameters()).device

    def weights(self) -> Weights:
        """The weights that the model has now, ready to be differentiated by."""
        return tuple(weight_of(module).requires_grad_() for module in self._modules)

    def logits(
        self,
        weights: Weights,
        tokens: Tensor,  # (B, S)
    ) -> Tensor:  # (B, S, V), float32 or wider
        """What the model computes with these weights in place of its own; differentiable in them."""
        stored = {
            f"{name}.weight": weight.T if is_transposed else weight
            for name, weight, is_transposed in zip(self._layers, weights, self._is_transposed, strict=True)
        }
        inputs = {"input_ids": tokens.to(self.device), "use_cache": False}
        with torch.enable_grad():
            logits: Tensor = functional_call(self._model, stored, kwargs=inputs).logits
        return logits if logits.dtype == torch.float64 else logits.float()

    def loss(
        self,
        weights: Weights,
        tokens: Tensor,  # (B, S)
    ) -> Tensor:  # scalar
        """The mean loss of the next token, in nats; differentiable in the weights."""
        return next_token_loss(self.logits(weights, tokens), tokens)

    def gradients(
        self,
        weights: Weights,
        tokens: Tensor,  # (B, S)
    ) -> Weights:
        """Of ``loss``: one forward and one backward pass."""
        return gradients(self.loss(weights, tokens), weights)


def next_token_loss(
    logits: Tensor,  # (B, S, V)
    tokens: Tensor,  # (B, S)
) -> Tensor:  # scalar
    """The mean over the positions that have a next token, in nats."""
    labels = tokens[:, 1:].to(logits.device)
    return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels.flatten())


def gradients(
    value: Tensor,  # scalar
    weights: Weights,
    *,
    create_graph: bool = False,
) -> Weights:
    """The derivatives of ``value``; zeros for a weight that it does not depend on, as an expert's that got no token."""
    if not value.requires_grad:
        return tuple(torch.zeros_like(weight, requires_grad=create_graph) for weight in weights)
    return torch.autograd.grad(value, weights, create_graph=create_graph, materialize_grads=True)


def twice_differentiable() -> AbstractContextManager[None]:
    """Within, attention runs on plain matrix products: the fused kernels have no derivative of their backward pass."""
    context: AbstractContextManager[None] = sdpa_kernel(SDPBackend.MATH)
    return context


def _is_transposed(module: nn.Module) -> bool:
    """Whether the module stores its weight as (in, out), the other way round than ``weight_of`` gives it."""
    stored = module.weight
    return isinstance(stored, Tensor) and stored.stride() != weight_of(module).stride()
