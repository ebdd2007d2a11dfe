"""What a job found: the answer, what it was held against, the front, and one sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from evaluators.evaluator import Measurement
from spaces.configuration import Configuration
from spaces.space import Space

Objective = Literal["kl", "perplexity"]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One configuration with its losses and its errors on tasks; validation is None where it was not needed."""

    name: str
    configuration: Configuration
    calibration: Measurement
    validation: Measurement | None = None
    task_errors: Mapping[str, np.ndarray] = field(default_factory=dict)  # by task, float64 (documents,)


@dataclass(frozen=True)
class Summary:
    """What a measurement says over all its sequences, in nats per token: means, and their standard errors."""

    kl: float
    kl_se: float
    nll: float
    nll_se: float

    def loss(self, objective: Objective) -> float:
        """What a strategy minimises, as ``losses``."""
        return self.kl if objective == "kl" else self.nll

    def loss_se(self, objective: Objective) -> float:
        """NaN for one sequence, and for a broken model."""
        return self.kl_se if objective == "kl" else self.nll_se


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """One of the many configurations that a search measured on its way, of which no loss by sequence is at hand."""

    name: str
    configuration: Configuration
    calibration: Summary
    task_errors: Mapping[str, float] = field(default_factory=dict)  # by task, of those that the job minimises


@dataclass(frozen=True, kw_only=True)
class Paired:
    """The difference of two losses on the same sequences: its mean and standard error, negative when better."""

    mean: float
    se: float
    num_sequences: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that a finished job has to show."""

    space: Space
    objective: Objective
    answer: Measured
    found: Measured  # what the strategy found: the answer, unless a plain choice is better on unseen text
    baselines: tuple[Measured, ...]
    evaluated: Sequence[Evaluated]  # everything measured at the highest fidelity, each once
    front: tuple[int, ...]  # indices into ``evaluated``
    verdict: str
    facts: dict[str, Any] = field(default_factory=dict)  # the plain part of the report


def losses(measurement: Measurement, objective: Objective) -> np.ndarray:  # float64 (sequences,)
    """What a strategy minimises: KL, or the loss whose exponential is the perplexity."""
    return measurement.kl if objective == "kl" else measurement.nll


def shown(loss: float, objective: Objective) -> float:
    """The loss as people quote it: KL in nats per token, or perplexity."""
    return loss if objective == "kl" else perplexity(loss)


def perplexity(loss: float) -> float:
    """exp(loss), infinite where it is beyond float64."""
    with np.errstate(over="ignore"):
        return float(np.exp(loss))


def standard_error(values: np.ndarray) -> float:  # (sequences,) -> of their mean
    """Of the mean over sequences, which count as independent; NaN for one sequence."""
    if len(values) < 2 or not np.isfinite(values).all():
        return float("nan")
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def summarise(measurement: Measurement) -> Summary:
    """Its means and standard errors."""
    kl, nll = measurement.kl, measurement.nll
    return Summary(float(kl.mean()), standard_error(kl), float(nll.mean()), standard_error(nll))


def paired(left: Measurement, right: Measurement, objective: Objective) -> Paired:
    """``left`` minus ``right``, sequence by sequence; NaN where both are infinite."""
    with np.errstate(invalid="ignore"):
        difference = losses(left, objective) - losses(right, objective)
    return Paired(mean=float(difference.mean()), se=standard_error(difference), num_sequences=len(difference))


def describe(name: str, configuration: Configuration, space: Space) -> dict[str, Any]:
    """One configuration as ``report.json`` shows it, without what was measured."""
    measures = space.measure(space.levels(configuration))
    return {
        "name": name,
        "configuration_id": configuration.id,
        "bits_per_weight": measures.stored_bits / space.anatomy.num_parameters,
        "nominal_bits_per_weight": measures.nominal_bits / max(1, space.num_weights),
        "size_bytes": measures.size_bytes,
        "parameters": measures.parameters,
        "flops": measures.flops,
    }


def entry(measured: Measured, space: Space) -> dict[str, Any]:
    """One configuration as ``report.json`` shows it."""
    validation = None if measured.validation is None else summarise(measured.validation)
    row = _row(measured, summarise(measured.calibration), validation, space)
    return row | _task_rows(
        {task: float(errors.mean()) for task, errors in measured.task_errors.items()},
        {task: standard_error(errors) for task, errors in measured.task_errors.items()},
    )


def front_entry(evaluated: Evaluated, space: Space) -> dict[str, Any]:
    """The same of a point of the front, which nobody validated."""
    return _row(evaluated, evaluated.calibration, None, space) | _task_rows(evaluated.task_errors)


def _row(what: Measured | Evaluated, calibration: Summary, validation: Summary | None, space: Space) -> dict[str, Any]:
    row = describe(what.name, what.configuration, space)
    return row | _numbers("calibration", calibration) | _numbers("validation", validation)


def loss_entry(text: str, measurement: Measurement) -> dict[str, float | None]:
    """What was measured on one text, as ``report.json`` shows it."""
    return _numbers(text, summarise(measurement))


def _task_rows(errors: Mapping[str, float], spread: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Nothing where there are no tasks."""
    row: dict[str, Any] = {"task_errors": dict(errors)} if errors else {}
    return row | ({"task_errors_se": {task: _plain(value) for task, value in spread.items()}} if spread else {})


def _numbers(text: str, summary: Summary | None) -> dict[str, float | None]:
    if summary is None:
        return {f"kl_{text}": None, f"kl_{text}_se": None, f"perplexity_{text}": None}
    return {
        f"kl_{text}": _plain(summary.kl),
        f"kl_{text}_se": _plain(summary.kl_se),
        f"perplexity_{text}": _plain(perplexity(summary.nll)),
    }


def _plain(value: float) -> float | None:
    """JSON has no infinity and no NaN: a configuration that broke the model has no number."""
    return value if np.isfinite(value) else None


def write_verdict(answer: Measured, best: Measured | None, winner: Measured, objective: Objective) -> str:
    """One sentence: how ``winner``, which the strategy found, stands against the ``best`` plain choice.

    Both were validated, and ``answer`` is one of the two.
    """
    if best is None:
        return f"{winner.name} is the answer; no plain choice meets this budget, so there is none to compare with."
    if winner.configuration == best.configuration:
        return f"The search ended at the plain choice itself, {best.name}: nothing it measured was better."
    detail = _compared(winner, best, objective)
    if answer.configuration == best.configuration:
        return f"Nothing found beats {best.name} on unseen text ({detail}), so the answer is that plain choice."
    found, base = (_quoted(measured, objective) for measured in (winner, best))
    word = "KL" if objective == "kl" else "perplexity"
    below = f", {1 - found / base:.1%} below {best.name} ({base:.5g})" if np.isfinite(base) else ""
    return f"On unseen text the answer's {word} is {found:.5g}{below}; {detail}."


def _quoted(measured: Measured, objective: Objective) -> float:
    return shown(float(losses(_validation(measured), objective).mean()), objective)


def _compared(winner: Measured, best: Measured, objective: Objective) -> str:
    """The paired difference in words, and how sure it is."""
    difference = paired(_validation(winner), _validation(best), objective)
    count = difference.num_sequences
    if not np.isfinite(difference.mean):
        return "; ".join(_broken(measured, objective, count) for measured in (winner, best))
    word = "KL" if objective == "kl" else "log-perplexity"
    if count < 2:
        return f"paired difference of the {word} {difference.mean:+.3g} on one sequence, which leaves no standard error"
    sure = "" if abs(difference.mean) > 2 * difference.se else ", which is within two standard errors"
    return f"paired difference of the {word} {difference.mean:+.3g} ± {difference.se:.2g} over {count} sequences{sure}"


def _broken(measured: Measured, objective: Objective, count: int) -> str:
    broken = int((~np.isfinite(losses(_validation(measured), objective))).sum())
    return f"{measured.name} breaks the model on {broken} of {count} sequences"


def _validation(measured: Measured) -> Measurement:
    if measured.validation is None:
        raise ValueError(f"{measured.name} has not been validated; a verdict needs it on unseen text")
    return measured.validation


def report(outcome: Outcome) -> dict[str, Any]:
    """``report.json``."""
    front = [front_entry(outcome.evaluated[index], outcome.space) for index in outcome.front]
    return {
        **outcome.facts,
        "answer": entry(outcome.answer, outcome.space),
        "found": entry(outcome.found, outcome.space),
        "baselines": [entry(baseline, outcome.space) for baseline in outcome.baselines],
        "front": front,
        "verdict": outcome.verdict,
    }
