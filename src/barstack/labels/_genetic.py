"""Barriers that an evolutionary search finds on training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Bools, Floats, Ints, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.horizon import Horizon
from barstack.core.seeds import derive_seed
from barstack.core.times import KnownAt

from ._holding import HoldingLabel, bars_taken
from ._label import Horizons, Label, Outcome, register
from ._paths import OBJECTIVES, WORST, log_return_squares, score_candidates
from ._three_class import unfitted
from ._triple_barrier import TripleBarrier

_FEWEST_HOLDINGS = 30
_POPULATION = 40


def _numbers(ends: Any) -> Any:
    if isinstance(ends, list | tuple) and any(isinstance(end, bool) for end in ends):
        raise ConfigError(f"Write [least, most], both numbers above 0; got {list(ends)}.")
    return ends


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if not 0 < ends[0] <= ends[1]:
        raise ConfigError(f"Write [least, most], both above 0; got {list(ends)}.")
    return ends


Range = Annotated[tuple[float, float], BeforeValidator(_numbers), AfterValidator(_rising)]
WholeRange = Annotated[tuple[int, int], BeforeValidator(_numbers), AfterValidator(_rising)]


class _Holdings(NamedTuple):
    """What the search sees of the bars: the holdings of training rows, all symbols joined."""

    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    squares: Floats
    starts: Bools
    rows: Ints
    ends: Ints
    scales: Floats


@register("genetic_barriers", task="three_class")
class GeneticBarriers(HoldingLabel):
    """A triple barrier whose numbers an evolutionary search finds on training rows.

    For each horizon it searches both barriers, the span of volatility, and after how many bars to
    leave at the latest. Every candidate is tried on the holdings of the training rows alone, net
    of costs, each holding counted by its uniqueness. By differential evolution, Storn and Price
    (1997), as in SciPy.

    Objectives: `balance` is the evenness of the three classes, where an upper barrier that does
    not earn its costs is a HOLD; `sharpe` is mean over deviation of a holding's net return, times
    the root of how many holdings there are, as told by their uniqueness; `mean_net` is the mean.

    >>> label = GeneticBarriers(["1d"], candidates=200, seed=1)
    >>> label.task, label.fitted
    ('three_class', True)
    """

    fitted = True
    objective: Literal["balance", "sharpe", "mean_net"] = "balance"
    cost_bps: float = Field(2.0, ge=0, le=10_000)  # of a holding, both ways
    upper: Range = (0.25, 3.0)  # searched between, in volatilities over the horizon
    lower: Range = (0.25, 3.0)
    span: WholeRange = (10, 200)  # bars
    candidates: int = Field(2000, ge=2 * _POPULATION, le=10_000_000)  # tried for each horizon
    seed: int = Field(0, ge=0)

    if TYPE_CHECKING:

        def __init__(
            self,
            horizons: Horizons,
            *,
            objective: Literal["balance", "sharpe", "mean_net"] = "balance",
            cost_bps: float = 2.0,
            upper: tuple[float, float] = (0.25, 3.0),
            lower: tuple[float, float] = (0.25, 3.0),
            span: tuple[int, int] = (10, 200),
            candidates: int = 2000,
            seed: int = 0,
            overnight: bool = True,
            max_gap: str | None = None,
        ) -> None: ...

    def fit(self, bars: Bars | Panel, rows: Rows) -> Label:
        """`triple_barrier` with the numbers that served best on the holdings of `rows`.

        Of prices it reads those from each decision of `rows` to the end of its horizon and no
        others: not even volatility looks at what lies between. Rows whose horizon has not ended,
        or holds nothing, teach nothing.
        """
        found = np.array([self._search(as_panel(bars), horizon, rows) for horizon in self.horizons])
        upper, lower, limit, span = (tuple(column.tolist()) for column in found.T)
        return TripleBarrier(
            horizons=self.horizons,
            max_gap=self.max_gap,
            overnight=self.overnight,
            upper=upper,
            lower=lower,
            limit_bars=tuple(map(int, limit)),
            span=tuple(map(int, span)),
        )

    def outcome(self, bars: Bars, horizon: Horizon) -> Outcome:
        raise unfitted("genetic_barriers")

    def _search(self, panel: dict[str, Bars], horizon: Horizon, rows: Rows) -> Floats:
        """(4,) upper, lower, limit and span that score best."""
        from scipy.optimize import Bounds, differential_evolution  # noqa: PLC0415 (slow to import)

        holdings = self._holdings(panel, horizon, rows)
        objective = OBJECTIVES.index(self.objective)
        longest = int((holdings.ends - holdings.rows).max())

        def losses(candidates: Any, /) -> Any:
            scores = np.empty(candidates.shape[1])
            score_candidates(
                np.ascontiguousarray(candidates.T), objective, self.cost_bps * 1e-4, *holdings,
                scores,
            )  # fmt: skip
            return -scores

        best = differential_evolution(
            losses,
            Bounds(*np.transpose([self.upper, self.lower, (1, longest), self.span])),
            integrality=[False, False, True, True],
            vectorized=True,
            updating="deferred",
            popsize=_POPULATION // 4,
            # Wider than SciPy's own, which now and then settles on the first hill it meets.
            mutation=(0.3, 1.5),
            maxiter=self.candidates // _POPULATION - 1,
            tol=0.0,  # as long as asked for
            polish=False,
            seed=derive_seed(self.seed, "genetic_barriers", horizon.name),
        )
        if -best.fun <= WORST:
            raise DataError(
                f"No barriers can be told apart on {len(holdings.rows)} training holdings over "
                f"{horizon.in_words}: prices do not move, or all holdings end alike. "
                "Train on other rows."
            )
        found: Floats = best.x
        return found

    def _holdings(self, panel: dict[str, Bars], horizon: Horizon, rows: Rows) -> _Holdings:
        parts, start, own = [], 0, np.unique(rows)
        for bars in panel.values():
            at = own[(own >= start) & (own < start + len(bars))] - start
            parts.append(self._holdings_of(bars, horizon, at, start))
            start += len(bars)
        joined = _Holdings._make(map(np.concatenate, zip(*parts, strict=True)))
        if len(joined.rows) < _FEWEST_HOLDINGS:
            raise DataError(
                f"Only {len(joined.rows)} of {len(own)} training rows have a holding over "
                f"{horizon.in_words} and {self.span[1]} training bars of volatility before it; "
                f"genetic_barriers needs {_FEWEST_HOLDINGS} or more. Train on more rows, or lower "
                "span."
            )
        return joined

    def _holdings_of(self, bars: Bars, horizon: Horizon, rows: Ints, start: int) -> _Holdings:
        """Those of one symbol, whose first bar has number `start` among all."""
        exit_row, known_at = self.bound(bars, horizon)
        taught = (exit_row > np.arange(len(bars))) & ~np.isnat(known_at)
        taught &= ~self.across_hole(bars, horizon, known_at)
        rows = rows[taught[rows]]
        ends = exit_row[rows]
        # A bar's return is seen where some holding spans it.
        changes = np.zeros(len(bars) + 1, np.int64)
        np.add.at(changes, rows + 1, 1)
        np.add.at(changes, ends + 1, -1)
        seen = np.cumsum(changes)[:-1] > 0
        scales = np.sqrt(bars_taken(bars, exit_row, KnownAt(known_at)))[rows]
        # All candidates are to be compared on the same holdings: those past the longest span.
        ready = (np.cumsum(seen)[rows] >= self.span[1]) & ~np.isnan(scales)
        starts = np.zeros(len(bars), bool)
        starts[:1] = True
        records = bars.records
        return _Holdings(
            records["open"],
            records["high"],
            records["low"],
            records["close"],
            log_return_squares(bars.close, seen),
            starts,
            rows[ready] + start,
            ends[ready] + start,
            scales[ready],
        )
