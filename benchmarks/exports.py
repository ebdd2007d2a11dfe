"""What each checkpoint format stores and what its loader makes of it: bytes, loss and logits beside the candidate's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.bench import Bench
from benchmarks.document import table
from benchmarks.loaders import LOADERS, Answer, Loader, answer_of
from evaluators.checkpoint import load_model
from evaluators.dense import DenseLogits
from evaluators.divergence import kl_full
from evaluators.live import LiveModel
from evaluators.stream import Stream
from exporters.export import Exported, export
from exporters.provenance import Provenance
from exporters.source import Source
from search.engine.plan import Plan
from search.engine.run import evaluate_configuration
from spaces.configuration import Configuration
from spaces.option import parse_option

CHANGES = (
    'space.options=[{"kind": "quantize", "bits": [3, 4, 8], "group_size": 64, "symmetric": true, "solver": "rtn"}]',
    "budget.nominal_bits_per_weight=8",
    "calibration.tokens=2048",  # rounding to nearest reads none
    "workers=1",
)
TOKENS, SMALL_TOKENS = 4096, 512
BITS = {"self_attn": 8, "gate_proj": 3, "up_proj": 4, "down_proj": 4}
BATCH = 2  # sequences
HEADER = (
    "",
    "loaded by",
    "computes in",
    "predicted bytes",
    "file bytes",
    "more",
    "KL to dense",
    "KL to it",
    "max difference",
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a loaded model says, on all of the text."""

    kl: float  # to the dense model, nats per token
    kl_to_candidate: float
    max_difference: float  # of any logit to the candidate's


class Referee:
    """Holds models against the dense one and against the searched candidate, both computed in float32."""

    def __init__(self, stream: Stream, dense: DenseLogits, candidate: Answer) -> None:
        self._dense = dense
        self._batches = list(stream.batches(0, stream.num_sequences, BATCH))
        self._expected = [candidate(tokens) for _, tokens in self._batches]

    def judge(self, answer: Answer) -> Found:
        losses, moved, largest = [], [], 0.0
        for (first, tokens), expected in zip(self._batches, self._expected, strict=True):
            logits = answer(tokens)
            losses.append(self._dense.compare(first, logits, tokens)[0])
            moved.append(kl_full(expected.flatten(0, 1), logits.flatten(0, 1)))
            largest = max(largest, float((logits - expected).abs().max()))
        kl, apart = (float(torch.cat(each).mean()) for each in (losses, moved))
        return Found(kl=kl, kl_to_candidate=apart, max_difference=largest)


def measure_exports(bench: Bench) -> str:
    """A row for each format and dtype."""
    plan = bench.plan([*CHANGES, f"validation.tokens={SMALL_TOKENS if bench.is_small else TOKENS}"])
    configuration = Configuration.of({name: parse_option(_slug(name)) for name in plan.problem.space.names})
    bench.say("exports: the candidate")
    outcome = evaluate_configuration(plan, bench.store, lambda moment: None, configuration, "mixed")
    assert outcome.answer.validation is not None
    searched = float(outcome.answer.validation.kl.mean())
    stream, dense = plan.streams["validation"], DenseLogits.open(plan.dense_folder("validation"))
    assert dense is not None
    referee = Referee(stream, dense, _candidate(plan, configuration, torch.float32))
    narrow = referee.judge(_candidate(plan, configuration, torch.bfloat16))
    source = Source.open(plan.folder, configuration, plan.bank.read, Provenance(model=plan.spec.model))
    rows: list[tuple[str, ...]] = [("the candidate", "Layerpress", "float32", "", "", "", f"{searched:.6f}", "", "")]
    rows += [("the candidate", "Layerpress", "bfloat16", "", "", "", *_cells(narrow))]
    rows += _rows(bench, source, referee)
    words = ", ".join(f"{module} {bits} bits" for module, bits in BITS.items())
    return f"{words}; {stream.num_tokens:,} tokens.\n\n{table(HEADER, rows)}"


def _rows(bench: Bench, source: Source, referee: Referee) -> Iterator[tuple[str, ...]]:
    for format_, loaders in groupby(LOADERS, key=lambda each: each.format):
        with TemporaryDirectory(prefix="layerpress-") as folder:
            bench.say(f"exports: {format_}")
            done = export(source, format_, Path(folder) / format_)
            for loader in loaders:
                row = _row(loader, done, referee)
                bench.say(f"  {', '.join(row)}")
                yield row


def _row(loader: Loader, done: Exported, referee: Referee) -> tuple[str, ...]:
    sizes = (f"{done.predicted_bytes:,}", f"{done.file_bytes:,}", f"{done.deviation or 0:+.2%}")
    words = (loader.format, loader.words, str(loader.dtype).removeprefix("torch."), *sizes)
    if not loader.is_installed:
        return (*words, "not installed", "", "")
    return (*words, *_cells(referee.judge(loader.load(done.folder, loader.dtype))))


def _cells(found: Found) -> tuple[str, str, str]:
    return f"{found.kl:.6f}", f"{found.kl_to_candidate:.1e}", f"{found.max_difference:.4f}"


def _candidate(plan: Plan, configuration: Configuration, dtype: torch.dtype) -> Answer:
    """The searched candidate, as a worker computes it."""
    live = LiveModel(load_model(plan.folder, dtype=dtype), plan.problem.space.anatomy, plan.bank)
    live.apply(configuration)
    return answer_of(live.model)


def _slug(layer: str) -> str:
    return next(f"rtn-int{bits}-g64-sym" for module, bits in BITS.items() if module in layer)
