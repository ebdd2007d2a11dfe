"""What a job of several budgets found: an answer at each, how much the front covers, and one sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from search.decision import best_plain, unseen
from search.front import LEAST_LOSS, Bins, Reference, hypervolume
from search.report import Evaluated, Measured, Objective, describe, entry, front_entry, paired, shown
from spaces.budget import Budget
from spaces.configuration import Configuration
from spaces.space import Space

VOLUME_UNIT = "bits per weight x nats of log loss"


@dataclass(frozen=True, kw_only=True)
class AtBudget:
    """One budget's answer. All of it is validated."""

    budget: Budget
    value: str  # of the limit that varies, as a person wrote it
    answer: Measured
    found: Measured  # what the strategy found: the answer, unless a plain choice is better on unseen text
    plain: tuple[Measured, ...]  # the plain choices that fit
    verdict: str


@dataclass(frozen=True, kw_only=True)
class FrontOutcome:
    """All that a finished job of several budgets has to show."""

    space: Space
    objective: Objective
    limit: str  # the name of the limit that varies
    answers: tuple[AtBudget, ...]  # the tightest budget first
    baselines: tuple[Measured, ...]  # validated; each fits some budget
    evaluated: Sequence[Evaluated]  # everything measured at the highest fidelity, each once
    front: tuple[int, ...]  # indices into ``evaluated``
    bins: Bins[Configuration]  # the best of each size among ``evaluated``
    verdict: str
    facts: dict[str, Any] = field(default_factory=dict)  # the plain part of the report


def front_report(outcome: FrontOutcome) -> dict[str, Any]:
    """``report.json`` of a job of several budgets."""
    return {
        **outcome.facts,
        "limit": outcome.limit,
        "answers": [_answer(each, outcome) for each in outcome.answers],
        "baselines": [entry(baseline, outcome.space) for baseline in outcome.baselines],
        "front": [front_entry(outcome.evaluated[index], outcome.space) for index in outcome.front],
        "bins": _bins(outcome),
        "hypervolume": volumes(outcome),
        "verdict": outcome.verdict,
    }


def _answer(at: AtBudget, outcome: FrontOutcome) -> dict[str, Any]:
    best = best_plain(at.plain, outcome.objective)
    return {
        "budget": {limit.name: limit.written for limit in at.budget.limits},
        "value": at.value,
        "answer": entry(at.answer, outcome.space),
        "found": entry(at.found, outcome.space),
        "best_plain": None if best is None else entry(best, outcome.space),
        **_against(at.answer, best, outcome.objective),
        "verdict": at.verdict,
    }


def _against(answer: Measured, best: Measured | None, objective: Objective) -> dict[str, float | None]:
    """The answer's loss over the best plain choice's, and their paired difference in nats, on unseen text."""
    if best is None or answer.validation is None or best.validation is None:
        return {"over_plain": None, "difference": None, "difference_se": None}
    difference = paired(answer.validation, best.validation, objective)
    numbers = {
        "over_plain": _ratio(answer, best, objective),
        "difference": difference.mean,
        "difference_se": difference.se,
    }
    return {name: value if np.isfinite(value) else None for name, value in numbers.items()}


def _ratio(answer: Measured, best: Measured, objective: Objective) -> float:
    own, other = (shown(unseen(each, objective), objective) for each in (answer, best))
    return own / other if other else 1.0


def _bins(outcome: FrontOutcome) -> list[dict[str, Any]]:
    """The best configuration of each size bin that has one, by its loss on the calibration text."""
    elites = outcome.bins.elites()
    best = {elite.what for elite in elites}
    named = {each.configuration: each for each in outcome.evaluated if each.configuration in best}
    rows = []
    for elite in elites:
        evaluated = named[elite.what]
        row = describe(evaluated.name, evaluated.configuration, outcome.space)
        loss = shown(evaluated.calibration.loss(outcome.objective), outcome.objective)
        rows.append({"bin": outcome.bins.number_of(elite.size), **row, "loss_calibration": loss})
    return rows


def volumes(outcome: FrontOutcome) -> dict[str, Any]:
    """Hypervolumes of the answers and of the plain choices, and the reference to compute them again from.

    Everything is on unseen text. The reference is the loss of the smallest plain choice (or the largest of the answers'
    where there is none), and a size one mean step above the largest answer's, so that the largest counts as well; one
    bit per weight where all are of one size.
    """
    answers = [_point(each.answer, outcome) for each in outcome.answers]
    plain = sorted(point for each in outcome.baselines if np.isfinite((point := _point(each, outcome))[1]))
    sizes, values = zip(*answers, strict=True)
    step = (max(sizes) - min(sizes)) / max(1, len(sizes) - 1) or 1.0
    worst = plain[0][1] if plain else max((value for value in values if np.isfinite(value)), default=1.0)
    reference = Reference(size=max(sizes) + step, loss=max(worst, LEAST_LOSS))
    return {
        "text": "validation",
        "unit": VOLUME_UNIT,
        "reference": {"bits_per_weight": reference.size, "loss": reference.loss},
        "answers": hypervolume(sizes, values, reference),
        "plain": hypervolume([size for size, _ in plain], [value for _, value in plain], reference),
    }


def _point(measured: Measured, outcome: FrontOutcome) -> tuple[float, float]:
    """Bits per weight, and the loss on unseen text as people quote it."""
    row = describe(measured.name, measured.configuration, outcome.space)
    return row["bits_per_weight"], shown(unseen(measured, outcome.objective), outcome.objective)


def write_front_verdict(limit: str, answers: Sequence[AtBudget], objective: Objective) -> str:
    """One sentence: at how many budgets the answer beats the best plain choice that fits, by how much, how surely."""
    best = {at.value: best_plain(at.plain, objective) for at in answers}
    alone = [at for at in answers if best[at.value] is None]
    plain = [at for at in answers if at not in alone and _is_plain(at, best)]
    wins = [at for at in answers if at not in alone and at not in plain]
    parts = [_won(wins, best, len(answers), objective)] if wins else []
    if plain:
        parts.append(f"at {_listed(limit, plain)} nothing found beats the best plain choice, which is the answer")
    if alone:
        parts.append(f"no plain choice meets {_listed(limit, alone)}")
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _is_plain(at: AtBudget, best: Mapping[str, Measured | None]) -> bool:
    other = best[at.value]
    return other is not None and at.answer.configuration == other.configuration


def _won(wins: Sequence[AtBudget], best: Mapping[str, Measured | None], num_budgets: int, objective: Objective) -> str:
    pairs = [(at.answer, other) for at in wins if (other := best[at.value]) is not None]
    less = sorted(1 - _ratio(answer, other, objective) for answer, other in pairs)
    word = "KL" if objective == "kl" else "perplexity"
    by = f"{less[0]:.1%}" if f"{less[0]:.1%}" == f"{less[-1]:.1%}" else f"{less[0]:.1%} to {less[-1]:.1%}"
    num_sure = sum(_is_sure(answer, other, objective) for answer, other in pairs)
    where = f"all {num_budgets}" if len(wins) == num_budgets > 1 else f"{len(wins)} of {num_budgets}"
    return (
        f"at {where} budgets the answer's {word} on unseen text is {by} below that of the best plain choice that fits, "
        f"at {'all' if num_sure == len(wins) else num_sure} of them by more than two standard errors"
    )


def _is_sure(answer: Measured, other: Measured, objective: Objective) -> bool:
    if answer.validation is None or other.validation is None:
        return False
    difference = paired(answer.validation, other.validation, objective)
    return abs(difference.mean) > 2 * difference.se


def _listed(limit: str, answers: Sequence[AtBudget]) -> str:
    values = [at.value for at in answers]
    return f"{limit} " + (", ".join(values[:-1]) + " and " if values[1:] else "") + values[-1]
