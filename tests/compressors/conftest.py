"""Models and tokens that the compressors' tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def reference() -> nn.Module:
    """The reference model in float32; tests leave its weights as they are."""
    return AutoModelForCausalLM.from_pretrained(EXAMPLES / "reference-model", dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def calibration() -> Tensor:  # int64 (8, 128)
    text = (EXAMPLES / "text" / "calibration.txt").read_text()[:20_000]
    ids = Tokenizer.from_file(str(EXAMPLES / "reference-model" / "tokenizer.json")).encode(text).ids
    return torch.tensor(ids[:1024]).reshape(8, 128)


@pytest.fixture(scope="session")
def gpt2() -> nn.Module:
    """A tiny random GPT-2, whose layers are Conv1D."""
    torch.manual_seed(0)
    config = GPT2Config(n_layer=3, n_embd=64, n_head=2, vocab_size=100, n_positions=64, bos_token_id=0, eos_token_id=0)
    return GPT2LMHeadModel(config).eval()
