"""What every answer of the dashboard passes: who may ask, and what a browser may load."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Refuses requests under other names than its own, and adds the headers above.

    A page elsewhere can let its own name resolve to this machine and would then read the dashboard
    as if it were part of it (DNS rebinding). Such a request carries that name in its Host header.

    names  under which the dashboard may be called
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        given = Headers(scope=scope).getlist("host")
        if len(given) != 1 or host_name(given[0]) not in self.names:
            refusal = PlainTextResponse(
                "The dashboard is not called by this name. Open it by the address that barstack "
                "dashboard printed, or start it with --allow-host NAME.\n",
                status_code=421,
            )
            await refusal(scope, receive, send_guarded)
            return
        await self.app(scope, receive, send_guarded)


def host_name(header: str) -> str:
    """The name in a Host header, without the port.

    >>> host_name("LOCALHOST:8765"), host_name("[::1]:8765"), host_name("127.0.0.1")
    ('localhost', '[::1]', '127.0.0.1')
    """
    if header.startswith("["):
        return header.partition("]")[0].lower() + "]"
    return header.partition(":")[0].lower()
