"""``layerpress serve``: everything that can be refused is refused first, then the supervisor takes over."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from types import FrameType

from rich.console import Console

from service.api.settings import API_PATH, PAGES_PATH, ApiSettings, find_pages
from service.home import home_folder, store_url
from service.runner.logs import log_to_stderr
from service.runner.settings import RunnerSettings
from service.supervisor import HeadSettings, Supervisor
from spaces.errors import InputError
from store.engine import parse_url
from store.store import Store

DEFAULT_PORT = 8400
BACKLOG = 128
ANY_ADDRESS = ("0.0.0.0", "::")
EXIT_KILLED = 137


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What ``layerpress serve`` was asked for; None leaves a limit to the machine."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT  # 0: any that is free
    store: str | None = None
    ray: str | None = None  # a cluster to join; None: one is started here
    roots: tuple[Path, ...] = ()  # none: the current folder
    allow_hub: bool = False
    require_token: bool = False  # also of this machine's users
    max_workers: int | None = None
    max_jobs: int | None = None
    num_cpus: int | None = None
    num_gpus: int | None = None
    base_path: str = ""
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = 2**20


def serve_command(asked: Serving) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        InputError: a root that is no folder, a store that this installation does not know, an address that is open
            to others while no token exists, or a port that is taken.
    """
    home = home_folder()
    url = store_url(asked.store, home)
    roots = check_roots(asked.roots or (Path.cwd(),))
    is_open = not is_loopback(asked.host)
    with open_store(url) as store:
        if is_open:
            check_token_exists(store, asked.host)
        shown_store = store.url
    with listen(asked.host, asked.port) as listener:
        address = address_of(asked.host, listener)
        supervisor = Supervisor(
            api=_api_settings(asked, url, home, roots, is_open=is_open),
            runner=_runner_settings(asked, url, home, roots),
            listener=listener,
            head=HeadSettings(num_cpus=asked.num_cpus, num_gpus=asked.num_gpus) if asked.ray is None else None,
        )
        log_to_stderr()
        _welcome(address, shown_store, roots, needs_token=is_open or asked.require_token)
        supervisor.run(_stop_on_signals())


def check_roots(roots: Sequence[Path]) -> tuple[Path, ...]:
    """The folders that jobs may read, links resolved.

    Raises:
        InputError: one is not there, or no folder.
    """
    for root in roots:
        if not root.is_dir():
            raise InputError(f"--root must be a folder that is there, got {str(root)!r}; make it, or name another")
    return tuple(root.resolve() for root in roots)


def open_store(url: str) -> Store:
    """The store of the service. A new SQLite file is made; any other must have the tables of this installation.

    Raises:
        InputError: it has others; the message names ``layerpress db upgrade``.
    """
    parsed = parse_url(url)
    is_new = parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists()
    return Store.open(url, upgrade=is_new)


def check_token_exists(store: Store, host: str) -> None:
    """Refuse to listen where others can ask as long as none of them could show who they are.

    Raises:
        InputError: no token is valid.
    """
    now = datetime.now(UTC)
    tokens = store.tokens()
    if not any(each.revoked_at is None and (each.expires_at is None or each.expires_at > now) for each in tokens):
        raise InputError(
            f"--host {host} can be reached from other machines, and no token is valid that would keep strangers out; "
            f"make one with `layerpress token create NAME --scope admin --store URL`, or stay on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can ask there."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Raises:
        InputError: no such address here, or somebody else listens there.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"--port must be from 0 to 65535, got {port}; 0 takes any that is free")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise InputError(
            f"cannot listen on port {port} of {host}: {error.strerror or error}; "
            f"stop what uses it, or choose another --port (0: any that is free)"
        ) from error
    return listener


def address_of(host: str, listener: socket.socket) -> str:
    """Where people find the service."""
    port = listener.getsockname()[1]
    name = socket.gethostname() if host in ANY_ADDRESS else host
    return f"http://[{name.strip('[]')}]:{port}" if ":" in name else f"http://{name}:{port}"


def _api_settings(asked: Serving, url: str, home: Path, roots: tuple[Path, ...], *, is_open: bool) -> ApiSettings:
    own = () if not is_open else ("*",) if asked.host in ANY_ADDRESS else (asked.host,)
    return ApiSettings(
        store_url=url,
        home=home,
        roots=roots,
        allow_hub=asked.allow_hub,
        requires_token=asked.require_token or is_open,
        max_body_bytes=asked.max_body_bytes,
        base_path=asked.base_path,
        allowed_hosts=asked.allowed_hosts or own,
    )


def _runner_settings(asked: Serving, url: str, home: Path, roots: tuple[Path, ...]) -> RunnerSettings:
    return RunnerSettings(
        store_url=url,
        home=home,
        roots=roots,
        allow_hub=asked.allow_hub,
        ray=asked.ray,
        max_workers=asked.max_workers,
        max_cpus=asked.num_cpus,
        max_gpus=asked.num_gpus,
        max_jobs=asked.max_jobs,
    )


def _welcome(address: str, store: str, roots: Sequence[Path], *, needs_token: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold green]Layerpress serves at {address}[/] (its API: {address}{API_PATH}/docs)")
    if find_pages() is not None:
        console.print(f"dashboard: [bold]{address}{PAGES_PATH}/[/]")
    console.print(f"store {store}; jobs may read {', '.join(map(str, roots))}", style="dim")
    token = "LAYERPRESS_TOKEN=... " if needs_token else ""
    console.print(f"next: {token}LAYERPRESS_URL={address} layerpress submit JOB.yaml --watch")


def _stop_on_signals() -> Event:
    """Set by Ctrl-C or SIGTERM; a second one ends everything at once, for all processes die with this one."""
    stop = Event()

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(EXIT_KILLED)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    return stop
