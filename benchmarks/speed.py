"""Ratios of the engine's and the bank's speed, measured side by side in one run."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.bank_speed import measure_building, measure_bytes
from benchmarks.bench import Bench
from benchmarks.sharing import Families, measure_sharing
from benchmarks.throughput import Load, measure_throughput


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured."""

    num_configurations: int
    num_tokens: int  # of each
    num_blocks: int  # of the bank that is built
    rounds: int  # of the engine
    build_rounds: int


FULL = Size(num_configurations=24, num_tokens=4096, num_blocks=4, rounds=3, build_rounds=2)
SMALL = Size(num_configurations=2, num_tokens=2048, num_blocks=1, rounds=2, build_rounds=2)


def measure_speed(bench: Bench) -> str:
    """The engine over a bare loop, shared over whole passes, building at once over one by one, and the bank's bytes."""
    size = SMALL if bench.is_small else FULL
    plan = bench.plan(["strategy=uniform"])
    bench.say("speed: making the bank and the dense logits, where they are missing")
    bench.run(plan)
    load = Load(plan=plan, num_configurations=size.num_configurations, num_tokens=size.num_tokens)
    bench.say("speed: the engine over a bare loop")
    throughput = measure_throughput(load, size.rounds)
    bench.say("speed: candidates that share blocks")
    families = Families(plan=plan, num_candidates=size.num_configurations, num_tokens=size.num_tokens)
    sharing = measure_sharing(families, size.rounds)
    bench.say("speed: building the bank")
    building = measure_building(plan, num_blocks=size.num_blocks, rounds=size.build_rounds)
    parts = {
        "The engine over a bare forward loop": throughput,
        "Candidates from their first changed block on": sharing,
        "All bit-widths at once over one at a time": building,
        "The bank over 16-bit weights": measure_bytes(plan),
    }
    return "\n\n".join(f"### {title}\n\n{part}" for title, part in parts.items())
