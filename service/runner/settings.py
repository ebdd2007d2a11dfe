"""What the runner and its job processes are told when they start, as JSON on their standard input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self


@dataclass(frozen=True, kw_only=True)
class RunnerSettings:
    """Where the data is, what jobs may read, and how much of the cluster they may use."""

    store_url: str = field(repr=False)  # may hold a password
    home: Path  # of the banks
    roots: tuple[Path, ...]
    allow_hub: bool = False
    ray: str | None = None  # the cluster's address; None: each job starts a Ray of its own
    max_workers: int | None = None
    max_cpus: float | None = None
    max_gpus: float | None = None
    max_jobs: int | None = None  # at work at once
    lease_s: float = 30.0
    finish_s: float = 5.0  # that what is in flight gets when the service stops

    def dump(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def read(cls, text: str) -> Self:
        """What ``dump`` wrote."""
        values = json.loads(text)
        return cls(**values | {"home": Path(values["home"]), "roots": tuple(map(Path, values["roots"]))})

    def at(self, ray: str | None) -> Self:
        """The same for another cluster."""
        return replace(self, ray=ray)
