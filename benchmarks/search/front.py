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
from benchmarks.search.methods import GLOBAL, TRUST_REGION, shortened
from benchmarks.search.paired import relative_change
from benchmarks.search.race import Race
from benchmarks.search.records import Records, rounded
from benchmarks.search.standing import Standing
from benchmarks.search.tasks import REFERENCE, Task
from evaluators.statistic import Samples
from search.engine.answers import drive
from search.fronts import search_front
from search.report import standard_error
from search.settings import make_strategy
from search.strategy import Losses, Question

LIMIT = "nominal_bits_per_weight"
BUDGETS = tuple(2.25 + step / 4 for step in range(9))  # 2.25 to 4.25
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
    """What all nine budgets cost, and each answer beside EvoPress' at that budget; seeds are averaged."""
    read, computed = (float(np.mean([getattr(each, name) for each in records])) for name in ("read", "computed"))
    by_bits = {standing.task.budget.get(LIMIT): standing for standing in standings.values() if _is_ours(standing)}
    tokens = next((each.published_tokens for each in by_bits.values() if each.published_tokens), None)
    cost = f"Seeds: {len(records)}; {read:,.0f} tokens read and {computed:,.0f} computed for all nine budgets"
    if tokens:
        goal = f"the goal of {SHARE:.0%} is {'met' if read <= SHARE * tokens else 'missed'}"
        cost += f", {read / tokens:.1%} and {computed / tokens:.1%} of one EvoPress run: {goal}"
    rows = [_row(bits, np.array([each.kl[bits] for each in records]), by_bits.get(bits)) for bits in BUDGETS]
    return f"{cost}.\n\n" + table(
        ("nominal bits", "validation KL ± s.e.", "KL over EvoPress' own, paired ± s.e."), rows
    )


def _is_ours(standing: Standing) -> bool:
    return standing.task.model is REFERENCE and standing.task.kind == "bits"


def _row(bits: float, kl: np.ndarray, standing: Standing | None) -> tuple[str, ...]:
    against = ""
    if standing is not None and standing.published:
        change = relative_change(kl, np.array([record.kl for record in standing.published.values()]))
        against = f"{change.mean:+.1%} ± {change.se:.1%}"
    return f"{bits:.2f}", f"{kl.mean():.5f} ± {standard_error(kl.mean(axis=0)):.5f}", against
