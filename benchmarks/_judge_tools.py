"""The exports of vectorbt and backtesting.py, made by these tools in an environment of their own.

Both tools are dependencies of nobody here: they get an environment under results/.judge, made on
first use. Each runs a crossing of two averages on the same bars and exports what its users export.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _benchmark import HERE
from _judge_histories import daily_bars

import barstack as bs
from barstack.core.errors import BarstackError

HOME = HERE / "results" / ".judge"
PACKAGES = ("vectorbt==1.2.0", "backtesting==0.6.6", "pyarrow")
_FAR = 0.02  # of the profit, between the tool's account of its trades and ours


def exports(seed: int) -> tuple[dict[str, Any], str]:
    """By export, whether it was read without a setting, and as what; and why there is none."""
    python, failure = environment()
    if python is None:
        return {}, failure
    bars = daily_bars(np.random.default_rng([seed, 100]), 1_500)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bars.to_frame().to_csv(folder / "bars.csv", index=False)
        command = [str(python), str(HERE / "_judge_tools_child.py"), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return {}, f"The tools failed:\n{done.stderr[-2000:]}"
        truth = json.loads((folder / "truth.json").read_text())
        for export, facts in truth.items():
            found[export] = _read(folder / export, bars, facts)
            print(export, found[export], flush=True)
    return found, ""


def _read(file: Path, bars: bs.Bars, facts: dict[str, Any]) -> dict[str, Any]:
    try:
        judged = bs.judge(file, bars)
    except BarstackError as error:
        return {"right": False, "error": str(error)}
    own = judged.gross_edge_bps  # before costs and beyond a steady position: for the record
    right = judged.kind == facts["kind"] and judged.tool == facts["tool"]
    if "returns" in facts:
        trades = judged.trade_figures
        gains = sum(each > 0.0 for each in facts["returns"])
        right = right and trades["trades"] == len(facts["returns"])
        right = right and abs(trades["win_rate"] - gains / len(facts["returns"])) < 1e-9
        assert judged.equity is not None
        earned = judged.equity.gross[-1] - 1.0
        right = right and abs(earned - sum(facts["returns"])) < _FAR * (1.0 + abs(earned))
    wrong = [each.name for each in judged.suspicions if each.name != "few_trades"]
    return {"right": right and not wrong, "tool": judged.tool, "kind": judged.kind,
            "edge": judged.edge, "gross_edge_bps": round(own, 3), "signs": wrong}  # fmt: skip


def environment() -> tuple[Path | None, str]:
    """The Python that has the tools, or None and how their installation failed."""
    python, ready = HOME / "venv" / "bin" / "python", HOME / ".ready"
    if ready.is_file():
        return python, ""
    HOME.mkdir(parents=True, exist_ok=True)
    steps = (
        [sys.executable, "-m", "venv", str(HOME / "venv")],
        [str(python), "-m", "pip", "install", "--quiet", *PACKAGES],
        [str(python), "-c", "import vectorbt, backtesting"],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            return None, f"{' '.join(step)}\n{done.stderr[-2000:]}"
    ready.touch()
    return python, ""
