"""Writes a configuration in a format: a folder that appears whole or not at all, and says where it comes from."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.card import model_card
from exporters.draft_folder import check_free, draft_of
from exporters.format import Exporter, FormatInfo, ReportsNotes, ReportsSavings
from exporters.formats import exporter
from exporters.source import Source
from exporters.sums import SUMS_FILE, write_sums
from spaces.errors import InputError
from spaces.quantities import show_size

COMPANIONS = ("*.json", "*.model", "*.txt", "*.jinja", "LICENSE*", "NOTICE*")  # of a model: its tokenizer, its license
OWN_FILES = ("config.json", "compression.json", "README.md", SUMS_FILE)
NO_WEIGHTS = frozenset({".json", ".md", ".txt", ".jinja", ".model", ".py", ".yaml", ".png"})
TOLERANCE = 0.01  # promise 1
VERSIONS = ("layerpress", "torch", "transformers", "safetensors")
REASONS_SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    folder: Path
    format: str
    file_bytes: int  # of the weights' files, headers included; of a recipe, its one file
    predicted_bytes: int  # of the tensors, as the exporter said before; 0 of a recipe
    files: tuple[str, ...]
    savings: tuple[str, ...]  # what each drop saves here, and what it does not

    @property
    def deviation(self) -> float | None:
        """File bytes over the prediction, less one; None of a recipe."""
        return self.file_bytes / self.predicted_bytes - 1 if self.predicted_bytes else None

    @property
    def is_as_predicted(self) -> bool:
        """Whether both agree within 1 %; the headers of a very small model's many tensors alone take more."""
        return self.deviation is None or abs(self.deviation) <= TOLERANCE


def export(source: Source, format_: str, out: Path) -> Exported:
    """Write ``source`` into the folder ``out``, which must not exist or be empty.

    Everything is written to a hidden folder beside it, which is renamed when it is whole.

    Raises:
        InputError: no such format, it cannot say what the configuration says, or ``out`` is in use.
        JobError: the disk is full, or the folder cannot be written.
    """
    chosen = exporter(format_)
    check_writable(chosen, source)
    check_free(out)
    with draft_of(out) as draft:
        return _write(source, chosen, draft, out)


def check_writable(chosen: Exporter, source: Source) -> None:
    """Refuse what the format has no word for.

    Raises:
        InputError: with the first few reasons.
    """
    reasons = chosen.refusals(source.anatomy, source.configuration)
    if reasons:
        more = f" (and {len(reasons) - REASONS_SHOWN} more of the kind)" if len(reasons) > REASONS_SHOWN else ""
        raise InputError(f"format {chosen.info.name}: {'; '.join(reasons[:REASONS_SHOWN])}{more}")


def check_size(chosen: Exporter, source: Source, max_bytes: int | None) -> None:
    """Refuse a checkpoint that this format makes larger than was asked for.

    Raises:
        InputError: names both sizes; a candidate's own is that of packed tensors, or of its job's target.
    """
    if max_bytes is None or chosen.info.kind != "checkpoint":
        return
    size = chosen.size_bytes(source.anatomy, source.configuration)
    if size > max_bytes:
        raise InputError(
            f"--max-size is {show_size(max_bytes)}, and {chosen.info.name} takes {show_size(size)} for the candidate "
            f"that is within it by its packed size; ask for a smaller --max-size, or for another format"
        )


def _write(source: Source, chosen: Exporter, draft: Path, out: Path) -> Exported:
    info = chosen.info
    chosen.write(source, draft)
    file_bytes = _weight_bytes(draft, info)
    predicted = chosen.size_bytes(source.anatomy, source.configuration) if info.kind == "checkpoint" else 0
    savings = _savings(source, chosen)
    notes = chosen.notes(source.anatomy, source.configuration) if isinstance(chosen, ReportsNotes) else []
    if info.kind == "checkpoint" and info.needs_tokenizer:
        _copy_companions(source.model, draft)
    for name, picture in source.provenance.pictures.items():
        shutil.copyfile(picture, draft / name)
    facts = compression(source, info) | {
        "size": {"file_bytes": file_bytes, "predicted_bytes": predicted or None},
        "dropped": savings,
        "notes": notes,
    }
    (draft / "compression.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    (draft / "README.md").write_text(model_card(source, info, out.name, savings, notes), encoding="utf-8")
    files = write_sums(draft)
    return Exported(
        folder=out,
        format=info.name,
        file_bytes=file_bytes,
        predicted_bytes=predicted,
        files=(*files, SUMS_FILE),
        savings=tuple(savings),
    )


def compression(source: Source, info: FormatInfo) -> dict[str, Any]:
    """``compression.json``: the configuration, where it comes from and what it was measured at."""
    provenance = source.provenance
    return {
        "format": info.name,
        "model": provenance.model,
        "configuration_id": source.configuration.id,
        "configuration": {name: option.slug for name, option in source.configuration.options},
        "budget": dict(provenance.budget),
        "metrics": dict(provenance.candidate),
        "baselines": [dict(row) for row in provenance.baselines],
        "verdict": provenance.verdict,
        "job": provenance.job,
        "seed": provenance.seed,
        "hashes": dict(provenance.hashes),
        "versions": dict(provenance.versions),
        "exported_with": {name: importlib.metadata.version(name) for name in VERSIONS},
        "spec": dict(provenance.spec),
    }


def _savings(source: Source, chosen: Exporter) -> list[str]:
    """What the drops save: a plain checkpoint's, unless the format has ways of its own."""
    if chosen.info.kind == "recipe":
        return []
    return chosen.savings(source) if isinstance(chosen, ReportsSavings) else source.removal.savings()


def _weight_bytes(draft: Path, info: FormatInfo) -> int:
    if info.kind == "recipe":
        return (draft / info.file_name).stat().st_size
    files = [path for path in draft.rglob("*") if path.is_file() and path.suffix not in NO_WEIGHTS]
    return sum(path.stat().st_size for path in files)


def _copy_companions(model: Path, draft: Path) -> None:
    """Tokenizer, generation settings and license, unless the format wrote one of its own."""
    for pattern in COMPANIONS:
        for path in sorted(model.glob(pattern)):
            is_index = path.name.endswith(".index.json")
            if path.is_file() and path.name not in OWN_FILES and not is_index and not (draft / path.name).exists():
                shutil.copyfile(path, draft / path.name)
