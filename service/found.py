"""What a job has found, wherever it is kept: a run's folder, or the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.choosing import Row, is_number
from service.outputs import CONFIGURATIONS_FILE, read_configurations
from service.spaces_view import SPACE_FILE, configuration_text
from spaces.configuration import Configuration
from spaces.errors import InputError, UnknownError
from store.records import CandidateRecord, JobRecord
from store.store import Store

REPORT_FILE, ANSWER_FILE, FRONT_PICTURE = "report.json", "configuration.json", "front.png"
BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Found:
    """The candidates of one job and what is known of it."""

    place: str  # for messages
    spec: Mapping[str, Any]
    report: Mapping[str, Any]  # empty of a job that has not ended
    rows: tuple[Row, ...]  # each configuration once
    read: Callable[[Row], Configuration]
    picture: bytes | None  # of the front

    @property
    def answers(self) -> list[str]:
        """The ids of its answer, or of its answers at several budgets."""
        return [row["configuration_id"] for row in _answers(self.report)]


def found_in_folder(folder: Path) -> Found:
    """What ``layerpress run`` left.

    Raises:
        InputError: there is no report.
    """
    path = folder / REPORT_FILE
    try:
        report = json.loads(path.read_text("utf-8"))
        spec = dict(report["spec"])
    except OSError as error:
        raise InputError(f"{str(folder)!r} is no run's folder: cannot read {REPORT_FILE} ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no report of a run; `layerpress run` writes one") from error
    rows = [{"seq": number, **row} for number, row in enumerate(report.get("front", []), start=1)]
    picture = folder / FRONT_PICTURE
    return Found(
        place=str(folder),
        spec=spec,
        report=report,
        rows=_each_once([*_answers(report), *report.get("baselines", []), *rows]),
        read=lambda row: _read_in_folder(folder, report, row),
        picture=picture.read_bytes() if picture.is_file() else None,
    )


def _read_in_folder(folder: Path, report: Mapping[str, Any], row: Row) -> Configuration:
    files = [folder / str(each.get("file", "")) for each in report.get("answers", [])] + [folder / ANSWER_FILE]
    wanted = str(row["configuration_id"])
    for file in files:
        if file.is_file() and (own := Configuration.parse(file.read_text("utf-8"))).id == wanted:
            return own
    others = folder / CONFIGURATIONS_FILE
    known = read_configurations(others.read_text("utf-8")) if others.is_file() else {}
    if wanted not in known:
        raise InputError(
            f"{str(folder)!r} does not hold the options of {wanted}; run its job again with the same --out: "
            f"everything is in the store, and the front's configurations are written as well"
        )
    return known[wanted]


def found_in_store(store: Store, job_id: str, pick: str | None = None) -> Found:
    """A job of the store, ended or not: its front, its report, and the candidate that ``pick`` may mean.

    Raises:
        UnknownError: there is no such job, or it has found nothing.
    """
    job = store.job(job_id)
    report: Mapping[str, Any] = job.report or {}
    is_kl = job.spec.get("objective", "kl") == "kl"
    numbered = [_row(each, is_kl) for each in [*store.front(job_id), *_picked(store, job_id, pick)]]
    rows = _each_once([*_answers(report), *report.get("baselines", []), *report.get("front", []), *numbered])
    if not rows:
        raise UnknownError(f"job {job_id} has found nothing yet; `layerpress watch {job_id}` shows how it goes")
    files = {each.name for each in store.artifacts(job_id)}
    return Found(
        place=f"job {job_id}",
        spec=job.spec,
        report={"job": job_id, **report},
        rows=rows,
        read=lambda row: _read_in_store(store, job, row),
        picture=store.artifact(job_id, FRONT_PICTURE).content if FRONT_PICTURE in files else None,
    )


def _read_in_store(store: Store, job: JobRecord, row: Row) -> Configuration:
    wanted, files = str(row["configuration_id"]), {each.name for each in store.artifacts(job.id)}
    if SPACE_FILE in files and row.get("seq") is not None:
        document = json.loads(store.artifact(job.id, SPACE_FILE).content)
        return Configuration.parse(configuration_text(document, store.candidate(job.id, row["seq"]).levels))
    known: Mapping[str, Configuration] = {}
    if CONFIGURATIONS_FILE in files:
        known = read_configurations(store.artifact(job.id, CONFIGURATIONS_FILE).content.decode())
    if wanted not in known:
        raise InputError(f"job {job.id} does not hold the options of {wanted}; name the folder that its run wrote")
    return known[wanted]


def _picked(store: Store, job_id: str, pick: str | None) -> Iterator[CandidateRecord]:
    """Candidates, of the front or not, that a number or the beginning of an id may mean."""
    if pick is None:
        return
    if is_number(pick):
        yield store.candidate(job_id, int(pick))
        return
    after = 0
    while page := store.candidates(job_id, after_seq=after, limit=BATCH):
        yield from (each for each in page if each.configuration_id.startswith(pick.lower()))
        after = page[-1].seq


def _row(candidate: CandidateRecord, is_kl: bool) -> Row:
    row = {
        "seq": candidate.seq,
        "name": candidate.label,
        "configuration_id": candidate.configuration_id,
        "size_bytes": candidate.size_bytes,
        "bits_per_weight": candidate.bits_per_weight,
        "nominal_bits_per_weight": candidate.nominal_bits_per_weight,
        "parameters": candidate.parameters,
        "flops": candidate.flops,
        **({"task_errors": dict(candidate.task_errors)} if candidate.task_errors else {}),
    }
    return row | ({"kl_calibration": candidate.loss, "kl_calibration_se": candidate.loss_se} if is_kl else {})


def _answers(report: Mapping[str, Any]) -> Sequence[Row]:
    several = [each["answer"] for each in report.get("answers", [])]
    return several or ([report["answer"]] if report.get("answer") else [])


def _each_once(rows: Iterable[Row]) -> tuple[Row, ...]:
    """One row for each configuration, with what every row says of it; the first, of the answer, knows most.

    All of its numbers are kept: the answer has one of its own beside that of the candidate it was.
    """
    merged: dict[str, dict[str, Any]] = {}
    for row in rows:
        own = merged.setdefault(row["configuration_id"], {"seqs": []})
        own.update({key: value for key, value in row.items() if own.get(key) is None})
        own["seqs"] += [row["seq"]] if row.get("seq") is not None else []
    return tuple(merged.values())
