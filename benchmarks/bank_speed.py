"""What one calibration for all bit-widths saves over one for each, and the bytes of the bank that it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import torch
from torch import Tensor, nn

from benchmarks.document import table
from benchmarks.timing import Arm, Spread, interleave, ratio
from compressors.build import BATCH_TOKENS, build_bank
from compressors.hessian import input_hessians, shared_inputs
from compressors.relay import Relay, evaluating
from compressors.solvers import solve
from compressors.weights import weight_of
from evaluators.checkpoint import load_model
from search.engine.plan import Plan
from spaces.option import KEEP, Banked

PROBE_TOKENS = 8  # enough to see which layers share an input
HALF_BITS = 16  # of a weight dequantized to float16 or bfloat16
MB = 1e6


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Weights that are fed one input, and its Hessian."""

    weights: list[Tensor]  # each (out, in)
    hessian: Tensor  # (in, in)


def measure_building(plan: Plan, *, num_blocks: int, rounds: int) -> str:
    """Time the first ``num_blocks`` blocks: building, and quantization alone, joint over separate."""
    model = load_model(plan.folder, dtype=torch.float32)
    blocks = plan.problem.space.anatomy.blocks[:num_blocks]
    entries = {
        name: options
        for name, options in plan.entries().items()
        if any(name.startswith(f"{block}.") for block in blocks)
    }
    options = list(dict.fromkeys(option for offered in entries.values() for option in offered))
    with TemporaryDirectory() as folder:
        building = interleave(_build_arms(plan, model, entries, options, Path(folder)), rounds=rounds, warm_ups=0)
    solving = interleave(_solve_arms(_calibrate(plan, model, entries), options), rounds=rounds)
    return f"{_describe(plan, blocks, options, rounds)}\n\n{_times(building, solving)}"


def _build_arms(
    plan: Plan, model: nn.Module, entries: Mapping[str, Sequence[Banked]], options: list[Banked], folder: Path
) -> dict[str, Arm]:
    """One call for all options, against one call for each, which calibrates every time."""

    def build(wanted: Sequence[Sequence[Banked]]) -> None:
        bank = replace(plan.bank, root=folder / uuid4().hex)
        for chosen in wanted:
            build_bank(
                model,
                blocks=plan.problem.space.anatomy.blocks,
                layers={name: [option for option in chosen if option in entries[name]] for name in entries},
                tokens=plan.streams["calibration"].tokens,
                bank=bank,
                propagate=None,
            )

    return _joint_and_separate(build, options)


def _solve_arms(shared: Sequence[Shared], options: list[Banked]) -> dict[str, Arm]:
    def run(wanted: Sequence[Sequence[Banked]]) -> None:
        for chosen in wanted:
            for group in shared:
                solve(group.weights, group.hessian, chosen)

    return _joint_and_separate(run, options)


def _joint_and_separate(run: Callable[[Sequence[Sequence[Banked]]], None], options: list[Banked]) -> dict[str, Arm]:
    apart = [[option] for option in options]
    return {"joint": lambda: lambda: run([options]), "separate": lambda: lambda: run(apart)}


def _calibrate(plan: Plan, model: nn.Module, names: Mapping[str, object]) -> list[Shared]:
    modules = {name: model.get_submodule(name) for name in names}
    tokens = plan.streams["calibration"].tokens
    with evaluating(model):
        relay = Relay(model, plan.problem.space.anatomy.blocks, tokens, batch_tokens=BATCH_TOKENS)
        groups = shared_inputs(modules, lambda: relay.probe(PROBE_TOKENS))
        first = {group[0]: modules[group[0]] for group in groups}
        hessians = input_hessians(first, lambda: relay.run(None, keep=False))
    return [
        Shared(weights=[weight_of(modules[name]) for name in group], hessian=hessians[group[0]]) for group in groups
    ]


def _describe(plan: Plan, blocks: Sequence[str], options: Sequence[Banked], rounds: int) -> str:
    num_blocks = len(plan.problem.space.anatomy.blocks)
    extent = "the whole model" if len(blocks) == num_blocks else f"the first {len(blocks)} of {num_blocks} blocks"
    return (
        f"Of {extent}, in one process: {', '.join(option.slug for option in options)}. Joint is one call for all of "
        f"them, separate one call for each over the whole {plan.streams['calibration'].num_tokens:,} calibration "
        f"tokens. Medians of {rounds} interleaved rounds, with the smallest and the largest."
    )


def _times(building: Mapping[str, list[float]], solving: Mapping[str, list[float]]) -> str:
    rows = [
        (
            name,
            Spread.of(seconds["joint"]).show(".2f"),
            Spread.of(seconds["separate"]).show(".2f"),
            ratio(seconds["joint"], seconds["separate"]).show(".3f"),
        )
        for name, seconds in (("building the bank", building), ("quantization alone, Hessians given", solving))
    ]
    return table(("", "joint, s", "separate, s", "joint / separate"), rows)


def measure_bytes(plan: Plan) -> str:
    """The bytes of the bank's entries over the same weights dequantized to 16 bits."""
    layers = {layer.name: layer for layer in plan.problem.space.layers}
    entries = plan.entries()
    options = list(dict.fromkeys(option for offered in entries.values() for option in offered))

    def row(name: str, chosen: Sequence[Banked]) -> tuple[str, ...]:
        pairs = [(layer, option) for layer, offered in entries.items() for option in offered if option in chosen]
        payload, files = plan.bank.size_bytes(pairs), plan.bank.file_bytes(pairs)
        shapes = [(layers[layer].rows, layers[layer].columns) for layer, _ in pairs]
        half = sum(KEEP.bits(*shape, HALF_BITS).stored for shape in shapes) / 8
        needed = (
            sum(option.bits(*shape, HALF_BITS).stored for shape, (_, option) in zip(shapes, pairs, strict=True)) / 8
        )
        megabytes = tuple(f"{size / MB:.3f}" for size in (payload, files, half))
        return name, *megabytes, f"{payload / half:.4f}", f"{files / half:.4f}", f"{files / needed - 1:+.2%}"

    rows = [row(option.slug, [option]) for option in options]
    header = ("", "payload, MB", "files, MB", "16-bit, MB", "payload / 16-bit", "files / 16-bit", "files / packed bits")
    return table(header, [*rows, row(f"all {len(options)}", options)])
