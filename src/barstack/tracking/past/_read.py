"""What kind of trials a file or folder holds, and the trials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from barstack.core.errors import DataError

from . import _mlflow, _optuna
from ._foreign_sqlite import foreign_database, has_tables
from ._freqtrade import read_freqtrade
from ._trial import PastTrial

_SQLITE = b"SQLite format 3\0"
_KINDS = (
    "Give an Optuna study in SQLite, an MLflow store (a SQLite file or a folder mlruns), or "
    "freqtrade's strategy_*.fthypt."
)


def read_past(path: Path) -> Iterator[PastTrial]:
    """Trials of any source that is known by what it holds, not by its name.

    `DataError` for what is none of them, is damaged, or is larger than it may be.

    >>> import json, tempfile
    >>> file = Path(tempfile.mkdtemp()) / "strategy_Ichimoku.fthypt"
    >>> results = {"strategy_name": "Ichimoku", "pairlist": ["BTC/USDT"]}
    >>> line = {"loss": -0.2, "params_dict": {"rsi": 30}, "results_metrics": results}
    >>> _ = file.write_text(json.dumps(line))
    >>> [(each.group, each.params, each.measures, each.symbols) for each in read_past(file)]
    [('Ichimoku', {'rsi': 30}, {'loss': -0.2}, ('BTC/USDT',))]
    """
    if path.is_dir():
        if not any(path.glob("*/meta.yaml")):
            raise DataError(f"{path} is a folder without experiments of MLflow. {_KINDS}")
        return _mlflow.read_mlflow_folder(path)
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder. {_KINDS}")
    with path.open("rb") as stream:
        begin = stream.read(len(_SQLITE))
    if begin == _SQLITE:
        return _of_database(path)
    if begin[:1] in (b"\x80", b"\x1f"):  # a pickle, or gzip around one
        raise DataError(
            f"{path} is a pickle or is compressed. A pickle can run code when it is opened, and is "
            f"never read here. {_KINDS}"
        )
    if not begin.lstrip().startswith(b"{"):
        raise DataError(f"{path} holds no trials that are known here. {_KINDS}")
    return read_freqtrade(path)


def _of_database(path: Path) -> Iterator[PastTrial]:
    with foreign_database(path) as database:
        if has_tables(database, _optuna.TABLES):
            return _optuna.read_optuna(path)
        if has_tables(database, _mlflow.TABLES):
            return _mlflow.read_mlflow_database(path)
    raise DataError(f"{path} is a database without trials of Optuna or MLflow. {_KINDS}")
