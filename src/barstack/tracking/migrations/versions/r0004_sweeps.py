"""How many experiments each sweep has, for whoever watches it.

On the way down the table stays with its rows, which an earlier version does not look at, so that
the way up finds them again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table unless it is there."""
    if "sweeps" not in sa.inspect(op.get_bind()).get_table_names():
        op.create_table(
            "sweeps",
            sa.Column("sweep_id", sa.Text, primary_key=True),
            sa.Column("title", sa.Text, nullable=False),
            sa.Column("experiments", sa.BigInteger, nullable=False),
            sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        )


def downgrade() -> None:
    """The table stays."""
