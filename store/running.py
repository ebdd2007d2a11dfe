"""Jobs as their processes see them: moved from state to state, and asked at every step what is wished now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import update

from spaces.errors import ConflictError, LeaseLostError
from store.clock import now_s
from store.database import Database, batches, insert_or_nothing
from store.job_rows import came_further, find_row, is_at_rest, lock_row, plain, put_state, to_record
from store.moves import ACTIVE_STATES, MOVES, WISHED, at_rest
from store.records import JobRecord, JobState, JsonObject, Wish
from store.tables import JOB, JOB_SUBJECT

COUNTED = {"preserve_rowcount": True}  # else an INSERT counts nothing on PostgreSQL


class Running(Database):
    """The jobs of a store that are in hand. What an attempt sends that is over raises LeaseLostError."""

    def move_job(
        self,
        job_id: str,
        attempt: int,
        state: JobState,
        *,
        reason: str = "",
        message: str = "",
        progress: JsonObject | None = None,
        report: JsonObject | None = None,
    ) -> JobRecord:
        """Put a job into its next state; ``message`` is one sentence for its owner.

        A job that rests there already is left as it is: whoever lost the answer may ask again. One that comes to
        rest where its owner wishes otherwise by now goes on, or is cancelled, at once.

        Raises:
            UnknownError: there is no such job.
            LeaseLostError: a later attempt has it.
            ConflictError: no such move.
            InputError: JSON cannot hold the report or the progress.
        """
        changes: dict[str, Any] = {"reason": reason, "message": message}
        given = {"progress": progress, "report": report}
        changes |= {noun: plain(value, noun) for noun, value in given.items() if value is not None}
        with self._writing() as connection:
            row = lock_row(connection, job_id, attempt)
            if row.state == state and is_at_rest(row):
                return to_record(row)
            if state not in MOVES.get(row.state, ()):
                raise ConflictError(
                    f"job {job_id} is {row.state} and cannot become {state}; "
                    f"from there: {', '.join(MOVES.get(row.state, ())) or 'nothing, before it is claimed again'}"
                )
            if state == "paused" and row.wish != "pause":
                state = at_rest(row.wish)
                changes["reason"], changes["message"] = WISHED[state]
            return put_state(connection, row, state, **changes)

    def note_progress(self, job_id: str, attempt: int, progress: JsonObject) -> tuple[Wish, int]:
        """Keep how far the job is; what its owner wishes now, and how many workers it may use.

        Raises:
            UnknownError, LeaseLostError: as ``move_job``; a job that rests is in nobody's hands.
            InputError: JSON cannot hold the progress.
        """
        statement = (
            update(JOB)
            .where(JOB.c.id == job_id, JOB.c.attempt == attempt, JOB.c.state.in_(ACTIVE_STATES))
            .values(progress=plain(progress, "progress"), updated_at=now_s())
            .returning(JOB.c.wish, JOB.c.granted)
        )
        with self._writing() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None:
                now = find_row(connection, job_id)
                raise LeaseLostError(
                    f"attempt {attempt} of job {job_id} is over: it is {now.state}, at attempt {now.attempt}; "
                    f"what was measured is kept"
                )
            return row.wish, row.granted

    def add_subjects(self, job_id: str, subjects: Iterable[str]) -> None:
        """Remember what of the cache the job uses, so that it is not pruned while the job is kept.

        Raises:
            UnknownError: there is no such job.
        """
        with self._writing() as connection:
            lock_row(connection, job_id)
            statement = insert_or_nothing(connection, JOB_SUBJECT)
            num_new = 0
            for batch in batches(sorted(set(subjects))):
                rows = [{"job_id": job_id, "subject": subject} for subject in batch]
                num_new += connection.execute(statement, rows, execution_options=COUNTED).rowcount
            if num_new:
                came_further(connection, job_id)
