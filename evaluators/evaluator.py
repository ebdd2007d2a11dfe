"""Measures a configuration on a prefix of fixed text: KL divergence to the dense model and next-token loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from evaluators.dense import DenseLogits
from evaluators.live import LiveModel
from evaluators.stream import Stream
from spaces.configuration import Configuration

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
    """Measures configurations on one stream with one live model."""

    def __init__(self, live: LiveModel, stream: Stream, dense: DenseLogits) -> None:
        self.live = live
        self.stream = stream
        self.dense = dense

    def measure(self, configuration: Configuration, start: int, stop: int) -> Measurement:
        """Measure sequences ``start`` to ``stop``; the configuration stays loaded afterwards."""
        self.live.apply(configuration)
        kl, nll = [torch.empty(0)], [torch.empty(0)]
        for first, tokens in self.stream.batches(start, stop, batch_sequences(self.stream.length)):
            batch_kl, batch_nll = self.dense.compare(first, self._logits(tokens), tokens)
            kl.append(batch_kl.cpu())
            nll.append(batch_nll.cpu())
        return Measurement(kl=_finite(torch.cat(kl)), nll=_finite(torch.cat(nll)))

    def write_dense(self, start: int, stop: int) -> None:
        """Compute the dense model's logits of sequences ``start`` to ``stop`` and keep them; raises as they do."""
        self.live.apply(Configuration.of({}))
        for first, tokens in self.stream.batches(start, stop, batch_sequences(self.stream.length)):
            self.dense.write(first, self._logits(tokens), tokens)

    def _logits(self, tokens: torch.Tensor) -> torch.Tensor:  # (batch, length) -> (batch, length, vocabulary) float32
        with torch.inference_mode():
            logits: torch.Tensor = self.live.model(input_ids=tokens.to(self.live.device), use_cache=False).logits
        return logits.float()


def _finite(values: torch.Tensor) -> np.ndarray:
    array = values.double().numpy()
    return np.where(np.isfinite(array), array, np.inf)
