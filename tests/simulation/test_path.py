"""One path: history in one call and live trading bar by bar give the same orders to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from tests.portfolio.test_sizing import made

from barstack.core.errors import StorageError
from barstack.core.times import KnownAt
from barstack.portfolio import Signals, Strategy
from barstack.simulation import DecisionPath, Settings, simulate_signals

SETTINGS = {
    "costs": {"commission_bps": 1, "half_spread_bps": 1, "latency_ms": 500, "impact": 1.0},
    "limits": {"max_gross": 0.8, "max_daily_loss": 0.02},
}


@pytest.mark.parametrize("hold", ["horizon", "latest"])
def test_live_equals_history(hold: str) -> None:
    panel, signals = made(11, symbols=3)
    strategy = Strategy(
        hold=hold,
        sizing="volatility",
        stop=0.01,
        take=0.02,
    )
    history = DecisionPath(list(panel), strategy, SETTINGS)
    history.advance(panel, signals)
    path = DecisionPath(list(panel), strategy, SETTINGS)
    fills, log, curve = [], [], []
    for now in np.unique(np.concatenate([own.closed_at for own in panel.values()])):
        again = DecisionPath(list(panel), strategy, SETTINGS)
        again.restore(path.snapshot())
        path = again
        news = {
            symbol: own[int(np.argmax(own.closed_at == now)) :][:1]
            for symbol, own in panel.items()
            if (own.closed_at == now).any()
        }
        (rows,) = np.nonzero(signals.decisions.decided_at == now)
        assert signals.known_at is not None
        own = Signals(
            signals.decisions.take(rows), signals.signal[rows], KnownAt(signals.known_at[rows])
        )
        path.advance(news, own if len(rows) else None)
        fills.append(path.book.fills)
        log.append(path.book.log)
        curve.append(path.book.curve)
    assert len(history.book.fills) > 30
    assert np.concatenate(fills).tobytes() == history.book.fills.tobytes()
    assert np.concatenate(log).tobytes() == history.book.log.tobytes()
    assert np.concatenate(curve).tobytes() == history.book.curve.tobytes()


def test_no_signal_no_trade() -> None:
    panel, signals = made(2, symbols=1)
    found = simulate_signals(panel, signals, {"enter": 1.0}, SETTINGS)
    assert len(found.fills) == 0
    assert found.equity == found.settings.capital


def test_a_snapshot_of_another_strategy_is_refused() -> None:
    path = DecisionPath(["A"], {"enter": 0.1}, Settings())
    with pytest.raises(StorageError, match="another strategy"):
        DecisionPath(["A"], {"enter": 0.2}, Settings()).restore(path.snapshot())
    with pytest.raises(StorageError, match="cannot be read"):
        path.restore(b"PK nothing")
