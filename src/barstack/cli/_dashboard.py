"""`barstack dashboard`: experiments in the browser, while they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._root import app
from ._terminal import report, stdout

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@app.command(epilog="Example: barstack dashboard runs --port 8765")
def dashboard(
    runs: Annotated[
        str | None,
        typer.Argument(
            help="Folder of runs, or a database URL; by default $BARSTACK_TRACKING, then runs."
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen at; by default this machine only.")
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further name that browsers may call it by, such as a proxy's."),
    ] = None,
) -> None:
    """Watch sweeps and runs in the browser: progress, leaderboard, failures, comparisons.

    The pages follow the tracking database as it is written, change nothing in it, and load
    nothing from elsewhere. Ctrl-C ends it.
    """
    from barstack.core.errors import MissingPackageError  # noqa: PLC0415
    from barstack.tracking import open_tracker  # noqa: PLC0415

    try:
        from barstack.reports.dashboard import serve  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError(
            "The dashboard needs FastAPI and uvicorn: pip install 'barstack[dashboard]'"
        ) from error
    where = open_tracker("runs").where if runs is None else runs
    if host not in _LOOPBACK:
        report(
            "Note",
            f"Everyone who reaches {host} can read all experiments: the dashboard has no login.",
            "bold yellow",
        )

    def ready(url: str) -> None:
        stdout().print(f"Dashboard at {url} (Ctrl-C ends it)", soft_wrap=True)
        if "://" not in str(where) and not Path(where).is_dir():
            text = f"{where} is not there yet: the pages fill once a run or a sweep begins in it."
            report("Note", text, "bold yellow")

    serve(where, host=host, port=port, allowed=allow_host or (), ready=ready)
