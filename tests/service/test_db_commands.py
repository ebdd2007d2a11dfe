"""``layerpress db``: what the keeper of a store sees and gets."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from service.commands.db import backup_command, check_command, prune_command, upgrade_command
from service.retention import PrunedFiles, prune_files, read_age
from spaces.errors import InputError
from store.records import EvaluationKey, NewJob, Values
from store.store import Store

DAY_S = 86_400.0


def test_upgrade_makes_the_tables_and_says_from_where(
    empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    upgrade_command(empty_database_url)
    upgrade_command(empty_database_url)
    upgrade_command(empty_database_url, as_json=True)
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first.endswith("is at revision 0005, from nothing")
    assert second.endswith("is at revision 0005 already")
    content = json.loads("\n".join(rest))
    assert (content["before"], content["after"]) == ("0005", "0005")


def test_check_finds_nothing_in_a_sound_store(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_command(database_url)
    assert "is sound, at revision 0005" in capsys.readouterr().out


def test_check_finds_tables_that_somebody_changed(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(database_url) as store, store._writing() as connection:
        connection.execute(text("DROP INDEX ix_job_created_at_id"))
    assert not check_command(database_url, as_json=True)
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert "ix_job_created_at_id" in problem


def test_only_upgrade_makes_tables(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no tables, .* run: layerpress db upgrade"):
        check_command(empty_database_url)
    with pytest.raises(InputError, match=r"holds no tables, .* run: layerpress db upgrade"):
        backup_command(empty_database_url, tmp_path / "copy.db")
    with pytest.raises(InputError, match=r"holds no tables, .* run: layerpress db upgrade"):
        prune_command(empty_database_url, None, dry_run=True)


def test_a_backup_says_how_to_open_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Store.open(url) as store:
        job, _ = store.add_job(NewJob(name="x", spec={}))
    backup_command(url, tmp_path / "copy.db")
    assert f"--store sqlite:///{tmp_path / 'copy.db'}" in capsys.readouterr().out
    with Store.open(str(tmp_path / "copy.db"), upgrade=False) as copy:
        assert copy.job(job.id) == job


@pytest.mark.parametrize(
    ("age", "seconds"), [("12h", 43_200.0), ("30d", 30 * DAY_S), ("2w", 14 * DAY_S), (" 1 d", DAY_S)]
)
def test_ages(age: str, seconds: float) -> None:
    assert read_age(age) == seconds


@pytest.mark.parametrize("age", ["", "30", "d", "-1d", "1.5d", "30 days", "1m", "9999999d"])
def test_what_is_no_age(age: str) -> None:
    with pytest.raises(InputError, match=f"must be a number of hours, days or weeks, got '{age}'"):
        read_age(age)


def keep_evaluation(store: Store, key: str) -> None:
    store.claim(EvaluationKey(key=key, subject=key, stream="s", num_sequences=1), owner="one", ttl_s=60.0)
    store.complete(key, "one", 1, Values(kl=np.zeros(1), nll=np.zeros(1), seconds=1.0))


def write(home: Path, name: str, *, age_days: float, num_bytes: int = 100) -> Path:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(num_bytes))
    used_s = time.time() - age_days * DAY_S
    os.utime(path, (used_s, used_s))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with old and new entries of the bank, dense logits, and what is neither."""
    home = tmp_path / "home"
    write(home, "bank/0123/layer.1/rtn-int4-aa.safetensors", age_days=40)
    write(home, "bank/0123/layer.2/rtn-int4-bb.safetensors", age_days=40)
    write(home, "bank/0123/layer.2/rtn-int4-cc.safetensors", age_days=20)
    for age_days, name in ((40, "old"), (40, "read"), (20, "new")):
        for part in ("logits.npy", "metadata.json"):
            write(home, f"dense/{name}/{part}", age_days=age_days)
    for age_days, name in ((40, "old"), (20, "new")):
        for part in ("config.json", "model.safetensors"):
            write(home, f"exports/{name}/tiny-dense/{part}", age_days=age_days)
    os.utime(home / "dense/read/logits.npy", (time.time(), 0.0))  # written long ago, and read just now
    write(home, "models/own/model.safetensors", age_days=400)
    write(home, "store.db", age_days=400)
    return home


def files(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_unused_files_go_and_the_others_stay(home: Path) -> None:
    before = files(home)
    would = prune_files(home, older_than_s=30 * DAY_S, dry_run=True)
    assert files(home) == before
    assert prune_files(home, older_than_s=30 * DAY_S, dry_run=False) == would
    assert would == PrunedFiles(bank_entries=2, dense_logits=1, exports=1, bytes=600)
    assert files(home) == [
        "bank/0123/layer.2/rtn-int4-cc.safetensors",
        "dense/new/logits.npy",
        "dense/new/metadata.json",
        "dense/read/logits.npy",
        "dense/read/metadata.json",
        "exports/new/tiny-dense/config.json",
        "exports/new/tiny-dense/model.safetensors",
        "models/own/model.safetensors",
        "store.db",
    ]
    assert not (home / "bank/0123/layer.1").exists()
    nothing = PrunedFiles(bank_entries=0, dense_logits=0, exports=0, bytes=0)
    assert prune_files(home, older_than_s=30 * DAY_S, dry_run=False) == nothing
    assert prune_files(home / "nowhere", older_than_s=30 * DAY_S, dry_run=False) == nothing


def test_files_must_be_unused_for_a_day(home: Path) -> None:
    with pytest.raises(InputError, match="unused for a day at least, got 12 hours"):
        prune_files(home, older_than_s=DAY_S / 2, dry_run=False)


def test_prune_shows_first_and_does_then(database_url: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(database_url) as store:
        keep_evaluation(store, "a")
        keep_evaluation(store, "b")
        job, _ = store.add_job(NewJob(name="x", spec={}))
        store.add_subjects(job.id, ["b"])
        with store._writing() as connection:
            connection.execute(text("UPDATE evaluation SET finished_at = finished_at - 4000000"))
        prune_command(database_url, home, dry_run=True)
        assert sorted(store.find(["a", "b"])) == ["a", "b"]
        prune_command(database_url, home, dry_run=False)
        assert sorted(store.find(["a", "b"])) == ["b"]
    shown, note, done, _ = capsys.readouterr().out.splitlines()
    counts = (
        "1 evaluations and 0 samples that no kept job asked for (16 B), 2 bank entries, 1 dense logits and 1 exports"
    )
    assert shown.startswith(f"would remove {counts}")
    assert done.startswith(f"removed {counts}")
    assert note == "a dry run: nothing was removed"
    prune_command(database_url, None, older_than="1h", dry_run=False, as_json=True)
    content = json.loads(capsys.readouterr().out)
    assert content["files"] == {"bank_entries": 0, "dense_logits": 0, "exports": 0, "bytes": 0}
    assert content["store"] == {"evaluations": 0, "samples": 0, "bytes": 0}
