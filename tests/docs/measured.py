"""Tables of what the benchmarks of models printed, from `benchmarks/results`."""

from __future__ import annotations

import json
from typing import Any

from tests.docs.doc_pages import ROOT


def measured(part: str) -> dict[str, Any]:
    """The last result of `benchmarks/models.py --part ...`: its bars and figures."""
    found: dict[str, Any] = json.loads(
        (ROOT / "benchmarks" / "results" / f"models_{part}.json").read_text()
    )
    return found


def learning() -> str:
    """Skill of each model on each world, with its standard error."""
    figures = measured("learning")["figures"]
    worlds = list(figures["worlds"])
    rows = []
    for name, skill in figures["skill_and_standard_error"].items():
        marks = {world: " !" if name in figures["failed"][world] else "" for world in worlds}
        cells = [f"{100 * skill[w][0]:.1f} ± {100 * skill[w][1]:.1f}{marks[w]}" for w in worlds]
        rows.append([f"`{name}`", *cells])
    return _table(["model", *worlds], rows)


def neural() -> str:
    """How quick each network trains, and how good it is for that."""
    models = measured("neural")["figures"]["models"]
    rows = [
        [
            f"`{name}`",
            f"{own['parameters']:,}",
            str(own["lookback"]),
            f"{own['one_at_a_time_epochs_per_s']:.2f}",
            # Some were measured as one stack of six, a way of training that is no more.
            "" if "fused_6_speedup" in own else f"{own['chosen_epochs_per_s']:.1f}",
            "" if "fused_6_speedup" in own else f"{own['speedup']:.1f}",
            f"{own['ratio']:.1f}" if "ratio" in own else "",
            f"{own['loss_windows']:.3f}",
            f"{own['loss_dense']:.3f}" if "loss_dense" in own else "",
        ]
        for name, own in models.items()
    ]
    heads = ["network", "parameters", "bars", "one at a time", "six in a pool", "times as fast"]
    heads += ["of which by chunks", "loss on windows", "on chunks"]
    return _table(heads, rows)


def sizes() -> str:
    """Seconds to fit and microseconds for a row, on two sizes of table."""
    rows = []
    for name, own in measured("sizes")["figures"]["models"].items():
        cells = [f"`{name}`"]
        for cost in own.values():
            epoch = " an epoch" if "epoch_s" in cost else ""
            cells.append(f"{cost.get('fit_s', cost.get('epoch_s')):.2f}{epoch}")
            cells += [f"{cost['row_us_p50']:,.0f}", f"{cost['row_us_p99']:,.0f}"]
        rows.append(cells)
    heads = ["model"]
    for size in ("3,500 x 85", "124,000 x 107"):
        heads += [f"{size}, s", "row p50, µs", "p99, µs"]
    return _table(heads, rows)


def held() -> str:
    """What each part is held to, and what it printed."""
    rows = []
    for part in ("neural", "learning", "linear", "row", "mutants"):
        result = measured(part)
        for name, facts in result["bars"].items():
            side = "at_least" if "at_least" in facts else "at_most"
            met = facts["value"] >= facts[side] if side == "at_least" else None
            met = facts["value"] <= facts[side] if met is None else met
            limit = f"{side.replace('_', ' ')} {facts[side]:g}"
            cells = [f"`{part}`", f"`{name}`", f"{facts['value']:.3g}", limit]
            rows.append([*cells, "yes" if met else "**no**", f"`{result['commit']}`"])
    return _table(["part", "figure", "printed", "bar", "met", "at commit"], rows)


def planted() -> str:
    """Each mistake of the audit's benchmark and where it was found, and what was counted."""
    result = json.loads((ROOT / "benchmarks" / "results" / "audit.json").read_text())
    rows = [
        [
            own["name"],
            "yes" if own["located"] else "**no**",
            own["stage"],
            f"`{own['column']}`",
            own["first"].replace("T", " "),
        ]
        for own in result["figures"]["leaks"]
    ]
    figures = result["figures"]
    of = {name: f"{facts['value']:,.0f}" for name, facts in result["bars"].items()}
    counted = (
        f"{of['leaks_planted']} planted, {of['leaks_missed']} missed; "
        f"of {of['honest_pipelines']} honest pipelines {of['false_alarms']} are called leaking; "
        f"of {len(figures['blind'])} blind ones {of['blind_called_clean']} are called clean; "
        f"of {figures['barrier_settings']} settings of barriers {of['barrier_settings_refused']} "
        f"are refused, and of {figures['honest_pairs']} pairs of label and file "
        f"{of['honest_pairs_refused']}. At commit `{result['commit']}`."
    )
    return _table(["leak", "caught", "stage", "column", "first decision"], rows) + f"\n\n{counted}"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
