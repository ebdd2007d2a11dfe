"""A job's sensitivities as a task, for jobs that left no file of them: those that run, and those that never ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.sensitivity import sensitivity_document
from service.sidecar.solve_task import planned_job
from spaces.errors import ConflictError, InputError, JobError, UnreachableError


def sensitivity_task(content: Mapping[str, Any]) -> dict[str, Any]:
    """What each option costs each layer, from what is stored; ``content`` is what ``planned_job`` reads.

    Raises:
        ConflictError: nothing that tells is stored yet.
        InputError: model or text have changed, or lie elsewhere.
    """
    store, plan, where = planned_job(content)
    try:
        return sensitivity_document(plan, store)
    except UnreachableError:
        raise
    except (InputError, JobError) as error:
        raise ConflictError(f"{where} has nothing yet that tells what each layer costs: {error}") from error
