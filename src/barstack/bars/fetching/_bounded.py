"""Answers over HTTP that end: none larger, and none slower, than any page of bars is."""

from __future__ import annotations

import time
from typing import Any

MOST_BYTES = 64 * 2**20  # unpacked; ten thousand bars as JSON are about one MiB
_CHUNK = 2**16
_PATIENCE = 10.0  # times the timeout of one read, for a whole body


class TooLargeError(OSError):
    """An answer beyond `MOST_BYTES`: asking again will not make it smaller."""

    def __init__(self) -> None:
        super().__init__(f"the answer is larger than {MOST_BYTES // 2**20} MiB")


def bound_session(session: Any) -> None:
    """Let a `requests` session refuse bodies beyond `MOST_BYTES`, and those that never end."""
    adapter = _adapter()
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)


def _adapter() -> Any:
    import requests  # noqa: PLC0415 (comes with the clients that use it)
    from requests.adapters import HTTPAdapter  # noqa: PLC0415

    class Bounded(HTTPAdapter):
        def send(  # type: ignore[override]  # hands on what it does not know
            self, request: Any, stream: bool = False, timeout: Any = None, **options: Any
        ) -> Any:
            response = super().send(request, stream=True, timeout=timeout, **options)
            if stream:
                return response
            body, began_s = bytearray(), time.monotonic()
            longest_s = _PATIENCE * (timeout if isinstance(timeout, (int, float)) else 30.0)
            for chunk in response.iter_content(_CHUNK):
                body += chunk
                if len(body) > MOST_BYTES:
                    response.close()
                    raise TooLargeError
                if time.monotonic() - began_s > longest_s:
                    response.close()
                    raise requests.exceptions.ReadTimeout(
                        f"the answer was not over after {longest_s:.0f} s", request=request
                    )
            response._content = bytes(body)
            response._content_consumed = True
            return response

    return Bounded()
