"""A race of a few rivals against one parent on paired sequences, ended as soon as the evidence is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from search.region.local_model import squared_error
from search.region.windows import Windows, differences
from search.strategy import Asking, Problem
from spaces.errors import InputError
from spaces.space import Levels

FEWEST_SEQUENCES = 8  # that a winner is raced on: so many tell how much sequences spread; fewer pass luck for a gain


@dataclass(frozen=True, kw_only=True)
class Belief:
    """What is held of a rival's loss less the parent's: normal. An infinite variance holds nothing."""

    mean: float
    variance: float

    def after(self, difference: np.ndarray) -> Belief:  # (sequences,), paired
        """Joined with what was measured; where one of the two broke the model, that is all that counts."""
        if not np.isfinite(difference).all():
            return broken(difference)
        noise = squared_error(difference, self.mean)
        if not noise or not self.variance:
            return self if noise else Belief(mean=float(difference.mean()), variance=0.0)
        share = noise / (noise + self.variance) if np.isfinite(self.variance) else 0.0  # that the old belief keeps
        mean = share * self.mean + (1 - share) * float(difference.mean())
        return Belief(mean=mean, variance=(1 - share) * noise)

    @property
    def is_better(self) -> float:
        """The probability that the rival's loss is below the parent's."""
        if not self.variance:
            return float(self.mean < 0)
        return float(norm.cdf(-self.mean / np.sqrt(self.variance)))


def broken(difference: np.ndarray) -> Belief:  # (sequences,), some not finite: see ``differences``
    """The rival is infinitely better if it held wherever the parent did, and somewhere else too; else it is worse."""
    is_sounder = bool((difference == -np.inf).any()) and not (difference == np.inf).any()
    return Belief(mean=-np.inf if is_sounder else np.inf, variance=0.0)


@dataclass(frozen=True, kw_only=True)
class Race:
    """Rungs of rising length, each on text that no rung before it read; the last ends where the stream was read once.

    Every rival begins with a belief, and the paired differences of every rung update it. A rival is accepted when the
    probability that it is better than the parent is at least ``confidence``, and dropped when it is at most
    ``1 - confidence``; the rest go on to the next rung, ``growth`` times as long, and undecided ones at the end are not
    accepted. Nobody is accepted before ``FEWEST_SEQUENCES`` were read, or all that the rungs hold. So of the rivals
    accepted at most ``1 - confidence`` are worse than the parent, whenever a race stops, as far as the beliefs that it
    began with are true and means over sequences are normal; a belief of infinite variance leaves the measurements alone
    to say. Simulated races at 0.8, with 1 to 8 sequences in the first rung: where single sequences spread one to five
    times as much as the differences, 1 to 17 % of the winners are worse, at ten times 19 to 24 %; under skewed
    (lognormal) noise 1 to 15 % up to three times, 16 to 21 % at five, and a third at ten.
    """

    tokens: int = 4096
    rungs: int = 4
    growth: int = 2
    confidence: float = 0.8

    def __post_init__(self) -> None:
        for name in ("tokens", "rungs", "growth"):
            if getattr(self, name) < 1:
                raise InputError(f"race {name} must be at least 1, got {getattr(self, name)}")
        if not 0.5 <= self.confidence < 1:
            raise InputError(f"race confidence must be from 0.5 to below 1, got {self.confidence}")

    def planned_tokens(self, num_rivals: int, problem: Problem) -> int:
        """About what a race reads: half of its rivals are dropped at each rung."""
        lengths = self.lengths(problem)
        return sum((1 + max(1, num_rivals >> rung)) * tokens for rung, tokens in enumerate(lengths))

    def most_tokens(self, num_rivals: int, problem: Problem) -> int:
        """What a race reads where no rival is dropped."""
        return (1 + num_rivals) * sum(self.lengths(problem))

    def lengths(self, problem: Problem) -> list[int]:
        """The tokens of each rung, in whole sequences, as far as the stream goes."""
        left, lengths = problem.sequences(problem.max_tokens), []
        for rung in range(self.rungs):
            count = min(left, problem.sequences(self.tokens * self.growth**rung))
            left -= count
            lengths.append(problem.tokens(count * problem.sequence_length))
        return [tokens for tokens in lengths if tokens]


@dataclass(frozen=True, kw_only=True)
class Raced:
    """How a race ended: ``differences`` from the parent, for each rival those of all sequences it ran on."""

    winner: Levels | None
    differences: dict[Levels, np.ndarray]


def run_race(
    parent: Levels, beliefs: Mapping[Levels, Belief], race: Race, windows: Windows, label: str
) -> Asking[Raced]:
    """Race rivals against ``parent``; the winner is the best of those accepted at the first rung that accepts."""
    held = dict(beliefs)
    seen: dict[Levels, list[np.ndarray]] = {rival: [] for rival in held}
    winner, read, lengths = None, 0, race.lengths(windows.problem)
    enough = min(sum(lengths), FEWEST_SEQUENCES * windows.problem.sequence_length)
    for tokens in lengths:
        if not held:
            break
        losses = yield from windows.ask([parent, *held], tokens, label, parent)
        for rival, difference in zip(list(held), differences(losses), strict=True):
            seen[rival].append(difference)
            held[rival] = beliefs[rival].after(np.concatenate(seen[rival]))
        accepted = [rival for rival, belief in held.items() if belief.is_better >= race.confidence]
        read += tokens
        if accepted and read >= enough:
            winner = min(accepted, key=lambda rival: held[rival].mean)
            break
        held = {rival: belief for rival, belief in held.items() if belief.is_better > 1 - race.confidence}
    return Raced(winner=winner, differences={rival: np.concatenate(parts) for rival, parts in seen.items() if parts})
