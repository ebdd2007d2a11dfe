"""Shares the cluster's workers out among jobs, by priority and then age, so that none starves the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

AGING_S = 600.0  # of waiting that are worth one step of priority
RAY_UNITS = 10_000  # Ray counts resources in ten-thousandths


@dataclass(frozen=True, kw_only=True)
class Claimant:
    """A job that would use workers. ``since_s`` is when it began to wait, by one clock for all."""

    id: str
    priority: int
    since_s: float
    wanted: int  # workers
    cpus: float  # of each worker
    gpus: float

    @property
    def rank(self) -> tuple[float, float, str]:
        """Smaller is earlier. Everybody ages alike, so that the order of two jobs never changes by waiting."""
        return (self.since_s - self.priority * AGING_S, self.since_s, self.id)


@dataclass(frozen=True, kw_only=True)
class Room:
    """What there is to share out, exactly. ``jobs`` and ``workers`` are limits that somebody set.

    A worker needs its place on one node; ``node_cpus`` and ``node_gpus`` are the most that any has.
    """

    cpus: Fraction
    gpus: Fraction
    node_cpus: Fraction
    node_gpus: Fraction
    workers: int | None = None
    jobs: int | None = None

    @classmethod
    def of(cls, nodes: Sequence[tuple[float, float]], *, workers: int | None = None, jobs: int | None = None) -> Self:
        """That of nodes with so many CPUs and GPUs each, as Ray and people write the numbers."""
        cpus, gpus = [_exact(node[0]) for node in nodes], [_exact(node[1]) for node in nodes]
        return cls(
            cpus=sum(cpus, Fraction(0)),
            gpus=sum(gpus, Fraction(0)),
            node_cpus=max(cpus, default=Fraction(0)),
            node_gpus=max(gpus, default=Fraction(0)),
            workers=workers,
            jobs=jobs,
        )

    def within(self, cpus: float | None, gpus: float | None) -> Self:
        """No more than somebody allows."""
        most_cpus = self.cpus if cpus is None else min(self.cpus, _exact(cpus))
        most_gpus = self.gpus if gpus is None else min(self.gpus, _exact(gpus))
        return replace(
            self,
            cpus=most_cpus,
            gpus=most_gpus,
            node_cpus=min(self.node_cpus, most_cpus),
            node_gpus=min(self.node_gpus, most_gpus),
        )

    def left_by(self, worker: Need) -> Room | None:
        """What is left when one more worker is there; None where it does not fit."""
        if worker.cpus > self.cpus or worker.gpus > self.gpus or self.workers == 0:
            return None
        if worker.cpus > self.node_cpus or worker.gpus > self.node_gpus:
            return None
        workers = None if self.workers is None else self.workers - 1
        return replace(self, cpus=self.cpus - worker.cpus, gpus=self.gpus - worker.gpus, workers=workers)


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one worker takes away from others."""

    cpus: Fraction
    gpus: Fraction

    @classmethod
    def of(cls, claimant: Claimant) -> Self:
        """A part of a GPU takes its place: where two of 0.4 fit, each takes a half, since no third one fits."""
        gpus = _exact(claimant.gpus)
        return cls(cpus=_exact(claimant.cpus), gpus=Fraction(1, int(1 / gpus)) if 0 < gpus < 1 else gpus)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How many workers each job may use, and for those that get none, what they wait for in one sentence."""

    granted: Mapping[str, int]
    waiting: Mapping[str, str]


def share_out(claimants: Iterable[Claimant], room: Room) -> Shares:
    """Everybody who fits gets one worker before anybody gets a second; the rest goes by rank."""
    ranked = sorted(claimants, key=lambda claimant: claimant.rank)
    needs = {claimant.id: Need.of(claimant) for claimant in ranked}
    granted = dict.fromkeys(needs, 0)
    left = room
    for claimant in ranked:
        smaller = left.left_by(needs[claimant.id])
        if smaller is not None and left.jobs != 0 and claimant.wanted > 0:
            granted[claimant.id] = 1
            left = replace(smaller, jobs=None if left.jobs is None else left.jobs - 1)
    for claimant in ranked:
        while 0 < granted[claimant.id] < claimant.wanted and (smaller := left.left_by(needs[claimant.id])):
            granted[claimant.id] += 1
            left = smaller
    return Shares(granted=granted, waiting=_sentences(ranked, granted, needs, room, left))


def _sentences(
    ranked: Sequence[Claimant], granted: Mapping[str, int], needs: Mapping[str, Need], room: Room, left: Room
) -> dict[str, str]:
    return {
        claimant.id: _sentence(claimant, needs[claimant.id], room, left)
        for claimant in ranked
        if granted[claimant.id] == 0
    }


def _sentence(claimant: Claimant, need: Need, room: Room, left: Room) -> str:
    amounts = [
        ("GPU", claimant.gpus, need.gpus, room.node_gpus, left.gpus),
        ("CPU", claimant.cpus, need.cpus, room.node_cpus, left.cpus),
    ]
    for name, asked, taken, most, _ in amounts:
        if taken > most:
            return (
                f"one worker needs {_counted(asked, name)} and no node has more than {_number(float(most))}; "
                f"add a node, or cancel the job and ask for less"
            )
    if left.jobs == 0:
        return f"waiting for its turn; {_counted(room.jobs or 0, 'job')} may be at work at once"
    for name, asked, taken, _, free in amounts:
        if taken > free:
            return f"waiting for {_counted(asked, name)}; {_number(float(free))} free"
    return f"waiting for a worker; 0 of {room.workers} free"


def _counted(amount: float, name: str) -> str:
    return f"{_number(amount)} {name}{'' if 0 < amount <= 1 else 's'}"


def _number(amount: float) -> str:
    return f"{amount:.4f}".rstrip("0").rstrip(".")


def _exact(amount: float) -> Fraction:
    return Fraction(round(amount * RAY_UNITS), RAY_UNITS)
