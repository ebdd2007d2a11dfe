"""Computes scores and solves nothing: for those who want to see them."""

from __future__ import annotations

from collections.abc import Sequence

from search.engine.answers import drive
from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.progress import Watch
from search.engine.run import Run
from search.engine.session import Session
from search.scores.score import Score, Scores
from store.store import Store


def compute_scores(plan: Plan, scores: Sequence[Score], store: Store, watch: Watch) -> list[tuple[Scores, int]]:
    """What each score says of the space, and the tokens it asked for; nothing is solved.

    Raises:
        InputError, JobError: as ``run_job``.
    """
    pool = Pool(plan.worker_setup(), plan.spec.workers)
    try:
        run = Run(Session(plan, store, pool, watch))
        run.session.materials(plan.entries())
        with run.session.phase("search"):
            run.session.show(total=sum(score.planned_tokens(plan.problem) for score in scores), unit="tokens")
            return [_computed(score, run) for score in scores]
    finally:
        pool.close()


def _computed(score: Score, run: Run) -> tuple[Scores, int]:
    before = run.asked_tokens
    return drive(score.score(run.plan.problem), run.answer), run.asked_tokens - before
