"""A model so small that its whole Hessian can be written down, in float64, by plain double loops of autograd."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GPT2Config

from compressors.bank import Bank
from evaluators.dense import DenseLogits
from evaluators.dense_layout import Layout
from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.stream import Stream
from spaces.discovery import find_anatomy

VOCABULARY = 11
# the last is tied to the embedding, and of the four in the block three store their weights as (in, out) rectangles
LAYERS = (
    "transformer.h.0.attn.c_attn",
    "transformer.h.0.attn.c_proj",
    "transformer.h.0.mlp.c_fc",
    "transformer.h.0.mlp.c_proj",
    "lm_head",
)
SIZES = (8 * 24, 8 * 8, 8 * 6, 6 * 8, VOCABULARY * 8)
TOKENS = torch.randint(0, VOCABULARY, (4, 6), generator=torch.Generator().manual_seed(9))


def small_model(attention: str = "sdpa") -> nn.Module:
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=8,
        n_head=2,
        n_inner=6,
        n_layer=1,
        n_positions=8,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        attn_implementation=attention,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model: nn.Module = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.double().eval().requires_grad_(False)


def evaluator_on(root: Path, model: nn.Module, tokens: Tensor = TOKENS) -> Evaluator:
    """With an empty bank, and dense logits that nothing reads."""
    bank = Bank(root / "bank", model="w" * 16, calibration="c" * 16, propagate="dense")
    stream = Stream(tokens)
    layout = Layout(kind="full", vocab_size=VOCABULARY, num_kept=VOCABULARY)
    dense = DenseLogits.create(root / "dense", layout, num_sequences=stream.num_sequences, length=stream.length)
    return Evaluator(LiveModel(model, find_anatomy(model), bank), stream, dense)


@cache
def exact_hessians() -> np.ndarray:  # float64 (sequences, weights, weights), layers one after another as (out, in)
    """Of each sequence's mean loss, a row at a time, with eager attention."""
    return np.stack([_hessian(tokens) for tokens in TOKENS])


def _hessian(tokens: Tensor) -> np.ndarray:
    model = small_model("eager")
    parameters = [model.get_submodule(name).weight.requires_grad_() for name in LAYERS]  # type: ignore[union-attr, operator]
    log_p = model(input_ids=tokens[None], use_cache=False).logits[0].log_softmax(-1)
    loss = -sum(log_p[place, label] for place, label in enumerate(tokens[1:].tolist())) / (len(tokens) - 1)
    slope = _flat(torch.autograd.grad(loss, parameters, create_graph=True))
    rows = [_flat(torch.autograd.grad(each, parameters, retain_graph=True)) for each in slope]
    array: np.ndarray = torch.stack(rows).detach().numpy()
    return array


def _flat(parts: tuple[Tensor, ...]) -> Tensor:
    oriented = [part if name == "lm_head" else part.T for name, part in zip(LAYERS, parts, strict=True)]
    return torch.cat([part.flatten() for part in oriented])


def block(hessian: np.ndarray, row: int, column: int) -> np.ndarray:
    """H_lk of two layers."""
    ends = np.cumsum((0, *SIZES))
    return hessian[ends[row] : ends[row + 1], ends[column] : ends[column + 1]]
