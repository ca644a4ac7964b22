"""Failed requests: what went wrong, whether to retry, secrets masked, and bodies bounded."""

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

MOST_BYTES = 64 * 2**20  # of an uncompressed body; ten thousand bars as JSON are about one MiB
_CHUNK = 2**16
_TIMEOUTS = 10.0  # timeouts of one read that a whole body may take
_THROTTLED = (429, 418)  # 418 is what Binance sends to those who go on after a 429
_TIMED_OUT = 408
_SECRET_NAMES = ("KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD")
_SHORTEST_SECRET = 8  # shorter values would be found in ordinary words
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class RequestFault:
    """One failed request.

    what       the failure in words, without a full stop at the end
    retry      whether the same request may succeed later
    throttled  whether the source asks all clients to slow down
    wait_s     seconds the source asks to wait; None when it does not say
    """

    what: str
    retry: bool
    throttled: bool = False
    wait_s: float | None = None


class TooLargeError(OSError):
    """A body beyond `MOST_BYTES`; a retry will not make it smaller."""

    def __init__(self) -> None:
        super().__init__(f"the answer is larger than {MOST_BYTES // 2**20} MiB")


def bound_session(session: Any) -> None:
    """Make a `requests` session refuse bodies that are too large or never end."""
    import requests  # noqa: PLC0415 (comes with the clients that use it)
    from requests.adapters import HTTPAdapter  # noqa: PLC0415

    class Bounded(HTTPAdapter):
        def send(  # type: ignore[override]  # passes other options on
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

    for scheme in ("http://", "https://"):
        session.mount(scheme, Bounded())


def http_fault(error: BaseException) -> RequestFault | None:
    """The fault behind an exception of an HTTP client; None when there is no HTTP response.

    Searches the chain of causes for a response with a status and headers, as those of requests,
    httpx and curl_cffi have them.
    """
    for cause in causes(error):
        response = getattr(cause, "response", None)
        status = getattr(response, "status_code", None)
        if status:
            text = _shortened(getattr(response, "text", ""))
            return status_fault(status, getattr(response, "headers", {}), text)
    return None


def status_fault(status: int, headers: Mapping[str, str], text: str) -> RequestFault | None:
    """The fault that an HTTP status means; None below 400."""
    if status < 400:
        return None
    if status in _THROTTLED:
        wait = wait_s(headers)
        return RequestFault("too many requests (429)", retry=True, throttled=True, wait_s=wait)
    if status >= 500 or status == _TIMED_OUT:
        # A source under maintenance may say for how long (503).
        return RequestFault(f"answer {status}", retry=True, wait_s=wait_s(headers))
    return RequestFault(f"answer {status}: {text}" if text else f"answer {status}", retry=False)


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
    except ValueError:  # an unreadable header is ignored
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
    """The message for an answer that is not in the agreed form."""
    return (
        f"the answer cannot be read as bars ({type(error).__name__}: {in_words(error)}). The "
        "source may be down for maintenance, or have changed its form; fetch again later"
    )


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without any secret, given or in the environment, also as URLs and JSON write it.

    >>> masked("no such key: a/b", ["a/b"]), masked("?key=a%2Fb", ["a/b"])
    ('no such key: ***', '?key=***')
    """
    for secret in {*secrets, *_environment_secrets()}:
        for form in {secret, quote(secret, safe=""), quote(secret), secret.replace("/", "\\/")}:
            if form:
                text = text.replace(form, "***")
    return text


def _environment_secrets() -> set[str]:
    """Values of environment variables that are named like secrets, of whatever source."""
    return {
        value
        for name, value in os.environ.items()
        if name.upper().endswith(_SECRET_NAMES + tuple(f"{each}_ID" for each in _SECRET_NAMES))
        and len(value) >= _SHORTEST_SECRET
    }


def in_words(error: BaseException) -> str:
    """The message of an exception on one line, cut where it is long."""
    return _shortened(error) or type(error).__name__


def _shortened(text: Any) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}..."
