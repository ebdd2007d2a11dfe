"""llama.cpp itself, out of the xllamacpp wheel: what it predicts behind given tokens, and how it cuts text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import httpx2
import numpy as np
import pytest
import torch
from torch import nn

from evaluators.checkpoint import load_tokenizer

TEXT = Path(__file__).parents[2] / "examples" / "text" / "validation.txt"
NUM_PROMPTS, PROMPT_TOKENS = 24, 24
PLAIN_TOKEN = 1  # "!"


class LlamaCpp:
    """A model in memory. Repacking is off: on some virtual machines it crashes while it decodes."""

    def __init__(self, file: Path) -> None:
        xllamacpp = pytest.importorskip("xllamacpp")
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(file)
        parameters.n_ctx = 256
        parameters.n_parallel = 1
        parameters.n_gpu_layers = 0
        parameters.cpuparams.n_threads = 2
        parameters.no_extra_bufts = True
        parameters.warmup = False
        parameters.fit_params = False
        parameters.verbosity = -1
        self._server = xllamacpp.Server(parameters)

    def log_probabilities(self, prompt: Sequence[int], num_tokens: int) -> np.ndarray:  # float64 (vocabulary,)
        """Of every token behind ``prompt``."""
        asked = {
            "prompt": list(prompt),
            "max_tokens": 1,
            "n_probs": num_tokens,
            "cache_prompt": False,
            "logit_bias": [[PLAIN_TOKEN, 1000.0]],  # no answer comes where half a character is chosen; probabilities
        }  # are those before the bias
        answer = self._server.handle_completions(asked)
        found = np.full(num_tokens, -np.inf)
        for each in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            found[each["id"]] = each["logprob"]
        assert np.isfinite(found).all()
        return found

    def tokens(self, text: str) -> list[int]:
        answer = httpx2.post(f"{self._server.listening_address}/tokenize", json={"content": text})
        found: list[int] = answer.raise_for_status().json()["tokens"]
        return found


def prompts(model: Path) -> list[list[int]]:
    """Tokens of text that the reference model never saw."""
    ids: list[int] = load_tokenizer(model)(TEXT.read_text("utf-8")[:20_000])["input_ids"]
    return [ids[number * 97 : number * 97 + PROMPT_TOKENS] for number in range(NUM_PROMPTS)]


def compare(twin: nn.Module, file: Path, model: Path) -> tuple[float, float]:
    """(mean KL of llama.cpp's predictions to the twin's in nats, share of equal first choices)."""
    runtime = LlamaCpp(file)
    divergences, agreements = [], []
    for prompt in prompts(model):
        with torch.inference_mode():
            logits = twin(input_ids=torch.tensor([prompt]), use_cache=False).logits[0, -1].double()
        wanted = torch.log_softmax(logits, dim=-1).numpy()
        found = runtime.log_probabilities(prompt, len(wanted))
        divergences.append(float((np.exp(wanted) * (wanted - found)).sum()))
        agreements.append(float(wanted.argmax() == found.argmax()))
    return float(np.mean(divergences)), float(np.mean(agreements))
