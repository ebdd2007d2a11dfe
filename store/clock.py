"""The database's clock, written into statements: the hosts of workers never have to agree on the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Double, Function
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class now_s(Function[float]):
    """Seconds since 1970 in UTC as the statement runs, not as its transaction began."""

    inherit_cache = True

    def __init__(self) -> None:
        super().__init__("now_s", type_=Double())


@compiles(now_s, "sqlite")
def _sqlite_now(element: now_s, compiler: SQLCompiler, **settings: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now_s, "postgresql")
def _postgresql_now(element: now_s, compiler: SQLCompiler, **settings: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


def as_datetime(seconds: float) -> datetime:
    """The moment that a stored number of seconds stands for."""
    return datetime.fromtimestamp(seconds, UTC)


def as_datetime_or_none(seconds: float | None) -> datetime | None:
    """The same where the moment may not have come yet."""
    return None if seconds is None else as_datetime(seconds)
