"""The line that says what a run cost."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def show_costs(console: Console, content: dict[str, Any]) -> None:
    """Evaluations and samples, tokens and seconds of a report."""
    evaluations, samples = content["evaluations"], content["statistics"]
    tokens = evaluations["tokens"] + samples["forward_tokens"] + samples["backward_tokens"]
    console.print(
        f"{evaluations['computed']:,} evaluations and {samples['computed']:,} samples of scores computed, "
        f"{evaluations['cached'] + samples['cached']:,} cached, {tokens / 1e6:.2f} M tokens, "
        f"{sum(content['seconds'].values()):.0f} s",
        style="dim",
        highlight=False,
    )
