"""Measures a model that is loaded from files of its own, whatever made them, against the dense model's logits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from evaluators.dense import DenseLogits
from evaluators.evaluator import Measurement, batch_sequences
from evaluators.stream import Stream


def measure_model(
    model: nn.Module,  # called as model(input_ids=..., use_cache=False)
    stream: Stream,
    dense: DenseLogits,
    on_progress: Callable[[int], None] = lambda num_tokens: None,  # read so far
) -> Measurement:
    """What ``Evaluator.measure`` gives of a configuration, of a model as it is: every sequence of ``stream``."""
    parts: list[Measurement] = []
    device = next(model.parameters()).device
    for first, tokens in stream.batches(0, stream.num_sequences, batch_sequences(stream.length)):
        with torch.inference_mode():
            logits = model(input_ids=tokens.to(device), use_cache=False).logits.float()
        kl, nll = dense.compare(first, logits, tokens.to(device))
        values = [np.asarray(each.double().numpy(force=True)) for each in (kl, nll)]
        broken = [np.where(np.isfinite(each), each, np.inf) for each in values]
        parts.append(Measurement(kl=broken[0], nll=broken[1]))
        on_progress((first + len(tokens)) * stream.length)
    return Measurement(kl=np.concatenate([each.kl for each in parts]), nll=np.concatenate([each.nll for each in parts]))
