"""What the ledger keeps of bars, and plans and openings of holdouts beside trials.

On the way down the columns and their rows stay, which an earlier version does not look at.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from barstack.tracking._sqlite import convert_ledger

revision = "0005"
down_revision = "0004"

_COLUMNS = {"bars": "", "kind": "trial", "note": ""}


def upgrade() -> None:
    """Add what is not there."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        convert_ledger(connection.connection.driver_connection)  # type: ignore[arg-type]
        return
    inspected = sa.inspect(connection)
    there = {column["name"] for column in inspected.get_columns("ledger")}
    for name, value in _COLUMNS.items():
        if name not in there:
            column = sa.Column(name, sa.Text, nullable=False, server_default=value)
            op.add_column("ledger", column)
    if not inspected.has_table("ledger_bars"):
        op.create_table(
            "ledger_bars",
            sa.Column("key", sa.Text, primary_key=True),
            sa.Column("content", sa.LargeBinary, nullable=False),
        )


def downgrade() -> None:
    """Nothing: the ledger stays, as honest counting needs it."""
