"""The models that lie within some folders: whatever has a config of a language model and safetensors beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

DEEPEST = 4  # folders below a root
MOST_FOLDERS, MOST_MODELS = 5_000, 500  # looked into and listed: a root may be a whole disk
LARGEST_CONFIG_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A folder that a job's ``model`` may name."""

    path: Path
    size_bytes: int  # of its weights


def find_models(roots: Sequence[Path]) -> list[ModelFolder]:
    """The models within ``roots``, by path. Hidden folders and links are not followed."""
    found: dict[Path, ModelFolder] = {}
    folders = (folder for root in roots for folder in _folders(root))
    for folder in islice(folders, MOST_FOLDERS):
        model = _model_in(folder)
        if model is not None:
            found[model.path] = model
        if len(found) >= MOST_MODELS:
            break
    return [found[path] for path in sorted(found)]


def _folders(root: Path) -> Iterator[Path]:
    """The root and the folders below it."""
    root = root.resolve()
    for path, names, _ in os.walk(root):  # unreadable folders are passed over
        depth = len(Path(path).relative_to(root).parts)
        names[:] = [] if depth >= DEEPEST else sorted(name for name in names if not name.startswith("."))
        yield Path(path)


def _model_in(folder: Path) -> ModelFolder | None:
    try:
        weights = [path for path in folder.glob("*.safetensors") if path.is_file()]
        if not weights or not _is_config(folder / "config.json"):
            return None
        return ModelFolder(path=folder, size_bytes=sum(path.stat().st_size for path in weights))
    except OSError:  # it went away, or may not be read
        return None


def _is_config(path: Path) -> bool:
    """Whether transformers would know what this model is; adapters and tokenizers have other configs."""
    if not path.is_file() or path.stat().st_size > LARGEST_CONFIG_BYTES:
        return False
    try:
        config = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        return False
    return isinstance(config, dict) and "model_type" in config
