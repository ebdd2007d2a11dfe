"""The answers of jobs, read out of their reports where those lie: a report may be large, and a list shows many jobs."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import and_, select

from store.database import Database
from store.records import AnswerRecord
from store.tables import CANDIDATE, JOB

ANSWER = JOB.c.report["answer"]  # of a job with one budget; one with several has an answer at each


class Answers(Database):
    """The answers of a store's jobs."""

    def answers(self, job_ids: Collection[str]) -> dict[str, AnswerRecord]:
        """What those of these jobs found that have succeeded and have one budget, by the job's id."""
        is_same = and_(
            CANDIDATE.c.job_id == JOB.c.id,
            CANDIDATE.c.configuration_id == ANSWER["configuration_id"].as_string(),
            CANDIDATE.c.kind == "answer",
        )
        is_asked = and_(JOB.c.id.in_(sorted(job_ids)), JOB.c.state == "succeeded", JOB.c.report.is_not(None))
        statement = (
            select(JOB.c.id, CANDIDATE.c.seq, ANSWER.label("found"), JOB.c.report["baselines"].label("plain"))
            .select_from(JOB)
            .outerjoin(CANDIDATE, is_same)
            .where(is_asked)
        )
        with self._reading() as connection:
            rows = connection.execute(statement).all()
        return {
            row.id: AnswerRecord(seq=row.seq, found=row.found, plain=tuple(row.plain or ()))
            for row in rows
            if isinstance(row.found, dict)
        }
