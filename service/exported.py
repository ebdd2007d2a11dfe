"""Writes a candidate that a job has found: its bank entries, where it comes from, and its pictures, in any format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from compressors.bank import Bank
from evaluators.checkpoint import locate
from exporters.draft_folder import check_free
from exporters.export import Exported, check_size, check_writable, export
from exporters.format import Exporter
from exporters.formats import MODELLESS, export_text, exporter
from exporters.provenance import Provenance
from exporters.source import Source
from search.engine.exports import keep_entries
from search.engine.plan import Plan, make_plan
from search.engine.progress import Watch
from search.spec import JobSpec, read_spec
from service.choosing import Row
from service.found import FRONT_PICTURE, Found
from service.pictures.figure import Layer
from service.pictures.strip import draw_strip_png
from spaces.configuration import Configuration
from spaces.errors import InputError
from spaces.option import Banked

STRIP_PICTURE = "strip.png"

OnTensor = Callable[[int, int], None]


def export_found(
    found: Found,
    row: Row,
    format_: str,
    out: Path,
    home: Path,
    watch: Watch,
    on_tensor: OnTensor = lambda *_: None,
    *,
    max_bytes: int | None = None,
) -> Exported:
    """Write one of the candidates into a new folder ``out``; entries that the bank lacks are built again.

    Raises:
        InputError: the format cannot say it, or not in ``max_bytes``, ``out`` is in use, or the model or a text has
            changed since the search.
        JobError: building or writing failed; nothing is left at ``out``.
    """
    chosen, configuration = exporter(format_), found.read(row)
    check_free(out)
    source = _source(found, row, chosen, configuration)
    check_writable(chosen, source)
    check_size(chosen, source, max_bytes)
    if chosen.info.kind == "checkpoint":
        bank = _bank(found, configuration, home, watch)
        source = replace(source, entry=bank.read, on_tensor=on_tensor)
    with TemporaryDirectory(prefix="layerpress-") as folder:
        pictures = _pictures(found, source, Path(folder))
        return export(replace(source, provenance=replace(source.provenance, pictures=pictures)), format_, out)


def recipe_text(found: Found, row: Row, format_: str) -> str:
    """The one file of a recipe.

    Raises:
        InputError: the format is no recipe, or cannot say it.
    """
    if format_ in MODELLESS:
        return export_text(found.read(row), format_)
    chosen = exporter(format_)
    if chosen.info.kind != "recipe":
        raise InputError(f"format {format_} is a folder of files; say where it goes with --out DIR")
    source = _source(found, row, chosen, found.read(row))
    check_writable(chosen, source)
    with TemporaryDirectory(prefix="layerpress-") as folder:
        chosen.write(source, Path(folder))
        return (Path(folder) / chosen.info.file_name).read_text("utf-8")


def _source(found: Found, row: Row, chosen: Exporter, configuration: Configuration) -> Source:
    spec = _spec(found)
    return Source.open(locate(spec.model), configuration, _no_entry, _provenance(found, row, spec))


def _spec(found: Found) -> JobSpec:
    return read_spec(dict(found.spec), found.place)


def _no_entry(layer: str, option: Banked) -> Any:
    raise InputError(f"this format reads no weights, and so not {layer} at {option.slug}")


def _bank(found: Found, configuration: Configuration, home: Path, watch: Watch) -> Bank:
    """The bank with every entry of the configuration."""
    plan = make_plan(_spec(found), home, watch)
    _check_same(found, plan)
    keep_entries(plan, configuration, watch)
    return plan.bank


def _check_same(found: Found, plan: Plan) -> None:
    """Refuse a model or text that is not what was searched: the bank's entries would be of another model.

    Raises:
        InputError: which of them has changed.
    """
    hashes: Mapping[str, str] = found.report.get("hashes") or {}
    calibration = plan.streams["calibration"]
    now = {"weights": plan.weights, "calibration": calibration.key(calibration.num_sequences)}
    for name, words in (("weights", f"the model {plan.spec.model}"), ("calibration", "the calibration text")):
        if name in hashes and hashes[name] != now[name]:
            raise InputError(
                f"{words} has changed since {found.place} was searched (its hash was {hashes[name][:12]} and is "
                f"{now[name][:12]}); restore it, or run the job again"
            )


def _provenance(found: Found, row: Row, spec: JobSpec) -> Provenance:
    report = found.report
    is_answer = row["configuration_id"] in found.answers
    return Provenance(
        model=spec.model,
        candidate={key: value for key, value in row.items() if key != "file"},
        baselines=tuple(report.get("baselines", ())),
        budget=spec.budget if isinstance(spec.budget, Mapping) else {},
        verdict=str(report.get("verdict", "")) if is_answer else "",
        job=report.get("job"),
        seed=spec.seed,
        spec=found.spec,
        hashes=report.get("hashes") or {},
        versions=report.get("versions") or {},
    )


def _pictures(found: Found, source: Source, folder: Path) -> dict[str, Path]:
    """The front's, where there is one, and the strip of the configuration."""
    pictures = {}
    if found.picture is not None:
        (folder / FRONT_PICTURE).write_bytes(found.picture)
        pictures[FRONT_PICTURE] = folder / FRONT_PICTURE
    everything = (*source.anatomy.outside, *source.anatomy.weights, *source.anatomy.parts)
    shown = [layer for layer in everything if layer.name in source.configuration]
    layers = [
        Layer(name=layer.name, block=layer.block, module=layer.module, num_weights=layer.num_weights) for layer in shown
    ]
    title = f"What each layer became: {source.configuration.id}"
    slugs = [source.option(layer.name).slug for layer in shown]
    draw_strip_png(layers, slugs, title, folder / STRIP_PICTURE)
    return pictures | {STRIP_PICTURE: folder / STRIP_PICTURE}
