"""Works through trials until they are all done, or the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.search.front import load_front, run_front, save_front
from benchmarks.search.queue import Trial
from benchmarks.search.race import Race, TimeUpError, check_model
from benchmarks.search.records import Records
from spaces.errors import InputError, LayerpressError


@dataclass(kw_only=True)
class Tally:
    """What became of the trials."""

    num_known: int = 0  # from earlier runs
    num_finished: int = 0
    num_skipped: int = 0  # that cannot be run here
    num_failed: int = 0
    num_left: int = 0


def work_through(
    trials: Sequence[Trial], race: Race, records: Records, home: Path, say: Callable[[str], None]
) -> Tally:
    """Run what has no record yet, in order. What does not fit or fails is named, and the next one begins."""
    missing = [trial for trial in trials if records.load(trial) is None]
    tally = Tally(num_known=len(trials) - len(missing), num_left=len(missing))
    say(f"{len(trials)} trials, {tally.num_known} of them finished before")
    try:
        for trial in missing:
            _run_one(trial, race, records, home, say, tally)
            tally.num_left -= 1
    except TimeUpError:
        say("the time is over; what the trial under way measured is kept")
    finally:
        race.close()
    say(f"{tally.num_finished} finished, {tally.num_skipped} skipped, {tally.num_failed} failed, {tally.num_left} left")
    return tally


def work_through_fronts(seeds: Sequence[int], race: Race, records: Records, say: Callable[[str], None]) -> None:
    """Search nine budgets at once with each seed that has no record yet.

    Raises:
        InputError, JobError: as ``run_front``; what was finished is kept.
    """
    try:
        for seed in seeds:
            if load_front(records, seed) is None:
                say(f"nine budgets at once, seed {seed}")
                record = run_front(race, seed, is_small=records.is_small)
                save_front(records, seed, record)
                say(f"  {record.read:,} tokens read")
    except TimeUpError:
        say("the time is over; what the search under way measured is kept")
    finally:
        race.close()


def _run_one(trial: Trial, race: Race, records: Records, home: Path, say: Callable[[str], None], tally: Tally) -> None:
    begun = time.perf_counter()
    say(f"{trial}")
    try:
        check_model(trial.task, home)
        plain = records.load_plain(trial.task)
        if plain is None or plain[0].weights != race.track(trial.task).plan.weights:
            records.save_plain(trial.task, race.plain(trial.task))
        record = race.run(trial)
    except InputError as error:
        say(f"  skipped: {error}")
        tally.num_skipped += 1
    except LayerpressError as error:
        say(f"  failed: {error}")
        tally.num_failed += 1
    else:
        records.save(trial, record)
        tally.num_finished += 1
        minutes = (time.perf_counter() - begun) / 60
        say(f"  KL {record.loss:.5f} after {record.read:,} tokens read, in {minutes:.1f} minutes")
