"""Which failures of a database are outages: it does not answer now, and the same may go well in a while."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

CONNECTION_EXCEPTION = "08"  # the class of SQLSTATE
GOING_AWAY = frozenset(
    {
        "53300",  # too_many_connections
        "55P03",  # lock_not_available
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P05",  # idle_session_timeout
        "25P03",  # idle_in_transaction_session_timeout
    }
)
REFUSALS = ("authentication failed", "does not exist", "no password supplied", "pg_hba.conf", "not permitted")
LOCKED = "locked"  # SQLite: another process writes


def is_outage(error: DBAPIError) -> bool:
    """Whether it is worth trying again. A wrong password or a full disk is none; a file that is locked is one."""
    if error.connection_invalidated:
        return True
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in GOING_AWAY or state.startswith(CONNECTION_EXCEPTION)
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    reason = str(error.orig)
    if type(error.orig).__module__.startswith("sqlite3"):
        return LOCKED in reason
    return not any(refusal in reason for refusal in REFUSALS)  # psycopg: a server that cannot be connected to
