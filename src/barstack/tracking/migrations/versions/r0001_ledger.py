"""The ledger of trials, and on a server the forecasts, which a folder keeps as files.

A SQLite ledger of before there were migrations stays as it is, its rows included; one of a still
earlier form is converted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from barstack.tracking._sqlite import convert_ledger

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create or adopt the ledger."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        convert_ledger(connection.connection.driver_connection)  # type: ignore[arg-type]
        return
    tables = sa.inspect(connection).get_table_names()
    if "ledger" not in tables:
        op.create_table(
            "ledger",
            sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
            *(
                sa.Column(name, sa.Text, nullable=False)
                for name in ("id", "data", "name", "horizon", "symbols", "first_at", "last_at")
            ),
            sa.Column("forecasts", sa.Text),
            sa.Column("recorded_at", sa.Text, nullable=False),
            sa.Column("predecessor", sa.Text, nullable=False),
            sa.Column("hash", sa.Text, nullable=False),
            sa.UniqueConstraint("id", "data"),
        )
        # How many rows were ever recorded, which tells when the newest are missing.
        op.create_table("ledger_rows", sa.Column("recorded", sa.BigInteger, nullable=False))
        op.execute("INSERT INTO ledger_rows VALUES (0)")
    if "forecasts" not in tables:
        op.create_table(
            "forecasts",
            sa.Column("key", sa.Text, primary_key=True),
            sa.Column("content", sa.LargeBinary, nullable=False),
            sa.Column("sha256", sa.Text, nullable=False),
        )


def downgrade() -> None:
    """Nothing: the ledger stays, as honest counting needs it."""
