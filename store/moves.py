"""Which state of a job follows which, and what its owner may wish in each: the tables, and nothing of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spaces.errors import ConflictError
from store.records import FINAL_STATES, JobState, Wish

Verb = Literal["pause", "resume", "stop", "cancel"]

ACTIVE_STATES: tuple[JobState, ...] = ("validating", "running", "stopping", "cancelling")  # somebody has it in hand
RESTING_STATES: tuple[JobState, ...] = ("paused", *FINAL_STATES)
EXTENDABLE_STATES = RESTING_STATES
MAX_STARTS = 5  # without coming further: the sixth would fare no better
BLAMELESS = frozenset({"service_stopped", "runner_died", "out_of_reach"})  # reasons that count no start

MOVES: Mapping[JobState, tuple[JobState, ...]] = {  # by the job's process; an active state may be said again
    "validating": ("validating", "running", "paused", "stopping", "cancelling", "failed", "cancelled"),
    "running": ("running", "paused", "stopping", "cancelling", "succeeded", "failed", "cancelled"),
    "stopping": ("stopping", "cancelling", "succeeded", "failed", "cancelled"),
    "cancelling": ("cancelling", "failed", "cancelled"),
}

GOALS: Mapping[Verb, Wish] = {"pause": "pause", "resume": "run", "stop": "stop", "cancel": "cancel"}
REPLACES: Mapping[Verb, tuple[Wish, ...]] = {  # the wishes that a verb may take the place of: no way back from stop
    "pause": ("run", "pause"),
    "resume": ("run", "pause"),
    "stop": ("run", "pause", "stop"),
    "cancel": ("run", "pause", "stop", "cancel"),
}
LEADS_TO: Mapping[Verb, Mapping[JobState, JobState]] = {  # the state after a verb, where it may be said at all
    "pause": {"queued": "paused", "paused": "paused", "validating": "validating", "running": "running"},
    "resume": {"paused": "queued", "queued": "queued", "validating": "validating", "running": "running"},
    "stop": {
        "queued": "queued",
        "paused": "queued",
        "validating": "validating",
        "running": "running",
        "stopping": "stopping",
        "succeeded": "succeeded",
    },
    "cancel": {
        "queued": "cancelled",
        "paused": "cancelled",
        "validating": "validating",
        "running": "running",
        "stopping": "stopping",
        "cancelling": "cancelling",
        "cancelled": "cancelled",
    },
}
WISHED: Mapping[JobState, tuple[str, str]] = {  # reason and message where a wish is all it takes
    "paused": ("paused_by_user", "paused; resume it to go on"),
    "cancelled": ("cancelled_by_user", "cancelled; what was found is kept"),
    "queued": ("", ""),
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What decides about a job's next state."""

    state: JobState
    wish: Wish
    attempt: int


def after_wish(verb: Verb, standing: Standing) -> Standing | None:
    """How the job stands after its owner wished; None where that cannot be wished now."""
    state, goal = LEADS_TO[verb].get(standing.state), GOALS[verb]
    if state is None or standing.wish not in REPLACES[verb]:
        return None
    if standing.state in FINAL_STATES and standing.wish != goal:
        return None
    if verb == "stop" and standing.state in ("queued", "paused") and standing.attempt == 0:
        return None  # nothing to finish with
    return Standing(state=state, wish=goal, attempt=standing.attempt)


def refused(job_id: str, verb: Verb, standing: Standing) -> ConflictError:
    """Why not, and what is possible instead."""
    is_new = standing.attempt == 0 and standing.state in ("queued", "paused")
    why = " has not begun, so nothing was found that it could finish with" if verb == "stop" and is_new else ""
    return ConflictError(
        f"cannot {verb} job {job_id}: it is {_described(standing)}{' and' + why if why else ''}; "
        f"possible: {', '.join(possible(standing))}"
    )


def possible(standing: Standing) -> list[str]:
    """What may be asked of a job and would change it."""
    verbs: list[str] = [verb for verb in GOALS if after_wish(verb, standing) not in (None, standing)]
    if standing.state in EXTENDABLE_STATES:
        verbs.append("extend")
    if standing.state in FINAL_STATES:
        verbs += ["clone", "delete"]
    return verbs or ["wait until it ends"]


def at_rest(wish: Wish) -> JobState:
    """Where a job goes that nobody has in hand any more, unfinished."""
    waits: Mapping[Wish, JobState] = {"run": "queued", "stop": "queued", "pause": "paused", "cancel": "cancelled"}
    return waits[wish]


def _described(standing: Standing) -> str:
    words: Mapping[Wish, str] = {"run": "", "pause": "pausing", "stop": "stopping", "cancel": "cancelling"}
    word = words[standing.wish]
    is_told = standing.state in ("queued", "validating", "running") and word
    return f"{standing.state} and {word}" if is_told else standing.state
