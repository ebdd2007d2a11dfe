"""What a finished run leaves in its folder: the report, the configuration, the front as table and pictures."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from search.engine.plan import Plan
from search.report import Measured, Outcome, losses, report, standard_error
from search.settings import name_of
from service.pictures.figure import Figure, Layer, Point
from service.pictures.page import draw_page
from service.pictures.png import draw_png
from service.pictures.replacement import replace_file
from spaces.configuration import Configuration
from spaces.errors import InputError, JobError

VERSIONS = ("layerpress", "torch", "transformers", "ray", "numpy", "sqlalchemy", "safetensors")


def full_report(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """``report.json``: what was asked, what was found, and what is needed to check it."""
    spec, space = plan.spec, plan.problem.space
    return {
        "model": spec.model,
        "name": spec.name,
        "space": {
            "num_layers": len(space.layers),
            "num_units": len(space.units),
            "num_weights": space.num_weights,
            "num_parameters": space.anatomy.num_parameters,
            "ties": space.ties,
        },
        "budget": spec.budget,
        "objective": spec.objective,
        "strategy": spec.strategy,
        "seed": spec.seed,
        **report(outcome),
        "spec": spec.model_dump(mode="json"),
        "hashes": source_hashes(plan),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in VERSIONS}},
    }


def source_hashes(plan: Plan) -> dict[str, str]:
    """What a job read, by content: the weights and both texts."""
    texts = {str(text): stream.key(stream.num_sequences) for text, stream in plan.streams.items()}
    return {"weights": plan.weights, **texts}


def write_outputs(folder: Path, content: dict[str, Any], plan: Plan, outcome: Outcome) -> None:
    """Write everything into ``folder``, each file whole or not at all.

    Raises:
        JobError: the folder cannot be written; the results themselves are in the store.
    """
    with writing(folder):
        write_configuration(folder, outcome.answer.configuration, plan)
        _write(folder / "front.csv", _table(content["front"]))
        figure = make_figure(plan, outcome)
        draw_png(figure, folder / "front.png")
        draw_page(figure, folder / "front.html")
        # last: whoever finds a report finds the rest
        _write(folder / "report.json", json.dumps(content, indent=2, allow_nan=False) + "\n")


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


def write_configuration(folder: Path, configuration: Configuration, plan: Plan) -> None:
    """``configuration.json``, in the order of the model's layers."""
    _write(folder / "configuration.json", configuration.dump(plan.problem.space.names))


def check_out(folder: Path) -> None:
    """Refuse, before any work, an output folder that cannot be one.

    Raises:
        InputError: it is a file, or lies under one, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out must be a folder that can be made, got {str(folder)!r}: {error.strerror}") from error


def make_figure(plan: Plan, outcome: Outcome) -> Figure:
    """The job as both pictures show it."""
    space, spec = plan.problem.space, plan.spec
    plain = {baseline.configuration for baseline in outcome.baselines}
    front = set(outcome.front)
    return Figure(
        title=f"{Path(spec.model).name}: {plan.problem.budget}",
        subtitle=f"{name_of(spec.strategy)}, seed {spec.seed}, {outcome.facts['fidelity_tokens']:,} calibration tokens",
        objective_name="KL divergence, nats per token" if spec.objective == "kl" else "perplexity",
        points=tuple(
            _point(measured, outcome, is_front=index in front, is_baseline=measured.configuration in plain)
            for index, measured in enumerate(outcome.evaluated)
        ),
        layers=tuple(
            Layer(name=layer.name, block=layer.block, module=layer.module, num_weights=layer.num_weights)
            for layer in space.layers
        ),
        budget_label=str(plan.problem.budget),
        budget_size_bytes=next(
            (limit.limit // 8 for limit in plan.problem.budget.limits if limit.measure == "stored_bits"), None
        ),
        verdict=outcome.verdict,
        dense_note=f"dense: {space.measure(space.kept).size_bytes / 1e6:,.1f} MB, "
        f"perplexity {outcome.facts['dense']['calibration']['perplexity']:.2f}",
    )


def _point(measured: Measured, outcome: Outcome, *, is_front: bool, is_baseline: bool) -> Point:
    space = outcome.space
    measures = space.measure(space.levels(measured.configuration))
    values = losses(measured.calibration, outcome.objective)
    mean, error = float(values.mean()), standard_error(values)
    if outcome.objective == "perplexity":  # the delta method: d exp(x) = exp(x) dx
        mean, error = float(np.exp(mean)), float(np.exp(mean)) * error
    is_answer = measured.configuration == outcome.answer.configuration
    return Point(
        configuration_id=measured.configuration.id,
        label=measured.name,
        size_bytes=measures.size_bytes,
        bits_per_weight=measures.stored_bits / space.anatomy.num_parameters,
        nominal_bits_per_weight=measures.nominal_bits / max(1, space.num_weights),
        objective=mean,
        objective_se=error if np.isfinite(error) else None,
        is_front=is_front,
        is_baseline=is_baseline,
        is_answer=is_answer,
        options=tuple(measured.configuration[name].slug for name in space.names)
        if is_front or is_baseline or is_answer
        else None,
    )


def _table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    replace_file(path, text.encode())


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
