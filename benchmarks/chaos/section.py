"""The section ``chaos``: what a service survived on each database, fault by fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.bench import Bench
from benchmarks.chaos.campaign import Outcome, Size, run_campaign
from benchmarks.chaos.service import CPUS
from benchmarks.databases import POSTGRESQL, SQLITE, open_databases, say_if_alone
from benchmarks.document import table

STEPS = {POSTGRESQL: 200, SQLITE: 60}
SMALL_STEPS = 2
NONE = "–"


def measure_chaos(bench: Bench) -> str:
    """The tables of both databases, and whatever happened that must not."""
    with open_databases() as databases:
        names, alone = databases.names, say_if_alone(databases)
    sizes = {name: Size(steps=SMALL_STEPS if bench.is_small else STEPS[name]) for name in names}
    outcomes = {}
    for name, size in sizes.items():
        outcomes[name] = run_campaign(name, size, partial(_say, bench, name))
        _say(bench, name, str(outcomes[name]))  # hours of work: kept in the log whatever becomes of the next one
    parts = [f"{_describe(sizes)}{alone}", _faults(outcomes), _results(outcomes), _troubles(outcomes)]
    return "\n\n".join(part for part in parts if part)


def _say(bench: Bench, name: str, text: str) -> None:
    bench.say(f"chaos on {name}: {text}")


def _faults(outcomes: Mapping[str, Outcome]) -> str:
    """How often each was survived, and how long the service took to finish anything new."""
    kinds = list(dict.fromkeys(kind for outcome in outcomes.values() for kind in sorted(outcome.faults)))
    rows = [(kind, *(cell for outcome in outcomes.values() for cell in _survived(outcome, kind))) for kind in kinds]
    totals = [cell for outcome in outcomes.values() for cell in (f"{outcome.faults.total():,}", "")]
    headings = [cell for name in outcomes for cell in (f"survived on {name}", "s to the next result")]
    return table(("fault", *headings), [*rows, ("all", *totals)])


def _survived(outcome: Outcome, kind: str) -> tuple[str, str]:
    if kind not in outcome.faults:
        return NONE, NONE
    middle, longest = outcome.recovery(kind)
    return f"{outcome.faults[kind]:,}", f"{middle:.1f} (at most {longest:.0f})"


def _results(outcomes: Mapping[str, Outcome]) -> str:
    """What was there at the end."""
    rows: Sequence[tuple[str, ...]] = [
        ("jobs submitted", *(f"{outcome.num_jobs:,}" for outcome in outcomes.values())),
        ("jobs that succeeded with the undisturbed run's answer, front and verdict", *_like_calm(outcomes)),
        ("processes that these jobs took", *(f"{outcome.num_attempts:,}" for outcome in outcomes.values())),
        *(
            row
            for name, noun in (("evaluation", "evaluations"), ("sample", "samples of statistics"))
            for row in (
                (f"{noun} finished", *(f"{outcome.num_finished[name]:,}" for outcome in outcomes.values())),
                (f"{noun} in flight that were begun again", *_begun_again(outcomes, name)),
            )
        ),
        ("finished ones that were lost, changed or repeated", *_wrong(outcomes)),
        ("minutes", *(f"{outcome.minutes:.0f}" for outcome in outcomes.values())),
    ]
    return table(("", *outcomes), rows)


def _troubles(outcomes: Mapping[str, Outcome]) -> str:
    """A line for each thing that must not be, whatever is killed."""
    return "\n".join(f"- {name}: {trouble}" for name, outcome in outcomes.items() for trouble in outcome.troubles)


def _like_calm(outcomes: Mapping[str, Outcome]) -> list[str]:
    return [f"{outcome.num_like_calm:,}" for outcome in outcomes.values()]


def _wrong(outcomes: Mapping[str, Outcome]) -> list[str]:
    return [f"{outcome.num_wrong:,}" for outcome in outcomes.values()]


def _begun_again(outcomes: Mapping[str, Outcome], name: str) -> list[str]:
    return [f"{outcome.num_begun[name] - outcome.num_finished[name]:,}" for outcome in outcomes.values()]


def _describe(sizes: Mapping[str, Size]) -> str:
    steps = " and ".join(f"{size.steps} steps on {name}" for name, size in sizes.items())
    size = next(iter(sizes.values()))
    return (
        f"A `layerpress serve` of {CPUS} workers, two users, and {size.num_jobs} unfinished jobs on a tiny model at "
        f"any time (evolution, trust region and random search in turn); {steps}, seed {size.seed}. Each step is one "
        f"fault, every kind in its turn: a process is killed with SIGKILL, connections are cut, the database is "
        f"killed, or locked for up to 18 s, a job is paused and resumed, a submission is sent twice while connections "
        f"are lost. The next step comes within two seconds of the first evaluation, sample or job that is finished "
        f"after the fault: the seconds until then hold the starts of Python, Ray and the model. After each step all "
        f"that was ever finished is compared with what it was. At the end the jobs finish in peace, and run once more "
        f"without a service."
    )
