"""The faults: each is done to a scene, or cannot be done at the moment; most are one SIGKILL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import psutil

from benchmarks.chaos.scene import Scene, wait_until
from benchmarks.chaos.service import command_of
from service.client import Client
from spaces.errors import ConflictError
from store.moves import MAX_STARTS

PAUSE_PATIENCE_S = 60.0
LONG_AWAY_S = 18.0  # longer than a process waits for a SQLite file that is locked
SLEEP_S = (0.5, 1.0, 2.0)

T = TypeVar("T")
Fault = Callable[[Scene], bool]  # whether it was done


def kill_worker(scene: Scene) -> bool:
    """A Ray actor that is measuring. What kills two workers is taken for broken, so nothing is hit twice: a job's next
    worker dies only once all that its process had leased when the last one died is finished."""
    found = []
    for job_id, process in scene.service.jobs().items():
        pid, leased = scene.hurt_workers.get(job_id, (0, set()))
        if pid != process.pid or not leased & scene.witness.in_flight(pid):
            found += [(job_id, process, worker) for worker in scene.witness.workers(job_id)]
    family = {process.pid: process for process in scene.service.family()}
    found = [each for each in found if each[2] in family and "ray::Worker" in " ".join(command_of(family[each[2]]))]
    if not found:
        return False
    job_id, process, worker = choose(scene, found)
    leased = scene.witness.in_flight(process.pid)
    if not leased:
        return False
    scene.hurt_workers[job_id] = (process.pid, leased)
    return _kill(family[worker])


def kill_job(scene: Scene) -> bool:
    """A job's own process. One that was started often without coming further is spared: it would be given up."""
    found = [
        process
        for job_id, process in sorted(scene.service.jobs().items())
        if scene.witness.num_starts(job_id) < MAX_STARTS - 1
    ]
    return bool(found) and _kill(choose(scene, found))


def kill_part(scene: Scene, *, role: str) -> bool:
    """A process of the service."""
    found = scene.service.parts(role)
    return bool(found) and _kill(found[0])


def kill_within_head(scene: Scene, *, name: str) -> bool:
    """One of the processes that are Ray's head together."""
    heads = scene.service.parts("head")
    below = heads[0].children(recursive=True) if heads else []
    found = [process for process in below if command_of(process)[:1] and command_of(process)[0].endswith(name)]
    return bool(found) and _kill(found[0])


def kill_service(scene: Scene) -> bool:
    """The supervisor, which takes all else with it; the service is started again at once."""
    scene.service.kill()
    scene.service.start_again()
    return True


def pause_and_resume(scene: Scene) -> bool:
    """A job that runs is paused, and resumed once it has come to rest."""
    running = scene.storage.rows("SELECT id, owner FROM job WHERE state = 'running' ORDER BY id")
    if not running:
        return False
    job_id, owner = choose(scene, running)
    client: Client = scene.service.users[owner]
    try:
        client.pause(job_id)
    except ConflictError:  # it ended before
        return False
    wait_until(lambda: scene.witness.state(job_id) not in ("running", "validating"), PAUSE_PATIENCE_S)
    is_paused = scene.witness.state(job_id) == "paused"
    if is_paused:
        scene.witness.look()
        client.resume(job_id)
    return is_paused


def submit_twice(scene: Scene) -> bool:
    """The newest submission, or one more, sent twice at once while connections are lost."""
    number = len(scene.submitted) - int(scene.rng.integers(2))

    def meanwhile() -> None:
        if "connections" in scene.storage.hurts:
            for _ in range(3):
                scene.storage.hurt("connections", 0.0)
        else:
            kill_part(scene, role="web")

    scene.submit_twice(number, meanwhile)
    return True


def hurt_storage(scene: Scene, *, name: str) -> bool:
    """What is done to the database itself."""
    is_long = scene.rng.integers(6) == 0
    scene.storage.hurt(name, LONG_AWAY_S if is_long else choose(scene, SLEEP_S))
    return True


FAULTS: Mapping[str, Fault] = {
    "evaluation worker": kill_worker,
    "job process": kill_job,
    "runner": partial(kill_part, role="loop"),
    "API": partial(kill_part, role="web"),
    "service": kill_service,
    "Ray head": partial(kill_part, role="head"),
    "Ray's GCS": partial(kill_within_head, name="gcs_server"),
    "Ray's node": partial(kill_within_head, name="raylet"),
    "pause and resume": pause_and_resume,
    "submission sent twice": submit_twice,
}


def faults_on(hurts: Sequence[str]) -> dict[str, Fault]:
    """All faults, with those of a kind of database."""
    return {**FAULTS, **{name: partial(hurt_storage, name=name) for name in hurts}}


def choose(scene: Scene, found: Sequence[T]) -> T:
    return found[int(scene.rng.integers(len(found)))]


def _kill(process: psutil.Process) -> bool:
    """With SIGKILL; False where it ended by itself before."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True
