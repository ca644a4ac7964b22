"""What every feature must hold to; a new feature joins by being registered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barstack.bars import Bars
from barstack.core.errors import LeakError
from barstack.core.times import iso
from barstack.evaluation import assert_causal
from barstack.features import Feature, FeatureSet


def compute(feature: Feature, bars: Bars) -> npt.NDArray[np.float64]:
    """(n_bars,) the feature's values."""
    return FeatureSet(features=(feature,)).compute(bars).values[:, 0]


def check_ignores_the_future(feature: Feature, bars: Bars) -> None:
    """Cutting off, or altering, what comes later leaves what came before as it is, bit for bit."""
    assert_causal(FeatureSet(features=(feature,)), bars)


def check_live_equals_history(feature: Feature, bars: Bars) -> None:
    """One bar at a time gives the very bits that the whole history gives."""
    stream = FeatureSet(features=(feature,)).stream(bars.length_us)
    live = [stream.update(bars.records[row : row + 1])[0, 0] for row in range(len(bars))]
    _same(np.array(live), compute(feature, bars), feature, bars, "when streamed")


def check_continues_after_a_restart(feature: Feature, bars: Bars) -> None:
    """State saved mid-stream and restored elsewhere continues to the same bits."""
    features = FeatureSet(features=(feature,))
    before, half = features.stream(bars.length_us), len(bars) // 2
    before.update(bars.records[:half])
    after = features.stream(bars.length_us)
    after.restore(before.snapshot())
    rest = after.update(bars.records[half:])[:, 0]
    _same(rest, compute(feature, bars)[half:], feature, bars, "after a restart", first_row=half)


def check_marks_only_its_warmup(feature: Feature, bars: Bars) -> None:
    """NaN in the declared warm-up and nowhere else, infinite nowhere, within the stated bounds."""
    values = compute(feature, bars)
    seen = np.flatnonzero(~np.isnan(values))
    first = int(seen[0]) if len(seen) else len(values)
    if feature.timeframe is None:
        declared = _first_row(feature, bars)
        assert first == declared, f"{feature.name}: declares {declared} bars, takes {first}."
    rest = values[first:]
    assert np.isfinite(rest).all(), f"{feature.name} is not finite after its warm-up."
    kernel = feature.kernel
    assert (rest >= kernel.low - 1e-9).all(), f"{feature.name} falls below {kernel.low}."
    assert (rest <= kernel.high + 1e-9).all(), f"{feature.name} rises above {kernel.high}."


def _first_row(feature: Feature, bars: Bars) -> int:
    """The row at which the declared warm-up is over."""
    days, starts = np.unique(bars.records["session"], return_index=True)
    sessions = feature.kernel.sessions_for(feature.values)
    by_session = starts[sessions] if sessions < len(days) else len(bars)
    return max(feature.warmup, int(by_session))


def check_price_scale(feature: Feature, bars: Bars) -> None:
    """Where it claims so, quoting prices in another unit leaves the feature as it is."""
    if not feature.kernel.scale_free:
        return
    scaled = bars.records.copy()
    for price in ("open", "high", "low", "close"):
        scaled[price] *= 1024.0  # a power of two, so that prices themselves round alike
    np.testing.assert_allclose(
        compute(feature, Bars(bars.symbol, bars.length_us, scaled)),
        compute(feature, bars),
        rtol=1e-9,
        atol=1e-9,
        err_msg=f"{feature.name} changes with the unit of prices",
    )


FEATURE_CHECKS = (
    check_ignores_the_future,
    check_live_equals_history,
    check_continues_after_a_restart,
    check_marks_only_its_warmup,
    check_price_scale,
)


def _same(
    got: npt.NDArray[np.float64],
    expected: npt.NDArray[np.float64],
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
