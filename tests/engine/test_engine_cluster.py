"""Jobs on clusters of several Ray nodes on this machine: nodes come and go, share storage or do not; drivers share."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ray.cluster_utils import Cluster

from search.engine.cluster import SETTINGS, connect, start_head
from search.engine.depot import Depot, Probe
from search.engine.plan import make_plan
from search.engine.run import run_job
from search.engine.supplies import node_cache
from search.report import report
from search.spec import read_spec
from spaces.errors import JobError
from store.store import Store

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300.0


def drive(address: str, job: dict[str, Any], home: Path, *gates: int) -> subprocess.Popen[str]:
    home.mkdir(exist_ok=True)
    script = Path(__file__).with_name("cluster_driver.py")
    return subprocess.Popen(
        [sys.executable, str(script), address, json.dumps(job), str(home), *map(str, gates)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def heard(driver: subprocess.Popen[str]) -> dict[str, Any]:
    """The next thing that it says."""
    assert driver.stdout is not None
    line = driver.stdout.readline()
    assert line, driver.communicate()[1]
    said: dict[str, Any] = json.loads(line)
    return said


def go_on(driver: subprocess.Popen[str]) -> None:
    assert driver.stdin is not None
    driver.stdin.write("\n")
    driver.stdin.flush()


def undisturbed(job: dict[str, Any], home: Path) -> dict[str, Any]:
    plan = make_plan(read_spec(job), home)
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        return report(run_job(plan, store, lambda moment: None))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head that holds no worker, so that all of them are on nodes that come and go."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("running_ray")
def test_nodes_come_and_go_and_share_nothing_and_the_answer_is_the_undisturbed_one(
    job: dict[str, Any], tmp_path: Path, cluster: Cluster
) -> None:
    def add(cache: str | None = None) -> Any:
        alone = {"LAYERPRESS_SHARED_STORAGE": "0", "LAYERPRESS_NODE_CACHE": str(tmp_path / str(cache))}
        return cluster.add_node(num_cpus=1, env_vars={} if cache is None else alone)

    sharing, alone = add(), add("cache")
    driver = drive(cluster.address, {**job, "workers": 2}, tmp_path / "home", 10, 30)
    assert heard(driver) == {"capacity": {"cpus": 2.0, "gpus": 0.0, "nodes": 3}}
    assert heard(driver) == {"gate": 10}
    cluster.remove_node(sharing, allow_graceful=False)
    add("other-cache")
    go_on(driver)
    assert heard(driver) == {"gate": 30}
    cluster.remove_node(alone, allow_graceful=False)  # from now on there is but the node that came last
    go_on(driver)
    found = heard(driver)
    _, errors = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, errors
    assert "Traceback" not in errors
    calm = undisturbed(job, tmp_path / "calm")
    for key in ("answer", "front", "baselines", "verdict"):
        assert found[key] == calm[key]
    assert found["evaluations"]["computed"] == calm["evaluations"]["computed"]
    assert found["workers"] >= 3
    built = {path.name for path in (tmp_path / "home" / "bank").glob("*/*/*.safetensors")}
    assert built == {path.name for path in (tmp_path / "calm" / "bank").glob("*/*/*.safetensors")}
    for cache in ("cache", "other-cache"):
        assert list((tmp_path / cache / "dense").glob("*/metadata.json"))
        assert not list((tmp_path / cache).glob(".draft*"))


@pytest.mark.slow
def test_two_drivers_share_a_cluster_and_a_store_and_it_ends_with_its_parent(
    job: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="lp", dir="/tmp", ignore_cleanup_errors=True) as folder:
        head = start_head(port=port, num_cpus=2, temp_dir=Path(folder))
        try:
            while head.poll() is None and not _listens(port):
                time.sleep(0.02)
            drivers = [drive(f"127.0.0.1:{port}", job, tmp_path / "home") for _ in range(2)]
            found = []
            for driver in drivers:
                assert heard(driver)["capacity"]["cpus"] == 2.0
            for driver in drivers:
                found.append(heard(driver))
                _, errors = driver.communicate(timeout=PATIENCE_S)
                assert driver.returncode == 0, errors
            family = psutil.Process(head.pid).children(recursive=True)
        finally:
            head.kill()
            head.wait()
        _, alive = psutil.wait_procs(family, timeout=20)
        # Ray's two agents try for a while to tell a head that is no more of its death
        assert {process.name() for process in alive} <= {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}
    assert found[0]["answer"] == found[1]["answer"]
    with Store.open(f"sqlite:///{tmp_path / 'home' / 'store.db'}") as store:
        done = store.evaluation_stats().done
    assert sum(each["evaluations"]["computed"] for each in found) == done  # each by one of them


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_an_address_where_nobody_listens_is_refused_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        port = taken.getsockname()[1]
        with pytest.raises(JobError, match=f"no Ray cluster answers at 127.0.0.1:{port}"):
            connect(f"127.0.0.1:{port}")


def test_a_probe_is_seen_where_home_and_model_are_the_jobs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, model = tmp_path / "home", tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    probe = Probe.write(home, model)
    assert probe.is_seen()
    monkeypatch.setenv("LAYERPRESS_SHARED_STORAGE", "0")
    assert not probe.is_seen()
    monkeypatch.delenv("LAYERPRESS_SHARED_STORAGE")
    (model / "config.json").write_text("{} ")  # another model in the same place
    assert not probe.is_seen()
    other = Probe.write(home, model)
    assert other.is_seen()
    other.remove()
    assert not other.is_seen()
    abandoned = home / f".probe.{socket.gethostname()}.{2**22 + 1}.abcd"  # no such process: above the most there can be
    abandoned.touch()
    Probe.write(home, model).remove()
    assert not abandoned.exists()
    assert probe.mark.exists()  # its process lives


def test_a_depot_gives_and_takes_nothing_but_the_jobs_files(tmp_path: Path) -> None:
    home, model, blobs = tmp_path / "home", tmp_path / "snapshot", tmp_path / "blobs"
    for folder in (home, model, blobs):
        folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (home / "link").symlink_to(tmp_path / "secret")
    (blobs / "1234").write_text("weights")
    (model / "model.safetensors").symlink_to(blobs / "1234")  # as in a hub's cache
    depot = Depot([home], model)
    for path in (tmp_path / "secret", home / ".." / "secret", home / "link"):
        with pytest.raises(PermissionError, match=f"{path.name} is neither in"):
            depot.read(path)
        with pytest.raises(PermissionError, match=f"{path.name} is not in"):
            depot.write(path, b"changed")
        assert depot.present([path]) == [False]
    assert (tmp_path / "secret").read_text() == "secret"
    assert depot.stamps(tmp_path) == []
    assert [stamp.name for stamp in depot.stamps(model)] == ["model.safetensors"]
    assert depot.read(model / "model.safetensors") == b"weights"
    with pytest.raises(PermissionError, match="is not in"):
        depot.write(model / "model.safetensors", b"other weights")
    depot.write(home / "bank" / "entry", b"0123456789")
    assert depot.read(home / "bank" / "entry", 2, 3) == b"234"
    assert depot.present([home / "bank" / "entry", home / "bank" / "none"]) == [True, False]


def test_a_depot_writes_into_an_array_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "logits.npy"
    np.save(path, np.zeros((4, 3), dtype=np.float32))
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    Depot([tmp_path], tmp_path).write_array(path, 12, rows.tobytes())
    np.testing.assert_array_equal(np.load(path), [[0, 0, 0], [0, 1, 2], [3, 4, 5], [0, 0, 0]])


def test_the_cache_of_a_node_is_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERPRESS_NODE_CACHE", str(tmp_path / "a" / "b"))
    assert node_cache() == tmp_path / "a" / "b"
    monkeypatch.delenv("LAYERPRESS_NODE_CACHE")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert node_cache() == tmp_path / f"layerpress-node-{os.getuid()}"
    assert node_cache().stat().st_mode & 0o077 == 0
