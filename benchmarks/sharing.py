"""What sharing saves: candidates computed from their first changed block on, and the bank's entries kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.document import table
from benchmarks.timing import Arm, Spread, Work, interleave, ratio
from evaluators.checkpoint import load_model
from evaluators.dense import DenseLogits
from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.prefixes import Prefixes
from search.baselines import best_uniform
from search.engine.ledger import computed_share
from search.engine.plan import Plan
from search.mutation import children
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.errors import JobError
from spaces.space import Levels

SEED = 0
WHOLE, SHARED, READ, KEPT = "whole passes", "from the first changed block on", "read from disk", "kept in memory"


@dataclass(frozen=True, kw_only=True)
class Families:
    """Candidates that have something in common, measured by one evaluator in this process."""

    plan: Plan  # its bank and dense logits are made
    num_candidates: int
    num_tokens: int  # that each is measured on

    @property
    def parent(self) -> Levels:
        """The best uniform choice within the budget."""
        levels = best_uniform(self.plan.problem)
        if levels is None:
            raise JobError(f"no uniform choice meets {self.plan.problem.budget}; give a budget that one does")
        return levels

    def children(self) -> list[Configuration]:
        """By EvoPress' mutations."""
        problem, rng = self.plan.problem, np.random.default_rng(SEED)
        found = children(self.parent, self.num_candidates, "equal-size", problem, rng)
        return [problem.space.configure(each) for each in found]

    def probes(self) -> list[Configuration]:
        """One layer a level lower, all over the model."""
        space, parent = self.plan.problem.space, self.parent
        lower = [unit for unit, level in enumerate(parent) if level > 0]
        spread = np.linspace(0, len(lower) - 1, min(self.num_candidates, len(lower))).round().astype(int)
        chosen = [lower[place] for place in spread]
        return [space.configure((*parent[:unit], parent[unit] - 1, *parent[unit + 1 :])) for unit in chosen]


def measure_sharing(families: Families, rounds: int) -> str:
    """Two tables: tokens per second with and without sharing, and applying with and without a memory for entries."""
    candidates = {"children of one parent": families.children(), "probes of one layer each": families.probes()}
    rows = [(name, *_measured(families, each, rounds)) for name, each in candidates.items()]
    headings = ("", f"tokens per second, {WHOLE}", SHARED, "ratio", "tokens computed, of those read")
    applied = _applied(families, candidates["children of one parent"], rounds)
    return "\n\n".join([_describe(families, rounds), table(headings, rows), applied])


def _measured(families: Families, candidates: Sequence[Configuration], rounds: int) -> tuple[str, ...]:
    evaluator = _evaluator(families.plan)
    stop = evaluator.stream.sequences_for(families.num_tokens)

    def arm(memory_bytes: int | None) -> Arm:
        def prepare() -> Work:
            prefixes = Prefixes(evaluator.live, memory_bytes)  # anew for every round: nothing is known before
            fresh = Evaluator(evaluator.live, evaluator.stream, evaluator.dense, prefixes)
            fresh.measure(Configuration.of({}), 0, 0)  # tries out where passes can go on
            return lambda: fresh.measure_each(candidates, 0, stop)

        return prepare

    seconds = interleave({WHOLE: arm(0), SHARED: arm(None)}, rounds=rounds)
    num_tokens = len(candidates) * stop * evaluator.stream.length
    rates = [Spread.of([num_tokens / taken for taken in seconds[name]]).show(",.0f") for name in (WHOLE, SHARED)]
    share = computed_share(candidates, families.plan.problem.space.anatomy) / len(candidates)
    return (*rates, ratio(seconds[WHOLE], seconds[SHARED]).show(".2f"), f"{share:.1%}")


def _applied(families: Families, candidates: Sequence[Configuration], rounds: int) -> str:
    """Milliseconds to turn one child into the next."""

    def arm(bank_bytes: int | None) -> Arm:
        live = _live(families.plan, bank_bytes)
        return lambda: lambda: [live.apply(each) for each in candidates]

    seconds = interleave({READ: arm(0), KEPT: arm(None)}, rounds=rounds)
    rows = [
        (name, Spread.of([1000 * each / len(candidates) for each in taken]).show(".1f"))
        for name, taken in seconds.items()
    ]
    return table(("ms to apply a child after its sibling, the bank's entries", ""), rows)


def _describe(families: Families, rounds: int) -> str:
    length = families.plan.streams["calibration"].length
    return (
        f"{families.num_candidates} candidates of each family on {families.num_tokens:,} tokens each, in sequences of "
        f"{length}, measured in this process on {torch.get_num_threads()} threads: around the best uniform choice at "
        f"{families.plan.problem.budget}. Medians of {rounds} interleaved rounds, with the smallest and the largest."
    )


def _live(plan: Plan, bank_bytes: int | None = None) -> LiveModel:
    model = load_model(plan.folder, dtype=getattr(torch, plan.spec.evaluation.dtype))
    return LiveModel(model, find_anatomy(model), plan.bank, bank_bytes=bank_bytes)


def _evaluator(plan: Plan) -> Evaluator:
    dense = DenseLogits.open(plan.dense_folder("calibration"))
    if dense is None:
        raise JobError("the dense model's logits are gone or damaged; run the benchmark again")
    return Evaluator(_live(plan), plan.streams["calibration"], dense)
