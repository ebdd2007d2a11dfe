"""Kullback-Leibler divergence of a candidate's next-token distribution from the dense model's, per token.

Axes: ``T`` tokens, ``V`` vocabulary, ``K`` tokens of the vocabulary whose dense logits were kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK_BYTES_CPU = 2**20  # of logits per thread: two operands and two buffers stay in the cache
CHUNK_BYTES_GPU = 2**28
LARGEST_EXPONENT = 40.0  # float32 flushes p below exp(-87); what it then loses, V exp(40 - 87), is nothing


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The candidate against the dense model, token by token, in float64.

    ``log_normalizer`` is the logsumexp of the candidate's logits: ``log_normalizer - logit`` is the
    negative log-likelihood of any token.
    """

    kl: Tensor  # (T,) nats, never negative; NaN where a logit was NaN or infinite
    log_normalizer: Tensor  # (T,)


def kl_full(
    dense: Tensor,  # (T, V)
    candidate: Tensor,  # (T, V)
) -> Tensor:  # (T,) float64
    """KL(dense || candidate) in nats of each token; see ``compare_full``."""
    return compare_full(dense, candidate).kl


def kl_top_k(
    indices: Tensor,  # (T, K) tokens kept, distinct in each row
    kept: Tensor,  # (T, K) their dense logits
    tail: Tensor,  # (T,) logsumexp of the dense logits left out
    candidate: Tensor,  # (T, V)
) -> Tensor:  # (T,) float64
    """A lower bound of KL(dense || candidate) in nats of each token; see ``compare_top_k``."""
    return compare_top_k(indices, kept, tail, candidate).kl


@torch.no_grad()
def compare_full(
    dense: Tensor,  # (T, V)
    candidate: Tensor,  # (T, V)
) -> Comparison:
    """Compare two sets of logits over the whole vocabulary, on the candidate's device.

    With ``p = softmax(dense)`` and ``d = candidate - dense``, the divergence is
    ``log sum p exp(d - m) - sum p (d - m)`` for every ``m``.  Taking ``m`` near ``sum p d`` leaves
    small numbers only, so that a divergence of 1e-6 keeps its digits in float32 and shifting all
    the candidate's logits by a constant changes nothing.
    """
    parts = []
    buffers: tuple[Tensor, Tensor] | None = None
    for rows in _chunks(candidate):
        left = dense[rows].to(device=candidate.device, dtype=torch.float32)
        right = candidate[rows].float()
        buffers = buffers or (torch.empty_like(right), torch.empty_like(right))
        parts.append(_compare_rows(left, right, buffers[0][: len(right)], buffers[1][: len(right)]))
    return _concatenate(parts)


@torch.no_grad()
def compare_top_k(
    indices: Tensor,  # (T, K) tokens kept, distinct in each row
    kept: Tensor,  # (T, K) their dense logits
    tail: Tensor,  # (T,) logsumexp of the dense logits left out; unread if K = V
    candidate: Tensor,  # (T, V)
) -> Comparison:
    """Compare the kept tokens one by one and all the others as a single outcome.

    Merging outcomes never raises a divergence (the data-processing inequality: Cover and Thomas,
    *Elements of Information Theory*, 2.8), so this never overstates the KL; ``K = V`` equals it.
    """
    parts = []
    buffers: tuple[Tensor, Tensor] | None = None
    for rows in _chunks(candidate):
        right = candidate[rows].float()
        chosen = indices[rows].to(device=right.device, dtype=torch.int64)
        left, gathered = kept[rows].to(right), right.gather(1, chosen)
        if indices.shape[1] < candidate.shape[1]:
            buffers = buffers or (torch.empty_like(right), torch.empty_like(right))
            rest = buffers[0][: len(right)].copy_(right).scatter_(1, chosen, -torch.inf)
            _, rest_normalizer = _softmax(rest, out=buffers[1][: len(right)])
            left = torch.cat([left, tail[rows, None].to(right)], dim=1)
            gathered = torch.cat([gathered, rest_normalizer[:, None].float()], dim=1)
        parts.append(compare_full(left, gathered))
    return _concatenate(parts)


@torch.no_grad()
def truncate(
    logits: Tensor,  # (T, V)
    k: int,
) -> tuple[Tensor, Tensor, Tensor]:  # indices int64 (T, K), kept float32 (T, K), tail float32 (T,)
    """Keep the ``k`` largest logits of each token, and the logsumexp of the others (-inf if none)."""
    parts = []
    for rows in _chunks(logits):
        chunk = logits[rows].float()
        kept, indices = chunk.topk(k, dim=1)
        parts.append((indices, kept, chunk.scatter(1, indices, -torch.inf).logsumexp(dim=1)))
    indices, kept, tail = (torch.cat(part) for part in zip(*parts, strict=True))
    return indices, kept, tail


@torch.no_grad()
def log_normalizer(
    logits: Tensor,  # (T, V)
) -> Tensor:  # (T,) float64
    """The logsumexp of each token's logits; not finite if a logit is NaN or +inf."""
    return torch.cat([logits[rows].float().logsumexp(dim=1).double() for rows in _chunks(logits)])


def _compare_rows(
    dense: Tensor,  # (T, V) float32
    candidate: Tensor,  # (T, V) float32
    p: Tensor,  # (T, V) scratch
    x: Tensor,  # (T, V) scratch
) -> Comparison:
    _, dense_normalizer = _softmax(dense, out=p)
    mass = p.sum(dim=1).double()  # 1 but for rounding, which cancels once it divides every sum over p
    torch.sub(candidate, dense, out=x)
    centre = (_dot(p, x) / mass).float()
    x.sub_(centre[:, None])
    is_small = x.amax(dim=1) <= LARGEST_EXPONENT  # False for NaN as well
    residue = _dot(p, x) / mass  # what rounding left of the mean
    growth = _dot(p, torch.expm1(x, out=x)) / mass
    kl = torch.log1p(growth) - residue
    normalizer = dense_normalizer + centre + residue + kl
    if not bool(is_small.all()):
        wide = _compare_wide(dense[~is_small].double(), candidate[~is_small].double())
        kl[~is_small], normalizer[~is_small] = wide.kl, wide.log_normalizer
    return Comparison(kl=kl.clamp_(min=0.0), log_normalizer=normalizer)


def _compare_wide(
    dense: Tensor,  # (T, V) float64
    candidate: Tensor,  # (T, V) float64
) -> Comparison:
    """The textbook form, for differences so large that nothing cancels."""
    normalizer = candidate.logsumexp(dim=1)
    mean = (dense.softmax(dim=1) * (candidate - dense)).sum(dim=1)
    kl = normalizer - dense.logsumexp(dim=1) - mean
    return Comparison(kl=kl.masked_fill_(~kl.isfinite(), torch.nan), log_normalizer=normalizer)


def _softmax(logits: Tensor, *, out: Tensor) -> tuple[Tensor, Tensor]:
    """Fill ``out`` (T, V) with the softmax, and derive the logsumexp (T,) float64 from its peak.

    The fused softmax and two maxima take two thirds of the time of ``torch.logsumexp``.
    """
    torch.softmax(logits, dim=1, out=out)
    return out, logits.amax(dim=1).double() - out.amax(dim=1).double().log()


def _dot(left: Tensor, right: Tensor) -> Tensor:  # (T, V) twice -> (T,) float64
    product: Tensor = torch.linalg.vecdot(left, right, dim=1)
    return product.double()


def _chunks(logits: Tensor) -> Iterator[slice]:
    """Row ranges of ``logits`` (T, V) small enough for the cache; a single empty one if T is 0."""
    limit = CHUNK_BYTES_GPU if logits.is_cuda else CHUNK_BYTES_CPU * torch.get_num_threads()
    step = max(1, limit // (4 * logits.shape[1]))
    for start in range(0, max(1, len(logits)), step):
        yield slice(start, start + step)


def _concatenate(parts: list[Comparison]) -> Comparison:
    return Comparison(
        kl=torch.cat([part.kl for part in parts]),
        log_normalizer=torch.cat([part.log_normalizer for part in parts]),
    )
