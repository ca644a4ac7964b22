"""Studies and calls as people mistype and attackers make them, and how each may end."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import yaml

from barstack.datasets import SCALERS
from barstack.ensembles import ENSEMBLES
from barstack.features import FEATURES
from barstack.labels import LABELS
from barstack.models import MODELS
from barstack.splits import SPLITTERS

Case = dict[str, Any]
ANSWERS = (0, 1, 2)  # done, the answer is no, wrong use
WRONG = (2,)

# Too slow or too large for one case among thousands.
_SLOW = ("timesfm", "reptile", "transfer", "per_ticker")


def bars_table(rows: int = 700, seed: int = 0) -> pl.DataFrame:
    """Clean bars by the hour."""
    draw = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(draw.normal(0, 3e-3, rows))), 2)
    open_ = np.append(close[:1], close[:-1])
    start = np.datetime64("2026-01-05T00:00", "us") + np.arange(rows) * np.timedelta64(1, "h")
    return pl.DataFrame(
        {
            "timestamp": pl.Series(start).dt.replace_time_zone("UTC"),
            "open": open_,
            "high": np.maximum(open_, close) + 0.05,
            "low": np.minimum(open_, close) - 0.05,
            "close": close,
            "volume": draw.integers(100, 9_000, rows).astype(float),
        }
    )


def study() -> dict[str, Any]:
    """A small study that runs as it stands."""
    return {
        "title": "doors",
        "bars": {"provider": "files", "path": "T.parquet", "bar": "1h"},
        "features": ["rsi", "body", {"feature": "log_return", "params": {"window": 4}}],
        "label": {"label": "return", "horizons": ["1h", 4]},
        "split": {"split": "walk_forward", "folds": 3},
        "members": {"ridge": {"model": "ridge", "penalty": 1.0}},
        "ensembles": ["average"],
        "cost_bps": 1.0,
        "seed": 3,
    }


ODD: list[Any] = [
    *(None, True, False, -1, 0, 1, 2, 3.5, -0.0, 1e308, -1e308, 1e-320, 10**9, 10**12, 2**63),
    *(10**40, float("nan"), float("inf"), "", " ", "x" * 5_000, "\x1b[31mred\x1b[0m", "a\rb"),
    *("\u202egnp.exe", "1h", "0min", "1bars", "999999w", "60min", "1.5h", "-1h", "2026-13-01"),
    *("0001-01-01", "9999-12-31", "/dev/zero", "/proc/kmsg", "/dev/stdin", "../../etc/passwd"),
    *("~", "*", "T[1].parquet", "T.parquet", ".", "/", "null", "yes", "XNYS", "24/7", "ridge"),
    *("rsi", "Ünïcode", "日本", "é" * 300, [], {}, [[]], [None], {"a": {}}, ["rsi"] * 3),
    *(list(range(500)), {"": 1}, {"x": float("nan")}, ["rsi"] * 2_000, [["1h"]], [-5]),
    *({str(n): {} for n in range(300)}, ["1h", "60min"], [10**9]),
]
# Of the right type, so that they come past the first check.
WHOLE = [0, 1, 2, 3, 7, 60, 999, 10**5, 10**6, 10**9, 10**12, -1]
REAL = [0.0, 1e-300, 1e-12, 0.01, 0.5, 1.0, 1.5, 60.0, 1e6, 1e12, 1e300, -1.0]
TEXT = [
    "1h",
    "2h",
    "90min",
    "45min",
    "1d",
    "1w",
    "30s",
    "3sessions",
    "1session",
    "UTC",
    "CMES",
    "FX",
]


def odd_like(draw: Random, usual: Any) -> Any:
    """An odd value; twice in three of the type that is expected."""
    if draw.random() < 0.67:
        if isinstance(usual, int) and not isinstance(usual, bool):
            return draw.choice(WHOLE)
        if isinstance(usual, float):
            return draw.choice(REAL)
        if isinstance(usual, str):
            return draw.choice(TEXT)
        if isinstance(usual, tuple | list) and usual:
            return [odd_like(draw, each) for each in usual]
    return copy.deepcopy(draw.choice(ODD))


def cases(number: int, draw: Random, folder: Path) -> Case:
    """Case `number`: files in `folder`, and the call."""
    kinds: list[Callable[[Random, Path], Case]] = [
        *(_field, _field, _field, _option, _option, _key, _text, _calls, _series),
    ]
    bars_table(seed=number % 7).write_parquet(folder / "T.parquet")
    return kinds[number % len(kinds)](draw, folder)


def _case(arguments: list[str], codes: tuple[int, ...], what: str, **more: Any) -> Case:
    return {"arguments": arguments, "codes": codes, "what": what} | more


def _command(draw: Random) -> list[str]:
    return draw.choice(
        [
            *([["run", "study.yaml"]] * 4),
            *(["run", "study.yaml", "--json"], ["audit", "study.yaml", "--short"]),
            *(["audit", "study.yaml", "--json"], ["export", "study.yaml", "--out", "sets"]),
            *(["features", "plot", "rsi", "--study", "study.yaml"], ["fetch", "study.yaml"]),
        ]
    )


def _written(content: Any, folder: Path) -> None:
    (folder / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += _places(item, (*path, key))
    return found


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def _field(draw: Random, folder: Path) -> Case:
    """One or two fields with an odd value."""
    content = study()
    told = []
    for _ in range(draw.choice((1, 1, 2))):
        path = draw.choice(_places(content))
        odd = odd_like(draw, _at(content, path))
        _put(content, path, odd)
        told.append(f"{'.'.join(map(str, path))}={str(odd)[:40]!r}")
    _written(content, folder)
    return _case(_command(draw), ANSWERS, "field " + ", ".join(told))


def _option(draw: Random, folder: Path) -> Case:
    """A registered part with an odd value of one of its own settings."""
    content = study()
    registries: dict[str, Any] = {
        "model": MODELS,
        "label": LABELS,
        "split": SPLITTERS,
        "scaler": SCALERS,
        "ensemble": ENSEMBLES,
        "feature": FEATURES,
    }
    kind = draw.choice(["model", "model", "model", *registries])
    registry = registries[kind]
    name = draw.choice([each for each in registry.names() if each not in _SLOW])
    if kind == "feature":
        settings = dict(FEATURES.get(name).params)
    else:
        settings = {key: each.default for key, each in registry.get(name).model_fields.items()}
    part: dict[str, Any] = {kind: name}
    if kind == "model":
        fields = registry.get(name).model_fields
        part |= {key: few for key, few in (("trees", 3), ("epochs", 1)) if key in fields}
    if kind == "label" and "horizons" in settings:
        part["horizons"] = [3]
    setting = draw.choice([*settings] or ["none"])
    odd = odd_like(draw, settings.get(setting))
    part |= {"params": {setting: odd}} if kind == "feature" else {setting: odd}
    if kind == "model":
        content["members"] = {"one": part}
        task = draw.choice(registry.get(name).tasks)
        content["label"] = _LABEL_OF[task]
    elif kind == "ensemble":
        content["ensembles"] = [part]
    elif kind == "feature":
        content["features"] = ["rsi", part]
    else:
        content[kind] = part
    _written(content, folder)
    what = f"option {kind} {name}.{setting}={str(odd)[:40]!r}"
    return _case(["run", "study.yaml"], ANSWERS, what)


_LABEL_OF = {
    "return": {"label": "return", "horizons": [3]},
    "direction": {"label": "direction", "horizons": [3]},
    "three_class": {"label": "three_class", "horizons": [3]},
    "quantiles": {"label": "quantiles", "horizons": [3]},
}


def _key(draw: Random, folder: Path) -> Case:
    """A key that is missing, unknown, mistyped, of another type, or exchanged with another."""
    content: dict[Any, Any] = study()
    way = draw.choice(("drop", "typo", "unknown", "swap", "number"))
    key = draw.choice([*content])
    if way == "drop":
        del content[key]
    elif way == "typo":
        content[key[:-1] + draw.choice("xyz ")] = content.pop(key)
    elif way == "unknown":
        content[draw.choice(("leverage", "__class__", "id", "version", "model_config", "é"))] = 1
    elif way == "swap":
        other = draw.choice([*content])
        content[key], content[other] = content[other], content[key]
    else:
        content[draw.choice((1, 2.5, True, None))] = content.pop(key)
    _written(content, folder)
    return _case(_command(draw), ANSWERS, f"key {way} {key}")


def _text(draw: Random, folder: Path) -> Case:
    """A file that is damaged, hostile, or of another encoding."""
    whole = yaml.safe_dump(study(), sort_keys=False)
    anchors = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    texts: dict[str, str | bytes] = {
        "alias bomb": anchors + whole,
        "alias of itself": "members: &m {ridge: *m}\n",
        "deep": "title: " + "[" * 9_000 + "]" * 9_000,
        "deep map": "\n".join(" " * n + "a:" for n in range(900)),
        "huge integer": whole.replace("seed: 3", "seed: " + "7" * 9_000),
        "lone surrogate": whole.replace("title: doors", 'title: "\\ud83d"'),
        "escape": whole.replace("title: doors", 'title: "\\e[2J\\a"'),
        "twice": whole + whole,
        "tab": whole.replace("  ", "\t"),
        "utf-16": whole.encode("utf-16"),
        "latin-1": whole.replace("doors", "Zürich").encode("latin-1"),
        "bom": b"\xef\xbb\xbf" + whole.encode(),
        "cr": whole.replace("\n", "\r").encode(),
        "nul": whole.replace("doors", "do\0rs").encode(),
        "cut": whole[: draw.randrange(len(whole))],
        "random bytes": draw.randbytes(draw.randrange(1, 4_000)),
        "empty": "",
        "a list": "[1, 2]",
        "a word": "study",
        "two documents": whole + "---\n" + whole,
        "python object": "title: !!python/object/apply:os.system [id]\n",
        "many keys": "".join(f"k{n}: {n}\n" for n in range(30_000)),
        "long line": "title: " + "x" * 900_000,
        "too long": "# " + "x" * 2_000_000,
        "folds": whole.replace("folds: 3", "folds: 1000000000"),
        "cost": whole.replace("cost_bps: 1.0", "cost_bps: 1.0e+308"),
    }
    name = draw.choice([*texts])
    text = texts[name]
    if name == "random bytes" or isinstance(text, bytes):
        (folder / "study.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    else:
        (folder / "study.yaml").write_text(text)
    sound = ("bom", "cr", "cut")
    return _case(_command(draw), ANSWERS if name in sound else WRONG, f"text {name}")


def _series(draw: Random, folder: Path) -> Case:
    """A study with a series whose file or settings are odd."""
    content, path = study(), folder / "s.csv"
    moods = bars_table().select("timestamp", mood=pl.col("close") / 100)
    ways: dict[str, Callable[[], Any]] = {
        "well": lambda: moods.write_csv(path),
        "missing": lambda: None,
        "empty": lambda: path.write_text(""),
        "no rows": lambda: path.write_text("timestamp,mood\n"),
        "dates": lambda: moods.with_columns(pl.col("timestamp").dt.date()).write_csv(path),
        "text": lambda: moods.with_columns(mood=pl.lit("good")).write_csv(path),
        "infinite": lambda: moods.with_columns(mood=pl.lit(float("inf"))).write_csv(path),
        "repeats": lambda: pl.concat([moods, moods]).write_csv(path),
        "binary": lambda: path.write_bytes(draw.randbytes(900)),
        "directory": path.mkdir,
    }
    name = draw.choice([*ways])
    ways[name]()
    file: dict[str, Any] = {"path": "s.csv"}
    if draw.random() < 0.5:
        key = draw.choice(
            ("path", "symbol", "known_after", "timezone", "max_age", "fill", "columns", "x")
        )
        file[key] = copy.deepcopy(draw.choice(ODD))
    content["series"] = {draw.choice(("mood", "mood", "", "a b", "\x07")): file}
    _written(content, folder)
    return _case(["run", "study.yaml"], ANSWERS, f"series {name} {str(file)[:60]}")


def _calls(draw: Random, folder: Path) -> Case:
    """Every command with arguments that are odd."""
    _written(study(), folder)
    odd = draw.choice([str(each)[:300] for each in ODD if "\0" not in str(each)])
    lines = """
        run ?|run study.yaml --runs ?|audit ?|leaderboard ?|predict ? T.parquet|compare ? ?|list ?
        predict study.yaml ?|export study.yaml --out ?|artifacts list ?|artifacts info ? SPY
        models show ?|features show ?|features list --set ?|splits plot --split ?
        splits plot --set folds=?|world make --kind ? --into w|world make --into ?|world show ?
        data ? --catalog c|data T.parquet --calendar ?|data T.parquet --bar ?|import ? --yes
        import T.parquet --yes --into ?|fetch ? SPY|fetch alpaca ? --bar 1h --start 2024-01-01
        fetch ccxt A/B --option exchange=? --bar ?|features plot rsi --bars ?|models list ?|? ?|?
        schema ?|import T.parquet --yes --calendar ?|import T.parquet --yes --columns close=?
    """
    commands = [line.split() for line in lines.strip().replace("\n", "|").split("|")]
    arguments = [word.replace("?", odd) for word in draw.choice(commands)]
    if draw.random() < 0.3:
        arguments = [*arguments, "--json"]
    environment = {"BARSTACK_CATALOG": str(folder / "catalog")}
    # A source that needs a key or a package says so with 2; one that cannot be reached with 3.
    codes = (*ANSWERS, 3) if arguments[0] == "fetch" else ANSWERS
    return _case(arguments, codes, "call " + json.dumps(arguments)[:120], environment=environment)
