"""One job in a process of its own, as a driver of a cluster: says how far it is, and waits for a word at every gate."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from search.engine.cluster import capacity, connect, disconnect
from search.engine.plan import make_plan
from search.engine.progress import Progress
from search.engine.run import run_job
from search.engine.steering import Steering, WorkerState
from search.report import report
from search.spec import read_spec
from store.store import Store


def main(address: str, job: str, home: str, *gates: str) -> None:
    """The gates are numbers of computed evaluations of the search; what was found is the last line."""
    connect(address)
    say({"capacity": vars(capacity())})
    waiting, pids = [int(gate) for gate in gates], set[int]()

    def watch(moment: Progress) -> None:
        while waiting and moment.phase == "search" and moment.computed >= waiting[0]:
            say({"gate": waiting.pop(0)})
            sys.stdin.readline()

    def see(states: Sequence[WorkerState]) -> None:
        pids.update(state.pid for state in states if state.state != "starting")

    plan = make_plan(read_spec(json.loads(job)), Path(home))
    with Store.open(f"sqlite:///{home}/store.db") as store:
        outcome = run_job(plan, store, watch, Steering(workers=see))
    say({**report(outcome), "workers": len(pids)})
    disconnect()


def say(what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
