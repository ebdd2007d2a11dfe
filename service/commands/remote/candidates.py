"""How candidates of a job are shown: one line each, and the layers of one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from service.api.candidate_views import CandidateView, LayerView
from service.commands.remote.answers import loss_text, table
from spaces.quantities import show_count, show_flops, show_size

FIGURES = ("size", "bits/w", "nominal")
MEASURES = {"FLOPs": ("flops", show_flops), "params": ("parameters", show_count)}
LOSS_NAMES = {"kl": "KL", "perplexity": "perplexity"}


def candidate_table(candidates: Sequence[CandidateView], loss_name: str, mark: int | None = None) -> Table:
    """Candidates as they come; the one numbered ``mark`` stands out.

    FLOPs and parameters as far as they differ, and the errors on tasks that were measured.
    """
    told = [name for name, (field, _) in MEASURES.items() if len({getattr(each, field) for each in candidates}) > 1]
    tasks = list(dict.fromkeys(task for each in candidates for task in each.task_errors))
    figures = (*FIGURES, *told, *(f"error on {task}" for task in tasks), loss_name)
    made = table("seq", *figures, "kind", "label", right=("seq", *figures))
    for each in candidates:
        style = "bold green" if each.seq == mark or (mark is None and each.kind == "answer") else None
        made.add_row(*_cells(each, told, tasks), style=style)
    return made


def layer_table(layers: Sequence[LayerView]) -> Table:
    """The option of each layer."""
    made = table("layer", "option", "bits", "shape", "size", right=("bits", "shape", "size"))
    for layer in layers:
        bits = "" if layer.bits is None else f"{layer.bits:g}"
        shape = f"{layer.rows} x {layer.columns}" if layer.rows else ""
        made.add_row(layer.name, layer.option, bits, shape, show_size(layer.size_bytes))
    return made


def _cells(each: CandidateView, told: Sequence[str], tasks: Sequence[str]) -> list[str]:
    errors = [each.task_errors.get(task) for task in tasks]
    measures = [(getattr(each, field), show) for field, show in map(MEASURES.__getitem__, told)]
    return [
        str(each.seq),
        show_size(each.size_bytes),
        f"{each.bits_per_weight:.3f}",
        f"{each.nominal_bits_per_weight:.3f}",
        *("" if value is None else show(value) for value, show in measures),
        *("" if error is None else f"{error:.4f}" for error in errors),
        loss_text(each.loss, each.loss_se),
        each.kind,
        each.label,
    ]
