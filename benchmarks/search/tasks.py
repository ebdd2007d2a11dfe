"""The questions of the race: a model and a budget each, as a job file writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.search.second_model import HELD_OUT_FILE
from search.spec import JobSpec, read_spec

Kind = Literal["bits", "drops"]
SEQUENCE_LENGTH = 128  # of both texts: candidates are told apart on many short sequences sooner than on few long ones
CALIBRATION_TOKENS, VALIDATION_TOKENS, SMALL_TOKENS = 131_072, 65_536, 4_096
BEHIND_FIRST_BLOCK = ["model.layers.[1-9]*"]  # what a small run leaves as it is


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model and the text that a search on it may read. ``{home}`` stands for Layerpress' home folder."""

    folder: str
    calibration: str
    group_size: int  # divides every layer's columns


@dataclass(frozen=True, kw_only=True, eq=False)  # hashed by identity: the budget is a mapping
class Task:
    """One question. ``budget`` is as a job file writes it."""

    name: str
    title: str
    kind: Kind
    model: Model
    budget: Mapping[str, Any]

    def job(self, home: Path, *, is_small: bool = False) -> dict[str, Any]:
        """The job file without its strategy and its seed."""
        tokens, unseen = (SMALL_TOKENS,) * 2 if is_small else (CALIBRATION_TOKENS, VALIDATION_TOKENS)
        text = {"source": self.model.calibration.format(home=home), "tokens": tokens}
        return {
            "model": self.model.folder.format(home=home),
            "calibration": {**text, "sequence_length": SEQUENCE_LENGTH},
            "validation": {"source": "examples/text/validation.txt", "tokens": unseen},
            "space": {
                "options": [self._option()],
                "exclude": BEHIND_FIRST_BLOCK if is_small and self.kind == "bits" else [],
            },
            "budget": dict(self.budget),
            "workers": 1 if is_small else 2,
        }

    def spec(self, home: Path, *, is_small: bool = False) -> JobSpec:
        return read_spec(self.job(home, is_small=is_small), f"task {self.name}")

    def _option(self) -> dict[str, Any]:
        if self.kind == "drops":
            return {"kind": "drop", "parts": ["attention", "mlp"]}
        size = self.model.group_size
        return {"kind": "quantize", "bits": [2, 3, 4, 5, 6], "group_size": size, "symmetric": False, "solver": "gptq"}


REFERENCE = Model(folder="examples/reference-model", calibration="examples/text/calibration.txt", group_size=128)
SECOND_FOLDER = "models/second"  # in the home folder
SECOND = Model(
    folder=f"{{home}}/{SECOND_FOLDER}", calibration=f"{{home}}/{SECOND_FOLDER}/{HELD_OUT_FILE}", group_size=64
)


def _bits(prefix: str, model: Model, bits: float) -> Task:
    return Task(
        name=f"{prefix}-{bits}-bits",
        title=f"{prefix} model, {bits} nominal bits per weight",
        kind="bits",
        model=model,
        budget={"nominal_bits_per_weight": bits},
    )


def _drops(prefix: str, model: Model, total: int, of: int) -> Task:
    """EvoPress drops as many attentions as MLPs."""
    return Task(
        name=f"{prefix}-drop-{total}",
        title=f"{prefix} model, {total} of {of} attentions and MLPs dropped",
        kind="drops",
        model=model,
        budget={"dropped_attentions": total // 2, "dropped_mlps": total // 2},
    )


# the most important first
TASKS: tuple[Task, ...] = (
    _bits("reference", REFERENCE, 3.0),
    _bits("reference", REFERENCE, 2.5),
    _drops("reference", REFERENCE, 4, 24),
    _drops("reference", REFERENCE, 2, 24),
    _drops("reference", REFERENCE, 6, 24),
    _bits("reference", REFERENCE, 2.25),
    _bits("reference", REFERENCE, 3.5),
    _bits("second", SECOND, 3.0),
    _bits("second", SECOND, 2.5),
    _drops("second", SECOND, 4, 16),
)
