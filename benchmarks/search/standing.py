"""How the methods stand at one task: what was measured, held against EvoPress as published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.curves import Curve, Reach, median_reach
from benchmarks.search.methods import PUBLISHED, Method, Scope
from benchmarks.search.paired import Change, relative_change
from benchmarks.search.records import Plain, Record
from benchmarks.search.tasks import Task
from search.report import standard_error

Runs = Mapping[int, Record]  # by seed


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """When a method is first where EvoPress as published ends, at its mean KL over seeds."""

    tokens: Reach | None  # the median over seeds; None where at most half of them get there
    published_tokens: float  # what EvoPress reads in all
    num_reaching: int
    num_seeds: int

    @property
    def times_fewer(self) -> tuple[float, float] | None:
        """At least and at most. A score that reads nothing takes a token, so that the ratio is a number."""
        if self.tokens is None:
            return None
        return self.published_tokens / max(1.0, self.tokens.by), self.published_tokens / max(1.0, self.tokens.after)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One method at one task."""

    method: Method
    seeds: tuple[int, ...]
    kl: float  # of the answers, the mean over seeds
    kl_se: float  # over sequences, each averaged over seeds
    lowest: float  # of the seeds
    highest: float
    read: float  # mean over seeds
    computed: float
    is_cut: bool
    read_to_reach: Arrival | None  # None where EvoPress was not run
    computed_to_reach: Arrival | None
    at_equal_tokens: Change | None  # KL over EvoPress', both at EvoPress' tokens; None where it has no answer by then


@dataclass(frozen=True, kw_only=True)
class Standing:
    """All that was measured at one task. Methods that were not run are left out."""

    task: Task
    plain: Sequence[Plain]
    runs: Mapping[Method, Runs]

    @property
    def published(self) -> Runs:
        return next((runs for method, runs in self.runs.items() if method.name == PUBLISHED), {})

    @property
    def published_tokens(self) -> float | None:
        """What EvoPress as published reads, and computes: the mean over its seeds."""
        return float(np.mean([record.read for record in self.published.values()])) if self.published else None

    @property
    def published_reach(self) -> Arrival | None:
        """When EvoPress as published is first where it ends."""
        return self._reach([record.curve() for record in self.published.values()])

    @property
    def target(self) -> float | None:
        """The KL at which EvoPress as published ends: the mean over its seeds."""
        return float(np.mean([record.loss for record in self.published.values()])) if self.published else None

    def in_scope(self, scope: Scope) -> list[Method]:
        """The methods that look in one space, EvoPress as published with every one; drops have one space alone."""
        return [method for method in self.runs if scope_of(method, self.task) == scope or method.name == PUBLISHED]

    def find(self, name: str) -> Method | None:
        return next((method for method in self.runs if method.name == name), None)

    def summarize(self, method: Method) -> Summary:
        runs = self.runs[method]
        losses = [record.loss for record in runs.values()]
        kl = np.array([record.kl for record in runs.values()]).mean(axis=0)
        return Summary(
            method=method,
            seeds=tuple(runs),
            kl=float(np.mean(losses)),
            kl_se=standard_error(kl),
            lowest=min(losses),
            highest=max(losses),
            read=float(np.mean([record.read for record in runs.values()])),
            computed=float(np.mean([record.computed for record in runs.values()])),
            is_cut=any(record.is_cut for record in runs.values()),
            read_to_reach=self._reach([record.curve() for record in runs.values()]),
            computed_to_reach=self._reach([record.curve(computed=True) for record in runs.values()]),
            at_equal_tokens=self._at_equal_tokens(runs),
        )

    def _reach(self, curves: Sequence[Curve]) -> Arrival | None:
        if self.target is None or self.published_tokens is None:
            return None
        return Arrival(
            tokens=median_reach(curves, self.target),
            published_tokens=self.published_tokens,
            num_reaching=sum(curve.reach(self.target) is not None for curve in curves),
            num_seeds=len(curves),
        )

    def _at_equal_tokens(self, runs: Runs) -> Change | None:
        if self.published_tokens is None:
            return None
        places = [record.curve().place(self.published_tokens) for record in runs.values()]
        own = [record.kl_of(place) for record, place in zip(runs.values(), places, strict=True) if place is not None]
        if len(own) < len(runs):
            return None
        return relative_change(np.array(own), np.array([record.kl for record in self.published.values()]))


def scope_of(method: Method, task: Task) -> Scope:
    return "same space" if task.kind == "drops" and method.scope == "global" else method.scope


def span(bounds: Iterable[float], form: str) -> str:
    """Both bounds, or one where they look alike."""
    return " to ".join(dict.fromkeys(f"{each:{form}}" for each in bounds))
