"""What a heat map shows: the cost of every option for every layer, as a score predicts it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite, isnan

from service.pictures.figure import Layer
from service.pictures.units import show_objective
from spaces.errors import InputError

Costs = tuple[tuple[float | None, ...], ...]  # layers x options
NOISE_ERRORS = 2.0  # a cost within so many standard errors of zero is marked as noise
NUM_NAMED = 3  # layers that the first sentence names


@dataclass(frozen=True, kw_only=True)
class Heatmap:
    """All that both pictures and the table of one score are drawn from.

    A cost of None is an option that is not open to the layer; infinity is one that the score closes.

    Raises:
        InputError: no layer or option, a table of another shape, or a cost that is no number.
    """

    title: str
    subtitle: str
    score_name: str
    layers: tuple[Layer, ...]
    options: tuple[str, ...]  # slugs, smallest first
    costs: Costs
    errors: Costs | None  # standard errors, where the score has them
    bits: tuple[tuple[int | None, ...], ...]  # layers x options: what the export stores
    unit: str  # "predicted KL, nats per token"
    tokens: str  # what the score cost: "24.6 M tokens forward"

    def __post_init__(self) -> None:
        if not self.layers or not self.options:
            raise InputError(
                f"a heat map needs a layer and an option, got {len(self.layers)} layers and "
                f"{len(self.options)} options; open an option to a layer of the space"
            )
        self._check_shape("costs", self.costs)
        self._check_shape("bits", self.bits)
        if self.errors is not None:
            self._check_shape("errors", self.errors)
        for layer, row in zip(self.layers, self.costs, strict=True):
            for option, cost in zip(self.options, row, strict=True):
                if cost is not None and (isnan(cost) or cost == -inf):
                    raise InputError(
                        f"the cost of {option} for {layer.name} must be a number or infinity, got {cost}; "
                        f"give None where the option is not open"
                    )

    def _check_shape(self, name: str, table: tuple[tuple[object, ...], ...]) -> None:
        widths = {len(row) for row in table}
        if len(table) != len(self.layers) or widths != {len(self.options)}:
            raise InputError(
                f"{name} must be {len(self.layers)} rows of {len(self.options)}, one a layer, "
                f"got {len(table)} of {', '.join(map(str, sorted(widths))) or 'none'}; "
                f"give None where an option is not open"
            )

    @cached_property
    def drawn(self) -> tuple[int, ...]:
        """The options that get a grid: not those without a cost anywhere, as keep, if others are left."""
        telling = tuple(option for option in range(len(self.options)) if any(row[option] for row in self.costs))
        return telling or tuple(range(len(self.options)))

    def costliest(self, option: int) -> list[int]:
        """The layers to which ``option`` is open at a finite cost, highest cost first."""
        costs = [(row[option], layer) for layer, row in enumerate(self.costs)]
        finite = [(cost, layer) for cost, layer in costs if cost is not None and isfinite(cost)]
        return [layer for _, layer in sorted(finite, key=lambda pair: (-pair[0], pair[1]))]

    def error(self, layer: int, option: int) -> float | None:
        return None if self.errors is None else self.errors[layer][option]

    def is_noise(self, layer: int, option: int) -> bool:
        """Whether the cost has an error and cannot be told from zero by it."""
        cost, error = self.costs[layer][option], self.error(layer, option)
        return cost is not None and error is not None and 0 < error < inf and abs(cost) <= NOISE_ERRORS * error

    @cached_property
    def lead(self) -> str:
        """The sentence that names the most sensitive layers."""
        ranked = ((option, self.costliest(option)) for option in self.drawn)
        option, layers = next(((option, layers) for option, layers in ranked if layers), (0, []))
        if not layers:
            return "No option has a finite cost for any layer."
        costs = ((self.layers[layer].name, self.costs[layer][option] or 0.0) for layer in layers[:NUM_NAMED])
        return f"Most sensitive at {self.options[option]}: {', '.join(f'{name} ({cost:.3g})' for name, cost in costs)}."

    @property
    def notes(self) -> str:
        """The quiet line under the title: what was counted, what it cost, and which options have no grid."""
        left_out = [number for number in range(len(self.options)) if number not in self.drawn]
        is_open = {number: any(row[number] is not None for row in self.costs) for number in left_out}
        zero = " and ".join(self.options[number] for number in left_out if is_open[number])
        closed = " and ".join(self.options[number] for number in left_out if not is_open[number])
        left_out_notes = (zero and f"{zero}: no cost", closed and f"{closed}: not open to any layer")
        return "  ·  ".join(note for note in (self.subtitle, self.score_name, self.tokens, *left_out_notes) if note)

    def show(self, layer: int, option: int) -> str:
        cost = self.costs[layer][option]
        return "–" if cost is None else show_objective(cost, self.error(layer, option))


def heatmap_csv(heatmap: Heatmap) -> str:
    """One line for each layer and option that is open to it: ``layer,option,bits,cost,se``."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(("layer", "option", "bits", "cost", "se"))
    for number, layer in enumerate(heatmap.layers):
        for option, slug in enumerate(heatmap.options):
            cost = heatmap.costs[number][option]
            if cost is not None:
                writer.writerow((layer.name, slug, heatmap.bits[number][option], cost, heatmap.error(number, option)))
    return target.getvalue()
