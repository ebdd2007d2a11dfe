"""What ``layerpress run`` prints of a job of several budgets: a line for each, and what all of it cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from service.commands.costs import show_costs
from service.commands.tasks_table import show_tasks
from spaces.budget import show_size

HEADINGS = ("size", "nominal", "KL on unseen text", "ratio", "to the plain choice")


def show_front(content: dict[str, Any], out: Path) -> None:
    """One line for each budget, the verdict, and where everything is."""
    console = Console()
    table = Table(title=content["limit"], title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("budget", overflow="fold")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == HEADINGS[-1] else "right", overflow="fold")
    for row in content["answers"]:
        plain = row["best_plain"]
        is_plain = plain is not None and plain["configuration_id"] == row["answer"]["configuration_id"]
        table.add_row(row["value"], *_cells(row), style=None if is_plain else "green")
    console.print(table)
    show_tasks(console, {row["value"]: row["answer"] for row in content["answers"]})
    console.print(f"\n{content['verdict']}", highlight=False)
    show_costs(console, content)
    console.print(f"\nPictures: {out / 'front.html'}  {out / 'front.png'}", highlight=False, soft_wrap=True)
    files = [row["file"] for row in content["answers"]]
    more = f" to {files[-1]}" if files[1:] else ""
    console.print(f"Answers:  {out / files[0]}{more}", highlight=False, soft_wrap=True)


def _cells(row: dict[str, Any]) -> list[str]:
    answer, plain, ratio = row["answer"], row["best_plain"], row["over_plain"]
    loss, error = answer["kl_validation"], answer["kl_validation_se"]
    return [
        show_size(answer["size_bytes"]),
        f"{answer['nominal_bits_per_weight']:.3f}",
        "broken" if loss is None else f"{loss:.5f} ± {error or 0:.5f}",
        "" if ratio is None else f"{ratio:.3f}",
        "none fits" if plain is None else plain["name"].removeprefix("uniform "),
    ]
