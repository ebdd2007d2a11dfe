"""What an 8-billion-parameter model would take, worker by worker: counted from its shape, without its weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from benchmarks.bench import Bench
from benchmarks.document import table
from benchmarks.giant import BITS, LENGTH, LOGITS_LIMIT, NUM_SEQUENCES, Giant, build_giant
from benchmarks.timing import Arm, Spread, interleave
from compressors.build import HESSIAN_MEMORY_BYTES
from compressors.hessian import hessian_bytes, shared_inputs, within_memory
from compressors.measure import EntryErrors
from evaluators.dense_layout import FLOAT_BYTES, Extent
from evaluators.evaluator import BATCH_TOKENS, batch_sequences
from search.solvers.allocation import solve_knapsack
from search.solvers.knapsack import knapsack
from search.strategy import Problem
from spaces.budget import make_budget, show_size
from spaces.errors import InputError
from spaces.option import KEEP, Banked

NOMINAL_BITS = 3  # of the budget, and of the layers that a candidate changes
CHANGED_LAYERS = (2, 6)  # one level switch, and the most that a child of EvoPress has
EVALUATION_TOKENS = 16384
REPEATS = 5


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Bytes that pass when layers take on an option."""

    packed: int  # read from the bank
    wide: int  # dequantized, in float32
    written: int  # into the model's weights

    @classmethod
    def total(cls, moved: Sequence[Moved]) -> Moved:
        return cls(
            packed=sum(each.packed for each in moved),
            wide=sum(each.wide for each in moved),
            written=sum(each.written for each in moved),
        )

    def show(self, share: float = 1.0) -> tuple[str, str, str]:
        return show_size(self.packed * share), show_size(self.wide * share), show_size(self.written * share)


def measure_scale(bench: Bench) -> str:
    """Memory, bytes moved, and the time of what runs before any weight is read."""
    bench.say("scale: the space of an 8-billion-parameter model")
    giant = build_giant()
    parts = {
        "Memory and disk of one worker": table(("", "size", "where"), list(_memory(giant))),
        "Bytes moved when a candidate is applied": _applying(giant),
        f"Bytes moved by one evaluation of {EVALUATION_TOKENS:,} tokens": table(("", "size"), list(_evaluating(giant))),
        "Time": table(("", "time"), list(_times(giant))),
    }
    return "\n\n".join([_describe(giant), *(f"### {title}\n\n{part}" for title, part in parts.items())])


def _describe(giant: Giant) -> str:
    space = giant.space
    return (
        f"The shape of Llama-3.1-8B on the meta device: {space.anatomy.num_parameters:,} parameters in "
        f"{space.anatomy.dense_bits}-bit floats, {len(space.layers)} linear layers in {len(space.anatomy.blocks)} "
        f"blocks with {space.num_weights:,} weights, {len(space.units[0].options)} options each. Calibration: "
        f"{NUM_SEQUENCES} sequences of {LENGTH} tokens. A GB is 10^9 bytes."
    )


def _memory(giant: Giant) -> Iterator[tuple[str, str, str]]:
    space, layout = giant.space, giant.layout
    aside = sum(giant.bytes_of(layer, KEEP) for layer in space.layers)
    bank = sum(giant.bytes_of(layer, option) for layer, option in giant.entries())
    logits = Extent(layout=layout, num_sequences=NUM_SEQUENCES, length=LENGTH)
    one_forward = BATCH_TOKENS * giant.vocab_size * (space.anatomy.dense_bits // 8 + FLOAT_BYTES)
    full = giant.num_tokens * giant.full_layout.bytes_per_token
    yield "dense weights", show_size(giant.dense_bytes), "memory"
    yield "the originals of the layers that candidates overwrite", show_size(aside), "memory"
    yield f"logits of one forward of {BATCH_TOKENS:,} tokens, as made and in float32", show_size(one_forward), "memory"
    yield from _hessians(giant)
    yield f"bank of {', '.join(map(str, BITS))} bits", show_size(bank), "disk, shared"
    yield "dense logits, all of them", show_size(full), "disk, shared, if the limit allows"
    kept = f"dense logits, top-{layout.num_kept} within the default {LOGITS_LIMIT}"
    yield kept, show_size(logits.size_bytes), "disk, shared"


def _hessians(giant: Giant) -> Iterator[tuple[str, str, str]]:
    """What calibration adds to the memory: one Hessian for all layers that share an input, some blocks at a time."""
    space, where = giant.space, "memory, while the bank is built"
    modules = {layer.name: giant.model.get_submodule(layer.name) for layer in space.layers if layer.block == 0}
    sizes = [hessian_bytes(modules[group[0]]) for group in shared_inputs(modules, giant.probe)]
    legs = within_memory([sum(sizes)] * len(space.anatomy.blocks), HESSIAN_MEMORY_BYTES)
    at_once = max(map(len, legs))
    yield "largest Hessian, float32", show_size(max(sizes)), where
    yield f"the {len(sizes)} Hessians of one block", show_size(sum(sizes)), where
    yield f"the Hessians of {at_once} blocks, held at once in {len(legs)} legs", show_size(at_once * sum(sizes)), where


def _applying(giant: Giant) -> str:
    """For some numbers of layers: as many average ones, and the largest ones there are."""
    each = sorted(_moved(giant), key=lambda moved: moved.wide, reverse=True)
    whole = Moved.total(each)
    rows = []
    for number in CHANGED_LAYERS:
        share, largest = number / len(each), Moved.total(each[:number])
        rows.append((f"{number} layers, average", *whole.show(share), f"{share:.1%}"))
        rows.append((f"{number} layers, the largest", *largest.show(), f"{largest.wide / whole.wide:.1%}"))
    rows.append((f"all {len(each)} layers", *whole.show(), "100.0%"))
    header = (
        f"layers that differ, at {NOMINAL_BITS} bits",
        "read from the bank",
        "dequantized, float32",
        "written to weights",
        "of all weights",
    )
    return table(header, rows)


def _moved(giant: Giant) -> list[Moved]:
    return [
        Moved(
            packed=giant.bytes_of(layer, option),
            wide=layer.num_weights * torch.float32.itemsize,
            written=giant.bytes_of(layer, KEEP),
        )
        for layer, option in giant.entries()
        if option.bits_per_code == NOMINAL_BITS
    ]


def _evaluating(giant: Giant) -> Iterator[tuple[str, str]]:
    forwards = -(-EVALUATION_TOKENS // (batch_sequences(LENGTH) * LENGTH))
    passes = f"weights read by {forwards} forward passes, without the embedding"
    kept = f"dense logits read, top-{giant.layout.num_kept}"
    yield passes, show_size(forwards * (giant.dense_bytes - giant.lookup_bytes))
    yield "candidate logits made, in float32", show_size(EVALUATION_TOKENS * giant.vocab_size * FLOAT_BYTES)
    yield kept, show_size(EVALUATION_TOKENS * giant.layout.bytes_per_token)


def _times(giant: Giant) -> Iterator[tuple[str, str]]:
    budget = make_budget({"nominal_bits_per_weight": NOMINAL_BITS}, giant.space)
    problem = Problem(space=giant.space, budget=budget, seed=0, max_tokens=giant.num_tokens, errors=_no_errors)
    items = giant.items()
    costs = [item.costs for item in items]
    arms: dict[str, Arm] = {
        "the knapsack alone": lambda: lambda: knapsack(items, budget.limits[0].limit),
        "reading all sizes off the space, and the knapsack": lambda: lambda: solve_knapsack(problem, costs),
    }
    shape = f"{len(items)} x {len(items[0].sizes)}, at {NOMINAL_BITS} nominal bits"
    yield "building the model's shape and its space", f"{giant.seconds:.2f} s"
    for name, seconds in interleave(arms, rounds=REPEATS).items():
        yield f"{name}, {shape}", f"{Spread.of([1e3 * each for each in seconds]).show('.1f')} ms"


def _no_errors(layer: str, option: Banked) -> EntryErrors:
    raise InputError(f"a model without weights has no bank, asked for {option.slug} of {layer}; give costs instead")
