"""Processes that race for the same keys: how often one is evaluated twice, with and without kills, and how fast."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import chain, count, pairwise
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.databases import Databases, open_databases, say_if_alone
from benchmarks.document import table
from benchmarks.racer import Course, Entry, read_journal
from benchmarks.timing import Spread

NUM_SPARES = 8  # processes that wait to take the places of killed ones
ARMS = {"undisturbed": False, "with kills": True}

Process = subprocess.Popen[str]


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of one race."""

    num_racers: int
    num_keys: int
    killed_share: float
    rounds: int
    ttl_s: float = 1.0
    work_s: float = 0.001


FULL = Size(num_racers=6, num_keys=300, killed_share=0.02, rounds=3)
SMALL = Size(num_racers=2, num_keys=20, killed_share=0.2, rounds=1)


@dataclass(frozen=True, kw_only=True)
class Race:
    """What came of one race, or of several together."""

    keys: int = 0  # that have a result now
    evaluations: int = 0  # that a racer carried through to the end
    overlaps: int = 0  # leases that were granted while an earlier one of the same key was alive
    kept: int = 0  # results that the store took
    killed: int = 0  # racers, each over a lease
    taken_over: int = 0  # leases of keys that somebody held before
    errors: int = 0  # racers that failed
    claims_per_s: tuple[float, ...] = field(default=())

    def __add__(self, other: Race) -> Race:
        return Race(**{name: value + vars(other)[name] for name, value in vars(self).items()})


def measure_store_race(bench: Bench) -> str:
    """The table of all races."""
    size = SMALL if bench.is_small else FULL
    with open_databases() as databases:
        races = {(name, arm): Race() for name in databases.names for arm in ARMS}
        for number in range(size.rounds):
            for name, arm in races:
                bench.say(f"store_race: {name}, {arm}, race {number + 1} of {size.rounds}")
                races[name, arm] += run_race(databases, name, size, has_kills=ARMS[arm])
        rows = [_row(f"{name}, {arm}", race) for (name, arm), race in races.items()]
        return f"{_describe(size)}{say_if_alone(databases)}\n\n{table(_HEADINGS, rows)}"


def run_race(databases: Databases, name: str, size: Size, *, has_kills: bool) -> Race:
    """One race on an empty database."""
    numbers, spares = count(), NUM_SPARES if has_kills else 0
    with databases.empty(name) as url, tempfile.TemporaryDirectory() as folder:

        def begin() -> Process:
            return _begin(_course(url, Path(folder), next(numbers), size, size.killed_share if has_kills else 0.0))

        ready = deque(begin() for _ in range(size.num_racers + spares))
        for racer in ready:
            _await_ready(racer)
        with ThreadPoolExecutor(size.num_racers) as seats:
            codes = list(chain.from_iterable(seats.map(lambda _: _occupy(ready, begin), range(size.num_racers))))
        for racer in ready:
            racer.kill()
            racer.communicate()
        journals = [read_journal(path) for path in sorted(Path(folder).iterdir())]
    return judge(journals, codes, size.ttl_s)


def judge(journals: Sequence[Sequence[Entry]], codes: Sequence[int], ttl_s: float) -> Race:
    """What the racers' journals and exit codes tell together."""
    entries = sorted(chain.from_iterable(journals), key=lambda entry: entry.ended_s)
    kept = [entry.key for entry in entries if entry.is_kept]
    grants: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind == "claim" and entry.attempt:
            grants.setdefault(entry.key, []).append(entry)
    followed = [pair for each in grants.values() for pair in pairwise(each)]
    return Race(
        keys=len(set(kept)),
        evaluations=sum(entry.kind == "evaluated" for entry in entries),
        # the earlier lease lives for its time from the moment that it was granted, which is after it was asked for
        overlaps=sum(later.ended_s < earlier.began_s + ttl_s for earlier, later in followed),
        kept=len(kept),
        killed=codes.count(-signal.SIGKILL),
        taken_over=len(followed),
        errors=sum(code not in (0, -signal.SIGKILL) for code in codes),
        claims_per_s=(_rate([entry for entry in entries if entry.is_first]),),
    )


def _rate(claims: Sequence[Entry]) -> float:
    """Claims a second until every racer has asked for each key once; what they ask again for while they wait is left
    out."""
    if not claims:
        return 0.0
    return len(claims) / (max(claim.ended_s for claim in claims) - min(claim.began_s for claim in claims))


def _course(url: str, folder: Path, number: int, size: Size, killed_share: float) -> Course:
    return Course(
        url=url,
        owner=f"racer {number}",
        num_keys=size.num_keys,
        ttl_s=size.ttl_s,
        work_s=size.work_s,
        killed_share=killed_share,
        journal=str(folder / f"{number:03d}.jsonl"),
    )


def _begin(course: Course) -> Process:
    command = [sys.executable, "-m", "benchmarks.racer"]
    racer = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert racer.stdin is not None
    racer.stdin.write(json.dumps(asdict(course)) + "\n")
    racer.stdin.flush()
    return racer


def _await_ready(racer: Process) -> None:
    """It is ready, or has failed, which its exit code will tell."""
    assert racer.stdout is not None
    racer.stdout.readline()


def _occupy(ready: deque[Process], begin: Callable[[], Process]) -> list[int]:
    """Run one racer, and after each that is killed another; their exit codes."""
    codes: list[int] = []
    while not codes or codes[-1] == -signal.SIGKILL:
        try:
            racer = ready.popleft()
        except IndexError:
            racer = begin()
            _await_ready(racer)
        racer.communicate("go\n")
        codes.append(racer.returncode)
    return codes


_HEADINGS = (
    "",
    "keys",
    "evaluations carried through",
    "beyond one a key",
    "begun under another's lease",
    "racers killed",
    "keys taken over",
    "errors",
    "claims per second",
)


def _row(name: str, race: Race) -> tuple[str, ...]:
    extra = race.evaluations - race.keys
    counts = (race.keys, race.evaluations, extra, race.overlaps, race.killed, race.taken_over, race.errors)
    return (name, *(f"{count:,}" for count in counts), Spread.of(race.claims_per_s).show(",.0f"))


def _describe(size: Size) -> str:
    return (
        f"{size.num_racers} processes, each of which claims all of {size.num_keys} keys in an order of its own, "
        f"evaluates what it is given ({1000 * size.work_s:g} ms) and completes it; leases of {size.ttl_s:g} s that "
        f"nobody renews. With kills, {size.killed_share:.0%} of the leases end with SIGKILL of their holder, and "
        f"another process takes its place. Counts are sums over {size.rounds} races, rates medians with the smallest "
        f"and the largest: claims until every process has asked for every key once."
    )
