"""What a finished run leaves in its folder: the report, the configuration, the front as table and pictures."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search.engine.plan import Plan
from search.front_report import FrontOutcome, front_report
from search.report import Outcome, report
from search.sampling.objectives import objectives_asked
from service.figures import make_figure
from service.pictures.page import draw_page
from service.pictures.png import draw_png
from service.pictures.replacement import replace_file
from spaces.configuration import Configuration
from spaces.errors import InputError, JobError
from spaces.option import parse_option

CONFIGURATIONS_FILE = "configurations.json"
VERSIONS = ("layerpress", "torch", "transformers", "ray", "numpy", "optuna", "sqlalchemy", "safetensors")


def full_report(plan: Plan, outcome: Outcome | FrontOutcome) -> dict[str, Any]:
    """``report.json``: what was asked, what was found, and what is needed to check it."""
    found = report(outcome) if isinstance(outcome, Outcome) else _front_report(outcome)
    spec, space = plan.spec, plan.problem.space
    return {
        "model": spec.model,
        "name": spec.name,
        "space": {
            "num_layers": len(space.layers),
            "num_units": len(space.units),
            "num_weights": space.num_weights,
            "num_parameters": space.anatomy.num_parameters,
            "target": space.target,
            "ties": space.ties,
        },
        "budget": spec.budget,
        "objective": spec.objective,
        "objectives": list(objectives_asked(spec.strategy)),
        "strategy": spec.strategy,
        "seed": spec.seed,
        **found,
        "spec": spec.model_dump(mode="json"),
        "hashes": source_hashes(plan),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in VERSIONS}},
    }


def _front_report(outcome: FrontOutcome) -> dict[str, Any]:
    """The same for several budgets, with the file of each one's answer."""
    content = front_report(outcome)
    return content | {
        "answers": [row | {"file": answer_file(outcome.limit, row["value"])} for row in content["answers"]]
    }


def source_hashes(plan: Plan) -> dict[str, str]:
    """What a job read, by content: the weights and both texts."""
    texts = {str(text): stream.key(stream.num_sequences) for text, stream in plan.streams.items()}
    return {"weights": plan.weights, **texts}


def write_outputs(folder: Path, content: dict[str, Any], plan: Plan, outcome: Outcome | FrontOutcome) -> None:
    """Write everything into ``folder``, each file whole or not at all; each budget's answer has a file of its own.

    Raises:
        JobError: the folder cannot be written; the results themselves are in the store.
    """
    with writing(folder):
        if isinstance(outcome, Outcome):
            write_configuration(folder, outcome.answer.configuration, plan)
        else:
            for at in outcome.answers:
                write_configuration(folder, at.answer.configuration, plan, answer_file(outcome.limit, at.value))
        _write(folder / "front.csv", _table(content["front"]))
        _write(folder / CONFIGURATIONS_FILE, _configurations(outcome, plan))
        figure = make_figure(plan, outcome)
        draw_png(figure, folder / "front.png")
        draw_page(figure, folder / "front.html")
        # last: whoever finds a report finds the rest
        _write(folder / "report.json", json.dumps(content, indent=2, allow_nan=False) + "\n")


def _configurations(outcome: Outcome | FrontOutcome, plan: Plan) -> str:
    """The options of front, answers and plain choices, so that any of them can be exported: numbers, for short."""
    names = plan.problem.space.names
    shown = [outcome.evaluated[index].configuration for index in outcome.front]
    shown += [baseline.configuration for baseline in outcome.baselines]
    answers = (outcome.answer,) if isinstance(outcome, Outcome) else tuple(at.answer for at in outcome.answers)
    shown += [answer.configuration for answer in answers]
    slugs = sorted({option.slug for each in shown for _, option in each.options})
    number = {slug: index for index, slug in enumerate(slugs)}
    rows = {each.id: [number[each[name].slug] for name in names] for each in shown}
    return json.dumps({"layers": names, "options": slugs, "configurations": rows}) + "\n"


def read_configurations(text: str) -> dict[str, Configuration]:
    """What ``configurations.json`` holds, by id.

    Raises:
        InputError: it is something else.
    """
    try:
        content = json.loads(text)
        options = [parse_option(slug) for slug in content["options"]]
        return {
            key: Configuration.of(dict(zip(content["layers"], [options[number] for number in row], strict=True)))
            for key, row in content["configurations"].items()
        }
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(f"{CONFIGURATIONS_FILE} does not read ({error!r}); run the job again, it is fast") from error


def write_files(folder: Path, texts: Mapping[str, str], pictures: Mapping[str, Callable[[Path], None]]) -> None:
    """Write texts and pictures by name into ``folder``; raises as ``write_outputs``."""
    with writing(folder):
        for name, text in texts.items():
            _write(folder / name, text)
        for name, draw in pictures.items():
            draw(folder / name)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make ``folder``; a disk that cannot be written ends in one message."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise JobError(
            f"cannot write the results into {folder} ({error.strerror}); nothing is lost: "
            f"make room or name another --out, and the same command finds everything in the store"
        ) from error


def write_configuration(
    folder: Path, configuration: Configuration, plan: Plan, name: str = "configuration.json"
) -> None:
    """``configuration.json``, in the order of the model's layers."""
    _write(folder / name, configuration.dump(plan.problem.space.names))


def answer_file(limit: str, value: str) -> str:
    """Where the answer at one of several budgets is written: ``configuration-nominal_bits_per_weight-2.5.json``."""
    return f"configuration-{limit}-{re.sub(r'[^A-Za-z0-9.+-]', '', value)}.json"


def check_out(folder: Path) -> None:
    """Refuse, before any work, an output folder that cannot be one.

    Raises:
        InputError: it is a file, or lies under one, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out must be a folder that can be made, got {str(folder)!r}: {error.strerror}") from error


def _table(rows: list[dict[str, Any]]) -> str:
    """Rows of one kind; what one says of tasks goes in a column for each."""
    rows = [_flat(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    errors = row.get("task_errors", {})
    own = {key: value for key, value in row.items() if key != "task_errors"}
    return own | {f"error_{task}": error for task, error in errors.items()}


def _write(path: Path, text: str) -> None:
    replace_file(path, text.encode())


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
