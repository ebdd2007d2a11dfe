"""What the first-order statistics are made of, done the plain way: copies of the model, differences, float64."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from live_oracle import RTN, built_bank, logits_of, overwrite
from tiny_models import TINY, VOCABULARY
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from evaluators.dense import DenseLogits
from evaluators.dense_layout import Layout
from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.statistic import Entry, Statistic
from evaluators.stream import Stream
from spaces.discovery import find_anatomy

LENGTH, NUM_SEQUENCES = 7, 6


def evaluator_of(
    root: Path, name: str, *, dtype: torch.dtype = torch.float64, tokens: Tensor | None = None, num_blocks: int = 2
) -> Evaluator:
    """A tiny model with all of ``RTN`` for every layer, those outside its blocks too, and random text."""
    model = TINY[name].model(num_blocks)
    bank = built_bank(root / "bank", model, beside=tuple(TINY[name].outside))
    model = model.to(dtype)
    if tokens is None:
        tokens = torch.randint(0, VOCABULARY, (NUM_SEQUENCES, LENGTH), generator=torch.Generator().manual_seed(5))
    stream = Stream(tokens)
    layout = Layout(kind="full", vocab_size=VOCABULARY, num_kept=VOCABULARY)
    dense = DenseLogits.create(root / "dense", layout, num_sequences=stream.num_sequences, length=stream.length)
    return Evaluator(LiveModel(model, find_anatomy(model), bank), stream, dense)


def every_entry(evaluator: Evaluator) -> tuple[Entry, ...]:
    anatomy = evaluator.live.anatomy
    return tuple((layer.name, option) for layer in (*anatomy.weights, *anatomy.outside) for option in RTN.values())


def values(statistic: Statistic, evaluator: Evaluator, start: int, stop: int) -> np.ndarray:
    """The statistic's only array."""
    (array,) = statistic.samples(evaluator, start, stop).values()
    return array


def plain_weight(module: nn.Module) -> np.ndarray:  # float64 (out, in), a copy
    weight: Tensor = module.weight  # type: ignore[assignment]
    array: np.ndarray = weight.detach().double().numpy().copy()
    return array.T if isinstance(module, Conv1D) else array


def plain_delta(evaluator: Evaluator, entry: Entry) -> np.ndarray:  # float64 (out, in)
    layer, option = entry
    quantized = evaluator.live.bank.read(layer, option).dequantize(torch.float64).numpy()
    return np.asarray(quantized - plain_weight(evaluator.live.model.get_submodule(layer)))


def moved_log_p(
    model: nn.Module, moves: dict[str, np.ndarray], step: float, tokens: Tensor
) -> np.ndarray:  # float64 (length, vocabulary)
    """Log-probabilities with ``step`` times the moves added to the layers' weights."""
    moved = copy.deepcopy(model)
    for layer, move in moves.items():
        module = moved.get_submodule(layer)
        shared = [each for each in moved.modules() if getattr(each, "weight", None) is module.weight]
        wanted = torch.from_numpy(plain_weight(module) + step * move)
        for each in shared:
            overwrite(each, wanted)
    array: np.ndarray = logits_of(moved, tokens[None])[0].log_softmax(-1).numpy()
    return array


def score_derivatives(
    model: nn.Module, moves: dict[str, np.ndarray], tokens: Tensor, step: float = 1e-3
) -> np.ndarray:  # float64 (length, vocabulary)
    """d log p(v at position t) along the moves, by a central difference of fourth order."""
    near, far = (
        moved_log_p(model, moves, by, tokens) - moved_log_p(model, moves, -by, tokens) for by in (step, 2 * step)
    )
    return np.asarray((8 * near - far) / (12 * step))
