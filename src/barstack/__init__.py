"""barstack: learns ensembles from market bars and says honestly whether they predict anything.

With a frame of bars, pandas or polars, three lines are a whole study:

    run = bs.run(frame, horizons=["1h", "1d"])
    run.verdict
    run.predict(new_frame)

>>> import barstack as bs
>>> study = bs.Study(bars="sample", label={"label": "return", "horizons": ["4h"]},
...                  members=["ridge"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._api import run as run
    from .bars import Bars as Bars
    from .bars import bars_from_frame as bars_from_frame
    from .bars.sources import keep_frame as keep_frame
    from .core.errors import BarstackError as BarstackError
    from .evaluation import Evaluation as Evaluation
    from .evaluation import Verdict as Verdict
    from .evaluation import assert_causal as assert_causal
    from .experiments import Run as Run
    from .experiments import Study as Study
    from .features import Feature as Feature
    from .features import FeatureSet as FeatureSet
    from .features import feature as feature
    from .forecasting import Models as Models
    from .forecasting import Predictor as Predictor
    from .forecasting import load as load

    __version__: str

# Imported when first used, so that `import barstack` and `barstack --help` cost next to nothing.
_WHERE = {
    "Bars": "bars",
    "BarstackError": "core.errors",
    "Evaluation": "evaluation",
    "Feature": "features",
    "FeatureSet": "features",
    "Models": "forecasting",
    "Predictor": "forecasting",
    "Run": "experiments",
    "Study": "experiments",
    "Verdict": "evaluation",
    "assert_causal": "evaluation",
    "bars_from_frame": "bars",
    "feature": "features",
    "keep_frame": "bars.sources",
    "load": "forecasting",
    "run": "_api",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 (slow, and seldom asked for)

        return version("barstack")
    if name not in _WHERE:
        raise AttributeError(f"module 'barstack' has no attribute {name!r}")
    return getattr(import_module(f"barstack.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*_WHERE, "__version__"])
