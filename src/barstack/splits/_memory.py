"""How far back the features of a row reach, which determines the embargo of crossed folds."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars, Panel, as_panel, resample
from barstack.core.times import parse_duration
from barstack.features import Feature, FeatureSet

# Fields of a bar read by features that restart with each session.
_SESSION = {"session", "session_open", "session_close", "new_session"}


def memory_bars(features: FeatureSet, bars: Bars | Panel, lookback: int = 1) -> int:
    """Most bars that a row's features read on these bars, its own included.

    A feature reads its declared warm-up and its own bar; one that uses sessions, the sessions it
    declares and its own; one of a longer timeframe, so many longer bars and the bars since.
    Recursive averages also keep a decaying trace of earlier bars. Series are not counted: how far
    back they reach is unknown.

    lookback  longest window of a model, in bars

    >>> from barstack.testing import walk
    >>> features = FeatureSet(features=[Feature(feature="rsi"), Feature(feature="body")])
    >>> memory_bars(features, walk(bars=100)), memory_bars(features, walk(bars=100), lookback=30)
    (15, 44)
    """
    panel = as_panel(bars)
    longest = max(_memory(each, own) for each in features.features for own in panel.values())
    return longest + lookback - 1


def _memory(feature: Feature, bars: Bars) -> int:
    kernel = feature.kernel
    sessions = kernel.sessions_for(feature.values)
    by_session = sessions > 0 or not _SESSION.isdisjoint(kernel.inputs)
    if feature.timeframe is None:
        own = feature.warmup + 1
        return max(own, _most_bars(bars, sessions + 1)) if by_session else own
    (longer,) = resample(bars, parse_duration(feature.timeframe)).values()
    needed = feature.warmup + 1
    if by_session:
        needed = max(needed, _most_bars(longer, sessions + 1))
    if len(longer) == 0:
        return len(bars)
    # Rows at which each longer bar is known; one more is forming.
    ends = np.searchsorted(bars.closed_at, longer.closed_at)
    ends = np.concatenate([[-1], ends, [len(bars) - 1]])
    span = min(needed + 1, len(ends) - 1)
    return int((ends[span:] - ends[:-span]).max())


def _most_bars(bars: Bars, sessions: int) -> int:
    """Most bars in so many consecutive sessions."""
    session = bars.records["session"]
    starts = np.flatnonzero(np.append(True, session[1:] != session[:-1]))
    edges = np.append(starts, len(bars))
    span = min(sessions, len(starts))
    return int((edges[span:] - edges[:-span]).max())
