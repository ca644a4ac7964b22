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
    from ._api import simulate as simulate
    from ._api import sweep as sweep
    from ._api import tearsheet as tearsheet
    from ._api import tune as tune
    from .bars import Bars as Bars
    from .bars import SeriesFile as SeriesFile
    from .bars import bars_from_frame as bars_from_frame
    from .bars.sources import keep_frame as keep_frame
    from .bars.sources.alpaca import Alpaca as Alpaca
    from .bars.sources.catalog import FromCatalog as FromCatalog
    from .bars.sources.ccxt import Ccxt as Ccxt
    from .bars.sources.files import FileProvider as FileProvider
    from .bars.sources.frame import FrameProvider as FrameProvider
    from .bars.sources.sample import Sample as Sample
    from .bars.sources.sql import Sql as Sql
    from .bars.sources.yfinance import YFinance as YFinance
    from .core.errors import BarstackError as BarstackError
    from .core.horizon import Horizon as Horizon
    from .core.progress import Progress as Progress
    from .datasets import RankGaussScaler as RankGaussScaler
    from .datasets import RobustScaler as RobustScaler
    from .datasets import StandardScaler as StandardScaler
    from .ensembles.average import Average as Average
    from .ensembles.greedy import Greedy as Greedy
    from .ensembles.inverse_variance import InverseVariance as InverseVariance
    from .ensembles.min_variance import MinVariance as MinVariance
    from .ensembles.nnls import NonNegativeLeastSquares as NonNegativeLeastSquares
    from .ensembles.online import BernsteinAggregation as BernsteinAggregation
    from .ensembles.online import ExponentiatedGradient as ExponentiatedGradient
    from .ensembles.online import FixedShare as FixedShare
    from .ensembles.online import PolynomialWeights as PolynomialWeights
    from .ensembles.ordered import Median as Median
    from .ensembles.ordered import TrimmedMean as TrimmedMean
    from .ensembles.performance_weighted import PerformanceWeighted as PerformanceWeighted
    from .ensembles.rank_average import RankAverage as RankAverage
    from .ensembles.regime_aware import RegimeAware as RegimeAware
    from .ensembles.selective import Selective as Selective
    from .ensembles.stack import Stack as Stack
    from .ensembles.votes import HardVote as HardVote
    from .ensembles.votes import SoftVote as SoftVote
    from .evaluation import Evaluation as Evaluation
    from .evaluation import Verdict as Verdict
    from .evaluation import assert_causal as assert_causal
    from .evaluation.judging import Judgement as Judgement
    from .experiments import Calibration as Calibration
    from .experiments import Run as Run
    from .experiments import Study as Study
    from .experiments import Sweep as Sweep
    from .experiments import Tuning as Tuning
    from .experiments import audit as audit
    from .experiments import calibrate as calibrate
    from .experiments import judge as judge
    from .features import Feature as Feature
    from .features import FeatureSet as FeatureSet
    from .features import feature as feature
    from .forecasting import Models as Models
    from .forecasting import Predictor as Predictor
    from .forecasting import load as load
    from .labels import Direction as Direction
    from .labels import ForwardReturn
    from .labels import GeneticBarriers as GeneticBarriers
    from .labels import Meta as Meta
    from .labels import Quantiles as Quantiles
    from .labels import SampleWeights as SampleWeights
    from .labels import ThreeClass as ThreeClass
    from .labels import ThreeClassQuantiles as ThreeClassQuantiles
    from .labels import ThreeClassVolatility as ThreeClassVolatility
    from .labels import TripleBarrier as TripleBarrier
    from .models.boosting.catboost import CatBoost as CatBoost
    from .models.boosting.hist_gradient_boosting import HistGradientBoosting as HistGradientBoosting
    from .models.boosting.lightgbm import LightGBM as LightGBM
    from .models.boosting.xgboost import XGBoost as XGBoost
    from .models.classical.elastic_net import ElasticNet as ElasticNet
    from .models.classical.forests import ExtraTrees as ExtraTrees
    from .models.classical.forests import RandomForest as RandomForest
    from .models.classical.knn import KNN as KNN
    from .models.classical.logistic import Logistic as Logistic
    from .models.classical.naive import NaiveMean as NaiveMean
    from .models.classical.naive import NaiveSign as NaiveSign
    from .models.classical.naive import NaiveZero as NaiveZero
    from .models.classical.ridge import Ridge as Ridge
    from .models.classical.sklearn import ScikitLearn as ScikitLearn
    from .models.classical.svm import SVM as SVM
    from .models.neural.attention import TFT as TFT
    from .models.neural.attention import PatchTST as PatchTST
    from .models.neural.attention import Transformer as Transformer
    from .models.neural.convolutional import TCN as TCN
    from .models.neural.convolutional import Hierarchical as Hierarchical
    from .models.neural.feedforward import MLP as MLP
    from .models.neural.feedforward import AutoencoderMLP as AutoencoderMLP
    from .models.neural.feedforward import DLinear as DLinear
    from .models.neural.feedforward import NHiTS as NHiTS
    from .models.neural.recurrent import CNNLSTM as CNNLSTM
    from .models.neural.recurrent import GRU as GRU
    from .models.neural.recurrent import LSTM as LSTM
    from .models.neural.recurrent import AttentionLSTM as AttentionLSTM
    from .models.neural.recurrent import MixtureOfExperts as MixtureOfExperts
    from .models.neural.recurrent import MultitaskLSTM as MultitaskLSTM
    from .models.pretrained.timesfm import TimesFM as TimesFM
    from .models.regimes.hmm import RegimeHMM as RegimeHMM
    from .models.regimes.jump import RegimeJump as RegimeJump
    from .models.regimes.rules import RegimeRules as RegimeRules
    from .models.wrappers.per_ticker import PerTicker as PerTicker
    from .models.wrappers.reptile import Reptile as Reptile
    from .models.wrappers.transfer import Transfer as Transfer
    from .portfolio import Strategy as Strategy
    from .reports import plots as plots
    from .simulation import Costs as Costs
    from .simulation import Events as Events
    from .simulation import Fills as Fills
    from .simulation import Instrument as Instrument
    from .simulation import Limits as Limits
    from .simulation import Settings as Settings
    from .splits import Chronological as Chronological
    from .splits import CombinatorialPurged as CombinatorialPurged
    from .splits import HoldOut as HoldOut
    from .splits import PurgedKFold as PurgedKFold
    from .splits import WalkForward as WalkForward

    __version__: str
    Return = ForwardReturn

# Imported when first used, so that `import barstack` and `barstack --help` cost next to nothing.
_WHERE = {
    "Bars": "bars",
    "BarstackError": "core.errors",
    "Calibration": "experiments",
    "Evaluation": "evaluation",
    "Feature": "features",
    "FeatureSet": "features",
    "Horizon": "core.horizon",
    "Judgement": "evaluation.judging",
    "Models": "forecasting",
    "Predictor": "forecasting",
    "Progress": "core.progress",
    "Run": "experiments",
    "SampleWeights": "labels",
    "SeriesFile": "bars",
    "Study": "experiments",
    "Sweep": "experiments",
    "Tuning": "experiments",
    "Costs": "simulation",
    "Events": "simulation",
    "Fills": "simulation",
    "Instrument": "simulation",
    "Limits": "simulation",
    "Settings": "simulation",
    "Strategy": "portfolio",
    "Verdict": "evaluation",
    "assert_causal": "evaluation",
    "audit": "experiments",
    "bars_from_frame": "bars",
    "calibrate": "experiments",
    "feature": "features",
    "judge": "experiments",
    "keep_frame": "bars.sources",
    "load": "forecasting",
    "plots": "reports",
    "run": "_api",
    "simulate": "_api",
    "sweep": "_api",
    "tearsheet": "_api",
    "tune": "_api",
}


# Classes of a study's parts by module: those registered under a name, but for plugins'.
_PARTS = {
    "bars.sources.alpaca": "Alpaca",
    "bars.sources.catalog": "FromCatalog",
    "bars.sources.ccxt": "Ccxt",
    "bars.sources.files": "FileProvider",
    "bars.sources.frame": "FrameProvider",
    "bars.sources.sample": "Sample",
    "bars.sources.sql": "Sql",
    "bars.sources.yfinance": "YFinance",
    "datasets": "RankGaussScaler RobustScaler StandardScaler",
    "ensembles.average": "Average",
    "ensembles.greedy": "Greedy",
    "ensembles.inverse_variance": "InverseVariance",
    "ensembles.min_variance": "MinVariance",
    "ensembles.nnls": "NonNegativeLeastSquares",
    "ensembles.online": "BernsteinAggregation ExponentiatedGradient FixedShare PolynomialWeights",
    "ensembles.ordered": "Median TrimmedMean",
    "ensembles.performance_weighted": "PerformanceWeighted",
    "ensembles.rank_average": "RankAverage",
    "ensembles.regime_aware": "RegimeAware",
    "ensembles.selective": "Selective",
    "ensembles.stack": "Stack",
    "ensembles.votes": "HardVote SoftVote",
    "labels": "Direction GeneticBarriers Meta Quantiles Return ThreeClass ThreeClassQuantiles "
    "ThreeClassVolatility TripleBarrier",
    "models.boosting.catboost": "CatBoost",
    "models.boosting.hist_gradient_boosting": "HistGradientBoosting",
    "models.boosting.lightgbm": "LightGBM",
    "models.boosting.xgboost": "XGBoost",
    "models.classical.elastic_net": "ElasticNet",
    "models.classical.forests": "ExtraTrees RandomForest",
    "models.classical.knn": "KNN",
    "models.classical.logistic": "Logistic",
    "models.classical.naive": "NaiveMean NaiveSign NaiveZero",
    "models.classical.ridge": "Ridge",
    "models.classical.sklearn": "ScikitLearn",
    "models.classical.svm": "SVM",
    "models.neural.attention": "PatchTST TFT Transformer",
    "models.neural.convolutional": "Hierarchical TCN",
    "models.neural.feedforward": "AutoencoderMLP DLinear MLP NHiTS",
    "models.neural.recurrent": "AttentionLSTM CNNLSTM GRU LSTM MixtureOfExperts MultitaskLSTM",
    "models.pretrained.timesfm": "TimesFM",
    "models.regimes.hmm": "RegimeHMM",
    "models.regimes.jump": "RegimeJump",
    "models.regimes.rules": "RegimeRules",
    "models.wrappers.per_ticker": "PerTicker",
    "models.wrappers.reptile": "Reptile",
    "models.wrappers.transfer": "Transfer",
    "splits": "Chronological CombinatorialPurged HoldOut PurgedKFold WalkForward",
}
_WHERE |= {name: module for module, names in _PARTS.items() for name in names.split()}
_CALLED = {"Return": "ForwardReturn"}  # where the public name is another


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 (slow, and seldom asked for)

        return version("barstack")
    if name not in _WHERE:
        raise AttributeError(f"module 'barstack' has no attribute {name!r}")
    return getattr(import_module(f"barstack.{_WHERE[name]}"), _CALLED.get(name, name))


def __dir__() -> list[str]:
    return sorted([*_WHERE, "__version__"])
