"""Gates: open they change nothing, shut they drop the part, and between their slopes are what Fisher products are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import evaluator_of, every_entry, plain_delta, score_derivatives, values
from live_oracle import RTN, logits_of
from odd_blocks import CONFIGS, live_model
from tiny_models import TINY, VOCABULARY
from torch import Tensor

from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.sensitivity.fisher import FisherProducts, drawn_labels
from evaluators.sensitivity.gates import gates
from evaluators.statistic import Change
from spaces.configuration import Configuration
from spaces.option import DROP

TOKENS = torch.randint(0, VOCABULARY, (2, 7), generator=torch.Generator().manual_seed(4))
STEP = 1e-3


def gated_logits(live: LiveModel, part: str, shut: float, tokens: Tensor = TOKENS) -> Tensor:
    """With the gate of one part shut so far."""
    with gates(live, [part]) as (gate,):
        gate.data.fill_(shut)
        return logits_of(live.model, tokens)


def check_both_ends(live: LiveModel) -> None:
    parts = [part.name for part in live.anatomy.parts]
    live.apply(Configuration.of({}))
    dense = logits_of(live.model, TOKENS)
    with gates(live, parts):
        assert torch.equal(logits_of(live.model, TOKENS), dense)
    assert torch.equal(logits_of(live.model, TOKENS), dense)
    for part in parts:
        live.apply(Configuration.of({part: DROP}))
        dropped = logits_of(live.model, TOKENS)
        live.apply(Configuration.of({}))
        torch.testing.assert_close(gated_logits(live, part, 1.0), dropped, rtol=1e-5, atol=1e-5)
        assert (dropped - dense).abs().max() > 1e-3


@pytest.mark.parametrize("name", TINY)
def test_open_gates_change_nothing_and_shut_ones_drop_their_part(name: str, tmp_path: Path) -> None:
    check_both_ends(evaluator_of(tmp_path, name, dtype=torch.float32).live)


@pytest.mark.parametrize("name", CONFIGS)
def test_in_odd_blocks_too(name: str, tmp_path: Path) -> None:
    check_both_ends(live_model(name, tmp_path))


def log_p(live: LiveModel, part: str, shut: float, tokens: Tensor) -> np.ndarray:  # float64 (length, vocabulary)
    array: np.ndarray = gated_logits(live, part, shut, tokens)[0].double().log_softmax(-1).numpy()
    return array


def slopes_of(live: LiveModel, part: str, tokens: Tensor) -> np.ndarray:  # float64 (length, vocabulary)
    """Of all log-probabilities by how far the gate is shut, by central differences."""
    return (log_p(live, part, STEP, tokens) - log_p(live, part, -STEP, tokens)) / (2 * STEP)


@pytest.mark.parametrize("name", ["gpt_neox", "gpt2", "opt"])  # whose norms compute in float64 where the model does
def test_a_product_is_the_slope_of_the_drawn_labels_log_probability(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name)
    live = evaluator.live
    changes: list[Change] = [(part.name, DROP) for part in live.anatomy.parts]
    found = values(FisherProducts(changes=tuple(changes), sequences=6, seed=11), evaluator, 4, 5)[0]
    tokens = evaluator.stream.tokens[4][None]
    labels = drawn_labels(logits_of(live.model, tokens)[0], np.random.default_rng([11, 4])).numpy()
    for product, (part, _) in zip(found, changes, strict=True):
        slopes = np.take_along_axis(slopes_of(live, part, tokens), labels, axis=1)
        assert product == pytest.approx(slopes.sum(), rel=1e-5, abs=1e-6)
    assert np.abs(found).min() > 1e-3


@pytest.mark.parametrize("name", ["gemma2", "olmo2", "glm4"])
def test_behind_a_norm_of_its_own_a_part_is_dropped_by_degrees_too(name: str, tmp_path: Path) -> None:
    """By the answer before the norm the slope would be some 1e-6 of this."""
    live = live_model(name, tmp_path)
    for part in live.anatomy.parts:
        with gates(live, [part.name]) as (gate,):
            log_p = live.model(input_ids=TOKENS, use_cache=False).logits.log_softmax(-1)
            (slope,) = torch.autograd.grad(log_p[..., 0].sum(), gate)
        expected = sum(slopes_of(live, part.name, each[None])[:, 0].sum() for each in TOKENS)
        assert float(slope) == pytest.approx(expected, rel=1e-2, abs=2e-3)
        assert abs(expected) > 1e-2


@pytest.mark.parametrize(
    ("name", "norms"),
    [
        ("gemma2", {"self_attn": ["post_attention_layernorm"], "mlp": ["post_feedforward_layernorm"]}),
        ("glm4", {"self_attn": ["post_self_attn_layernorm"], "mlp": ["post_mlp_layernorm"]}),
        ("bloom", {}),
        ("mixtral", {}),
    ],
)
def test_norms_are_those_that_a_part_s_answer_alone_goes_through(
    name: str, norms: dict[str, list[str]], tmp_path: Path
) -> None:
    live = live_model(name, tmp_path)
    for part in live.anatomy.parts:
        block = live.anatomy.blocks[part.block]
        assert list(live.norms[part.name]) == [f"{block}.{norm}" for norm in norms.get(part.module, [])]


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    """One sequence again and again: only the labels differ."""
    text = TOKENS[:1].expand(1000, -1)
    return evaluator_of(tmp_path_factory.mktemp("repeated"), "gpt_neox", tokens=text, num_blocks=1)


def test_the_mean_square_is_the_exact_fisher_form_of_a_drop_alone_and_with_a_layer(repeated: Evaluator) -> None:
    """4 standard errors, 2 cases: a new seed fails about once in 8,000."""
    live = repeated.live
    part, layer = next(each.name for each in live.anatomy.parts if each.part == "mlp"), "lm_head"
    changes: tuple[Change, ...] = ((part, DROP), (layer, RTN[4]))
    products = values(FisherProducts(changes=changes, sequences=1000, seed=0), repeated, 0, 1000)
    chances = np.exp(log_p(live, part, 0.0, TOKENS[:1]))
    drop = slopes_of(live, part, TOKENS[:1])
    both = drop + score_derivatives(live.model, {layer: plain_delta(repeated, (layer, RTN[4]))}, TOKENS[0])
    for places, derivatives in (([0], drop), ([0, 1], both)):
        squares = products[:, places].sum(axis=1) ** 2
        exact = float((chances * derivatives**2).sum())
        error = squares.std(ddof=1) / np.sqrt(len(squares))
        assert abs(squares.mean() - exact) < 4 * error
        assert error < 0.06 * exact


def test_half_the_form_is_the_kl_of_a_part_that_is_dropped_a_little(repeated: Evaluator) -> None:
    live, text = repeated.live, TOKENS[:1]
    for part in live.anatomy.parts:
        dense = log_p(live, part.name, 0.0, text)
        half = float((np.exp(dense) * slopes_of(live, part.name, text) ** 2).sum()) / 2
        errors = []
        for shut in (1e-2, 1e-3):
            kl = float((np.exp(dense) * (dense - log_p(live, part.name, shut, text))).sum())
            errors.append(abs(half * shut**2 / kl - 1))
        assert errors[1] < 2e-3
        assert errors[1] < errors[0] / 5


def test_drops_and_layers_are_asked_in_any_order_and_only_layers_need_the_bank(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "gpt_neox", dtype=torch.float32)
    entries = every_entry(evaluator)[:3]
    drops = tuple((part.name, DROP) for part in evaluator.live.anatomy.parts[:2])
    mixed: tuple[Change, ...] = (entries[0], drops[0], entries[1], drops[1], entries[2])
    statistic = FisherProducts(changes=mixed, sequences=6, seed=3)
    assert statistic.entries() == entries
    together = values(statistic, evaluator, 0, 2)
    layers = values(FisherProducts(changes=entries, sequences=6, seed=3), evaluator, 0, 2)
    parts = values(FisherProducts(changes=drops, sequences=6, seed=3), evaluator, 0, 2)
    np.testing.assert_allclose(together[:, [0, 2, 4]], layers, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(together[:, [1, 3]], parts, rtol=1e-4, atol=1e-6)
