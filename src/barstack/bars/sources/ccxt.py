"""Candles of crypto exchanges, through the library CCXT."""

from __future__ import annotations

import os
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import polars as pl

from barstack.core.errors import ConfigError, MissingPackageError, did_you_mean

from .._bars import COLUMNS
from ._http import RequestFault, bound_session, causes, http_fault, in_words
from ._paged import Page
from ._provider import register
from ._remote import Remote

URL = "CCXT_URL"  # replaces the exchange's own scheme and host
_MOST_ROWS = 1000


@register("ccxt")
class Ccxt(Remote):
    """Candles of a crypto exchange that CCXT knows, such as BTC/USDT of binance; needs no key.

    >>> Ccxt(exchange="binance", symbols=["BTC/USDT"], bar="1h", start="2024-01-02").calendar
    '24/7'
    """

    stamp: Literal["open"] = "open"
    exchange: str

    @property
    def source(self) -> str:
        return f"CCXT, exchange {self.exchange}"

    @property
    def name(self) -> str:
        return f"ccxt_{self.exchange}"

    def connect(self, timeout_s: float) -> Any:
        try:
            import ccxt  # noqa: PLC0415 (an optional package, two seconds to import)
        except ImportError:
            raise MissingPackageError(
                "Fetching from crypto exchanges needs package ccxt: pip install 'barstack[ccxt]'."
            ) from None
        if self.exchange not in ccxt.exchanges:
            hint = did_you_mean(self.exchange, ccxt.exchanges)
            raise ConfigError(f"CCXT knows no exchange {self.exchange!r}. {hint}")
        exchange: Any = getattr(ccxt, self.exchange)

        class CcxtClient(exchange):  # type: ignore[misc]  # chosen above
            """Treats half an answer, or none, as a fault; CCXT would find no candles in it."""

            def parse_json(self, http_response: str) -> Any:
                parsed = super().parse_json(http_response)
                if parsed is None:
                    raise ccxt.BadResponse(f"{self.id} gave no answer, or broke off in it")
                return parsed

        client = CcxtClient(
            # CCXT keeps the exchange's rate limit; retries are left to us.
            {
                "timeout": int(timeout_s * 1000),
                "enableRateLimit": True,
                "options": {"maxRetriesOnFailure": 0},
            }
        )
        if not client.has["fetchOHLCV"]:
            raise ConfigError(f"{self.exchange} gives no candles. Choose another exchange.")
        if self.bar_name(client) is None:
            raise ConfigError(
                f"{self.exchange} has no bars of {self.bar}. "
                f"It has {', '.join(client.timeframes)}; make others of them with resample."
            )
        bound_session(client.session)
        if os.environ.get(URL):
            client.urls["api"] = _moved(client.urls["api"], os.environ[URL])
        client.load_markets()
        return client

    def page(self, client: Any, symbol: str, start_us: int, end_us: int) -> Page:
        most = client.feature_value(symbol, "fetchOHLCV", "limit", _MOST_ROWS)
        rows = min(int(most), _MOST_ROWS)
        since_ms = -(-start_us // 1000)
        candles = client.fetch_ohlcv(symbol, self.bar_name(client), since_ms, rows)
        candles = [candle[:6] for candle in candles]
        table = pl.DataFrame(
            candles, schema=["timestamp", *COLUMNS], orient="row", infer_schema_length=None
        ).with_columns(pl.col("timestamp").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"))
        # An exchange may give fewer than it says, and CCXT cuts off what is over: the answer is
        # complete through its last bar. An empty one says nothing beyond what would have fitted.
        through = start_us + rows * self.length_us
        if candles:
            through = max(int(candle[0]) for candle in candles) * 1000 + self.length_us
        return Page(table, min(through, end_us))

    def fault(self, error: Exception) -> RequestFault | None:
        import ccxt  # noqa: PLC0415
        import requests  # noqa: PLC0415 (comes with ccxt)

        if isinstance(error, ccxt.BaseError):
            fault = http_fault(error)
            if fault is not None and fault.retry:
                return fault
            slower = isinstance(error, ccxt.DDoSProtection | ccxt.RateLimitExceeded)
            again = isinstance(error, ccxt.OperationFailed)
            return RequestFault(in_words(error), retry=again, throttled=slower)
        if any(isinstance(cause, requests.RequestException) for cause in causes(error)):
            return RequestFault(in_words(error), retry=True)
        return None

    def bar_name(self, client: Any) -> str | None:
        """CCXT's name of bars of this length on this exchange; None when there are none."""
        for name in client.timeframes:
            if name[-1] != "M" and client.parse_timeframe(name) * 1_000_000 == self.length_us:
                return str(name)
        return None


def _moved(urls: Any, base: str) -> Any:
    """The same addresses at another scheme and host."""
    if isinstance(urls, dict):
        return {name: _moved(url, base) for name, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    scheme, host = urlsplit(base)[:2]
    return urlunsplit((scheme, host, *urlsplit(urls)[2:]))
