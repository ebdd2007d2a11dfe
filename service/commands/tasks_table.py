"""The table of errors on tasks below that of losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def show_tasks(console: Console, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """One line for each row of a report, under its name; nothing where there are no tasks."""
    tasks = list(dict.fromkeys(task for row in rows.values() for task in row.get("task_errors", {})))
    if not tasks:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("error on", *tasks):
        table.add_column(heading, justify="left" if heading == "error on" else "right", overflow="fold")
    for name, row in rows.items():
        table.add_row(
            name, *(f"{row['task_errors'][task]:.4f} ± {row['task_errors_se'][task] or 0:.4f}" for task in tasks)
        )
    console.print()
    console.print(table)
