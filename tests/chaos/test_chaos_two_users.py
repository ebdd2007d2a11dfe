"""Two users, one model: what one job measured, the other finds; nothing is measured twice between them."""

from __future__ import annotations

import pytest
from postgres_server import DATABASES

from benchmarks.chaos.campaign import made_scene
from benchmarks.chaos.jobs import job
from benchmarks.chaos.scene import Scene
from service.api.views import JobDetail

pytestmark = pytest.mark.slow


def computed(found: JobDetail) -> int:
    """Evaluations that the job did not find in the store."""
    assert found.state == "succeeded", found
    assert found.report is not None
    number: int = found.report["evaluations"]["computed"]
    return number


def check_share(found: JobDetail) -> None:
    """The job shows the share that its report has."""
    assert found.report is not None
    evaluations = found.report["evaluations"]
    asked = evaluations["computed"] + evaluations["cached"]
    assert found.cached_share == pytest.approx(evaluations["cached"] / asked)
    assert found.cached_share > 0


def run(scene: Scene, asked: dict[str, int]) -> dict[str, JobDetail]:
    """The job of a number for each user, at once."""
    clients = scene.service.users
    jobs = {user: clients[user].submit(job(scene.model, number)) for user, number in asked.items()}
    return {user: clients[user].wait(submitted.id) for user, submitted in jobs.items()}


@pytest.mark.parametrize("database", DATABASES)
def test_two_users_share_every_evaluation(database: str) -> None:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database]
    with made_scene(name, seed=0) as scene:
        same = run(scene, {"ann": 0, "ben": 0})
        other = run(scene, {"ben": 12})["ben"]  # another seed of the same search
        scene.witness.look()
        keys = [key for table, key in scene.witness.seen if table == "evaluation"]
        assert scene.witness.num_begun("evaluation") == len(keys)  # one attempt each
        assert sum(map(computed, [*same.values(), other])) == len(keys)
    assert (same["ann"].owner, same["ben"].owner) == ("ann", "ben")
    answers = [each.report and each.report["answer"] for each in same.values()]
    assert answers[0] == answers[1]
    for each in (same["ben"], other):
        check_share(each)
    assert 0 < computed(other) < len(keys)
