"""The workers of a pool, as Ray actors: hired wherever the cluster has room, and seen arriving, working and dying."""

from __future__ import annotations

import gc
import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Literal

from search.engine.calls import pack
from search.engine.cluster import check_placeable, disconnect, is_lost, start_ray
from search.engine.depot import Depot, Probe
from search.engine.steering import WorkerState
from search.engine.worker import Arrival, Worker, WorkerSetup
from spaces.errors import JobError

logger = logging.getLogger(__name__)

MAX_FAILED_STARTS = 3  # in a row: then it is not bad luck
DEPOT_THREADS = 8
# glibc gives large blocks back to the system at once, and every forward pass would have its logits' pages zeroed anew:
# a worker that keeps them runs a forward pass about a tenth faster on a CPU
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str((2 << 30) - 1)}
NODE_DEATH = "its node has died"  # what Ray writes into an error that has no field for it


@dataclass(eq=False, kw_only=True)
class Member:
    """One worker."""

    id: str
    actor: Any
    reference: Any  # Ray's, of what it is at: its arrival, or a task
    state: Literal["starting", "idle", "busy"] = "starting"
    arrival: Arrival | None = None
    task: str = ""
    index: int = -1  # of the task


class Crew:
    """Hires and ends workers. Ray is started by the first one; who hires nobody needs no Ray."""

    def __init__(self, setup: WorkerSetup, worker: type[Worker]) -> None:
        self.setup = setup
        self._worker = worker
        self._members: list[Member] = []
        self._failed_starts = 0
        self._probe: Probe | None = None
        self._depot: Any = None
        self._started_ray = False

    @property
    def is_busy(self) -> bool:
        return any(member.state == "busy" for member in self._members)

    def idle(self) -> Iterator[Member]:
        """Those that wait for a task; who worked last comes first, since it remembers most."""
        return (member for member in reversed(self._members) if member.state == "idle")

    def fit(self, wanted: int, num_waiting: int) -> None:
        """Hire up to ``wanted`` workers, as far as tasks wait for them; end those beyond it that are not busy.

        Raises:
            JobError: Ray did not start, or no node can ever hold a worker.
        """
        spare = [member for member in self._members if member.state != "busy"]
        spare.sort(key=lambda member: member.state == "idle")  # those under way go first
        for member in spare[: max(0, len(self._members) - wanted)]:
            self._end(member)
        needed = min(wanted, num_waiting + sum(member.state == "busy" for member in self._members))
        if needed > len(self._members):
            self._open(wanted)
        for _ in range(needed - len(self._members)):
            self._members.append(self._hire())

    def give(self, member: Member, index: int, method: str, arguments: Sequence[object]) -> None:
        """Let an idle worker begin a task."""
        member.reference = member.actor.call.remote(pack(method, arguments))
        member.state, member.task, member.index = "busy", method, index

    def wait(self, timeout_s: float) -> list[Member]:
        """The busy ones that have finished or died, as soon as there is one; arrivals are seen to on the way."""
        import ray

        pending = {member.reference: member for member in self._members if member.state != "idle"}
        if not pending:
            Event().wait(timeout_s)
            return []
        first, _ = ray.wait(list(pending), num_returns=1, timeout=timeout_s)
        ready, _ = ray.wait(list(pending), num_returns=len(pending), timeout=0) if first else ([], [])
        done = [pending[reference] for reference in ready]
        for member in done:
            if member.state == "starting":
                self._arrived(member)
        return [member for member in done if member.state == "busy"]

    def free(self, member: Member) -> None:
        """Its task is over."""
        member.state, member.task, member.index, member.reference = "idle", "", -1, None

    def lose(self, member: Member, error: Exception) -> bool:
        """Strike off a worker that died; whether its node was lost, which no task is to blame for."""
        self._end(member)
        return NODE_DEATH in str(error) or (member.arrival is not None and is_lost(member.arrival.node))

    def states(self) -> list[WorkerState]:
        """For those who watch."""
        return [self._seen(member) for member in self._members]

    def dismiss(self) -> None:
        """End every worker: what they compute is wanted no more."""
        for member in list(self._members):
            self._end(member)

    def close(self) -> None:
        """End the workers, and Ray if it was started here."""
        self.dismiss()
        if self._probe is not None:
            self._probe.remove()
            self._probe = None
            gc.unfreeze()
        if self._depot is not None:
            import ray

            ray.kill(self._depot)
            self._depot = None
        if self._started_ray:
            disconnect()
            self._started_ray = False

    def _open(self, wanted: int) -> None:
        """What comes before the first worker."""
        self._started_ray = start_ray(wanted * self.setup.cpus) or self._started_ray
        if self._probe is None:
            check_placeable(self.setup.cpus, self.setup.gpus)
            self._probe = Probe.write(self.setup.bank.root, self.setup.folder)
            gc.freeze()  # torch, transformers and ray: to look at all of it takes a third of a second, again and again

    def _hire(self) -> Member:
        import ray

        options = {
            "num_cpus": self.setup.cpus,
            "num_gpus": self.setup.gpus,
            "max_restarts": 0,
            "runtime_env": {"env_vars": KEEP_MEMORY},
            "scheduling_strategy": "SPREAD",
        }
        actor: Any = ray.remote(self._worker).options(**options).remote(self.setup)
        return Member(id=uuid.uuid4().hex[:12], actor=actor, reference=actor.arrive.remote(self._probe))

    def _arrived(self, member: Member) -> None:
        """A worker runs, or never will.

        Raises:
            JobError: it is not the first that died as it started.
        """
        import ray

        try:
            member.arrival = ray.get(member.reference)
        except ray.exceptions.RayError as error:
            is_lost = self.lose(member, error)
            self._failed_starts += not is_lost
            if self._failed_starts >= MAX_FAILED_STARTS:
                raise JobError(f"workers die as they start: {last_line(error)}") from error
            logger.warning("a worker died as it started: %s", last_line(error))
            return
        self._failed_starts = 0
        if member.arrival is not None and member.arrival.is_distant:
            logger.info("worker %s on %s fetches what it needs", member.id, member.arrival.host)
            member.actor.fetch_from.remote(self._depot_here())
        self.free(member)

    def _depot_here(self) -> Any:
        """The actor on this machine that hands out files, made for the first worker that needs it."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if self._depot is None:
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
            options = {
                "num_cpus": 0,
                "max_restarts": -1,
                "max_task_retries": -1,
                "max_concurrency": DEPOT_THREADS,
                "scheduling_strategy": here,
            }
            folders = [self.setup.bank.root, self.setup.dense]
            self._depot = ray.remote(Depot).options(**options).remote(folders, self.setup.folder)
        return self._depot

    def _end(self, member: Member) -> None:
        import ray

        self._members.remove(member)
        ray.kill(member.actor)

    def _seen(self, member: Member) -> WorkerState:
        arrival = member.arrival
        return WorkerState(
            id=member.id,
            node="" if arrival is None else arrival.host,
            pid=0 if arrival is None else arrival.pid,
            device=self.setup.device,
            cpus=self.setup.cpus,
            gpus=self.setup.gpus,
            state=member.state,
            task=member.task,
        )


def last_line(error: BaseException) -> str:
    """The end of Ray's long messages, which says what happened."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
