"""What each way to choose bit-widths loses on unseen text, at equal budgets, on the reference model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from benchmarks.bench import Bench
from benchmarks.contest import Entry, mean_of, show_contest
from benchmarks.recorded import Recorded
from search.baselines import baselines, uniform_above
from search.engine.evaluations import Evaluations
from search.engine.plan import Plan
from search.engine.pool import Pool
from spaces.space import Levels

SPINE = ("weight-error", "output-error", "measured-kl")
BUDGETS = (3.0, 2.5)  # nominal bits per weight
SEEDS, SMALL_SEEDS = (0, 1, 2), (0, 1)
EVOLUTION = {"name": "evolution", "preset": "quick"}
SMALL_EVOLUTION = {"generations": 2, "offspring": 4, "stages": [{"tokens": 512, "survivors": 1}]}
SMALL_DEMO = {"rounds": 1, "score": {"name": "fisher", "tokens": 1024}}
SMALL_SCORE = {"name": "measured-kl", "tokens": 512}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A strategy as a job file writes it. Without a seed it gives one answer whatever the job's seed is."""

    name: str
    strategy: Mapping[str, object]
    has_seed: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a contender found by itself, and what it asked for."""

    seed: str
    levels: Levels
    num_tokens: int
    is_answer: bool  # False: the job returned a plain choice, which did better on unseen text


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A plain choice by its name in the report."""

    name: str
    levels: Levels
    fits: bool


def measure_quality(bench: Bench) -> str:
    """One table for each budget."""
    return "\n\n".join(f"### At {bits} nominal bits per weight\n\n{_contest(bench, bits)}" for bits in BUDGETS)


def contenders(demo: object, *, is_small: bool) -> list[Contender]:
    """The demo's strategy, evolution from two starts, and allocate with scores that any space has."""
    own = {"name": demo} if isinstance(demo, str) else dict(demo) if isinstance(demo, Mapping) else {}
    measured = SMALL_SCORE if is_small else "measured-kl"
    evolution = {**EVOLUTION, **(SMALL_EVOLUTION if is_small else {})}
    start = {"name": "allocate", "score": measured, "solver": "knapsack"}
    scores = dict(zip(SPINE, (*SPINE[:-1], measured), strict=True))
    return [
        Contender(name="the demo's", strategy={**own, **(SMALL_DEMO if is_small else {})}, has_seed=True),
        Contender(name="evolution from allocate", strategy={**evolution, "start": start}, has_seed=True),
        Contender(name="evolution, EvoPress' start", strategy={**evolution, "start": "uniform"}, has_seed=True),
        *(
            Contender(name=f"allocate, {name}", strategy={**start, "score": score}, has_seed=False)
            for name, score in scores.items()
        ),
    ]


def _contest(bench: Bench, bits: float) -> str:
    budget = f"budget.nominal_bits_per_weight={bits}"
    everyone = contenders(bench.spec([]).strategy, is_small=bench.is_small)
    found = {contender.name: list(_search(bench, contender, budget)) for contender in everyone}
    plan = bench.plan([budget])
    plain = _plain(plan)
    bench.say(f"quality: what was found with {budget}, on unseen text")
    chosen = [each.levels for each in plain] + [each.levels for each in chain.from_iterable(found.values())]
    unseen = _validate(bench, plan, chosen)
    best = min((each for each in plain if each.fits), key=lambda each: float(unseen[each.levels].mean()))
    entries = [_plain_entry(each, plan, unseen, is_best=each == best) for each in plain]
    for name, own in found.items():
        rows = [_found_entry(name, each, plan, unseen) for each in own]
        entries += [*rows, *([mean_of(rows)] if len(rows) > 1 else [])]
    return show_contest(entries, unseen[best.levels], plan.problem.space)


def _search(bench: Bench, contender: Contender, budget: str) -> Iterator[Found]:
    """Run the contender's jobs: one for each seed, or one where the seed changes nothing."""
    seeds = SMALL_SEEDS if bench.is_small else SEEDS
    for seed in seeds if contender.has_seed else seeds[:1]:
        bench.say(f"quality: {contender.name}, {budget}, seed {seed}")
        plan = bench.plan([budget, f"seed={seed}", f"strategy={json.dumps(contender.strategy)}"])
        recorded = Recorded(plan.strategy, plan.streams["calibration"])
        outcome = bench.run(replace(plan, strategy=recorded))
        yield Found(
            seed=str(seed) if contender.has_seed else "all",
            levels=recorded.answer,
            num_tokens=recorded.num_tokens,
            is_answer=outcome.answer.configuration == plan.problem.space.configure(recorded.answer),
        )


def _plain(plan: Plan) -> list[Plain]:
    """Every plain choice that meets the budget, and the next larger one, which does not, to see what it would buy."""
    fitting = [Plain(name=each.name, levels=each.levels, fits=True) for each in baselines(plan.problem)]
    above = uniform_above(plan.problem)
    slugs = {option.slug for _, option in plan.problem.space.configure(above).options}
    return [*fitting, Plain(name=f"uniform {', '.join(sorted(slugs))}", levels=above, fits=False)]


def _validate(bench: Bench, plan: Plan, chosen: Sequence[Levels]) -> dict[Levels, np.ndarray]:
    """The KL of each configuration on every sequence of the validation text; most of it was measured by the jobs."""
    distinct = list(dict.fromkeys(chosen))
    configurations = [plan.problem.space.configure(levels) for levels in distinct]
    pool = Pool(plan.worker_setup(), plan.spec.workers)
    try:
        whole = plan.streams["validation"].num_sequences
        measured = Evaluations(bench.store, pool).measure(configurations, whole, plan.context("validation"))
    finally:
        pool.close()
    return {levels: measurement.kl for levels, measurement in zip(distinct, measured, strict=True)}


def _plain_entry(each: Plain, plan: Plan, unseen: Mapping[Levels, np.ndarray], *, is_best: bool) -> Entry:
    remark = "over budget" if not each.fits else "best plain choice" if is_best else ""
    measures = plan.problem.space.measure(each.levels)
    return Entry(name=each.name, kl=unseen[each.levels], measures=measures, remark=remark)


def _found_entry(name: str, each: Found, plan: Plan, unseen: Mapping[Levels, np.ndarray]) -> Entry:
    return Entry(
        name=name,
        kl=unseen[each.levels],
        measures=plan.problem.space.measure(each.levels),
        seed=each.seed,
        num_tokens=each.num_tokens,
        remark="" if each.is_answer else "the job returned the plain choice",
    )
