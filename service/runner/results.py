"""A finished job's files, as the store keeps them."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from search.engine.plan import Plan
from search.front_report import FrontOutcome
from search.report import Outcome
from service.outputs import write_outputs
from service.sensitivity import sensitivity_files
from service.spaces_view import SPACE_FILE, space_document
from store.records import Artifact
from store.store import Store

MEDIA_TYPES = {".json": "application/json", ".csv": "text/csv", ".png": "image/png", ".html": "text/html"}


def space_file(plan: Plan) -> Artifact:
    """What reads the levels of the job's candidates."""
    content = json.dumps(space_document(plan.problem.space)).encode()
    return Artifact(name=SPACE_FILE, media_type=MEDIA_TYPES[".json"], content=content)


def result_files(plan: Plan, outcome: Outcome | FrontOutcome, content: dict[str, Any], store: Store) -> list[Artifact]:
    """The files that ``layerpress run --out`` would write, and what each option costs each layer."""
    with TemporaryDirectory(prefix="layerpress-") as folder:
        write_outputs(Path(folder), content, plan, outcome)
        written = [
            Artifact(name=path.name, media_type=MEDIA_TYPES[path.suffix], content=path.read_bytes())
            for path in sorted(Path(folder).iterdir())
        ]
    return [*written, *sensitivity_files(plan, store)]
