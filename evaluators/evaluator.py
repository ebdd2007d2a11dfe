"""Measures a configuration on a prefix of fixed text: KL divergence to the dense model and next-token loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from evaluators.dense import DenseLogits
from evaluators.live import LiveModel
from evaluators.prefixes import Prefixes
from evaluators.stream import Stream
from spaces.configuration import Configuration

if TYPE_CHECKING:
    from evaluators.requests import Requests

METRIC_VERSION = "kl+nll/1"  # part of every evaluation's key: raise it when a measured number changes meaning
BATCH_TOKENS = 2048  # tokens in one forward; more is no faster on a CPU and fills a GPU


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Per-sequence means, in nats per token, for consecutive sequences of one stream.

    ``kl`` averages over all positions, ``nll`` over those with a next token in the sequence. A sequence whose logits
    are NaN or infinite has infinite values: a broken candidate is data, not an exception.
    """

    kl: np.ndarray  # float64 (sequences,)
    nll: np.ndarray  # float64 (sequences,)

    def __add__(self, later: Measurement) -> Measurement:
        return Measurement(kl=np.concatenate([self.kl, later.kl]), nll=np.concatenate([self.nll, later.nll]))


def batch_sequences(length: int) -> int:
    """Sequences in one forward."""
    return max(1, BATCH_TOKENS // length)


class Evaluator:
    """Measures configurations on one stream with one live model; evaluators of one model share its ``prefixes``.

    ``requests`` are those of the job's tasks, by their key.
    """

    def __init__(
        self,
        live: LiveModel,
        stream: Stream,
        dense: DenseLogits,
        prefixes: Prefixes | None = None,
        requests: Mapping[str, Requests] | None = None,
    ) -> None:
        self.live = live
        self.stream = stream
        self.dense = dense
        self.prefixes = prefixes or Prefixes(live)
        self.requests = requests or {}

    def measure(self, configuration: Configuration, start: int, stop: int) -> Measurement:
        """Measure sequences ``start`` to ``stop``; the configuration stays loaded afterwards."""
        return self.measure_each([configuration], start, stop)[0]

    def measure_each(self, configurations: Sequence[Configuration], start: int, stop: int) -> list[Measurement]:
        """Measure each on sequences ``start`` to ``stop``; blocks that they have in common are computed once."""
        batches = list(self._batches(start, stop))
        found: list[list[Measurement]] = [[_nothing()] * (1 + len(batches)) for _ in configurations]
        each = self.prefixes.logits_each(configurations, [tokens for _, tokens in batches])
        for number, place, logits in each:
            first, tokens = batches[place]
            kl, nll = self.dense.compare(first, logits.float(), tokens)
            found[number][1 + place] = Measurement(kl=_finite(kl), nll=_finite(nll))
        return [reduce(add, parts) for parts in found]

    def write_dense(self, start: int, stop: int) -> None:
        """Compute the dense model's logits of sequences ``start`` to ``stop`` and keep them; raises as they do."""
        batches = list(self._batches(start, stop))
        for _, place, logits in self.prefixes.logits_each([Configuration.of({})], [tokens for _, tokens in batches]):
            first, tokens = batches[place]
            self.dense.write(first, logits.float(), tokens)

    def _batches(self, start: int, stop: int) -> Iterator[tuple[int, Tensor]]:
        return self.stream.batches(start, stop, batch_sequences(self.stream.length))


def _nothing() -> Measurement:
    return Measurement(kl=np.empty(0), nll=np.empty(0))


def _finite(values: Tensor) -> np.ndarray:
    array = values.double().numpy(force=True)
    return np.where(np.isfinite(array), array, np.inf)
