"""Fronts as the API shows them: how much one or several cover in size and loss, whatever else they weigh."""

from __future__ import annotations

from collections.abc import Sequence

from search.front import LEAST_LOSS, Reference, hypervolume, non_dominated
from search.sampling.objectives import weighed_beside
from service.api.candidate_views import HypervolumeView, ReferenceView
from service.api.job_facts import objectives_of
from store.records import CandidateRecord, JobRecord

Front = Sequence[CandidateRecord]


def weighs_of(job: JobRecord) -> list[str]:
    """In what no candidate of a job's front beats another."""
    return ["loss", "size", *weighed_beside(objectives_of(job))]


def flat(front: Front) -> Front:
    """Those of a front, in its order, that no other one beats in size and loss alone."""
    chosen = non_dominated([each.size_bytes for each in front], [loss_of(each) for each in front])
    return [front[index] for index in chosen]


def common_reference(fronts: Sequence[Front]) -> Reference | None:
    """The corner that several fronts are measured from: their worst loss, and one mean step above their largest size.

    The step lets the largest point count as well. None where there are fewer than two points.
    """
    points = sorted({(each.bits_per_weight, loss_of(each)) for front in fronts for each in flat(front)})
    if len(points) < 2:
        return None
    (smallest, _), (largest, _) = points[0], points[-1]
    worst = max(loss for _, loss in points)
    return Reference(size=largest + (largest - smallest) / (len(points) - 1), loss=max(worst, LEAST_LOSS))


def covered(front: Front, reference: Reference | None) -> HypervolumeView | None:
    """How much a front covers from a reference, where there is one."""
    if reference is None:
        return None
    value = hypervolume([each.bits_per_weight for each in front], [loss_of(each) for each in front], reference)
    return HypervolumeView(value=value, reference=ReferenceView(bits_per_weight=reference.size, loss=reference.loss))


def loss_of(candidate: CandidateRecord) -> float:
    """Infinite where it broke the model, which no candidate of a front did."""
    return float("inf") if candidate.loss is None else candidate.loss
