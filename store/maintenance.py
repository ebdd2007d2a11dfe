"""What keeps a store in order: its statistics, what nobody needs any more, and copies."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, exists, func, select

from spaces.errors import InputError, JobError, UnknownError
from store.clock import as_datetime, as_datetime_or_none, now_s
from store.database import Database, batches
from store.evaluations import EVALUATIONS
from store.records import CacheStatistics, EvaluationRecord, Pruned
from store.tables import EVALUATION, FAILED_LOGIN, IDEMPOTENCY, JOB, JOB_SUBJECT, SAMPLE

BYTES_A_SEQUENCE = 16  # two float64: kl and nll
KEPT_KEYS_S = 86_400.0  # an idempotency key is good for a day at least


class Maintenance(Database):
    """The store as its keeper sees it."""

    def statistics(self) -> CacheStatistics:
        """How much there is of what, and how many bytes the values take."""
        done = EVALUATION.c.state == "done"
        evaluation_bytes = select(func.sum(EVALUATION.c.num_sequences) * BYTES_A_SEQUENCE).where(done)
        sample_bytes = select(func.sum(func.length(SAMPLE.c.arrays)))
        with self._reading() as connection:
            return CacheStatistics(
                evaluations=_by_state(connection, EVALUATION),
                samples=_by_state(connection, SAMPLE),
                jobs=_by_state(connection, JOB),
                evaluation_bytes=int(connection.scalar(evaluation_bytes) or 0),
                sample_bytes=int(connection.scalar(sample_bytes) or 0),
            )

    def find_evaluation(self, key: str) -> EvaluationRecord:
        """One evaluation, whatever its state.

        Raises:
            UnknownError: there is none of that key.
        """
        with self._reading() as connection:
            row = connection.execute(select(EVALUATION).where(EVALUATION.c.key == key)).one_or_none()
            if row is None:
                raise UnknownError(f"the store has no evaluation {key!r}; keys are told by the jobs that made them")
            users = select(JOB_SUBJECT.c.job_id).where(JOB_SUBJECT.c.subject == row.subject)
            jobs = connection.scalars(users.order_by(JOB_SUBJECT.c.job_id)).all()
        return EvaluationRecord(
            key=row.key,
            subject=row.subject,
            stream=row.stream,
            num_sequences=row.num_sequences,
            state=row.state,
            owner=row.owner,
            attempt=row.attempt,
            error=row.error,
            created_at=as_datetime(row.created_at),
            finished_at=as_datetime_or_none(row.finished_at),
            values=EVALUATIONS.result(row) if row.state == "done" else None,
            jobs=tuple(jobs),
        )

    def prune(self, *, older_than_s: float, dry_run: bool) -> Pruned:
        """Remove the evaluations and samples that no kept job asked for and that are older than so long.

        A dry run removes nothing and counts the same. Idempotency keys and failed logins of more than a day go too.
        """
        with self._writing() as connection:
            evaluations = _unused(connection, EVALUATION, older_than_s)
            samples = _unused(connection, SAMPLE, older_than_s)
            if not dry_run:
                _remove(connection, EVALUATION, evaluations)
                _remove(connection, SAMPLE, samples)
                _forget_the_old(connection)
        num_bytes = sum(evaluations.values()) + sum(samples.values())
        return Pruned(evaluations=len(evaluations), samples=len(samples), bytes=num_bytes)

    def backup(self, target: Path) -> None:
        """Copy the store into a new file, whole, while others read and write it.

        Raises:
            InputError: there is a file already, it cannot be written, or the store is no SQLite file.
        """
        if not self.url.startswith("sqlite"):
            raise InputError(
                f"only a SQLite store is copied by Layerpress, got {self.url}; "
                f"run: pg_dump --format=custom --file={target} {self.url.replace('+psycopg', '').replace(':***', '')}"
            )
        if target.exists():
            raise InputError(f"a backup goes into a new file, and {target} exists; name another, or move it away")
        unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            self._copy_to(unfinished)
            os.link(unfinished, target)  # unlike a rename, it never replaces a file that came meanwhile
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"cannot write the backup {target}: {error}; choose another folder") from error
        finally:
            unfinished.unlink(missing_ok=True)

    def _copy_to(self, path: Path) -> None:
        with self._reading() as connection:
            source = connection.connection.driver_connection
            if not isinstance(source, sqlite3.Connection):
                raise JobError(f"the store {self.url} is no SQLite file; back it up with the tools of its database")
            target = sqlite3.connect(path)
            try:
                source.backup(target)
            finally:
                target.close()


def _by_state(connection: Connection, table: Table) -> Mapping[str, int]:
    number = func.count().label("number")
    statement = select(table.c.state, number).group_by(table.c.state).order_by(table.c.state)
    return {row.state: row.number for row in connection.execute(statement)}


def _unused(connection: Connection, table: Table, older_than_s: float) -> dict[str, int]:
    """The bytes of each row that may go, by key; the rows are locked, but for those that somebody is at."""
    statement = select(table.c.key, _num_bytes(table).label("bytes")).where(_may_go(table, older_than_s))
    locked: Select[Any] = statement.order_by(table.c.key).with_for_update(skip_locked=True)
    return {row.key: int(row.bytes or 0) for row in connection.execute(locked)}


def _num_bytes(table: Table) -> ColumnElement[Any]:
    if table is SAMPLE:
        return func.coalesce(func.length(SAMPLE.c.arrays), 0)
    return func.coalesce(func.length(EVALUATION.c.kl), 0) + func.coalesce(func.length(EVALUATION.c.nll), 0)


def _may_go(table: Table, older_than_s: float) -> ColumnElement[bool]:
    columns = table.c
    is_old = func.coalesce(columns.finished_at, columns.lease_until, columns.created_at) < now_s() - older_than_s
    is_held = and_(columns.state == "in_flight", columns.lease_until > now_s())
    is_used = exists().where(JOB_SUBJECT.c.subject == columns.subject)
    return and_(is_old, ~is_held, ~is_used)


def _remove(connection: Connection, table: Table, keys: Mapping[str, int]) -> None:
    for batch in batches(sorted(keys)):
        connection.execute(delete(table).where(table.c.key.in_(batch)))


def _forget_the_old(connection: Connection) -> None:
    before = now_s() - KEPT_KEYS_S
    connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.created_at < before))
    connection.execute(delete(FAILED_LOGIN).where(FAILED_LOGIN.c.window_at < before))
