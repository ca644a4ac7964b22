"""How every benchmark ends: one line of JSON, kept under results/, and exit 1 when it falls short.

    {"benchmark": "demo", "commit": "1a2b3c4", "bars": {"demo_s": {"value": 14.1, "at_most": 90}},
     "figures": {...}}

`bars` are what the project holds itself to, `figures` whatever else helps to read them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# Made-up worlds and repeated runs are nobody's trials.
os.environ["BARSTACK_LEDGER"] = "off"


def arguments(about: str) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="a folder of bars instead of the usual ones")
    return parser


def at_most(value: float, limit: float) -> dict[str, float]:
    """A bar that is met by values up to `limit`."""
    return {"value": value, "at_most": limit}


def at_least(value: float, limit: float) -> dict[str, float]:
    """A bar that is met by values from `limit` on."""
    return {"value": value, "at_least": limit}


def finish(name: str, bars: dict[str, dict[str, float]], figures: dict[str, Any]) -> None:
    """Print the result as the last line, keep it, and exit 1 when a bar falls short."""
    result = keep(name, bars, figures)
    short = [bar for bar, facts in bars.items() if not _met(facts)]
    for bar in short:
        print(f"{bar} falls short: {bars[bar]}", file=sys.stderr)
    print(json.dumps(result))
    sys.exit(1 if short else 0)


def keep(name: str, bars: dict[str, dict[str, float]], figures: dict[str, Any]) -> dict[str, Any]:
    """The result, once it lies under results/."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    result = {"benchmark": name, "commit": commit, "bars": bars, "figures": figures}
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def _met(facts: dict[str, float]) -> bool:
    return facts["value"] <= facts.get("at_most", float("inf")) and facts["value"] >= facts.get(
        "at_least", float("-inf")
    )
