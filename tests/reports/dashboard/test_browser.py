"""The dashboard in a real browser, while a second process writes experiments."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.reports.dashboard.rows import fill, grid
from tests.reports.dashboard.server import dashboard_of, until, writing

from barstack.tracking import ExperimentTracker

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium")
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DRAWN = """box => { const canvas = box.querySelector("canvas");
  return canvas && canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
    .data.some(each => each !== 0); }"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed, so no browser has seen the dashboard")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    first, *_ = fill(folder, 120)
    with ExperimentTracker(folder) as tracker:
        hostile = replace(first, experiment_id="hostile", params={"name": HOSTILE}, symbol=HOSTILE)
        tracker.fail(hostile, HOSTILE)
    return folder


class Watched:
    """A page whose requests, console and errors are kept."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.elsewhere: list[str] = []
        self.wrong: list[str] = []
        page.on("request", lambda request: self._requested(request.url))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self._logged(message.type, message.text))

    def _requested(self, url: str) -> None:
        if not url.startswith(self.url):
            self.elsewhere.append(url)

    def _logged(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.wrong.append(text)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)
        self.page.wait_for_selector("#link[data-state=on]")

    def completed(self) -> int:
        tile = self.page.locator("#progress dd").first
        return int(tile.inner_text().replace(",", ""))

    def drawn(self) -> bool:
        boxes = self.page.locator("[data-chart]").all()
        return bool(boxes) and all(box.evaluate(DRAWN) for box in boxes)


def test_all_pages_while_rows_are_written(browser: Browser, runs: Path) -> None:
    with dashboard_of(runs) as url, writing(runs, 120, 0.1):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        seen = Watched(page, url)

        # The overview counts up without being loaded again.
        seen.open("")
        page.evaluate("window.notReloaded = true")
        begin = seen.completed()
        until(lambda: seen.completed() >= begin + 3)
        assert page.evaluate("window.notReloaded")
        until(seen.drawn)

        # Comparisons: all parts, another measure, and a filter that is a cell of the heatmap.
        page.click("nav >> text=Compare")
        page.wait_for_selector("#heat td a")
        until(seen.drawn)
        assert page.locator("#models svg.box").count() == 9
        assert page.locator("#settings table").count() == 5
        page.select_option("select[name=by]", "rmse")
        page.wait_for_url("**by=rmse**")
        assert "RMSE" in page.inner_text("#models h2")
        page.locator("#heat td a").first.click()
        page.wait_for_url("**/experiments?**model=**")

        # The table: filters, sorting, pages.
        page.click("text=Clear")
        page.wait_for_url(lambda address: "model=" not in address)
        page.click("text=Next")
        page.wait_for_url("**page=2**")
        page.click("#sort-rmse")
        page.wait_for_url("**sort=rmse**")
        assert page.locator("th[aria-sort=ascending]").inner_text().startswith("RMSE")
        page.select_option("select[name=model]", "tcn")
        page.wait_for_url("**model=tcn**")
        names = page.locator("#table td.name").all_inner_texts()
        assert names
        assert all(name.startswith("tcn") for name in names)

        # An experiment with learning curves, and its run.
        seen.open(f"experiments/{next(iter(grid(1))).experiment_id}")
        until(seen.drawn)
        assert "train_loss" in page.inner_text("#curves")
        page.click("#facts code")
        page.wait_for_selector("#members td.name")

        # Failures: text of strangers stays text.
        page.click("nav >> text=Failures")
        page.wait_for_selector("pre.error")
        page.click("#causes a >> nth=0")
        page.wait_for_selector("#facts")
        seen.open("experiments/hostile")
        assert HOSTILE in page.inner_text("h1")
        assert page.title().startswith("</script>")
        assert page.locator("main img").count() == 0

        assert seen.elsewhere == []
        assert seen.wrong == []
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, runs: Path, scheme: str) -> None:
    with dashboard_of(runs) as url:
        page = browser.new_page(
            viewport={"width": 390, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        seen = Watched(page, url)
        for path in ("", "compare", "experiments", "failures", "experiments/hostile"):
            seen.open(path)
            assert page.evaluate("document.documentElement.scrollWidth") == 390
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(15, 19, 23)") == (scheme == "dark")
        assert seen.wrong == seen.elsewhere == []
        page.close()


def test_keys_reach_everything_and_focus_outlives_changes(browser: Browser, runs: Path) -> None:
    with dashboard_of(runs) as url:
        page = browser.new_page()
        seen = Watched(page, url)
        seen.open("experiments")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        reached = []
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate("document.activeElement.id || document.activeElement.name")
            )
        assert {"model", "horizon", "find", "sort-ic", "sort-finished"} <= set(reached)
        page.focus("#sort-ic")
        before = page.inner_text("#table .note")
        with writing(runs, 120, 0.05):
            until(lambda: page.inner_text("#table .note") != before)
        assert page.evaluate("document.activeElement.id") == "sort-ic"
        page.keyboard.press("Enter")
        page.wait_for_url("**sort=-ic**")
        page.close()


def test_it_says_when_the_server_is_gone_and_comes_back(browser: Browser, runs: Path) -> None:
    page = browser.new_page()
    with dashboard_of(runs) as url:
        seen = Watched(page, url)
        seen.open("")
    page.wait_for_selector("#link[data-state=lost]")
    assert "Reference grid" in page.inner_text("h1")  # what was known stays on the page
    with dashboard_of(runs, "--port", url.rstrip("/").rpartition(":")[2]):
        page.wait_for_selector("#link[data-state=on]", timeout=60_000)
    page.close()


def test_it_is_complete_without_scripts(browser: Browser, runs: Path) -> None:
    with dashboard_of(runs) as url:
        page = browser.new_page(java_script_enabled=False)
        page.goto(url + "compare")
        page.select_option("select[name=by]", "ic")
        page.click("text=Apply")
        assert "by=ic" in page.url
        assert "IC per model" in page.content()
        page.close()
