"""What was measured, one JSON file for each finished trial.

A trial whose settings changed since, or whose model's weights did, counts as missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.curves import Curve
from benchmarks.search.queue import Trial
from benchmarks.search.tasks import Task
from service.pictures.replacement import replace_file
from spaces.errors import JobError
from spaces.space import Levels

DIGITS = 6  # of a loss: far more than its error over sequences leaves, and small enough to be kept with the code
FIELDS = ("weights", "date", "read", "computed", "num_answers", "is_cut")  # of a record, beside its points


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """From so many tokens on, the trial would have answered this. Losses are KL on unseen text, in nats per token."""

    read: int
    computed: int
    levels: Levels
    loss: float  # the mean
    kl: np.ndarray | None  # float64 (sequences,); None where it is held against nothing


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """A finished trial. The last point is its answer; points before it are those that were looked at."""

    weights: str  # the model's fingerprint
    points: tuple[Point, ...]
    read: int
    computed: int
    num_answers: int  # that it had on the way, looked at or not
    is_cut: bool
    date: str

    @property
    def loss(self) -> float:
        """The answer's."""
        return self.points[-1].loss

    @property
    def kl(self) -> np.ndarray:  # float64 (sequences,)
        """The answer's."""
        return self.kl_of(-1)

    def kl_of(self, place: int) -> np.ndarray:  # float64 (sequences,)
        """That of one of the points.

        Raises:
            JobError: its mean alone was kept.
        """
        point = self.points[place]
        if point.kl is None:
            raise JobError(
                f"a record of the race has no KL of each sequence at {point.read:,} tokens; measure it again"
            )
        return point.kl

    def curve(self, *, computed: bool = False) -> Curve:
        """Mean loss against tokens read, or computed."""
        tokens = [point.computed if computed else point.read for point in self.points]
        return Curve(
            tokens=np.array(tokens, dtype=np.float64),
            loss=np.array([point.loss for point in self.points]),
            has_gaps=self.num_answers > len(self.points),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Plain:
    """A plain choice that a search must beat, or that lies just above the budget."""

    weights: str  # the model's fingerprint
    name: str
    kl: np.ndarray  # float64 (sequences,)
    holds: bool  # the budget


class Records:
    """A folder of them."""

    def __init__(self, folder: Path, *, is_small: bool = False) -> None:
        self.folder = folder
        self.is_small = is_small

    def load(self, trial: Trial) -> Record | None:
        """None where it was never finished, under other settings, or on other weights than the plain choices."""
        raw, plain = self.read(self.path(trial), self._settings(trial)), self.load_plain(trial.task)
        record = None if raw is None else _record(raw)
        return record if record and plain and record.weights == plain[0].weights else None

    def outdated(self, trials: Iterable[Trial]) -> list[Trial]:
        """Those that were finished under other settings than the tables have now."""
        return [trial for trial in trials if self.path(trial).exists() and self.load(trial) is None]

    def save(self, trial: Trial, record: Record) -> None:
        self.write(self.path(trial), self._settings(trial), _raw(record))

    def load_plain(self, task: Task) -> list[Plain] | None:
        raw = self.read(self._plain_path(task), self.job(task))
        if raw is None:
            return None
        return [Plain(weights=raw["weights"], **{**each, "kl": np.array(each["kl"])}) for each in raw["choices"]]

    def save_plain(self, task: Task, choices: Sequence[Plain]) -> None:
        listed = [{"name": each.name, "kl": rounded(each.kl), "holds": each.holds} for each in choices]
        self.write(self._plain_path(task), self.job(task), {"weights": choices[0].weights, "choices": listed})

    def path(self, trial: Trial) -> Path:
        method = trial.method.name.lower().replace(",", "").replace(" ", "-")
        return self.folder / trial.task.name / method / f"seed-{trial.seed}.json"

    def _plain_path(self, task: Task) -> Path:
        return self.folder / task.name / "plain.json"

    def _settings(self, trial: Trial) -> dict[str, Any]:
        method = trial.method
        return {
            **self.job(trial.task),
            "strategy": method.strategy(trial.task.kind, is_small=self.is_small),
            "budget": method.budget,
            "is_published": method.is_published,
        }

    def job(self, task: Task) -> dict[str, Any]:
        """Without where the home folder lies and who does the work, which change nothing."""
        job = task.job(Path("~"), is_small=self.is_small)
        del job["workers"]
        return {"job": job}

    def read(self, path: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was written there under the same settings.

        Raises:
            JobError: it is damaged.
        """
        if not path.exists():
            return None
        try:
            raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise JobError(f"{path} is no record of the race ({error}); delete it, and it is measured again") from error
        return raw if raw.get("settings") == json.loads(json.dumps(settings)) else None

    def write(self, path: Path, settings: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        """Replace the file whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps({"settings": settings, **content}).encode())


def _raw(record: Record) -> dict[str, Any]:
    own = {name: getattr(record, name) for name in FIELDS}
    return {**own, "points": [_raw_point(each) for each in record.points]}


def _raw_point(point: Point) -> dict[str, Any]:
    raw = {"read": point.read, "computed": point.computed, "levels": point.levels, "loss": rounded([point.loss])[0]}
    return raw if point.kl is None else {**raw, "kl": rounded(point.kl)}


def _record(raw: Mapping[str, Any]) -> Record:
    return Record(points=tuple(map(_point, raw["points"])), **{name: raw[name] for name in FIELDS})


def _point(raw: Mapping[str, Any]) -> Point:
    kl = np.array(raw["kl"]) if "kl" in raw else None
    return Point(read=raw["read"], computed=raw["computed"], levels=tuple(raw["levels"]), loss=raw["loss"], kl=kl)


def rounded(values: Iterable[float]) -> list[float]:
    """As JSON keeps them."""
    return [float(f"{value:.{DIGITS}g}") for value in values]
