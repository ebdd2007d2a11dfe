"""Everything of a job that is settled before any work: bad input ends here, with nothing started."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from compressors.bank import Bank
from compressors.measure import EntryErrors
from evaluators.checkpoint import fingerprint, load_tokenizer, locate
from evaluators.dense_layout import Layout, choose_layout
from evaluators.stream import Stream
from evaluators.text import TextSource, read_documents, sequences
from search.engine.evaluations import Context
from search.engine.progress import Progress
from search.engine.worker import Text, WorkerSetup
from search.report import Objective
from search.settings import make_strategy
from search.spec import JobSpec, TextModel
from search.strategy import Problem, Strategy
from search.sweep import check_sweep
from spaces.budget import Budget, parse_size
from spaces.budgets import make_budgets
from spaces.build import build_space
from spaces.constraints import make_constraints
from spaces.discovery import find_anatomy
from spaces.errors import InputError, JobError
from spaces.option import Quantize
from spaces.skeleton import load_config, skeleton
from spaces.space import Space


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A job whose every word has been understood."""

    spec: JobSpec
    home: Path  # where banks and dense logits are kept
    folder: Path  # the model
    weights: str
    problem: Problem  # where the job asks for a front, that of the loosest budget
    strategy: Strategy
    streams: dict[Text, Stream]
    layouts: dict[Text, Layout]
    bank: Bank
    propagate: Quantize | None  # what earlier blocks are while a Hessian is taken; None: dense
    device: str
    seconds: float  # that it took
    budgets: tuple[Budget, ...] = ()  # of a front, the tightest first

    @property
    def problems(self) -> tuple[Problem, ...]:
        """One for each budget, the tightest first: they differ in nothing else."""
        return tuple(replace(self.problem, budget=budget) for budget in self.budgets) or (self.problem,)

    def context(self, text: Text) -> Context:
        """What the evaluations on one of the two texts depend on."""
        layout = self.layouts[text]
        return Context(
            text=text,
            stream=self.streams[text],
            anatomy=self.problem.space.anatomy,
            weights=self.weights,
            bank=self.bank,
            dtype=self.spec.evaluation.dtype,
            dense=self.dense_folder(text),
            dense_layout="full" if layout.kind == "full" else f"top-{layout.num_kept}",
        )

    def dense_folder(self, text: Text) -> Path:
        """Where the dense model's logits of a text are kept, by content."""
        stream, layout = self.streams[text], self.layouts[text]
        parts = [self.weights, stream.key(stream.num_sequences), self.spec.evaluation.dtype, str(layout)]
        return self.home / "dense" / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

    def worker_setup(self) -> WorkerSetup:
        """What each worker is sent. The cores of this machine are shared out among them."""
        return WorkerSetup(
            folder=self.folder,
            dtype=self.spec.evaluation.dtype,
            device=self.device,
            num_threads=max(1, (os.cpu_count() or 1) // self.spec.workers),
            bank=self.bank,
            propagate=self.propagate,
            streams={name: stream.tokens.numpy() for name, stream in self.streams.items()},
        )

    def entries(self) -> dict[str, tuple[Quantize, ...]]:
        """The bank entries that the space needs: layer name -> its quantize options."""
        space = self.problem.space
        return {
            space.layers[index].name: options
            for unit in space.units
            if (options := tuple(option for option in unit.options if isinstance(option, Quantize)))
            for index in unit.layers
        }


def make_plan(spec: JobSpec, home: Path, watch: Callable[[Progress], None] = lambda progress: None) -> Plan:
    """Understand a job: what can be refused without reading weights or text is refused first.

    Raises:
        InputError: anything that the job asks for cannot be.
    """
    begun = time.perf_counter()
    device = _device(spec.evaluation.device)
    strategy = make_strategy(spec.strategy)
    sources = _sources(spec)
    config = load_config(spec.model)
    _check_lengths(spec, config)
    problem, budgets = _problem(spec, config, sources["calibration"].num_sequences * spec.sequence_length)
    for budget in budgets:
        strategy.check(replace(problem, budget=budget))
    propagate = propagated(spec, problem.space)
    if spec.front_points:
        check_sweep(problem)
    _check_readable(sources)
    folder = locate(spec.model)
    watch(Progress(phase="prepare", label="reading the text"))
    streams = _streams(sources, folder, config)
    layouts = _layouts(spec, streams, config)
    watch(Progress(phase="prepare", label="reading the weights"))
    weights = fingerprint(folder)
    bank = Bank(
        home / "bank",
        weights=weights,
        calibration=streams["calibration"].key(streams["calibration"].num_sequences),
        propagate=_propagation(propagate, problem.space),
    )
    return Plan(
        spec=spec,
        home=home,
        folder=folder,
        weights=weights,
        problem=replace(problem, errors=bank.errors),
        strategy=strategy,
        streams=streams,
        layouts=layouts,
        bank=bank,
        propagate=propagate,
        device=device,
        seconds=round(time.perf_counter() - begun, 3),
        budgets=budgets if spec.front_limit is not None else (),
    )


def _problem(spec: JobSpec, config: PreTrainedConfig, max_tokens: int) -> tuple[Problem, tuple[Budget, ...]]:
    """What the strategy will be asked, but for the bank, which needs the weights; and every budget of the job."""
    space = build_space(find_anatomy(skeleton(config)), spec.space.spec())

    def no_bank_yet(layer: str, option: Quantize) -> EntryErrors:
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


def _check_readable(sources: dict[Text, TextSource]) -> None:
    """Open each text and read its beginning: a missing file is worth no download of a model."""
    for source in sources.values():
        next((next(document, None) for document in read_documents(source)), None)


def _streams(sources: dict[Text, TextSource], folder: Path, config: PreTrainedConfig) -> dict[Text, Stream]:
    tokenizer = load_tokenizer(folder)
    return {text: Stream(_known_tokens(sequences(source, tokenizer), config, text)) for text, source in sources.items()}


def _layouts(spec: JobSpec, streams: dict[Text, Stream], config: PreTrainedConfig) -> dict[Text, Layout]:
    limit, vocab_size = parse_size(str(spec.evaluation.dense_logits_limit)), config.get_text_config().vocab_size
    return {text: choose_layout(stream.num_tokens, vocab_size, limit) for text, stream in streams.items()}


def propagated(spec: JobSpec, space: Space) -> Quantize | None:
    """The option of the bit-width asked for, otherwise as the first that the space offers to quantize with.

    One group per channel where that option's groups do not divide every layer.
    """
    if spec.bank.propagate == "dense":
        return None
    offered = [option for unit in space.units for option in unit.options if isinstance(option, Quantize)]
    if not offered:
        raise InputError(
            "bank.propagate: quantized needs a space that quantizes; leave it out where layers are dropped"
        )
    option = replace(offered[0], bits_per_code=spec.bank.propagate_bits)
    divides = all(option.divides(layer.columns) for layer in space.layers if layer.part is None)
    return option if divides else replace(option, group_size=None)


def _propagation(option: Quantize | None, space: Space) -> str:
    """The bank's word for it. Behind quantized blocks, an entry depends on which layers are quantized too."""
    if option is None:
        return "dense"
    layers = hashlib.sha256(json.dumps(space.names).encode()).hexdigest()[:16]
    return f"quantized:{option.slug}:{layers}"


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda" and not torch.cuda.is_available():
        raise InputError("evaluation.device is cuda, but torch sees no GPU here; write auto or cpu")
    return asked


def _sources(spec: JobSpec) -> dict[Text, TextSource]:
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


def _source(text: TextModel, length: int) -> TextSource:
    return TextSource(
        source=text.source,
        tokens=text.tokens,
        sequence_length=length,
        field=text.field,
        split=text.split,
        config_name=text.name,
    )


def _check_lengths(spec: JobSpec, config: PreTrainedConfig) -> None:
    longest = getattr(config.get_text_config(), "max_position_embeddings", None)
    for key, length in (("calibration", spec.sequence_length), ("validation", spec.validation_length)):
        if longest is not None and length > longest:
            raise InputError(
                f"{key}.sequence_length must be at most {longest}, the positions that the model was made for, "
                f"got {length}; give shorter sequences"
            )


def _known_tokens(tokens: Tensor, config: PreTrainedConfig, text: Text) -> Tensor:
    size, largest = config.get_text_config().vocab_size, int(tokens.max())
    if largest >= size:
        raise InputError(
            f"the tokenizer gives token {largest} in the {text} text, but the model knows {size} tokens; "
            f"use the tokenizer that belongs to the model"
        )
    return tokens
