"""Everything of a job that is settled before any work: bad input ends here, with nothing started."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from compressors.bank import Bank
from evaluators.checkpoint import fingerprint, load_tokenizer, locate
from evaluators.dense_layout import Layout, choose_layout
from evaluators.stream import Stream
from evaluators.text import TextSource, sequences
from search.engine.evaluations import Context
from search.engine.progress import Progress
from search.engine.worker import Text, WorkerSetup
from search.settings import make_strategy
from search.spec import JobSpec, TextModel
from search.strategy import Problem, Strategy
from search.sweep import check_sweep
from spaces.budget import make_budget, parse_size
from spaces.build import build_space
from spaces.discovery import find_anatomy
from spaces.errors import InputError
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
    problem: Problem
    strategy: Strategy
    streams: dict[Text, Stream]
    layouts: dict[Text, Layout]
    bank: Bank
    device: str
    seconds: float  # that it took

    def context(self, text: Text) -> Context:
        """What the evaluations on one of the two texts depend on."""
        layout = self.layouts[text]
        return Context(
            text=text,
            stream=self.streams[text],
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

    @property
    def propagate(self) -> Quantize | None:
        """What earlier blocks are quantized to while a Hessian is taken; None: they are dense."""
        return propagated(self.spec)

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
    space = build_space(find_anatomy(skeleton(config)), spec.space.spec())
    problem = Problem(
        space=space,
        budget=make_budget(spec.budget, space),
        seed=spec.seed,
        max_tokens=sources["calibration"].num_sequences * spec.sequence_length,
        errors=lambda layer, option: bank.errors(layer, option),
    )
    strategy.check(problem)
    if spec.front_points:
        check_sweep(problem)
    watch(Progress(phase="prepare", label="reading the weights"))
    folder = locate(spec.model)
    weights = fingerprint(folder)
    watch(Progress(phase="prepare", label="reading the text"))
    tokenizer = load_tokenizer(folder)
    streams: dict[Text, Stream] = {}
    for text, source in sources.items():
        streams[text] = Stream(_known_tokens(sequences(source, tokenizer), config, text))
    limit = parse_size(str(spec.evaluation.dense_logits_limit))
    layouts = {
        text: choose_layout(stream.num_tokens, config.get_text_config().vocab_size, limit)
        for text, stream in streams.items()
    }
    bank = _bank(spec, home, weights, streams["calibration"], space)
    return Plan(
        spec=spec,
        home=home,
        folder=folder,
        weights=weights,
        problem=problem,
        strategy=strategy,
        streams=streams,
        layouts=layouts,
        bank=bank,
        device=device,
        seconds=round(time.perf_counter() - begun, 3),
    )


def propagated(spec: JobSpec) -> Quantize | None:
    """What earlier blocks are quantized to while a Hessian is taken; None: they are dense."""
    if spec.bank.propagate == "dense":
        return None
    return Quantize(bits_per_code=spec.bank.propagate_bits, group_size=128, symmetric=False, solver="gptq")


def _bank(spec: JobSpec, home: Path, weights: str, stream: Stream, space: Space) -> Bank:
    """The bank of this model and text. Behind quantized blocks, an entry depends on which layers are quantized too."""
    option = propagated(spec)
    layers = hashlib.sha256(json.dumps(space.names).encode()).hexdigest()[:16]
    return Bank(
        home / "bank",
        weights=weights,
        calibration=stream.key(stream.num_sequences),
        propagate="dense" if option is None else f"quantized:{option.slug}:{layers}",
    )


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
