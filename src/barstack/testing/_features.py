"""Contract tests of features; a new feature is tested once it is registered."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Array, Floats
from barstack.core.errors import LeakError, PluginError
from barstack.core.times import iso
from barstack.evaluation import assert_causal
from barstack.features import Feature, FeatureSet
from barstack.features._engine import BarStream
from barstack.features._view import NO_MARKET, market_of

from ._expect import expect

_GUARD = 4096  # floats on either side


def company(bars: Bars) -> dict[str, Bars]:
    """The bars with those of two other symbols, one of which begins later and has gaps."""
    panel = {bars.symbol: bars}
    for number, rows in enumerate([slice(None), np.arange(len(bars)) % 7 != 3]):
        rng = np.random.default_rng(number)
        factor = np.exp(np.cumsum(rng.normal(0.0, 1e-3, len(bars))))
        records = bars.records.copy()
        for price in ("open", "high", "low", "close"):
            records[price] *= factor
        symbol = f"{bars.symbol}-{number}"
        panel[symbol] = Bars(symbol, bars.length_us, records[rows][5 * number :].copy())
    return panel


def compute(feature: Feature, bars: Bars) -> Floats:
    """(n_bars,) the feature's values, among other symbols if it uses them."""
    table = FeatureSet(features=(feature,)).compute(_panel(feature, bars))
    own = table.decisions.symbols.index(bars.symbol)
    values: Floats = table.values[table.decisions.symbol_code == own, 0]
    return values


def check_ignores_the_future(feature: Feature, bars: Bars) -> None:
    """Removing or altering later bars leaves all earlier values unchanged, bit for bit."""
    assert_causal(FeatureSet(features=(feature,)), _panel(feature, bars))


def check_live_equals_history(feature: Feature, bars: Bars) -> None:
    """One bar at a time gives the same bits as the whole history."""
    live = _live(feature, bars, _moments(_panel(feature, bars)))
    _same(np.array(live), compute(feature, bars), feature, bars, "when streamed")


def check_continues_after_a_restart(feature: Feature, bars: Bars) -> None:
    """State saved mid-stream and restored into another stream continues to the same bits."""
    features, panel = FeatureSet(features=(feature,)), _panel(feature, bars)
    before = features.panel_stream(tuple(panel), bars.length_us)
    half = bars.records["closed_at"][len(bars) // 2]
    before.feed({s: b.records[b.records["closed_at"] < half] for s, b in panel.items()})
    after = features.panel_stream(tuple(panel), bars.length_us)
    after.restore(before.snapshot())
    rest = after.feed({s: b.records[b.records["closed_at"] >= half] for s, b in panel.items()})
    _same(
        rest[bars.symbol][:, 0],
        compute(feature, bars)[len(bars) // 2 :],
        feature,
        bars,
        "after a restart",
        first_row=len(bars) // 2,
    )


def _panel(feature: Feature, bars: Bars) -> dict[str, Bars]:
    return company(bars) if feature.needs_market else {bars.symbol: bars}


def _moments(panel: dict[str, Bars]) -> Iterator[dict[str, Array]]:
    """The bars that close at each moment, by symbol, in time order."""
    rows = dict.fromkeys(panel, 0)
    times = {symbol: bars.records["closed_at"].tolist() for symbol, bars in panel.items()}
    for moment in sorted(set().union(*times.values())):
        closing = {}
        for symbol, bars in panel.items():
            row = rows[symbol]
            if row < len(bars) and times[symbol][row] == moment:
                closing[symbol] = bars.records[row : row + 1]
                rows[symbol] += 1
        yield closing


def _live(feature: Feature, bars: Bars, moments: Iterator[dict[str, Array]]) -> list[float]:
    features = FeatureSet(features=(feature,))
    if not feature.needs_market:
        stream = features.stream(bars.length_us)
        return [float(stream.update(each[bars.symbol])[0, 0]) for each in moments]
    panel = features.panel_stream(tuple(company(bars)), bars.length_us)
    updates = (panel.update(each) for each in moments)
    return [float(values[bars.symbol][0, 0]) for values in updates if bars.symbol in values]


def check_marks_only_its_warmup(feature: Feature, bars: Bars) -> None:
    """NaN in the declared warm-up and nowhere else, never infinite, within the declared bounds."""
    values = compute(feature, bars)
    seen = np.flatnonzero(~np.isnan(values))
    first = int(seen[0]) if len(seen) else len(values)
    if feature.timeframe is None:
        declared = _first_row(feature, bars)
        expect(first == declared, f"{feature.name}: declares {declared} bars, takes {first}.")
    rest = values[first:]
    expect(np.isfinite(rest).all(), f"{feature.name} is not finite after its warm-up.")
    kernel = feature.kernel
    expect((rest >= kernel.low - 1e-9).all(), f"{feature.name} falls below {kernel.low}.")
    expect((rest <= kernel.high + 1e-9).all(), f"{feature.name} rises above {kernel.high}.")


def _first_row(feature: Feature, bars: Bars) -> int:
    """The first row after the declared warm-up."""
    days, starts = np.unique(bars.records["session"], return_index=True)
    sessions = feature.kernel.sessions_for(feature.values)
    by_session = starts[sessions] if sessions < len(days) else len(bars)
    return max(feature.warmup, int(by_session))


def check_price_scale(feature: Feature, bars: Bars) -> None:
    """If declared scale-free, the feature does not depend on the unit of prices."""
    if not feature.kernel.scale_free:
        return
    scaled = bars.records.copy()
    for price in ("open", "high", "low", "close"):
        scaled[price] *= 1024.0  # a power of two, so that prices round alike
    np.testing.assert_allclose(
        compute(feature, Bars(bars.symbol, bars.length_us, scaled)),
        compute(feature, bars),
        rtol=1e-9,
        atol=1e-9,
        err_msg=f"{feature.name} changes with the unit of prices",
    )


def check_stays_within_its_memory(feature: Feature, bars: Bars) -> None:
    """Nothing is written outside the declared memory."""
    memory = feature.kernel.memory_for(feature.values)
    guarded = np.full(memory + 2 * _GUARD, 7.25)
    guarded[_GUARD : _GUARD + memory] = 0.0
    own = Feature(feature=feature.feature, params=feature.params)
    stream = BarStream([own], bars.length_us)
    stream.use_memory(0, guarded[_GUARD : _GUARD + memory])
    market = market_of(company(bars))[bars.symbol] if own.needs_market else NO_MARKET
    within = True
    try:
        stream.update_into(np.empty((len(bars), 1)), bars.records, market)
    except PluginError as error:  # bounds are checked in features of other packages
        if "raises IndexError" not in str(error):
            raise
        within = False
    outside = np.concatenate([guarded[:_GUARD], guarded[_GUARD + memory :]])
    within = within and bool((outside == 7.25).all())
    expect(within, f"{feature.name} writes outside its {memory} floats of memory.")


FEATURE_CHECKS = (
    check_stays_within_its_memory,
    check_ignores_the_future,
    check_live_equals_history,
    check_continues_after_a_restart,
    check_marks_only_its_warmup,
    check_price_scale,
)


def _same(
    got: Floats,
    expected: Floats,
    feature: Feature,
    bars: Bars,
    when: str,
    first_row: int = 0,
) -> None:
    equal = (got == expected) | (np.isnan(got) & np.isnan(expected))
    if not equal.all():
        row = int(np.argmin(equal))
        raise LeakError(
            f"Feature {feature.name!r} at {iso(bars.closed_at[first_row + row])} is "
            f"{got[row]!r} {when}, and {expected[row]!r} otherwise."
        )
