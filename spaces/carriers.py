"""How the files of a serving runtime store a layer's option: what they hold, of which layers, and in how many bits.

What exporters write follows the same rules; that both agree is tested for every carrier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Literal

from spaces.layer import Layer
from spaces.llama_cpp import model_faults
from spaces.option import BIT_WIDTHS, GROUP_SIZES, SCALE_BITS, WORD_BITS, Bits, Option, Quantize

if TYPE_CHECKING:  # who only names targets does without torch
    from transformers import PreTrainedConfig

# of a zero point: whole bits where an option has one, also where it has none, or a bias as wide as a scale
ZeroPoints = Literal["asymmetric", "always", "bias"]
Holds = Literal["none", "heads", "all"]  # of what lies outside the blocks
# which blocks can be left out: any, those that the config can be told without, or of models of one kind of block alone
Removes = Literal["any", "told", "alike"]


def _none(_config: PreTrainedConfig) -> list[str]:
    return []


def _mlx_faults(config: PreTrainedConfig) -> list[str]:
    """mlx-lm looks up a layer's bits under its own name for it, and takes the usual ones where there are none."""
    if config.model_type not in ("gpt_neox", "gptj"):
        return []
    return [f"mlx-lm has names of its own for the layers of {config.model_type}, under which it would find no bits"]


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """One export format, as a space sees it; ``keep`` is stored by all, and drops are no matter of weights."""

    format: str  # its name among the exporters
    kinds: tuple[str, ...] = ("quantize",)
    bits: tuple[int, ...] = tuple(BIT_WIDTHS)
    group_sizes: tuple[int | None, ...] = (*GROUP_SIZES, None)
    symmetric: tuple[bool, ...] = (True, False)
    lanes: int = 1  # rows and columns come in multiples of it
    modules: tuple[str, ...] = ()  # all linear layers that a block may have, by their names in it; none: any
    outside: Holds  # heads: those with a matrix of their own; all: embeddings too
    holds_transposed: bool = False  # GPT-2's Conv1D layers
    holds_vocabulary: bool = False  # the tokenizer too, of which it knows some kinds alone
    removes: Removes = "told"
    model_faults: Callable[[PreTrainedConfig], list[str]] = _none  # why it is not written for a model, a sentence each
    zero_points: ZeroPoints = "asymmetric"
    layer_bits: int = 0  # stored once for a layer
    column_bits: int = 0  # stored for each input

    def fault(self, option: Option) -> str:
        """Why an option has no place here, whatever the layer; "" where it has one."""
        if option.kind not in ("keep", "drop", *self.kinds):
            return f"{self.format} holds kind {_listed(self.kinds)}, got {option.kind} ({option.slug})"
        if not isinstance(option, Quantize):
            return ""
        if option.bits_per_code not in self.bits:
            return f"{self.format} holds bits {_listed(self.bits)}, got {option.bits_per_code} ({option.slug})"
        if option.group_size not in self.group_sizes:
            sizes = _listed("channel" if size is None else size for size in self.group_sizes)
            return f"{self.format} holds group_size {sizes}, got {option.group_size or 'channel'} ({option.slug})"
        if option.symmetric not in self.symmetric:
            wanted = _listed(str(each).lower() for each in self.symmetric)
            return f"{self.format} holds symmetric {wanted}, got {str(option.symmetric).lower()} ({option.slug})"
        return ""

    def misfit(self, layer: Layer, *, shares_matrix: bool) -> str:
        """Why a layer has to stay dense here, whatever its option; "" where it need not.

        ``shares_matrix``: the head is the embedding as well, and is looked up too.
        """
        if layer.block is None and (self.outside == "none" or (layer.is_lookup and self.outside == "heads")):
            return f"{self.format} keeps {layer.name} dense, which lies outside the blocks"
        if layer.block is None and shares_matrix and self.outside == "heads":
            return f"{self.format} keeps {layer.name} dense, which shares its matrix with the embedding"
        if layer.is_transposed and not self.holds_transposed:
            return f"{self.format} keeps {layer.name} dense, which is a Conv1D"
        if layer.rows % self.lanes or layer.columns % self.lanes:
            shape = f"{layer.rows} x {layer.columns}"
            return f"{self.format} holds shapes in multiples of {self.lanes}, got {shape} ({layer.name})"
        return ""

    def knows(self, layer: Layer) -> bool:
        """Whether models with this layer are of a kind that it is written for."""
        return not self.modules or layer.block is None or layer.module in self.modules

    def stored(self, option: Option, layer: Layer, dense_bits: int) -> Bits:
        """What the option costs here, exactly: more than elsewhere where the format stores more."""
        bits = option.bits(layer.rows, layer.columns, dense_bits)
        if not isinstance(option, Quantize):
            return bits
        groups = option.num_groups(layer.columns)
        packed = WORD_BITS * groups * ceil(layer.rows * option.bits_per_code / WORD_BITS)
        own = 0 if option.symmetric else packed  # what ``bits`` counts
        zeros = {"asymmetric": own, "always": packed, "bias": SCALE_BITS * layer.rows * groups}[self.zero_points]
        more = zeros - own + self.layer_bits + self.column_bits * layer.columns
        return Bits(stored=bits.stored + more, nominal=bits.nominal)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


# `outside`, `lanes` and what is stored are the exporters' own; group sizes are those that options can have
COMPRESSED_TENSORS = Carrier(format="compressed-tensors", outside="heads", layer_bits=128)
SYMMETRIC_COMPRESSED_TENSORS = replace(COMPRESSED_TENSORS, symmetric=(True,))
AUTO_ROUND = Carrier(
    format="auto-round",
    bits=(2, 3, 4, 8),
    lanes=32,
    outside="none",
    holds_transposed=True,
    zero_points="always",
    column_bits=32,
)
MLX = Carrier(
    format="mlx",
    bits=(2, 3, 4, 5, 6, 8),
    group_sizes=GROUP_SIZES,
    outside="all",
    zero_points="bias",
    removes="alike",
    model_faults=_mlx_faults,
)
# ggml's types are options of their own; codes of these widths are Q4_0, Q5_0 and Q8_0 without loss
GGUF = Carrier(
    format="gguf",
    modules=(
        *(f"self_attn.{which}_proj" for which in "qkvo"),
        *(f"mlp.{which}_proj" for which in ("gate", "up", "down")),
    ),
    kinds=("ggml", "quantize"),
    bits=(4, 5, 8),
    group_sizes=(32,),
    symmetric=(True,),
    outside="all",
    holds_vocabulary=True,
    removes="any",
    model_faults=model_faults,
)
# what each costs, by its format; those of one format differ in what they hold alone
CARRIERS = {each.format: each for each in (COMPRESSED_TENSORS, AUTO_ROUND, MLX, GGUF)}
