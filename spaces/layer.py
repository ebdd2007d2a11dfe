"""One compressible weight of a model, or one of its droppable parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["attention", "mlp", "block"]
PARTS: tuple[Part, ...] = ("attention", "mlp", "block")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A weight of ``rows`` output and ``columns`` input channels, or (``part`` set) a droppable part.

    A droppable part has no weight of its own: ``rows`` and ``columns`` are 0, and ``other_parameters`` counts
    the biases and norms that disappear with it (for a block: those that its attention and MLP do not count).
    """

    name: str
    block: int | None  # index of the transformer block; None outside the blocks (lm_head, embeddings)
    module: str  # the name within the block, "self_attn.q_proj"; outside the blocks the whole name
    part: Part | None = None
    rows: int = 0
    columns: int = 0
    other_parameters: int = 0
    is_lookup: bool = False  # an embedding: rows are looked up, never multiplied
    is_transposed: bool = False  # its module stores (columns, rows): GPT-2's Conv1D
    inside: tuple[str, ...] = ()  # names of the droppable parts that hold it

    @property
    def num_weights(self) -> int:
        return self.rows * self.columns
