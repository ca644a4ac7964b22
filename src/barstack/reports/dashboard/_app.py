"""The dashboard as an application: routes that read, and call what computes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from barstack.core.errors import StorageError

from . import _pages as pages
from ._guard import LOOPBACK, Guard
from ._source import Source

_LOOK_S = 0.5  # between looks for changes, while somebody watches
_TICK_S = 5.0  # after which a page is made again while something runs, as times go on

Ending = Callable[[], bool]


def dashboard_app(
    where: str | Path, *, names: Iterable[str] = LOOPBACK, ending: Ending = lambda: False
) -> FastAPI:
    """Pages on the experiments of a folder of runs or of a server.

    Parameters
    ----------
    where
        A folder of runs, or the URL of a tracking database.
    names
        Names under which it may be called.
    ending
        Whether the server shuts down, so that streams of events end.
    """
    source = Source(where)
    # Pages on the interface itself would be loaded from elsewhere.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, names=tuple(names))
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")

    def listing(path: str, page: Callable[..., str]) -> None:
        @app.get(path, response_class=HTMLResponse)
        def route(request: Request) -> str:
            return page(source.now(), request.query_params, datetime.now(UTC))

    listing("/", pages.overview_page)
    listing("/compare", pages.compare_page)
    listing("/experiments", pages.experiments_page)
    listing("/failures", pages.failures_page)

    @app.get("/experiments/{experiment_id:path}", response_class=HTMLResponse)
    def experiment(experiment_id: str, request: Request) -> str:
        tracked = source.now()
        row = tracked.find(experiment_id)
        if row is None:
            raise HTTPException(404, f"No experiment {experiment_id} is tracked here.")
        history = source.history(experiment_id)
        now = datetime.now(UTC)
        return pages.experiment_page(tracked, row, history, request.query_params, now)

    @app.get("/runs/{run_id:path}", response_class=HTMLResponse)
    def run(run_id: str, request: Request) -> str:
        tracked, ensembles = source.now(), source.ensembles(run_id)
        if not ensembles and all(row.run_id != run_id for row in tracked.experiments):
            raise HTTPException(404, f"No run {run_id} is tracked here.")
        now = datetime.now(UTC)
        return pages.run_page(tracked, run_id, ensembles, request.query_params, now)

    @app.get("/events", response_class=EventSourceResponse)
    async def events() -> AsyncIterator[ServerSentEvent]:
        async for change in changes(source, ending):
            yield ServerSentEvent(event="change", data=change)

    @app.exception_handler(HTTPException)
    def missing(_: Request, error: HTTPException) -> HTMLResponse:
        text = pages.message_page("Not found", error.detail)
        return HTMLResponse(text, status_code=error.status_code)

    @app.exception_handler(StorageError)
    def unreadable(_: Request, error: StorageError) -> HTMLResponse:
        text = pages.message_page("The tracking database cannot be read", str(error))
        return HTMLResponse(text, status_code=503)

    app.state.source = source
    return app


async def changes(source: Source, ending: Ending) -> AsyncIterator[dict[str, Any]]:
    """Now, and whenever the database has changed; while something runs also with the time."""
    seen: tuple[str, int] | None = None
    number = 0
    while not ending():
        try:
            tracked = await asyncio.to_thread(source.now)
        except StorageError as error:
            state, moves = f"error {error}", False
        else:
            state = tracked.state
            moves = any(row.status == "running" for row in tracked.experiments)
        tick = int(asyncio.get_running_loop().time() / _TICK_S) if moves else 0
        if (state, tick) != seen:
            seen = state, tick
            number += 1
            yield {"number": number}
        await asyncio.sleep(_LOOK_S)
