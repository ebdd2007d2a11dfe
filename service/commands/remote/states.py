"""What state a job is in, in words: what is the case, what is wished, and why."""

from __future__ import annotations

from service.api.views import JobView
from store.records import Wish

WISHED: dict[Wish, str] = {"pause": "to be paused", "stop": "to be stopped", "cancel": "to be cancelled"}
UNDER_WAY = ("queued", "validating", "running")


def state_text(job: JobView) -> str:
    """``running: to be cancelled``, ``queued: waiting for 2 GPUs; 1 free``, or the state alone."""
    why = why_text(job)
    if not why:
        return job.state
    return why if why.startswith(job.state) else f"{job.state}: {why}"


def why_text(job: JobView) -> str:
    """The same without the state: what is wished but not yet so, and the service's own sentence."""
    wished = WISHED.get(job.wish, "") if job.state in UNDER_WAY else ""
    return ": ".join(part for part in (wished, job.message) if part)
