"""Hutchinson's estimate of the trace of every layer's Hessian: all layers from one product a probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.gradients import WeightedModel, Weights
from evaluators.sensitivity.hessian_product import HessianProducts, Method, inner_product, product_passes
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError

# of finite differences along random signs, where float32's rounding of the gradients and the third derivative weigh
# the same: on the reference model the median quadratic form is then off by 2e-4 of itself
RELATIVE_STEP = 1e-3


@dataclass(frozen=True, kw_only=True)
class HessianTrace:
    """Of the dense model's mean loss over the first ``sequences`` sequences; a sample is one probe of all of them.

    With v_l of random signs, independent for each layer, v_l^T (H v)_l is on average the trace of H_ll, since the other
    layers' signs cancel (Hutchinson 1990). Its variance is 2 (|H_ll|^2 - sum_i H_l,ii^2) + sum_{k != l} |H_lk|^2.
    The Hessian is a mean over sequences, and each sequence gets signs of its own: that costs nothing, and the
    variance is as if with one probe for each sequence, divided by their number. One sequence at a time is in
    memory, with four copies of the layers' weights.

    Samples: ``quadratic_forms`` (samples, layers).
    """

    name: ClassVar[str] = "hessian-trace"
    version: ClassVar[int] = 1

    layers: tuple[str, ...]
    sequences: int
    seed: int
    method: Method = "auto"

    def num_sequences(self, length: int) -> int:
        return self.sequences

    def entries(self) -> tuple[Entry, ...]:
        return ()

    def passes(self, length: int) -> Passes:
        return product_passes(self.sequences * length, self.method)

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        evaluator.live.apply(Configuration.of({}))
        products = HessianProducts(
            WeightedModel(evaluator.live.model, self.layers), self.method, relative_step=RELATIVE_STEP
        )
        tokens = evaluator.stream.tokens[: self.sequences]
        forms = np.array([self._probe(products, tokens, number) for number in range(start, stop)])
        return {"quadratic_forms": forms.reshape(stop - start, len(self.layers))}

    def _probe(
        self,
        products: HessianProducts,
        tokens: Tensor,  # (sequences, length)
        number: int,
    ) -> np.ndarray:  # float64 (layers,)
        forms = np.zeros(len(self.layers))
        for sequence in range(len(tokens)):
            signs = random_signs([self.seed, number, sequence], products.weights)
            curved = products.multiply(signs, tokens[sequence : sequence + 1])
            forms += [inner_product((sign,), (image,)) for sign, image in zip(signs, curved, strict=True)]
        if not np.isfinite(forms).all():
            broken = self.layers[int(np.flatnonzero(~np.isfinite(forms))[0])]
            raise JobError(f"the Hessian of {broken} is not finite; use a score that needs no derivatives")
        return forms / len(tokens)


def random_signs(seed: list[int], like: Weights) -> Weights:
    """Independent signs of the shapes, type and device of ``like``, the same on every machine."""
    total = sum(weight.numel() for weight in like)
    octets = np.frombuffer(np.random.default_rng(seed).bytes(-(-total // 8)), dtype=np.uint8)
    bits = torch.from_numpy(np.unpackbits(octets, count=total))
    parts = torch.split(bits, [weight.numel() for weight in like])
    return tuple(
        part.to(weight).mul_(2).sub_(1).reshape(weight.shape) for part, weight in zip(parts, like, strict=True)
    )
