"""Whether forecasts are better than markets allow, and what they have most likely seen."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from barstack.core.arrays import Floats, ranks_of
from barstack.features import FeatureTable

from . import _metrics as metrics
from ._case import Case, Forecaster, HorizonCase
from ._findings import Doubt, Score
from ._profit import YEAR_DAYS
from ._standard_errors import jackknife_se_by_rows
from .audit import hit_rate, incoherent

_SHARPE = 3.0  # a year, of one market: no fund is known to have kept it over years
_SHORT = 0.2  # correlation at short horizons, R² of 4 %
_LONGEST = 0.9  # correlation: beyond it, at any horizon, there is only the answer itself
_TAILS = 2.5  # by how much fat tails may raise the edge of a hit rate over that of normal ones
_EXPLAINS = 0.75  # of the bound: a column that reaches that much alone is named
_MOST_ROWS = 20_000
_FEWEST = 50  # labels side by side, for figures to be held against each other


def plausible_ic(labels_a_year: float) -> float:
    """The highest correlation of forecast and return that an honest forecast may have.

    labels_a_year  how many labels lie side by side in a year

    Whoever holds in proportion to a forecast of correlation rho earns a Sharpe ratio of
    rho x sqrt(labels_a_year) a year (Grinold 1989); 3 is the most that is plausible of one market,
    which leaves 0.42 for a week and 0.87 for a month. Within days that would be less than is
    found: quotes that bounce between bid and ask are foretold, though costs keep anyone from
    earning by it. There the bound is 0.2, an R² of 4 %.

    >>> [round(plausible_ic(labels), 2) for labels in (19656, 252, 52, 12)]
    [0.2, 0.2, 0.42, 0.87]
    """
    return min(max(_SHORT, _SHARPE / math.sqrt(max(labels_a_year, 1.0))), _LONGEST)


def doubts(
    case: Case, learners: Iterable[Forecaster], scores: Iterable[Score], features: FeatureTable
) -> list[Doubt]:
    """Every forecaster whose skill lies beyond what is plausible, errors allowed for."""
    by_name = {(score.name, score.horizon): score for score in scores}
    found = []
    for place, horizon in enumerate(case.horizons):
        bound = plausible_ic(_labels_a_year(horizon))
        for each in learners:
            figure = _beyond(case, each, place, by_name[each.name, horizon.name], bound)
            if figure is not None:
                cause = _cause(case, features, horizon, _EXPLAINS * bound)
                found.append(Doubt(each.name, horizon.name, *figure, *cause))
    return found


def contradictions(
    case: Case, learners: Iterable[Forecaster], scores: Iterable[Score]
) -> list[str]:
    """What the audit says of figures that cannot live together, of members and ensembles."""
    by_name = {(score.name, score.horizon): score for score in scores}
    found = []
    for horizon in case.horizons:
        labels, name = horizon.separate_labels, horizon.name
        if labels < _FEWEST:
            continue
        for each in learners:
            score = by_name[each.name, name]
            hits = score.directional_accuracy
            # The smaller of both, as either baseline alone may be beaten by a drift.
            fits = [r2 for r2 in (score.r2, score.r2_zero) if r2 is not None]
            sentences = incoherent(
                r2=min(fits, default=None),
                ic=score.ic,
                directional_accuracy=None if hits is None else round(hits, 2),
                n=int(labels),
            )
            found += [f"{each.name} at {name}: {sentence}" for sentence in sentences]
    return found


def _labels_a_year(horizon: HorizonCase) -> float:
    times = horizon.decided_at
    days = float((times.max() - times.min()) / np.timedelta64(1, "D"))
    return horizon.separate_labels / max(days, 1.0) * YEAR_DAYS


def _beyond(
    case: Case, each: Forecaster, place: int, score: Score, bound: float
) -> tuple[str, float, float] | None:
    """The figure that lies beyond its bound by more than its error: name, value, bound."""
    hits = 0.5 + _TAILS * (hit_rate(bound) - 0.5)
    if _surely(score.ic, score.ic_se, score.reach, bound):
        return "correlation", float(score.ic or 0.0), bound
    if _surely(score.directional_accuracy, score.directional_accuracy_se, score.reach, hits):
        return "directional accuracy", float(score.directional_accuracy or 0.0), hits
    if score.rank_ic is not None and score.rank_ic > bound:  # one large return hides nothing here
        horizon = case.horizons[place]
        signal, returns = each.signal[horizon.known, place], horizon.returns
        error = jackknife_se_by_rows(
            lambda rows: metrics.rank_ic(signal[rows], returns[rows]), horizon.blocks
        )
        if _surely(score.rank_ic, error, score.reach, bound):
            return "rank correlation", score.rank_ic, bound
    return None


def _surely(value: float | None, error: float | None, reach: float, bound: float) -> bool:
    """Whether its whole interval lies beyond; a figure without an error supports nothing anyway."""
    return value is not None and error is not None and value - reach * error > bound


def _cause(
    case: Case, features: FeatureTable, horizon: HorizonCase, needed: float
) -> tuple[str | None, float | None]:
    """The column most correlated with realised returns, and its correlation; None if too low."""
    known = np.flatnonzero(horizon.known)
    few = np.linspace(0, len(known) - 1, min(len(known), _MOST_ROWS)).astype(int)
    known, returns = known[few], horizon.returns[few]
    values = features.values[features.decisions.find(case.decisions.take(known))]
    found = [max(_goes_with(column, returns), 0.0) for column in values.T]
    best = int(np.argmax(found))
    return (features.columns[best], found[best]) if found[best] >= needed else (None, None)


def _goes_with(column: Floats, returns: Floats) -> float:
    """Size of the correlation, plain or of ranks, where the column is known."""
    there = np.isfinite(column)
    if there.sum() < _FEWEST:
        return 0.0
    column, returns = column[there], returns[there]
    both = (metrics.ic(column, returns), metrics.ic(ranks_of(column), ranks_of(returns)))
    return max((abs(each) for each in both if math.isfinite(each)), default=0.0)
