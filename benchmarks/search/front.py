"""Nine budgets in one search: what the whole front costs, and what it gives up against searching one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.document import table
from benchmarks.search.meter import EngineMeter
from benchmarks.search.methods import GLOBAL, PUBLISHED, START, TRUST_REGION, UNGROUPED, shortened
from benchmarks.search.paired import relative_change
from benchmarks.search.race import Race
from benchmarks.search.records import Records, rounded
from benchmarks.search.standing import Runs, Standing
from benchmarks.search.tasks import REFERENCE, Task
from evaluators.statistic import Samples
from search.engine.answers import drive
from search.front import Reference, attainment, hypervolume
from search.fronts import search_front
from search.report import standard_error
from search.settings import make_strategy
from search.strategy import Losses, Question

LIMIT = "nominal_bits_per_weight"
STEP = 0.25
BUDGETS = tuple(2.25 + STEP * number for number in range(9))  # 2.25 to 4.25
STRATEGY = {  # one short round for each budget: what a tenth of an EvoPress run leaves beside the score and the answers
    **TRUST_REGION,
    **GLOBAL,
    "rounds": len(BUDGETS),
    "probes": 8,
    "probe_tokens": 512,
    "proposals": 6,
    "mutations": 0,
    "screen_tokens": 512,
    "race": {"tokens": 1024, "rungs": 2},
}
RIVALS = {  # methods of the race, and what they are called beside the front
    PUBLISHED: "EvoPress as published, in its groups",
    UNGROUPED: "EvoPress with our engine and one budget",
    START: "the front's own start (fisher and the knapsack)",
}
SHARE = 0.1  # of the tokens of one EvoPress run: the goal for all nine together
FRONT = Task(
    name="reference-front",
    title="reference model, nine budgets at once",
    kind="bits",
    model=REFERENCE,
    budget={LIMIT: list(BUDGETS)},
)


@dataclass(frozen=True, kw_only=True, eq=False)
class FrontRecord:
    """A finished search of all budgets: the KL of each answer on every sequence of the validation text."""

    read: int
    computed: int
    kl: Mapping[float, np.ndarray]  # by budget
    date: str


def run_front(race: Race, seed: int, *, is_small: bool = False) -> FrontRecord:
    """Search all budgets together with the trust region, and look at the answers on unseen text.

    Raises:
        TimeUpError, InputError, JobError: as ``Race.run``.
    """
    plan = race.track(FRONT).plan
    problems = tuple(replace(problem, seed=seed) for problem in plan.problems)
    strategy = make_strategy(shortened(STRATEGY, is_small=is_small))
    run = race.open(replace(plan, problem=problems[-1], strategy=strategy))
    meter = EngineMeter(problems[-1])

    def answer(question: Question) -> Losses | Samples:
        meter.note(question)
        return run.answer(question)

    with run.session.phase("search"):
        answers = drive(search_front(strategy, problems), answer)
    configurations = [plan.problem.space.configure(levels) for levels in answers]
    measured = run.session.measure(configurations, plan.streams["validation"].num_sequences, "validation")
    return FrontRecord(
        read=meter.read,
        computed=meter.computed,
        kl={bits: each.kl for bits, each in zip(BUDGETS, measured, strict=True)},
        date=f"{datetime.now(UTC):%Y-%m-%d}",
    )


def load_front(records: Records, seed: int) -> FrontRecord | None:
    """None where it was never finished, or under other settings."""
    raw = records.read(_path(records, seed), _settings(records))
    if raw is None:
        return None
    kl = {float(bits): np.array(values) for bits, values in raw["kl"].items()}
    return FrontRecord(read=raw["read"], computed=raw["computed"], kl=kl, date=raw["date"])


def save_front(records: Records, seed: int, record: FrontRecord) -> None:
    kl = {str(bits): rounded(values) for bits, values in record.kl.items()}
    content = {"read": record.read, "computed": record.computed, "kl": kl, "date": record.date}
    records.write(_path(records, seed), _settings(records), content)


def _path(records: Records, seed: int) -> Path:
    return records.folder / FRONT.name / f"seed-{seed}.json"


def _settings(records: Records) -> dict[str, Any]:
    return {**records.job(FRONT), "strategy": STRATEGY}


def show_front(records: Sequence[FrontRecord], standings: Mapping[str, Standing]) -> str:
    """What all nine budgets cost, what they cover, and each answer beside EvoPress' at that budget."""
    read, computed = (float(np.mean([getattr(each, name) for each in records])) for name in ("read", "computed"))
    by_bits = {standing.task.budget[LIMIT]: standing for standing in standings.values() if _is_ours(standing)}
    tokens = next((each.published_tokens for each in by_bits.values() if each.published_tokens), None)
    cost = f"Seeds: {len(records)}; {read:,.0f} tokens read and {computed:,.0f} computed for all nine budgets"
    if tokens:
        goal = f"the goal of {SHARE:.0%} is {'met' if read <= SHARE * tokens else 'missed'}"
        cost += f", {read / tokens:.1%} and {computed / tokens:.1%} of one EvoPress run: {goal}"
    attained = attainment([(BUDGETS, _means(each)) for each in records]).losses.T
    rows = [
        _row(bits, np.array([each.kl[bits] for each in records]), by_bits.get(bits), losses)
        for bits, losses in zip(BUDGETS, attained, strict=True)
    ]
    header = (
        "nominal bits",
        "validation KL ± s.e.",
        "attained by a quarter, half, three quarters of the seeds",
        *(f"KL over that of {name}, paired ± s.e. over text ± over seeds" for name in RIVALS.values()),
    )
    return f"{cost}. {_show_volumes(records, by_bits)}\n\n{table(header, rows)}"


def _means(record: FrontRecord) -> list[float]:
    return [float(record.kl[bits].mean()) for bits in BUDGETS]


def _show_volumes(records: Sequence[FrontRecord], by_bits: Mapping[float, Standing]) -> str:
    """Hypervolumes of the fronts, and at EvoPress' budgets alone beside those of its answers, all from one reference.

    The reference is the KL of the plain choice at the tightest budget, and a size one step above the loosest.
    """
    plain = by_bits[BUDGETS[0]].plain if BUDGETS[0] in by_bits else []
    worst = max(_means(each)[0] for each in records)
    loss = max((float(each.kl.mean()) for each in plain if each.holds), default=worst)
    reference = Reference(size=BUDGETS[-1] + STEP, loss=loss)
    volumes = [hypervolume(BUDGETS, _means(each), reference) for each in records]
    said = f"Hypervolume over (nominal bits, log KL), from {reference.size:g} bits and a KL of {loss:.5f}: "
    said += _mean(volumes)
    shared = [bits for bits in BUDGETS if bits in by_bits and by_bits[bits].published]
    if not shared:
        return f"{said}."
    own = [hypervolume(shared, [float(each.kl[bits].mean()) for bits in shared], reference) for each in records]
    said += f". At {', '.join(f'{bits:g}' for bits in shared)} bits alone: {_mean(own)}"
    for method, name in RIVALS.items():
        theirs = [_runs(by_bits[bits], method) for bits in shared]
        seeds = set.intersection(*(set(runs) for runs in theirs))
        other = [hypervolume(shared, [runs[seed].loss for runs in theirs], reference) for seed in sorted(seeds)]
        if other:
            said += f"; of {name} {_mean(other)}"
    return f"{said}. Those were searched once a budget."


def _mean(values: Sequence[float]) -> str:
    """With its standard error over seeds."""
    error = f" ± {standard_error(np.array(values)):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{error}"


def _is_ours(standing: Standing) -> bool:
    return standing.task.model is REFERENCE and standing.task.kind == "bits"


def _runs(standing: Standing, name: str) -> Runs:
    """Of one method; none where it was not run."""
    method = standing.find(name)
    return {} if method is None else standing.runs[method]


def _row(bits: float, kl: np.ndarray, standing: Standing | None, attained: np.ndarray) -> tuple[str, ...]:
    others = [{} if standing is None else _runs(standing, method) for method in RIVALS]
    return (
        f"{bits:.2f}",
        f"{kl.mean():.5f} ± {standard_error(kl.mean(axis=0)):.5f}",
        ", ".join(f"{loss:.5f}" for loss in attained),
        *(
            str(relative_change(kl, np.array([record.kl for record in runs.values()]))) if runs else ""
            for runs in others
        ),
    )
