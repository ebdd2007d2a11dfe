"""Writes what a job measured into an Optuna storage, for optuna-dashboard."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from search.report import Measured, Objective, losses, shown
from spaces.option import DROP
from spaces.space import Space
from store.optuna_study import OptunaStudy, StudyTrial


def open_study(address: str, name: str, space: Space, objective: Objective) -> OptunaStudy:
    """The study of a job, made where it is not there yet; raises as ``OptunaStudy.open``."""
    choices: dict[str, list[str]] = {}
    for unit, holder in zip(space.units, space.holders, strict=True):
        slugs = [option.slug for option in unit.options]
        if holder is not None and DROP.slug not in slugs:  # it may go with what it lies in
            slugs.insert(0, DROP.slug)
        choices |= {space.layers[index].name: slugs for index in unit.layers}
    return OptunaStudy.open(address, name, choices=choices, metrics=(objective, "size_bytes"))


def write_trials(study: OptunaStudy, evaluated: Iterable[Measured], space: Space, objective: Objective) -> int:
    """Add every configuration that was measured on all of the job's tokens; how many were new."""
    return study.add([_trial(measured, space, objective) for measured in evaluated])


def _trial(measured: Measured, space: Space, objective: Objective) -> StudyTrial:
    measures = space.measure(space.levels(measured.configuration))
    with np.errstate(invalid="ignore"):
        loss = float(losses(measured.calibration, objective).mean())
    return StudyTrial(
        id=measured.configuration.id,
        params={name: option.slug for name, option in measured.configuration.options},
        values=(shown(loss, objective), float(measures.size_bytes)),
        attributes={
            "name": measured.name,
            "nominal_bits_per_weight": measures.nominal_bits / max(1, space.num_weights),
        },
    )
