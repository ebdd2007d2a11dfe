"""An Optuna study of a job: opened by Optuna itself, each configuration one trial, on a database and in a journal."""

from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study

from spaces.errors import InputError, JobError
from store.optuna_study import OptunaStudy, StudyTrial

CHOICES = {"a.q_proj": ["int2", "int4", "keep"], "a.v_proj": ["int2", "keep"]}
METRICS = ("kl", "size_bytes")


@pytest.fixture(params=["database", "journal"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/trials.db" if request.param == "database" else str(tmp_path / "trials.log")


def trial(id_: str, q: str, v: str, loss: float, size: float) -> StudyTrial:
    params = {"a.q_proj": q, "a.v_proj": v}
    return StudyTrial(id=id_, params=params, values=(loss, size), attributes={"name": f"the {id_}"})


def opened(address: str, *, name: str = "demo", metrics: tuple[str, ...] = METRICS) -> OptunaStudy:
    return OptunaStudy.open(address, name, choices=CHOICES, metrics=metrics)


def loaded(address: str) -> Study:
    storage: str | BaseStorage = address if "://" in address else JournalStorage(JournalFileBackend(address))
    return optuna.load_study(study_name="demo", storage=storage)


def test_optuna_opens_what_was_written(address: str) -> None:
    assert opened(address).add([trial("x", "int2", "keep", 0.5, 10.0), trial("y", "keep", "keep", 0.25, 30.0)]) == 2
    study = loaded(address)
    assert [each.params for each in study.trials] == [
        {"a.q_proj": "int2", "a.v_proj": "keep"},
        {"a.q_proj": "keep", "a.v_proj": "keep"},
    ]
    assert [each.values for each in study.trials] == [[0.5, 10.0], [0.25, 30.0]]
    assert study.trials[0].user_attrs == {"configuration_id": "x", "name": "the x"}
    assert len(study.best_trials) == 2


def test_a_configuration_is_one_trial_however_often_it_is_added(address: str) -> None:
    first, second = trial("x", "int2", "keep", 0.5, 10.0), trial("y", "int4", "int2", 0.6, 9.0)
    assert opened(address).add([first, first]) == 1
    assert opened(address).add([first, second]) == 1
    assert opened(address).add([first, second]) == 0
    assert len(loaded(address).trials) == 2


def test_a_broken_candidate_is_infinite_and_one_without_a_number_is_left_out(address: str) -> None:
    assert (
        opened(address).add([trial("x", "int2", "keep", math.inf, 1.0), trial("y", "int2", "int2", math.nan, 1.0)]) == 1
    )
    assert [each.values for each in loaded(address).trials] == [[math.inf, 1.0]]


def test_a_study_of_another_question_is_refused(address: str) -> None:
    opened(address).add([trial("x", "int2", "keep", 0.5, 10.0)])
    with pytest.raises(InputError, match=r"'demo'.*must be of perplexity, size_bytes, got \['kl', 'size_bytes'\]"):
        opened(address, metrics=("perplexity", "size_bytes"))
    with pytest.raises(InputError, match=r"this space's 1 layers and their options, got 2 layers.*another name"):
        OptunaStudy.open(address, "demo", choices={"b": ["int2"]}, metrics=METRICS)
    opened(address, name="other", metrics=("perplexity", "size_bytes"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("sqlite:////no/such/folder/trials.db", r"'sqlite:////no/such/folder/trials\.db': .*unable to open"),
        ("bogus://me:secret@host/trials", r"'bogus://host/trials'.*journal's path"),
        ("/no/such/folder/trials.log", r"'/no/such/folder/trials\.log'.*No such file"),
        ("sqlite://", r"must be a file or a server, got 'sqlite://'"),
    ],
)
def test_an_address_that_cannot_be_opened_is_refused_without_its_password(wrong: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        opened(wrong)
    assert "secret" not in str(caught.value)


def test_a_storage_that_fails_midway_says_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    study = opened(f"sqlite:///{path}")
    path.write_bytes(b"no database at all, and so long that SQLite reads it" * 100)
    with pytest.raises(JobError, match=r"'demo': .*the same command finds everything in the store"):
        study.add([trial("x", "int2", "keep", 0.5, 10.0)])


def test_optunas_log_is_silent(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    opened(address).add([trial("x", "int2", "keep", 0.5, 10.0)])
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
