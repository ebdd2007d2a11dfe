"""Alembic's entry: runs revisions on the connection it is given, or on the one that ``-x url=...`` names."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from store.engine import make_engine, parse_url
from store.tables import METADATA


def run(connection: Connection) -> None:
    """Run what the command asked for, in the connection's own transaction if it has begun one."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = make_engine(parse_url(context.get_x_argument(as_dictionary=True)["url"]), busy_timeout_s=15.0)
    with engine.begin() as opened:
        run(opened)
    engine.dispose()
