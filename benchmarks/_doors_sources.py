"""Answers of sources that are odd, endless, huge or hostile, from a server on loopback."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from _doors_studies import Case

KEY, SECRET = "AKDOORSKEY7Q2", "doorsSECRET+/%=a9X"  # what no line may ever show
_BAR = {"t": "2024-01-02T10:00:00Z", "o": 10.0, "h": 11.0, "l": 9.0, "c": 10.5, "v": 100}
_LARGEST = 400 * 2**20
_JSON = "application/json"


def cases(number: int, draw: Random, folder: Path, server: Server) -> Case:
    """Case `number`: what the server will answer, and a call of `fetch`."""
    source = ("alpaca", "ccxt", "yfinance", "alpaca")[number % 4]
    name = draw.choice([*ANSWERS])
    path = f"/{number}"
    server.answers[path] = (source, name, draw.randrange(2**31))
    start = "2024-01-02"
    arguments = {
        "alpaca": ["fetch", "alpaca", "SPY", "--bar", "5min", "--option", "calendar=24/7"],
        "ccxt": ["fetch", "ccxt", "BTC/USDT", "--bar", "15min", "--option", "exchange=binance"],
        "yfinance": ["fetch", "yfinance", "SPY", "--bar", "1d"],
    }[source] + ["--start", start, "--end", "2024-01-03", "--attempts", "1", "--timeout", "5"]
    if draw.random() < 0.3:
        arguments.append("--json")
    url = server.url + path
    environment = {
        "APCA_API_DATA_URL": url,
        "APCA_API_KEY_ID": KEY,
        "APCA_API_SECRET_KEY": SECRET,
        "CCXT_URL": server.url,
        "YAHOO_URL": server.url,
        "NO_PROXY": "127.0.0.1",
        "BARSTACK_CATALOG": str(folder / "catalog"),
    }
    server.current = path
    return {
        "arguments": arguments,
        "codes": (0, 1, 2, 3),
        "what": f"source {source} {name}",
        "environment": environment,
        "secrets": [KEY, SECRET],
    }


def _alpaca(rows: Any, token: Any = None) -> bytes:
    return json.dumps({"bars": {"SPY": rows}, "next_page_token": token}).encode()


# What comes in the place of a right answer: status, body, headers.
ANSWERS: dict[str, Callable[[Random], tuple[int, bytes, dict[str, str]]]] = {
    "nothing": lambda d: (200, b"", {}),
    "null": lambda d: (200, b"null", {}),
    "a list": lambda d: (200, b"[]", {}),
    "a list of nulls": lambda d: (200, b"[null, null]", {}),
    "a number": lambda d: (200, b"7", {}),
    "a word": lambda d: (200, b'"maintenance"', {}),
    "html": lambda d: (200, b"<html>Sign in</html>", {"Content-Type": "text/html"}),
    "an empty object": lambda d: (200, b"{}", {}),
    "bars null": lambda d: (200, b'{"bars": null}', {}),
    "bars a list": lambda d: (200, b'{"bars": [1, 2]}', {}),
    "symbol a number": lambda d: (200, b'{"bars": {"SPY": 5}}', {}),
    "rows of null": lambda d: (200, _alpaca([None, None]), {}),
    "rows of lists": lambda d: (200, _alpaca([[1, 2, 3]]), {}),
    "a key missing": lambda d: (
        200,
        _alpaca([{k: v for k, v in _BAR.items() if k != d.choice("tohlcv")}]),
        {},
    ),
    "a wrong type": lambda d: (
        200,
        _alpaca([_BAR | {d.choice("tohlcv"): d.choice([None, "x", [], {}, True, 1e400])}]),
        {},
    ),
    "a time that is none": lambda d: (200, _alpaca([_BAR | {"t": "yesterday"}]), {}),
    "the year 56971": lambda d: (200, _alpaca([_BAR | {"t": "56971-01-01T00:00:00Z"}]), {}),
    "off the grid": lambda d: (200, _alpaca([_BAR | {"t": "2024-01-02T10:03:17Z"}]), {}),
    "prices upside down": lambda d: (200, _alpaca([_BAR | {"h": 1.0}]), {}),
    "negative": lambda d: (200, _alpaca([_BAR | {"c": -1.0, "l": -2.0}]), {}),
    "NaN": lambda d: (200, _alpaca([_BAR | {"c": float("nan")}]), {}),
    "an endless token": lambda d: (200, _alpaca([], "again"), {}),
    "an endless token with rows": lambda d: (200, _alpaca([_BAR], "again"), {}),
    "a token of another type": lambda d: (200, _alpaca([_BAR], {"a": [1]}), {}),
    "deep": lambda d: (200, b"[" * 100_000 + b"]" * 100_000, {}),
    "huge number": lambda d: (200, b'{"bars": {"SPY": [' + b"9" * 9_000 + b"]}}", {}),
    "packed bomb": lambda d: (200, _packed(), {"Content-Encoding": "gzip"}),
    "huge body": lambda d: (200, b" " * 60_000_000, {}),
    "not packed as said": lambda d: (200, b"plain", {"Content-Encoding": "gzip"}),
    "bad utf-8": lambda d: (200, b'{"bars": "\xff\xfe"}', {}),
    "cut": lambda d: (200, b'{"bars": {"SPY": [{"t": "2024-', {}),
    "repeats the key": lambda d: (d.choice((200, 400, 403, 500)), _repeated(KEY), {}),
    "repeats the secret": lambda d: (d.choice((200, 400, 403, 500)), _repeated(SECRET), {}),
    "controls": lambda d: (403, b'{"message": "\\u001b[2Jgone\\u0007"}', {}),
    "raw controls": lambda d: (403, b"\x1b[2Jgone\x07\xe2\x80\xae", {}),
    "teapot": lambda d: (418, b"", {"Retry-After": "0"}),
    "wait a year": lambda d: (429, b"", {"Retry-After": "31536000"}),
    "wait nonsense": lambda d: (429, b"", {"Retry-After": "soon", "X-RateLimit-Reset": "nan"}),
    "wait forever": lambda d: (503, b"", {"X-RateLimit-Reset": "inf"}),
    "redirect": lambda d: (302, b"", {"Location": "http://127.0.0.1:9/elsewhere"}),
    "no content": lambda d: (204, b"", {}),
    "unknown status": lambda d: (599, b"?", {}),
}


def _repeated(secret: str) -> bytes:
    return json.dumps({"message": f"key {secret} is not known", "code": 40110000}).encode()


def _packed() -> bytes:
    """A kilobyte-sized body that unpacks to hundreds of megabytes."""
    packer = zlib.compressobj(9, wbits=31)
    block = b" " * 2**20
    return b"".join(packer.compress(block) for _ in range(_LARGEST // len(block))) + packer.flush()


class Server:
    """Answers every request with what the current case says."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[str, str, int]] = {}
        self.current = ""
        self._ready: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self) -> tuple[int, bytes, dict[str, str]]:
        _, name, seed = self.answers[self.current]
        if name in ("packed bomb", "huge body"):  # slow to make, always the same
            return self._ready.setdefault(name, ANSWERS[name](Random(0)))
        return ANSWERS[name](Random(seed))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/exchangeInfo") and "/api/" in path:
            market: dict[str, Any] = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC"}
            market |= {"quoteAsset": "USDT", "permissions": ["SPOT"]}
            content = {"symbols": [market | {"isSpotTradingAllowed": True, "filters": []}]}
            answer: tuple[int, bytes, dict[str, str]] = (200, json.dumps(content).encode(), {})
        elif path.endswith("/exchangeInfo"):
            answer = (200, b'{"symbols": []}', {})
        elif path == "/v1/test/getcrumb":
            answer = (200, b"crumb", {"Content-Type": "text/plain"})
        else:
            answer = self.owner.answer()
        status, body, headers = answer
        try:
            self.send_response(status)
            for name, value in ({"Content-Type": _JSON} | headers).items():
                self.send_header(name, value)
            if status not in (204, 304):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if status == 204 else body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
