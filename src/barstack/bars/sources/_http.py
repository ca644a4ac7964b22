"""Failed requests: what went wrong, whether to retry, secrets masked, bodies bounded."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from barstack.core.clock import epoch_s

MOST_BYTES = 64 * 2**20  # unpacked; ten thousand bars as JSON are about one MiB
_CHUNK = 2**16
_TIMEOUTS = 10.0  # times the timeout of one read, for a whole body


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
            longest_s = _TIMEOUTS * (timeout if isinstance(timeout, (int, float)) else 30.0)
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


_TOO_FAST = (429, 418)  # 418 is what Binance sends to those who go on after a 429
_TOO_LATE = 408


@dataclass(frozen=True)
class Fault:
    """One failed request.

    what    the fault in words, without a full stop at the end
    again   whether the same request may do better later
    slower  whether the source asks everybody to slow down
    wait_s  seconds the source asks to wait; None when it does not say
    """

    what: str
    again: bool
    slower: bool = False
    wait_s: float | None = None


def http_fault(error: BaseException) -> Fault | None:
    """The fault behind an exception of a client that speaks HTTP; None when it is none.

    Looks along the chain of causes for a response with a status and headers, as those of
    requests, httpx and curl_cffi have them.
    """
    for cause in causes(error):
        response = getattr(cause, "response", None)
        status = getattr(response, "status_code", None)
        if status:
            return status_fault(status, getattr(response, "headers", {}), _said(response))
    return None


def status_fault(status: int, headers: Mapping[str, str], said: str) -> Fault | None:
    """What an HTTP status means; None below 400."""
    if status < 400:
        return None
    if status in _TOO_FAST:
        return Fault("too many requests (429)", again=True, slower=True, wait_s=wait_s(headers))
    if status >= 500 or status == _TOO_LATE:
        # A source that is being mended may say for how long (503).
        return Fault(f"answer {status}", again=True, wait_s=wait_s(headers))
    return Fault(f"answer {status}: {said}" if said else f"answer {status}", again=False)


def wait_s(headers: Mapping[str, str], now_s: float | None = None) -> float | None:
    """Seconds to wait by `Retry-After` (seconds or a date) or `X-RateLimit-Reset` (a time).

    >>> wait_s({"Retry-After": "12"})
    12.0
    >>> wait_s({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, now_s=45.0)
    15.0
    """
    now_s = epoch_s() if now_s is None else now_s
    after, reset = headers.get("Retry-After"), headers.get("X-RateLimit-Reset")
    try:
        if after is not None and after.strip().replace(".", "", 1).isdigit():
            return float(after)
        if after is not None:
            moment = parsedate_to_datetime(after)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return max(0.0, moment.timestamp() - now_s)
        return None if reset is None else max(0.0, float(reset) - now_s)
    except ValueError:  # a header nobody can read says nothing
        return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those that led to it."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def unreadable(error: BaseException) -> str:
    """What to say of an answer that is not of the form that was agreed on."""
    return (
        f"the answer cannot be read as bars ({type(error).__name__}: {in_words(error)}). The "
        "source may be down for maintenance, or have changed its form; fetch again later"
    )


_SECRET_NAMES = ("KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD")
_SHORTEST_SECRET = 8  # shorter values would be found in ordinary words


def secrets_around() -> set[str]:
    """Values of environment variables that are named like secrets, of whatever source."""
    return {
        value
        for name, value in os.environ.items()
        if name.upper().endswith(_SECRET_NAMES + tuple(f"{each}_ID" for each in _SECRET_NAMES))
        and len(value) >= _SHORTEST_SECRET
    }


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without any secret, given or in the environment, also as URLs and JSON write it.

    >>> masked("no such key: a/b", ["a/b"]), masked("?key=a%2Fb", ["a/b"])
    ('no such key: ***', '?key=***')
    """
    for secret in {*secrets, *secrets_around()}:
        for form in {secret, quote(secret, safe=""), quote(secret), secret.replace("/", "\\/")}:
            if form:
                text = text.replace(form, "***")
    return text


def in_words(error: BaseException, most: int = 200) -> str:
    """The first line of an exception, cut where it is long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else f"{text[:most]}..."


def _said(response: Any) -> str:
    text = " ".join(str(getattr(response, "text", "")).split())
    return text if len(text) <= 200 else f"{text[:200]}..."
