"""What a score is: a number for each unit and option that predicts the loss it adds."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

import numpy as np

from search.strategy import Ask, Losses, Problem

SCORES = {
    "weight-error": "search.scores.errors:WeightError",
    "output-error": "search.scores.errors:OutputError",
    "measured-kl": "search.scores.measured:MeasuredKL",
}

Table = list[np.ndarray]  # one float64 array (options,) for each unit; infinity closes an option


class Score(Protocol):
    """Predicts, additively, what each option costs. Settings are the fields of a frozen dataclass."""

    def check(self, problem: Problem) -> None:
        """Refuse, before any work, options that the score has no number for.

        Raises:
            InputError: names the option and a score that fits.
        """

    def planned_tokens(self, problem: Problem) -> int:
        """Tokens that it will ask to be read."""

    def score(self, problem: Problem) -> Generator[Ask, Losses, Table]:
        """Ask for what must be measured, if anything, and return the table."""
