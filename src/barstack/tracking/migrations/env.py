"""How Alembic runs the migrations: on the connection that it is handed, in its transaction."""

from __future__ import annotations

from alembic import context

if hasattr(context, "config"):  # only while Alembic runs
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()
