"""A longer search from the spec of a shorter one: more rounds, generations, trials or samples of the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.settings import PRESETS, make_strategy
from search.strategy import STRATEGIES
from spaces.errors import ConflictError

# what each strategy counts its length in; the others are over when they have answered
LENGTHS = {
    "random": "samples",
    "evolution": "generations",
    "trust-region": "rounds",
    "nsga2": "trials",
    "nsga3": "trials",
    "tpe": "trials",
    "gp": "trials",
    "qmc": "trials",
    "surrogate": "rounds",
}


def extended(spec: Mapping[str, Any], more: int) -> dict[str, Any]:
    """The spec with ``more`` added to its strategy's length. Replay answers all of the shorter search from the store.

    Raises:
        ConflictError: the strategy has no length that could grow.
    """
    asked = spec.get("strategy", "trust-region")
    settings = _as_mapping(asked)
    name = settings["name"]
    key = LENGTHS.get(name)
    length = None if key is None else getattr(make_strategy(asked), key)
    if length is None:
        raise ConflictError(
            f"strategy {name} has no length to extend (those that have: {', '.join(LENGTHS)}); "
            f"clone the job with another strategy or budget instead"
        )
    return {**spec, "strategy": {**settings, key: length + more}}


def _as_mapping(asked: object) -> dict[str, Any]:
    """A strategy written as a name alone, written in full."""
    if isinstance(asked, Mapping):
        return dict(asked)
    for name, presets in PRESETS.items():
        if asked in presets and asked not in STRATEGIES:
            return {"name": name, "preset": asked}
    return {"name": asked if asked in STRATEGIES else "allocate"}
