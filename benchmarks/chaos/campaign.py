"""A campaign of faults against one service: step by step, then in peace to the end, and what came of it."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.chaos.calm import Answer, answer_of, calm_answers
from benchmarks.chaos.faults import Fault, faults_on
from benchmarks.chaos.scene import Scene, wait_until
from benchmarks.chaos.service import serving
from benchmarks.chaos.stores import STORAGES
from benchmarks.chaos.witness import CONTENT, Witness
from benchmarks.tiny_model import save_tiny_model
from service.commands.planning import silence_libraries
from spaces.errors import JobError
from store.records import FINAL_STATES, JobRecord
from store.store import Store

USERS = ("ann", "ben")
NUMBERED = ("event", "candidate")  # within each job, without gaps
POSSIBLE_S = 30.0  # that a fault waits for a victim; then the others go first
MAX_MISSES = 20  # in a row
RECOVERY_S = 240.0  # until anything new is finished, on a machine that is busy with much else
END_S = 1800.0
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of a campaign."""

    steps: int
    num_jobs: int = 2  # unfinished at any time
    seed: int = 0


@dataclass(kw_only=True)
class Outcome:
    """What was done to a service, and how it bore that. ``troubles`` are what must not be."""

    faults: Counter[str] = field(default_factory=Counter)
    recovery_s: dict[str, list[float]] = field(default_factory=dict)  # from each fault to the next thing finished
    num_jobs: int = 0
    num_attempts: int = 0  # processes that were given a job
    num_finished: Mapping[str, int] = field(default_factory=dict)  # pieces of work of each table
    num_begun: Mapping[str, int] = field(default_factory=dict)
    num_wrong: int = 0  # finished pieces of work that were lost, changed or repeated
    num_like_calm: int = 0  # jobs whose answer is that of the undisturbed run
    troubles: list[str] = field(default_factory=list)
    minutes: float = 0.0

    def recovery(self, fault: str) -> tuple[float, float]:
        """Median and largest."""
        return median(self.recovery_s[fault]), max(self.recovery_s[fault])


@dataclass(kw_only=True)
class Campaign:
    """``run`` it once."""

    scene: Scene
    faults: Mapping[str, Fault]
    size: Size
    say: Say
    outcome: Outcome = field(default_factory=Outcome)
    _deck: list[str] = field(default_factory=list)

    def run(self) -> None:
        """All steps; then no more faults, and nothing new."""
        for step in range(self.size.steps):
            self.scene.supply(self.size.num_jobs)
            wait_until(lambda: False, self.scene.chance(0.0, 2.0))  # so that it hits anything that goes on
            name = self._do()
            taken = self._recover()
            self.outcome.faults[name] += 1
            self.outcome.recovery_s.setdefault(name, []).append(taken)
            self.scene.witness.look()
            self._check_alive()
            self.say(f"step {step + 1} of {self.size.steps}: {name}; {taken:.1f} s to the next thing finished")
        self.say("no more faults")
        if not wait_until(lambda: not self.scene.witness.num_unfinished_jobs(), END_S):
            self._trouble(f"{self.scene.witness.num_unfinished_jobs()} jobs did not end within {END_S:.0f} s")
        self.scene.witness.look()

    def _do(self) -> str:
        """The next fault that can be done: each has its turn before any comes again.

        Raises:
            JobError: none finds a victim.
        """
        for _ in range(MAX_MISSES):
            if not self._deck:
                self._deck = [str(name) for name in self.scene.rng.permutation(list(self.faults))]
            name = self._deck.pop()
            if wait_until(lambda: self._strikes(name), POSSIBLE_S):  # noqa: B023
                return name
            self.say(f"no victim for: {name}")
            self._deck.insert(0, name)
        raise JobError(f"{MAX_MISSES} faults in a row found no victim, the last one {name}")

    def _strikes(self, name: str) -> bool:
        """Whether a fault was done; while it waits for its victim, jobs end and new ones must come."""
        self.scene.supply(self.size.num_jobs)
        return self.faults[name](self.scene)

    def _recover(self) -> float:
        """Seconds until anything new is finished; where the fault met no unfinished job, one is handed in."""
        begun, before = time.monotonic(), self.scene.witness.num_finished()
        self.scene.supply(1)
        if not wait_until(lambda: self.scene.witness.num_finished() > before, RECOVERY_S):
            self._trouble(f"nothing was finished within {RECOVERY_S:.0f} s")
        return time.monotonic() - begun

    def _check_alive(self) -> None:
        if not self.scene.service.is_alive:
            self._trouble("the service ended by itself")
            self.scene.service.start_again()

    def _trouble(self, what: str) -> None:
        self.scene.witness.troubles.append(what)
        jobs = self.scene.storage.rows("SELECT id, state, wish, reason, message, attempt FROM job ORDER BY created_at")
        unfinished = "\n".join(str(job) for job in jobs if job[1] not in FINAL_STATES)
        self.say(f"TROUBLE: {what}; unfinished jobs:\n{unfinished}\nthe service said last:\n{self.scene.service.said}")


def run_campaign(database: str, size: Size, say: Say) -> Outcome:
    """A campaign on a new service over a new database, and the same jobs undisturbed."""
    silence_libraries()
    begun = time.monotonic()
    with made_scene(database, size.seed) as scene:
        campaign = Campaign(scene=scene, faults=faults_on(scene.storage.hurts), size=size, say=say)
        campaign.run()
        say("the same jobs, undisturbed")
        outcome = campaign.outcome
        judge(scene, outcome)
    outcome.minutes = (time.monotonic() - begun) / 60
    return outcome


def judge(scene: Scene, outcome: Outcome) -> None:
    """What is there at the end, beside what should be."""
    troubles, outcome.num_wrong = scene.witness.troubles, scene.witness.num_wrong
    outcome.num_finished = {table: scene.witness.num_in_state(table, "done") for table in CONTENT}
    outcome.num_begun = {table: scene.witness.num_begun(table) for table in CONTENT}
    troubles += _left_over(scene)
    calm = calm_answers(scene.model, sorted(scene.submitted))
    with Store.open(scene.storage.url, upgrade=False) as store:
        found = {number: store.job(job_id) for number, job_id in scene.submitted.items()}
        outcome.num_jobs = len(store.jobs(limit=10 * len(found)))
    if outcome.num_jobs != len(found):
        troubles.append(f"{len(found)} submissions made {outcome.num_jobs} jobs")
    outcome.num_attempts = sum(record.attempt for record in found.values())
    wrong = [sentence for number in found if (sentence := _compared(number, found[number], calm[number]))]
    outcome.num_like_calm = len(found) - len(wrong)
    outcome.troubles = troubles + wrong


def _left_over(scene: Scene) -> list[str]:
    """Work that failed or that nobody finished, and numbers that are missing."""
    troubles = []
    for table in CONTENT:
        others = {state: scene.witness.num_in_state(table, state) for state in ("failed", "in_flight")}
        troubles += [f"{number} of table {table} are {state}" for state, number in others.items() if number]
    for table in NUMBERED:
        gaps = scene.storage.rows(f"SELECT job_id FROM {table} GROUP BY job_id HAVING count(*) <> max(seq)")
        troubles += [f"the {table}s of job {job_id} are not numbered 1, 2, 3, ..." for (job_id,) in gaps]
    return troubles


def _compared(number: int, job: JobRecord, calm: Answer) -> str:
    """What is wrong with a job, if anything is."""
    if job.state != "succeeded" or job.report is None:
        return f"job {number} ({job.id}) is {job.state}: {job.reason}, {job.message}"
    found = answer_of(job.report)
    others = [f"{key} {found[key]}, undisturbed {calm[key]}" for key in calm if found[key] != calm[key]]
    return f"job {number} ({job.id}) ended at {'; '.join(others)}" if others else ""


@contextmanager
def made_scene(database: str, seed: int) -> Iterator[Scene]:
    """A service over an empty database, with a model to work on and two users."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="layerpress-chaos-")))
        model = home / "model"
        model.mkdir()
        save_tiny_model(model)
        storage = stack.enter_context(STORAGES[database](home))
        service = stack.enter_context(serving(home=home, store_url=storage.url, model=model, users=USERS))
        witness = Witness(storage=storage)
        yield Scene(service=service, storage=storage, witness=witness, model=model, rng=np.random.default_rng(seed))
