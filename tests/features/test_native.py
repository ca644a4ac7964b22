"""Machine code kept from one process to the next: reused, and compiled again if damaged."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest

from barstack.bars import BAR, no_bar_forming
from barstack.core.errors import ConfigError
from barstack.features import FEATURES, Feature, FeatureSet, feature
from barstack.features._block import compiled
from barstack.features.pieces.logarithm import ln
from barstack.testing import walk

BARS = walk(300)

TWO_PROCESSES = """
import sys, time
import numpy as np
from barstack.features import Feature, FeatureSet
from barstack.features import _native
from barstack.testing import walk

made = []
write = _native._write
_native._write = lambda path, code: (made.append(path.name), write(path, code))
rsi = FeatureSet(features=(Feature(feature="rsi"),)).compute(walk(300)).values
print(len(made), float(np.nansum(rsi)))
"""

ANOTHER_NUMBA = """
import sys
import numba
numba.__version__ = "0.0"
from barstack.features import Feature, FeatureSet
from barstack.testing import walk

features = (Feature(feature="rsi"), Feature(feature="body", timeframe="1d"))
sys.stdout.buffer.write(FeatureSet(features=features).compute(walk(300)).values.tobytes())
"""


@pytest.fixture(autouse=True)
def _leave_no_plugin_behind() -> Iterator[None]:
    FEATURES.names()  # load the built-in ones first
    before = dict(FEATURES._entries)
    yield
    FEATURES._entries.clear()
    FEATURES._entries.update(before)


def _values(name: str) -> np.ndarray:
    return FeatureSet(features=(Feature(feature=name),)).compute(BARS).values[:, 0]


def test_code_is_reused_and_compiled_again_where_it_is_truncated(tmp_path: Path) -> None:
    def run() -> tuple[int, str]:
        environment = os.environ | {"BARSTACK_CACHE": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", TWO_PROCESSES],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        made, total = done.stdout.split()
        return int(made), total

    first, total = run()
    assert first >= 2  # the formula's loop, and what is done with any bars
    assert run() == (0, total)
    files = sorted((tmp_path / "kernels").glob("*.o"))
    for part in (0.0, 0.9):
        for file in files:
            file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
        assert run() == (len(files), total)
    assert run() == (0, total)


def test_another_version_of_numba_compiles_in_each_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ANOTHER_NUMBA]
    environment = os.environ | {"BARSTACK_CACHE": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    features = (Feature(feature="rsi"), Feature(feature="body", timeframe="1d"))
    assert done.stdout == FeatureSet(features=features).compute(BARS).values.tobytes()
    assert not list(tmp_path.iterdir())


def test_the_error_of_a_step_names_its_feature() -> None:
    @feature(group="test", memory=0, unit="x")
    def raises(state, bar):  # type: ignore[no-untyped-def]
        if bar.close > 0.0:
            raise ValueError("too high")
        return 1.0

    message = r"'raises' raises ValueError: too high\. Let its step return a number"
    with pytest.raises(ConfigError, match=message):
        _values("raises")


def test_a_step_may_print_while_it_is_being_written(capfd: pytest.CaptureFixture[str]) -> None:
    @feature(group="test", memory=1, unit="bars")
    def counts_bars(state, bar):  # type: ignore[no-untyped-def]
        state[0] += 1.0
        if state[0] == 3.0:
            print("bar", int(state[0]))
        return state[0]

    np.testing.assert_array_equal(_values("counts_bars"), np.arange(1, len(BARS) + 1))
    assert "bar 3" in capfd.readouterr().out


def test_arrays_of_another_type_are_refused() -> None:
    forming, closed = no_bar_forming(), np.zeros(4, BAR)
    with pytest.raises(TypeError, match="An array of 1 axes of int64 is needed here"):
        compiled("aggregate")(forming, BARS.records[:2], 1, closed, np.zeros(4))
    with pytest.raises(TypeError, match="is needed here"):
        compiled("aggregate")(forming, BARS.records[:4:2], 1, closed, np.zeros(4, np.int64))


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_share_columns_and_change_nothing(threads: int) -> None:
    names = ("rsi", "body", "sma_distance", "log_return", "atr", "gap", "macd", "hurst", "streak")
    features = FeatureSet(features=tuple(Feature(feature=name) for name in names))
    alone = features.compute(BARS, threads=1).values
    np.testing.assert_array_equal(features.compute(BARS, threads=threads).values, alone)


def test_the_logarithm_is_that_of_math_to_the_last_place() -> None:
    rng = np.random.default_rng(0)
    near, far = np.exp(rng.normal(0, 1e-3, 20_000)), np.exp(rng.normal(0, 50, 20_000))
    x = np.concatenate([near, far, 1.0 + np.arange(-50, 50) * 2.0**-52, [5e-324, 1e-310, 1e308]])
    got = _logarithms(x)
    expected = np.array([math.log(each) for each in x])
    assert (np.abs(got - expected) <= np.spacing(np.abs(expected))).all()
    odd = np.array([0.0, -0.0, -1.0, -np.inf, np.nan, np.inf])
    np.testing.assert_array_equal(
        _logarithms(odd), [-np.inf, -np.inf, np.nan, np.nan, np.nan, np.inf]
    )


@numba.njit(error_model="numpy")
def _logarithms(x):  # type: ignore[no-untyped-def]
    out = np.empty_like(x)
    for place in range(len(x)):
        out[place] = ln(x[place])
    return out
