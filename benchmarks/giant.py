"""A model of 8 billion parameters by its shape alone, and what its layers and options count in bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import LlamaConfig

from evaluators.dense_layout import Layout, choose_layout
from search.solvers.items import Item
from search.spec import EvaluationModel
from spaces.budget import parse_size
from spaces.build import build_space
from spaces.discovery import find_anatomy
from spaces.layer import Layer
from spaces.option import KEEP, Banked, Option
from spaces.skeleton import skeleton
from spaces.space import Space
from spaces.spec import QuantizeSpec, SpaceSpec

# the published shape of Llama-3.1-8B
SHAPE = LlamaConfig(
    hidden_size=4096,
    intermediate_size=14336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    vocab_size=128256,
    max_position_embeddings=131072,
    tie_word_embeddings=False,
    dtype=torch.bfloat16,
)
BITS = (2, 3, 4, 5, 6, 8)
NUM_SEQUENCES, LENGTH = 128, 512  # of the calibration text
LOGITS_LIMIT = EvaluationModel().dense_logits_limit
PROBE_TOKENS = 8
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Giant:
    """A model without weights, its untied space, and the seconds that making both took."""

    model: nn.Module  # on the meta device
    space: Space
    vocab_size: int
    seconds: float

    @property
    def num_tokens(self) -> int:
        return NUM_SEQUENCES * LENGTH

    @property
    def layout(self) -> Layout:
        """What the default limit keeps of the dense model's logits of the calibration text."""
        return choose_layout(self.num_tokens, self.vocab_size, parse_size(str(LOGITS_LIMIT)))

    @property
    def full_layout(self) -> Layout:
        return Layout(kind="full", vocab_size=self.vocab_size, num_kept=self.vocab_size)

    @property
    def dense_bytes(self) -> int:
        return self.space.measure(self.space.kept).size_bytes

    @property
    def lookup_bytes(self) -> int:
        """Of the embedding, whose rows are looked up and not multiplied."""
        return sum(self.bytes_of(layer, KEEP) for layer in self.space.anatomy.outside if layer.is_lookup)

    def bytes_of(self, layer: Layer, option: Option) -> int:
        """What the layer stores under an option."""
        return option.bits(layer.rows, layer.columns, self.space.anatomy.dense_bits).stored // 8

    def entries(self) -> Iterator[tuple[Layer, Banked]]:
        """The bank that the space needs."""
        for unit in self.space.units:
            for index in unit.layers:
                yield from ((self.space.layers[index], each) for each in unit.options if isinstance(each, Banked))

    def probe(self) -> None:
        """A forward without values. The mask is given, since transformers would look into the tokens to make one."""
        tokens = torch.zeros(1, PROBE_TOKENS, dtype=torch.long, device="meta")
        mask = torch.zeros(1, 1, PROBE_TOKENS, PROBE_TOKENS, dtype=torch.bool, device="meta")
        with torch.no_grad():
            self.model(input_ids=tokens, attention_mask=mask, use_cache=False)

    def items(self) -> list[Item]:
        """The nominal bits of every option, with made-up costs: fourfold less for a bit, at scales that differ."""
        scales = np.random.default_rng(SEED).lognormal(0, 1.5, len(self.space.units))
        dense_bits = self.space.anatomy.dense_bits
        items = []
        for unit, scale in zip(self.space.units, scales, strict=True):
            (layer,) = (self.space.layers[index] for index in unit.layers)
            bits = [option.bits(layer.rows, layer.columns, dense_bits).nominal for option in unit.options]
            sizes = np.array(bits, dtype=np.int64)
            items.append(Item(sizes=sizes, costs=scale * 4.0 ** -(sizes / layer.num_weights)))
        return items


def build_giant(config: LlamaConfig = SHAPE) -> Giant:
    """The space of every linear layer in the blocks, from the config alone."""
    begun = time.perf_counter()
    model = skeleton(config)
    space = build_space(find_anatomy(model), SpaceSpec(options=(QuantizeSpec(bits=BITS),)))
    return Giant(model=model, space=space, vocab_size=config.vocab_size, seconds=time.perf_counter() - begun)
