"""Brings a database to the newest revision of the tables, once, whoever opens it first."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from spaces.errors import InputError
from store.tables import METADATA

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x6C617972  # "layr": any number, so long as every process takes the same
_ALEMBIC_LOCK = threading.Lock()  # alembic.context, which the migrations import, is global to the process


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings without an ini file; its commands run on ``connection``, in its transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str | None:
    """The revision that this installation's tables have."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None where it holds no tables yet."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> str | None:
    """Run the migrations that the database lacks, in one transaction that other processes wait for.

    The revision it was at before; None where it held no tables.

    Raises:
        InputError: the database is at a revision that this installation does not know.
    """
    newest = newest_revision()
    with engine.connect().execution_options(read_only=True) as connection:
        if current_revision(connection) == newest:
            return newest
    with _ALEMBIC_LOCK, engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        found = current_revision(connection)
        _refuse_unknown(found, newest, engine)
        command.upgrade(alembic_config(connection), "head")
    return found


def require_newest(engine: Engine) -> str:
    """The revision of a database, which is refused where its tables are not those of this installation.

    Raises:
        InputError: it is at an older revision, at one that is not known here, or holds no tables.
    """
    newest = newest_revision()
    with engine.connect().execution_options(read_only=True) as connection:
        current = current_revision(connection)
    _refuse_unknown(current, newest, engine)
    if current != newest:
        url = engine.url.render_as_string()
        raise InputError(
            f"the store {url} {f'is at revision {current!r}' if current else 'holds no tables'}, and this Layerpress "
            f"needs revision {newest!r}; run: layerpress db upgrade --store {url}"
        )
    return str(current)


def differences(connection: Connection) -> list[str]:
    """Where the tables of a database at the newest revision are not those that this installation declares."""
    found = compare_metadata(MigrationContext.configure(connection), METADATA)
    return [f"its tables are not as they should be: {change}" for change in found]


def _refuse_unknown(current: str | None, newest: str | None, engine: Engine) -> None:
    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    if current is not None and current not in {script.revision for script in scripts}:
        raise InputError(
            f"the store {engine.url.render_as_string()} is at revision {current!r}, and this Layerpress knows "
            f"revisions up to {newest!r}; upgrade Layerpress or choose another store"
        )
