"""Where an exported configuration comes from: all that ``compression.json`` and the model card say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]  # one configuration as `search.report` describes it: size, bits, losses, standard errors


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Facts about one candidate; what is not known is empty."""

    model: str  # as the job names it: a hub id, or a folder
    candidate: Row = field(default_factory=dict)
    baselines: Sequence[Row] = ()  # the uniform choices that it was held against
    budget: Mapping[str, Any] = field(default_factory=dict)
    verdict: str = ""
    job: str | None = None
    seed: int | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)  # the job as it was asked for
    hashes: Mapping[str, str] = field(default_factory=dict)  # of the weights and of both texts
    versions: Mapping[str, Any] = field(default_factory=dict)  # of the packages that searched
    pictures: Mapping[str, Path] = field(default_factory=dict)  # by the name they get: "front.png", "strip.png"
