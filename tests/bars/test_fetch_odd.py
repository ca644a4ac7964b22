"""Answers that no source should give: each ends in a sentence, and nothing wrong is stored."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.bars.sources import SOURCES, impatient

from barstack.bars.catalog import Catalog
from barstack.bars.sources import _http, fetch

KEY, SECRET = "AKEXAMPLEKEY", "S3CRET/of+nobody="
BAR = {"t": "2024-01-01T10:00:00Z", "o": 10.0, "h": 11.0, "l": 9.0, "c": 10.5, "v": 100}


class Odd:
    """A server that answers every request with the same status, body and headers."""

    def __init__(self) -> None:
        owner = self
        self.status, self.body, self.headers = 200, b"", dict[str, str]()
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                owner.asked += 1
                self.send_response(owner.status)
                for name, value in owner.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(owner.body)))
                self.end_headers()
                self.wfile.write(owner.body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    made = Odd()
    monkeypatch.setenv("APCA_API_DATA_URL", f"http://127.0.0.1:{made.server.server_address[1]}")
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield made
    made.server.shutdown()
    made.server.server_close()


def error_of(tmp_path: Path, *, stored: bool = False) -> str:
    """What fetching says of the only symbol, of which nothing may be stored unless bars came."""
    remote = SOURCES["alpaca"].remote(200, symbols=["SPY"])
    collection = remote.collection_in(Catalog(tmp_path / "catalog"))
    fetched = fetch(remote, collection, policy=impatient(attempts=1, timeout_s=5.0))
    assert bool(collection.covered("SPY")) == stored
    return fetched.errors["SPY"]


def bars(rows: Any, token: Any = None) -> bytes:
    return json.dumps({"bars": {"SPY": rows}, "next_page_token": token}).encode()


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"7", b'"maintenance"', b"{}", b"<html>", b'{"bars": null}'),
        *(b'{"bars": [1]}', bars(5), bars([None]), bars([[1, 2]]), b"[" * 100_000),
        *(bars([BAR | {key: None}]) for key in "tohlcv"),
        *(bars([{k: v for k, v in BAR.items() if k != key}]) for key in "tohlcv"),
        *(bars([BAR | {"c": odd}]) for odd in list[Any](["x", [], {}, True, float("inf")])),
        *(bars([BAR | {"t": at}]) for at in ("yesterday", 5, "56971-01-01T00:00:00Z")),
        bars([BAR | {"t": "2024-01-01T10:03:17Z"}]),
        b'{"bars": {"SPY": [' + b"9" * 9_000 + b"]}}",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_an_odd_answer_is_told(odd: Odd, tmp_path: Path, body: bytes) -> None:
    odd.body = body
    assert error_of(tmp_path).startswith("SPY from alpaca")


@pytest.mark.parametrize("rows", [[], [BAR]])
def test_a_token_that_never_ends_does(odd: Odd, tmp_path: Path, rows: list[Any]) -> None:
    odd.body = bars(rows, "again")
    told = "answers with nothing new" if rows else "50 empty parts, each with a token"
    assert told in error_of(tmp_path, stored=bool(rows))
    assert odd.asked <= 50


def test_a_body_that_unpacks_without_end_is_refused(
    odd: Odd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "MOST_BYTES", 2**20)
    odd.body, odd.headers = gzip.compress(b" " * 2**25), {"Content-Encoding": "gzip"}
    assert "the answer is larger than 1 MiB" in error_of(tmp_path)


@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize(
    "secret", [KEY, SECRET, SECRET.replace("/", "\\/"), "S3CRET%2Fof%2Bnobody%3D"]
)
def test_no_secret_is_repeated(odd: Odd, tmp_path: Path, status: int, secret: str) -> None:
    odd.status = status
    odd.body = f'{{"message": "{secret} is unknown", "{secret}": 1}}'.encode()
    told = error_of(tmp_path)
    assert secret not in told
    assert KEY not in told
    assert SECRET not in told


def test_no_source_repeats_the_secret_of_another(
    odd: Odd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_VENDOR_API_KEY", "AKOTHERKEY77")
    odd.status, odd.body = 403, b"AKOTHERKEY77 is unknown"
    assert "*** is unknown" in error_of(tmp_path)


def test_control_characters_are_written_out(odd: Odd, tmp_path: Path, barstack: Any) -> None:
    odd.status, odd.body = 403, b"\x1b[2Jgone\x07"
    called = barstack(
        *("fetch", "alpaca", "SPY", "--bar", "5min", "--start", "2024-01-01"),
        *("--end", "2024-01-02", "--option", "calendar=24/7"),
        code=3,
    )
    assert "\x1b" not in called.err
    assert "\\x1b[2Jgone\\x07" in called.err
