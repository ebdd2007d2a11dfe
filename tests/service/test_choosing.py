"""Choosing among what a job has measured, and reading it from a run's folder and from the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.choosing import Wanted, choose
from service.found import found_in_folder, found_in_store
from service.outputs import CONFIGURATIONS_FILE, read_configurations
from spaces.configuration import Configuration
from spaces.errors import InputError, UnknownError
from spaces.option import KEEP, parse_option
from store.records import Artifact, NewJob
from store.store import Store

ROWS = [
    {"configuration_id": "aa00", "size_bytes": 900, "kl_calibration": 0.9, "seq": 1},
    {"configuration_id": "ab11", "size_bytes": 500, "kl_calibration": 2.0, "seq": 2},
    {"configuration_id": "bb22", "size_bytes": 700, "kl_calibration": 0.9, "seq": 3, "seqs": [3, 7]},
    {"configuration_id": "cc33", "size_bytes": 2000, "kl_calibration": None},
]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), "bb22"),
        (Wanted(pick="1"), "aa00"),
        (Wanted(pick="AB"), "ab11"),
        (Wanted(pick="7"), "bb22"),
        (Wanted(max_size_bytes=700), "bb22"),
        (Wanted(max_size_bytes=699), "ab11"),
        (Wanted(max_size_bytes=5000), "bb22"),  # as good as a larger one
        (Wanted(max_kl=1.0), "bb22"),
        (Wanted(max_kl=3.0), "ab11"),
        (Wanted(max_size_bytes=5000, max_kl=0.9), "bb22"),
    ],
)
def test_the_row_asked_for(wanted: Wanted, expected: str) -> None:
    assert choose(ROWS, wanted, ["bb22"])["configuration_id"] == expected


@pytest.mark.parametrize(
    ("wanted", "answers", "error", "message"),
    [
        (Wanted(pick="9"), ["bb22"], UnknownError, r"--pick 9 is none of its candidates; it has 4, say 1 \(aa00\)"),
        (Wanted(pick="a"), ["bb22"], UnknownError, "--pick a is the beginning of several ids"),
        (Wanted(max_size_bytes=400), [], InputError, "nothing measured is within --max-size 400 B: the smallest has"),
        (Wanted(max_kl=0.1), [], InputError, r"within --max-kl 0\.1: .* KL 0\.9 at 900 B"),
        (Wanted(), [], UnknownError, "there is no answer yet"),
        (Wanted(), ["aa00", "bb22"], InputError, r"--pick one, or give --max-size: aa00 \(900 B\); bb22"),
    ],
)
def test_what_is_not_there_is_refused(wanted: Wanted, answers: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        choose(ROWS, wanted, answers)


def test_a_number_and_limits_exclude_each_other() -> None:
    with pytest.raises(InputError, match="--pick 3 names the candidate; leave --max-size and --max-kl out"):
        Wanted(pick="3", max_kl=0.5)


ANSWER = Configuration.of({"a": parse_option("rtn-int4-g32-sym"), "b": KEEP})
OTHER = Configuration.of({"a": KEEP, "b": parse_option("rtn-int2-channel-asym")})
OTHERS = {
    "layers": ["a", "b"],
    "options": ["keep", "rtn-int2-channel-asym"],
    "configurations": {OTHER.id: [0, 1]},
}
REPORT: dict[str, Any] = {
    "spec": {"model": "m", "objective": "kl"},
    "answer": {"configuration_id": ANSWER.id, "size_bytes": 10, "kl_calibration": 0.5, "kl_validation": 0.6},
    "baselines": [{"configuration_id": OTHER.id, "size_bytes": 5, "kl_calibration": 0.7, "kl_validation": 0.8}],
    "front": [
        {"configuration_id": OTHER.id, "size_bytes": 5, "kl_calibration": 0.7, "kl_validation": None},
        {"configuration_id": ANSWER.id, "size_bytes": 10, "kl_calibration": 0.5, "kl_validation": None},
    ],
}


def run_folder(folder: Path) -> Path:
    (folder / "report.json").write_text(json.dumps(REPORT))
    (folder / "configuration.json").write_text(ANSWER.dump())
    return folder


def test_a_run_folder_gives_each_configuration_once_and_its_answer(tmp_path: Path) -> None:
    found = found_in_folder(run_folder(tmp_path))
    assert [row["configuration_id"] for row in found.rows] == [ANSWER.id, OTHER.id]
    assert [row["kl_validation"] for row in found.rows] == [0.6, 0.8]  # of those that were validated
    assert [row["seq"] for row in found.rows] == [2, 1]  # their place on the front
    assert [row["seqs"] for row in found.rows] == [[2], [1]]
    assert found.read(choose(found.rows, Wanted(), found.answers)) == ANSWER
    assert found.picture is None


def test_the_front_of_a_run_can_be_read_where_it_was_written(tmp_path: Path) -> None:
    found = found_in_folder(run_folder(tmp_path))
    smallest = choose(found.rows, Wanted(max_kl=1.0), found.answers)
    with pytest.raises(InputError, match=f"does not hold the options of {OTHER.id}; run its job again"):
        found.read(smallest)
    (tmp_path / CONFIGURATIONS_FILE).write_text(json.dumps(OTHERS))
    assert found.read(smallest) == OTHER
    with pytest.raises(InputError, match=r"configurations\.json does not read"):
        read_configurations("[]")


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no run's folder: cannot read report\.json"):
        found_in_folder(tmp_path)
    (tmp_path / "report.json").write_text("[]")
    with pytest.raises(InputError, match="is no report of a run"):
        found_in_folder(tmp_path)


def test_a_local_run_is_found_by_its_id(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        job, _ = store.add_job(NewJob(name="run", spec=REPORT["spec"], origin="local"))
        content = json.dumps(OTHERS).encode()
        file = Artifact(name=CONFIGURATIONS_FILE, media_type="application/json", content=content)
        store.put_artifacts(job.id, job.attempt, [file])
        with pytest.raises(UnknownError, match="has found nothing yet"):
            found_in_store(store, job.id)
        store.move_job(job.id, job.attempt, "succeeded", message="", report=REPORT)
        found = found_in_store(store, job.id)
        assert found.answers == [ANSWER.id]
        assert found.report["job"] == job.id
        assert found.read(choose(found.rows, Wanted(max_size_bytes=6), found.answers)) == OTHER
        with pytest.raises(InputError, match="name the folder that its run wrote"):
            found.read(found.rows[0])
