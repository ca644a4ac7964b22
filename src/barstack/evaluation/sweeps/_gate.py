"""Is any experiment of a sweep an edge after costs, everything tried counted?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from barstack.bars import Panel
from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.times import KnownAt

from .._findings import Family
from .._profit import NetEdge, Profit, held_bars, net_edge, profit_of
from .._verdict import LEVEL, Edge, adjusted_p_value


@dataclass(frozen=True)
class SweepGate:
    """The verdict on the experiment that most speaks for.

    Attributes
    ----------
    edge
        "supported", "unproven" or "none", as a verdict has it.
    sentence
        The same in words.
    name
        Of the experiment with the lowest p-value.
    net_edge_bps, net_edge_bps_se
        Mean timing profit of a bar after costs, in basis points.
    p_value, p_adjusted
        Were it the only trial, and for all trials that the ledger holds.
    trials, cost_bps
        How many those are, and what each unit bought or sold costs.
    """

    edge: Edge
    sentence: str
    name: str
    net_edge_bps: float
    net_edge_bps_se: float | None
    p_value: float
    p_adjusted: float
    trials: int
    cost_bps: float


def net_edges(
    panel: Panel,
    decisions: Decisions,
    known_at: KnownAt,
    sides: Mapping[str, Floats],
    cost_bps: float,
) -> dict[str, NetEdge]:
    """Of each experiment, by name, on the same decisions.

    sides  by name, (n_rows,) from -1 to 1: what following its forecasts does

    >>> import numpy as np
    >>> from barstack.labels import LABELS
    >>> from barstack.testing import walk
    >>> bars = walk(bars=200)
    >>> labels = LABELS.parse({"label": "return", "horizons": [1]}).compute(bars)
    >>> known = np.flatnonzero(~np.isnan(labels.values[:, 0]))
    >>> decisions, known_at = labels.decisions.take(known), KnownAt(labels.known_at[known, 0])
    >>> right = np.sign(labels.returns[known, 0])
    >>> found = net_edges({"WALK": bars}, decisions, known_at, {"right": right, "wrong": -right}, 0)
    >>> found["right"].bps > 0 > found["wrong"].bps
    True
    """
    found = profits_of(panel, decisions, known_at, sides, cost_bps)
    return {name: net_edge(profit) for name, profit in found.items()}


def profits_of(
    panel: Panel,
    decisions: Decisions,
    known_at: KnownAt,
    sides: Mapping[str, Floats],
    cost_bps: float,
) -> dict[str, Profit]:
    """As `net_edges`, before anything is estimated.

    >>> import numpy as np
    >>> from barstack.labels import LABELS
    >>> from barstack.testing import walk
    >>> bars = walk(bars=200)
    >>> labels = LABELS.parse({"label": "return", "horizons": [1]}).compute(bars)
    >>> known = np.flatnonzero(~np.isnan(labels.values[:, 0]))
    >>> decisions, known_at = labels.decisions.take(known), KnownAt(labels.known_at[known, 0])
    >>> long = np.ones(len(known))
    >>> found = profits_of({"WALK": bars}, decisions, known_at, {"long": long}, 1.0)
    >>> bool(found["long"].timing.any())  # a steady position chooses no time
    False
    """
    time, held = held_bars(panel, decisions, known_at)
    return {name: profit_of(time, held, side, cost_bps) for name, side in sides.items()}


def gate_of(
    edges: Mapping[str, NetEdge], *, trials: int, cost_bps: float, family: Family | None = None
) -> SweepGate:
    """The verdict on the best, for the number of trials on these bars.

    It says less than the verdict of a run: the full audit for leaks is the run's.

    trials  of the ledger; no fewer than there are edges
    family  how many independent trials the experiments count as; by default each counts whole

    >>> gate_of({"lstm 1h": NetEdge(0.3, 0.1, 3.0, 0.002, 20)}, trials=40, cost_bps=1.0).edge
    'unproven'
    """
    trials = max(trials, len(edges))
    positive = {name: each for name, each in edges.items() if each.bps > 0.0}
    name = min(positive or edges, key=lambda each: (edges[each].p_value, -edges[each].bps))
    best = edges[name]
    p_adjusted = adjusted_p_value(best.p_value, trials, family)
    edge: Edge = "none"
    if best.bps > 0.0 and best.t_value is not None:
        edge = "supported" if p_adjusted < LEVEL else "unproven"
    figures = f"{best.bps:+.2f} basis points a bar after costs".replace("-", "−")
    counted = f"counting the {trials:,} trials made on these bars"
    sentence = {
        "none": f"No experiment earns anything by timing after costs; the best, {name}, has "
        f"{figures}.",
        "unproven": f"Not proven: {name} has {figures}, and luck alone makes as much in "
        f"{100 * p_adjusted:.0f} cases of 100, {counted}.",
        "supported": f"Supported: {name} has {figures}, and luck alone makes as much in fewer "
        f"than 5 cases of 100, {counted}. Run its study for the full audit and its verdict.",
    }[edge]
    return SweepGate(
        edge, sentence, name, best.bps, best.bps_se, best.p_value, p_adjusted, trials, cost_bps
    )
