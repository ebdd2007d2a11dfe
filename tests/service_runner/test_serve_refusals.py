"""What ``layerpress serve`` refuses before it starts anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.commands.serve import (
    Serving,
    address_of,
    check_roots,
    check_token_exists,
    is_loopback,
    listen,
    open_store,
    serve_command,
)
from spaces.errors import InputError
from store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def test_an_address_that_others_reach_needs_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERPRESS_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"--host 0\.0\.0\.0 .*layerpress token create NAME --scope admin --store URL"):
        serve_command(Serving(host="0.0.0.0", port=0, roots=(tmp_path,)))


def test_only_a_valid_token_will_do(store: Store) -> None:
    store.add_token("late", "admin", datetime.now(UTC) - timedelta(seconds=1))
    revoked, _ = store.add_token("gone", "admin")
    store.revoke_token(revoked.id)
    with pytest.raises(InputError, match=r"--host 10\.0\.0\.5"):
        check_token_exists(store, "10.0.0.5")
    store.add_token("here", "read")
    check_token_exists(store, "10.0.0.5")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.5", False),
        ("localhost.example.org", False),
    ],
)
def test_which_addresses_are_this_machines_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected


def test_a_port_in_use_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of("127.0.0.1", taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(InputError, match=rf"port {port} of 127\.0\.0\.1: Address already in use.*--port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("no.such.host.invalid", 0), ("192.0.2.1", 0)])
def test_where_nobody_can_listen(host: str, port: int) -> None:
    with pytest.raises(InputError, match=f"{port}"):
        listen(host, port)


def test_a_root_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert check_roots([tmp_path / "link"]) == (tmp_path.resolve(),)
    with pytest.raises(InputError, match=r"--root must be a folder.*missing"):
        check_roots([tmp_path, tmp_path / "missing"])


def test_a_store_of_another_revision_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    open_store(str(path)).close()  # a new file is made
    open_store(str(path)).close()
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(InputError, match="layerpress db upgrade"):
        open_store(str(empty))


def test_addresses_are_written_as_browsers_take_them() -> None:
    with socket.socket(socket.AF_INET6) as listener:
        try:
            listener.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        port = listener.getsockname()[1]
        assert address_of("::1", listener) == f"http://[::1]:{port}"
        assert address_of("::", listener) == f"http://{socket.gethostname()}:{port}"
