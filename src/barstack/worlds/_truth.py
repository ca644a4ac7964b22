"""The truth about a world: its best forecasts, and how good they are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions

from ._figures import Known, figures_of
from ._process import Process

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Figure:
    """How good the best forecast of one horizon is, over all worlds of the same fields but `seed`.

    r2                    share of the squared returns that it explains
    directional_accuracy  share of moves whose sign it gets right
    ic                    its correlation with returns
    """

    horizon: str
    r2: Known
    directional_accuracy: Known
    ic: Known


@dataclass(frozen=True)
class Realised:
    """What the best forecast reached on the bars that were made, at one horizon."""

    horizon: str
    n_decisions: int
    r2: float | None
    directional_accuracy: float | None
    ic: float | None


@dataclass(frozen=True, eq=False)
class Truth:
    """Best forecasts of one world, decided at every bar's close.

    decisions  (n_rows,) symbol by symbol
    horizons   names as in a label's target
    forecast   (n_rows, n_horizons) expected return given all bars so far, as a fraction
    """

    world: Process
    decisions: Decisions
    horizons: tuple[str, ...]
    forecast: Floats

    def __len__(self) -> int:
        return len(self.decisions)

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """How good the best forecast is at each horizon, worked out when first asked for.

        They are those of the process on this calendar, not of the bars at hand. In a world with a
        leader they are those of the other symbols.
        """
        return tuple(
            Figure(horizon, *known)
            for horizon, known in zip(self.horizons, figures_of(self.world), strict=True)
        )

    def realised(self, panel: Panel) -> tuple[Realised, ...]:
        """What the forecasts reached on these bars of the world, over all that can be forecast."""
        times = self.world.bar_times()
        found = []
        for place, horizon in enumerate(self.world.horizons):
            leave = times.exits(horizon)
            rows = np.flatnonzero(leave < self.world.bars)
            forecasts, returns = [], []
            for code, symbol in enumerate(self.decisions.symbols):
                if symbol not in self.world.forecastable:
                    continue
                close = panel[symbol].close
                returns.append(close[leave[rows]] / close[rows] - 1.0)
                own = self.forecast[self.decisions.symbol_code == code, place]
                forecasts.append(own[rows])
            name = self.horizons[place]
            found.append(_reached(name, np.concatenate(forecasts), np.concatenate(returns)))
        return tuple(found)

    def table(self) -> pl.DataFrame:
        """decided_at, symbol and a column `return_1h` for each horizon."""
        import polars as pl  # noqa: PLC0415 (only for those who store the truth)

        columns: dict[str, Any] = {
            "decided_at": self.decisions.decided_at,
            "symbol": self.decisions.symbol,
        }
        columns |= {f"return_{name}": self.forecast[:, h] for h, name in enumerate(self.horizons)}
        return pl.DataFrame(columns).with_columns(pl.col("decided_at").dt.replace_time_zone("UTC"))

    def to_json(self) -> dict[str, Any]:
        """The world and its figures as plain data."""
        return {
            "world": self.world.content(),
            "id": self.world.id,
            "forecastable": list(self.world.forecastable),
            "figures": [asdict(figure) for figure in self.figures],
        }


def _reached(horizon: str, forecast: Floats, returns: Floats) -> Realised:
    """Scores as in evaluation, against a forecast of 0."""
    if not len(returns) or not np.ptp(forecast):
        return Realised(horizon, len(returns), None, None, None)
    moved = returns != 0.0
    right = 0.5 + 0.5 * np.sign(forecast[moved]) * np.sign(returns[moved])
    return Realised(
        horizon=horizon,
        n_decisions=len(returns),
        r2=1.0 - float(((returns - forecast) ** 2).sum() / (returns**2).sum()),
        directional_accuracy=float(right.mean()),
        ic=float(np.corrcoef(forecast, returns)[0, 1]),
    )
