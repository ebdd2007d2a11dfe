"""Everything that a job measured at its highest fidelity: numbers that stand for losses, and levels for options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import overload

import numpy as np
from numpy.typing import NDArray

from search.digests import Digests
from search.front import non_dominated, non_dominated_in_all
from search.report import Evaluated, Measured, Objective, Summary, summarise
from search.rows import Rows, levels_type
from search.sampling.objectives import tasks_among, values_of
from spaces.configuration import Configuration
from spaces.space import Levels, Space
from store.records import TASK_PREFIX, WEIGHED, Weighed


class Findings(Sequence[Evaluated]):
    """Configurations of one space, each once, in the order in which they came; they and their rows are made on demand.

    One takes a byte for each unit of the space and some 60 more, and a name where it shares none with the one before:
    the losses on every sequence stay in the store. What a front weighs beside loss and size takes 8 bytes each; of
    tasks it is the mean error.
    """

    def __init__(self, space: Space, weighed: Sequence[Weighed] = ()) -> None:
        self._space = space
        self._weighed = tuple(weighed)
        self._numbers = Digests()  # of rows, by configuration
        self._rows = Rows(_row_type(space, self._weighed))
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Evaluated: ...

    @overload
    def __getitem__(self, index: slice) -> list[Evaluated]: ...

    def __getitem__(self, index: int | slice) -> Evaluated | list[Evaluated]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        row = self._rows[index + len(self) if index < 0 else index]
        return Evaluated(
            name=self._names[row["name"]],
            configuration=self._space.configure(row["levels"].tolist()),
            calibration=Summary(*row["calibration"].tolist()),
            task_errors={task: float(row[f"{TASK_PREFIX}{task}"]) for task in tasks_among(self._weighed)},
        )

    def add(self, measured: Measured, *, is_computed: bool) -> bool:
        """Take a configuration in; False where it is known, which changes nothing."""
        digest = measured.configuration.hash
        if digest in self._numbers:
            return False
        levels = self._space.levels(measured.configuration)
        summary = astuple(summarise(measured.calibration))
        measures = self._space.measure(levels)
        others = values_of(summary[0], measures, self.minimised(measured), self._weighed)
        name = self._number_of(measured.name)
        row = self._rows.append(levels, measures.stored_bits, summary, name, is_computed, *others)
        self._numbers.put(digest, row)
        return True

    def minimised(self, measured: Measured) -> dict[str, float]:
        """The mean errors on the tasks that the front weighs, by task."""
        return {task: float(measured.task_errors[task].mean()) for task in tasks_among(self._weighed)}

    def rename(self, configuration: Configuration, name: str) -> None:
        """Show a known configuration under another name."""
        number = self._numbers.get(configuration.hash)
        if number is None:
            raise ValueError(f"configuration {configuration.id} must be added before it is named {name!r}")
        self._rows[number]["name"] = self._number_of(name)

    def was_computed(self, configuration: Configuration) -> bool:
        """Whether it is known and was measured for this job, rather than found in the store."""
        number = self._numbers.get(configuration.hash)
        return number is not None and bool(self._rows[number]["is_computed"])

    def stored_bits(self) -> NDArray[np.int64]:
        """Of each configuration."""
        return self._rows.column("stored_bits")

    def losses(self, objective: Objective) -> NDArray[np.float64]:
        """The mean loss of each configuration, in nats."""
        return self._rows.column("calibration")["kl" if objective == "kl" else "nll"]

    def front(self, objective: Objective) -> list[int]:
        """The numbers of those that no other beats in loss, size and what else is weighed, the smallest first."""
        sizes, losses = self.stored_bits(), self.losses(objective)
        if not self._weighed:
            return non_dominated(sizes, losses)
        others = [self._rows.column(name) for name in self._weighed]
        return non_dominated_in_all(np.column_stack([sizes, losses, *others]).astype(np.float64))

    def losses_by_levels(self, objective: Objective) -> dict[Levels, float]:
        """The same, for who chooses among them."""
        levels = map(tuple, self._rows.column("levels").tolist())
        return dict(zip(levels, self.losses(objective).tolist(), strict=True))

    def _number_of(self, name: str) -> int:
        """Candidates of one round share a name."""
        if not self._names or self._names[-1] != name:
            self._names.append(name)
        return len(self._names) - 1


def _row_type(space: Space, weighed: Sequence[Weighed]) -> np.dtype[np.void]:
    summary = [(field, np.float64) for field in Summary.__dataclass_fields__]
    return np.dtype(
        [
            ("levels", levels_type(space)),
            ("stored_bits", np.int64),
            ("calibration", summary),
            ("name", np.int32),
            ("is_computed", np.bool_),
            *((name, np.int64 if name in WEIGHED else np.float64) for name in weighed),
        ]
    )
