"""Where a client finds its service and its token, and that neither shows a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.client import Address, address_from
from service.client.address import DEFAULT_URL
from service.command_line.arguments import DEFAULT_PORT
from spaces.errors import InputError

SECRET = "lp_0123456789ab_" + "s" * 43


def test_the_service_of_this_machine_is_the_default() -> None:
    assert address_from({}) == Address(url=DEFAULT_URL)
    assert f"http://127.0.0.1:{DEFAULT_PORT}" == DEFAULT_URL
    assert address_from({}).is_loopback


def test_the_environment_names_service_and_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    named = {"LAYERPRESS_URL": "https://press.example/lab/", "LAYERPRESS_TOKEN_FILE": str(file)}
    assert address_from(named) == Address(url="https://press.example/lab", token=SECRET)
    assert address_from({**named, "LAYERPRESS_TOKEN": "lp_other"}).token == "lp_other"
    assert address_from(named, url="http://other", token="lp_given") == Address(url="http://other", token="lp_given")
    assert not address_from(named).is_loopback


def test_no_message_shows_a_token() -> None:
    assert SECRET not in repr(Address(token=SECRET))
    with pytest.raises(InputError, match="has 63 characters") as refused:
        Address(token=SECRET + " and")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("press.example:8400", "begins with http:// or https:// and a host, got 'press.example:8400'"),
        ("ftp://press.example", "got 'ftp://press.example'"),
        ("http://", "got 'http://'"),
        ("http://press.example:port", "'http://press.example:port' is no address"),
        ("http://ann:hunter2@press.example", "the address of press.example carries a name or password"),
        ("http://press.example/?token=hunter2", "press.example's goes on with a query"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("?", r"\?")) as refused:
        Address(url=url)
    assert "hunter2" not in str(refused.value)


def test_a_token_file_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="cannot read the token in '/nowhere/token'"):
        address_from({"LAYERPRESS_TOKEN_FILE": "/nowhere/token"})
