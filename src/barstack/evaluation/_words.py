"""A verdict's evidence in sentences: what was tried, the best of it, what it earns, and where."""

from __future__ import annotations

from collections.abc import Iterator

from barstack.core.horizon import Horizon

from ._findings import Earned, Earnings, Evaluation

_LEVEL = 0.05


def words_of(evaluation: Evaluation, horizon: str, trials: int) -> Iterator[str]:
    """Sentences on the judged ensemble at a horizon; none of an older evaluation.

    trials  counted for the verdict
    """
    found = next((each for each in evaluation.earnings if each.horizon == horizon), None)
    if found is None:
        return
    yield _tried(evaluation, trials)
    yield _best(evaluation, horizon)
    yield _costs(evaluation, found)
    for of, many in (("fold", "folds"), ("symbol", "symbols")):
        if sentence := _parts(found, of, many):
            yield sentence
    if sentence := _volatility(found):
        yield sentence
    if sentence := _sharpe(evaluation, found):
        yield sentence


def _tried(evaluation: Evaluation, trials: int) -> str:
    counted = "1 thing was" if trials == 1 else f"{trials:,} things were"
    text = f"Tried: {counted} tried on these instruments"
    family = evaluation.family
    if family is None or family.size > trials or trials == 1:
        return f"{text}."
    worth = family.of_all(_LEVEL / trials, trials)
    own = "all" if family.size == trials else f"{family.size:,}"
    return f"{text}, {own} of them in this study; alike as they are, they count as {worth:,.1f}."


def _best(evaluation: Evaluation, horizon: str) -> str:
    learned = [
        score
        for score in evaluation.scores
        if score.horizon == horizon and score.role in ("ensemble", "member")
    ]
    known = [score for score in learned if score.net_edge_bps is not None]
    best = max(known, key=lambda score: score.net_edge_bps or 0.0)
    ahead = Horizon.parse(horizon).in_words
    if best.name == evaluation.ensemble:
        return f"Best of this study {ahead} ahead after costs: {best.name}, which is judged."
    edge = _bps(best.net_edge_bps or 0.0)
    return (
        f"Best of this study {ahead} ahead after costs: {best.name} with {edge}; "
        f"{evaluation.ensemble} is judged, as a best one is chosen with hindsight."
    )


def _costs(evaluation: Evaluation, found: Earnings) -> str:
    evidence = next(each for each in evaluation.evidence if each.horizon == found.horizon)
    text = (
        f"Costs: {_bps(evidence.net_edge_bps)} a bar more than a steady position at "
        f"{evaluation.cost_bps:g} bps for each unit traded, {_bps(found.net_edge_twice_bps)} at "
        "twice that"
    )
    if found.break_even_bps is None:
        return f"{text}; it never trades."
    if found.break_even_bps <= 0.0:
        return f"{text}; it loses even without costs."
    return f"{text}; it breaks even at {found.break_even_bps:.2g} bps."


def _parts(found: Earnings, of: str, many: str) -> str:
    parts = [each for each in found.parts if each.of == of]
    if len(parts) < 2:
        return ""
    gained = sum(each.net_edge_bps > 0.0 for each in parts)
    low, high = _ends(parts)
    return (
        f"{many.capitalize()}: it gains in {gained} of {len(parts)} {many}, from "
        f"{_bps(low.net_edge_bps)} ({_named(low)}) to {_bps(high.net_edge_bps)} ({_named(high)})."
    )


def _ends(parts: list[Earned]) -> tuple[Earned, Earned]:
    ordered = sorted(parts, key=lambda each: each.net_edge_bps)
    return ordered[0], ordered[-1]


def _named(part: Earned) -> str:
    return f"fold {part.name}" if part.of == "fold" else part.name


def _volatility(found: Earnings) -> str:
    parts = [each for each in found.parts if each.of == "volatility"]
    if not parts:
        return ""
    listed = ", ".join(f"{_bps(each.net_edge_bps)} in {each.name} ones" for each in parts)
    return f"Regimes: a bar earns {listed}."


def _sharpe(evaluation: Evaluation, found: Earnings) -> str:
    if found.sharpe.value is None or found.probabilistic_sharpe is None:
        return ""
    span = ""
    if found.sharpe.low is not None and found.sharpe.high is not None:
        span = f" ({found.sharpe.low:.1f} to {found.sharpe.high:.1f})".replace("-", "−")
    text = (
        f"Sharpe ratio after costs, a year: {found.sharpe.value:.1f}{span}; above zero with a "
        f"confidence of {100 * found.probabilistic_sharpe:.0f} %"
    ).replace(": -", ": −")
    if found.deflated_sharpe is not None:
        text += (
            f", above the luckiest of this study's trials with {100 * found.deflated_sharpe:.0f} %"
        )
    if found.overfitting is not None:
        text += f"; probability of backtest overfitting {found.overfitting:.2f}"
    return f"{text}. None of these is a gate."


def _bps(value: float) -> str:
    return f"{value:+.2f} bps".replace("-", "−")
