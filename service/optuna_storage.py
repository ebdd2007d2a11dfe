"""Writes what a job measured into an Optuna storage, for optuna-dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from search.report import Evaluated, Objective, shown
from search.sampling.objectives import values_of
from spaces.option import DROP
from spaces.space import Space
from store.optuna_study import OptunaStudy, StudyTrial
from store.records import Weighed


def open_study(
    address: str, name: str, space: Space, objective: Objective, weighed: Sequence[Weighed] = ()
) -> OptunaStudy:
    """The study of a job, made where it is not there yet; raises as ``OptunaStudy.open``.

    Its metrics are the loss, the size, and what the job's front weighs beside them.
    """
    choices: dict[str, list[str]] = {}
    for unit, holder in zip(space.units, space.holders, strict=True):
        slugs = [option.slug for option in unit.options]
        if holder is not None and DROP.slug not in slugs:  # it may go with what it lies in
            slugs.insert(0, DROP.slug)
        choices |= {space.layers[index].name: slugs for index in unit.layers}
    return OptunaStudy.open(address, name, choices=choices, metrics=(objective, "size_bytes", *weighed))


def write_trials(
    study: OptunaStudy,
    evaluated: Iterable[Evaluated],
    space: Space,
    objective: Objective,
    weighed: Sequence[Weighed] = (),
) -> int:
    """Add every configuration that was measured on all of the job's tokens; how many were new."""
    return study.add([_trial(each, space, objective, weighed) for each in evaluated])


def _trial(evaluated: Evaluated, space: Space, objective: Objective, weighed: Sequence[Weighed]) -> StudyTrial:
    measures = space.measure(space.levels(evaluated.configuration))
    loss = shown(evaluated.calibration.loss(objective), objective)
    return StudyTrial(
        id=evaluated.configuration.id,
        params={name: option.slug for name, option in evaluated.configuration.options},
        values=(loss, float(measures.size_bytes), *values_of(loss, measures, evaluated.task_errors, weighed)),
        attributes={
            "name": evaluated.name,
            "nominal_bits_per_weight": measures.nominal_bits / max(1, space.num_weights),
        },
    )
