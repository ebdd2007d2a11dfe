"""Every preset of the literature on one bank and one text, at four budgets: what ``layerpress compare`` measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.bench import Bench
from benchmarks.document import table
from search.engine.compare import Trial, make_trials, run_trials
from search.report import Outcome, entry, paired
from search.strategies.allocate import PRESETS
from spaces.budget import show_size

BITS, SMALL_BITS = (2.5, 3.0, 3.5, 4.0), (3.0,)
BUDGET = "nominal_bits_per_weight"
HEADER = (
    "method",
    "nominal bits",
    "size",
    "validation KL ± s.e.",
    "over uniform's",
    "paired difference to uniform ± s.e.",
    "tokens, forward and backward",
)


def measure_methods(bench: Bench) -> str:
    """One table for each budget, the best plain choice first."""
    plan = bench.plan([])
    bits = SMALL_BITS if bench.is_small else BITS
    demo = plan.spec.strategy
    trials = make_trials(plan, [*PRESETS, "quick", demo], [{BUDGET: value} for value in bits])
    found: dict[float, list[tuple[Trial, Outcome]]] = {value: [] for value in bits}
    for trial, outcome in run_trials(trials, bench.store, lambda moment: None):
        bench.say(f"methods: {trial.method} at {trial.budget[BUDGET]}")
        found[trial.budget[BUDGET]].append((trial, outcome))
    return "\n\n".join(f"### At {value} {BUDGET}\n\n{_contest(own)}" for value, own in found.items())


def _contest(found: Sequence[tuple[Trial, Outcome]]) -> str:
    _, first = found[0]
    best = min(first.baselines, key=lambda each: each.validation.kl.mean() if each.validation else float("inf"))
    rows = [_row(best.name, entry(best, first.space), None, None)]
    for trial, outcome in found:
        row = entry(outcome.found, outcome.space)
        assert outcome.found.validation is not None  # a finished run's are
        assert best.validation is not None
        difference = paired(outcome.found.validation, best.validation, "kl")
        ratio = row["kl_validation"] / best.validation.kl.mean() if row["kl_validation"] is not None else None
        shown = f"{difference.mean:+.5f} ± {difference.se:.5f}"
        rows.append(_row(trial.method, row, ratio, (shown, outcome.facts["asked_tokens"])))
    return table(HEADER, rows)


def _row(name: str, row: Mapping[str, Any], ratio: float | None, rest: tuple[str, int] | None) -> tuple[str, ...]:
    loss = row["kl_validation"]
    return (
        name,
        f"{row['nominal_bits_per_weight']:.4f}",
        show_size(row["size_bytes"]),
        "broken" if loss is None else f"{loss:.5f} ± {row['kl_validation_se']:.5f}",
        "" if ratio is None else f"{ratio:.3f}",
        "" if rest is None else rest[0],
        "" if rest is None else f"{rest[1]:,}",
    )
