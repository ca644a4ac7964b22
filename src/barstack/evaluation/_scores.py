"""The figures of one forecaster at one horizon, each with its standard error."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.forecast import signal_of

from . import _classes as classes
from . import _metrics as metrics
from ._case import Case, Forecaster
from ._findings import Confusion, Score
from ._interval import reach
from ._jackknife import jackknife_se
from ._profit import NetEdge

_CLASS_FIGURES = {
    "accuracy": classes.accuracy,
    "balanced_accuracy": classes.balanced_accuracy,
    "macro_f1": classes.macro_f1,
}


def score_of(case: Case, each: Forecaster, horizon: int, net: NetEdge) -> Score:
    known = case.known(horizon)
    signal, returns = each.signal[known, horizon], case.returns[known, horizon]
    blocks = case.blocks[horizon]
    p_value = None if each.role == "naive" or net.t_value is None else net.p_value

    def pair(name: str, statistic: object) -> dict[str, float | None]:
        assert callable(statistic)
        everything = np.ones(len(signal), bool)
        value = statistic(everything)
        if not np.isfinite(value):
            return {name: None, f"{name}_se": None}
        return {name: float(value), f"{name}_se": jackknife_se(statistic, blocks)}

    figures: dict[str, float | None] = {}
    figures |= pair(
        "directional_accuracy",
        lambda rows: metrics.directional_accuracy(signal[rows], returns[rows]),
    )
    figures |= pair("ic", lambda rows: metrics.ic(signal[rows], returns[rows]))
    figures |= dict.fromkeys(("r2", "r2_se", "rmse", "mae", "log_loss", "log_loss_se"))
    if each.values is not None and not case.target.n_classes:
        forecast, nothing = signal, np.zeros(len(signal))
        baseline = signal_of(case.baseline, case.target)[known, horizon]
        figures |= pair(
            "r2", lambda rows: metrics.r2(forecast[rows], returns[rows], baseline[rows])
        )
        figures |= pair(
            "r2_zero", lambda rows: metrics.r2(forecast[rows], returns[rows], nothing[rows])
        )
        figures["rmse"] = float(np.sqrt(((forecast - returns) ** 2).mean()))
        figures["mae"] = float(np.abs(forecast - returns).mean())
    elif each.values is not None:
        losses = metrics.log_losses(each.values[known, horizon], case.y[known, horizon])
        figures |= pair("log_loss", lambda rows: float(losses[rows].mean()))
    if classifies(case, each, horizon):
        came, said = class_rows(case, each, horizon)
        for name, figure in _CLASS_FIGURES.items():
            figures |= pair(
                name,
                lambda rows, figure=figure: figure(
                    classes.counts(came[rows], said[rows], case.target.n_classes)
                ),
            )
    if each.values is not None and case.target.levels:
        y, levels = case.y[known, horizon], case.target.levels
        pinball = metrics.pinball_losses(each.values[known, horizon], y, levels)
        usual = metrics.pinball_losses(case.baseline[known, horizon], y, levels)
        figures |= pair("pinball", lambda rows: float(pinball[rows].mean()))
        figures |= pair(
            "pinball_skill", lambda rows: metrics.pinball_skill(pinball[rows], usual[rows])
        )
    rank_ic = metrics.rank_ic(signal, returns)
    return Score(
        name=each.name,
        role=each.role,
        horizon=case.target.horizons[horizon],
        n_decisions=int(known.sum()),
        rank_ic=rank_ic if np.isfinite(rank_ic) else None,
        net_edge_bps=net.bps,
        net_edge_bps_se=net.bps_se,
        p_value=p_value,
        reach=reach(blocks.count),
        net_edge_reach=reach(net.n_blocks),
        **figures,
    )


def classifies(case: Case, each: Forecaster, horizon: int) -> bool:
    """Whether it says a class at all: a forecast of no direction is none of two classes."""
    known = case.known(horizon)
    return case.target.n_classes == 3 or (
        case.target.n_classes == 2 and bool(each.signal[known, horizon].any())
    )


def class_rows(case: Case, each: Forecaster, horizon: int) -> tuple[Ints, Ints]:
    """Of every known row the class that came and the class that was forecast."""
    known = case.known(horizon)
    came = case.y[known, horizon].astype(np.int64)
    return came, classes.class_of(each.signal[known, horizon], case.target)


def confusion_of(case: Case, each: Forecaster, horizon: int) -> Confusion:
    came, said = class_rows(case, each, horizon)
    matrix = classes.counts(came, said, case.target.n_classes)
    return Confusion(
        name=each.name,
        role=each.role,
        horizon=case.target.horizons[horizon],
        classes=list(classes.NAMES[case.target.n_classes]),
        matrix=matrix.tolist(),
        came=(matrix.sum(axis=1) / len(came)).tolist(),
        forecast=(matrix.sum(axis=0) / len(came)).tolist(),
    )
