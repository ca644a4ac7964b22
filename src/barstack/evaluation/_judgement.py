"""The verdict as plain values: what speaks for an edge, and what speaks against believing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from barstack.core.horizon import Horizon

Edge = Literal["none", "unproven", "supported"]


@dataclass(frozen=True)
class Evidence:
    """What speaks for an edge of the first ensemble at one horizon."""

    horizon: str
    edge: Edge
    net_edge_bps: float
    net_edge_bps_se: float | None
    t_value: float | None
    p_value: float
    p_adjusted: float
    ic: float | None
    ic_se: float | None
    n_bars: int
    # [fewest, most] beyond these that would prove it in 8 cases of 10; None where it is not
    # unproven, or where the bars cannot say.
    bars_to_prove: list[int] | None
    reach: float = 2.0  # standard errors that a 95 % interval of the net edge reaches each way


@dataclass(frozen=True)
class Doubt:
    """A forecaster that does better at one horizon than is plausible.

    figure        such as correlation
    bound         the most that is plausible for labels as long as these
    column        the feature that alone goes best with what came; None where none explains it
    column_skill  its correlation with what came
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
        told = (
            f"the {ahead} forecasts of {self.name} have a {self.figure} of {self.value:.2f} "
            f"with what came, where {self.bound:.2f} is the most that is plausible"
        )
        if self.figure == "directional accuracy":
            told = (
                f"the {ahead} forecasts of {self.name} have the right direction in "
                f"{self.value:.0%} of cases, where {self.bound:.0%} is the most that is plausible"
            )
        if self.column is None:
            return (
                f"{told}; no single column explains it, so look first at the label, at how bars "
                "and series are stamped, and at prices that bounce or stand still"
            )
        return (
            f"{told}; most likely {self.column} has seen the answer, which alone has a correlation "
            f"of {self.column_skill:.2f} with it: find out when its numbers were known"
        )


@dataclass(frozen=True)
class Verdict:
    """Whether there is an edge, after costs and after everything that was tried.

    edge      "supported": the net edge would be luck with a chance under 5 %, all trials counted.
              "unproven": it is positive, but luck could well have made it.
              "none": after costs there is none to prove
    sentence  the same for a person who knows no statistics
    """

    edge: Edge
    sentence: str
    horizon: str
    ensemble: str
    trials: int
    cost_bps: float  # of each unit bought or sold
    evidence: list[Evidence]
    doubts: list[Doubt] = field(default_factory=list)  # with any, nothing is supported, unless
    expected: str = ""  # the study says why so large an effect is to be expected
    looks: int = 1  # states of the data that this ensemble was judged on, each among the trials
