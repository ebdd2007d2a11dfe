"""Which tensors a GGUF file has, in which ggml types, and how many bytes they take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch

from exporters.gguf_blocks import FLOATS, NOTHING, num_bytes, type_of
from exporters.gguf_names import BLOCK, gguf_name, row_order
from exporters.gguf_settings import NARROWEST, WITHOUT_PARTS, idle_parts
from exporters.removal import Removal
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.errors import InputError
from spaces.layer import Layer
from spaces.option import DROP, KEEP, Option

TENSOR_HEADER_BYTES = 64  # about what a name, a shape and the padding take
TOKEN_BYTES = 36  # about what a token of a byte-level vocabulary takes, with its type and merge
PART_OF = {"self_attn": "attention", "input_layernorm": "attention", "mlp": "mlp"}  # of a block's children


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One tensor of the file."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    is_blank: bool = False  # zeros, of a part that adds nothing
    row_order: tuple[int, ...] | None = None

    @property
    def num_bytes(self) -> int:
        return num_bytes(self.type_name, prod(self.shape[:-1]), self.shape[-1])


def architecture(source: Source) -> str:
    """GGUF's, for the model without what is dropped."""
    kind: str = source.config.model_type
    return WITHOUT_PARTS if kind == "llama" and idle_parts(source.removal) else kind


def plan(source: Source) -> dict[str, Planned]:
    """The file's tensors, by the names that they have in the export; those that it leaves out are not there.

    Raises:
        InputError: the model has a tensor that GGUF has no name for.
    """
    without = idle_parts(source.removal) if architecture(source) == WITHOUT_PARTS else {}
    found = {}
    for name, shape in source.shapes().items():
        part = _part(name)
        if part not in without:
            found[name] = _planned(source, name, shape)
        elif part is not None and part[1] == "mlp":
            found[name] = _narrow(name, shape)
    return found


def _planned(source: Source, name: str, shape: tuple[int, ...]) -> Planned:
    module, _, suffix = name.rpartition(".")
    known = gguf_name(module)
    if known is None:
        raise InputError(f"GGUF has no tensor for {name}; export dense, and convert that with llama.cpp's own script")
    own = source.removal.original(module)
    is_blank = source.removal.is_idle(own) and len(shape) > 1
    return Planned(
        name=f"{known}.{suffix}",
        shape=shape,
        type_name=_type(source, name, shape, is_blank),
        is_blank=is_blank,
        row_order=_row_order(source, module, shape[0]),
    )


def _type(source: Source, name: str, shape: tuple[int, ...], is_blank: bool) -> str:
    if len(shape) == 1:
        return "f32"  # llama.cpp adds and multiplies by nothing narrower
    layer = source.layer_of(name)
    option: Option = DROP if is_blank else KEEP if layer is None else source.option(layer)
    return type_of(option, shape[-1], FLOATS[source.dtype])


def _row_order(source: Source, module: str, rows: int) -> tuple[int, ...] | None:
    if source.config.model_type != "llama":
        return None
    heads = {"q_proj": source.config.num_attention_heads, "k_proj": source.config.num_key_value_heads}
    number = heads.get(module.rpartition(".")[2])
    return None if number is None else tuple(row_order(rows, number))


def _part(name: str) -> tuple[int, str] | None:
    """(block, kind) of the droppable part whose going takes this tensor along."""
    match = BLOCK.fullmatch(name)
    kind = PART_OF.get(match[2].partition(".")[0]) if match else None
    return None if match is None or kind is None else (int(match[1]), kind)


def _narrow(name: str, shape: tuple[int, ...]) -> Planned:
    """A matrix of an MLP that adds nothing: as many outputs or inputs as need be, and as few in between as can be."""
    module, _, suffix = name.rpartition(".")
    rows, columns = (shape[0], NARROWEST) if module.endswith("down_proj") else (NARROWEST, shape[-1])
    type_name = type_of(DROP, columns, NOTHING)
    return Planned(name=f"{gguf_name(module)}.{suffix}", shape=(rows, columns), type_name=type_name, is_blank=True)


def size_bytes(anatomy: Anatomy, configuration: Configuration) -> int:
    """What the file takes: every tensor to the byte, headers and vocabulary about.

    Whether attention and MLP can be left out depends on the architecture: only Llama's has neither biases nor norms
    in its attention.
    """
    removal = Removal.of(anatomy, configuration)
    is_llama = all(part.other_parameters == 0 for part in anatomy.parts if part.part == "attention")
    without = idle_parts(removal) if is_llama else {}
    dense = FLOATS[torch.float32 if anatomy.dense_bits == 32 else torch.bfloat16]
    options, sizes = dict(configuration.options), []
    for layer in _kept(anatomy, removal):
        option = options.get(layer.name, KEEP)
        rows, columns = layer.rows, layer.columns
        part = _part(str(removal.renamed(layer.name)))
        if part in without:
            if part is None or part[1] == "attention":
                continue
            rows, columns = _narrow(f"{layer.name}.weight", (rows, columns)).shape
        if removal.is_idle(layer.name):
            option = DROP
        sizes.append(num_bytes(type_of(option, columns, dense), rows, columns))
    vocabulary = max((layer.rows for layer in anatomy.outside), default=0)
    return sum(sizes) + _rest_bytes(anatomy, removal) + TENSOR_HEADER_BYTES * len(sizes) + TOKEN_BYTES * vocabulary


def _kept(anatomy: Anatomy, removal: Removal) -> Iterator[Layer]:
    yield from anatomy.outside
    yield from (layer for layer in anatomy.weights if removal.renamed(layer.name) is not None)


def _rest_bytes(anatomy: Anatomy, removal: Removal) -> int:
    """Biases and norms, in float32."""
    matrices = sum(layer.num_weights for layer in _kept(anatomy, removal))
    return 4 * (removal.kept_parameters - matrices)
