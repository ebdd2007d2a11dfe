"""Jobs as the service keeps them, written into a store: usual ones, and each odd kind that a page must bear."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dashboard_candidates import (
    BITS,
    drop_document,
    dropped,
    lost,
    mixed,
    quantized,
    sensitivity_document,
    space_document,
)

from search.sampling.objectives import objectives_asked, weighed_beside
from store.records import Artifact, JobState, NewCandidate, NewJob
from store.store import Store

MODEL = "/srv/models/reference-model"
SPEC: dict[str, Any] = {
    "model": MODEL,
    "calibration": {"source": "text/calibration.txt", "tokens": 8192},
    "validation": {"source": "text/validation.txt", "tokens": 8192},
    "space": {"options": [{"kind": "quantize", "bits": list(BITS), "group_size": 128, "symmetric": False}]},
    "budget": {"nominal_bits_per_weight": 3.0},
    "strategy": {"name": "trust-region", "rounds": 4},
    "objective": "kl",
    "seed": 0,
}
HOSTILE = "<img src=x onerror=\"console.error('injected')\"><script>console.error('injected')</script>${1}`{{b}}`"
BOTH = {"size": "2.9MB", "flops": "16M"}  # limits of what is on the two axes
LONG = "aNameWithoutAnyPlaceToBreakIt" * 6
PROGRESS = {
    "phase": "search",
    "label": "round 2 of 4",
    "done": 1000,
    "total": 4000,
    "unit": "tokens",
    "best": 0.02,
    "uniform": 0.03,
    "computed": 70,
    "cached": 10,
    "tokens": 64_000,
    "tokens_computed": 32_000,
    "eta_s": 75.0,
    "evaluations_per_minute": 40.0,
    "num_failed": 1,
}


def add_job(
    store: Store,
    name: str,
    found: Sequence[NewCandidate] = (),
    *,
    ends: JobState | None = "succeeded",
    report: dict[str, Any] | None = None,
    document: dict[str, Any] | None = None,
    message: str = "",
    note: str = "",
    model: str = MODEL,
    progress: dict[str, Any] | None = None,
    **spec: Any,
) -> str:
    """A job with these candidates, in the state that it ended in; None: it runs. Keywords are of its spec."""
    job, _ = store.add_job(
        NewJob(name=name, spec={**SPEC, "model": model, **spec}, origin="local", model=model, note=note)
    )
    store.note_progress(job.id, job.attempt, {**PROGRESS, **(progress or {})})
    for phase in ("bank", "baselines", "search"):
        store.add_event(job.id, "phase", {"phase": phase}, attempt=job.attempt)
    put_files(store, job.id, {"space.json": document or space_document()})
    if found:
        weighed = weighed_beside(objectives_asked(spec.get("strategy")))
        store.add_candidates(job.id, job.attempt, found, weighed)
    store.add_event(job.id, "progress", PROGRESS, attempt=job.attempt)
    if ends is not None:
        verdict = (report or {}).get("verdict", "")
        store.move_job(job.id, job.attempt, ends, message=message or verdict, report=report)
    return job.id


def running_job(store: Store, name: str, found: Sequence[NewCandidate]) -> str:
    """A job that its runner has in hand, as attempt 1, and that listens to what its owner wishes."""
    job, _ = store.add_job(NewJob(name=name, spec=SPEC, model=MODEL, priority=100))
    claimed = store.claim_job("a test's runner", 1e6)
    assert claimed is not None
    assert claimed.id == job.id
    store.move_job(job.id, 1, "running")
    put_files(store, job.id, {"space.json": space_document()})
    store.add_candidates(job.id, 1, found)
    store.note_progress(job.id, 1, PROGRESS)
    return job.id


def put_files(store: Store, job_id: str, files: dict[str, Any]) -> None:
    """Artifacts of a job, as JSON."""
    artifacts = [
        Artifact(name=name, media_type="application/json", content=json.dumps(content).encode())
        for name, content in files.items()
    ]
    store.put_artifacts(job_id, store.job(job_id).attempt, artifacts)


def entry(candidate: NewCandidate, name: str, objective: str = "kl") -> dict[str, Any]:
    """A candidate as reports write it."""
    loss = candidate.loss
    return {
        "name": name,
        "configuration_id": candidate.configuration_id,
        "size_bytes": candidate.size_bytes,
        "bits_per_weight": candidate.bits_per_weight,
        "nominal_bits_per_weight": candidate.nominal_bits_per_weight,
        "parameters": 10_000_000,
        "kl_calibration": loss if objective == "kl" else None,
        "kl_calibration_se": candidate.loss_se if objective == "kl" else None,
        "perplexity_calibration": 30.0,
        "kl_validation": loss if objective == "kl" else None,
        "kl_validation_se": candidate.loss_se if objective == "kl" else None,
        "perplexity_validation": loss if objective == "perplexity" else 31.0,
    }


def usual_report(found: Sequence[NewCandidate], objective: str = "kl") -> dict[str, Any]:
    """The best within three nominal bits, beside the uniform choices."""
    plains = [each for each in found if each.kind == "plain"]
    within = [each for each in found if each.nominal_bits_per_weight <= 3.0 and each.loss is not None]
    best = min(within, key=lambda each: each.loss or 0.0)
    loss = "KL" if objective == "kl" else "perplexity"
    return {
        "objective": objective,
        "budget": SPEC["budget"],
        "strategy": SPEC["strategy"],
        "answer": entry(best, "trust-region", objective),
        "found": entry(best, "trust-region", objective),
        "baselines": [entry(each, each.label, objective) for each in plains],
        "front": [],
        "evaluations": {"computed": 60, "cached": 20, "tokens": 640_000, "tokens_computed": 400_000},
        "verdict": f"On unseen text the answer's {loss} is {best.loss:.6f}, below {plains[1].label}.",
    }


def usual_job(store: Store, name: str = "usual", num: int = 80, **changes: Any) -> str:
    """A finished job with an answer and the sensitivity of its layers."""
    found = quantized(num)
    job_id = add_job(store, name, found, ends=None, **changes)
    put_files(store, job_id, {"sensitivity.json": sensitivity_document()})
    report = usual_report(found)
    store.move_job(job_id, 1, "succeeded", message=report["verdict"], report=report)
    return job_id


def _no_candidates(store: Store) -> str:
    return add_job(store, "no candidates", ends=None)


def _queued(store: Store) -> str:
    return store.add_job(NewJob(name="queued", spec=SPEC, model=MODEL))[0].id


def _one_candidate(store: Store) -> str:
    return add_job(store, "one candidate", quantized(1))


def _all_failed(store: Store) -> str:
    return add_job(store, "all failed", lost(quantized(12)))


def _some_failed(store: Store) -> str:
    found = lost(quantized(40), lambda number: number % 3 == 0)
    return add_job(store, "some failed", [replace(each, loss_se=None) for each in found])


def _all_alike(store: Store) -> str:
    found = [replace(each, size_bytes=3_000_000, loss=0.5, loss_se=0.0) for each in quantized(6)]
    return add_job(store, "all alike", found)


def _extremes(store: Store) -> str:
    losses = [0.0, 1e-12, 1e-3, 1.0, 1e9, 1e30]
    found = [replace(each, loss=loss, loss_se=loss) for each, loss in zip(quantized(6), losses, strict=True)]
    return add_job(store, "extremes", found, ends=None, progress={"best": None, "uniform": None, "total": 0})


def _failed(store: Store) -> str:
    words = "nominal_bits_per_weight must be at least 2.125 for this space, got 1; add a smaller option"
    return add_job(store, "infeasible", ends="failed", message=words, budget={"nominal_bits_per_weight": 1})


def _several_budgets(store: Store) -> str:
    found = quantized(60)
    plains = [entry(each, each.label) for each in found[: len(BITS)]]
    answers = [
        {
            "budget": {"nominal_bits_per_weight": str(budget)},
            "value": str(budget),
            "answer": entry(found[10 + number], f"allocate at {budget}"),
            "found": entry(found[10 + number], f"allocate at {budget}"),
            "best_plain": plains[0] if number else None,
            "verdict": "better",
        }
        for number, budget in enumerate((2.5, 3.0, 4.0))
    ]
    report = {"objective": "kl", "answers": answers, "baselines": plains, "front": [], "verdict": "At all 3 budgets."}
    budget = {"nominal_bits_per_weight": {"points": 3, "from": 2.5, "to": 4.0}}
    return add_job(store, "several budgets", found, report=report, budget=budget)


def _dropped_parts(store: Store) -> str:
    budget = {"dropped_attentions": 2, "dropped_mlps": 2}
    space = {"options": [{"kind": "drop", "parts": ["attention", "mlp"]}]}
    return add_job(store, "dropped parts", dropped(20), document=drop_document(), budget=budget, space=space)


def _perplexity(store: Store) -> str:
    found = [replace(each, loss=30 + 10 * (each.loss or 0), loss_se=None) for each in quantized(40)]
    return add_job(store, "perplexity", found, report=usual_report(found, "perplexity"), objective="perplexity")


def _long_names(store: Store) -> str:
    found = [replace(each, label=f"{LONG} {each.label}") for each in quantized(30)]
    model = f"/srv/{LONG}/{LONG}"
    return add_job(store, LONG, found, message=f"{LONG} {LONG}", note=LONG * 3, model=model, report=usual_report(found))


def _hostile_names(store: Store) -> str:
    found = [replace(each, label=f"{HOSTILE} {each.label}") for each in quantized(30)]
    job_id = add_job(store, HOSTILE, found, ends=None, message=HOSTILE, note=HOSTILE, model=f"/srv/{HOSTILE}")
    store.add_event(job_id, "log", {"level": "WARNING", "logger": HOSTILE, "message": HOSTILE})
    store.move_job(job_id, 1, "failed", message=HOSTILE, reason=HOSTILE)
    return job_id


def _cancelled(store: Store) -> str:
    return add_job(store, "cancelled", quantized(20), ends="cancelled", max_loss=0.05, budget={})


def _minimising(*objectives: str, first_known: int = 0) -> Callable[[Store], str]:
    """A job whose sampler minimises these together."""
    strategy = {"name": "nsga3", "objectives": list(objectives)}
    name, space = f"minimises {' '.join(objectives)}", {"options": [{"kind": "drop", "parts": ["attention", "mlp"]}]}

    def add(store: Store) -> str:
        found = mixed(64, first_known=first_known, has_task="task:next" in objectives)
        return add_job(store, name, found, document=drop_document(), strategy=strategy, budget=BOTH, space=space)

    return add


ODD: dict[str, Callable[[Store], str]] = {
    "no candidates": _no_candidates,
    "queued": _queued,
    "one candidate": _one_candidate,
    "all failed": _all_failed,
    "some failed": _some_failed,
    "all alike": _all_alike,
    "extremes": _extremes,
    "infeasible": _failed,
    "several budgets": _several_budgets,
    "dropped parts": _dropped_parts,
    "perplexity": _perplexity,
    "long names": _long_names,
    "hostile names": _hostile_names,
    "cancelled": _cancelled,
    "one objective": _minimising("loss"),
    "two objectives": _minimising("loss", "size"),
    "three objectives": _minimising("loss", "size", "flops"),
    "errors on a task": _minimising("loss", "size", "task:next"),
    "begun before FLOPs were noted": _minimising("loss", "size", "flops", first_known=32),
}
