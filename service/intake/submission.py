"""From what somebody sent to a job that can be stored: understood, within the roots, its paths made absolute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search.spec import JobSpec, explain, read_spec
from service.intake.fields import Fault, FieldError, at
from service.intake.jobfile import put
from service.intake.preview import understand
from service.intake.roots import check_paths
from spaces.errors import InputError

MAX_WORKERS = 4096
MAX_OPTION_LINES = 64
MAX_NAME = 200
MAX_TASKS = 16


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A job that nothing speaks against."""

    spec: JobSpec
    stored: dict[str, Any]  # as it was sent, with absolute paths

    @property
    def name(self) -> str:
        return self.spec.name or self.spec.model.rstrip("/").rpartition("/")[2]


def read_submission(sent: Mapping[str, Any], roots: tuple[Path, ...], *, allow_hub: bool) -> Submission:
    """Check all of a job that can be checked without its weights and text, and settle its paths.

    Raises:
        FieldError: what cannot be done, and where the job asks for it.
    """
    submission = read_form(sent, roots, allow_hub=allow_hub)
    understand(submission.spec)
    return submission


def read_form(sent: Mapping[str, Any], roots: tuple[Path, ...], *, allow_hub: bool) -> Submission:
    """The same without looking into the model.

    Raises:
        FieldError: what does not read, or lies outside the roots.
    """
    with at():
        try:
            spec = read_spec(sent)
        except InputError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            faults = [Fault(loc=loc, message=sentence) for loc, sentence in explain(error.__cause__)]
            raise FieldError(*faults) from error
    _check_sizes(spec)
    spec = check_paths(spec, roots, allow_hub=allow_hub)
    texts = {key: {**sent[key], "source": getattr(spec, key).source} for key in ("calibration", "validation")}
    tasks = {"tasks": [task.model_dump(exclude_none=True) for task in spec.tasks]} if spec.tasks else {}
    return Submission(spec=spec, stored={**sent, "model": spec.model, **texts, **tasks})


def changed(spec: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A spec with single values replaced, each named by its path: ``{"budget.size": "3MB"}``.

    Raises:
        FieldError: a path that leads nowhere.
    """
    result: Any = dict(spec)
    for path, value in changes.items():
        with at("changes", path):
            result = put(result, path.split("."), value, path)
    return dict(result)


def _check_sizes(spec: JobSpec) -> None:
    """What a person would type into a job file without harm, a program may send in any size."""
    sizes = {
        "workers": (spec.workers, MAX_WORKERS),
        "name": (len(spec.name or ""), MAX_NAME),
        "space.options": (len(spec.space.options), MAX_OPTION_LINES),
        "constraints": (len(spec.constraints), MAX_OPTION_LINES),
        "tasks": (len(spec.tasks), MAX_TASKS),
    }
    for key, (size, largest) in sizes.items():
        if size > largest:
            noun = "be at most" if key == "workers" else "have a length of at most"
            fault = Fault(loc=tuple(key.split(".")), message=f"{key} must {noun} {largest} in a service, got {size}")
            raise FieldError(fault)
