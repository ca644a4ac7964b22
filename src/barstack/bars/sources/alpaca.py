"""Bars of US shares and of crypto from Alpaca, through its own client alpaca-py."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import field_validator, model_validator

from barstack.core.errors import ConfigError, MissingPackageError
from barstack.core.times import format_duration, parse_duration

from .._sessions import ALWAYS
from ._http import RequestFault, bound_session, causes, http_fault, in_words
from ._paged import Page
from ._provider import register
from ._remote import Remote

KEY, SECRET, URL = "APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "APCA_API_DATA_URL"
_ROWS = 10_000  # of one request, the most that Alpaca gives
_MOST_EMPTY = 50  # parts of one answer, each with a token for the next
_NAMES = {"t": "timestamp", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_UNITS = (("d", "Day", 1), ("h", "Hour", 23), ("min", "Minute", 59))


class _EndlessError(Exception):
    """One empty part after another, each with a token for the next."""

    def __init__(self) -> None:
        super().__init__(f"{_MOST_EMPTY} empty parts, each with a token for one more")


@register("alpaca")
class Alpaca(Remote):
    """US shares and crypto from Alpaca; keys come from the environment.

    >>> bars = Alpaca(symbols=["SPY", "QQQ"], bar="5min", start="2024-01-02")
    >>> bars.calendar, bars.feed
    ('XNYS', 'iex')
    """

    calendar: str = "XNYS"  # with market: crypto, 24/7
    stamp: Literal["open"] = "open"
    market: Literal["stocks", "crypto"] = "stocks"
    feed: Literal["iex", "sip"] = "iex"  # of shares: one exchange, or all of them
    adjustment: Literal["raw", "split", "dividend", "all"] = "split"

    # Only paying users may request the last quarter of an hour of all exchanges.
    delayed_us: ClassVar[int] = 15 * 60_000_000

    @model_validator(mode="before")
    @classmethod
    def _crypto_never_closes(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("market") == "crypto":
            return {"calendar": ALWAYS} | fields
        return fields

    @field_validator("bar")
    @classmethod
    def _check_bar(cls, bar: str) -> str:
        _unit(bar)
        return bar

    @property
    def source(self) -> str:
        if self.market == "crypto":
            return "Alpaca, crypto"
        return f"Alpaca, shares, feed {self.feed}, adjustment {self.adjustment}"

    @property
    def settled_after_us(self) -> int:
        late = self.market == "stocks" and self.feed == "sip"
        return self.delayed_us if late else self.settles_us

    def connect(self, timeout_s: float) -> Any:
        try:
            from alpaca.data import historical  # noqa: PLC0415 (an optional package)
        except ImportError:
            raise MissingPackageError(
                "Fetching from Alpaca needs package alpaca-py: pip install 'barstack[alpaca]'."
            ) from None
        missing = [name for name in (KEY, SECRET) if not os.environ.get(name)]
        if missing:
            raise ConfigError(
                f"Alpaca needs a key: set {' and '.join(missing)} in the environment. Keys are "
                "made at alpaca.markets, also free ones."
            )
        client: Any = historical.StockHistoricalDataClient
        if self.market == "crypto":
            client = historical.CryptoHistoricalDataClient

        class AlpacaClient(client):  # type: ignore[misc]  # chosen above
            """Times out, and leaves retries to us."""

            def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
                return super()._one_request(method, url, opts | {"timeout": timeout_s}, 0)

            def _get_marketdata(self, path: str, params: dict[str, Any], **_: Any) -> Any:
                """One part, with its token: alpaca-py would join all parts, and lose those that
                have arrived when a later one fails."""
                answer = self.get(path=path, data=params)
                if not isinstance(answer["bars"], dict):
                    raise ValueError('"bars" holds no bars by symbol')
                return {"bars": answer["bars"], "token": answer.get("next_page_token")}

        url = os.environ.get(URL) or None
        made = AlpacaClient(os.environ[KEY], os.environ[SECRET], raw_data=True, url_override=url)
        bound_session(made._session)
        return made

    def secrets(self) -> tuple[str, ...]:
        return tuple(filter(None, (os.environ.get(KEY), os.environ.get(SECRET))))

    def page(self, client: Any, symbol: str, start_us: int, end_us: int) -> Page:
        from alpaca.data import requests, timeframe  # noqa: PLC0415

        unit, amount = _unit(self.bar)
        query = {
            "symbol_or_symbols": symbol,
            "timeframe": timeframe.TimeFrame(amount, timeframe.TimeFrameUnit[unit]),
            "start": _datetime(start_us),
            "end": _datetime(end_us - 1),  # Alpaca includes the end
            "limit": _ROWS,
        }
        if self.market == "stocks":
            query |= {"feed": self.feed, "adjustment": self.adjustment}
        rows: list[Any] = []
        for _ in range(_MOST_EMPTY):
            if self.market == "crypto":
                answer = client.get_crypto_bars(requests.CryptoBarsRequest(**query))
            else:
                answer = client.get_stock_bars(requests.StockBarsRequest(**query))
            rows, token = answer["bars"].get(symbol) or [], answer["token"]
            if rows or token is None:
                break
            query["page_token"] = token
        else:
            raise _EndlessError
        table = pl.DataFrame(
            {name: [row[key] for row in rows] for key, name in _NAMES.items()},
            schema_overrides={"timestamp": pl.String},
        ).with_columns(pl.col("timestamp").str.to_datetime(time_unit="us", time_zone="UTC"))
        if token is None:
            return Page(table, end_us)
        newest: datetime = table["timestamp"].max()  # type: ignore[assignment]  # rows, so a time
        return Page(table, (newest - _EPOCH) // timedelta(microseconds=1) + 1)

    def fault(self, error: Exception) -> RequestFault | None:
        import requests  # noqa: PLC0415 (comes with alpaca-py)

        if isinstance(error, _EndlessError):
            return RequestFault(f"the answer has {error}", retry=False)
        fault = http_fault(error)
        if fault is None and any(isinstance(e, requests.RequestException) for e in causes(error)):
            return RequestFault(
                in_words(error), retry=True
            )  # disconnected, too slow, half an answer
        return fault


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _datetime(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)


def _unit(bar: str) -> tuple[str, int]:
    """Alpaca's unit of a bar length, and how many of it."""
    length_us = parse_duration(bar)
    for ours, theirs, most in _UNITS:
        amount, rest = divmod(length_us, parse_duration(f"1{ours}"))
        if amount and not rest and amount <= most:
            return theirs, amount
    raise ConfigError(
        f"Alpaca has no bars of {format_duration(length_us)}. It has those of 1 to 59 minutes, "
        "1 to 23 hours and 1d; make others of them with resample."
    )
