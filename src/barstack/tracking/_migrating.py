"""Brings a tracking database to a version of its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from barstack.core.errors import StorageError

if TYPE_CHECKING:
    import sqlalchemy as sa

VERSIONS = ("0001", "0002", "0003", "0004", "0005")  # oldest first
_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_239_101_417  # of our migrations, among the advisory locks of a PostgreSQL database


def version_of(connection: sa.Connection) -> str | None:
    """Version of the tables; None where there are none."""
    import sqlalchemy as sa  # noqa: PLC0415

    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def check_version(version: str | None) -> None:
    """`StorageError` for a version that only a later barstack knows."""
    if version is not None and version not in VERSIONS:
        raise StorageError(
            f"The tracking database has tables of version {version}, and this barstack knows "
            f"those up to {VERSIONS[-1]}. Install the barstack that wrote it, or a later one."
        )


def migrate(connection: sa.Connection, version: str = VERSIONS[-1]) -> None:
    """Migrate up or down, in the transaction that is open; of several callers one does it."""
    import sqlalchemy as sa  # noqa: PLC0415
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    now = version_of(connection)
    check_version(now)
    if now == version:
        return
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    down = now is not None and VERSIONS.index(version) < VERSIONS.index(now)
    (command.downgrade if down else command.upgrade)(config, version)
