"""The chapters of docs/fills.md: each day of tests/simulation/hand_made with its picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tests.simulation.days import Day, chapters

_STEP, _HEIGHT, _TOP, _LEFT = 46, 132, 14, 34
_BUY, _SELL, _LEVEL = "#2b93d1", "#d55e00", "#009e73"


def fills() -> str:
    """Chapter by chapter: the rule, then the days that show it."""
    parts = []
    for chapter in chapters():
        parts += [f"## {chapter.title}", chapter.rule]
        for day in chapter.days:
            parts += [f"### {_title(day)}", _says(day), _picture(day), _outcome(day)]
    return "\n\n".join(parts)


def fill_count() -> str:
    return f"There are {sum(len(each.days) for each in chapters())} such days."


def _title(day: Day) -> str:
    return day.name.replace("_", " ").capitalize()


def _says(day: Day) -> str:
    return day.says


def _outcome(day: Day) -> str:
    """Decisions, then fills, as the day's file has them."""
    decided = "; ".join(f"`{line}`" for line in day.decide)
    filled = "; ".join(f"`{line}`" for line in day.fills) or "none"
    line = f"Decided: {decided}. Filled: {filled}."
    if day.log:
        line += f" On record: {'; '.join(f'`{each}`' for each in day.log)}."
    return line


def _picture(day: Day) -> str:
    panels = list(day.bars)
    n_slots = max(max(rows) for rows in day.rows.values()) + 1
    width = _LEFT + n_slots * _STEP + 8
    body = "".join(
        f'<g transform="translate({place * (width + 10)} 0)">{"".join(_panel(day, symbol))}</g>'
        for place, symbol in enumerate(panels)
    )
    whole = len(panels) * (width + 10)
    return (
        f'<svg viewBox="0 0 {whole} {_HEIGHT + 26}" width="{whole}" role="img" '
        f'aria-label="{_title(day)}" style="max-width:100%;height:auto" '
        f'font-size="10" font-family="sans-serif" fill="currentColor">{body}</svg>'
    )


def _panel(day: Day, symbol: str) -> Iterator[str]:
    own, rows = day.bars[symbol].records, day.rows[symbol]
    levels = _levels(day, symbol)
    low = min(float(own["low"].min()), *levels, float("inf"))
    high = max(float(own["high"].max()), *levels, float("-inf"))
    span = max(high - low, 1e-9)

    def y(price: float) -> float:
        return round(_TOP + (high - price) / span * (_HEIGHT - _TOP), 1)

    def x(slot: int) -> float:
        return _LEFT + slot * _STEP + _STEP / 2

    right = _LEFT + (max(rows) + 1) * _STEP
    for price in dict.fromkeys((high, low)):
        yield f'<text x="{_LEFT - 4}" y="{y(price) + 3}" text-anchor="end">{price:g}</text>'
    for price in levels:
        yield (
            f'<line x1="{_LEFT}" x2="{right}" y1="{y(price)}" y2="{y(price)}" stroke="{_LEVEL}" '
            f'stroke-dasharray="4 3"/><text x="{right}" y="{y(price) - 2}" fill="{_LEVEL}" '
            f'text-anchor="end">{price:g}</text>'
        )
    for slot, row in rows.items():
        bar = own[row]
        top, bottom = max(bar["open"], bar["close"]), min(bar["open"], bar["close"])
        halted = bool(day.halted[symbol][row]) or bar["volume"] == 0
        opacity = "0.35" if halted else "1"
        fill = "none" if bar["close"] >= bar["open"] else "currentColor"
        yield (
            f'<g stroke="currentColor" opacity="{opacity}">'
            f'<path d="M{x(slot)} {y(bar["high"])}V{y(top)}'
            f'M{x(slot)} {y(bottom)}V{y(bar["low"])}"/>'
            f'<rect x="{x(slot) - 7}" y="{y(top)}" width="14" '
            f'height="{max(round(y(bottom) - y(top), 1), 1)}" fill="{fill}"/></g>'
        )
        yield f'<text x="{x(slot)}" y="{_HEIGHT + 14}" text-anchor="middle">{slot}</text>'
    if len(day.bars) > 1:
        yield f'<text x="4" y="{_HEIGHT + 14}" font-weight="bold">{symbol}</text>'
    for line in day.fills:
        at_slot, *name, quantity, paid, _ = line.split()
        if name and name[0] != symbol:
            continue
        up = float(quantity) > 0
        at, level = x(int(at_slot)) + (-14 if up else 14), y(float(paid[1:]))
        tip = f"{at - 5},{level + 4} {at + 5},{level + 4} {at},{level - 5}"
        if not up:
            tip = f"{at - 5},{level - 4} {at + 5},{level - 4} {at},{level + 5}"
        yield f'<polygon points="{tip}" fill="{_BUY if up else _SELL}"/>'


def _levels(day: Day, symbol: str) -> list[float]:
    """Prices of orders, stops and targets."""
    if day.settings.fills.levels != "price":
        return []
    found = []
    for _, own, targets in day.targets:
        if own == symbol:
            each = (targets.price[0], targets.stop[0], targets.take[0])
            found += [float(price) for price in each if np.isfinite(price)]
    return sorted(set(found))
