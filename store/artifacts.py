"""The files of jobs, in the database: whichever process is asked for one has it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from spaces.errors import UnknownError
from store.clock import as_datetime, now_s
from store.database import Database
from store.job_rows import find_row, lock_row
from store.records import Artifact, ArtifactInfo
from store.tables import ARTIFACT

_columns = ARTIFACT.c


class Artifacts(Database):
    """The artifacts of a store."""

    def put_artifacts(self, job_id: str, attempt: int, artifacts: Sequence[Artifact]) -> None:
        """Keep files of a job, each in the place of an earlier one of its name.

        Raises:
            UnknownError: there is no such job.
            LeaseLostError: a later attempt has it.
        """
        rows = {artifact.name: _row(job_id, artifact) for artifact in artifacts}
        with self._writing() as connection:
            lock_row(connection, job_id, attempt)
            connection.execute(delete(ARTIFACT).where(_columns.job_id == job_id, _columns.name.in_(sorted(rows))))
            for row in rows.values():  # one by one: a statement of all their bytes could be too long
                connection.execute(insert(ARTIFACT).values(row))

    def artifacts(self, job_id: str) -> list[ArtifactInfo]:
        """What files a job has, by name.

        Raises:
            UnknownError: there is no such job.
        """
        described = (_columns.name, _columns.media_type, _columns.size_bytes, _columns.sha256, _columns.created_at)
        statement = select(*described).where(_columns.job_id == job_id).order_by(_columns.name)
        with self._reading() as connection:
            rows = connection.execute(statement).all()
            if not rows:
                find_row(connection, job_id)
        return [
            ArtifactInfo(
                name=row.name,
                media_type=row.media_type,
                size_bytes=row.size_bytes,
                sha256=row.sha256,
                created_at=as_datetime(row.created_at),
            )
            for row in rows
        ]

    def artifact(self, job_id: str, name: str) -> Artifact:
        """One file of a job.

        Raises:
            UnknownError: there is no such job, or it has no file of that name.
        """
        statement = select(ARTIFACT).where(_columns.job_id == job_id, _columns.name == name)
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None:
                find_row(connection, job_id)
                raise UnknownError(f"job {job_id} has no artifact {name!r}; list its artifacts to see their names")
        return Artifact(name=row.name, media_type=row.media_type, content=row.content)


def _row(job_id: str, artifact: Artifact) -> dict[str, object]:
    return {
        "job_id": job_id,
        "name": artifact.name,
        "media_type": artifact.media_type,
        "content": artifact.content,
        "size_bytes": len(artifact.content),
        "sha256": hashlib.sha256(artifact.content).hexdigest(),
        "created_at": now_s(),
    }
