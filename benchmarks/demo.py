"""The demo's time, and whether a stream of the newest 500 bars equals history.

    python benchmarks/demo.py [--seed N] [--data DIR --calendar XNYS]

The demo runs three times in fresh folders, once with no compiled feature to reuse; its bar is
the median. For the streams, the demo's study is trained without the last 500 bars of each
symbol, which are then given one at a time, and all at once.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from _benchmark import arguments, at_most, finish

import barstack as bs
from barstack.bars import PROVIDERS

STREAMED_BARS = 500


def demo_seconds(runs: Path, cache: Path | None) -> float:
    """Seconds that `barstack demo` takes as a command of its own."""
    environment = os.environ | ({"BARSTACK_CACHE": str(cache)} if cache else {})
    start = time.perf_counter()
    command = [sys.executable, "-m", "barstack", "demo", "--runs", str(runs), "--json"]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def demo_study(source: dict[str, Any], seed: int) -> bs.Study:
    """The demo's study on other bars."""
    content = yaml.safe_load((files("barstack.cli") / "demo.yaml").read_text())
    return bs.Study(**(content | {"bars": source, "seed": seed}))


def stream_differences(source: dict[str, Any], seed: int, runs: Path) -> tuple[int, float, float]:
    """(features unequal, worst forecast difference in deviations, microseconds a bar)."""
    panel = PROVIDERS.parse(source).load()
    (bars,) = panel.values()
    split = len(bars) - STREAMED_BARS
    study = demo_study(source | {"end": str(bars.closed_at[split - 1])}, seed)
    predictor = bs.load(bs.run(study, runs=runs).folder)
    forecast = next(iter(predictor.forecasts(bars).values()))
    table = predictor.trained.features.compute(bars)

    stream = predictor.stream(history=bars[:split])
    unequal, answers = 0, []
    start = time.perf_counter()
    for row in range(split, len(bars)):
        answers.append(stream.update(bars[row : row + 1]))
        expected = table.values[row]
        unequal += int((stream.features[-1] != expected).sum())
    seconds = time.perf_counter() - start
    streamed = np.concatenate([answer.values for answer in answers if answer is not None])
    whole = forecast.values[-STREAMED_BARS:]
    assert streamed.shape == whole.shape
    worst, deviation = np.abs(streamed - whole).max(axis=0), whole.std(axis=0)
    # An ensemble that trusts no member forecasts zero throughout: then nothing may differ at all.
    worst = np.where(deviation > 0.0, worst / np.where(deviation > 0.0, deviation, 1.0), worst)
    return unequal, float(worst.max()), seconds / STREAMED_BARS * 1e6


def sources(data: Path | None, calendar: str) -> dict[str, dict[str, Any]]:
    """The bars to stream: the sample, or every file of a folder."""
    if data is None:
        return {"AAPL sample": {"provider": "sample", "calendar": "XNYS"}}
    found = sorted([*data.glob("*.parquet"), *data.glob("*.csv")])[:5]
    return {
        file.stem: {"provider": "files", "path": str(file.resolve()), "calendar": calendar}
        for file in found
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--calendar", default="24/7", help="of the bars in --data")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cold = demo_seconds(folder / "cold", folder / "cache")
        warm = [demo_seconds(folder / f"warm{turn}", None) for turn in range(3)]
        again = demo_seconds(folder / "warm0", None)
        figures: dict[str, Any] = {
            "demo_cold_kernels_s": round(cold, 1),
            "demo_second_run_s": round(again, 1),
            "streams": {},
        }
        unequal, worst = 0, 0.0
        for name, source in sources(options.data, options.calendar).items():
            differing, difference, microseconds = stream_differences(
                source, options.seed, folder / "streams"
            )
            unequal, worst = unequal + differing, max(worst, difference)
            figures["streams"][name] = {
                "features_unequal": differing,
                "forecast_diff": difference,
                "update_us": round(microseconds, 1),
            }
            print(f"{name}: {figures['streams'][name]}")
        print(f"demo: {[round(each, 1) for each in warm]} s, kernels to compile {cold:.1f} s")
    bars = {
        "demo_s": at_most(round(statistics.median(warm), 1), 90),
        "stream_features_unequal": at_most(unequal, 0),
        "stream_forecast_diff": at_most(worst, 1e-5),
    }
    finish("demo", bars, figures)


if __name__ == "__main__":
    main()
