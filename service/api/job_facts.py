"""What lists say of a job beside its own columns: method, answer, time left, and the latest event in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from search.sampling.objectives import objectives_asked
from store.records import AnswerRecord, EventRecord, JobRecord

Objective = Literal["kl", "perplexity"]

DEFAULT_STRATEGY = "trust-region"
AT_WORK = ("running", "stopping")
TEXT_LENGTH = 200  # of an event in words


def objective_of(job: JobRecord) -> Objective:
    """What the losses of a job's candidates are."""
    return cast(Objective, job.spec.get("objective", "kl"))


def strategy_name(job: JobRecord) -> str:
    """What people call a job's strategy: its name, or its preset's."""
    asked = job.spec.get("strategy", DEFAULT_STRATEGY)
    return str(asked.get("preset") or asked.get("name")) if isinstance(asked, dict) else str(asked)


def objectives_of(job: JobRecord) -> list[str]:
    """What a job's strategy minimises together; the loss is always among them."""
    return list(objectives_asked(job.spec.get("strategy")))


def eta_of(job: JobRecord) -> float | None:
    """Seconds that the job's process last saw ahead; what has ended or waits has none."""
    progress = job.progress or {}
    return cast(float | None, progress.get("eta_s")) if job.state in AT_WORK else None


def answer_facts(job: JobRecord, answer: AnswerRecord | None) -> dict[str, Any] | None:
    """The answer beside the best plain choice, on the text that its verdict speaks of.

    None where there is none, or the report of another release tells it in other words.
    """
    if answer is None or not isinstance(answer.found.get("size_bytes"), int):
        return None
    key = f"{objective_of(job)}_validation"
    plain = [loss for row in answer.plain if isinstance(loss := row.get(key), int | float)]
    return {
        "seq": answer.seq,
        "size_bytes": answer.found["size_bytes"],
        "loss": answer.found.get(key),
        "uniform_loss": min(plain, default=None),
        "verdict": job.message,
    }


def event_text(event: EventRecord) -> str:
    """An event in a few words."""
    payload: Mapping[str, Any] = event.payload
    return WORDS.get(event.kind, _of_others)(payload)[:TEXT_LENGTH] or event.kind


def _of_state(payload: Mapping[str, Any]) -> str:
    return ": ".join(str(part) for part in (payload.get("state"), payload.get("message")) if part)


def _of_phase(payload: Mapping[str, Any]) -> str:
    return f"{payload.get('phase')} begins"


def _of_progress(payload: Mapping[str, Any]) -> str:
    total, label = payload.get("total"), str(payload.get("label") or payload.get("phase") or "")
    return f"{label}, {min(1.0, payload.get('done', 0) / total):.0%} of the phase" if total else label


def _of_candidates(payload: Mapping[str, Any]) -> str:
    new, entered = len(payload.get("seqs", ())), len(payload.get("entered", ()))
    return f"{new} {'candidate' if new == 1 else 'candidates'} measured, {entered} on the front"


def _of_log(payload: Mapping[str, Any]) -> str:
    return str(payload.get("message", "")).partition("\n")[0]


def _of_others(payload: Mapping[str, Any]) -> str:
    return ""


WORDS = {
    "state": _of_state,
    "phase": _of_phase,
    "progress": _of_progress,
    "candidates": _of_candidates,
    "log": _of_log,
}
