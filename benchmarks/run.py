"""Runs the benchmarks and renews their sections of BENCHMARKS.md: ``python -m benchmarks.run [SECTION ...]``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from benchmarks.bench import Bench
from benchmarks.document import DOCUMENT, renew
from benchmarks.machine import describe_machine
from service.commands.planning import silence_libraries
from service.home import home_folder, store_url
from spaces.errors import InputError, LayerpressError
from spaces.tables import check_name, load
from store.store import Store

SECTIONS = {
    "quality": "benchmarks.quality:measure_quality",
    "methods": "benchmarks.methods:measure_methods",
    "ranking": "benchmarks.ranking:measure_ranking",
    "speed": "benchmarks.speed:measure_speed",
    "knapsack": "benchmarks.knapsack_speed:measure_knapsack",
    "scale": "benchmarks.scale:measure_scale",
    "pages": "benchmarks.pages:measure_pages",
    "chaos": "benchmarks.chaos.section:measure_chaos",
    "exports": "benchmarks.exports:measure_exports",
    "store_race": "benchmarks.store_race:measure_store_race",
    "scheduling": "benchmarks.scheduling:measure_scheduling",
    "dashboard": "benchmarks.dashboard:measure_dashboard",
    "service_memory": "benchmarks.service_memory:measure_service_memory",
}
PROGRAM = "python -m benchmarks.run"
EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; every section is written as soon as it is measured. Returns the exit code."""
    asked = parser().parse_args(arguments)
    out: Path | None = asked.out or (None if asked.small else DOCUMENT)
    silence_libraries()
    try:
        names = [check_name(name, SECTIONS, "section") for name in dict.fromkeys(asked.sections or SECTIONS)]
        home = home_folder()
        with Store.open(store_url(None, home)) as store:
            bench = Bench(home=home, store=store, is_small=asked.small, say=_say)
            for name in names:
                body = measure(name, bench)
                if out is None:
                    print(f"{body}\n")
                else:
                    renew(out, name, body)
                    _say(f"{name}: written into {out}")
    except LayerpressError as error:
        _say(f"error: {error}")
        return EXIT_INPUT if isinstance(error, InputError) else EXIT_FAILED
    except KeyboardInterrupt:
        _say("interrupted: sections that were finished are written, and what jobs measured is kept")
        return EXIT_INTERRUPTED
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Measure Layerpress on this machine and renew the generated sections of BENCHMARKS.md.",
        epilog="Jobs are resumed from $LAYERPRESS_HOME, where their bank and evaluations are kept.",
    )
    listed = ", ".join(SECTIONS)
    made.add_argument("sections", nargs="*", metavar="SECTION", help=f"any of {listed}; default: all")
    made.add_argument("--out", type=Path, metavar="FILE", help=f"the document to renew; default: {DOCUMENT}")
    made.add_argument(
        "--small",
        action="store_true",
        help="a few tokens and layers, to see that everything runs; prints, unless --out says where to write",
    )
    return made


def measure(name: str, bench: Bench) -> str:
    """The body of one section: when, where and how it was measured, and what came out."""
    begun, machine, date = time.perf_counter(), describe_machine(), datetime.now(UTC)
    body = cast(Callable[[Bench], str], load(SECTIONS, name, "section"))(bench)
    minutes = (time.perf_counter() - begun) / 60
    small = " --small" if bench.is_small else ""
    return f"`{PROGRAM} {name}{small}`, {date:%Y-%m-%d}, in {minutes:.1f} minutes, on {machine}.\n\n{body}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
