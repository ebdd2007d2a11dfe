"""What was measured, one JSON file for each finished trial; a trial whose settings changed since counts as missing."""

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

DIGITS = 9  # that tell any two float32 apart: losses were computed in it


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """From so many tokens on, the trial would have answered this."""

    read: int
    computed: int
    levels: Levels
    kl: np.ndarray  # float64 (sequences of the validation text,), nats per token


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """A finished trial. The last point is its answer; points before it are those that were looked at."""

    points: tuple[Point, ...]
    read: int
    computed: int
    num_answers: int  # that it had on the way, looked at or not
    is_cut: bool
    date: str

    @property
    def kl(self) -> np.ndarray:  # float64 (sequences,)
        """The answer's."""
        return self.points[-1].kl

    def curve(self, *, computed: bool = False) -> Curve:
        """Mean loss against tokens read, or computed."""
        tokens = [point.computed if computed else point.read for point in self.points]
        return Curve(
            tokens=np.array(tokens, dtype=np.float64), loss=np.array([point.kl.mean() for point in self.points])
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Plain:
    """A plain choice that a search must beat, or that lies just above the budget."""

    name: str
    kl: np.ndarray  # float64 (sequences,)
    holds: bool  # the budget


class Records:
    """A folder of them."""

    def __init__(self, folder: Path, *, is_small: bool = False) -> None:
        self.folder = folder
        self.is_small = is_small

    def load(self, trial: Trial) -> Record | None:
        """None where it was never finished, or under other settings."""
        raw = self.read(self.path(trial), self._settings(trial))
        return None if raw is None else _record(raw)

    def outdated(self, trials: Iterable[Trial]) -> list[Trial]:
        """Those that were finished under other settings than the tables have now."""
        return [trial for trial in trials if self.path(trial).exists() and self.load(trial) is None]

    def save(self, trial: Trial, record: Record) -> None:
        self.write(self.path(trial), self._settings(trial), _raw(record))

    def load_plain(self, task: Task) -> list[Plain] | None:
        raw = self.read(self._plain_path(task), self.job(task))
        if raw is None:
            return None
        return [Plain(name=each["name"], kl=np.array(each["kl"]), holds=each["holds"]) for each in raw["choices"]]

    def save_plain(self, task: Task, choices: Sequence[Plain]) -> None:
        listed = [{"name": each.name, "kl": rounded(each.kl), "holds": each.holds} for each in choices]
        self.write(self._plain_path(task), self.job(task), {"choices": listed})

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
    return {
        "date": record.date,
        "read": record.read,
        "computed": record.computed,
        "num_answers": record.num_answers,
        "is_cut": record.is_cut,
        "points": [
            {"read": each.read, "computed": each.computed, "levels": each.levels, "kl": rounded(each.kl)}
            for each in record.points
        ],
    }


def _record(raw: Mapping[str, Any]) -> Record:
    points = [
        Point(read=each["read"], computed=each["computed"], levels=tuple(each["levels"]), kl=np.array(each["kl"]))
        for each in raw["points"]
    ]
    plain = {key: raw[key] for key in ("read", "computed", "num_answers", "is_cut", "date")}
    return Record(points=tuple(points), **plain)


def rounded(values: np.ndarray) -> list[float]:
    """As JSON keeps them."""
    return [float(f"{value:.{DIGITS}g}") for value in values]
