"""What an evaluation found, as plain values that can be printed, stored and drawn."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.horizon import Horizon

from ._judgement import Doubt, Evidence, Verdict
from .audit._record import AuditRecord

Role = Literal["ensemble", "member", "naive"]


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
    p_adjusted: float | None  # the same, for all trials made on these symbols
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
    """Which classes came where which were forecast, of one forecaster at one horizon.

    matrix    counts, a row for each class that came, a column for each that was forecast
    came      share of rows of each class
    forecast  share of rows for which each class was forecast
    """

    name: str
    role: Role
    horizon: str
    classes: list[str]
    matrix: list[list[int]]
    came: list[float]
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
    """Forecasts of about the same size, and what came of them.

    For returns both are fractions; for classes, the probability of one and its share that came.

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
    """How often what came lay below a forecaster's quantile; calibrated is `below` = `level`."""

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
    """How often what came lay within a central interval; `upper - lower` of the time it should.

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
    """The newest quantile forecasts of one symbol, and what came of those that are known.

    quantiles  for each level, fractions, as many as `time`
    """

    name: str
    symbol: str
    horizon: str
    time: list[str]
    quantiles: list[list[float]]
    came: list[float | None]


@dataclass(frozen=True)
class Weights:
    """Weights of the members in an ensemble fitted before one fold; fold -1 is the final fit."""

    ensemble: str
    horizon: str
    fold: int
    weights: dict[str, float]


@dataclass(frozen=True)
class Correlation:
    """Correlations of the members' forecasts with one another at one horizon."""

    horizon: str
    names: list[str]
    matrix: list[list[float | None]]


@dataclass(frozen=True)
class Evaluation:
    """Everything that was found; figures are over the rows that all forecasters share."""

    task: str
    horizons: list[str]
    symbols: list[str]
    bar: str
    n_decisions: int
    first_at: str
    last_at: str
    scores: list[Score]
    folds: list[FoldAccuracy]
    equity: list[Equity]
    calibration: list[CalibrationBin]
    correlations: list[Correlation]
    weights: list[Weights]
    verdict: Verdict
    # Of quantiles only; what was stored before there were any has none.
    levels: list[float] = field(default_factory=list)
    shares: list[LevelShare] = field(default_factory=list)
    coverages: list[Coverage] = field(default_factory=list)
    fans: list[Fan] = field(default_factory=list)
    # Of classes only.
    confusions: list[Confusion] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)  # between figures of one forecaster
    # Which audits were made before the verdict; what was stored before they were kept has none.
    audits: list[AuditRecord] = field(default_factory=list)

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
    def from_json(cls, data: dict[str, Any]) -> Evaluation:
        """The evaluation that `to_json` wrote."""
        verdict = dict(data["verdict"])
        verdict["evidence"] = [Evidence(**item) for item in verdict["evidence"]]
        verdict["doubts"] = [Doubt(**item) for item in verdict.get("doubts", [])]
        lists: dict[str, Any] = {
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
            "audits": AuditRecord,
        }
        made = {
            name: [kind(**item) for item in data[name]]
            for name, kind in lists.items()
            if name in data
        }
        return cls(**(data | made | {"verdict": Verdict(**verdict)}))
