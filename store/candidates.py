"""The configurations that jobs measured, and the front of each: kept as they come in, so that reading it is cheap."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, tuple_, update

from spaces.errors import UnknownError
from store.clock import as_datetime, now_s
from store.database import Database, batches
from store.fronts import Point, non_dominated
from store.job_rows import append_event, came_further, find_row, lock_row
from store.records import TASK_PREFIX, WEIGHED, CandidateRecord, NewCandidate, Weighed
from store.tables import CANDIDATE

Order = Literal["seq", "size_bytes", "loss"]
Cursor = tuple[float, int]  # the value that the rows are in order of, and the seq, of the last row seen

STORED_LEVEL = np.dtype("<u2")

AnyMapping = Mapping[Any, Any]

_columns = CANDIDATE.c


class Candidates(Database):
    """The candidates of a store."""

    def add_candidates(
        self, job_id: str, attempt: int, found: Sequence[NewCandidate], weighed: Collection[Weighed] = ()
    ) -> list[CandidateRecord]:
        """Keep what a job measured; those that are new, numbered as they came.

        A configuration of the same kind that the job has already is left out: a job that begins anew sends all of
        them again. One event, ``candidates``, tells the new numbers, and which entered and left the front. A front
        weighs loss and size, and what is ``weighed`` beside them: the same for all candidates of a job.

        Raises:
            UnknownError: there is no such job.
            LeaseLostError: a later attempt has it.
        """
        with self._writing() as connection:
            lock_row(connection, job_id, attempt)
            new = _unknown_of(connection, job_id, found)
            if not new:
                return []
            first = _last_seq(connection, job_id) + 1
            numbered = list(enumerate(new, start=first))
            before = [_point(row, row.seq, row.loss, weighed) for row in connection.execute(_front_points(job_id))]
            losses = [(seq, each, _finite(each.loss)) for seq, each in numbered]
            fresh = [_point(each, seq, loss, weighed) for seq, each, loss in losses if loss is not None]
            front, was_on = {point.seq for point in non_dominated([*before, *fresh])}, {point.seq for point in before}
            created_at = connection.scalar(select(now_s()))
            shared = {"job_id": job_id, "created_at": created_at}
            rows = [_row(seq, candidate, is_on_front=seq in front, **shared) for seq, candidate in numbered]
            connection.execute(insert(CANDIDATE), rows)
            left = sorted(was_on - front)
            for seqs in batches(left):
                leaves = update(CANDIDATE).where(_columns.job_id == job_id, _columns.seq.in_(seqs))
                connection.execute(leaves.values(is_on_front=False))
            payload = {"seqs": [seq for seq, _ in numbered], "entered": sorted(front - was_on), "left": left}
            append_event(connection, job_id, "candidates", payload)
            came_further(connection, job_id)
        return [_record(row) for row in rows]

    def candidates(
        self,
        job_id: str,
        *,
        after_seq: int = 0,
        limit: int = 200,
        front: bool = False,
        order: Order = "seq",
        cursor: Cursor | None = None,
        max_size_bytes: int | None = None,
        max_loss: float | None = None,
    ) -> list[CandidateRecord]:
        """A page of a job's candidates, ascending; those that failed come last where the loss decides.

        The next page begins after ``cursor``: the value that the order is of (infinity for a failed one's loss) and
        the seq of the last row seen; in the order of seq, ``after_seq`` does as well.

        Raises:
            UnknownError: there is no such job.
        """
        conditions = [_columns.job_id == job_id, *_limits(max_size_bytes, max_loss, order)]
        if front:
            conditions.append(_columns.is_on_front.is_(True))
        if after_seq:
            conditions.append(_columns.seq > after_seq)
        with self._reading() as connection:
            rows: list[AnyMapping] = []
            for page in _pages(order, cursor):
                if len(rows) < limit:
                    statement = page.where(*conditions).limit(limit - len(rows))
                    rows += connection.execute(statement).mappings()
            if not rows:
                find_row(connection, job_id)
        return [_record(row) for row in rows]

    def candidate(self, job_id: str, seq: int) -> CandidateRecord:
        """One of a job's candidates.

        Raises:
            UnknownError: there is no such job, or it has no candidate of that number.
        """
        with self._reading() as connection:
            statement = select(CANDIDATE).where(_columns.job_id == job_id, _columns.seq == seq)
            row = connection.execute(statement).mappings().one_or_none()
            if row is None:
                find_row(connection, job_id)
                raise UnknownError(
                    f"job {job_id} has no candidate {seq}; it has those up to {_last_seq(connection, job_id)}"
                )
        return _record(row)

    def front(self, job_id: str) -> list[CandidateRecord]:
        """The candidates that no other one beats, the smallest first.

        Raises:
            UnknownError: there is no such job.
        """
        with self._reading() as connection:
            rows = connection.execute(_on_front(job_id).order_by(_columns.size_bytes, _columns.seq)).mappings().all()
            if not rows:
                find_row(connection, job_id)
        return [_record(row) for row in rows]

    def num_candidates(self, job_id: str) -> int:
        """How many candidates a job has."""
        with self._reading() as connection:
            return _last_seq(connection, job_id)

    def best_candidate(
        self, job_id: str, *, max_size_bytes: int | None = None, max_loss: float | None = None
    ) -> CandidateRecord | None:
        """The one to take within limits: the smallest where only the loss is limited, else that of the least loss.

        None where no candidate keeps them. Whatever is best within limits is on the front.

        Raises:
            UnknownError: there is no such job.
        """
        is_smallest = max_loss is not None and max_size_bytes is None
        first, second = (_columns.size_bytes, _columns.loss) if is_smallest else (_columns.loss, _columns.size_bytes)
        statement = _on_front(job_id).where(*_limits(max_size_bytes, max_loss)).order_by(first, second, _columns.seq)
        with self._reading() as connection:
            row = connection.execute(statement.limit(1)).mappings().one_or_none()
            if row is None:
                find_row(connection, job_id)
        return None if row is None else _record(row)


def _unknown_of(connection: Connection, job_id: str, found: Sequence[NewCandidate]) -> list[NewCandidate]:
    """Those that the job does not have yet, each once, in the order they came in."""
    wanted = {(candidate.configuration_id, candidate.kind): candidate for candidate in reversed(found)}
    identity = (_columns.configuration_id, _columns.kind)
    for ids in batches(sorted({configuration_id for configuration_id, _ in wanted})):
        known = select(*identity).where(_columns.job_id == job_id, _columns.configuration_id.in_(ids))
        for configuration_id, kind in connection.execute(known):
            wanted.pop((configuration_id, kind), None)
    return list(reversed(wanted.values()))


def _point(candidate: NewCandidate | Row[Any], seq: int, loss: float, weighed: Collection[Weighed]) -> Point:
    """What is not known of it counts as infinite: then it beats nothing there."""
    errors = {f"{TASK_PREFIX}{task}": error for task, error in (candidate.task_errors or {}).items()}
    others = [getattr(candidate, name) if name in WEIGHED else errors.get(name) for name in weighed]
    known = tuple(math.inf if value is None else value for value in others)
    return Point(size_bytes=candidate.size_bytes, loss=loss, others=known, seq=seq)


def _on_front(job_id: str) -> Select[Any]:
    return select(CANDIDATE).where(_columns.job_id == job_id, _columns.is_on_front.is_(True))


def _front_points(job_id: str) -> Select[Any]:
    names = ("seq", "size_bytes", "loss", *WEIGHED, "task_errors")
    return _on_front(job_id).with_only_columns(*(_columns[name] for name in names))


def _last_seq(connection: Connection, job_id: str) -> int:
    """The number of the newest candidate, which is how many there are: none is ever removed."""
    return connection.scalar(select(func.max(_columns.seq)).where(_columns.job_id == job_id)) or 0


def _limits(max_size_bytes: int | None, max_loss: float | None, order: Order = "seq") -> list[ColumnElement[bool]]:
    """What keeps the limits, in terms that leave the database the index of the order alone to go by.

    It would rather find all within a limit and sort them, which for a page of a hundred thousand is ten times slower.
    """
    limits: list[ColumnElement[bool]] = []
    if max_size_bytes is not None:
        limits.append((_columns.size_bytes if order == "size_bytes" else _columns.size_bytes + 0) <= max_size_bytes)
    if max_loss is not None:
        limits.append((_columns.loss if order == "loss" else _columns.loss + 0.0) <= max_loss)
    return limits


def _pages(order: Order, cursor: Cursor | None) -> list[Select[Any]]:
    """The statements that give, one after the other, what comes after the cursor."""
    value, seq = cursor or (-math.inf, 0)
    rows = select(CANDIDATE)
    if order == "seq":
        return [rows.where(_columns.seq > seq).order_by(_columns.seq)]
    column = _columns[order]
    is_after = tuple_(column, _columns.seq) > tuple_(_bound(order, value), seq)
    measured = rows.where(column.is_not(None)).order_by(column, _columns.seq)
    if cursor is not None and math.isfinite(value):
        measured = measured.where(is_after)
    if order == "size_bytes":
        return [measured]
    has_passed = cursor is not None and value == math.inf
    broken = rows.where(column.is_(None), _columns.seq > (seq if has_passed else 0)).order_by(_columns.seq)
    return [broken] if has_passed else [measured, broken]


def _bound(order: Order, value: float) -> float:
    return int(value) if order == "size_bytes" and math.isfinite(value) else value


def _row(seq: int, candidate: NewCandidate, **others: object) -> dict[str, Any]:
    return {
        **others,
        "seq": seq,
        "configuration_id": candidate.configuration_id,
        "kind": candidate.kind,
        "levels": np.asarray(candidate.levels, dtype=STORED_LEVEL).tobytes(),
        "label": candidate.label,
        "size_bytes": candidate.size_bytes,
        "bits_per_weight": candidate.bits_per_weight,
        "nominal_bits_per_weight": candidate.nominal_bits_per_weight,
        "loss": _finite(candidate.loss),
        "loss_se": _finite(candidate.loss_se),
        "source": candidate.source,
        "flops": candidate.flops,
        "parameters": candidate.parameters,
        "task_errors": dict(candidate.task_errors) or None,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _record(row: AnyMapping) -> CandidateRecord:
    return CandidateRecord(
        job_id=row["job_id"],
        seq=row["seq"],
        configuration_id=row["configuration_id"],
        levels=tuple(np.frombuffer(row["levels"], dtype=STORED_LEVEL).tolist()),
        label=row["label"],
        kind=row["kind"],
        size_bytes=row["size_bytes"],
        bits_per_weight=row["bits_per_weight"],
        nominal_bits_per_weight=row["nominal_bits_per_weight"],
        loss=row["loss"],
        loss_se=row["loss_se"],
        source=row["source"],
        flops=row["flops"],
        parameters=row["parameters"],
        task_errors=row["task_errors"] or {},
        state="failed" if row["loss"] is None else "done",
        is_on_front=row["is_on_front"],
        created_at=as_datetime(row["created_at"]),
    )
