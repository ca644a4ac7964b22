"""A predictor made quick: in a stream it says what a batch says, and how each member runs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from barstack import Predictor, load
from barstack.bars import Bars
from barstack.forecasting import LiveEnsemble, OneRowEnsemble
from barstack.testing import walk

ARTIFACT = Path(__file__).parent / "data" / "format_2" / "artifact"


@pytest.fixture(scope="module")
def fast() -> Predictor:
    """Ridge, LightGBM and an LSTM."""
    return load(ARTIFACT).fast()


def test_how_each_member_runs_is_said(fast: Predictor) -> None:
    assert fast.compiled == {"ridge": "predict", "lightgbm": "compiled", "lstm": "compiled"}


@pytest.mark.parametrize("warmed_up_by", [1, 300, 415, 480])
def test_a_quick_stream_equals_a_batch(fast: Predictor, warmed_up_by: int) -> None:
    """Over bars with a week missing: it answers where a batch does, to 1e-5 of the deviation."""
    bars = with_gap(walk(600), after=420)
    batch = next(iter(fast.forecasts(bars).values()))
    expected = dict(zip(batch.decisions.decided_at, batch.values, strict=True))
    stream, deviation = fast.stream(bars[:warmed_up_by]), batch.values.std(axis=0)
    answers = 0
    for row in range(warmed_up_by, len(bars)):
        forecast, at = stream.update(bars[row : row + 1]), bars.closed_at[row]
        assert (forecast is not None) == (at in expected)
        if forecast is not None:
            assert (np.abs(forecast.values[0] - expected[at]) <= 1e-5 * deviation).all()
            answers += 1
    assert answers > 30


def with_gap(bars: Bars, after: int) -> Bars:
    """The bars, of which a week and more is missing after the first so many."""
    week = bars.closed_at > bars.closed_at[after] + np.timedelta64(9, "D")
    return replace(bars, records=bars.records[(np.arange(len(bars)) <= after) | week])


def test_rows_taken_in_any_portions_make_one_state(fast: Predictor) -> None:
    """Those that fit into what is kept, more than that, and none; an incomplete one begins anew."""
    one_row = OneRowEnsemble.fast(fast.trained)
    rng = np.random.default_rng(0)
    keep, width = fast.trained.lookback_bars, len(fast.trained.features.columns)
    table = rng.normal(0.0, 0.02, (200, width))
    incomplete = [60, 63, 140]
    table[incomplete, 0] = np.nan
    live, end, answers = LiveEnsemble(one_row), 0, 0
    while end < len(table):
        size = int(rng.choice([0, 1, 1, 1, 2, keep - 1, keep, 3 * keep]))
        live.take(table[end : end + size])
        end = min(end + size, len(table))
        np.testing.assert_array_equal(live.rows, table[max(end - keep, 0) : end])
        window, found = live.rows, live.forecast()
        whole = len(window) == keep and bool(np.isfinite(window).all())
        assert (found is not None) == whole
        if found is not None:
            for name, expected in one_row.predict(window).items():
                np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-8)
            answers += 1
    assert answers > 20


def test_after_a_reset_the_rows_before_it_count_for_nothing(fast: Predictor) -> None:
    live = LiveEnsemble(OneRowEnsemble.plain(fast.trained))
    keep, width = fast.trained.lookback_bars, len(fast.trained.features.columns)
    rows = np.random.default_rng(0).normal(0.0, 0.02, (3 * keep, width))
    live.take(rows[:keep])
    assert live.forecast() is not None
    live.reset()
    said = [live.update(row) for row in rows[keep : 2 * keep]]
    assert all(each is None for each in said[:-1])
    assert said[-1] is not None


WITHOUT = """
import sys
import numpy as np

class OutOfReach:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[2].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, OutOfReach())
import barstack as bs

model = bs.load(sys.argv[1])
fast = model.fast()
print(fast.compiled)
rows = np.linspace(-0.02, 0.02, 12).reshape(6, 2)
print(fast.predict_row(rows) == model.predict_row(rows), "lightgbm" in sys.modules)
"""


def test_without_the_extra_networks_run_as_before_and_it_is_said() -> None:
    """Nor does an artifact need the library that grew its trees."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(ARTIFACT), "onnxruntime,lightgbm"],
        capture_output=True,
        text=True,
        check=True,
    )
    said, equal = done.stdout.splitlines()
    assert "'lstm': \"predict. For ONNX Runtime, pip install 'barstack[fast]'" in said
    assert equal == "True False"
