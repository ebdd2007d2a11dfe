"""All that a job may be made of, with its settings, read off the tables that the job file itself is read with."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from inspect import getdoc
from typing import Any, Literal, get_args, get_origin, get_type_hints

from exporters.formats import EXPORTERS
from search.scores.score import SCORES
from search.settings import PRESETS, STARTS
from search.solvers.solver import SOLVERS
from search.spec import OptionModel
from search.strategy import STRATEGIES
from spaces.budget import BUDGETS
from spaces.option import OPTION_KINDS
from spaces.tables import load
from spaces.targets import TARGETS
from spaces.ties import TIES

Entry = dict[str, Any]
TABLES = {  # what each is called -> its table, and the noun of one line
    "strategies": (STRATEGIES, "strategy"),
    "scores": (SCORES, "score"),
    "solvers": (SOLVERS, "solver"),
    "exports": (EXPORTERS, "export format"),
}
NEEDED_KEYS = ("bits", "types")
OPTION_KEYS = {  # of a line of space.options, by its kind
    "keep": (),
    "quantize": ("bits", "group_size", "symmetric", "solver", "indivisible", "layers"),
    "drop": ("parts", "layers"),
    "ggml": ("types", "indivisible", "layers"),
}


def catalogue(_content: Mapping[str, object]) -> dict[str, list[Entry]]:
    """The lines of every table, each with its name, one sentence and the settings that it takes."""
    listed = {name: [_entry(line, load(table, line, noun)) for line in table] for name, (table, noun) in TABLES.items()}
    return {
        **listed,
        "options": [_option(name) for name in OPTION_KINDS],
        "targets": [_named(each.name, " ".join((f"{each.summary}.", *each.limits))) for each in TARGETS.values()],
        "ties": [_named(name, "; ".join(", ".join(group) for group in groups)) for name, groups in TIES.items()],
        "budgets": [_named(name, rule.measure.replace("_", " ")) for name, rule in BUDGETS.items()],
        "presets": list(_presets()),
    }


def _option(name: str) -> Entry:
    """As a job file writes it, which names several options at once."""
    fields = {key: OptionModel.model_fields[key] for key in OPTION_KEYS[name]}
    hints = get_type_hints(OptionModel)
    settings = [
        {
            "name": key,
            "type": _type_name(hints[key]),
            "default": None if key in NEEDED_KEYS else _plain(field.default),
            "is_required": key in NEEDED_KEYS,
        }
        for key, field in fields.items()
    ]
    return {**_entry(name, load(OPTION_KINDS, name, "option kind")), "settings": settings}


def _presets() -> Iterable[Entry]:
    for strategy, presets in PRESETS.items():
        for name, settings in presets.items():
            yield _named(name, f"{strategy} with {json.dumps(_plain(settings))}")


def _named(name: str, summary: str) -> Entry:
    return {"name": name, "summary": summary, "settings": []}


def _entry(name: str, kind: Any) -> Entry:
    settings = _settings(kind) if isinstance(kind, type) else []
    return {"name": name, "summary": (getdoc(kind) or "").split("\n\n")[0].replace("\n", " "), "settings": settings}


def _settings(kind: type) -> list[Entry]:
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    return [_setting(field, hints[field.name]) for field in fields if field.init]


def _setting(field: dataclasses.Field[Any], annotation: Any) -> Entry:
    has_factory = field.default_factory is not dataclasses.MISSING
    is_required = field.default is dataclasses.MISSING and not has_factory
    default = field.default_factory() if has_factory else field.default  # type: ignore[operator]
    return {
        "name": field.name,
        "type": _type_name(annotation),
        "default": None if is_required else _plain(default),
        "is_required": is_required,
    }


def _type_name(annotation: Any) -> str:
    """As Python writes it, without the modules; the choices of a Literal."""
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    if annotation is type(None):
        return "None"
    arguments = [_type_name(each) for each in get_args(annotation) if each is not Ellipsis and _is_type(each)]
    if not arguments:
        return str(getattr(annotation, "__name__", annotation))
    origin = get_origin(annotation)
    return f"{origin.__name__}[{', '.join(arguments)}]" if origin in (list, tuple, dict) else " | ".join(arguments)


def _is_type(argument: object) -> bool:
    return isinstance(argument, type) or get_origin(argument) is not None


def _plain(value: object) -> object:
    """A default as a job file writes it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        settings = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"name": name, **settings} if (name := _name_of(type(value))) else settings
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _name_of(kind: type) -> str:
    """What a table lists a class under; empty where none does."""
    path = f"{kind.__module__}:{kind.__name__}"
    paths = {listed: name for table, _ in TABLES.values() for name, listed in table.items()}
    starts = {start: name for name, start in STARTS.items()}
    return paths.get(path) or starts.get(kind, "")
