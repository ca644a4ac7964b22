"""What a simulation assumes: how orders are filled, what they cost, and which limits hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from barstack.core.arrays import Array
from barstack.core.errors import ConfigError
from barstack.core.spec import Spec

from ._records import INSTRUMENT, TERMS

NotNegative = Annotated[float, Field(ge=0.0)]
Positive = Annotated[float, Field(gt=0.0)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]

UNITS = ("weight", "capital", "units")
SPREADS = ("fixed", "volatility", "corwin_schultz")
_BPS = 1e-4
_ANY_LATENCY_US = 60_000_000


class Fills(Spec):
    """How orders are filled. `docs/fills.md` states each rule with an example.

    Attributes
    ----------
    market
        "next_open": at the first open after the order arrives. "close": at the close of the bar
        the decision was made at, which nobody can trade; for comparison with systems that do.
    limits
        When a limit order or a target fills: "touched" where the price reaches it, "through" where
        it goes beyond it, by a tick where there is one. The truth lies in between.
    entry_bar
        "proven": on the bar of entry only prices that surely came after the entry trigger an exit.
        "none": none does.
    levels
        Whether stops, targets and trailing distances are fractions of the entry price, or prices.
    flat_at_session_end
        Whether positions are left at the close of the last bar of each session.
    day_orders
        Whether orders that have not filled expire at the session's end.
    at_end
        "close": what is open after the last bar is left at its close, with costs. "carry": it
        stays open and is reported.
    constant_notional
        Whether each bar restores a position to its value at entry, free of charge, as the profit
        of a verdict does.

    >>> Fills().market
    'next_open'
    """

    market: Literal["next_open", "close"] = "next_open"
    limits: Literal["touched", "through"] = "touched"
    entry_bar: Literal["proven", "none"] = "proven"
    levels: Literal["fraction", "price"] = "fraction"
    flat_at_session_end: bool = False
    day_orders: bool = False
    at_end: Literal["close", "carry"] = "close"
    constant_notional: bool = False


class Costs(Spec):
    """What trading and holding cost.

    Attributes
    ----------
    commission_bps
        Of the value traded, in hundredths of a percent.
    commission_per_unit
        Money for each share or contract.
    commission_least, commission_most
        Money for an order, however many fills it has.
    spread
        "fixed" uses `half_spread_bps`. "volatility" uses `spread_volatility` times the volatility
        of a bar, and "corwin_schultz" the estimate from highs and lows (Corwin and Schultz 2012);
        both at least `half_spread_bps`.
    half_spread_bps
        Half the difference between bid and ask, paid by every order that takes liquidity.
    slippage_bps
        Further loss of every order that takes liquidity.
    impact
        Multiple of volatility times the root of the order's share of the bar's volume (Almgren,
        Thum, Hauptmann and Li 2005); about 1 is usual.
    volume_share
        Largest share of a bar's volume that fills; the rest of an order waits. None: all fills.
    borrow
        Of the value of a short position a year.
    financing
        Of the value of a long position a year, as for currencies and contracts for difference.
    margin_interest, cash_interest
        Of negative and of positive cash a year.
    latency_ms
        Median time from a decision to the order's arrival at the exchange.
    latency_sigma
        Standard deviation of the logarithm of the latency; 0 makes it constant.
    volatility_bars
        Span of the exponential mean of squared returns that spread and impact use.

    >>> Costs(commission_bps=1, half_spread_bps=0.5).per_trade_bps
    1.5
    """

    commission_bps: NotNegative = 0.0
    commission_per_unit: NotNegative = 0.0
    commission_least: NotNegative = 0.0
    commission_most: Positive | None = None
    spread: Literal["fixed", "volatility", "corwin_schultz"] = "fixed"
    half_spread_bps: NotNegative = 0.0
    spread_volatility: NotNegative = 0.1
    slippage_bps: NotNegative = 0.0
    impact: NotNegative = 0.0
    volume_share: Share | None = None
    borrow: NotNegative = 0.0
    financing: float = 0.0
    margin_interest: NotNegative = 0.0
    cash_interest: NotNegative = 0.0
    latency_ms: Annotated[float, Field(ge=0.0, le=6e7)] = 0.0
    latency_sigma: Annotated[float, Field(ge=0.0, le=3.0)] = 0.0
    volatility_bars: Annotated[int, Field(ge=2)] = 100

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.commission_most is not None and self.commission_most < self.commission_least:
            raise ConfigError(
                f"commission_most is {self.commission_most:g}, below commission_least, "
                f"{self.commission_least:g}. Raise it."
            )
        return self

    @property
    def per_trade_bps(self) -> float:
        """Constant part of the cost of each unit of value traded by a market order."""
        return self.commission_bps + self.half_spread_bps + self.slippage_bps

    def scaled(self, factor: float) -> Costs:
        """With every cost multiplied; latency and volume stay.

        >>> Costs(commission_bps=1, borrow=0.01).scaled(2).borrow
        0.02
        """
        names = (
            *("commission_bps", "commission_per_unit", "commission_least", "half_spread_bps"),
            *("spread_volatility", "slippage_bps", "impact", "borrow", "financing"),
            "margin_interest",
        )
        update = {name: getattr(self, name) * factor for name in names}
        if self.commission_most is not None:
            update["commission_most"] = max(self.commission_most * factor, 1e-12)
        if factor == 0.0:
            update["spread"] = "fixed"
        return self.model_copy(update=update)


class Limits(Spec):
    """Limits of risk. Fractions are of the equity just before the order or fill; None is no limit.

    An order beyond a limit is cut to it, or rejected where nothing is left; each is on record with
    its reason. What reduces a position is always allowed.

    Attributes
    ----------
    max_position, max_gross, max_net, max_sector
        Value of one position, of all without sign, of all with sign, and of all of a sector.
    max_leverage
        Gross value to which positions may drift; beyond it all are cut back in proportion.
    max_order, least_order
        Value of one order as a fraction of equity, and the least worth sending, in money.
    max_turnover
        Value traded in a session, as a fraction of equity at its start.
    collar
        Largest move from the decision's price to the open at which a market order still fills.
    max_daily_loss
        Fall of equity since the session began at which all is closed until the next session.
    max_drawdown
        Fall of equity from its peak at which all is closed for good.
    allow_short
        Whether positions below zero may be opened.
    cut
        Whether an order beyond a limit is filled in part, or not at all.

    >>> Limits(max_position=0.2, max_gross=1.0).max_net is None
    True
    """

    max_position: Positive | None = None
    max_gross: Positive | None = None
    max_net: Positive | None = None
    max_sector: Positive | None = None
    max_leverage: Positive | None = None
    max_order: Positive | None = None
    least_order: NotNegative = 0.0
    max_turnover: Positive | None = None
    collar: Positive | None = None
    max_daily_loss: Share | None = None
    max_drawdown: Share | None = None
    allow_short: bool = True
    cut: bool = True


class Instrument(Spec):
    """What is constant for a symbol.

    Attributes
    ----------
    lot
        Smallest quantity, and step of quantities; 0 allows any fraction.
    tick
        Step of prices; 0 allows any price.
    multiplier
        Value of one unit at a price of one, such as 50 for the E-mini S&P 500 future.
    half_spread_bps
        In place of the one of `Costs`.
    sector
        Any name; symbols that share it share `Limits.max_sector`.

    >>> Instrument(lot=1, tick=0.01, sector="energy").multiplier
    1.0
    """

    lot: NotNegative = 0.0
    tick: NotNegative = 0.0
    multiplier: Positive = 1.0
    half_spread_bps: NotNegative | None = None
    sector: str = ""


class Settings(Spec):
    """Everything that a simulation assumes beside bars and decisions.

    Attributes
    ----------
    capital
        Money at the start.
    unit
        Of target positions: "weight" of equity at the decision, of "capital" at the start, or
        "units" such as shares.
    fills, costs, limits
        Rules.
    instruments
        By symbol; the others have fractions, no ticks and a multiplier of one.

    >>> Settings(capital=50_000).unit
    'weight'
    """

    capital: Positive = 100_000.0
    unit: Literal["weight", "capital", "units"] = "weight"
    fills: Fills = Fills()
    costs: Costs = Costs()
    limits: Limits = Limits()
    instruments: dict[str, Instrument] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.fills.market == "close" and self.costs.latency_ms > 0.0:
            raise ConfigError(
                "Orders that fill at the decision's own close arrive at once; costs.latency_ms is "
                f"{self.costs.latency_ms:g}. Use fills.market next_open, or no latency."
            )
        return self

    @classmethod
    def of_verdict(cls, cost_bps: float) -> Settings:
        """The conventions of a verdict's profit, under which both give the same number.

        Fills at the decision's close, one figure of cost, constant value of positions, no limits.

        >>> Settings.of_verdict(2.0).costs.commission_bps
        2.0
        """
        return cls(
            capital=1.0,
            unit="capital",
            fills=Fills(market="close", constant_notional=True),
            costs=Costs(commission_bps=cost_bps),
        )

    def terms(self) -> Array:
        """One record of `TERMS`, as compiled code reads them."""
        fills, costs, limits = self.fills, self.costs, self.limits
        values: dict[str, Any] = {
            "capital": self.capital,
            "commission_per_unit": costs.commission_per_unit,
            "commission_rate": costs.commission_bps * _BPS,
            "commission_least": costs.commission_least,
            "commission_most": _or_infinite(costs.commission_most),
            "spread_volatility": costs.spread_volatility,
            "slippage": costs.slippage_bps * _BPS,
            "impact": costs.impact,
            "volume_share": _or_infinite(costs.volume_share),
            "short_rate": costs.borrow,
            "long_rate": costs.financing,
            "margin_rate": costs.margin_interest,
            "cash_rate": costs.cash_interest,
            "decay": 2.0 / (costs.volatility_bars + 1.0),
            "least_order": limits.least_order,
            "unit": UNITS.index(self.unit),
            "at_close": fills.market == "close",
            "through": fills.limits == "through",
            "entry_bar_exits": fills.entry_bar == "proven",
            "level_prices": fills.levels == "price",
            "flat_at_session_end": fills.flat_at_session_end,
            "day_orders": fills.day_orders,
            "constant_notional": fills.constant_notional,
            "spread_kind": SPREADS.index(costs.spread),
            "uses_variance": costs.spread != "fixed" or costs.impact > 0.0,
            "has_carry": any(
                (costs.borrow, costs.financing, costs.margin_interest, costs.cash_interest)
            ),
            "watches_losses": any(
                each is not None
                for each in (limits.max_daily_loss, limits.max_drawdown, limits.max_leverage)
            ),
            "allow_short": limits.allow_short,
            "cut": limits.cut,
            "latency_us": round(costs.latency_ms * 1000.0),
        }
        for name in (
            *("max_position", "max_gross", "max_net", "max_sector", "max_order", "max_turnover"),
            *("max_leverage", "collar", "max_daily_loss", "max_drawdown"),
        ):
            values[name] = _or_infinite(getattr(limits, name))
        found = np.zeros(1, TERMS)
        for name, value in values.items():
            found[name] = value
        return found

    def instruments_of(self, symbols: tuple[str, ...]) -> Array:
        """(n_symbols,) of `INSTRUMENT`."""
        unknown = sorted(set(self.instruments) - set(symbols))
        if unknown:
            raise ConfigError(
                f"settings.instruments names {', '.join(unknown)}, of which there are no bars. "
                f"There are those of {', '.join(symbols)}."
            )
        found = np.zeros(len(symbols), INSTRUMENT)
        sectors: dict[str, int] = {}
        for place, symbol in enumerate(symbols):
            each = self.instruments.get(symbol, Instrument())
            half = each.half_spread_bps
            found[place]["lot"], found[place]["tick"] = each.lot, each.tick
            found[place]["multiplier"] = each.multiplier
            found[place]["half_spread"] = _BPS * (
                self.costs.half_spread_bps if half is None else half
            )
            found[place]["sector"] = sectors.setdefault(each.sector, len(sectors))
        return found


def _or_infinite(value: float | None) -> float:
    return float("inf") if value is None else value


def settings_from(given: Settings | Mapping[str, Any] | None) -> Settings:
    """Settings, plain data of them, or the usual ones."""
    if given is None:
        return Settings()
    return given if isinstance(given, Settings) else Settings(**given)
