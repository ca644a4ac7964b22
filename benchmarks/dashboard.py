"""The dashboard with the reference grid: time to the first text, and requests elsewhere.

    python benchmarks/dashboard.py

1,620 made-up experiments go through the tracker. `barstack dashboard` is started as its own
process, and Debian's chromium opens each page with an empty cache. The time is that from asking
for the page to its first text on the screen (First Contentful Paint, as the browser measures it);
that of the slowest page counts, as the median of several openings.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from _benchmark import arguments, at_most, finish

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.reports.dashboard.rows import fill
from tests.reports.dashboard.server import dashboard_of
from tests.reports.dashboard.test_browser import FLAGS

PAGES = ("", "compare", "experiments", "failures")
OPENINGS = 5
FIRST_TEXT = """() => new Promise(done => new PerformanceObserver(list => {
  for (const each of list.getEntries())
    if (each.name === "first-contentful-paint") done(each.startTime);
}).observe({type: "paint", buffered: true}))"""


def main() -> None:
    """Fill a folder, open pages, and count."""
    arguments(__doc__ or "").parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("This benchmark needs chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (only where chromium is)

    times: dict[str, list[float]] = {page: [] for page in PAGES}
    requested: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        runs = Path(scratch) / "runs"
        fill(runs, 1620)
        with dashboard_of(runs) as url, sync_playwright() as driver:
            sizes = {page: len(urlopen(url + page).read()) for page in PAGES}
            browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
            for _ in range(OPENINGS):
                for page in PAGES:
                    context = browser.new_context(viewport={"width": 1280, "height": 900})
                    tab = context.new_page()
                    tab.on("request", lambda request: requested.append(request.url))
                    tab.goto(url + page)
                    times[page].append(float(tab.evaluate(FIRST_TEXT)))
                    tab.wait_for_selector("#link[data-state=on]")
                    context.close()
            browser.close()
    medians = {page: round(median(own), 1) for page, own in times.items()}
    finish(
        "dashboard",
        {
            "dashboard_text_ms": at_most(max(medians.values()), 1000),
            "dashboard_external_requests": at_most(
                sum(not each.startswith(url) for each in requested), 0
            ),
        },
        {
            "experiments": 1620,
            "text_ms": {f"/{page}": value for page, value in medians.items()},
            "page_bytes": {f"/{page}": value for page, value in sizes.items()},
            "requests": len(requested),
        },
    )


if __name__ == "__main__":
    main()
