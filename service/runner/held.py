"""One job that a runner has in hand, and the process that works on it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

from service.runner.exits import EXIT_AGAIN, EXIT_STOPPED
from service.runner.process import describe_end, has_ended, kill_process, role, start_process
from service.runner.settings import RunnerSettings
from service.runner.shares import Claimant
from store.records import JobRecord

LINGERING_S = 10.0  # that a process gets whose job is cancelled, or is no longer this runner's


@dataclass(kw_only=True)
class Held:
    """Claimed; at work once ``process`` is there."""

    record: JobRecord  # as it was last read
    due_s: float = 0.0  # not started before
    process: subprocess.Popen[str] | None = None
    started_s: float = 0.0
    unwanted_since_s: float | None = None

    @property
    def has_ended(self) -> bool:
        return self.process is not None and has_ended(self.process)

    def start(self, settings: RunnerSettings) -> subprocess.Popen[str]:
        """Put a process to work."""
        self.started_s = time.monotonic()
        arguments = (self.record.id, str(self.record.attempt))
        self.process = start_process(role("job", *arguments), stdin=settings.dump())
        return self.process

    def outlive(self) -> None:
        """The process has no reason to be: one that does not end by itself soon is killed."""
        now = time.monotonic()
        self.unwanted_since_s = self.unwanted_since_s or now
        if self.process is not None and now - self.unwanted_since_s > LINGERING_S:
            kill_process(self.process)

    def why_ended(self) -> tuple[str, str]:
        """Reason and message, should the job not be finished."""
        code = 0 if self.process is None else self.process.returncode
        if code == EXIT_STOPPED:
            return SERVICE_STOPPED
        if code == EXIT_AGAIN:
            return "out_of_reach", "the database or the cluster did not answer; it is tried again"
        hint = "; perhaps the machine ran out of memory" if code == -9 else ""
        return "process_died", f"its process {describe_end(code)}{hint}"


SERVICE_STOPPED = ("service_stopped", "the service stopped; it goes on when the service is back")


def claimant(record: JobRecord, has_gpus: bool) -> Claimant:
    """What the job asks for."""
    cpus, gpus = wanted_resources(record, has_gpus)
    return Claimant(
        id=record.id,
        priority=record.priority,
        since_s=record.created_at.timestamp(),
        wanted=record.workers,
        cpus=cpus,
        gpus=gpus,
    )


def wanted_resources(record: JobRecord, has_gpus: bool) -> tuple[float, float]:
    """CPUs and GPUs of each worker, as the engine will ask for them."""
    resources, evaluation = record.spec.get("resources") or {}, record.spec.get("evaluation") or {}
    assert isinstance(resources, dict)  # the spec was read before it was stored
    assert isinstance(evaluation, dict)
    device = evaluation.get("device", "auto")
    takes_gpu = device == "cuda" or (device == "auto" and has_gpus)
    cpus, gpus = resources.get("cpus"), resources.get("gpus")
    return (1.0 if cpus is None else float(cpus)), (float(takes_gpu) if gpus is None else float(gpus))
