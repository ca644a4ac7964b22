"""A small market data vendor on 127.0.0.1 that speaks three real APIs, and misbehaves on demand.

    Alpaca    /v2/stocks/bars and /v1beta3/crypto/us/bars, as Market Data API v2 documents them
    Binance   /api/v3/exchangeInfo and /api/v3/klines, as the spot REST API documents them
    Yahoo     /v8/finance/chart/SYMBOL, as yfinance asks for it

    with Vendor({"SPY": table}, moods=["cut", "error_500"], share=0.3, seed=1) as vendor:
        ... point a client at vendor.url ...
        vendor.asked     # every request for bars, with its mood

Which request meets which mood follows from the seed and the request itself, not from the order
in which threads come. The same request is spoiled at most `in_a_row` times.
"""

from __future__ import annotations

import base64
import json
import os
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
import polars as pl

Row = tuple[int, float, float, float, float, float]  # start in microseconds UTC, then the prices
MOODS = (
    "limit",  # 429 with Retry-After in seconds
    "limit_date",  # 429 with Retry-After as a date
    "limit_reset",  # 429 with X-RateLimit-Reset, as Alpaca sends it
    "limit_silent",  # 429 without
    "error_500",
    "error_503",
    "half",  # the body breaks off before its Content-Length
    "half_json",  # a body of the right length that ends in the middle of a value
    "slow",  # silent for longer than the client waits
    "shuffled",  # all there, in no order
    "duplicates",  # some rows twice
    "cut",  # the connection is reset
)
HARMLESS = ("shuffled", "duplicates")  # no reason to ask again


@dataclass(frozen=True)
class Asked:
    """One request for bars: what for, how it was answered, and when it was worked on."""

    symbol: str
    start_us: int
    end_us: int
    mood: str
    began_s: float
    ended_s: float
    rows: int


class Vendor:
    """The server. `market` holds the truth: canonical tables by symbol."""

    def __init__(
        self,
        market: dict[str, pl.DataFrame],
        *,
        moods: Sequence[str] = (),
        share: float = 0.5,
        seed: int = 0,
        in_a_row: int = 2,
        always: bool = False,
        delay_s: float = 0.0,
        slow_s: float = 1.0,
        retry_after: str = "0.05",
        page_rows: int = 10_000,
    ) -> None:
        self.rows: dict[str, list[Row]] = {name: _rows(table) for name, table in market.items()}
        self.moods, self.share, self.seed = tuple(moods), share, seed
        self.in_a_row, self.always = in_a_row, always
        self.delay_s, self.slow_s, self.retry_after = delay_s, slow_s, retry_after
        self.page_rows = page_rows
        self.key, self.secret = "key", "secret"
        self.asked: list[Asked] = []
        self._times: dict[str, int] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"vendor": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def mood(self, request: str) -> str:
        """How the next answer to `request` goes: "well" or one of `MOODS`."""
        with self._lock:
            times = self._times.get(request, 0)
            self._times[request] = times + 1
        if not self.moods or (times >= self.in_a_row and not self.always):
            return "well"
        draw = random.Random(f"{self.seed}|{request}|{times}")
        return draw.choice(self.moods) if self.always or draw.random() < self.share else "well"

    def note(self, asked: Asked) -> None:
        """Write down one request for bars."""
        with self._lock:
            self.asked.append(asked)

    def between(self, symbol: str, start_us: int, end_us: int) -> list[Row]:
        """The true bars that start in [start_us, end_us)."""
        return [row for row in self.rows[symbol] if start_us <= row[0] < end_us]


def environment(vendor: Vendor) -> dict[str, str]:
    """Variables that point every client at `vendor`."""
    return {
        "APCA_API_DATA_URL": vendor.url,
        "APCA_API_KEY_ID": vendor.key,
        "APCA_API_SECRET_KEY": vendor.secret,
        "CCXT_URL": vendor.url,
        "YAHOO_URL": vendor.url,
        "NO_PROXY": "127.0.0.1",
        "PATH": os.environ["PATH"],
    }


def market_of(
    symbols: Sequence[str],
    start: str,
    bars: int,
    length_us: int,
    *,
    holes: float = 0.02,
    seed: int = 0,
) -> dict[str, pl.DataFrame]:
    """Random bars around the clock, with `holes` of them missing, in the form that is stored."""
    market = {}
    for number, symbol in enumerate(symbols):
        draw = np.random.default_rng([seed, number])
        first = int(np.datetime64(start, "us").astype(np.int64))
        stamps = (first + np.arange(bars) * length_us)[draw.random(bars) >= holes]
        # Prices in cents, so that they survive every API's way to write them.
        close = np.round(100 * np.exp(np.cumsum(draw.normal(0, 1e-3, len(stamps)))), 2)
        open_ = np.append(close[:1], close[:-1])
        columns = {
            "open": open_,
            "high": np.round(np.maximum(open_, close) + 0.01 * draw.integers(0, 9, len(stamps)), 2),
            "low": np.round(np.minimum(open_, close) - 0.01 * draw.integers(0, 9, len(stamps)), 2),
            "close": close,
            "volume": draw.integers(1, 10_000, len(stamps)).astype(float),
        }
        start_of_bar = pl.Series("timestamp", stamps).cast(pl.Datetime("us", "UTC"))
        market[symbol] = pl.DataFrame(
            [start_of_bar, *(pl.Series(k, v) for k, v in columns.items())]
        )
    return market


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show faults of this server, but not clients that have gone or been killed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    vendor: Vendor
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            self._route(parts.path, query)
        except (BrokenPipeError, ConnectionResetError):  # the client has waited long enough
            self.close_connection = True

    def _route(self, path: str, query: dict[str, str]) -> None:
        if path in ("/v2/stocks/bars", "/v1beta3/crypto/us/bars"):
            self._alpaca(query)
        elif path == "/api/v3/klines":
            self._klines(query)
        elif path.endswith("/exchangeInfo"):
            self._exchange_info(path)
        elif path.startswith("/v8/finance/chart/"):
            self._chart(path.rpartition("/")[2], query)
        elif path == "/v1/test/getcrumb":
            self._send(200, b"crumb", kind="text/plain")
        else:  # Yahoo's pages that only set cookies
            self._send(200, b"<html></html>", kind="text/html")

    def _alpaca(self, query: dict[str, str]) -> None:
        vendor = self.vendor
        keys = self.headers.get("APCA-API-KEY-ID"), self.headers.get("APCA-API-SECRET-KEY")
        if keys != (vendor.key, vendor.secret):
            self._json({"message": "forbidden."}, 403)
            return
        symbol = query["symbols"]
        if symbol not in vendor.rows:
            self._json({"message": f"invalid symbol: {symbol}"}, 400)
            return
        start_us, end_us = _from_iso(query["start"]), _from_iso(query["end"]) + 1
        token = query.get("page_token")
        at_us = int(base64.b64decode(token)) if token else start_us
        rows = vendor.between(symbol, at_us, end_us)
        limit = min(int(query.get("limit") or 1000), vendor.page_rows)
        more = (
            base64.b64encode(str(rows[limit][0]).encode()).decode() if len(rows) > limit else None
        )

        def body(rows: list[Row]) -> Any:
            bars = [dict(zip("tohlcv", (_to_iso(row[0]), *row[1:]), strict=True)) for row in rows]
            return {"bars": {symbol: bars} if bars else {}, "next_page_token": more}

        self._answer(symbol, start_us, end_us, rows[:limit], body)

    def _klines(self, query: dict[str, str]) -> None:
        symbol = next((s for s in self.vendor.rows if s.replace("/", "") == query["symbol"]), None)
        if symbol is None:
            self._json({"code": -1121, "msg": "Invalid symbol."}, 400)
            return
        start_us = int(query["startTime"]) * 1000
        end_us = int(query.get("endTime", 2**62 // 1000)) * 1000 + 1
        rows = self.vendor.between(symbol, start_us, end_us)[: min(int(query["limit"]), 1000)]

        def body(rows: list[Row]) -> Any:
            return [
                [row[0] // 1000, *map(str, row[1:]), row[0] // 1000 + 1, "0", 1] for row in rows
            ]

        self._answer(symbol, start_us, end_us, rows, body)

    def _exchange_info(self, path: str) -> None:
        spot = [
            {
                "symbol": symbol.replace("/", ""),
                "status": "TRADING",
                "baseAsset": symbol.split("/")[0],
                "quoteAsset": symbol.split("/")[1],
                "permissions": ["SPOT"],
                "isSpotTradingAllowed": True,
                "filters": [],
            }
            for symbol in self.vendor.rows
            if "/" in symbol
        ]
        symbols = spot if path.startswith("/api/") else []
        self._misbehave(self.vendor.mood(path), json.dumps({"symbols": symbols}).encode())

    def _chart(self, symbol: str, query: dict[str, str]) -> None:
        rows = self.vendor.rows.get(symbol)
        if rows is None:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            self._json({"chart": {"result": None, "error": error}}, 404)
            return
        start_us, end_us = 0, 0
        if "period1" in query:
            start_us, end_us = (int(query[name]) * 1_000_000 for name in ("period1", "period2"))
            rows = self.vendor.between(symbol, start_us, end_us)
            if not rows:
                why = f"Data doesn't exist for startDate = {query['period1']}, endDate = ..."
                error = {"code": "Bad Request", "description": why}
                self._json({"chart": {"result": None, "error": error}}, 400)
                return
        meta = {
            "currency": "USD",
            "symbol": symbol,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": "America/New_York",
            "timezone": "EST",
            "gmtoffset": -18000,
            "priceHint": 2,
            "dataGranularity": query["interval"],
            "validRanges": ["1d", "5d", "1mo", "max"],
            "regularMarketTime": rows[-1][0] // 1_000_000,
            "tradingPeriods": _trading_periods(rows),
            "currentTradingPeriod": {},
        }

        def body(rows: list[Row]) -> Any:
            names = ("open", "high", "low", "close", "volume")
            quote = {name: [row[place + 1] for row in rows] for place, name in enumerate(names)}
            result = {
                "meta": meta,
                "timestamp": [row[0] // 1_000_000 for row in rows],
                "indicators": {"quote": [quote], "adjclose": [{"adjclose": quote["close"]}]},
            }
            return {"chart": {"result": [result], "error": None}}

        if "period1" in query:
            self._answer(symbol, start_us, end_us, rows, body)
        else:  # only to learn the timezone
            self._json(body(rows[-1:]))

    def _answer(
        self,
        symbol: str,
        start_us: int,
        end_us: int,
        rows: list[Row],
        body: Callable[[list[Row]], Any],
    ) -> None:
        began_s = time.monotonic()
        vendor = self.vendor
        mood = vendor.mood(self.path.partition("&crumb")[0])
        if vendor.delay_s:
            time.sleep(vendor.delay_s)
        draw = random.Random(f"{vendor.seed}|{self.path}")
        if mood == "shuffled":
            rows = draw.sample(rows, len(rows))
        if mood == "duplicates":
            rows = [row for row in rows for _ in range(1 + (draw.random() < 0.1))]
        if mood == "contradiction" and rows:
            rows = [*rows, (rows[0][0], *(price * 1.01 for price in rows[0][1:]))]  # type: ignore[list-item]
        answer = json.dumps(body(rows)).encode()
        # Before it is sent, so that whoever has the answer finds the request written down.
        vendor.note(Asked(symbol, start_us, end_us, mood, began_s, time.monotonic(), len(rows)))
        self._misbehave(mood, answer)

    def _misbehave(self, mood: str, body: bytes) -> None:
        vendor = self.vendor
        if mood == "cut":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
        elif mood == "slow":
            time.sleep(vendor.slow_s)
            self._send(200, body)
        elif mood == "half":
            self._send(200, body, whole=False)
        elif mood == "half_json":
            self._send(200, body[: len(body) // 2])
        elif mood.startswith("limit"):
            now = time.time()
            headers = {
                "limit": {"Retry-After": vendor.retry_after},
                "limit_date": {"Retry-After": formatdate(now, usegmt=True)},
                "limit_reset": {"X-RateLimit-Reset": f"{now + 0.05:.2f}"},
            }.get(mood, {})
            self._send(429, b'{"message": "too many requests."}', headers=headers)
        elif mood.startswith("error_"):
            self._send(int(mood[6:]), b'{"message": "internal server error occurred"}')
        else:
            self._send(200, body)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode())

    def _send(
        self,
        status: int,
        body: bytes,
        *,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
        whole: bool = True,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if whole else body[: len(body) // 2])
        self.close_connection = self.close_connection or not whole


def _rows(table: pl.DataFrame) -> list[Row]:
    stamps = table["timestamp"].to_physical().to_list()
    prices = (table[name].to_list() for name in ("open", "high", "low", "close", "volume"))
    return list(zip(stamps, *prices, strict=True))


def _to_iso(time_us: int) -> str:
    return str(np.datetime64(time_us, "us").astype("datetime64[s]")) + "Z"


def _from_iso(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _trading_periods(rows: list[Row]) -> list[list[dict[str, Any]]]:
    """Every UTC day that has bars, whole: this vendor's markets never close."""
    days = sorted({row[0] // 86_400_000_000 for row in rows})
    return [
        [{"timezone": "EST", "start": day * 86_400, "end": (day + 1) * 86_400, "gmtoffset": -18000}]
        for day in days
    ]
