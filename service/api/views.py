"""What the API answers about jobs and events, and what it is sent: the client reads with these too."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.api.job_facts import answer_facts, eta_of, event_text, objective_of, objectives_of, strategy_name
from store.records import AnswerRecord, EventRecord, JobRecord, JobState, Wish

JOB_ID = "3f9c2a7d81e04b56"
EXAMPLE_SPEC: dict[str, Any] = {
    "model": "reference-model",
    "name": "demo",
    "calibration": {"source": "text/calibration.txt", "tokens": 65536, "sequence_length": 512},
    "validation": {"source": "text/validation.txt", "tokens": 32768},
    "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4, 5, 6], "group_size": 128}]},
    "budget": {"nominal_bits_per_weight": 3.0},
    "strategy": {"name": "trust-region", "rounds": 8},
}

# of names and notes: whatever a person types, but for what no database keeps
Words = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)  # JSON knows no difference between 3 and 3.0
Priority = Annotated[int, Field(ge=-100, le=100), WHOLE]


class View(BaseModel):
    """Something that the API answers. A newer service may add keys, which an older client leaves aside."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Change(BaseModel):
    """Something that the API is sent: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FieldProblem(View):
    """One thing that is wrong with what was sent."""

    loc: list[str | int] = Field(description="where: body, query, path or header, and the keys from there")
    msg: str


class Problem(View):
    """An error as RFC 9457 has it. ``code`` is for programs, ``detail`` for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str = Field("", description="the path that was asked for")
    errors: list[FieldProblem] = []

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:layerpress:problem:conflict",
                    "title": "Conflict",
                    "status": 409,
                    "code": "conflict",
                    "detail": "a job that has succeeded cannot be paused; extend it or clone it",
                    "instance": f"/api/v1/jobs/{JOB_ID}:pause",
                    "errors": [],
                }
            ]
        }
    )


class Workers(View):
    """How many workers a job would use, and how many it may use now."""

    wanted: int
    granted: int


class ProgressView(View):
    """The latest moment of a job. ``done`` of ``total`` counts the phase's work in ``unit``; total 0 is unknown."""

    phase: str
    label: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    best: float | None = Field(None, description="the least loss so far")
    uniform: float | None = Field(None, description="the loss of the best plain choice")
    computed: int = Field(0, description="evaluations computed")
    cached: int = Field(0, description="evaluations that the store answered")
    tokens: int = 0
    tokens_computed: int = 0
    evaluations_per_minute: float | None = Field(None, description="computed in the last minute; null: not known yet")
    num_failed: int = Field(0, description="workers that died and candidates that could not be measured")


class LastEvent(View):
    """The latest step of a job."""

    kind: str
    text: str = Field(description="the step in a few words")
    created_at: datetime


class AnswerView(View):
    """What a job found, held against the best plain choice on text that the search never saw."""

    seq: int | None = Field(description="its number among the job's candidates")
    size_bytes: int
    loss: float | None = Field(description="on unseen text; null: it broke the model")
    uniform_loss: float | None = Field(
        description="the best plain choice's, on the same text; null: none meets the budget"
    )
    verdict: str


class JobView(View):
    """A job as lists show it. ``wish`` is what its owner wants, ``state`` what is the case."""

    id: str
    name: str
    note: str
    owner: str
    model: str
    budget: dict[str, Any] = Field(description="as it was asked for: limits by name")
    strategy: str = Field(description="its name, or its preset's")
    objective: Literal["kl", "perplexity"]
    objectives: list[str] = Field(
        ["loss"], description="what its strategy minimises together: the loss, and any of size, flops, parameters"
    )
    state: JobState
    wish: Wish
    reason: str = Field(description="why it is in this state, as a code for programs")
    message: str = Field(description="the same as a sentence for people")
    priority: int
    workers: Workers
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: ProgressView | None
    cached_share: float | None = Field(description="of its evaluations, how many the store answered: 0 to 1")
    eta_s: float | None = Field(description="seconds left of its phase at the last minute's pace; null: not known")
    answer: AnswerView | None = Field(
        description="once it has succeeded; null where it has one at each of several budgets"
    )
    cloned_from: str | None
    last_seq: int = Field(description="the number of its latest event")
    last_event: LastEvent | None
    links: dict[str, str]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": JOB_ID,
                    "name": "demo",
                    "note": "",
                    "owner": "local",
                    "model": "/srv/models/reference-model",
                    "budget": {"nominal_bits_per_weight": 3.0},
                    "strategy": "trust-region",
                    "objective": "kl",
                    "objectives": ["loss"],
                    "state": "queued",
                    "wish": "run",
                    "reason": "",
                    "message": "waiting for 1 CPU; 0 free",
                    "priority": 0,
                    "workers": {"wanted": 1, "granted": 0},
                    "created_at": "2026-11-02T09:00:00Z",
                    "updated_at": "2026-11-02T09:00:00Z",
                    "started_at": None,
                    "finished_at": None,
                    "progress": None,
                    "cached_share": None,
                    "eta_s": None,
                    "answer": None,
                    "cloned_from": None,
                    "last_seq": 1,
                    "last_event": {"kind": "state", "text": "queued", "created_at": "2026-11-02T09:00:00Z"},
                    "links": {"self": f"/api/v1/jobs/{JOB_ID}"},
                }
            ]
        }
    )


MADE_HERE = (
    "workers",
    "progress",
    "cached_share",
    "links",
    "budget",
    "strategy",
    "objective",
    "objectives",
    "eta_s",
    "answer",
    "last_event",
)


class JobDetail(JobView):
    """A job with all that was asked of it and, once it is finished, its report."""

    spec: dict[str, Any]
    report: dict[str, Any] | None


class JobPage(View):
    """Jobs, the newest first."""

    items: list[JobView]
    next_cursor: str | None = Field(description="for the next page, as ?cursor=; null: this was the last")


class EventView(View):
    """One step of a job. ``seq`` counts 1, 2, 3, ... within the job, without gaps."""

    seq: int
    kind: str = Field(description="state, phase, progress, candidates or log")
    payload: dict[str, Any]
    created_at: datetime


class EventPage(View):
    """Events in their order."""

    items: list[EventView]
    next_after: int = Field(description="the ?after= of the next page: the last number here")


class Range(View):
    """The smallest and the largest value of a budget that some configuration meets, as a job file writes them."""

    smallest: str
    largest: str


class SizePoint(View):
    """The smallest or the largest configuration of a space."""

    size_bytes: int
    bits_per_weight: float = Field(description="of all that the checkpoint stores, over all parameters")
    nominal_bits_per_weight: float | None = Field(description="of codes alone, over the weights of the space")


class Preview(View):
    """What a job would be, from its words and the model's config alone: nothing is stored, no weight is read."""

    target: str = Field(description="the runtime that the space was checked against")
    ties: str = Field(description="the preset of tied layers, asked for or needed by the target")
    formats: list[str] = Field(description="that serve the target, the usual one first; none for any")
    num_layers: int
    num_units: int = Field(description="decisions: tied layers are one")
    num_options: int = Field(description="that some layer has, in all")
    num_budgets: int = Field(description="more than one for a front")
    dense_size_bytes: int
    smallest: SizePoint
    largest: SizePoint
    feasible: dict[str, Range] = Field(description="for each limit of the budget")
    planned_tokens: int = Field(description="about how many the strategy will ask to be read")
    bank_bytes: int = Field(description="about what the compressed weights will take on disk")
    dense_logits_bytes: int = Field(description="about what the dense model's logits of both texts will take on disk")


class JobChanges(Change):
    """What may be changed of a job that exists. What is left out stays."""

    name: Annotated[Words, Field(max_length=200)] | None = None
    note: Annotated[str, Field(max_length=4000)] | None = None
    priority: Priority | None = None


class CloneRequest(Change):
    """A new job from an old one's spec, with single values replaced: {"budget.size": "3MB"}."""

    changes: dict[str, Any] = Field({}, description="path.to.key -> value", max_length=100)
    name: Annotated[Words, Field(max_length=200)] | None = None
    note: Annotated[str, Field(max_length=4000)] = ""
    priority: Priority = 0


class ExtendRequest(Change):
    """How many more rounds, generations, trials or samples, whichever the job's strategy counts in."""

    more: Annotated[int, Field(ge=1, le=1_000_000), WHOLE]


class Health(View):
    """The process answers."""

    status: str


class Readiness(View):
    """The store can be reached, at the revision that this service knows."""

    status: str
    revision: str


class Version(View):
    """What is running here."""

    version: str
    api: str


SAME_IN_RECORD = tuple(name for name in JobView.model_fields if name not in MADE_HERE)


def job_view(record: JobRecord, base: str, last: EventRecord | None, answer: AnswerRecord | None) -> JobView:
    """A job as lists show it; ``base`` is the path of the API, ``last`` its latest event."""
    return JobView(**_job_fields(record, base, last, answer))


def job_detail(record: JobRecord, base: str, last: EventRecord | None, answer: AnswerRecord | None) -> JobDetail:
    """A job with its spec and report."""
    report = None if record.report is None else dict(record.report)
    return JobDetail(**_job_fields(record, base, last, answer), spec=dict(record.spec), report=report)


def event_view(record: EventRecord) -> EventView:
    return EventView(seq=record.seq, kind=record.kind, payload=dict(record.payload), created_at=record.created_at)


def _job_fields(record: JobRecord, base: str, last: EventRecord | None, answer: AnswerRecord | None) -> dict[str, Any]:
    progress = None if record.progress is None else ProgressView.model_validate(record.progress)
    job = f"{base}/jobs/{record.id}"
    links = {name: f"{job}/{name}" for name in ("events", "logs", "candidates", "front", "sensitivity", "artifacts")}
    return {
        **{name: getattr(record, name) for name in SAME_IN_RECORD},
        "workers": Workers(wanted=record.workers, granted=record.granted),
        "progress": progress,
        "cached_share": _cached_share(progress),
        "links": {"self": job, **links},
        "budget": dict(record.spec.get("budget") or {}),  # type: ignore[call-overload]
        "strategy": strategy_name(record),
        "objective": objective_of(record),
        "objectives": objectives_of(record),
        "eta_s": eta_of(record),
        "answer": None if (facts := answer_facts(record, answer)) is None else AnswerView(**facts),
        "last_event": None if last is None else _last_event(last),
    }


def _last_event(record: EventRecord) -> LastEvent:
    return LastEvent(kind=record.kind, text=event_text(record), created_at=record.created_at)


def _cached_share(progress: ProgressView | None) -> float | None:
    asked = 0 if progress is None else progress.computed + progress.cached
    return progress.cached / asked if progress is not None and asked else None
