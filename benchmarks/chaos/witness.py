"""What must hold whatever is killed: a finished piece of work stays as it is, and is finished once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field

from benchmarks.chaos.stores import Row, Storage

CONTENT = {"evaluation": ("kl", "nll"), "sample": ("checksum",)}  # table: what was found
FINAL = "('succeeded', 'failed', 'cancelled')"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A piece of work that is done: who did it, when, at which attempt, and what came out."""

    attempt: int
    finished_at: float
    owner: str
    content: str


@dataclass(kw_only=True)
class Witness:
    """Remembers all that was ever seen finished, and tells what is not so any more."""

    storage: Storage
    seen: dict[tuple[str, str], Finished] = field(default_factory=dict)  # by table and key
    troubles: list[str] = field(default_factory=list)
    num_wrong: int = 0  # pieces of work among them

    def look(self) -> None:
        """Compare with what was seen before."""
        now = {(table, str(row[0])): _finished(row) for table in CONTENT for row in self._done(table)}
        for work, before in self.seen.items():
            if now.get(work) != before:
                self.troubles.append(f"{work[0]} {work[1]} was finished as {before}, and now it is {now.get(work)}")
                self.num_wrong += 1
        self.seen |= now

    def num_finished(self) -> int:
        """Pieces of work and jobs: what grows when anything is got done."""
        counts = [f"(SELECT count(*) FROM {table} WHERE state = 'done')" for table in CONTENT]
        counts.append(f"(SELECT count(*) FROM job WHERE state IN {FINAL})")
        return sum(self.storage.rows(f"SELECT {', '.join(counts)}")[0])

    def num_unfinished_jobs(self) -> int:
        return int(self.storage.rows(f"SELECT count(*) FROM job WHERE state NOT IN {FINAL}")[0][0])

    def state(self, job_id: str) -> str:
        return str(self.storage.rows(f"SELECT state FROM job WHERE id = '{job_id}'")[0][0])

    def num_starts(self, job_id: str) -> int:
        """Of a job, since it last came further."""
        return int(self.storage.rows(f"SELECT starts FROM job WHERE id = '{job_id}'")[0][0])

    def in_flight(self, pid: int) -> set[tuple[str, str]]:
        """What a process of this machine has leased."""
        like = f"state = 'in_flight' AND owner LIKE '%:{pid}:%'"
        return {
            (table, str(key))
            for table in CONTENT
            for (key,) in self.storage.rows(f"SELECT key FROM {table} WHERE {like}")
        }

    def workers(self, job_id: str) -> Collection[int]:
        """The process ids of the workers that a job has at work, as it last said."""
        said = self.storage.rows(f"SELECT pid FROM worker WHERE job_id = '{job_id}' AND state = 'busy' ORDER BY pid")
        return [int(pid) for (pid,) in said]

    def num_begun(self, table: str) -> int:
        """How often a piece of work was begun, however that ended."""
        return int(self.storage.rows(f"SELECT coalesce(sum(attempt), 0) FROM {table}")[0][0])

    def num_in_state(self, table: str, state: str) -> int:
        return int(self.storage.rows(f"SELECT count(*) FROM {table} WHERE state = '{state}'")[0][0])

    def _done(self, table: str) -> list[Row]:
        columns = ", ".join(CONTENT[table])
        return self.storage.rows(
            f"SELECT key, attempt, finished_at, owner, {columns} FROM {table} WHERE state = 'done'"
        )


def _finished(row: Row) -> Finished:
    _, attempt, finished_at, owner, *content = row
    said = hashlib.sha256(b"|".join(each.encode() if isinstance(each, str) else bytes(each) for each in content))
    return Finished(attempt=attempt, finished_at=finished_at, owner=owner, content=said.hexdigest())
