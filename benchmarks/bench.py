"""What every benchmark needs to run jobs on the reference model: the demo's job, the home, the store and a voice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from search.engine.plan import Plan, make_plan
from search.engine.progress import Progress
from search.engine.run import run_job
from search.report import Outcome
from search.spec import JobSpec
from service.intake.jobfile import read_job
from store.store import Store

JOB = Path("examples/jobs/demo.yaml")
CHANGES = ("front_points=0",)  # further budgets are no part of what is compared
SMALL_CHANGES = ('space.exclude=["model.layers.[1-9]*"]', "validation.tokens=4096")  # the first block alone


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Runs changed versions of the demo's job; what one of them measured, the next finds in the store."""

    home: Path
    store: Store
    is_small: bool  # to see that everything runs: the numbers mean nothing
    say: Callable[[str], None]  # to whom it may concern how far it is

    def spec(self, changes: Sequence[str]) -> JobSpec:
        """The demo's job after ``key.path=value`` for each of ``changes``."""
        return read_job(JOB, [*CHANGES, *(SMALL_CHANGES if self.is_small else ()), *changes])

    def plan(self, changes: Sequence[str]) -> Plan:
        return make_plan(self.spec(changes), self.home)

    def run(self, plan: Plan) -> Outcome:
        """Run a job, announcing each of its phases."""
        seen: set[str] = set()

        def watch(moment: Progress) -> None:
            if moment.phase not in seen:
                seen.add(moment.phase)
                self.say(f"  {moment.phase}")

        return run_job(plan, self.store, watch)
