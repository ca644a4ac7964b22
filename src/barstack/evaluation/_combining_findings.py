"""What is found on combining the members: whether it helps, and which of them does."""

from __future__ import annotations

from dataclasses import dataclass

from barstack.core.horizon import Horizon

BEST_SO_FAR = "best_so_far"
EQUAL_WEIGHTS = "equal_weights"
_LEVEL = 0.05
_IN_WORDS = {
    BEST_SO_FAR: "the best member chosen on earlier rows",
    EQUAL_WEIGHTS: "equal weights",
    "zero": "a forecast of nothing",
    "historical_mean": "the historical mean",
    "past_quantiles": "the historical quantiles",
}


@dataclass(frozen=True, kw_only=True)
class Gain:
    """By how much an ensemble's loss lies below that of something simpler, on the same decisions.

    Attributes
    ----------
    against
        `best_so_far` (for each fold the member of lowest loss on earlier rows), `equal_weights`
        (the mean of the members), or a naive forecast.
    loss
        What is compared: squared error, log loss or pinball loss.
    gain, gain_se
        Mean loss of the other less that of the ensemble, as a share of the other's: above 0 the
        ensemble is better. The error is a jackknife over blocks of time.
    statistic, p_value
        Of the Diebold-Mariano test that the two losses are equal, two-sided; None where there are
        too few decisions, or the two never differ.
    p_adjusted
        The p-value by Holm for all ensembles and horizons compared with the same.
    tried
        How many those are.
    ic_gain, ic_gain_se
        Information coefficient of the ensemble less that of the other.
    reach
        Standard errors that a 95 % interval reaches each way.
    """

    ensemble: str
    horizon: str
    against: str
    loss: str
    n_decisions: int
    gain: float
    gain_se: float | None
    statistic: float | None
    p_value: float | None
    ic_gain: float | None
    ic_gain_se: float | None
    reach: float = 2.0
    p_adjusted: float | None = None
    tried: int = 1

    @property
    def distinguished(self) -> bool:
        """Whether the loss differs, by the test for all ensembles and by the 95 % interval."""
        if self.p_adjusted is None or self.gain_se is None:
            return False
        return self.p_adjusted < _LEVEL and abs(self.gain) > self.reach * self.gain_se

    @property
    def sentence(self) -> str:
        """What the figures mean, for a person who knows no statistics."""
        other = _IN_WORDS.get(self.against, self.against)
        when = f"{Horizon.parse(self.horizon).in_words} ahead"
        if self.gain == 0.0:
            return f"{self.ensemble} does exactly as well as {other}, {when}."
        error = "" if self.gain_se is None else f" ± {100 * self.gain_se:.2f}"
        verb = "beats" if self.gain > 0.0 else "loses to"
        text = (
            f"{self.ensemble} {verb} {other} by {100 * abs(self.gain):.2f}{error} % of its "
            f"{self.loss}, {when}"
        )
        if self.p_adjusted is None or self.gain_se is None:
            return f"{text}: too few decisions to tell it from nothing."
        chance = f"p {_chance(self.p_adjusted)} counting {self.tried} comparisons"
        if self.distinguished:
            return f"{text} ({chance})."
        what = "no gain" if self.gain > 0.0 else "no loss"
        return f"{text}: not distinguishable from {what} ({chance})."


def _chance(p: float) -> str:
    return "under 0.001" if p < 0.001 else f"{p:.3f}"


@dataclass(frozen=True)
class FoldGain:
    """The gain of an ensemble against equal weights within one fold, as a share of their loss."""

    ensemble: str
    horizon: str
    fold: int
    n_decisions: int
    gain: float
    gain_se: float | None
    reach: float = 2.0


@dataclass(frozen=True)
class Choice:
    """The member of lowest loss on the rows known before a fold, which `best_so_far` follows."""

    horizon: str
    fold: int
    member: str
    n_rows: int  # that it was chosen by; 0 where none was known, and the first member is taken


@dataclass(frozen=True)
class Diversity:
    """How much the members differ at one horizon.

    names               of the members compared in pairs; of more than 100 those of the largest
                        Shapley values
    disagreement        share of decisions at which two members take opposite sides; with one
                        that takes none, half
    error_correlation   correlation of the members' errors
    effective_errors    effective number of independent members by their errors, see
                        `effective_number`
    effective_forecasts the same by the forecasts themselves: errors share what is realised, which
                        nobody forecasts, and so hide what members differ in
    """

    horizon: str
    names: list[str]
    disagreement: list[list[float]]
    error_correlation: list[list[float | None]]
    effective_errors: float | None
    effective_forecasts: float | None


@dataclass(frozen=True)
class Contribution:
    """What a member contributes to the equal-weight mean of the members, at one horizon.

    The value of a coalition is the skill of its equal-weight mean: 1 - its loss / the loss of the
    naive forecast (historical mean, shares or quantiles), which is the value of no member at all.

    shapley      the member's Shapley value; all of them sum to the skill of equal weights
    shapley_se   standard error over blocks of time
    sampling_se  standard error of drawing orders of the members; 0 where all coalitions are
                 evaluated
    left_out     skill of all members less the skill without this one: what it adds to the others
    """

    member: str
    horizon: str
    shapley: float
    shapley_se: float | None
    sampling_se: float
    left_out: float | None
    left_out_se: float | None
    reach: float = 2.0


@dataclass(frozen=True)
class Importance:
    """How much worse an ensemble gets when one input's forecasts are shuffled within each fold.

    rise  of the loss, as a share of it; the ensemble as it was fitted before the fold
    """

    ensemble: str
    member: str
    horizon: str
    rise: float
    rise_se: float | None
    reach: float = 2.0


@dataclass(frozen=True)
class RegimeWeights:
    """Mean weights of the members while a market was in one state.

    share  of the decisions that were in it, by its probability
    """

    ensemble: str
    horizon: str
    regime: str
    share: float
    weights: dict[str, float]


@dataclass(frozen=True)
class Stability:
    """How steady something is from fold to fold, at one horizon.

    of     an ensemble; "" for the members' order
    kind   `weights_kept`: 1 - half the sum of absolute changes of its weights, which are scaled to
           an absolute sum of one, mean over neighbouring folds; 1 is steady, 0 is all changed.
           `rank_correlation`: Spearman's of the members' losses in neighbouring folds, mean; 1
           where the order of the members lasts, about 0 where it is luck
    """

    of: str
    horizon: str
    kind: str
    value: float
