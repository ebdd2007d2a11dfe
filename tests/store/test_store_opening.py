"""Opening a store: addresses, files that are none, revisions from elsewhere, and trouble once it is open."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from leased_work import measured, named
from made_jobs import added
from sqlalchemy import make_url, text

from spaces.errors import InputError, JobError, UnreachableError
from store.database import has_wal_reset_bug
from store.engine import make_engine, parse_url
from store.records import Leased
from store.store import Store


def test_a_store_keeps_what_it_was_told(empty_database_url: str) -> None:
    with Store.open(empty_database_url) as store:
        store.claim(named("a"), owner="one", ttl_s=60.0)
        store.complete("a", "one", 1, measured(0.5))
    with Store.open(empty_database_url) as store:
        assert store.find(["a"])["a"].kl.tolist() == [0.5]
        assert store.schema_revision() == "0005"


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite+pysqlite:///{}"])
def test_a_file_is_made_with_its_folders(tmp_path: Path, form: str) -> None:
    path = tmp_path / "new" / "folder of mine" / "store.db"
    with Store.open(form.format(path)) as store:
        assert store.url == f"sqlite:///{path}"
    assert path.is_file()


def test_a_percent_sign_is_itself_in_a_path_and_an_escape_in_a_url() -> None:
    assert parse_url("/runs/50%25/a.db").database == "/runs/50%25/a.db"
    assert parse_url("sqlite:////runs/50%25/a.db").database == "/runs/50%/a.db"


def test_a_path_is_that_of_the_folder_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert parse_url("store.db").database == str(tmp_path / "store.db")
    assert parse_url("sqlite:///store.db").database == str(tmp_path / "store.db")
    assert parse_url("~/store.db").database == str(tmp_path / "home" / "store.db")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_means_psycopg_3(scheme: str) -> None:
    url = parse_url(f"{scheme}://me:secret@host:5433/runs?sslmode=require")
    assert url.drivername == "postgresql+psycopg"
    assert (url.host, url.port, url.database, url.query) == ("host", 5433, "runs", {"sslmode": "require"})


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("", "must be a file, .* got ''"),
        ("sqlite://", "must be a file, .* got ''"),
        ("sqlite:///:memory:", "must be a file, .* got ':memory:'"),
        ("~nobody-of-this-name/runs.db", "store '~nobody-of-this-name/runs.db' is in the home of nobody"),
        ("postgresql://me@host:port/runs", "must be a path or a URL, got 'postgresql://me@host:port/runs'"),
        ("mysql://host/runs", "must be SQLite or PostgreSQL, got 'mysql'"),
        ("postgresql+psycopg2://host/runs", "got 'postgresql\\+psycopg2'"),
        ("://", "must be a path or a URL, got '://'"),
    ],
)
def test_an_address_of_no_store_is_refused(address: str, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        Store.open(address)


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=f"cannot make the store's folder {tmp_path / 'file'}"):
        Store.open(str(tmp_path / "file" / "store.db"))
    with pytest.raises(InputError, match=f"cannot open the store sqlite:///{tmp_path}: unable to open"):
        Store.open(str(tmp_path))


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("model: reference-model\n" * 100)
    with pytest.raises(InputError, match=r"job\.yaml: file is not a database"):
        Store.open(str(path))
    assert path.read_text() == "model: reference-model\n" * 100


def test_a_revision_from_elsewhere_is_refused(url: str) -> None:
    Store.open(url).close()
    engine = make_engine(parse_url(url), busy_timeout_s=1.0)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f00d'"))
    engine.dispose()
    with pytest.raises(InputError, match=r"at revision 'f00d', .* up to '0005'; upgrade Layerpress"):
        Store.open(url)


def test_without_an_upgrade_only_the_newest_tables_do(empty_database_url: str) -> None:
    with pytest.raises(InputError, match=r"holds no tables, and this .* needs revision '0005'; run: layerpress db upg"):
        Store.open(empty_database_url, upgrade=False)
    with Store.open(empty_database_url) as store:
        assert store.revision_before is None
    with Store.open(empty_database_url, upgrade=False) as store:
        assert store.revision_before == "0005"
    for wrong, message in (("0002", "is at revision '0002', .* layerpress db upgrade"), ("f00d", "upgrade Layerpress")):
        engine = make_engine(parse_url(empty_database_url), busy_timeout_s=1.0)
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :wrong"), {"wrong": wrong})
        engine.dispose()
        with pytest.raises(InputError, match=message):
            Store.open(empty_database_url, upgrade=False)


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_unreachable_and_a_wrong_name_is_wrong(postgres_server_url: str) -> None:
    nowhere = "postgresql://me:secret@127.0.0.1:1/runs"
    with pytest.raises(UnreachableError, match=r"me:\*\*\*@127.0.0.1:1/runs does not answer: .*refused"):
        Store.open(nowhere)
    with pytest.raises(InputError, match=r'cannot open the store .*database "nonesuch" does not exist'):
        Store.open(make_url(postgres_server_url).set(database="nonesuch").render_as_string(hide_password=False))


def test_a_locked_store_says_so_and_goes_on_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(str(path), busy_timeout_s=0.05) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnreachableError, match=rf"{path} does not answer: database is locked; find the process"):
            store.claim(named("a"), owner="one", ttl_s=60.0)
        assert store.find(["a"]) == {}  # a reader does not wait
        other.close()
        assert store.claim(named("a"), owner="one", ttl_s=60.0) == Leased(attempt=1)


def test_a_full_disk_says_so_and_loses_nothing(tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "store.db")) as store:
        store.claim(named("kept"), owner="one", ttl_s=60.0)
        store.complete("kept", "one", 1, measured(1.0))
        store.claim(named("large", num_sequences=100_000), owner="one", ttl_s=60.0)
        with store._writing() as connection:  # the pool hands this same connection to the next method
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # as many as it has: SQLite's own full disk
        with pytest.raises(JobError, match=r"store\.db failed: database or disk is full; free some space"):
            store.complete("large", "one", 1, measured(1.0, num_sequences=100_000))
        assert list(store.find(["kept", "large"])) == ["kept"]
        with store._writing() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        assert store.complete("large", "one", 1, measured(1.0, num_sequences=100_000))


def test_a_connection_that_the_server_dropped_is_replaced(store: Store) -> None:
    if "postgresql" not in store.url:
        pytest.skip("only a server drops connections")
    job = added(store)
    lost = r"does not answer: terminating connection .* run again"
    with pytest.raises(UnreachableError, match=lost), store._writing() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert store.job(job.id) == job


def test_a_connection_that_died_in_the_pool_is_replaced_unnoticed(store: Store, url: str) -> None:
    if "postgresql" not in url:
        pytest.skip("only a server drops connections")
    job = added(store)
    engine = make_engine(parse_url(url), busy_timeout_s=15.0)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
    with engine.connect() as connection:
        assert connection.execute(text(others + "pg_backend_pid()")).all() != []
    engine.dispose()
    assert store.job(job.id) == job


def test_threads_share_a_store(store: Store) -> None:
    job = added(store)
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda number: store.add_event(job.id, "round", {"n": number}), range(40)))
    assert sorted(numbers) == list(range(2, 42))


def test_check_finds_nothing_wrong_but_the_version_of_sqlite(store: Store) -> None:
    is_affected = "sqlite" in store.url and has_wal_reset_bug(sqlite3.sqlite_version_info)
    expected = [sqlite3.sqlite_version] if is_affected else []
    assert [problem.split()[1] for problem in store.check()] == expected


def test_check_finds_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(str(path)) as store:
        for number in range(200):
            added(store, str(number), spec={"text": "x" * 500})
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)  # behind the tables' descriptions
        file.write(b"\xff" * 4096 * 20)
    with Store.open(str(path)) as store:
        assert any("damaged" in problem or "malformed" in problem for problem in store.check())


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_versions_of_sqlite_with_the_wal_reset_bug(version: tuple[int, ...], expected: bool) -> None:
    assert has_wal_reset_bug(version) is expected


def test_a_password_is_not_shown() -> None:
    assert "secret" not in parse_url("postgresql://me:secret@host/runs").render_as_string()


@pytest.mark.parametrize("password", ["s3cret", "s3:cr@et", "s3/cret"])
def test_nor_is_that_of_an_address_that_cannot_be_read(password: str) -> None:
    with pytest.raises(InputError, match=r"got 'postgresql://ann:\*\*\*@host:port/jobs'") as caught:
        parse_url(f"postgresql://ann:{password}@host:port/jobs")
    assert "cret" not in str(caught.value)
