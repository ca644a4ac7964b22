"""Refuse reports that contradict themselves, and say what luck alone would report."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

from barstack.core.errors import DataError

from .audit import hit_rate, incoherent

_ROUNDED = 0.02  # relative: figures are reported with few digits
_ERRORS = 4.0  # standard errors
_SERIAL = 1.6  # by how much serial dependence may change a standard error


def contradictory(
    *,
    r2: float | None = None,
    ic: float | None = None,
    directional_accuracy: float | None = None,
    sharpe: float | None = None,
    t_value: float | None = None,
    years: float | None = None,
    win_rate: float | None = None,
    payoff: float | None = None,
    profit_factor: float | None = None,
    n: int | None = None,
    periods_per_year: float | None = None,
    after_costs: bool = True,
    normal: bool = False,
) -> list[str]:
    """Which reported figures contradict each other, a sentence for each; none is good.

    What `incoherent` checks (R², correlation, directional accuracy and Sharpe ratio), and besides:

    - t = Sharpe ratio a year x root of the years (Lo 2002), up to serial dependence;
    - profit factor = win rate / (1 - win rate) x payoff, an identity where a trade is won or lost.

    Parameters
    ----------
    r2, ic, directional_accuracy, sharpe, n, periods_per_year, after_costs
        As `incoherent` has them; the Sharpe ratio is that of a year.
    t_value
        Of the mean return.
    normal
        Take forecasts and returns as jointly normal, so that R² sets a hit rate closely; otherwise
        much is left to fat tails and to forecasts of which a few are large.
    years
        That the returns cover; from n / periods_per_year where it is not given.
    win_rate
        Share of trades that gain, of those that gain or lose.
    payoff
        Mean gain of a winning trade over mean loss of a losing one.
    profit_factor
        Sum of gains over sum of losses.

    >>> contradictory(sharpe=2.5, t_value=1.1, years=4.0)[0][:66]
    'A Sharpe ratio of 2.5 a year over 4 years goes with a t-value of a'
    >>> contradictory(win_rate=0.55, payoff=1.2, profit_factor=1.47)
    []
    """
    plain = None if periods_per_year is None else sharpe  # of one period, only with this
    found = incoherent(
        r2=r2,
        ic=ic,
        directional_accuracy=directional_accuracy,
        sharpe=plain,
        n=n,
        periods_per_year=periods_per_year,
        after_costs=after_costs,
    )
    if normal:
        found += _by_normal_r2(r2, directional_accuracy, n)
    if years is None and n is not None and periods_per_year is not None:
        years = n / periods_per_year
    found += _by_t_value(sharpe, t_value, years)
    found += _by_trades(win_rate, payoff, profit_factor)
    return found


def refuse_contradictions(**figures: float | int | bool | None) -> None:
    """Raise a DataError where figures contradict each other. The figures of `contradictory`.

    Raises
    ------
    DataError
        With all contradictions.

    >>> refuse_contradictions(r2=0.003, directional_accuracy=0.519, n=2000)
    """
    found = contradictory(**figures)  # type: ignore[arg-type]
    if found:
        raise DataError(
            "The report contradicts itself, so no verdict is given on it. " + " ".join(found)
        )


def accuracy_by_luck(n: int, trials: int) -> float:
    """Directional accuracy that the best of many worthless forecasters is expected to reach.

    Half plus the expected largest of `trials` normal variables times 0.5 / root(n); forecasters
    independent of each other, n forecasts that do not overlap. Alike ones reach less.

    >>> round(accuracy_by_luck(252 * 7, 1620), 3)
    0.54
    >>> round(accuracy_by_luck(252, 1620), 3)
    0.606
    """
    if n < 1 or trials < 1:
        raise DataError(f"n is {n} and trials {trials}; give 1 or more of both.")
    return 0.5 + 0.5 * _largest_of(trials) / math.sqrt(n)


def _largest_of(trials: int) -> float:
    """Expected largest of independent standard normal variables, by quadrature of P(max > x)."""
    normal, step, low, high = NormalDist(), 0.01, -9.0, 9.0
    places = [low + step * (number + 0.5) for number in range(int((high - low) / step))]
    # E max = integral of P(max > x) over x > 0 less that of P(max < x) over x < 0.
    found = 0.0
    for place in places:
        below = normal.cdf(place) ** trials
        found += step * (1.0 - below if place > 0.0 else -below)
    return found


def _by_normal_r2(r2: float | None, hits: float | None, n: int | None) -> Iterator[str]:
    """R² never exceeds the squared correlation, so it sets the least hit rate."""
    if r2 is None or hits is None or not 0.0 < r2 <= 1.0:
        return
    least = hit_rate(math.sqrt(r2))
    slack = _ROUNDED + (_ERRORS * 0.5 / math.sqrt(n) if n else 0.0)
    if hits < least - slack:
        implied = math.sin(math.pi * max(hits - 0.5, 0.0)) ** 2
        yield (
            f"Of normal returns R² {r2:g} implies a directional accuracy of {least:.1%} or more, "
            f"and {hits:.1%} an R² of at most about {implied:.2g}; both are reported."
        )


def _by_t_value(sharpe: float | None, t_value: float | None, years: float | None) -> Iterator[str]:
    if sharpe is None or t_value is None or years is None:
        return
    if years <= 0.0:
        yield f"Returns over {years:g} years have no Sharpe ratio."
        return
    expected = sharpe * math.sqrt(years)
    slack = _ROUNDED * abs(expected) + 0.05
    least, most = sorted((expected / _SERIAL, expected * _SERIAL))
    if not least - slack <= t_value <= most + slack:
        yield (
            f"A Sharpe ratio of {sharpe:g} a year over {years:g} years goes with a t-value of "
            f"about {expected:.2f}, with serial dependence {least:.2f} to {most:.2f}; {t_value:g} "
            "is reported."
        )


def _by_trades(
    win_rate: float | None, payoff: float | None, profit_factor: float | None
) -> Iterator[str]:
    if win_rate is not None and not 0.0 <= win_rate <= 1.0:
        yield f"A win rate of {win_rate:g} lies outside 0 to 1; write 55 % as 0.55."
        return
    for name, value in (("payoff", payoff), ("profit factor", profit_factor)):
        if value is not None and value < 0.0:
            yield f"A {name} of {value:g} lies below 0, as no ratio of gains to losses can."
            return
    if win_rate is None or payoff is None or profit_factor is None:
        return
    if win_rate == 1.0:
        yield "With a win rate of 1 nothing is lost, and there is neither payoff nor profit factor."
        return
    expected = win_rate / (1.0 - win_rate) * payoff
    if abs(profit_factor - expected) > 2.0 * _ROUNDED * expected + 0.01:
        yield (
            f"A win rate of {win_rate:.1%} and a payoff of {payoff:g} make a profit factor of "
            f"{expected:.2f}; {profit_factor:g} is reported."
        )
