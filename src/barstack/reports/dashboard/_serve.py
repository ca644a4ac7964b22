"""Runs the dashboard until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from barstack.core.errors import ConfigError

from ._app import dashboard_app
from ._guard import LOOPBACK

_LEAVE_S = 1  # that open streams get when the server ends


def serve(
    where: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    allowed: Sequence[str] = (),
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until Ctrl-C.

    Parameters
    ----------
    where
        A folder of runs, or the URL of a tracking database.
    host, port
        Where to listen; port 0 takes a free one.
    allowed
        Further names under which it may be called, such as that of a proxy.
    ready
        Called with the address once connections are accepted.

    Raises
    ------
    ConfigError
        Where the address cannot be listened at.
    """
    listening = _listening(host, port)
    shown = f"[{host}]" if ":" in host else host
    server: uvicorn.Server | None = None
    app = dashboard_app(
        where,
        names=(*LOOPBACK, shown, *allowed),
        ending=lambda: server is not None and server.should_exit,
    )
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_LEAVE_S,
    )
    server = uvicorn.Server(config)
    try:
        app.state.source.now()  # so that the first page waits for no import and no reading
        ready(f"http://{shown}:{listening.getsockname()[1]}/")
        server.run(sockets=[listening])
    finally:
        listening.close()
        app.state.source.close()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(
            f"The dashboard cannot listen at {host}, port {port}: {error}. "
            "Give another --port, or 0 for one that is free."
        ) from error
    return listening
