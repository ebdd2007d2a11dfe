"""The Ray cluster that jobs run on: started here, joined at an address, and what it has."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from spaces.errors import JobError

logger = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 256 << 20  # results are small: a candidate's per-sequence losses
CONNECT_S = 10.0
ADDRESS_VARIABLE = "RAY_ADDRESS"
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # 15 by default: the work itself would yield to all else
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray 2.60 asks for in a warning
}
DRIVER_SETTINGS = {
    "RAY_gcs_rpc_server_reconnect_timeout_s": "20",  # 60 by default: then Ray ends a process whose cluster is gone
}
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SET_PARENT_DEATH_SIGNAL = getattr(ctypes.CDLL(None), "prctl", None)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One machine of the cluster, or one Ray on it."""

    id: str  # Ray's
    host: str
    address: tuple[str, int]  # of its raylet
    cpus: float
    gpus: float


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What the cluster has in all, whoever uses it."""

    cpus: float
    gpus: float
    nodes: int


def start_head(
    *,
    port: int,
    num_cpus: int | None = None,
    num_gpus: int | None = None,
    temp_dir: Path | None = None,
    host: str = "127.0.0.1",
) -> subprocess.Popen[bytes]:
    """Start the head of a cluster at ``host:port``; it ends, with all that it started, when this thread does.

    None counts what the machine has. Other machines join with ``ray start --address=HOST:PORT``, which needs a host
    that they can reach. Ray listens on the machine's own address even where the host is 127.0.0.1: who may come in is
    settled by ``RAY_AUTH_MODE=token`` and ``RAY_AUTH_TOKEN`` in the environment. A ``temp_dir`` must be short: Ray
    makes sockets in it, whose paths hold 107 bytes.
    """
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    command += [f"--port={port}", f"--node-ip-address={host}", "--include-dashboard=false", "--disable-usage-stats"]
    command += [f"--object-store-memory={OBJECT_STORE_BYTES}"]
    command += [] if num_cpus is None else [f"--num-cpus={num_cpus}"]
    command += [] if num_gpus is None else [f"--num-gpus={num_gpus}"]
    command += [] if temp_dir is None else [f"--temp-dir={temp_dir}"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, env={**os.environ, **SETTINGS}, stdin=quiet, stdout=quiet, stderr=quiet, preexec_fn=_die_with_parent
    )


def connect(address: str, *, namespace: str | None = None) -> None:
    """Make this process a driver of the cluster at ``address``; a namespace of its own unless one is named.

    Raises:
        JobError: nobody answers there.
    """
    _check_listening(address)
    _init(address=address, namespace=namespace)


def start_ray(num_cpus: float, address: str | None = None) -> bool:
    """Join the cluster at ``address`` (or ``$RAY_ADDRESS``), or start Ray on this machine; False if it runs already.

    Raises:
        JobError: it did not start, or nobody answers.
    """
    import ray

    if ray.is_initialized():
        return False
    address = address or os.environ.get(ADDRESS_VARIABLE) or "local"
    if address != "local":
        connect(address)
        return True
    cpus = max(ceil(num_cpus), os.cpu_count() or 1)
    _init(address=address, num_cpus=cpus, include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES)
    return True


def disconnect() -> None:
    """Leave the cluster; end it where it was started by this process."""
    import ray

    ray.shutdown()


def nodes() -> list[Node]:
    """Those that are alive, of the cluster that this process has joined.

    Raises:
        JobError: the cluster does not answer.
    """
    import ray

    try:
        rows: Sequence[Mapping[str, object]] = ray.nodes()  # type: ignore[no-untyped-call]
    except (ray.exceptions.RayError, ConnectionError, RuntimeError) as error:
        raise JobError(f"the Ray cluster does not answer: {error}; what was finished is kept") from error
    return [_node(row) for row in rows if row["Alive"]]


def is_lost(node_id: str) -> bool:
    """Whether a node is gone, be it so lately that the cluster has not noticed; raises as ``nodes``."""
    found = next((node for node in nodes() if node.id == node_id), None)
    return found is None or not _listens(found.address)


def capacity() -> Capacity:
    """Of the cluster that this process has joined; raises as ``nodes``."""
    alive = nodes()
    return Capacity(cpus=sum(node.cpus for node in alive), gpus=sum(node.gpus for node in alive), nodes=len(alive))


def check_placeable(cpus: float, gpus: float) -> None:
    """Refuse workers that no node can ever hold.

    Raises:
        JobError: names what the cluster has.
    """
    alive = nodes()
    if any(node.cpus >= cpus and node.gpus >= gpus for node in alive):
        return
    have = "; ".join(f"{node.host} {node.cpus:g} CPUs, {node.gpus:g} GPUs" for node in alive)
    raise JobError(
        f"a worker needs {cpus:g} CPUs and {gpus:g} GPUs on one node, and the cluster has {have}; "
        f"ask for less under resources, or add such a node"
    )


def _node(row: Mapping[str, object]) -> Node:
    has = row["Resources"]
    held = has if isinstance(has, Mapping) else {}
    return Node(
        id=str(row["NodeID"]),
        host=str(row["NodeManagerHostname"]),
        address=(str(row["NodeManagerAddress"]), int(str(row["NodeManagerPort"]))),
        cpus=float(held.get("CPU", 0)),
        gpus=float(held.get("GPU", 0)),
    )


def _init(**settings: Any) -> None:
    for name, value in {**SETTINGS, **DRIVER_SETTINGS}.items():
        os.environ.setdefault(name, value)  # before Ray is imported, which reads some of them once
    import ray

    _keep_quiet()
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **settings)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        if settings["address"] == "local":
            raise JobError(f"Ray did not start: {error}; see `layerpress doctor`") from error
        raise JobError(
            f"the Ray cluster cannot be joined: {error}; check the address and, where the cluster asks for a token, "
            f"RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        ) from error


def _check_listening(address: str) -> None:
    """Ray itself would try for minutes. Addresses of other forms, such as "auto", are left to it."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or "/" in host:
        return
    if not _listens((host.strip("[]"), int(port))):
        raise JobError(f"no Ray cluster answers at {address}; check the address, and that it runs")


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, CONNECT_S).close()
    except OSError:
        return False
    return True


def _keep_quiet() -> None:
    """Ray prints about every dead worker to standard output, where results belong; callers get it as errors as well."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda data, ignore_prefix: logger.debug("Ray: %s", data)


def _die_with_parent() -> None:
    """In the child, before it becomes another program."""
    if _SET_PARENT_DEATH_SIGNAL is not None:
        _SET_PARENT_DEATH_SIGNAL(_PR_SET_PDEATHSIG, signal.SIGKILL)
