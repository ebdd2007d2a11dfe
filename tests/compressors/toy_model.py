"""A language model small enough to build a bank of in milliseconds, with the call of a transformers model."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ToyBlock(nn.Module):
    """Two layers that share an input, then one that does not; answers with a tensor or a tuple."""

    def __init__(self, width: int, *, answers_tuple: bool) -> None:
        super().__init__()
        self.left = nn.Linear(width, width)
        self.right = nn.Linear(width, width // 2)
        self.out = nn.Linear(width + width // 2, width)
        self.answers_tuple = answers_tuple
        self.calls = 0

    def forward(self, hidden_states: Tensor) -> Tensor | tuple[Tensor, None]:
        self.calls += 1
        joined = torch.cat([self.left(hidden_states), self.right(hidden_states)], dim=-1)
        hidden_states += self.out(torch.tanh(joined))  # in place, as some real blocks do
        return (hidden_states, None) if self.answers_tuple else hidden_states


class ToyModel(nn.Module):
    """Embedding, blocks, and a head tied to nothing; dropout shows whether it was switched off."""

    def __init__(self, *, num_blocks: int = 3, width: int = 64, answers_tuple: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(50, width)
        self.drop = nn.Dropout(0.5)
        self.blocks = nn.ModuleList(ToyBlock(width, answers_tuple=answers_tuple) for _ in range(num_blocks))
        self.head = nn.Linear(width, 50, bias=False)
        self.unused = nn.Linear(width, width)

    def forward(self, input_ids: Tensor, use_cache: bool) -> Tensor:
        hidden = self.drop(self.embed(input_ids))
        for block in self.blocks:
            answer = block(hidden_states=hidden)
            hidden = answer[0] if block.answers_tuple else answer
        logits: Tensor = self.head(hidden)
        return logits


def block_names(model: ToyModel) -> list[str]:
    return [f"blocks.{index}" for index in range(len(model.blocks))]


def layer_names(model: ToyModel) -> list[str]:
    return [f"{block}.{part}" for block in block_names(model) for part in ("left", "right", "out")]


def toy_tokens(sequences: int = 6, length: int = 16) -> Tensor:
    return torch.randint(0, 50, (sequences, length), generator=torch.Generator().manual_seed(1))
