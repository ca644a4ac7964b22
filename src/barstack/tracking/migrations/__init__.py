"""Migrations of the tracking database, one file each, in the form that Alembic expects."""
