"""Bars from Yahoo Finance, through the library yfinance."""

from __future__ import annotations

import json
import os
import time
import warnings
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import polars as pl
from pydantic import field_validator

from barstack.core.errors import ConfigError, MissingPackageError
from barstack.core.times import DAY_US, iso, parse_duration

from .._bars import PRICES
from ._http import MOST_BYTES, RequestFault, TooLargeError, causes, in_words, status_fault
from ._paged import Page
from ._provider import register
from ._remote import Remote

URL = "YAHOO_URL"  # replaces Yahoo's own scheme and hosts

# Yahoo's name of each bar, for how many days it keeps them, and how many one request may span.
_BARS: dict[str, tuple[str, int | None, int]] = {
    "1min": ("1m", 30, 7),
    "2min": ("2m", 60, 60),
    "5min": ("5m", 60, 60),
    "15min": ("15m", 60, 60),
    "30min": ("30m", 60, 60),
    "90min": ("90m", 60, 60),
    "1h": ("1h", 730, 730),
    "1d": ("1d", None, 0),
}


class _RefusedError(OSError):
    """An answer of Yahoo that is a fault; an OSError, so that yfinance passes it on."""

    def __init__(self, fault: RequestFault, status: int) -> None:
        super().__init__(fault.what)
        self.fault, self.status = fault, status


@register("yfinance")
class YFinance(Remote):
    """Bars from Yahoo Finance, for private use by Yahoo's terms; intraday only of late.

    >>> YFinance(symbols=["SPY"], bar="1d", start="2010-01-04").calendar
    'XNYS'
    """

    calendar: str = "XNYS"
    stamp: Literal["open"] = "open"
    adjusted: bool = False  # for dividends too; Yahoo always adjusts for splits

    @field_validator("bar")
    @classmethod
    def _check_bar(cls, bar: str) -> str:
        _facts(bar)
        return bar

    @property
    def source(self) -> str:
        adjusted = "splits and dividends" if self.adjusted else "splits"
        hours = ", extended hours" if self.hours == "extended" else ""
        return f"Yahoo Finance, adjusted for {adjusted}{hours}"

    def connect(self, timeout_s: float) -> Any:
        try:
            import yfinance  # noqa: PLC0415 (an optional package)
            from curl_cffi.requests import Session  # noqa: PLC0415 (comes with it)
        except ImportError:
            raise MissingPackageError(
                "Fetching from Yahoo needs package yfinance: pip install 'barstack[yfinance]'."
            ) from None
        # Its use of pandas does not concern our users.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"yfinance\.")
        # By default yfinance logs errors and returns an empty table, and it caches answers, also
        # wrong ones.
        yfinance.config.debug.hide_exceptions = False
        yfinance.config.network.retries = 0
        yfinance.data.YfData.cache_get.cache_clear()

        class YahooClient(Session[Any]):
            """Times out, and raises errors on which yfinance would retry by itself."""

            def request(  # type: ignore[override]  # passes other options on
                self, method: Any, url: str, **options: Any
            ) -> Any:
                body = bytearray()

                def keep(chunk: bytes) -> int:
                    body.extend(chunk)
                    return len(chunk) if len(body) <= MOST_BYTES else _STOP

                options |= {"timeout": timeout_s, "content_callback": keep}
                try:
                    answer = super().request(method, _moved(url), **options)
                except OSError:
                    if len(body) > MOST_BYTES:
                        raise TooLargeError from None
                    raise
                answer.content = bytes(body)
                if "/v8/finance/chart/" in url:
                    _check(answer)
                return answer

        return YahooClient(impersonate="chrome")

    def page(self, client: Any, symbol: str, start_us: int, end_us: int) -> Page:
        import yfinance  # noqa: PLC0415
        from yfinance.exceptions import YFPricesMissingError  # noqa: PLC0415

        interval, kept_days, most_days = _facts(self.bar)
        if kept_days is not None:
            oldest_us = time.time_ns() // 1000 - kept_days * DAY_US
            if start_us < oldest_us:
                raise ConfigError(
                    f"Yahoo keeps {self.bar} bars for {kept_days} days, and those of {symbol} from "
                    f"{iso(start_us)} on are requested. Set start to "
                    f"{iso(oldest_us + DAY_US)[:10]} or later, or ask for "
                    "longer bars."
                )
            end_us = min(end_us, start_us + most_days * DAY_US)
        try:
            frame = yfinance.Ticker(symbol, session=client).history(
                start=datetime.fromtimestamp(start_us // 1_000_000, UTC),
                end=datetime.fromtimestamp(-(-end_us // 1_000_000), UTC),
                interval=interval,
                prepost=self.hours == "extended",
                auto_adjust=self.adjusted,
                actions=False,
            )
        except YFPricesMissingError:  # nothing was traded
            return Page(pl.DataFrame(), end_us)
        except _RefusedError as refused:
            if refused.status == 400 and "Data doesn't exist" in refused.fault.what:
                return Page(pl.DataFrame(), end_us)
            raise
        frame = frame[["Open", "High", "Low", "Close", "Volume"]].dropna(how="all", subset=_PRICES)
        if self.adjusted:  # multiplying leaves the last bit of some outside their low and high
            prices = frame[_PRICES]
            frame = frame.assign(High=prices.max(axis=1), Low=prices.min(axis=1))
        return Page(frame, end_us)

    def disconnect(self, client: Any) -> None:
        client.close()

    def fault(self, error: Exception) -> RequestFault | None:
        for cause in causes(error):
            if isinstance(cause, _RefusedError):
                return cause.fault
        if any(isinstance(cause, OSError) for cause in causes(error)):  # so are curl's errors
            return RequestFault(in_words(error), retry=True)
        return None


_STOP = 0xFFFFFFFF  # tells curl to end the transfer (CURL_WRITEFUNC_ERROR)
_PRICES = [name.capitalize() for name in PRICES]


def _facts(bar: str) -> tuple[str, int | None, int]:
    for length, facts in _BARS.items():
        if parse_duration(bar) == parse_duration(length):
            return facts
    raise ConfigError(
        f"Yahoo has no bars of {bar}. It has {', '.join(_BARS)}; make others of them with resample."
    )


def _check(answer: Any) -> None:
    """Raise what is wrong with an answer of the chart API."""
    try:
        chart = json.loads(answer.content)["chart"]
    except (ValueError, KeyError, TypeError):
        chart = None
    text = ((chart or {}).get("error") or {}).get("description", "")
    fault = status_fault(answer.status_code, answer.headers, text)
    if fault is None and chart is None:
        fault = RequestFault("an answer that breaks off", retry=True)
    if fault is not None:
        raise _RefusedError(fault, answer.status_code)


def _moved(url: str) -> str:
    base = os.environ.get(URL)
    return urlunsplit((*urlsplit(base)[:2], *urlsplit(url)[2:])) if base else url
