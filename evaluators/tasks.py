"""Multiple-choice tasks as requests: those of lm-eval, by name, and JSON lines of one's own.

A task's errors are one number a document, smaller is better: 1 - its metric. Only the library's own tasks are loaded,
never a task file: templates and functions in those are code.
"""

from __future__ import annotations

import difflib
import json
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from transformers import PreTrainedTokenizerBase

from evaluators.requests import RequestLikelihoods, Requests
from evaluators.statistic import Samples
from spaces.configuration import Configuration
from spaces.errors import InputError

TaskMetric = Literal["acc", "acc_norm"]
LIKELIHOOD_TYPES = ("multiple_choice", "loglikelihood")  # of lm-eval's output types, those that generate nothing
JSON_LINES = (".jsonl", ".json")
SHOTS_SEED = 1234  # lm-eval's own, so that examples are those of its runs


@dataclass(frozen=True, kw_only=True)
class TaskSource:
    """Which task, and how much of it.

    ``source`` is the name of a task of lm-eval, or a file of JSON lines with the fields ``context``, ``choices`` (a
    list, each read after the context and a space) and ``answer`` (the place of the right one, from 0).

    ``metric`` acc takes the likeliest choice, acc_norm the likeliest for its length (lm-eval's: characters).
    """

    source: str
    metric: TaskMetric = "acc"
    limit: int | None = None  # documents, from the first on
    shots: int | None = None  # solved examples before each question, of lm-eval's tasks; left out: as the task has it

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit must be at least 1 document, got {self.limit}; leave it out to read them all")
        if self.shots is not None and self.shots < 0:
            raise InputError(f"shots must be at least 0, got {self.shots}")
        if is_file(self.source) and self.shots is not None:
            raise InputError(
                f"shots are for tasks of lm-eval, got {self.shots} with {self.source}; write examples into each context"
            )


def is_file(source: str) -> bool:
    """Whether it names a file, rather than a task of lm-eval."""
    return source.endswith(JSON_LINES)


class Benchmark(ABC):
    """A task that can be measured: its requests, and what their likelihoods say of each document."""

    requests: Requests

    @property
    @abstractmethod
    def num_documents(self) -> int: ...

    @abstractmethod
    def _metrics(self, likelihoods: Sequence[float], greedy: Sequence[bool]) -> Iterator[float]:
        """The metric of each document, from what was measured of all requests in their order."""

    def statistic(self, configuration: Configuration) -> RequestLikelihoods:
        """What is to be measured of a configuration."""
        return RequestLikelihoods(
            configuration=configuration,
            requests=self.requests.key,
            num_requests=len(self.requests),
            num_tokens=self.requests.num_tokens,
        )

    def errors(self, samples: Samples) -> np.ndarray:  # float64 (documents,)
        """1 - the metric of each document; 1 where no choice has a finite likelihood."""
        count = len(self.requests)
        likelihoods = samples["log_likelihoods"].reshape(-1)[:count].tolist()
        greedy = samples["are_greedy"].reshape(-1)[:count].astype(bool).tolist()
        return 1.0 - np.fromiter(self._metrics(likelihoods, greedy), dtype=np.float64, count=self.num_documents)


def check_lines(source: TaskSource) -> None:
    """Refuse a file whose lines are no documents; nothing of a task of lm-eval is looked for.

    Raises:
        InputError: names the line.
    """
    if is_file(source.source):
        for _ in islice(_read_lines(Path(source.source)), source.limit):
            pass


def load_task(source: TaskSource, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Benchmark:
    """Read a task; ``max_length`` is what the model can read at once, beyond which contexts lose their beginning.

    Raises:
        InputError: there is no such task, it asks for more than likelihoods, or a line is not as it must be.
    """
    encode = _Encoder(tokenizer, max_length)
    if is_file(source.source):
        return _JsonLines(list(islice(_read_lines(Path(source.source)), source.limit)), source.metric, encode)
    return _LmEval(source, encode)


@dataclass(frozen=True)
class _Encoder:
    """Context and continuation as tokens, divided where lm-eval divides them."""

    tokenizer: PreTrainedTokenizerBase
    max_length: int

    def __call__(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        kept = context.rstrip()
        continuation = context[len(kept) :] + continuation  # tokens of words begin with their space
        if kept:
            whole = self._encode(kept + continuation)
            divided = len(self._encode(kept))
            before, after = whole[:divided], whole[divided:]
        else:
            before, after = [self._start], self.tokenizer.encode(continuation, add_special_tokens=False)
            if after[:1] == before:
                after = after[1:]
        if not 0 < len(after) <= self.max_length:
            raise InputError(
                f"a choice must add 1 to {self.max_length} tokens to its context, which is what the model reads, "
                f"got {len(after)}: {continuation[:40]!r} after {context[-40:]!r}; leave this document out"
            )
        return before[max(0, len(before) + len(after) - self.max_length - 1) :], after

    def _encode(self, text: str) -> list[int]:
        has_start = text.startswith(str(self.tokenizer.decode([self._start])))
        return list(self.tokenizer.encode(text, add_special_tokens=not has_start))

    @cached_property
    def _start(self) -> int:
        """What stands where there is no context."""
        for number in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if number is not None:
                return int(number)
        raise InputError("the tokenizer has neither a beginning nor an end of text; tasks need one of them")


@dataclass(frozen=True, kw_only=True)
class _Line:
    context: str
    choices: tuple[str, ...]
    answer: int


class _JsonLines(Benchmark):
    """Documents of one's own."""

    def __init__(self, lines: Sequence[_Line], metric: TaskMetric, encode: _Encoder) -> None:
        self._lines, self._metric = lines, metric
        self.requests = Requests.of([encode(line.context, f" {choice}") for line in lines for choice in line.choices])

    @property
    def num_documents(self) -> int:
        return len(self._lines)

    def _metrics(self, likelihoods: Sequence[float], greedy: Sequence[bool]) -> Iterator[float]:
        place = 0
        for line in self._lines:
            values = likelihoods[place : place + len(line.choices)]
            place += len(line.choices)
            lengths = [len(choice) if self._metric == "acc_norm" else 1 for choice in line.choices]
            likely = [value / length for value, length in zip(values, lengths, strict=True)]
            yield float(max(likely) > -math.inf and int(np.argmax(likely)) == line.answer)


def _read_lines(path: Path) -> Iterator[_Line]:
    try:
        with path.open(encoding="utf-8") as file:
            texts = [(number, text) for number, text in enumerate(file, start=1) if text.strip()]
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(
            f"the task {path} cannot be read: {why}; give a file of JSON lines, or the name of a task of lm-eval"
        ) from error
    if not texts:
        raise InputError(f"the task {path} holds no line; each is a document with context, choices and answer")
    for number, text in texts:
        yield _read_line(text, f"{path}, line {number}")


def _read_line(text: str, where: str) -> _Line:
    try:
        raw: Any = json.loads(text)
    except ValueError as error:
        raise InputError(f"{where} is not JSON: {error}") from error
    context, choices, answer = (raw.get(name) if isinstance(raw, dict) else None for name in _Line.__dataclass_fields__)
    if not isinstance(context, str):
        raise InputError(f"{where}: context must be text, got {context!r}")
    if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(each, str) and each for each in choices):
        raise InputError(f"{where}: choices must be two texts or more, none empty, got {choices!r}")
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(choices):
        raise InputError(f"{where}: answer must be the place of a choice, 0 to {len(choices) - 1}, got {answer!r}")
    return _Line(context=context, choices=tuple(choices), answer=answer)


class _LmEval(Benchmark):
    """A task that lm-eval ships."""

    def __init__(self, source: TaskSource, encode: _Encoder) -> None:
        self._task = _find(source)
        self._metric = source.metric
        with redirect_stderr(StringIO()):  # it draws a bar of its own
            self._task.build_all_requests(limit=source.limit)
        self._instances = self._task.instances
        self._documents = {instance.doc_id: instance.doc for instance in self._instances}
        self.requests = Requests.of([encode(*instance.args) for instance in self._instances])

    @property
    def num_documents(self) -> int:
        return len(self._documents)

    def _metrics(self, likelihoods: Sequence[float], greedy: Sequence[bool]) -> Iterator[float]:
        found: dict[int, list[tuple[float, bool]]] = {number: [] for number in self._documents}
        for instance, likelihood, is_greedy in zip(self._instances, likelihoods, greedy, strict=True):
            found[instance.doc_id].append((likelihood, is_greedy))
        for number, document in self._documents.items():
            is_broken = all(likelihood == -math.inf for likelihood, _ in found[number])
            yield 0.0 if is_broken else float(self._task.process_results(document, found[number])[self._metric])


def _find(source: TaskSource) -> Any:
    """The task as lm-eval makes it, with its documents loaded."""
    try:
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise InputError(
            f"task {source.source} is lm-eval's, which is not installed; pip install 'layerpress[lm-eval]', "
            f"or give a file of JSON lines"
        ) from error
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = TaskManager()
    if source.source not in manager.all_subtasks:  # load() would take a path, and what is in it is code
        near = difflib.get_close_matches(source.source, manager.all_subtasks, n=3)
        raise InputError(
            f"lm-eval has no task {source.source!r}" + (f"; did you mean {', '.join(near)}?" if near else "")
        )
    try:
        (task,) = manager.load(source.source)["tasks"].values()
    except (OSError, ValueError) as error:
        raise InputError(f"the documents of task {source.source} cannot be had: {error}") from error
    if task.OUTPUT_TYPE not in LIKELIHOOD_TYPES:
        raise InputError(
            f"task {source.source} is of type {task.OUTPUT_TYPE}; a search reads likelihoods only: "
            f"{', '.join(LIKELIHOOD_TYPES)}"
        )
    if source.metric not in task.aggregation():
        raise InputError(f"task {source.source} has no {source.metric}; it has {', '.join(task.aggregation())}")
    default = task.get_config("num_fewshot")
    if default == 0 and source.shots:  # lm-eval would run it without them
        raise InputError(f"task {source.source} takes no shots, got {source.shots}; leave shots out")
    task.set_config(key="num_fewshot", value=(default or 0) if source.shots is None else source.shots)
    task.set_fewshot_seed(SHOTS_SEED)
    return task
