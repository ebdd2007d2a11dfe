"""The divergence against float64 and closed forms, from rounding noise to extremes, full and truncated."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from evaluators.divergence import (
    CHUNK_BYTES_CPU,
    compare_full,
    compare_top_k,
    kl_full,
    kl_top_k,
    log_normalizer,
    truncate,
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair(num_tokens: int, vocab: int, *, noise: float, shift: float = 0.0) -> tuple[Tensor, Tensor]:
    """Peaked dense logits (T, V), and the same under noise and a shift that no softmax sees."""
    dense = torch.randn(num_tokens, vocab, generator=seeded(0)) * 3
    return dense, dense + noise * torch.randn(num_tokens, vocab, generator=seeded(1)) + shift


def oracle(dense: Tensor, candidate: Tensor) -> Tensor:
    """sum p log(p / q) in float64, (T,)."""
    log_p, log_q = dense.double().log_softmax(1), candidate.double().log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1)


def kept_and_tail(dense: Tensor, kept: int) -> tuple[Tensor, Tensor, Tensor]:
    """The largest logits of each row, where they are, and the logsumexp of the others."""
    values, indices = dense.topk(kept, dim=1)
    return indices, values, dense.scatter(1, indices, -torch.inf).logsumexp(1)


def bucket_oracle(dense: Tensor, candidate: Tensor, kept: int) -> list[float]:
    """A plain float64 loop over the kept tokens and one bucket with the others."""
    result = []
    for left, right in zip(dense.double().numpy(), candidate.double().numpy(), strict=True):
        p, q = np.exp(left - left.max()), np.exp(right - right.max())
        p, q = p / p.sum(), q / q.sum()
        order = np.argsort(-left)
        terms = [p[v] * math.log(p[v] / q[v]) for v in order[:kept]]
        rest_p, rest_q = p[order[kept:]].sum(), q[order[kept:]].sum()
        result.append(sum(terms) + (rest_p * math.log(rest_p / rest_q) if rest_p > 0 else 0.0))
    return result


@pytest.mark.parametrize("shift", [0.0, 5.0, -30.0])
@pytest.mark.parametrize(("noise", "level"), [(0.02, 2e-4), (0.1, 4.6e-3), (0.5, 0.116), (3.0, 3.8), (5.0, 9.2)])
def test_mean_equals_float64_within_1e_5(noise: float, level: float, shift: float) -> None:
    dense, candidate = pair(300, 4096, noise=noise, shift=shift)
    expected = oracle(dense, candidate).mean().item()
    assert expected == pytest.approx(level, rel=0.1)  # the parameters do reach this level
    assert kl_full(dense, candidate).mean().item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shift", [0.0, 5.0])
@pytest.mark.parametrize("noise", [1e-3, 2e-3, 0.02, 0.5])
def test_each_token_of_nearly_equal_logits_keeps_its_digits(noise: float, shift: float) -> None:
    dense, candidate = pair(300, 512, noise=noise, shift=shift)
    torch.testing.assert_close(kl_full(dense, candidate), oracle(dense, candidate), rtol=2e-5, atol=1e-9)


def test_equal_logits_have_no_divergence() -> None:
    dense, _ = pair(64, 128, noise=0.0)
    assert kl_full(dense, dense.clone()).eq(0).all()


def test_a_shift_alone_is_below_1e_9_before_and_after_the_clamp() -> None:
    dense, candidate = pair(300, 4096, noise=0.0, shift=7.3)
    divergence = kl_full(dense, candidate)
    assert divergence.min() >= 0
    assert divergence.max() < 1e-9


def test_never_negative() -> None:
    dense, candidate = pair(2000, 16, noise=1e-7)
    assert kl_full(dense, candidate).min() >= 0


def test_log_normalizer_is_the_logsumexp_of_the_candidate() -> None:
    dense, candidate = pair(100, 1000, noise=0.3, shift=2.0)
    expected = candidate.double().logsumexp(1)
    torch.testing.assert_close(compare_full(dense, candidate).log_normalizer, expected, rtol=0, atol=2e-6)
    indices, kept, tail = kept_and_tail(dense, 64)
    bounded = compare_top_k(indices, kept, tail, candidate)
    torch.testing.assert_close(bounded.log_normalizer, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("scale", [50.0, 100.0, 1e4])
def test_one_hot_dense_against_a_candidate_that_prefers_another_token(scale: float) -> None:
    dense, candidate = torch.zeros(3, 40), torch.zeros(3, 40)
    dense[:, 7], candidate[:, 9] = scale, scale
    dense[1, 7] = -scale  # every token but one
    torch.testing.assert_close(kl_full(dense, candidate), oracle(dense, candidate), rtol=1e-6, atol=0)
    assert kl_full(dense, candidate)[0].item() == pytest.approx(scale, rel=1e-6)


@pytest.mark.parametrize("gap", [39.0, 41.0, 60.0, 80.0, 86.0, 88.0, 95.0, 105.0])
def test_a_token_the_dense_model_rules_out_and_the_candidate_prefers(gap: float) -> None:
    """Where ``p`` underflows float32 while the ratio overflows it; one closed form for two outcomes."""
    dense, candidate = torch.tensor([[0.0, -gap]]), torch.tensor([[0.0, gap]])
    p = 1 / (1 + math.exp(-gap))
    expected = p * math.log1p(math.exp(gap)) - math.log1p(math.exp(-gap)) * p + (1 - p) * -2 * gap
    assert kl_full(dense, candidate).item() == pytest.approx(expected, rel=1e-6)


def test_opposite_extremes_of_1e4() -> None:
    dense = torch.randint(-1, 2, (50, 64), generator=seeded(2)) * 1e4
    candidate = torch.randint(-1, 2, (50, 64), generator=seeded(3)) * 1e4
    torch.testing.assert_close(kl_full(dense, candidate), oracle(dense, candidate), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("is_dense", [True, False])
def test_a_logit_that_is_no_number_makes_its_token_nan_and_no_other(bad: float, is_dense: bool) -> None:
    dense, candidate = pair(4, 32, noise=0.1)
    clean = kl_full(dense, candidate)
    (dense if is_dense else candidate)[2, 5] = bad
    divergence = kl_full(dense, candidate)
    assert divergence.isnan().tolist() == [False, False, True, False]
    assert torch.equal(divergence[[0, 1, 3]], clean[[0, 1, 3]])


def test_rows_do_not_depend_on_how_they_were_cut_in_chunks() -> None:
    vocab = CHUNK_BYTES_CPU // 64
    num_tokens = 16 * torch.get_num_threads() * 2 + 3  # two whole chunks and a part
    dense, candidate = pair(num_tokens, vocab, noise=0.1)
    torch.testing.assert_close(kl_full(dense, candidate), oracle(dense, candidate), rtol=1e-5, atol=1e-9)


def test_no_tokens_give_no_values() -> None:
    assert kl_full(torch.zeros(0, 8), torch.zeros(0, 8)).shape == (0,)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_types_are_compared_as_the_numbers_they_hold(dtype: torch.dtype) -> None:
    dense, candidate = pair(50, 256, noise=0.2)
    held = candidate.to(dtype)
    torch.testing.assert_close(kl_full(dense, held), oracle(dense, held), rtol=1e-5, atol=1e-9)


def test_inputs_are_left_alone() -> None:
    dense, candidate = pair(20, 64, noise=50.0)
    before = dense.clone(), candidate.clone()
    kl_full(dense, candidate)
    kl_top_k(*kept_and_tail(dense, 16), candidate)
    assert torch.equal(dense, before[0])
    assert torch.equal(candidate, before[1])


@pytest.mark.parametrize("kept", [1, 16, 100, 299])
@pytest.mark.parametrize("noise", [0.02, 0.5, 3.0])
def test_top_k_equals_a_float64_loop_over_the_buckets(noise: float, kept: int) -> None:
    dense, candidate = pair(40, 300, noise=noise)
    expected = torch.tensor(bucket_oracle(dense, candidate, kept), dtype=torch.float64)
    divergence = kl_top_k(*kept_and_tail(dense, kept), candidate)
    torch.testing.assert_close(divergence, expected, rtol=1e-4, atol=1e-9)


def test_top_k_of_the_whole_vocabulary_is_the_full_divergence() -> None:
    dense, candidate = pair(40, 300, noise=0.5)
    divergence = kl_top_k(*kept_and_tail(dense, 300), candidate)
    torch.testing.assert_close(divergence, oracle(dense, candidate), rtol=1e-5, atol=1e-9)


def test_top_k_takes_the_kept_tokens_in_any_order() -> None:
    dense, candidate = pair(10, 100, noise=0.5)
    indices, kept, tail = kept_and_tail(dense, 16)
    order = torch.randperm(16, generator=seeded(4))
    torch.testing.assert_close(
        kl_top_k(indices[:, order], kept[:, order], tail, candidate),
        kl_top_k(indices, kept, tail, candidate),
        rtol=1e-5,
        atol=1e-9,
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    vocab=st.integers(2, 50),
    spread=st.sampled_from([0.01, 1.0, 10.0, 100.0]),
    noise=st.sampled_from([0.0, 1e-3, 0.1, 3.0, 100.0]),
    data=st.data(),
)
def test_top_k_never_overstates(seed: int, vocab: int, spread: float, noise: float, data: st.DataObject) -> None:
    dense = spread * torch.randn(8, vocab, generator=seeded(seed))
    candidate = dense + noise * torch.randn(8, vocab, generator=seeded(seed + 1))
    kept = data.draw(st.integers(1, vocab))
    bound = kl_top_k(*kept_and_tail(dense, kept), candidate)
    rounding = torch.finfo(torch.float32).eps * dense.abs().amax(1)  # of a logit, and so of a log-probability
    assert (bound <= oracle(dense, candidate) * (1 + 1e-5) + rounding).all()
    assert bound.min() >= 0


@pytest.mark.parametrize("kept", [1, 16, 300])
def test_truncate_keeps_the_largest_logits_and_the_mass_of_the_others(kept: int) -> None:
    dense, _ = pair(40, 300, noise=0.0)
    for result, expected in zip(truncate(dense, kept), kept_and_tail(dense, kept), strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-6, atol=0)


def test_log_normalizer_is_the_logsumexp() -> None:
    _, candidate = pair(100, 1000, noise=1.0)
    torch.testing.assert_close(log_normalizer(candidate), candidate.double().logsumexp(1), rtol=1e-6, atol=0)


def test_more_kept_tokens_tighten_the_bound() -> None:
    dense, candidate = pair(100, 300, noise=1.0)
    bounds = [kl_top_k(*kept_and_tail(dense, kept), candidate).mean().item() for kept in (1, 4, 16, 64, 300)]
    assert bounds == sorted(bounds)
    assert bounds[0] < 0.9 * bounds[-1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("noise", [0.02, 0.5, 5.0, 50.0])
def test_a_gpu_gives_the_same_divergence(noise: float) -> None:
    dense, candidate = pair(300, 4096, noise=noise)
    divergence = kl_full(dense, candidate.cuda())  # dense stays in host memory, as mapped files do
    assert divergence.is_cuda
    assert divergence.mean().item() == pytest.approx(oracle(dense, candidate).mean().item(), rel=1e-5)
    bound = kl_top_k(*kept_and_tail(dense, 256), candidate.cuda()).cpu()
    torch.testing.assert_close(bound, kl_top_k(*kept_and_tail(dense, 256), candidate), rtol=1e-4, atol=1e-9)
