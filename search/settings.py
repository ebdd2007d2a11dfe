"""Makes strategies, starts and scores from what people write: a name, a preset, and settings checked by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from search.region.local_model import Doubt
from search.region.race import Race
from search.scores.score import SCORES, Score
from search.selection import Stage
from search.solvers.solver import SOLVERS, Solver
from search.strategies import allocate, evolution
from search.strategies.evolution import RandomStart, UniformStart
from search.strategy import STRATEGIES, Strategy
from spaces.errors import InputError
from spaces.tables import check_name, load

PRESETS: dict[str, dict[str, dict[str, Any]]] = {"evolution": evolution.PRESETS, "allocate": allocate.PRESETS}
STARTS: dict[str, type] = {"uniform": UniformStart, "random": RandomStart}


def make_strategy(asked: object, where: str = "strategy") -> Strategy:
    """The strategy that ``asked`` describes: a name, or a mapping with ``name``, ``preset`` and settings.

    A preset's name alone is enough, and so is a score's, or a composition written ``score:solver``.

    Raises:
        InputError: an unknown name, preset or setting (with the nearest), or a value that the setting cannot take.
    """
    settings = _settings(_expanded(asked, where), where, "evolution")
    name = settings.pop("name")
    kind = load(STRATEGIES, name, "strategy")
    if "preset" in settings:
        preset = settings.pop("preset")
        offered = PRESETS.get(name)
        if offered is None:
            known = " and ".join(PRESETS)
            raise InputError(f"{where}.preset {preset!r}: only {known} have presets; leave it out")
        settings = {**offered[check_name(preset, offered, "preset")], **settings}
    strategy: Strategy = _build(kind, settings, where)
    return strategy


def name_of(asked: object) -> str:
    """What people call a strategy that they asked for: its name, or its preset's."""
    if isinstance(asked, Mapping):
        return str(asked.get("preset") or asked["name"])
    return str(asked)


def _expanded(asked: object, where: str) -> object:
    """A bare name as a mapping; names of strategies come first, then presets, scores, and ``score:solver``."""
    if not isinstance(asked, str):
        return asked
    for strategy, presets in PRESETS.items():
        if asked in presets and asked not in STRATEGIES:
            return {"name": strategy, "preset": asked}
    score, colon, solver = asked.partition(":")
    if colon:
        return {"name": "allocate", "score": score, "solver": solver}
    if asked in SCORES:
        return {"name": "allocate", "score": asked}
    known = [*STRATEGIES, *(name for presets in PRESETS.values() for name in presets), *SCORES]
    return {"name": check_name(asked, known, where)}


def _make_start(asked: object, where: str) -> UniformStart | RandomStart | Strategy:
    settings = _settings(asked, where, "uniform")
    name = check_name(settings["name"], dict.fromkeys([*STARTS, *STRATEGIES]), "start")
    if name not in STARTS:
        return make_strategy(settings, where)
    del settings["name"]
    start: UniformStart | RandomStart = _build(STARTS[name], settings, where)
    return start


def make_score(asked: object, where: str = "score") -> Score:
    """The score that ``asked`` describes: a name, or a mapping with ``name`` and settings."""
    settings = _settings(asked, where, "measured-kl")
    score: Score = _build(load(SCORES, settings.pop("name"), "score"), settings, where)
    return score


def make_solver(asked: object, where: str = "solver") -> Solver:
    """The solver that ``asked`` describes, likewise."""
    settings = _settings(asked, where, "knapsack")
    solver: Solver = _build(load(SOLVERS, settings.pop("name"), "solver"), settings, where)
    return solver


def _make_stages(asked: object, where: str) -> tuple[Stage, ...]:
    if not isinstance(asked, list | tuple):
        raise InputError(f"{where} must be a list such as [{{tokens: 2048, survivors: 1}}], got {asked!r}")
    return tuple(_make_stage(stage, f"{where}[{number}]") for number, stage in enumerate(asked))


def _make_stage(asked: object, where: str) -> Stage:
    if not isinstance(asked, Mapping):
        raise InputError(f"{where} must be a mapping such as {{tokens: 2048, survivors: 4}}, got {asked!r}")
    stage: Stage = _build(Stage, asked, where)
    return stage


def _maker(kind: type) -> Callable[[object, str], object]:
    """What makes a settings object of one kind from a mapping."""

    def make(asked: object, where: str) -> object:
        if not isinstance(asked, Mapping):
            fields = ", ".join(field.name for field in dataclasses.fields(kind))
            raise InputError(f"{where} must be a mapping of any of {fields}, got {asked!r}")
        return _build(kind, asked, where)

    return make


# settings that are made of settings
MAKERS: dict[str, Callable[[object, str], object]] = {
    "doubt": _maker(Doubt),
    "race": _maker(Race),
    "start": _make_start,
    "score": make_score,
    "singles": make_score,
    "solver": make_solver,
    "stages": _make_stages,
}


def _settings(asked: object, where: str, example: str) -> dict[str, Any]:
    settings = {"name": asked} if isinstance(asked, str) else dict(asked) if isinstance(asked, Mapping) else {}
    if not isinstance(settings.get("name"), str):
        raise InputError(f"{where} needs a name, got {asked!r}; write, say, {where}: {{name: {example}}}")
    return settings


def _build(kind: type, settings: Mapping[str, object], where: str) -> Any:
    """An instance of a settings dataclass, each field checked against its type."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    checked = {}
    for key, value in settings.items():
        check_name(key, fields, f"setting of {where}")
        make = MAKERS.get(key)
        checked[key] = make(value, f"{where}.{key}") if make else _checked(kind, key, value, f"{where}.{key}")
    for name, field in fields.items():
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if not has_default and name not in checked:
            raise InputError(f"{where} needs {name}, got {dict(settings)!r}")
    try:
        return kind(**checked)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _checked(kind: type, key: str, value: object, where: str) -> object:
    annotation = get_type_hints(kind)[key]
    if get_origin(annotation) is Literal and isinstance(value, str):
        return check_name(value, get_args(annotation), where)
    if get_origin(annotation) is tuple and isinstance(value, list):
        value = tuple(value)  # YAML has lists alone
    try:
        return TypeAdapter(annotation, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError as error:
        raise InputError(f"{where}: {error.errors()[0]['msg']}, got {value!r}") from error
