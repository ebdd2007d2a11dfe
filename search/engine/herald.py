"""Tells whoever listens what a job measured at its own fidelity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from search.engine.steering import Found, FoundKind
from search.findings import Findings
from search.report import Measured, Objective, describe, losses, shown, standard_error
from spaces.space import Space


class Herald:
    """Tells of configurations: of each once in a call."""

    def __init__(
        self, known: Findings, space: Space, objective: Objective, listener: Callable[[Sequence[Found]], None]
    ) -> None:
        self._known = known
        self._space = space
        self._objective = objective
        self._listener = listener

    def tell(self, measured: Sequence[Measured], kind: FoundKind) -> None:
        """Of what is new: what the search met for the first time, or the answers in the end."""
        news = {each.configuration: each for each in measured}
        if news:
            self._listener([self._found(each, kind) for each in news.values()])

    def _found(self, measured: Measured, kind: FoundKind) -> Found:
        space, configuration = self._space, measured.configuration
        size = describe(measured.name, configuration, space)
        loss, error = quoted(losses(measured.calibration, self._objective), self._objective)
        return Found(
            levels=space.levels(configuration),
            name=measured.name,
            kind=kind,
            configuration=configuration,
            size_bytes=cast(int, size["size_bytes"]),
            bits_per_weight=cast(float, size["bits_per_weight"]),
            nominal_bits_per_weight=cast(float, size["nominal_bits_per_weight"]),
            flops=cast(int, size["flops"]),
            parameters=cast(int, size["parameters"]),
            loss=loss,
            loss_se=error,
            is_cached=not self._known.was_computed(configuration),
            task_errors=self._known.minimised(measured),
        )


def quoted(
    values: np.ndarray,  # (sequences,), nats
    objective: Objective,
) -> tuple[float | None, float | None]:
    """The mean loss as people quote it, and its standard error in the same unit, to first order; None has no number."""
    mean, error = float(values.mean()), standard_error(values)
    loss = shown(mean, objective)
    if not np.isfinite(loss):
        return None, None
    slope = 1.0 if objective == "kl" else loss  # of the exponential
    return loss, error * slope if np.isfinite(error) else None
