"""Figures that cannot live together: what one of them says about the others."""

from __future__ import annotations

import math
from collections.abc import Iterator

from barstack.core.errors import ConfigError

# For normal, and for all elliptical, forecasts and returns the hit rate follows from the
# correlation: 1/2 + asin(rho) / pi. Noise with fatter tails than the forecast has more of its
# weight near zero and hits more often; a few large forecasts hit less often.
_FEWER_HITS = 0.5
_MORE_HITS = 2.5
_ERRORS = 4.0  # standard errors
_HEAVY = 2.0  # by how much fat tails widen the error of a correlation
_BETTER_SHARPE = 1.6
_WORSE_SHARPE = 0.3
_ROUNDED = 0.005  # figures are reported with few digits


def incoherent(
    *,
    r2: float | None = None,
    ic: float | None = None,
    directional_accuracy: float | None = None,
    sharpe: float | None = None,
    n: int | None = None,
    periods_per_year: float | None = None,
    breadth: int = 1,
    after_costs: bool = True,
) -> list[str]:
    """Which of some reported figures contradict each other, a sentence for each; none is good.

    r2                    out of sample, against the mean
    ic                    correlation of forecast and return, of one period
    directional_accuracy  share of forecasts with the right sign
    sharpe                a year, of holding by the forecast each period
    n                     forecasts that do not overlap; their number sets the errors allowed for
    periods_per_year      needed to compare a Sharpe ratio with the others
    breadth               independent bets a period, such as symbols
    after_costs           costs explain a Sharpe ratio that is too low, never one too high

    >>> incoherent(r2=0.34, directional_accuracy=0.543, n=1000)[0][:64]
    'R² 0.34 needs a correlation of 0.58 or more, and with it a hit r'
    >>> incoherent(r2=0.003, ic=0.06, directional_accuracy=0.519, n=2000)
    []
    """
    if n is not None and n < 1:
        raise ConfigError(f"n is {n}; give the number of forecasts, 1 or more.")
    if sharpe is not None and periods_per_year is None:
        raise ConfigError(
            f"A Sharpe ratio of {sharpe:g} a year says nothing about one period. Give "
            "periods_per_year, such as 252 for daily forecasts."
        )
    found = list(_impossible(r2, ic, directional_accuracy, n))
    if found:
        return found
    error = _ERRORS / math.sqrt(n) if n else 0.0
    if r2 is not None and r2 > 0.0:
        if ic is not None:
            found += _by_r2_and_ic(r2, ic, error)
        if directional_accuracy is not None:
            found += _by_r2_and_hits(r2, directional_accuracy, error)
    if ic is not None and directional_accuracy is not None:
        found += _by_ic_and_hits(ic, directional_accuracy, error)
    if sharpe is not None and periods_per_year is not None:
        a_period = sharpe / math.sqrt(periods_per_year)
        found += _by_sharpe(
            a_period, r2, ic, directional_accuracy, error, math.sqrt(breadth), after_costs
        )
    return found


def hit_rate(correlation: float) -> float:
    """Share of right signs that a correlation gives.

    >>> round(hit_rate(0.34 ** 0.5), 3)
    0.698
    """
    return 0.5 + math.asin(max(-1.0, min(1.0, correlation))) / math.pi


def _impossible(
    r2: float | None, ic: float | None, hits: float | None, n: int | None
) -> Iterator[str]:
    if r2 is not None and not r2 <= 1.0:
        yield f"R² {r2:g} lies above 1, which no forecast reaches."
    if ic is not None and not -1.0 <= ic <= 1.0:
        yield f"A correlation of {ic:g} lies outside -1 to 1."
    if hits is None:
        return
    if not 0.0 <= hits <= 1.0:
        yield f"A directional accuracy of {hits:g} lies outside 0 to 1; write 54.3 % as 0.543."
    elif n is not None:
        # Unchanged prices may count as half a hit.
        digits = len(f"{hits!r}".partition(".")[2])
        nearest = round(2 * n * hits) / (2 * n)
        if abs(nearest - hits) > 0.5 * 10.0 ** -min(digits, 12) + 1e-12:
            yield (
                f"A directional accuracy of {hits:g} cannot come of {n:,} forecasts: the nearest "
                f"possible is {nearest:.{digits + 1}f}."
            )


def _by_r2_and_ic(r2: float, ic: float, error: float) -> Iterator[str]:
    least = math.sqrt(r2)
    if least > abs(ic) + 0.005 + 0.5 * error or (ic < 0.0 and least > error + 0.005):
        yield (
            f"R² {r2:g} needs a correlation of {least:.2f} or more, as R² never exceeds its "
            f"square; {ic:g} is reported."
        )


def _by_r2_and_hits(r2: float, hits: float, error: float) -> Iterator[str]:
    rho = math.sqrt(r2)
    if hits < _hits_between(rho, error)[0]:
        yield (
            f"R² {r2:g} needs a correlation of {rho:.2f} or more, and with it a hit rate of about "
            f"{hit_rate(rho):.1%}; {hits:.1%} is reported."
        )


def _by_ic_and_hits(ic: float, hits: float, error: float) -> Iterator[str]:
    least, most = _hits_between(ic, error)
    if not least <= hits <= most:
        yield (
            f"A correlation of {ic:g} goes with a hit rate of about {hit_rate(ic):.1%}; "
            f"{hits:.1%} is reported."
        )


def _hits_between(rho: float, error: float) -> tuple[float, float]:
    """The fewest and the most hits that a correlation can go with.

    What tails can do and what chance can do are allowed for side by side, and of chance a little
    on top of tails: both at their worst at once are not to be expected.
    """
    edge = hit_rate(rho) - 0.5
    slack = _HEAVY * error * (1.0 - rho * rho)
    chance = math.hypot(hit_rate(abs(rho) + slack) - hit_rate(abs(rho)), 0.5 * error)
    tails = sorted((_FEWER_HITS * edge, _MORE_HITS * edge))
    least = min(tails[0] - 0.5 * chance, edge - chance) - _ROUNDED
    most = max(tails[1] + 0.5 * chance, edge + chance) + _ROUNDED
    return 0.5 + least, 0.5 + most


def _by_sharpe(
    a_period: float,
    r2: float | None,
    ic: float | None,
    hits: float | None,
    error: float,
    breadth: float,
    after_costs: bool,
) -> Iterator[str]:
    """Holding in proportion to a forecast of correlation rho earns rho deviations a period."""
    for name, rho, bounds_above in _correlations(r2, ic, hits):
        earned = breadth * rho / math.sqrt(max(1.0 - rho * rho, 1e-6))
        slack = error * (1.0 + abs(earned)) * (_HEAVY if name.startswith("A dir") else 1.0)
        if bounds_above and a_period > _BETTER_SHARPE * max(earned, 0.0) + slack + 0.02:
            yield (
                f"{name} earns a Sharpe ratio of about {earned:.3f} a period at best; "
                f"{a_period:.3f} is reported."
            )
        elif not after_costs and a_period < _WORSE_SHARPE * earned - slack - 0.02:
            yield (
                f"{name} should earn a Sharpe ratio of about {earned:.3f} a period before costs; "
                f"{a_period:.3f} is reported."
            )


def _correlations(
    r2: float | None, ic: float | None, hits: float | None
) -> Iterator[tuple[str, float, bool]]:
    """What each figure says of the correlation, and whether it bounds it from above."""
    if ic is not None:
        yield f"A correlation of {ic:g}", ic, True
    elif r2 is not None and r2 > 0.0:  # a badly scaled forecast may know more than R² says
        yield f"R² {r2:g}", math.sqrt(r2), False
    if hits is not None and ic is None:
        yield f"A directional accuracy of {hits:.1%}", math.sin(math.pi * (hits - 0.5)), True
