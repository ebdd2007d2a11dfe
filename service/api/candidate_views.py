"""What the API answers about candidates and fronts, and what a selection or a new budget is asked with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel

from service.api.size import LARGEST_SIZE, SizeText
from service.api.views import JOB_ID, Change, View
from service.spaces_view import LayerChoice
from store.records import CandidateRecord

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,63}$"  # of scores and solvers

EXAMPLE_CANDIDATE: dict[str, Any] = {
    "seq": 17,
    "configuration_id": "9f2c81d04e5a",
    "label": "round 3 of 8",
    "kind": "candidate",
    "size_bytes": 5_963_776,
    "bits_per_weight": 4.5438,
    "nominal_bits_per_weight": 2.9996,
    "loss": 0.0712,
    "loss_se": 0.0021,
    "flops": 18_874_368,
    "parameters": 10_500_000,
    "task_errors": {"arc_easy": 0.312},
    "state": "done",
    "source": "computed",
    "is_on_front": True,
    "created_at": "2026-11-02T09:03:12Z",
}
EXAMPLE_PLAIN = EXAMPLE_CANDIDATE | {
    "seq": 2,
    "configuration_id": "41b7e0c9d3fa",
    "label": "uniform gptq-int3-g128-asym",
    "kind": "plain",
    "size_bytes": 5_964_032,
    "nominal_bits_per_weight": 3.0,
    "loss": 0.0891,
    "is_on_front": False,
}
EXAMPLE_LAYER: dict[str, Any] = {
    "name": "model.layers.0.self_attn.q_proj",
    "option": "gptq-int3-g128-asym",
    "block": 0,
    "module": "self_attn.q_proj",
    "part": None,
    "rows": 256,
    "columns": 256,
    "bits": 3,
    "size_bytes": 26_240,
}


def example(content: Any) -> dict[str, Any]:
    """What a view adds to its JSON Schema to show itself."""
    return {"examples": [content]}


class CandidateView(View):
    """A configuration that the job measured at its own fidelity."""

    seq: int = Field(description="1, 2, 3, ... within the job")
    configuration_id: str
    label: str = Field(description="who proposed it, and when")
    kind: Literal["candidate", "plain", "answer"] = Field(description="plain: one option for every layer")
    size_bytes: int = Field(description="of the exported checkpoint")
    bits_per_weight: float
    nominal_bits_per_weight: float
    loss: float | None = Field(description="KL in nats per token, or perplexity; null: it broke the model")
    loss_se: float | None
    flops: int | None = Field(
        None, description="for a token, of the linear layers kept; null: measured before the service noted it"
    )
    parameters: int | None = Field(None, description="kept, of the whole model; null likewise")
    task_errors: dict[str, float] = Field(
        {}, description="1 - the metric, by task, of those whose errors the job minimises"
    )
    state: Literal["done", "failed"]
    source: Literal["computed", "cached"]
    is_on_front: bool = Field(
        description="no other of the job is as good in loss, size and all else that it minimises, and better in one"
    )
    created_at: datetime

    model_config = ConfigDict(json_schema_extra=example(EXAMPLE_CANDIDATE))


class CandidateDetail(CandidateView):
    """A candidate with the number of the option that it takes for each unit of the space, smallest first."""

    levels: list[int]

    model_config = ConfigDict(json_schema_extra=example(EXAMPLE_CANDIDATE | {"levels": [1, 1, 3, 2]}))


class CandidatePage(View):
    """Candidates in the order that was asked for."""

    items: list[CandidateView]
    next_cursor: str | None = Field(description="for the next page, as ?cursor=; null: this was the last")

    model_config = ConfigDict(
        json_schema_extra=example({"items": [EXAMPLE_PLAIN, EXAMPLE_CANDIDATE], "next_cursor": None})
    )


class LayerView(View):
    """What a configuration does with one layer of the space."""

    name: str
    option: str
    block: int | None = Field(description="null outside the blocks")
    module: str = Field(description="the name within the block")
    part: Literal["attention", "mlp", "block"] | None = Field(description="of what is dropped or kept whole")
    rows: int
    columns: int
    bits: float | None = Field(description="of each weight's code; null for a part")
    size_bytes: int = Field(description="in the exported checkpoint")

    model_config = ConfigDict(json_schema_extra=example(EXAMPLE_LAYER))


class LayersView(RootModel[list[LayerView]]):
    """Every layer of the space, in the model's order."""

    model_config = ConfigDict(frozen=True, json_schema_extra=example([EXAMPLE_LAYER]))


class LayerSensitivity(View):
    """What each option would cost one layer."""

    name: str
    block: int | None = Field(description="null outside the blocks")
    module: str = Field(description="the name within the block")
    losses: dict[str, float | None] = Field(description="option -> cost; null where it is not finite")


class SensitivityView(View):
    """What each option costs each layer, by the score that the job's strategy begins with. Less is better."""

    unit: str = Field(description="of the costs: those of different scores are not of one kind")
    source: str = Field(description="the score")
    items: list[LayerSensitivity] = Field(description="every layer of the space, in the model's order")

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "unit": "predicted KL, nats per token",
                "source": "fisher",
                "items": [
                    {
                        "name": EXAMPLE_LAYER["name"],
                        "block": 0,
                        "module": "self_attn.q_proj",
                        "losses": {"gptq-int2-g128-asym": 0.0121, "gptq-int3-g128-asym": 0.0018},
                    }
                ],
            }
        )
    )


class ReferenceView(View):
    """The corner that a front is measured from."""

    bits_per_weight: float
    loss: float


class HypervolumeView(View):
    """The area between a front and its reference over (bits per weight, log loss). Larger is better."""

    value: float
    unit: str = "bits per weight x nats of log loss"
    reference: ReferenceView


EXAMPLE_HYPERVOLUME = {
    "value": 1.274,
    "unit": "bits per weight x nats of log loss",
    "reference": {"bits_per_weight": 6.02, "loss": 0.81},
}


class FrontView(View):
    """The candidates that no other of the job beats, smallest first, on the job's calibration text."""

    objective: Literal["kl", "perplexity"]
    weighs: list[str] = Field(
        ["loss", "size"], description="in which none beats another: loss, size, and what else the job minimises"
    )
    items: list[CandidateView]
    hypervolume: HypervolumeView | None = Field(description="null: a front of fewer than two, and no reference given")

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "objective": "kl",
                "weighs": ["loss", "size"],
                "items": [EXAMPLE_CANDIDATE],
                "hypervolume": EXAMPLE_HYPERVOLUME,
            }
        )
    )


class SelectRequest(Change):
    """Limits that the wanted candidate must hold; at least one."""

    max_size: Annotated[int, Field(ge=0, le=LARGEST_SIZE)] | SizeText | None = Field(
        None, description="bytes, or a text such as 4GiB: the candidate of least loss within it"
    )
    max_loss: float | None = Field(
        None, allow_inf_nan=False, description="without max_size: the smallest candidate whose loss is at most this"
    )
    metric: Literal["kl", "perplexity"] | None = Field(
        None, description="what max_loss is meant in; refused where the job measured something else"
    )

    model_config = ConfigDict(json_schema_extra=example({"max_size": "4GiB", "max_loss": 0.5}))


class SelectionView(View):
    """The best that is stored within the limits, and what stands around it."""

    metric: Literal["kl", "perplexity"]
    max_size_bytes: int | None
    max_loss: float | None
    candidate: CandidateView
    plain: CandidateView | None = Field(description="the best plain choice within the same limits")
    smaller: CandidateView | None = Field(description="the next smaller one on the front")
    larger: CandidateView | None = Field(description="the next larger one on the front")

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "metric": "kl",
                "max_size_bytes": 6_000_000,
                "max_loss": None,
                "candidate": EXAMPLE_CANDIDATE,
                "plain": EXAMPLE_PLAIN,
                "smaller": None,
                "larger": None,
            }
        )
    )


class SolveRequest(Change):
    """Another budget for a job whose scores are stored."""

    budget: dict[str, int | Annotated[float, Field(allow_inf_nan=False)] | str] = Field(
        {}, max_length=16, description="limits by name, as a job file writes them; empty: the job's own"
    )
    score: str | None = Field(None, pattern=NAME_PATTERN, description="null: the one that the job computed")
    solver: str = Field("knapsack", pattern=NAME_PATTERN)
    max_loss: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="the smallest configuration whose loss stays under it"
    )

    model_config = ConfigDict(json_schema_extra=example({"budget": {"nominal_bits_per_weight": 3.5}}))


class SolvedConfiguration(View):
    """A configuration with its exact size."""

    name: str
    configuration_id: str
    bits_per_weight: float
    nominal_bits_per_weight: float
    size_bytes: int
    parameters: int
    flops: int | None = Field(None, description="for a token")


class SolveView(View):
    """A configuration from stored scores. Its size is exact, its loss predicted and not measured."""

    model: str
    budget: dict[str, Any]
    score: str
    solver: str
    answer: SolvedConfiguration
    configuration: dict[str, str] = Field(description="layer name -> option, in the model's order")
    predicted: float | None = Field(description="the score's prediction; null where it has none that is finite")
    unit: str = Field(description="of the prediction")
    seconds: dict[str, float]

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "model": "/srv/models/reference-model",
                "budget": {"nominal_bits_per_weight": 3.5},
                "score": "measured-kl",
                "solver": "knapsack",
                "answer": {
                    "name": "measured-kl x knapsack",
                    "configuration_id": "c04d2e91ab7f",
                    "bits_per_weight": 4.9712,
                    "nominal_bits_per_weight": 3.4998,
                    "size_bytes": 6_524_688,
                    "parameters": 10_500_000,
                    "flops": 18_874_368,
                },
                "configuration": {"model.layers.0.self_attn.q_proj": "gptq-int4-g128-asym"},
                "predicted": 0.0312,
                "unit": "predicted KL, nats per token",
                "seconds": {"prepare": 1.9, "solve": 0.4},
            }
        )
    )


class CompareRequest(Change):
    """The jobs whose fronts are wanted."""

    ids: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]] = Field(min_length=1, max_length=16)

    model_config = ConfigDict(json_schema_extra=example({"ids": [JOB_ID]}))


class ComparedFront(View):
    """One of several jobs, and its front."""

    id: str
    name: str
    model: str
    state: str
    budget: dict[str, Any]
    strategy: str
    seed: int
    objective: Literal["kl", "perplexity"]
    weighs: list[str] = Field(["loss", "size"], description="in which no candidate of its front beats another")
    items: list[CandidateView]
    hypervolume: HypervolumeView | None = Field(
        description="from one reference for all jobs; null where their objectives differ or nothing was measured"
    )


class Comparison(View):
    """The fronts of several jobs, in the order asked for."""

    items: list[ComparedFront]
    is_comparable: bool = Field(description="whether all are of one model, one objective and one calibration text")
    message: str = Field(description="why not; empty where they are")

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "items": [
                    {
                        "id": JOB_ID,
                        "name": "demo",
                        "model": "/srv/models/reference-model",
                        "state": "succeeded",
                        "budget": {"nominal_bits_per_weight": 3.0},
                        "strategy": "trust-region",
                        "seed": 0,
                        "objective": "kl",
                        "weighs": ["loss", "size"],
                        "items": [EXAMPLE_CANDIDATE],
                        "hypervolume": EXAMPLE_HYPERVOLUME,
                    }
                ],
                "is_comparable": True,
                "message": "",
            }
        )
    )


def candidate_view(record: CandidateRecord) -> CandidateView:
    return CandidateView.model_validate(record, from_attributes=True)


def candidate_detail(record: CandidateRecord) -> CandidateDetail:
    return CandidateDetail(**candidate_view(record).model_dump(), levels=list(record.levels))


def layer_view(choice: LayerChoice) -> LayerView:
    return LayerView.model_validate(choice, from_attributes=True)
