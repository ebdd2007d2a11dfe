"""How single changes of a configuration move the logits together: what their pairwise interactions are made of.

Axes: ``B`` sequences, ``S`` tokens in each, ``T`` tokens of all, ``V`` vocabulary, ``M`` moves, ``K`` draws a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.deltas import widened
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import Banked

MEMORY_BYTES = 1 << 30  # of shifts held at once; a single sequence's are held whatever they take
SHIFT_BYTES = 4  # float32: 6e-8 of a shift, far below what the forward pass itself rounds
PRODUCT_ELEMENTS = 1 << 23  # of shifts in one product, widened to float64: 64 MiB
DRAWN_ELEMENTS = 1 << 23  # of cumulative probabilities in float64 at once

Reference = Literal["base", "dense"]


@dataclass(frozen=True, kw_only=True)
class LogitShifts:
    """Inner products of the logit shifts that ``moves`` make, each alone, from ``base``.

    With d_i the change of a token's logits under move i and q the softmax of the reference's logits, the centred shift
    is c_i = d_i - q^T d_i. The KL divergence is a Fisher form near its minimum, so the mean over tokens of
    E_{v~q}[c_i(v) c_j(v)] is what the moves i and j add together beyond what each adds alone, to second order in the
    logits. Centring reads the whole vocabulary; the expectation ``draws`` entries of it, drawn once for each token, by
    the seed and the number of the sequence, one from each of ``draws`` equal slices of q's mass. Shifts are kept in
    float32 and multiplied in float64.

    A sample is ``sequences_per_sample`` consecutive sequences; it has

    - ``gram`` (samples, M, M), float32: the mean of c_i c_j. Not finite logits of a move: zeros;
    - ``residual`` (samples, M): the mean of c_i r, with r the centred shift of the base from the dense model;
    - ``kl`` (samples, B, 1 + M): KL(dense || ...) of each sequence in nats per token, of the base first. It is what
      ``Evaluator.measure`` gives: exact, or the lower bound that the stored dense logits allow; infinite if broken.

    So KL(base + S) - KL(base) is about sum_i (residual_i + gram_ii / 2) + sum_{i<j} gram_ij over the moves of S.
    """

    name: ClassVar[str] = "logit-shifts"
    version: ClassVar[int] = 1

    base: Configuration
    moves: tuple[Configuration, ...]  # each the layers that it changes: those of one unit, or a part that it drops
    sequences: int  # of all samples
    sequences_per_sample: int
    draws: int
    seed: int
    reference: Reference = "base"  # whose distribution weighs the vocabulary

    def num_sequences(self, length: int) -> int:
        return self.sequences

    def entries(self) -> tuple[Entry, ...]:
        options = (each for configuration in (self.base, *self.moves) for each in configuration.options)
        return tuple(dict.fromkeys((name, option) for name, option in options if isinstance(option, Banked)))

    def passes(self, length: int) -> Passes:
        return Passes(forward_tokens=length) * (self.sequences_per_sample * len(self.forwards()))

    def forwards(self) -> tuple[Configuration, ...]:
        """The configurations that read all of a sample: the dense model, the base and every move."""
        return (Configuration.of({}), self.base, *(_changed(self.base, move) for move in self.moves))

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        samples = [self._sample(evaluator, number) for number in range(start, stop)]
        return {name: np.stack([sample[name] for sample in samples]) for name in ("gram", "residual", "kl")}

    def _sample(self, evaluator: Evaluator, number: int) -> dict[str, np.ndarray]:
        """Over pieces of as many sequences as the memory holds; a sum over all their tokens and draws, divided last."""
        stream = evaluator.stream
        bounds = (number * self.sequences_per_sample, (number + 1) * self.sequences_per_sample)
        num_products = self.sequences_per_sample * stream.length * self.draws
        gram, residual, kl = np.zeros((len(self.moves),) * 2), np.zeros(len(self.moves)), []
        for first, tokens in stream.batches(*bounds, self._piece_sequences(stream.length)):
            piece = self._piece(evaluator, first, tokens)
            gram += piece.gram()
            residual += piece.residual()
            kl.append(piece.kl)
        broken = ~np.isfinite(gram.diagonal())
        gram[broken], gram[:, broken], residual[broken] = 0.0, 0.0, 0.0
        return {
            "gram": (gram / num_products).astype(np.float32),
            "residual": residual / num_products,
            "kl": np.concatenate(kl),
        }

    def _piece_sequences(self, length: int) -> int:
        held = max(1, len(self.moves) * length * self.draws * SHIFT_BYTES)  # bytes of one sequence's shifts
        return min(self.sequences_per_sample, max(1, MEMORY_BYTES // held))

    def _piece(
        self,
        evaluator: Evaluator,
        first: int,
        tokens: Tensor,  # (B, S)
    ) -> _Piece:
        """One forward pass for each move, the base's own first: the others go on where they part from it."""
        dense, base = (_logits(evaluator, each, tokens) for each in (Configuration.of({}), self.base))
        kl = np.empty((len(tokens), 1 + len(self.moves)))
        kl[:, 0] = _divergence(evaluator, first, base, tokens)
        if not np.isfinite(kl[:, 0]).all():
            raise JobError(
                f"the base {self.base.id} gives NaN or infinite logits on sequences {first} to "
                f"{first + len(tokens) - 1}, so no change can be measured from it; take another base or a higher budget"
            )
        view = self._view(base if self.reference == "base" else dense, first, len(tokens))
        origin = view.kept(base)
        residual = origin - view.kept(dense)
        del dense, base
        shifts = torch.empty((len(self.moves), *origin.shape), dtype=torch.float32, device=origin.device)
        for place, _, raw in evaluator.prefixes.logits_each(self.forwards()[2:], [tokens]):
            logits = widened(raw)
            kl[:, 1 + place] = _divergence(evaluator, first, logits, tokens)
            shifts[place] = view.kept(logits) - origin
        return _Piece(shifts=shifts.flatten(1), base_residual=residual.flatten(), kl=kl)

    def _view(
        self,
        logits: Tensor,  # (B, S, V) of the reference
        first: int,
        count: int,
    ) -> _View:
        probabilities = logits.flatten(0, 1).softmax(-1)
        heights = [self._heights(first + number, logits.shape[1]) for number in range(count)]
        return _View(probabilities=probabilities, drawn=drawn_entries(probabilities, torch.cat(heights)))

    def _heights(self, sequence: int, length: int) -> Tensor:  # float64 (S, K)
        """Places in q's mass, one in each of K equal slices: unbiased, and never a wider spread than K free draws."""
        within = np.random.default_rng([self.seed, sequence]).random((length, self.draws))
        return torch.from_numpy((np.arange(self.draws) + within) / self.draws)


@dataclass(frozen=True, kw_only=True)
class _View:
    """What is kept of the logits at each token: the entries drawn, with the mean under q taken off."""

    probabilities: Tensor  # (T, V)
    drawn: Tensor  # int64 (T, K)

    def kept(
        self,
        logits: Tensor,  # (B, S, V)
    ) -> Tensor:  # (T, K)
        rows = logits.flatten(0, 1)
        centre = torch.einsum("tv,tv->t", self.probabilities, rows)
        return rows.gather(1, self.drawn) - centre[:, None]


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Some sequences of a sample."""

    shifts: Tensor  # float32 (M, T K)
    base_residual: Tensor  # (T K,)
    kl: np.ndarray  # float64 (B, 1 + M)

    def gram(self) -> np.ndarray:  # float64 (M, M)
        """Summed over tokens and draws; not finite in the rows and columns of broken moves, and only there."""
        num_moves = len(self.shifts)
        total = torch.zeros((num_moves, num_moves), dtype=torch.float64, device=self.shifts.device)
        step = max(1, PRODUCT_ELEMENTS // max(1, num_moves))
        for start in range(0, self.shifts.shape[1], step):
            wide = self.shifts[:, start : start + step].double()
            total.addmm_(wide, wide.T)
        return ((total + total.T) / 2).numpy(force=True)

    def residual(self) -> np.ndarray:  # float64 (M,)
        base = self.base_residual.double()
        found = [torch.dot(shift.double(), base) for shift in self.shifts]
        return np.array([float(each) for each in found])


def drawn_entries(
    probabilities: Tensor,  # (T, V)
    heights: Tensor,  # float64 (T, K), from 0 to 1
) -> Tensor:  # int64 (T, K)
    """The entry of the vocabulary that lies at each height of its token's cumulative distribution."""
    found = []
    for rows in _row_ranges(probabilities):
        cumulative = probabilities[rows].double().cumsum(-1)
        scaled = heights[rows].to(cumulative.device) * cumulative[:, -1:]
        # right: an entry of probability 0 is never drawn
        found.append(torch.searchsorted(cumulative, scaled, right=True).clamp(max=probabilities.shape[1] - 1))
    return torch.cat(found)


def _row_ranges(table: Tensor) -> Iterator[slice]:
    step = max(1, DRAWN_ELEMENTS // table.shape[1])
    yield from (slice(start, start + step) for start in range(0, len(table), step))


def _changed(base: Configuration, move: Configuration) -> Configuration:
    return Configuration.of(dict(base.options) | dict(move.options))


def _logits(
    evaluator: Evaluator,
    configuration: Configuration,
    tokens: Tensor,  # (B, S)
) -> Tensor:  # (B, S, V), float32 or wider
    ((_, _, logits),) = evaluator.prefixes.logits_each([configuration], [tokens])
    return widened(logits)


def _divergence(
    evaluator: Evaluator,
    first: int,
    logits: Tensor,  # (B, S, V)
    tokens: Tensor,  # (B, S)
) -> np.ndarray:  # float64 (B,)
    """As ``Evaluator.measure`` has it: infinite where it is not finite."""
    kl = evaluator.dense.compare(first, logits, tokens)[0].double().numpy(force=True)
    return np.where(np.isfinite(kl), kl, np.inf)
