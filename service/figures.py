"""A finished job as both pictures show it: its points, the answer or the answers, the layers and the sentences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from search.engine.plan import Plan
from search.front import non_dominated
from search.front_report import FrontOutcome
from search.report import Evaluated, Outcome
from search.settings import name_of
from service.pictures.figure import Figure, Layer, Point
from spaces.budgets import show_budgets
from spaces.configuration import Configuration


def make_figure(plan: Plan, outcome: Outcome | FrontOutcome) -> Figure:
    """The job as both pictures show it."""
    space, spec = plan.problem.space, plan.spec
    plain = {baseline.configuration for baseline in outcome.baselines}
    front, answers, budget = _front(outcome), _answers(outcome), _budget(plan, outcome)
    return Figure(
        title=f"{Path(spec.model).name}: {budget}",
        subtitle=f"{name_of(spec.strategy)}, seed {spec.seed}, {outcome.facts['fidelity_tokens']:,} calibration tokens",
        objective_name="KL divergence, nats per token" if spec.objective == "kl" else "perplexity",
        points=tuple(
            _point(
                evaluated,
                outcome,
                is_front=index in front,
                is_baseline=evaluated.configuration in plain,
                budget=answers.get(evaluated.configuration),
            )
            for index, evaluated in enumerate(outcome.evaluated)
        ),
        layers=tuple(
            Layer(name=layer.name, block=layer.block, module=layer.module, num_weights=layer.num_weights)
            for layer in space.layers
        ),
        budget_label=budget,
        budget_size_bytes=_size_bytes(plan) if isinstance(outcome, Outcome) else None,
        verdict=outcome.verdict,
        dense_note=f"dense: {space.measure(space.kept).size_bytes / 1e6:,.1f} MB, "
        f"perplexity {outcome.facts['dense']['calibration']['perplexity']:.2f}",
    )


def _front(outcome: Outcome | FrontOutcome) -> set[int]:
    """The front of size and loss, which is what a picture has axes for, whatever else the job weighs."""
    shown = [outcome.evaluated[index] for index in outcome.front]
    sizes = [outcome.space.measure(outcome.space.levels(each.configuration)).stored_bits for each in shown]
    chosen = non_dominated(sizes, [each.calibration.loss(outcome.objective) for each in shown])
    return {outcome.front[index] for index in chosen}


def _answers(outcome: Outcome | FrontOutcome) -> Mapping[Configuration, str]:
    """The configurations that are answers, with the values of the limit that they answer where there are several."""
    if isinstance(outcome, Outcome):
        return {outcome.answer.configuration: ""}
    values: dict[Configuration, list[str]] = {}
    for at in outcome.answers:
        values.setdefault(at.answer.configuration, []).append(at.value)
    return {configuration: ", ".join(own) for configuration, own in values.items()}


def _budget(plan: Plan, outcome: Outcome | FrontOutcome) -> str:
    return str(plan.problem.budget) if isinstance(outcome, Outcome) else show_budgets(outcome.limit, plan.budgets)


def _size_bytes(plan: Plan) -> int | None:
    limits = plan.problem.budget.limits
    return next((limit.limit // 8 for limit in limits if limit.measure == "stored_bits"), None)


def _point(
    evaluated: Evaluated, outcome: Outcome | FrontOutcome, *, is_front: bool, is_baseline: bool, budget: str | None
) -> Point:
    """``budget`` is None for what is no answer."""
    space = outcome.space
    measures = space.measure(space.levels(evaluated.configuration))
    mean = evaluated.calibration.loss(outcome.objective)
    error = evaluated.calibration.loss_se(outcome.objective)
    if outcome.objective == "perplexity":  # the delta method: d exp(x) = exp(x) dx
        mean, error = float(np.exp(mean)), float(np.exp(mean)) * error
    is_answer = budget is not None
    return Point(
        configuration_id=evaluated.configuration.id,
        label=evaluated.name,
        size_bytes=measures.size_bytes,
        bits_per_weight=measures.stored_bits / space.anatomy.num_parameters,
        nominal_bits_per_weight=measures.nominal_bits / max(1, space.num_weights),
        objective=mean,
        objective_se=error if np.isfinite(error) else None,
        is_front=is_front,
        is_baseline=is_baseline,
        is_answer=is_answer,
        options=tuple(evaluated.configuration[name].slug for name in space.names)
        if is_front or is_baseline or is_answer
        else None,
        budget=budget or "",
    )
