"""barstack: learns ensembles from market bars and says honestly whether they predict anything.

>>> import barstack as bs
>>> study = bs.Study(bars="sample", label={"label": "return", "horizons": ["4h"]},
...                  members=["ridge"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from ._api import run
    from .bars import Bars, bars_from_frame
    from .core.errors import BarstackError
    from .evaluation import Evaluation, Verdict, assert_causal
    from .experiments import Run, Study
    from .features import Feature, FeatureSet, feature
    from .serving import Predictor, load

# Imported when first used, so that `import barstack` and `barstack --help` cost next to nothing.
_WHERE = {
    "Bars": "bars",
    "BarstackError": "core.errors",
    "Evaluation": "evaluation",
    "Feature": "features",
    "FeatureSet": "features",
    "Predictor": "serving",
    "Run": "experiments",
    "Study": "experiments",
    "Verdict": "evaluation",
    "assert_causal": "evaluation",
    "bars_from_frame": "bars",
    "feature": "features",
    "load": "serving",
    "run": "_api",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 (slow, and seldom asked for)

        return version("barstack")
    if name not in _WHERE:
        raise AttributeError(f"module 'barstack' has no attribute {name!r}")
    return getattr(import_module(f"barstack.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
