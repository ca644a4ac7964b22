"""Contract tests of worlds, of barstack and of plugins."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from barstack.bars import bars_from_frame
from barstack.core.arrays import Floats
from barstack.worlds import Made, World

from ._expect import expect, same

_MOST_BLOCKS = 50
_PRICES_AND_VOLUME = ("open", "high", "low", "close", "volume")


def check_repeats(world: World) -> None:
    """The same world twice has the same bits; another seed has others."""
    one, two = world.make(), world.make()
    for symbol in world.names:
        same(two.panel[symbol].fingerprint, one.panel[symbol].fingerprint, "The second making")
        other = world.model_copy(update={"seed": world.seed + 1})
        expect(
            one.panel[symbol].fingerprint != other.bars_of(symbol).fingerprint,
            f"{symbol} has the same bars with another seed.",
        )
    np.testing.assert_array_equal(one.truth.forecast, two.truth.forecast)


def check_grows(world: World) -> None:
    """More bars and more symbols change neither earlier bars and symbols nor their forecasts."""
    bars, half = world.make(), world.bars // 2
    short = world.model_copy(update={"bars": half}).make()
    wide = world.model_copy(update={"symbols": (*world.names, "ZZZZ")}).make()
    for code, symbol in enumerate(short.truth.decisions.symbols):
        whole = bars.panel[symbol]
        same(whole[:half].fingerprint, short.panel[symbol].fingerprint, "A beginning of more bars")
        same(wide.panel[symbol].fingerprint, whole.fingerprint, "A symbol among more")
        theirs = bars.truth.forecast[bars.truth.decisions.symbol_code == code]
        own = short.truth.forecast[short.truth.decisions.symbol_code == code]
        np.testing.assert_array_equal(own, theirs[:half])


def check_passes_the_door(world: World) -> None:
    """Bars pass the validation of imported tables, and keep their times."""
    import polars as pl  # noqa: PLC0415 (heavy; only the checks that need it)

    for symbol, made in world.make().panel.items():
        columns = {"timestamp": made.opened_at}
        columns |= {name: made.records[name] for name in _PRICES_AND_VOLUME}
        table = pl.DataFrame(columns).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
        with warnings.catch_warnings():  # a simulated market may extend beyond today
            warnings.filterwarnings("ignore", message=".* which lies ahead", category=UserWarning)
            again = bars_from_frame(
                table, symbol, calendar=world.calendar, length_us=made.length_us, where=world.id
            )
        same(again.outside, 0, "The number of bars outside the sessions")
        np.testing.assert_array_equal(again.records, made.records)


def check_ignores_the_future(world: World) -> None:
    """The driver of returns is the same when all later bars are removed."""
    if world.signal(world.bar_times()) is None:
        return
    own, leader = world.components_of(world.names[-1]), world.components_of(world.names[0])
    whole = world.driver(own, leader)
    for now in (world.bars // 3, world.bars // 2):
        known = world.driver(own.before(now), leader.before(now))
        np.testing.assert_array_equal(known, whole[:now])


def check_reaches_its_figures(world: World) -> None:
    """The forecasts reach the scores of the truth, within four standard errors."""
    for name, score in z_scores(world.make()).items():
        expect(abs(score) < 4.0, f"{name} is {score:.1f} standard errors off.")


def z_scores(made: Made) -> dict[str, float]:
    """Distance of the forecasts' scores from the truth in standard errors, by `r2 at 1h` and so on.

    Each score's first-order error is a mean over decisions. Its standard error is over blocks of
    time at least ten times as long as the horizon, as neighbouring decisions share returns. `bias`
    is the mean error of the forecast.

    >>> from barstack.worlds import WORLDS
    >>> world = WORLDS.parse({"world": "martingale", "bars": 500, "horizons": [1]})
    >>> list(z_scores(world.make()))
    ['bias at 1bars']
    """
    truth, found = made.truth, {}
    world, times = truth.world, truth.world.bar_times()
    codes = [truth.decisions.symbols.index(symbol) for symbol in world.forecastable]
    for place, figure in enumerate(truth.figures):
        leave = times.exits(world.horizons[place])
        rows = np.flatnonzero(leave < world.bars)
        f, r = (np.empty((len(codes), len(rows))) for _ in range(2))
        for own, code in enumerate(codes):
            close = made.panel[truth.decisions.symbols[code]].close
            r[own] = close[leave[rows]] / close[rows] - 1.0
            f[own] = truth.forecast[truth.decisions.symbol_code == code, place][rows]
        longest = int((leave[rows] - rows).max())
        blocks = max(8, min(_MOST_BLOCKS, len(rows) // (10 * longest)))

        def add(name: str, errors: Floats, extra: float, blocks: int = blocks) -> None:
            by_block = [part.mean() for part in np.array_split(errors.mean(axis=0), blocks)]
            se = np.hypot(np.std(by_block, ddof=1) / np.sqrt(blocks), extra)
            found[name] = float(np.mean(by_block) / se)

        add(f"bias at {figure.horizon}", r - f, 0.0)
        if not figure.r2.value:
            continue
        r2, ic, size = figure.r2.value, figure.ic.value, float((r * r).mean())
        add(f"r2 at {figure.horizon}", (r * r - (r - f) ** 2) - r2 * r * r, 0.0)
        spread_f, spread_r = float((f * f).mean()), size
        scaled = f * r / np.sqrt(spread_f * spread_r)
        add(f"ic at {figure.horizon}", scaled - 0.5 * ic * (f * f / spread_f + r * r / size), 0.0)
        right = 0.5 + 0.5 * np.sign(f) * np.sign(r)
        accuracy = figure.directional_accuracy
        add(f"accuracy at {figure.horizon}", right - accuracy.value, accuracy.se)
    return found


WORLD_CHECKS: list[Callable[[World], None]] = [
    check_repeats,
    check_grows,
    check_passes_the_door,
    check_ignores_the_future,
    check_reaches_its_figures,
]
