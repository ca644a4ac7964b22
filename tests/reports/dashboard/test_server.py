"""The dashboard over real HTTP: who may ask, what is answered, and that it follows changes."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.conftest import Barstack
from tests.reports.dashboard.rows import MODELS, fill, grid
from tests.reports.dashboard.server import dashboard_of, writing

from barstack.core.errors import StorageError
from barstack.reports.dashboard._guard import host_name
from barstack.reports.dashboard._source import Source
from barstack.tracking import EnsembleRecord, ExperimentTracker

pytestmark = pytest.mark.slow

PAGES = ("/", "/compare", "/experiments", "/failures")
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'&"


def get(url: str, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers by lower-case name, and text."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, named, answer.read().decode()


class Loads(HTMLParser):
    """What a page loads, the elements it has, and attributes that run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.elements: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.runs: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        given = dict(attrs)
        if tag == "script":
            self.scripts.append(given)
        self.runs += [name for name in given if name.startswith("on") or name == "style"]
        loading = ("script", "link", "img", "iframe")
        self.loaded += [
            given[name] or "" for name in ("src", "href") if tag in loading and name in given
        ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dashboard") / "runs"
    first, *_ = fill(folder, 200)
    tracker = ExperimentTracker(folder)
    tracker.fail(
        replace(first, experiment_id="a/b?c#d", symbol=HOSTILE, params={"name": HOSTILE}),
        HOSTILE,
    )
    tracker.record_ensembles(
        [
            EnsembleRecord(
                ensemble_id="e",
                name=HOSTILE,
                method="nnls",
                horizon_name="1d",
                run_id=first.run_id,
                members=("lstm", "gru"),
                weights={"lstm": 0.75, "gru": 0.25},
                score=0.02,
            )
        ]
    )
    tracker.close()
    return folder


@pytest.fixture(scope="module")
def url(runs: Path) -> Iterator[str]:
    with dashboard_of(runs) as address:
        yield address


@pytest.mark.parametrize("path", [*PAGES, "/experiments/a%2Fb%3Fc%23d", "/runs/run00000"])
def test_pages_load_only_their_own_files_and_show_hostile_names_as_text(
    url: str, path: str
) -> None:
    status, headers, text = get(url, path)
    assert status == 200
    page = Loads(text)
    assert {each.split("/")[1] for each in page.loaded} == {"static"}
    assert page.runs == []
    assert "img" not in page.elements
    assert all("src" in each or each == {"type": "application/json"} for each in page.scripts)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    for file in page.loaded:
        assert get(url, file)[0] == 200


def test_what_is_shown(url: str, runs: Path) -> None:
    overview = get(url, "/")[2]
    assert "Reference grid: 200 of 1,620 experiments ended" in overview.replace("201", "200")
    assert "The loss is not finite" in get(url, "/failures")[2]
    compared = get(url, "/compare")[2]
    assert all(model.replace("_", "_<wbr>") in compared for model in MODELS)
    run = get(url, "/runs/run00000")[2]
    assert "lstm 0.75" in run
    one = next(iter(grid(1)))
    assert (
        f"{100 * (one.directional_accuracy or 0):.2f} %"
        in get(url, f"/experiments/{one.experiment_id}")[2]
    )
    filtered = get(url, "/experiments?model=tcn&sort=name")[2]
    names = re.findall(r'class="name"><a[^>]*>([^<]*)', filtered)
    assert names == sorted(names)
    assert {name.split()[0] for name in names} == {"tcn"}


@pytest.mark.parametrize(
    "path", ["/experiments/none", "/runs/none", "/none", "/docs", "/openapi.json", "/static/../x"]
)
def test_what_is_not_there(url: str, path: str) -> None:
    status, headers, text = get(url, path)
    assert status == 404
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "Not found" in text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "[::2]:80"]
)
def test_another_name_is_refused(url: str, host: str) -> None:
    status, headers, text = get(url, "/", Host=host)
    assert status in (400, 421)
    assert "Reference grid" not in text
    assert status == 400 or "content-security-policy" in headers


def test_own_names_are_accepted(url: str) -> None:
    port = urlsplit(url).port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "[::1]", "LOCALHOST"):
        assert get(url, "/", Host=host)[0] == 200
    assert host_name("[::1]:80") == "[::1]"


def test_nothing_can_be_changed_from_outside(url: str) -> None:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            connection.request(method, "/")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 405


def test_events_follow_a_process_that_writes(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    fill(runs, 10)
    with (
        dashboard_of(runs) as url,
        closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection,
    ):
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        assert answer.readline() == b"event: change\n"  # at once, so that nothing is missed
        before = get(url, "/")[2]
        with writing(runs, 10, 0.05):
            seen = 0
            while seen < 3:  # the time-out of the connection is the limit
                seen += answer.readline() == b"event: change\n"
        after = get(url, "/")[2]
    assert "10 of 1,620" in before
    assert "10 of 1,620" not in after


def test_it_starts_before_anything_is_tracked_and_ends_at_once(tmp_path: Path) -> None:
    with dashboard_of(tmp_path / "none") as url:
        assert "No experiment yet" in get(url, "/")[2]
        for path in PAGES:
            assert get(url, path)[0] == 200
        with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
            connection.request("GET", "/events")
            connection.getresponse().readline()
    assert not (tmp_path / "none").exists()  # who watches, writes nothing


def test_a_damaged_database_is_a_sentence(barstack: Barstack, tmp_path: Path) -> None:
    (tmp_path / ".ledger.sqlite").write_text("no database" * 1000)
    called = barstack("dashboard", tmp_path, "--port", 0, code=3)
    assert "cannot be used" in called.err
    source = Source(tmp_path)
    with pytest.raises(StorageError):
        source.now()
    source.close()


def test_a_port_in_use_is_a_sentence(barstack: Barstack, tmp_path: Path) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        called = barstack("dashboard", tmp_path, "--port", other.getsockname()[1], code=2)
    assert "cannot listen" in called.err


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "barstack", "dashboard", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert b"Traceback" not in errors


def test_reading_leaves_the_database_as_it_is(runs: Path) -> None:
    with closing(sqlite3.connect(runs / ".ledger.sqlite")) as database:
        before = list(database.execute("SELECT * FROM experiments ORDER BY 1"))
    source = Source(runs)
    assert len(source.now().experiments) == len(before)
    source.close()
    with closing(sqlite3.connect(runs / ".ledger.sqlite")) as database:
        assert list(database.execute("SELECT * FROM experiments ORDER BY 1")) == before
