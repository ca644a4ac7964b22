"""Names of columns in stored tables and frames."""

from __future__ import annotations

from .horizon import Horizon

DECIDED_AT = "decided_at"
SYMBOL = "symbol"
TRAINED_THROUGH = "trained_through"

# What a column at one horizon holds, beside what is forecast.
KNOWN_AT = "known_at"  # when the label is known
LABEL = "label"  # the return, or the class
LABEL_RETURN = "label_return"  # the return behind the label


def at_horizon(what: str, horizon: Horizon | str) -> str:
    """The name of a column that holds something at one horizon.

    >>> at_horizon(KNOWN_AT, "4h"), at_horizon("p_up", Horizon.parse(12))
    ('known_at_4h', 'p_up_12bars')
    """
    return f"{what}_{horizon}"
