"""What a comparison shows: the measured answers of several methods and of the uniform choice."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import exp, isfinite, log

from spaces.errors import InputError

BAR_ERRORS = 2.0  # standard errors that a bar reaches up and down


@dataclass(frozen=True, kw_only=True)
class ComparisonPoint:
    """One method's answer for one budget, measured."""

    budget: str  # as the user wrote it: "2.5"; answers for one budget are compared with each other
    configuration_id: str
    size_bytes: int
    bits_per_weight: float  # effective: scales, zeros and padding counted
    nominal_bits_per_weight: float  # codes alone
    loss: float  # lower is better; not finite where the model broke
    loss_se: float | None  # standard error
    difference: float | None = None  # loss minus the uniform baseline's, paired per sequence
    difference_se: float | None = None
    tokens: int | None = None  # what the method read to find it, scores included
    note: str = ""

    @property
    def is_broken(self) -> bool:
        return not isfinite(self.loss)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One method's answers over the budgets."""

    name: str
    points: tuple[ComparisonPoint, ...]
    is_baseline: bool = False

    @property
    def drawn(self) -> tuple[ComparisonPoint, ...]:
        """The points that have a place on the axes, smallest first."""
        return tuple(sorted((p for p in self.points if not p.is_broken), key=lambda p: (p.size_bytes, p.loss)))

    @property
    def broken(self) -> tuple[ComparisonPoint, ...]:
        return tuple(point for point in self.points if point.is_broken)

    @property
    def tokens(self) -> int | None:
        """The most that one of the answers took."""
        return max((point.tokens for point in self.points if point.tokens is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that both pictures and the table of one comparison are drawn from.

    Raises:
        InputError: no point has a finite loss, or two answers of one name are for one budget.
    """

    title: str
    subtitle: str
    objective_name: str  # "KL divergence, nats per token"
    lines: tuple[Line, ...]  # methods keep their colour and mark from this order

    def __post_init__(self) -> None:
        points = [(line.name, point.budget) for line in self.lines for point in line.points]
        if not any(line.drawn for line in self.lines):
            raise InputError(
                f"a comparison needs an answer with a finite loss, got none among {len(points)}; "
                f"raise the budgets or add a method"
            )
        for name, budget in points:
            if points.count((name, budget)) > 1:
                raise InputError(
                    f"a method has one answer for each budget, got two of {name} for {budget}; name the methods apart"
                )

    @cached_property
    def drawn(self) -> tuple[ComparisonPoint, ...]:
        return tuple(point for line in self.lines for point in line.drawn)

    @cached_property
    def budgets(self) -> tuple[str, ...]:
        """Every budget, smallest first by the answers found for it."""
        sizes: dict[str, int] = {}
        for point in (point for line in self.lines for point in line.points):
            sizes[point.budget] = max(sizes.get(point.budget, 0), point.size_bytes)
        return tuple(sorted(sizes, key=lambda budget: sizes[budget]))

    @cached_property
    def baselines(self) -> dict[str, ComparisonPoint]:
        """The best baseline of each budget that has one whose loss is finite and above zero."""
        best: dict[str, ComparisonPoint] = {}
        for point in (point for line in self.lines if line.is_baseline for point in line.drawn):
            if point.loss > 0 and (point.budget not in best or point.loss < best[point.budget].loss):
                best[point.budget] = point
        return best

    def ratio(self, point: ComparisonPoint) -> float | None:
        """The loss over that of the best baseline for the same budget."""
        baseline = self.baselines.get(point.budget)
        return None if baseline is None or point.is_broken else point.loss / baseline.loss

    def ratio_se(self, point: ComparisonPoint) -> float | None:
        """The standard error of the ratio, to first order in the paired difference."""
        baseline = self.baselines.get(point.budget)
        if baseline is None or point.is_broken or point.difference_se is None:
            return None
        return point.difference_se / baseline.loss

    def mean_ratio(self, line: Line) -> float | None:
        """The geometric mean of a line's ratios that are above zero."""
        ratios = [ratio for ratio in map(self.ratio, line.points) if ratio is not None and ratio > 0]
        return exp(sum(map(log, ratios)) / len(ratios)) if ratios else None

    @cached_property
    def ranked(self) -> tuple[Line, ...]:
        """Baselines first, then methods: unbroken before broken, smallest mean ratio first."""

        def rank(line: Line) -> tuple[bool, int, float]:
            ratio = self.mean_ratio(line)
            return (not line.is_baseline, len(line.broken), float("inf") if ratio is None else ratio)

        return tuple(sorted(self.lines, key=rank))

    @cached_property
    def lead(self) -> str:
        """The sentence that names the best method of each budget."""
        named = [note for note in map(self._best_note, self.budgets) if note]
        return f"Lowest loss {'; '.join(named)}." if named else "No method was compared with a baseline."

    def _best_note(self, budget: str) -> str:
        answers = [(line, point) for line in self.lines for point in line.drawn if point.budget == budget]
        if not answers:
            return f"at {budget}: none, all broken"
        line, point = min(answers, key=lambda answer: answer[1].loss)
        ratio = self.ratio(point)
        told = "" if line.is_baseline or ratio is None else f" ({ratio:.3g} × uniform)"
        return f"at {budget}: {line.name}{told}"


COLUMNS = (
    *("method", "budget", "size_bytes", "bits_per_weight", "nominal_bits_per_weight", "loss", "se"),
    *("ratio_to_uniform", "difference_to_uniform", "difference_se", "tokens", "configuration", "note"),
)


def comparison_csv(comparison: Comparison) -> str:
    """One line for each method and budget; an infinite loss is ``inf``, what is not known is empty."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in comparison.lines:
        writer.writerows(_row(comparison, line.name, point) for point in line.points)
    return target.getvalue()


def _row(comparison: Comparison, name: str, point: ComparisonPoint) -> Iterable[object]:
    return (
        *(name, point.budget, point.size_bytes, point.bits_per_weight, point.nominal_bits_per_weight),
        *(point.loss, point.loss_se, comparison.ratio(point), point.difference, point.difference_se),
        *(point.tokens, point.configuration_id, point.note),
    )
