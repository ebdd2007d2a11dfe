"""What a statistic is: something measured on a live model that is no candidate's loss, sample by sample.

A sample is what its estimate averages over: one probe vector, one sequence, one layer. Samples are independent of each
other and of how many are asked for, so each is computed once, by any worker, and kept by content.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from evaluators.evaluator import Evaluator
from spaces.configuration import Configuration
from spaces.option import Banked, Drop, Keep

Samples = Mapping[str, np.ndarray]  # by name, each (samples, ...): float64 unless the statistic says otherwise
Entry = tuple[str, Banked]  # a bank entry: layer name and option
Change = tuple[str, Banked | Drop]  # of a layer, or of a part that is dropped


@dataclasses.dataclass(frozen=True, kw_only=True)
class Passes:
    """What one sample costs: tokens that go forward and tokens that go backward through the whole model.

    A Hessian-vector product by double backward counts as one forward and three backward passes, a finite difference of
    gradients as two of each.
    """

    forward_tokens: int = 0
    backward_tokens: int = 0

    def __mul__(self, count: int) -> Passes:
        return Passes(forward_tokens=self.forward_tokens * count, backward_tokens=self.backward_tokens * count)

    @property
    def total_tokens(self) -> int:
        return self.forward_tokens + self.backward_tokens


class Statistic(Protocol):
    """A frozen dataclass whose fields are whole numbers, floats, strings, options, configurations and tuples of them.

    Its fields, ``name`` and ``version`` are part of every sample's key.
    """

    name: ClassVar[str]
    version: ClassVar[int]  # raise it when a number changes meaning

    def num_sequences(self, length: int) -> int:
        """Sequences of the stream that the samples read, the first of it; 0 where they read none."""

    def entries(self) -> tuple[Entry, ...]:
        """The bank entries that the samples read."""

    def passes(self, length: int) -> Passes:
        """What one sample costs with sequences of ``length`` tokens."""

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        """Samples ``start`` to ``stop``, each array with one row for each. The live model is left as it likes.

        Raises:
            InputError: the model cannot give what the statistic needs (gradients, double backward).
            JobError: a number is NaN or infinite where it must not be.
        """


@runtime_checkable
class Shared(Protocol):
    """A statistic whose forward passes share the blocks that their configurations have in common."""

    def forwards(self) -> tuple[Configuration, ...]:
        """The configurations that read all of a sample, each once."""


def contents(statistic: Statistic) -> dict[str, Any]:
    """What a statistic is, as JSON can hold it: its part of the key of each of its samples."""
    fields = {field.name: getattr(statistic, field.name) for field in dataclasses.fields(statistic)}  # type: ignore[arg-type]
    return {
        "name": statistic.name,
        "version": statistic.version,
        **{key: _plain(value) for key, value in fields.items()},
    }


def _plain(value: object) -> object:
    if isinstance(value, Keep | Banked | Drop):
        return value.slug
    if isinstance(value, Configuration):
        return value.hash
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
