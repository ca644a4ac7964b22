"""Invalid input is refused with a sentence; values stay constant while prices do not move."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from barstack.bars import Bars
from barstack.core.errors import ConfigError, DataError
from barstack.features import FEATURES, Feature, FeatureSet, feature
from barstack.testing import walk
from barstack.testing._features import company

BARS = walk(60)
FLAT_FROM, FLAT_BARS = 200, 40_000  # rates fade below the smallest float after some 10,000 bars


@pytest.fixture(autouse=True)
def _leave_no_plugin_behind() -> Iterator[None]:
    FEATURES.names()  # load the built-in ones first
    before = dict(FEATURES._entries)
    yield
    FEATURES._entries.clear()
    FEATURES._entries.update(before)


def one(name: str, **params: float) -> FeatureSet:
    return FeatureSet(features=(Feature(feature=name, params=params),))


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("round_number_distance", {"spacing": 0}, "spacing must be at least 1e-06, got 0"),
        ("round_number_distance", {"spacing": -0.5}, "at least 1e-06, got -0.5"),
        ("round_number_distance", {"spacing": 7}, "spacing must be at most 1, got 7"),
        ("fractional_difference", {"order": 400}, "order must be at most 2, got 400"),
        ("parabolic_sar_distance", {"speed": 0.3}, "speed must be at most fastest, 0.2, got 0.3"),
        ("trend_state", {"leave": 0.5}, "leave must be at most enter, 0.25, got 0.5"),
        ("crash_state", {"enter": 1}, "leave must be at most enter, 1, got 1.5"),
        ("opening_range_position", {"minutes": 2000}, "minutes must be at most 1,440, got 2000"),
        ("rsi", {"window": 1e30}, r"window must be at most 1,000,000, got 1e\+30"),
        ("rsi", {"window": 10**18}, "window must be at most 1,000,000"),
        ("rsi", {"window": 2.5}, "window must be a whole number of at least 1, got 2.5"),
        ("relative_volume_by_time", {"sessions": 10**6, "minutes": 1}, "Choose other parameters"),
    ],
)
def test_parameters_out_of_bounds(name: str, params: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Feature(feature=name, params=params)


@pytest.mark.parametrize("name", FEATURES.names())
def test_every_fraction_has_bounds_that_work(name: str) -> None:
    """At either bound of each the values are finite past the warm-up."""
    kernel = FEATURES.get(name)
    for parameter, usual in kernel.params.items():
        if isinstance(usual, float):
            for bound in kernel.bounds[parameter]:
                value = kernel.params[bound] if isinstance(bound, str) else bound
                others = {"leave": 0.0, "speed": 0.0} if value == 0.0 else {}
                params = {key: others.get(key, kernel.params[key]) for key in kernel.params}
                made = Feature(feature=name, params=params | {parameter: value})
                values = FeatureSet(features=(made,)).compute(walk(400)).values[made.warmup :, 0]
                assert np.isfinite(values).all(), made.name


def test_columns_of_parameters_that_differ_differ() -> None:
    named = {
        Feature(feature=name, params=params).name
        for name, params in (
            ("round_number_distance", {"spacing": 0.02}),
            ("round_number_distance", {"spacing": 0.02000001}),
            ("rsi", {"window": 999_999}),
            ("rsi", {"window": 1_000_000}),
            ("crash_state", {"enter": 3}),
        )
    }
    assert named == {
        "round_number_distance_0.02",
        "round_number_distance_0.02000001",
        "rsi_999999",
        "rsi_1000000",
        "crash_state_20_250_3_1.5",
    }


def _standstill(range_left: bool) -> Bars:
    """A walk that comes to rest, its last bar for ever after; or only without a range."""
    records = walk(FLAT_FROM + FLAT_BARS, length_us=60_000_000).records.copy()
    for price in ("open", "high", "low", "close"):
        last = records[price if range_left else "close"][FLAT_FROM - 1]
        records[price][FLAT_FROM:] = last
    records["volume"][FLAT_FROM:] = 0.0
    return Bars("REST", 60_000_000, records)


@pytest.mark.parametrize("range_left", [False, True])
def test_what_comes_to_rest_stays(range_left: bool) -> None:
    """No jump where gains, losses and volumes have faded below the smallest float."""
    names = ("rsi", "stochastic_rsi", "adx", "true_strength", "chaikin_oscillator", "force_index")
    columns = tuple(Feature(feature=name) for name in names)
    if not range_left:  # else moves fade against a range that does not
        columns += (Feature(feature="di_difference"),)
    values = FeatureSet(features=columns).compute(_standstill(range_left)).values
    settled = values[FLAT_FROM + 1000]
    assert (np.abs(settled[[0, 2, 3, 4, 5]]) > 1e-6).all()
    rest = values[FLAT_FROM + 1000 :]
    np.testing.assert_allclose(rest, np.broadcast_to(settled, rest.shape), rtol=1e-6)


def test_after_a_standstill_the_next_move_counts_fully() -> None:
    """Rest is forgotten: RSI starts from gains and losses of nearly nothing."""
    records = _standstill(range_left=False).records.copy()
    for price in ("high", "close"):
        records[price][-1:] *= 1.01
    values = one("rsi").compute(Bars("REST", 60_000_000, records)).values[:, 0]
    assert 0.0 < values[-2] < 100.0
    assert values[-1] == 100.0


def test_a_stream_refuses_what_is_not_newer() -> None:
    stream = one("rsi").stream(BARS.length_us)
    stream.update(BARS.records[:5])
    before = stream.snapshot()
    for records in (BARS.records[4:5], BARS.records[:1], BARS.records[[6, 5]]):
        with pytest.raises(DataError, match=r"came after one closed at .* each once\."):
            stream.update(records)
    for what in (BARS, BARS.records[5], np.zeros(3)):
        with pytest.raises(DataError, match=r"takes an array of bars such as bars\.records"):
            stream.update(what)  # type: ignore[arg-type]
    for name, array in stream.snapshot().items():  # nothing was taken in
        np.testing.assert_array_equal(array, before[name])
    assert stream.update(BARS.records[5:6]).shape == (1, 1)


def test_a_panel_stream_refuses_what_is_not_newer() -> None:
    features = one("beta", window=3)
    panel = {symbol: bars.records for symbol, bars in company(BARS).items()}
    first = next(iter(panel))
    stream = features.panel_stream(tuple(panel), BARS.length_us)
    with pytest.raises(DataError, match="came after one closed at"):
        stream.feed(panel | {first: panel[first][::-1]})
    got = stream.feed(panel)
    np.testing.assert_array_equal(got[first][:, 0], features.compute(company(BARS)).values[:60, 0])
    with pytest.raises(DataError, match="came after one closed at"):
        stream.update({first: panel[first][-1:]})
    assert stream.feed({}) == {}
    with pytest.raises(DataError, match="all closing at one moment, got none"):
        stream.update({})


def test_a_snapshot_of_other_features_is_refused() -> None:
    before = one("rsi", window=14).stream(BARS.length_us)
    before.update(BARS.records[:30])
    held = before.snapshot()
    after = one("rsi", window=21).stream(BARS.length_us)
    with pytest.raises(DataError, match=r"snapshot is of rsi_14 \(id .*stream has rsi_21 \(id"):
        after.restore(held)
    with pytest.raises(DataError, match="is of 30min bars where this stream has 1h bars"):
        one("rsi").stream(2 * BARS.length_us).restore(held)
    both = FeatureSet(features=(*one("rsi").features, Feature(feature="body")))
    more = both.stream(BARS.length_us)
    with pytest.raises(DataError, match="snapshot is of nothing where this stream has body"):
        more.restore(held | {"0_state_1": np.zeros(0)})
    with pytest.raises(DataError, match="snapshot has no 'made_of'"):
        after.restore({name: array for name, array in held.items() if name != "made_of"})
    again = one("rsi").stream(BARS.length_us)
    again.restore(held)
    np.testing.assert_array_equal(again.update(BARS.records[30:]), before.update(BARS.records[30:]))


def test_a_panel_snapshot_of_others_is_refused() -> None:
    held = one("beta").panel_stream(["A", "B"], BARS.length_us).snapshot()
    with pytest.raises(DataError, match="snapshot is of symbols A, B, this stream of A, C"):
        one("beta").panel_stream(["A", "C"], BARS.length_us).restore(held)
    with pytest.raises(DataError, match=r"is of beta_60 \(id .* where this stream has market_corr"):
        one("market_correlation").panel_stream(["A", "B"], BARS.length_us).restore(held)


def no_bar(state):  # type: ignore[no-untyped-def]
    return 1.0


def no_default(state, bar, window):  # type: ignore[no-untyped-def]
    return 1.0


def a_star(state, bar, *windows):  # type: ignore[no-untyped-def]
    return 1.0


def by_name_only(state, bar, *, window=3):  # type: ignore[no-untyped-def]
    return 1.0


def yes_or_no(state, bar, smooth=True):  # type: ignore[no-untyped-def]
    return 1.0


def returns_nothing(state, bar):  # type: ignore[no-untyped-def]
    state[0] = bar.close


def raises_always(state, bar):  # type: ignore[no-untyped-def]
    raise ValueError("no")


class NoFunction:
    """A class in a function's place."""


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (no_bar, "'no_bar' must take state and bar before its parameters, and takes state"),
        (no_default, "parameter 'window' needs a number as its default"),
        (a_star, r"parameter '\*windows' needs a number as its default, and no star"),
        (by_name_only, "parameter 'window=3' needs a number as its default, and no star"),
        (yes_or_no, "parameter 'smooth=True' needs a number"),
        (returns_nothing, "'returns_nothing' returns nothing"),
        (raises_always, "'raises_always' returns nothing"),
        (NoFunction, "NoFunction is of type type, and a feature is a function"),
        (lambda state, bar: 1.0, "needs a name, and this is a <lambda>"),
    ],
)
def test_what_is_no_step_is_refused_at_once(step: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        feature(group="test", memory=1, unit="x")(step)


@pytest.mark.parametrize(
    ("promised", "says"),
    [
        ({"memory": -1}, "'window_size': memory must be 0 or more, got -1"),
        ({"memory": lambda window: window - 9}, "memory must be 0 or more, got -6"),
        ({"memory": lambda: 3}, "memory cannot be computed: .*Give a whole number, or"),
        ({"memory": 1, "warmup": -2}, "warmup must be 0 or more, got -2"),
        ({"memory": 1, "bounds": {"window": (5, 9)}}, "window must be .* at least 5, got 3"),
    ],
)
def test_invalid_declarations_are_refused(promised: dict[str, Any], says: str) -> None:
    def window_size(state, bar, window=3):  # type: ignore[no-untyped-def]
        return float(window)

    with pytest.raises(ConfigError, match=says):
        feature(group="test", unit="x", **promised)(window_size)


def test_memory_that_is_negative_for_some_parameters() -> None:
    @feature(group="test", memory=lambda window: 3 - window, unit="x")
    def shrinking(state, bar, window=1):  # type: ignore[no-untyped-def]
        return float(window)

    with pytest.raises(ConfigError, match="memory must be 0 or more, got -2"):
        one("shrinking", window=5)


def sometimes_none(state, bar):  # type: ignore[no-untyped-def]
    return None if bar.close > 0.0 else 1.0


def sometimes_raises(state, bar):  # type: ignore[no-untyped-def]
    if bar.close > 0.0:
        raise ValueError("no price")
    return 1.0


@pytest.mark.parametrize("step", [sometimes_none, sometimes_raises])
def test_a_step_that_fails_at_a_bar(step: Callable[..., float]) -> None:
    feature(group="test", memory=0, unit="x")(step)
    for compute in (
        lambda: one(step.__name__).compute(BARS),
        lambda: one(step.__name__).stream(BARS.length_us).update(BARS.records[:1]),
    ):
        with pytest.raises(ConfigError, match=f"Feature '{step.__name__}'"):
            compute()


def test_a_step_that_returns_pairs_is_refused() -> None:
    @feature(group="test", memory=0, unit="x")
    def pair(state, bar):  # type: ignore[no-untyped-def]
        return (bar.close, 1.0)

    with pytest.raises(ConfigError, match=r"'pair' does not compile: it returns or keeps .*Tuple"):
        one("pair").compute(BARS)


def test_the_walk_has_half_days_and_no_weekends() -> None:
    sessions = np.unique(walk(400).records["session"], return_counts=True)
    assert set(zip((sessions[0] + 3) % 7, sessions[1], strict=True)) >= {(0, 13), (4, 7)}
    assert set((sessions[0] + 3) % 7) == {0, 1, 2, 3, 4}
