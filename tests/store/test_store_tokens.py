"""Tokens open what they should while they should, and the store knows their hashes alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from spaces.errors import InputError, UnknownError
from store.store import Store

LATER = timedelta(days=1)


def long_ago(store: Store, table: str, column: str) -> None:
    """Let something have happened an hour earlier than it did."""
    with store._writing() as connection:
        assert connection.execute(text(f"UPDATE {table} SET {column} = {column} - 3600")).rowcount > 0


def test_a_token_is_known_by_its_secret(store: Store) -> None:
    expires_at = datetime.now(UTC) + LATER
    token, secret = store.add_token("ann", "submit", expires_at)
    assert re.fullmatch(rf"lp_{token.id}_[A-Za-z0-9_-]{{43}}", secret)
    assert (token.name, token.scope, token.expires_at) == ("ann", "submit", expires_at)
    assert (token.revoked_at, token.last_used_at) == (None, None)
    assert store.check_token(secret) == token
    other, other_secret = store.add_token("bob", "read")
    assert secret != other_secret
    assert [known.id for known in store.tokens()] == [token.id, other.id]
    assert store.num_tokens() == 2


def test_the_store_does_not_hold_the_secret(store: Store) -> None:
    _, secret = store.add_token("ann", "admin")
    with store._reading() as connection:
        stored = repr(connection.execute(text("SELECT * FROM token")).all())
    assert secret.split("_", 2)[2] not in stored  # the random part may hold "_" itself
    assert "ann" in stored


@pytest.mark.parametrize("change", ["last letter", "id", "shorter", "longer", "empty", "no token at all", "non-ASCII"])
def test_what_is_no_secret_opens_nothing(store: Store, change: str) -> None:
    token, secret = store.add_token("ann", "read")
    wrong = {
        "last letter": secret[:-1] + ("A" if secret[-1] != "A" else "B"),
        "id": secret.replace(token.id, "0" * 12),
        "shorter": secret[:-1],
        "longer": secret + "A",
        "empty": "",
        "no token at all": "Bearer",
        "non-ASCII": secret[:-1] + "ü",
    }[change]
    assert store.check_token(wrong) is None
    assert store.check_token(secret) is not None


def test_a_secret_of_another_token_does_not_open_this_one(store: Store) -> None:
    first, first_secret = store.add_token("ann", "admin")
    second, second_secret = store.add_token("bob", "read")
    assert store.check_token(first_secret.replace(first.id, second.id)) is None
    assert store.check_token(second_secret.replace(second.id, first.id)) is None


def test_an_expired_token_opens_nothing(store: Store) -> None:
    _, secret = store.add_token("ann", "read", datetime.now(UTC) + timedelta(minutes=30))
    assert store.check_token(secret) is not None
    long_ago(store, "token", "expires_at")
    assert store.check_token(secret) is None
    assert (store.num_tokens(), len(store.tokens())) == (0, 1)


def test_a_revoked_token_opens_nothing_and_stays_on_the_list(store: Store) -> None:
    token, secret = store.add_token("ann", "read")
    revoked = store.revoke_token(token.id)
    assert revoked.revoked_at is not None
    assert store.check_token(secret) is None
    assert store.revoke_token(token.id) == revoked
    assert store.tokens() == [revoked]
    assert store.num_tokens() == 0
    with pytest.raises(UnknownError, match="no token 'nope'"):
        store.revoke_token("nope")


def test_an_expiry_without_a_time_zone_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="must name its time zone, got 2030-01-01T00:00:00; add Z"):
        store.add_token("ann", "read", datetime(2030, 1, 1))
    assert store.tokens() == []


def test_use_is_noted_once_a_minute(store: Store) -> None:
    _, secret = store.add_token("ann", "read")
    store.check_token(secret)
    (first,) = store.tokens()
    assert first.last_used_at is not None
    store.check_token(secret)
    assert store.tokens() == [first]
    long_ago(store, "token", "last_used_at")
    store.check_token(secret)
    (again,) = store.tokens()
    assert again.last_used_at is not None
    assert again.last_used_at >= first.last_used_at


def test_failed_logins_are_counted_for_each_address(store: Store) -> None:
    assert [store.note_failed_login("10.0.0.1") for _ in range(3)] == [1, 2, 3]
    assert store.note_failed_login("10.0.0.2") == 1
    assert [store.failed_logins(address) for address in ("10.0.0.1", "10.0.0.2", "::1")] == [3, 1, 0]


def test_failed_logins_are_forgotten_with_their_window(store: Store) -> None:
    store.note_failed_login("10.0.0.1")
    store.note_failed_login("10.0.0.1")
    long_ago(store, "failed_login", "window_at")
    assert store.failed_logins("10.0.0.1") == 0
    assert store.failed_logins("10.0.0.1", window_s=7200.0) == 2
    assert store.note_failed_login("10.0.0.1") == 1
