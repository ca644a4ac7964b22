"""Features of one's own: how they join, and how leaks are refused or caught."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import pytest

import barstack as bs
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.experiments import Study, audit, run_study
from barstack.features import FEATURES, Feature, FeatureSet, Kernel, feature
from barstack.features._view import REAL, WHOLE
from barstack.testing import FEATURE_CHECKS, walk

BARS = walk(300)
TOMORROW = np.roll(BARS.close, -1)


@pytest.fixture(autouse=True)
def _leave_no_plugin_behind() -> Iterator[None]:
    FEATURES.names()  # load the built-in ones first
    before = dict(FEATURES._entries)
    yield
    FEATURES._entries.clear()
    FEATURES._entries.update(before)


def test_a_decorated_function_is_a_feature_and_joins_the_suite() -> None:
    squared: Any = numba.njit(lambda x: x * x)

    @feature(group="candles", memory=1, warmup=1, unit="log squared", low=0)
    def squared_move(state, bar, power=1):  # type: ignore[no-untyped-def]
        before = state[0]
        state[0] = bar.close
        return squared(math.log(bar.close / before)) ** power if before > 0 else np.nan

    assert "squared_move" in FEATURES.names()
    for check in FEATURE_CHECKS:
        check(Feature(feature="squared_move"), BARS)
    got = FeatureSet(features=(Feature(feature="squared_move"),)).compute(BARS).values[:, 0]
    np.testing.assert_allclose(got[1:], np.diff(np.log(BARS.close)) ** 2)


def test_a_feature_that_looks_into_an_array_is_refused() -> None:
    @feature(group="leak", memory=1, warmup=0, unit="price")
    def reads_tomorrow(state, bar):  # type: ignore[no-untyped-def]
        state[0] += 1
        return TOMORROW[int(state[0]) - 1]

    with pytest.raises(ConfigError, match="uses 'TOMORROW', a ndarray outside it"):
        FeatureSet(features=(Feature(feature="reads_tomorrow"),)).compute(BARS)


def test_an_unknown_field_of_a_bar_is_refused() -> None:
    @feature(group="test", memory=0, unit="price")
    def reads_closing(state, bar):  # type: ignore[no-untyped-def]
        return bar.closee

    with pytest.raises(ConfigError, match=r"reads bar\.closee\. Did you mean 'close'\?"):
        FeatureSet(features=(Feature(feature="reads_closing"),)).compute(BARS)


@dataclass(frozen=True, eq=False)
class ReadsTheNextBar(Kernel):
    """A plugin that goes round the loop: history with the next bar's close at hand."""

    @property
    def loop(self):  # type: ignore[no-untyped-def]
        def loop(state, whole, real, out, params):  # type: ignore[no-untyped-def]
            close = real[REAL.index("close"), : len(out)]
            out[:] = np.roll(close, -1) / close - 1

        return loop


def plant_leak() -> None:
    def next_bar(state, bar):  # type: ignore[no-untyped-def]
        return 0.0

    FEATURES.add(
        "next_bar",
        ReadsTheNextBar(
            name="next_bar",
            group="leak",
            step=next_bar,
            params={},
            memory=0,
            warmup=0,
            unit="fraction",
            low=-math.inf,
            high=math.inf,
            scale_free=True,
            about="",
        ),
    )


def test_a_planted_leak_is_caught_and_located() -> None:
    plant_leak()
    features = FeatureSet(features=(Feature(feature="rsi"), Feature(feature="next_bar")))
    with pytest.raises(
        LeakError, match=r"Feature 'next_bar' of WALK at 2026-01-.* reads the future"
    ):
        bs.assert_causal(features, BARS)


def test_a_study_with_a_planted_leak_fits_nothing(tmp_path: Path) -> None:
    plant_leak()
    study = Study(
        bars="sample",
        features=["rsi", "next_bar"],
        label={"label": "return", "horizons": [1]},
        members=["ridge"],
    )
    with pytest.raises(LeakError, match="next_bar"):
        run_study(study, runs=tmp_path)
    assert not (tmp_path / ".store" / "member").exists()


def test_the_id_follows_the_formula() -> None:
    def make(factor: float) -> str:
        @feature(group="test", memory=0, warmup=0, unit="x")
        def scaled_body(state, bar):  # type: ignore[no-untyped-def]
            return factor * (bar.close - bar.open)

        return Feature(feature="scaled_body").id

    # Same text and same constant: same feature. Another constant: another feature.
    assert make(1.0) == make(1.0)
    assert make(1.0) != make(2.0)


def test_mistakes_are_explained() -> None:
    with pytest.raises(ConfigError, match=r"Unknown feature 'rsy'\. Did you mean 'rsi'"):
        Feature(feature="rsy")
    with pytest.raises(ConfigError, match=r"has no parameter 'windw'. Did you mean 'window'"):
        Feature(feature="rsi", params={"windw": 3})
    with pytest.raises(ConfigError, match="whole number of at least 1, got 0"):
        Feature(feature="rsi", params={"window": 0})
    with pytest.raises(ConfigError, match="given twice: rsi_14"):
        FeatureSet(features=(Feature(feature="rsi"), Feature(feature="rsi")))
    with pytest.raises(ConfigError, match="Cannot make 1min bars from 30min bars"):
        FeatureSet(features=(Feature(feature="rsi", timeframe="1min"),)).compute(BARS)


def test_a_default_written_out_is_the_same_feature() -> None:
    plain, spelled = Feature(feature="rsi"), Feature(feature="rsi", params={"window": 14})
    assert plain.id == spelled.id
    assert plain.name == spelled.name
    assert plain.id != Feature(feature="rsi", params={"window": 13}).id
    assert plain.id != Feature(feature="rsi", timeframe="1d").id


def planted(name: str, loop: Callable[..., None]) -> None:
    """Register a feature whose history is computed by `loop(whole, real, out)` at once."""

    @dataclass(frozen=True, eq=False)
    class Planted(Kernel):
        @property
        def loop(self):  # type: ignore[no-untyped-def]
            return lambda state, whole, real, out, params: loop(whole, real, out)

    def step(state, bar):  # type: ignore[no-untyped-def]
        return 0.0

    FEATURES._entries[name] = Planted(
        name, "leak", step, {}, 0, 0, "fraction", -math.inf, math.inf, True, ""
    )


def close_of(real: Any, out: Any) -> pd.Series:
    return pd.Series(real[REAL.index("close"), : len(out)])


def centred_window(whole: Any, real: Any, out: Any) -> None:
    out[:] = close_of(real, out).rolling(5, center=True, min_periods=1).mean()


def full_sample_scaling(whole: Any, real: Any, out: Any) -> None:
    close = close_of(real, out)
    out[:] = (close - close.mean()) / (close.std() if len(close) > 1 else 1.0)


def day_before_it_closed(whole: Any, real: Any, out: Any) -> None:
    day = whole[WHOLE.index("session"), : len(out)]
    out[:] = close_of(real, out).groupby(day).transform("last")


def filled_from_the_future(whole: Any, real: Any, out: Any) -> None:
    close = close_of(real, out)
    out[:] = close.where(np.arange(len(close)) % 4 == 0).bfill().ffill()


def label_derived(whole: Any, real: Any, out: Any) -> None:
    close = close_of(real, out)
    out[:] = (close.shift(-4) / close - 1.0).fillna(0.0)


LEAKS = [
    centred_window,
    full_sample_scaling,
    day_before_it_closed,
    filled_from_the_future,
    label_derived,
]


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_the_audit_finds_the_classic_leaks(leak: Callable[..., None], tmp_path: Path) -> None:
    planted(leak.__name__, leak)
    study = Study(
        bars={"provider": "sample", "start": "2026-01-01"},
        features=["rsi", leak.__name__, "body"],
        label={"label": "return", "horizons": [1]},
        members=["ridge"],
    )
    found = audit(study, folder=tmp_path)
    assert {each.column for each in found} == {leak.__name__}
    assert found[0].stage == "features"
    assert "reads the future" in found[0].what


def test_a_clean_study_has_no_leaks(tmp_path: Path) -> None:
    study = Study(
        bars="sample",
        label={"label": "return", "horizons": [1, "1d"]},
        members=["ridge"],
    )
    assert audit(study, folder=tmp_path) == []


def test_the_reason_why_a_step_does_not_compile_is_shown() -> None:
    @feature(group="test", memory=1, unit="x")
    def writes_text(state, bar):  # type: ignore[no-untyped-def]
        return "up" if bar.close > bar.open else 1.0

    with pytest.raises(ConfigError, match=r"'writes_text' does not compile: .* A step may use"):
        FeatureSet(features=(Feature(feature="writes_text"),)).compute(BARS)


def test_a_step_may_assign_slices_and_make_arrays() -> None:
    @feature(group="test", memory=3, warmup=2, unit="price")
    def middle_of_three(state, bar):  # type: ignore[no-untyped-def]
        state[:-1] = state[1:]
        state[-1] = bar.close
        return np.nan if state[0] == 0.0 else np.sort(state)[1]

    got = FeatureSet(features=(Feature(feature="middle_of_three"),)).compute(BARS).values[:, 0]
    np.testing.assert_array_equal(got, pd.Series(BARS.close).rolling(3).median())


def test_nothing_outside_a_step_can_hold_the_future() -> None:
    """Not in a comprehension, an inner function, or a helper's default."""

    @feature(group="leak", memory=1, unit="price")
    def in_a_comprehension(state, bar):  # type: ignore[no-untyped-def]
        return sum([TOMORROW[i] for i in range(2)])

    def peek(i, table=tuple(TOMORROW[:3])):  # type: ignore[no-untyped-def]
        return table[i]

    helper = numba.njit(peek)

    @feature(group="leak", memory=1, unit="price")
    def in_a_default(state, bar):  # type: ignore[no-untyped-def]
        return helper(1)

    @feature(group="leak", memory=1, unit="price")
    def at_random(state, bar):  # type: ignore[no-untyped-def]
        return np.random.random()

    for name, message in (
        ("in_a_comprehension", "uses 'TOMORROW', a ndarray"),
        ("in_a_default", "uses 'default 0', a tuple"),
        ("at_random", "uses np.random"),
    ):
        with pytest.raises(ConfigError, match=message):
            _ = Feature(feature=name).id


def test_the_id_follows_what_names_stand_for() -> None:
    def make(snap: Callable[[float], float], **options: bool) -> str:
        @numba.njit(**options)  # type: ignore[call-overload]
        def helper(x):  # type: ignore[no-untyped-def]
            return x * 3.0

        @feature(group="test", memory=0, unit="x")
        def snapped(state, bar):  # type: ignore[no-untyped-def]
            return helper(snap(bar.close))

        return Feature(feature="snapped").id

    assert make(math.floor) == make(math.floor)
    assert make(math.floor) != make(math.ceil)
    assert make(math.floor) != make(math.floor, fastmath=True)


def test_an_infinite_value_is_reported_with_its_row() -> None:
    @feature(group="test", memory=0, unit="x")
    def one_over_nothing(state, bar):  # type: ignore[no-untyped-def]
        return 1.0 / (bar.close - bar.close)

    study = Study(
        bars="sample",
        features=["rsi", "one_over_nothing"],
        label={"label": "return", "horizons": [1]},
        members=["ridge"],
    )
    with pytest.raises(DataError, match=r"'one_over_nothing' of AAPL is infinite at"):
        audit(study)


def test_a_step_that_writes_outside_its_memory_is_found() -> None:
    @feature(group="test", memory=1, unit="price")
    def too_far(state, bar):  # type: ignore[no-untyped-def]
        state[5] = bar.close
        return state[5]

    with pytest.raises(
        pytest.fail.Exception, match="too_far writes outside its 1 floats of memory"
    ):
        FEATURE_CHECKS[0](Feature(feature="too_far"), BARS)
