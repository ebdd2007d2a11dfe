"""The second model: its text, its recipe, and a training of a few steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.search.second_model import HELD_OUT_FILE, NOTES_FILE, REFERENCE, TEXT, Recipe, rate, train
from benchmarks.search.second_text import continued, cut, split_books
from evaluators.checkpoint import load_model, load_tokenizer
from spaces.errors import InputError

TINY = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TINY |= {"num_key_value_heads": 1, "head_dim": 8, "tie_word_embeddings": True}


def test_training_and_searching_read_different_books() -> None:
    text = TEXT.read_text("utf-8")
    books, held_out = split_books(text)
    assert "".join([*books, held_out]) == text
    openings = ("It is a truth universally acknowledged", "Ross Murdock", "Symzonia")
    assert [opening in part for opening, part in zip(openings, [*books, held_out], strict=True)] == [True] * 3
    assert not any("Symzonia" in book for book in books)
    assert len(cut([held_out], load_tokenizer(REFERENCE), 128)) * 128 >= 131_072


def test_another_text_is_refused() -> None:
    with pytest.raises(InputError, match=r"'## CHAPTER 1' once, got 0"):
        split_books("## Chapter 1\n\nOnce upon a time.")


def test_sequences_begin_a_document_with_its_token() -> None:
    tokenizer = load_tokenizer(REFERENCE)
    first, second = "The first book. " * 9, "And a second one."
    ids = [0, *tokenizer(first)["input_ids"], 0, *tokenizer(second)["input_ids"]]
    found = cut([first, second], tokenizer, 5)
    assert found.flatten().tolist() == ids[: len(ids) // 5 * 5]


def test_a_continuation_is_drawn_from_what_the_model_says_of_all_before() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2
    )
    model = LlamaForCausalLM(config).requires_grad_(False)
    prompts = torch.randint(32, (5, 3))
    tokens, generator = prompts, torch.Generator().manual_seed(7)
    while tokens.shape[1] < 12:  # without a cache
        odds = model(input_ids=tokens).logits[:, -1].softmax(dim=-1)
        tokens = torch.cat([tokens, odds.multinomial(1, generator=generator)], dim=1)
    assert torch.equal(continued(model, prompts, 12, seed=7), tokens)
    assert torch.equal(tokens[:, :3], prompts)


def test_the_learning_rate_rises_stays_and_falls() -> None:
    recipe = Recipe(warm_up=0.2, decay=0.5)
    rates = [rate(step, 10, recipe) for step in range(10)]
    assert rates == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])


def test_a_short_training_learns_and_is_kept_whole(tmp_path: Path) -> None:
    said: list[str] = []
    recipe = Recipe(architecture=TINY, length=32, batch=32, epochs=1, books=1000, sampled=4, prompt=8, held_out=8)
    torch.manual_seed(123)
    expected = torch.rand(1)
    torch.manual_seed(123)
    loss = train(tmp_path / "second", recipe, said.append)
    assert torch.equal(torch.rand(1), expected)  # the caller's random numbers are left alone
    assert 4 < loss < 8.2  # ln 4,096 = 8.32 is what a model knows that learnt nothing
    notes = json.loads((tmp_path / "second" / NOTES_FILE).read_text("utf-8"))
    assert notes["held_out_loss_nats_per_token"] == loss
    assert (tmp_path / "second" / HELD_OUT_FILE).read_text("utf-8").startswith("## A VOYAGE.")
    model = load_model(tmp_path / "second", dtype=torch.float32, device="cpu")
    assert model.config.model_type == "qwen3"
    assert [path.name for path in tmp_path.iterdir()] == ["second"]
