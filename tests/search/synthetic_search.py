"""Searches without a model: real spaces of tiny models on the meta device, and a made-up loss that answers at once."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from transformers import LlamaConfig

from compressors.measure import EntryErrors
from search.strategy import Ask, Losses, Problem, Strategy
from spaces.budget import Budget, Limit, make_budget
from spaces.build import build_space
from spaces.discovery import Anatomy, find_anatomy
from spaces.option import DROP, Option, Quantize
from spaces.skeleton import load_config, skeleton
from spaces.space import Levels, Space
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec

REFERENCE = Path(__file__).parents[2] / "examples" / "reference-model"
SEQUENCE_TOKENS = 256
MAX_TOKENS = 4096


@cache
def tiny_anatomy(num_blocks: int) -> Anatomy:
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=num_blocks,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return find_anatomy(skeleton(config))


@cache
def reference_anatomy() -> Anatomy:
    return find_anatomy(skeleton(load_config(str(REFERENCE))))


def quantize(*bits: int, layers: Sequence[str] = ("*",), group: int | None = 32) -> QuantizeSpec:
    return QuantizeSpec(bits=bits, group_sizes=(group,), solver="rtn", layers=tuple(layers))


def tiny_space(
    num_blocks: int,
    *options: QuantizeSpec | DropSpec,
    ties: str = "none",
    pin: dict[str, Option] | None = None,
    exclude: tuple[str, ...] = (),
) -> Space:
    spec = SpaceSpec(options=options, ties=ties, pin=pin or {}, exclude=exclude)
    return build_space(tiny_anatomy(num_blocks), spec)


def recorded_errors(layer: str, option: Quantize) -> EntryErrors:
    """What a bank might have recorded: falling with the bits, another number for every layer."""
    rng = np.random.default_rng(zlib.crc32(layer.encode()))
    weight, output = rng.uniform(0.5, 2.0, size=2) * 4.0**-option.bits_per_code
    return EntryErrors(weight=float(weight), output=float(output))


def make_problem(
    space: Space, budget: dict[str, object] | Budget, *, seed: int = 0, max_tokens: int = MAX_TOKENS
) -> Problem:
    made = budget if isinstance(budget, Budget) else make_budget(budget, space)
    return Problem(space=space, budget=made, seed=seed, max_tokens=max_tokens, errors=recorded_errors)


def limit(measure: str, value: int, name: str = "a limit") -> Budget:
    return Budget(limits=(Limit(name=name, measure=measure, limit=value, written=str(value)),))


@dataclass(kw_only=True)
class SyntheticLoss:
    """Separable errors, plus interactions of neighbours, plus noise of its own for each configuration and sequence.

    A function of the configuration, not of the levels: what lies in a dropped part does not matter.
    """

    space: Space
    interaction: float = 0.0
    noise: float = 0.0
    seed: int = 0
    separable: list[np.ndarray] = field(init=False)  # (options,) for each unit

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 1])
        self.separable = []
        for unit in self.space.units:
            scale, drop = rng.lognormal(0.0, 1.0), rng.uniform(0.05, 1.0)
            self.separable.append(np.array([_error(option, scale, drop) for option in unit.options]))

    def exact(self, levels: Levels) -> float:
        """Without noise."""
        hidden = hidden_units(self.space, levels)
        errors = np.array(
            [0.0 if n in hidden else self.separable[n][level] for n, level in enumerate(levels)], dtype=float
        )
        roots = np.sqrt(errors)
        return float(errors.sum() + self.interaction * (roots[1:] * roots[:-1]).sum())

    def __call__(self, levels: Levels, num_tokens: int) -> np.ndarray:
        """One loss for each sequence; more tokens extend the same sequence of losses."""
        configuration = self.space.configure(levels)
        rng = np.random.default_rng([self.seed, int(configuration.hash[:8], 16)])
        count = -(-num_tokens // SEQUENCE_TOKENS)
        texts = np.random.default_rng(self.seed).lognormal(0.0, 0.3, size=10_000)[:count]
        return self.exact(levels) * texts * (1 + self.noise * rng.standard_normal(count))


def _error(option: Option, scale: float, drop: float) -> float:
    if option == DROP:
        return drop
    return scale * 4.0**-option.bits_per_code if isinstance(option, Quantize) else 0.0


def hidden_units(space: Space, levels: Levels) -> set[int]:
    """Units inside a part that is dropped."""
    dropped = {
        space.layers[unit.layers[0]].name
        for unit, level in zip(space.units, levels, strict=True)
        if unit.options[level] == DROP
    }
    return {n for n, unit in enumerate(space.units) if dropped.intersection(space.layers[unit.layers[0]].inside)}


def all_levels(space: Space) -> Iterator[Levels]:
    return itertools.product(*(range(len(unit.options)) for unit in space.units))


@dataclass(kw_only=True)
class Run:
    """A finished search: its answer, and what it asked and was told on the way."""

    answer: Levels
    asks: list[Ask]
    told: list[Losses]

    @property
    def num_tokens(self) -> int:
        """What was read, each sequence of a candidate's once."""
        known: dict[Levels, int] = {}  # tokens from the beginning of the text
        total = 0
        for ask in self.asks:
            for levels in set(ask.candidates):
                total += ask.tokens if ask.first else max(0, ask.tokens - known.get(levels, 0))
                if not ask.first:
                    known[levels] = max(known.get(levels, 0), ask.tokens)
        return total


def answers(ask: Ask, problem: Problem, loss: SyntheticLoss) -> Losses:
    """What a question is told: a window is a part of the longer text that ends where it does."""
    skipped = ask.first * problem.sequence_length
    return [loss(levels, skipped + ask.tokens)[-(-skipped // SEQUENCE_TOKENS) :] for levels in ask.candidates]


def drive(strategy: Strategy, problem: Problem, loss: SyntheticLoss, replayed: Sequence[Losses] = ()) -> Run:
    """Run a search to its end; the first answers come from ``replayed``, as a restarted job reads them."""
    asks: list[Ask] = []
    told: list[Losses] = []
    search = strategy.search(problem)
    try:
        ask = next(search)
        while True:
            known = replayed[len(asks)] if len(asks) < len(replayed) else None
            asks.append(ask)
            told.append(known or answers(ask, problem, loss))
            ask = search.send(told[-1])
    except StopIteration as stop:
        return Run(answer=stop.value, asks=asks, told=told)
