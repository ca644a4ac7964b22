"""What an evaluation found, as plain values that can be printed, stored and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import numpy as np

from barstack.core.errors import ConfigError, StorageError, did_you_mean
from barstack.core.horizon import Horizon

from ._combining_findings import (
    Choice,
    Contribution,
    Diversity,
    FoldGain,
    Gain,
    Importance,
    RegimeWeights,
    Stability,
)

# A benchmark is what an ensemble must beat to be worth its trouble: the best member so far.
Role = Literal["ensemble", "member", "benchmark", "naive"]
FoldName = int | Literal["final"]  # before which something was fitted, or the fit on everything


@dataclass(frozen=True)
class Score:
    """How well one forecaster did at one horizon. None where a figure has no meaning.

    Standard errors come from deleting blocks of time; they allow for labels that overlap.

    reach  standard errors that a 95 % interval reaches each way, which few blocks widen
    """

    name: str
    role: Role
    horizon: str
    n_decisions: int
    directional_accuracy: float | None  # share; a forecast of zero counts as half right
    directional_accuracy_se: float | None
    r2: float | None  # against the historical mean
    r2_se: float | None
    ic: float | None  # correlation of signal and return
    ic_se: float | None
    rank_ic: float | None
    log_loss: float | None  # classes only, in nats
    log_loss_se: float | None
    rmse: float | None  # returns and medians only, as a fraction
    mae: float | None
    net_edge_bps: float | None  # a bar's mean profit after costs, less a steady position's
    net_edge_bps_se: float | None
    p_value: float | None  # of a net edge this large by luck, were this the only trial
    pinball: float | None = None  # quantiles only: mean over levels, as a fraction
    pinball_se: float | None = None
    pinball_skill: float | None = None  # against the historical quantiles
    pinball_skill_se: float | None = None
    r2_zero: float | None = None  # against a forecast of no change
    r2_zero_se: float | None = None
    accuracy: float | None = None  # classes only: share of rows whose class was forecast
    accuracy_se: float | None = None
    balanced_accuracy: float | None = None  # the same of each class, averaged over classes
    balanced_accuracy_se: float | None = None
    macro_f1: float | None = None
    macro_f1_se: float | None = None
    reach: float = 2.0
    net_edge_reach: float = 2.0  # the same of the net edge, whose error comes of more blocks


@dataclass(frozen=True)
class Confusion:
    """Realised classes against forecast ones, of one forecaster at one horizon.

    matrix    counts, a row for each realised class, a column for each forecast one
    realised  share of rows of each class
    forecast  share of rows for which each class was forecast
    """

    name: str
    role: Role
    horizon: str
    classes: list[str]
    matrix: list[list[int]]
    realised: list[float]
    forecast: list[float]


@dataclass(frozen=True)
class FoldAccuracy:
    """Directional accuracy within one fold; folds are numbered in time order from 0."""

    name: str
    horizon: str
    fold: int
    first_at: str
    last_at: str
    n_decisions: int
    directional_accuracy: float | None
    directional_accuracy_se: float | None
    reach: float = 2.0  # standard errors that a 95 % interval reaches each way


@dataclass(frozen=True)
class Equity:
    """Growth of one unit, not compounded: 1 + the sum of returns, at most about 1,500 points.

    net and gross are the strategy's after and before costs, hold is buy and hold, all
    symbols weighted alike.
    """

    name: str
    horizon: str
    time: list[str]
    net: list[float]
    gross: list[float]
    hold: list[float]
    mean_position: float
    turnover_per_day: float
    net_return: float
    hold_return: float
    sharpe_net: float | None  # annualised
    sharpe_hold: float | None
    max_drawdown: float  # of the net curve, as a fraction of one unit


@dataclass(frozen=True)
class CalibrationBin:
    """Forecasts of about the same size, and the mean of what was realised.

    For returns both are fractions; for classes, the probability of one and its realised share.

    of  the class, such as BUY; empty for returns
    """

    name: str
    horizon: str
    n_decisions: int
    forecast: float
    realised: float
    realised_se: float
    of: str = ""
    reach: float = 2.0


@dataclass(frozen=True)
class LevelShare:
    """Share of outcomes below a forecaster's quantile; calibrated is `below` = `level`."""

    name: str
    role: Role
    horizon: str
    level: float
    n_decisions: int
    below: float
    below_se: float
    reach: float = 2.0


@dataclass(frozen=True)
class Coverage:
    """Share of outcomes within a central interval; calibrated is `covered` = `upper - lower`.

    lower, upper  levels at its ends
    width         of the interval on average, as a fraction
    """

    name: str
    role: Role
    horizon: str
    lower: float
    upper: float
    n_decisions: int
    covered: float
    covered_se: float
    width: float
    reach: float = 2.0


@dataclass(frozen=True)
class Fan:
    """The newest quantile forecasts of one symbol, and the realised returns that are known.

    quantiles  for each level, fractions, as many as `time`
    """

    name: str
    symbol: str
    horizon: str
    time: list[str]
    quantiles: list[list[float]]
    realised: list[float | None]


@dataclass(frozen=True)
class Weights:
    """Weights of the members in an ensemble as fitted before one fold, or finally."""

    ensemble: str
    horizon: str
    fold: FoldName
    weights: dict[str, float]


@dataclass(frozen=True)
class Correlation:
    """Correlations of the members' forecasts with one another at one horizon."""

    horizon: str
    names: list[str]
    matrix: list[list[float | None]]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for an edge of the judged ensemble at one horizon, were this the only trial.

    Attributes
    ----------
    trades
        Whether following the forecasts trades at all.
    net_edge_bps, net_edge_bps_se
        A bar's mean profit after costs, less a steady position's; no error where there are too few
        bars or the position never changes.
    t_value, p_value
        Of the net edge, one-sided; a p-value of 1 where there is no error.
    n_bars
        Bars behind the net edge.
    reach
        Standard errors that a 95 % interval of the net edge reaches each way.
    """

    horizon: str
    trades: bool
    net_edge_bps: float
    net_edge_bps_se: float | None
    t_value: float | None
    p_value: float
    ic: float | None
    ic_se: float | None
    n_bars: int
    reach: float = 2.0


@dataclass(frozen=True)
class Family:
    """How many independent trials the trials of a study count as.

    Attributes
    ----------
    size
        Number of trials: members and ensembles at each horizon.
    p_values
        Of single trials, falling; empty where each trial counts whole.
    counts
        At each, the number of independent trials whose best goes as far as often.

    >>> family = Family(6, [0.1, 0.01], [2.0, 3.0])
    >>> family.count_at(0.1), family.count_at(0.001), Family(6, [], []).count_at(0.05)
    (2.0, 6.0, 6.0)
    """

    size: int
    p_values: list[float]
    counts: list[float]

    def count_at(self, p_value: float) -> float:
        """Between the levels that are known; below the lowest, each trial counts whole.

        The smaller the p-value, the nearer the count comes to the size.
        """
        if not self.p_values or p_value < self.p_values[-1]:
            return float(self.size)
        levels = np.log(self.p_values[::-1])
        return float(np.interp(np.log(p_value), levels, self.counts[::-1]))

    def of_all(self, p_value: float, trials: int) -> float:
        """The count of these together with all others of `trials`, each of which counts whole."""
        return self.count_at(p_value) + max(trials - self.size, 0)


@dataclass(frozen=True)
class FigureInterval:
    """A figure with its 95 % interval; None where there is none."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Earned:
    """The net edge of the judged ensemble in a part of its bars.

    of      "fold", "symbol", or "volatility", thirds of the bars by the 20 bars before each
    name    of the part
    """

    of: str
    name: str
    n_bars: int
    net_edge_bps: float


@dataclass(frozen=True)
class Earnings:
    """What following the judged ensemble would have earned at one horizon. None: no meaning.

    Attributes
    ----------
    net_edge_twice_bps
        A bar's mean profit less a steady position's, at twice the costs.
    break_even_bps
        Cost of each unit bought or sold at which that profit is zero.
    sharpe, sortino, profit_factor, annual_return, annual_turnover, drawdown
        Of returns after costs, a year by the calendar.
    probabilistic_sharpe, deflated_sharpe
        Confidence that the Sharpe ratio is above zero, and above that of the luckiest of as many
        worthless trials as this study made (Bailey and López de Prado 2014). No gates.
    overfitting
        How often the best trial in one half of the time is below the median in the other (Bailey
        and others 2017). No gate: it reads 0.3 to 0.45 on noise.
    parts
        By fold, by symbol, and by volatility.
    """

    horizon: str
    net_edge_twice_bps: float
    break_even_bps: float | None
    sharpe: FigureInterval
    sortino: FigureInterval
    profit_factor: FigureInterval
    annual_return: FigureInterval
    annual_turnover: FigureInterval
    drawdown: float
    probabilistic_sharpe: float | None
    deflated_sharpe: float | None
    overfitting: float | None
    parts: list[Earned]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Earnings:
        """From plain data."""
        figures = ("sharpe", "sortino", "profit_factor", "annual_return", "annual_turnover")
        made: dict[str, Any] = {name: FigureInterval(**data[name]) for name in figures}
        return cls(**{**data, **made, "parts": [Earned(**each) for each in data["parts"]]})


@dataclass(frozen=True)
class Doubt:
    """A forecaster that does better at one horizon than is plausible.

    figure        such as correlation
    bound         the most that is plausible for labels as long as these
    column        the feature most correlated with realised returns; None where none explains it
    column_skill  its correlation with them
    """

    name: str
    horizon: str
    figure: str
    value: float
    bound: float
    column: str | None
    column_skill: float | None

    @property
    def sentence(self) -> str:
        """What is too good, and what has most likely been seen."""
        ahead = Horizon.parse(self.horizon).adjective
        text = (
            f"the {ahead} forecasts of {self.name} have a {self.figure} of {self.value:.2f} "
            f"with realised returns, where {self.bound:.2f} is the most that is plausible"
        )
        if self.figure == "directional accuracy":
            text = (
                f"the {ahead} forecasts of {self.name} have the right direction in "
                f"{self.value:.0%} of cases, where {self.bound:.0%} is the most that is plausible"
            )
        if self.column is None:
            return (
                f"{text}; no single column explains it, so look first at the label, at how bars "
                "and series are stamped, and at prices that bounce or stand still"
            )
        return (
            f"{text}; most likely {self.column} has seen the answer, which alone has a correlation "
            f"of {self.column_skill:.2f} with it: find out when its numbers were known"
        )


@dataclass(frozen=True)
class Evaluation:
    """Everything that forecasts, labels and costs alone decide, over the rows that all share.

    What depends on the number of trials or on audits is computed from it by `judge`,
    `leaderboard` and `adjusted_p_value` whenever it is read.

    Attributes
    ----------
    ensemble
        The ensemble that is judged, the first of the study.
    cost_bps
        Of each unit bought or sold.
    bars_a_year
        Bars that positions are held over in a year.
    evidence
        On the judged ensemble, for each horizon.
    doubts
        Forecasters that do better than is plausible.
    contradictions
        Between figures of one forecaster.
    levels, shares, coverages, fans
        Of quantiles only.
    confusions
        Of classes only.
    gains, fold_gains, choices
        Whether ensembles are better than something simpler, and which member was best so far.
    diversity, contributions, importances, regime_weights, stability
        Of the members: how they differ, what each contributes, and what ensembles make of them.
    family
        How many independent trials the members and ensembles count as; None of an older evaluation.
    earnings
        Of the judged ensemble, for each horizon; empty of an older evaluation.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> frame = walk(400).to_frame()
    >>> study = {"features": ["body"], "members": ["ridge"], "calendar": "24/7", "stamp": "open"}
    >>> runs = tempfile.mkdtemp()
    >>> run = bs.run(frame, horizons=["1h"], symbol="WALK", runs=runs, **study)
    >>> run.evaluation.task, run.evaluation.horizons
    ('return', ['1h'])
    >>> run.evaluation.to_json() == Evaluation.from_json(run.evaluation.to_json()).to_json()
    True
    """

    task: str
    horizons: list[str]
    symbols: list[str]
    bar: str
    n_decisions: int
    first_at: str
    last_at: str
    ensemble: str
    cost_bps: float
    bars_a_year: float
    evidence: list[Evidence]
    doubts: list[Doubt]
    contradictions: list[str]
    scores: list[Score]
    folds: list[FoldAccuracy]
    equity: list[Equity]
    calibration: list[CalibrationBin]
    correlations: list[Correlation]
    weights: list[Weights]
    levels: list[float] = field(default_factory=list)
    shares: list[LevelShare] = field(default_factory=list)
    coverages: list[Coverage] = field(default_factory=list)
    fans: list[Fan] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    gains: list[Gain] = field(default_factory=list)
    fold_gains: list[FoldGain] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    diversity: list[Diversity] = field(default_factory=list)
    contributions: list[Contribution] = field(default_factory=list)
    importances: list[Importance] = field(default_factory=list)
    regime_weights: list[RegimeWeights] = field(default_factory=list)
    stability: list[Stability] = field(default_factory=list)
    family: Family | None = None
    earnings: list[Earnings] = field(default_factory=list)

    def horizon_called(self, text: str) -> str:
        """The name of the run's horizon that a text means, such as `1h` for `60min`."""
        with suppress(ConfigError):
            name = Horizon.parse(text).name
            if name in self.horizons:
                return name
        hint = did_you_mean(text, self.horizons)
        raise ConfigError(f"The run has no horizon {text!r}. {hint}")

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        """The evaluation that `to_json` wrote, other keys beside it ignored.

        `StorageError` where an older version of barstack wrote it, before verdicts were separate.
        """
        if "verdict" in data and "evidence" not in data:
            raise StorageError(
                "This evaluation was written by an older version of barstack, which did not "
                "separate the evidence from the verdict. Run the study again with this version."
            )
        kinds: dict[str, Any] = {
            "evidence": Evidence,
            "doubts": Doubt,
            "scores": Score,
            "folds": FoldAccuracy,
            "equity": Equity,
            "calibration": CalibrationBin,
            "correlations": Correlation,
            "weights": Weights,
            "shares": LevelShare,
            "coverages": Coverage,
            "fans": Fan,
            "confusions": Confusion,
            **_COMBINING,
        }
        # Version 0.1 knew nothing of what is found on combining.
        data = {**dict.fromkeys(_COMBINING, ()), **data}
        data["earnings"] = [Earnings.from_json(each) for each in data.get("earnings", ())]
        data["family"] = _made(Family, data["family"]) if data.get("family") else None
        values = {each.name: data[each.name] for each in fields(cls)}
        return cls(**values | {n: [_made(kind, x) for x in data[n]] for n, kind in kinds.items()})


_COMBINING: dict[str, Any] = {
    "gains": Gain,
    "fold_gains": FoldGain,
    "choices": Choice,
    "diversity": Diversity,
    "contributions": Contribution,
    "importances": Importance,
    "regime_weights": RegimeWeights,
    "stability": Stability,
}


def _made(kind: Any, content: Mapping[str, Any]) -> Any:
    """A value of this kind from its own keys, other keys beside them ignored."""
    return kind(**{each.name: content[each.name] for each in fields(kind)})
