"""The text of the second model: two of the calibration books, and more that the reference model made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spaces.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SECOND_BOOK, HELD_OUT = "## CHAPTER 1\n", "## A VOYAGE.\n"  # headings that open Norton's book, and Seaborn's
SAMPLE_BATCH = 128  # sequences continued together


def split_books(text: str) -> tuple[list[str], str]:
    """The books to train on (Austen, Norton), and the rest (Seaborn, Dostoyevsky), which the model never sees.

    Raises:
        InputError: this is not the calibration text that the project carries.
    """
    for heading in (SECOND_BOOK, HELD_OUT):
        if text.count(heading) != 1:
            raise InputError(
                f"the calibration text must hold the heading {heading.strip()!r} once, got {text.count(heading)}; "
                f"restore examples/text/calibration.txt"
            )
    second, held_out = text.index(SECOND_BOOK), text.index(HELD_OUT)
    return [text[:second], text[second:held_out]], text[held_out:]


def cut(documents: list[str], tokenizer: PreTrainedTokenizerBase, length: int) -> Tensor:  # int64 (sequences, length)
    """Whole sequences of the documents joined, each behind the token that begins a document."""
    ids: list[int] = []
    for document in documents:
        ids += [tokenizer.bos_token_id, *tokenizer(document, add_special_tokens=False, verbose=False)["input_ids"]]
    return torch.tensor(ids[: len(ids) // length * length]).reshape(-1, length)


@torch.inference_mode()
def continued(
    model: PreTrainedModel,
    prompts: Tensor,  # int64 (sequences, prompt)
    length: int,
    *,
    seed: int,
    tell: Callable[[int], None] = lambda done: None,  # how many sequences are finished
) -> Tensor:  # int64 (sequences, length), each beginning with its prompt
    """What the model says after each prompt, drawn token by token from its own distribution."""
    generator = torch.Generator().manual_seed(seed)
    finished: list[Tensor] = []
    for first in range(0, len(prompts), SAMPLE_BATCH):
        tokens, cache = prompts[first : first + SAMPLE_BATCH], None
        while tokens.shape[1] < length:
            new = tokens if cache is None else tokens[:, -1:]
            output = model(input_ids=new, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            odds = output.logits[:, -1].float().softmax(dim=-1)
            tokens = torch.cat([tokens, odds.multinomial(1, generator=generator)], dim=1)
        finished.append(tokens)
        tell(sum(map(len, finished)))
    return torch.cat(finished)
