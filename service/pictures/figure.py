"""What a picture shows: the evaluated points, the layers and the sentences around them."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from spaces.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Point:
    """One evaluated configuration."""

    configuration_id: str
    label: str  # where it came from: "evolution", "uniform gptq-int3-g128-asym"
    size_bytes: int
    bits_per_weight: float  # effective: scales, zeros and padding counted
    nominal_bits_per_weight: float  # codes alone
    objective: float  # lower is better; not finite where the model broke
    objective_se: float | None  # standard error
    is_front: bool
    is_baseline: bool
    is_answer: bool
    options: tuple[str, ...] | None  # one slug per layer of the figure; None when not kept
    budget: str = ""  # of an answer, where the job has several: what it answers

    @property
    def is_marked(self) -> bool:
        """Whether a reader looks for this very point: the answer and every baseline."""
        return self.is_answer or self.is_baseline


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One compressible weight or droppable part, and its place in the model."""

    name: str
    block: int | None  # None outside the blocks, as lm_head
    module: str  # "self_attn.q_proj"; "attention" for a droppable part
    num_weights: int


@dataclass(frozen=True, kw_only=True)
class Figure:
    """All that both pictures of one job are drawn from.

    Raises:
        InputError: no point has a finite objective, two are the answer to one budget, or one's options miss layers.
    """

    title: str
    subtitle: str
    objective_name: str  # "KL divergence, nats per token"
    points: tuple[Point, ...]
    layers: tuple[Layer, ...]
    budget_label: str
    budget_size_bytes: int | None  # None where the budget is no size
    verdict: str
    dense_note: str = ""  # what the dense model weighs and scores

    def __post_init__(self) -> None:
        if not self.drawn:
            raise InputError(
                f"a picture needs a point with a finite objective, got none among {len(self.points)}; "
                f"evaluate at least one configuration that does not break the model"
            )
        answers = [point for point in self.points if point.is_answer]
        if len({point.budget for point in answers}) < len(answers):
            ids = ", ".join(point.configuration_id for point in answers)
            raise InputError(
                f"a budget has one answer, got {ids}; mark one point only, or say which budget each answers"
            )
        for point in self.points:
            self._check_options(point)

    def _check_options(self, point: Point) -> None:
        if point.options is not None and len(point.options) != len(self.layers):
            raise InputError(
                f"options of configuration {point.configuration_id} must be {len(self.layers)}, one per layer, "
                f"got {len(point.options)}; give None where they were not kept"
            )

    @property
    def drawn(self) -> tuple[Point, ...]:
        """The points that have a place on the axes: those whose objective is finite."""
        return tuple(point for point in self.points if isfinite(point.objective))

    @property
    def front(self) -> tuple[Point, ...]:
        """The drawn points of the front, smallest first."""
        return tuple(sorted((p for p in self.drawn if p.is_front), key=lambda p: (p.size_bytes, p.objective)))

    @property
    def marked(self) -> tuple[Point, ...]:
        """The answers, then the baselines, each by size, as far as they are drawn."""
        marked = (point for point in self.drawn if point.is_marked)
        return tuple(sorted(marked, key=lambda p: (not p.is_answer, p.size_bytes, p.label)))

    @property
    def answers(self) -> tuple[Point, ...]:
        """The answers by size, as far as they are drawn."""
        return tuple(point for point in self.marked if point.is_answer)

    @property
    def shown(self) -> Point:
        """The point whose layers are shown first: the answer, of several the middle one, else the best there is."""
        if self.answers:
            return self.answers[len(self.answers) // 2]
        return min(self.drawn, key=lambda p: (p.options is None, not p.is_front, p.objective))
