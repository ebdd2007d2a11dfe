"""What can be known of a job from its words and its model's config: no weight and no text is read."""

from __future__ import annotations

from dataclasses import replace
from math import log

from transformers import PreTrainedConfig

from compressors.measure import EntryErrors
from compressors.solvers import check_installed
from evaluators.gguf_vocabulary import vocabulary_fault
from evaluators.tasks import TaskSource
from evaluators.text import TextSource
from search.engine.worker import Text
from search.report import Objective
from search.spec import JobSpec, TextModel
from search.strategy import Problem
from spaces.budget import Budget
from spaces.budgets import make_budgets
from spaces.build import build_space
from spaces.constraints import make_constraints
from spaces.discovery import find_anatomy
from spaces.errors import InputError, JobError, PlacedError
from spaces.option import Banked, Quantize
from spaces.skeleton import skeleton
from spaces.space import Space
from spaces.targets import ANY


def make_space(spec: JobSpec, config: PreTrainedConfig) -> Space:
    """The layers of the model and the options that the job opens to them."""
    space = build_space(find_anatomy(skeleton(config)), spec.space.spec())
    _check_vocabulary(space, config)
    check_installed({option.solver for unit in space.units for option in unit.options if isinstance(option, Banked)})
    return space


def _check_vocabulary(space: Space, config: PreTrainedConfig) -> None:
    """Refuse a target whose file has no word for the model's tokenizer.

    Raises:
        PlacedError: names the tokenizer and the way out.
    """
    fault = vocabulary_fault(config) if space.carrier is not None and space.carrier.holds_vocabulary else ""
    if fault:
        raise PlacedError(f"target {space.target}: {fault}; or set space.target: {ANY}", ("space", "target"))


def make_problem(spec: JobSpec, space: Space, max_tokens: int) -> tuple[Problem, tuple[Budget, ...]]:
    """What the strategy will be asked, but for the bank, which needs the weights; and every budget of the job."""

    def no_bank_yet(layer: str, option: Banked) -> EntryErrors:
        raise JobError(f"the errors of {layer} at {option.slug} are known when the bank is there")

    constraints = make_constraints(spec.constraints, space)
    budgets = make_budgets(spec.budget, space, constraints)
    problem = Problem(
        space=space,
        budget=budgets[-1],
        seed=spec.seed,
        max_tokens=max_tokens,
        errors=no_bank_yet,
        constraints=constraints,
        max_loss=in_nats(spec.max_loss, spec.objective),
        sequence_length=spec.sequence_length,
        dtype=spec.evaluation.dtype,
    )
    return problem, budgets


def in_nats(max_loss: float | None, objective: Objective) -> float | None:
    """The loss that strategies minimise: KL, or the logarithm of the perplexity."""
    return log(max_loss) if max_loss is not None and objective == "perplexity" else max_loss


def text_sources(spec: JobSpec) -> dict[Text, TextSource]:
    """Both texts, which must differ: what a search has read says nothing about unseen text."""
    sources: dict[Text, TextSource] = {
        "calibration": _source(spec.calibration, spec.sequence_length),
        "validation": _source(spec.validation, spec.validation_length),
    }
    calibration, validation = sources["calibration"], sources["validation"]
    same = [
        getattr(calibration, key) == getattr(validation, key) for key in ("source", "field", "split", "config_name")
    ]
    if all(same):
        raise InputError(
            f"validation must be text that the search never reads, got {validation.source!r} for both; "
            f"give another file, or another split of the dataset"
        )
    return sources


def task_sources(spec: JobSpec) -> dict[str, TaskSource]:
    """The tasks by name."""
    return {
        task.called: TaskSource(source=task.source, metric=task.metric, limit=task.limit, shots=task.shots)
        for task in spec.tasks
    }


def _source(text: TextModel, length: int) -> TextSource:
    return TextSource(
        source=text.source,
        tokens=text.tokens,
        sequence_length=length,
        field=text.field,
        split=text.split,
        config_name=text.name,
    )


def check_lengths(spec: JobSpec, config: PreTrainedConfig) -> None:
    """Refuse sequences longer than the model was made for."""
    longest = getattr(config.get_text_config(), "max_position_embeddings", None)
    for key, length in (("calibration", spec.sequence_length), ("validation", spec.validation_length)):
        if longest is not None and length > longest:
            raise InputError(
                f"{key}.sequence_length must be at most {longest}, the positions that the model was made for, "
                f"got {length}; give shorter sequences"
            )


def propagated(spec: JobSpec, space: Space) -> Quantize | None:
    """The option of the bit-width asked for, otherwise as the first that the space offers to quantize with.

    One group per channel where that option's groups do not divide every layer.
    """
    if spec.bank.propagate == "dense":
        return None
    offered = [option for unit in space.units for option in unit.options if isinstance(option, Quantize)]
    if not offered:
        raise InputError(
            "bank.propagate: quantized needs options of kind: quantize; leave it out where layers are dropped, or "
            "where the options are ggml types alone"
        )
    option = replace(offered[0], bits_per_code=spec.bank.propagate_bits)
    divides = all(option.divides(layer.columns) for layer in space.layers if layer.part is None)
    return option if divides else replace(option, group_size=None)
