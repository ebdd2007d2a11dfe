"""Everything of a job that is settled before any work: bad input ends here, with nothing started."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from compressors.bank import Bank
from evaluators.checkpoint import fingerprint, fingerprint_model, load_tokenizer, locate
from evaluators.dense_layout import Layout, choose_layout
from evaluators.stream import Stream
from evaluators.tasks import Benchmark, TaskSource, check_lines, load_task
from evaluators.text import TextSource, read_documents, sequences
from search.engine.draft import check_lengths, make_problem, make_space, propagated, task_sources, text_sources
from search.engine.evaluations import Context
from search.engine.progress import Progress
from search.engine.worker import Text, WorkerSetup
from search.fronts import check_budgets
from search.settings import make_strategy
from search.spec import JobSpec
from search.strategy import Problem, Strategy
from search.sweep import check_sweep
from spaces.budget import Budget, parse_size
from spaces.errors import InputError
from spaces.option import Banked
from spaces.skeleton import load_config
from spaces.space import Space

LONGEST_CONTEXT = 2048  # tokens of a task's request where a model's config does not say what it can read (lm-eval's)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A job whose every word has been understood."""

    spec: JobSpec
    home: Path  # where banks and dense logits are kept
    folder: Path  # the model
    weights: str  # their hash
    model: str  # hash of the weights and the settings that they are used with
    problem: Problem  # where the job asks for a front, that of the loosest budget
    strategy: Strategy
    streams: dict[Text, Stream]
    layouts: dict[Text, Layout]
    bank: Bank
    propagate: Banked | None  # what earlier blocks are while a Hessian is taken; None: dense
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
            model=self.model,
            bank=self.bank,
            dtype=self.spec.evaluation.dtype,
            dense=self.dense_folder(text),
            dense_layout="full" if layout.kind == "full" else f"top-{layout.num_kept}",
        )

    def dense_folder(self, text: Text) -> Path:
        """Where the dense model's logits of a text are kept, by content."""
        stream, layout = self.streams[text], self.layouts[text]
        parts = [self.model, stream.key(stream.num_sequences), self.spec.evaluation.dtype, str(layout)]
        return self.home / "dense" / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

    def worker_setup(self) -> WorkerSetup:
        """What each worker is sent. The cores of this machine are shared out among them, unless the job says so."""
        asked = self.spec.resources
        return WorkerSetup(
            folder=self.folder,
            dtype=self.spec.evaluation.dtype,
            device=self.device,
            num_threads=max(1, (os.cpu_count() or 1) // self.spec.workers if asked.cpus is None else int(asked.cpus)),
            bank=self.bank,
            propagate=self.propagate,
            streams={name: stream.tokens.numpy() for name, stream in self.streams.items()},
            dense=self.home / "dense",
            requests={task.requests.key: task.requests for task in self.problem.tasks.values()},
            cpus=1.0 if asked.cpus is None else asked.cpus,
            gpus=float(self.device == "cuda") if asked.gpus is None else asked.gpus,
        )

    def entries(self) -> dict[str, tuple[Banked, ...]]:
        """The bank entries that the space needs: layer name -> its quantize options."""
        space = self.problem.space
        return {
            space.layers[index].name: options
            for unit in space.units
            if (options := tuple(option for option in unit.options if isinstance(option, Banked)))
            for index in unit.layers
        }


def make_plan(spec: JobSpec, home: Path, watch: Callable[[Progress], None] = lambda progress: None) -> Plan:
    """Understand a job: what can be refused without reading weights or text is refused first.

    Raises:
        InputError: anything that the job asks for cannot be.
    """
    begun = time.perf_counter()
    device = _device(spec.evaluation.device, spec.resources.gpus)
    strategy = make_strategy(spec.strategy)
    sources = text_sources(spec)
    config = load_config(spec.model)
    check_lengths(spec, config)
    max_tokens = sources["calibration"].num_sequences * spec.sequence_length
    problem, budgets = make_problem(spec, make_space(spec, config), max_tokens)
    check_budgets(strategy, problem, budgets)
    propagate = propagated(spec, problem.space)
    if spec.front_points:
        check_sweep(problem)
    _check_readable(sources)
    tasks = task_sources(spec)
    for task in tasks.values():
        check_lines(task)
    folder = locate(spec.model)
    watch(Progress(phase="prepare", label="reading the text"))
    streams = _streams(sources, folder, config)
    benchmarks = _benchmarks(tasks, folder, config)
    layouts = _layouts(spec, streams, config)
    watch(Progress(phase="prepare", label="reading the weights"))
    weights = fingerprint(folder)
    model = fingerprint_model(folder, weights)
    bank = Bank(
        home / "bank",
        model=model,
        calibration=streams["calibration"].key(streams["calibration"].num_sequences),
        propagate=_propagation(propagate, problem.space),
        dtype=spec.evaluation.dtype,
    )
    return Plan(
        spec=spec,
        home=home,
        folder=folder,
        weights=weights,
        model=model,
        problem=replace(problem, errors=bank.errors, tasks=benchmarks),
        strategy=strategy,
        streams=streams,
        layouts=layouts,
        bank=bank,
        propagate=propagate,
        device=device,
        seconds=round(time.perf_counter() - begun, 3),
        budgets=budgets if spec.front_limit is not None else (),
    )


def _check_readable(sources: dict[Text, TextSource]) -> None:
    """Open each text and read its beginning: a missing file is worth no download of a model."""
    for source in sources.values():
        next((next(document, None) for document in read_documents(source)), None)


def _streams(sources: dict[Text, TextSource], folder: Path, config: PreTrainedConfig) -> dict[Text, Stream]:
    tokenizer = load_tokenizer(folder)
    return {text: Stream(_known_tokens(sequences(source, tokenizer), config, text)) for text, source in sources.items()}


def _benchmarks(sources: dict[str, TaskSource], folder: Path, config: PreTrainedConfig) -> dict[str, Benchmark]:
    if not sources:
        return {}
    tokenizer, longest = load_tokenizer(folder), getattr(config.get_text_config(), "max_position_embeddings", None)
    return {name: load_task(source, tokenizer, longest or LONGEST_CONTEXT) for name, source in sources.items()}


def _layouts(spec: JobSpec, streams: dict[Text, Stream], config: PreTrainedConfig) -> dict[Text, Layout]:
    limit, vocab_size = parse_size(str(spec.evaluation.dense_logits_limit)), config.get_text_config().vocab_size
    return {text: choose_layout(stream.num_tokens, vocab_size, limit) for text, stream in streams.items()}


def _propagation(option: Banked | None, space: Space) -> str:
    """The bank's word for it. Behind quantized blocks, an entry depends on which layers are quantized too."""
    if option is None:
        return "dense"
    layers = hashlib.sha256(json.dumps(space.names).encode()).hexdigest()[:16]
    return f"quantized:{option.slug}:{layers}"


def _device(asked: str, gpus: float | None) -> str:
    """Workers that are given GPUs may have them on other machines: then nothing is looked for here."""
    if asked == "auto":
        return "cuda" if (torch.cuda.is_available() if gpus is None else gpus) else "cpu"
    if asked == "cpu" and gpus:
        raise InputError(
            f"evaluation.device is cpu, but resources.gpus is {gpus:g}; write auto or cuda, or leave it out"
        )
    if asked == "cuda" and gpus == 0:
        raise InputError("evaluation.device is cuda, but resources.gpus is 0; give each worker a GPU or a share of one")
    if asked == "cuda" and gpus is None and not torch.cuda.is_available():
        raise InputError(
            "evaluation.device is cuda, but torch sees no GPU here; write auto or cpu, "
            "or resources.gpus: 1 where other machines of the cluster have some"
        )
    return asked


def _known_tokens(tokens: Tensor, config: PreTrainedConfig, text: Text) -> Tensor:
    size, largest = config.get_text_config().vocab_size, int(tokens.max())
    if largest >= size:
        raise InputError(
            f"the tokenizer gives token {largest} in the {text} text, but the model knows {size} tokens; "
            f"use the tokenizer that belongs to the model"
        )
    return tokens
