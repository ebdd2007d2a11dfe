"""Trains the second model of the race: another width, depth and architecture than the reference model's.

The recipe is that of examples/reference-model/README.md, scaled down to ten minutes of one core.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, Qwen3Config

from benchmarks.search.second_text import continued, cut, split_books
from evaluators.checkpoint import load_tokenizer, quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel  # importing any model's class takes seconds

REFERENCE = Path("examples/reference-model")
TEXT = Path("examples/text/calibration.txt")
HELD_OUT_FILE, NOTES_FILE = "held-out.txt", "training.json"

# 8 blocks, 56 linear layers, 3.9 M parameters; norms of queries and keys, and one head of keys and values for all
ARCHITECTURE: dict[str, Any] = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 8,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the model is trained. The learning rate rises, stays, and falls to nothing, each in a straight line."""

    architecture: Mapping[str, Any] = field(default_factory=lambda: ARCHITECTURE)
    length: int = 256  # of a sequence
    books: int | None = None  # sequences of the books that it learns from; None: all
    batch: int = 16  # sequences a step
    epochs: int = 4
    sampled: int = 1024  # sequences that the reference model makes up, beside those of the books
    prompt: int = 32  # tokens of a book that each of them goes on from
    learning_rate: float = 2e-3
    warm_up: float = 0.08  # of all steps
    decay: float = 0.4
    weight_decay: float = 0.1
    clipping: float = 1.0
    held_out: int = 64  # sequences of the books held out on which the loss is measured
    seed: int = 0


def train(folder: Path, recipe: Recipe, say: Callable[[str], None]) -> float:
    """Train the model into ``folder``, with the books held out beside it; the loss on those, in nats per token."""
    begun = time.perf_counter()
    books, held_out = split_books(TEXT.read_text("utf-8"))
    tokenizer = load_tokenizer(REFERENCE)
    with _repeatable(recipe.seed):
        unseen = cut([held_out], tokenizer, recipe.length)[: recipe.held_out]
        sequences = _material(cut(books, tokenizer, recipe.length)[: recipe.books], recipe, say)
        model = _trained(sequences, len(tokenizer), recipe, say)
        loss = _mean_loss(model, unseen, recipe.batch)
    notes = {
        "held_out_loss_nats_per_token": loss,
        "training_tokens": recipe.epochs * sequences.numel(),
        "seconds": round(time.perf_counter() - begun),
        "recipe": asdict(recipe),
    }
    _save(folder, model, held_out, notes)
    return loss


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """One thread, whose sums come out the same each time, and random numbers of its own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _material(books: Tensor, recipe: Recipe, say: Callable[[str], None]) -> Tensor:  # int64 (sequences, length)
    """The sequences of the books, and what the reference model makes of the beginnings of some."""
    with quiet():
        reference = AutoModelForCausalLM.from_pretrained(REFERENCE, dtype=torch.bfloat16)
    chosen = torch.randint(len(books), (recipe.sampled,))
    made = continued(
        reference,
        books[chosen, : recipe.prompt],
        recipe.length,
        seed=recipe.seed,
        tell=lambda done: say(f"  {done:,} of {recipe.sampled:,} sequences made up"),
    )
    return torch.cat([books, made])


def _trained(sequences: Tensor, vocabulary: int, recipe: Recipe, say: Callable[[str], None]) -> PreTrainedModel:
    config = Qwen3Config(vocab_size=vocabulary, bos_token_id=0, eos_token_id=0, **recipe.architecture)
    with quiet():
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.95), weight_decay=recipe.weight_decay
    )
    steps = recipe.epochs * (len(sequences) // recipe.batch)
    for step, batch in enumerate(_batches(sequences, recipe)):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * rate(step, steps, recipe)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = _loss(model, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clipping)
        optimizer.step()
        if step % 20 == 0 or step == steps - 1:
            say(f"  step {step + 1:,} of {steps:,}: loss {float(loss.detach()):.3f}")
    model.train(False)
    return model


def rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of a step, counted from 0, as a share of its peak."""
    rising = (step + 1) / max(1.0, recipe.warm_up * steps)
    falling = (steps - step) / max(1.0, recipe.decay * steps)
    return min(1.0, rising, falling)


def _batches(sequences: Tensor, recipe: Recipe) -> Iterator[Tensor]:  # each int64 (batch, length)
    for _ in range(recipe.epochs):
        order = torch.randperm(len(sequences))
        for first in range(0, len(order) // recipe.batch * recipe.batch, recipe.batch):
            yield sequences[order[first : first + recipe.batch]]


def _loss(model: PreTrainedModel, tokens: Tensor) -> Tensor:  # (batch, length) -> nats per token
    logits = model(input_ids=tokens, use_cache=False).logits
    return cross_entropy(logits[:, :-1].float().flatten(0, 1), tokens[:, 1:].flatten())


def _mean_loss(model: PreTrainedModel, sequences: Tensor, batch: int) -> float:
    """Over sequences (count, length), of one length each."""
    with torch.inference_mode():
        losses = [_loss(model, sequences[first : first + batch]) for first in range(0, len(sequences), batch)]
    sizes = [min(batch, len(sequences) - first) for first in range(0, len(sequences), batch)]
    return sum(float(loss) * size for loss, size in zip(losses, sizes, strict=True)) / len(sequences)


def _save(folder: Path, model: PreTrainedModel, held_out: str, notes: Mapping[str, Any]) -> None:
    """The checkpoint, the tokenizer, the held-out text and the notes; the folder appears when it is whole."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    model.bfloat16().save_pretrained(draft)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(REFERENCE / name, draft / name)
    (draft / HELD_OUT_FILE).write_text(held_out, "utf-8")
    (draft / NOTES_FILE).write_text(json.dumps(notes, indent=2) + "\n", "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
