"""How well each score orders configurations: predicted against measured KL of random changes of a uniform choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from benchmarks.bench import Bench
from benchmarks.document import table
from search.baselines import uniform_below
from search.engine.evaluations import Evaluations
from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.scoring import compute_scores
from search.scores.score import SCORES, Scores
from search.settings import make_score
from spaces.errors import InputError
from spaces.space import Levels

CHANGES = (2, 8, 16)  # layers that differ from the base
NUM_CONFIGURATIONS, SMALL_CONFIGURATIONS = 100, 6
MEASURED_TOKENS = 4096
BUDGET = "budget.nominal_bits_per_weight=3.0"


def measure_ranking(bench: Bench) -> str:
    """One row for each score: Spearman's correlation at each number of changes, and what the score cost."""
    plan = bench.plan([BUDGET])
    base = uniform_below(plan.problem)
    count = SMALL_CONFIGURATIONS if bench.is_small else NUM_CONFIGURATIONS
    drawn = {number: random_changes(plan, base, number, count) for number in CHANGES}
    found = _scores(bench, plan)
    bench.say(f"ranking: measuring {count} random configurations at each of {CHANGES} changes")
    measured = _measure(bench, plan, drawn)
    rows = []
    for name, (scores, tokens) in found.items():
        cells = []
        for number, configurations in drawn.items():
            predicted = [scores.predict(plan.problem.space, levels) for levels in configurations]
            cells.append(f"{spearmanr(predicted, measured[number]).statistic:.3f}")
        rows.append((name, *cells, f"{tokens:,}"))
    header = ("score", *(f"{number} layers changed" for number in CHANGES), "tokens, forward and backward")
    return table(header, rows)


def random_changes(plan: Plan, base: Levels, number: int, count: int) -> list[Levels]:
    """``count`` different configurations, each with ``number`` random units at random other options that quantize."""
    rng = np.random.default_rng([plan.problem.seed, number])
    units = plan.problem.space.units
    found: dict[Levels, None] = {}
    while len(found) < count:
        levels = list(base)
        for unit in rng.choice(len(units), size=min(number, len(units)), replace=False):
            open_to = [
                n for n, option in enumerate(units[unit].options) if option.kind == "quantize" and n != base[unit]
            ]
            levels[unit] = int(rng.choice(open_to))
        found[tuple(levels)] = None
    return list(found)


def _scores(bench: Bench, plan: Plan) -> dict[str, tuple[Scores, int]]:
    """Every score that fits the space; the tokens that it asked for."""
    found = {}
    for name in SCORES:
        score = make_score(name)
        try:
            score.check(plan.problem)
        except InputError as error:
            bench.say(f"ranking: without {name}: {error}")
            continue
        bench.say(f"ranking: {name}")
        found[name] = compute_scores(plan, [score], bench.store, lambda moment: None)[0]
    return found


def _measure(bench: Bench, plan: Plan, drawn: Mapping[int, Sequence[Levels]]) -> dict[int, np.ndarray]:
    """The mean KL of every configuration on the first tokens of the calibration text."""
    pool = Pool(plan.worker_setup(), plan.spec.workers)
    context = plan.context("calibration")
    try:
        evaluations = Evaluations(bench.store, pool)
        return {
            number: np.array(
                [
                    measurement.kl.mean()
                    for measurement in evaluations.measure(
                        [plan.problem.space.configure(levels) for levels in configurations],
                        context.stream.sequences_for(MEASURED_TOKENS),
                        context,
                    )
                ]
            )
            for number, configurations in drawn.items()
        }
    finally:
        pool.close()
