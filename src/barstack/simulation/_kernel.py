"""Compiled: what one close does to the book. History is this step in a loop, live trading one call.

All of it is in one file, as numba keeps what it has compiled by the file it was written in and
does not look into what that calls from others. `docs/fills.md` states each rule with an example.

A group is all bars that close at one moment. Its steps, in this order:

    decisions made before the bars opened become orders
    splits, dividends and funding up to each bar's open
    at the open: exits and reductions of all symbols, then what increases a position
    within the bar: stop, then target, then orders; on the entry bar only the proven range
    at the close: time exits, session ends, market-on-close orders
    marks, equity, kill switch
    decisions made at this close become orders
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

# Nothing here makes an array, so references need not be counted: counting them at each call took
# nine tenths of the time.
COMPILED: dict[str, Any] = {"cache": True, "error_model": "numpy", "_nrt": False}
YEAR_US = 365.25 * 86_400e6

# Kinds of orders, reasons and events: the numbers of the enumerations in `_records`, which a test
# compares. numba reads plain module constants faster than members of an enumeration.
MARKET, LIMIT, STOP, CLOSE = 1, 2, 3, 4
BY_ORDER, BY_STOP, BY_TARGET, BY_TRAIL, BY_TIME, BY_SESSION, BY_END, BY_KILL, BY_LEVERAGE = (
    0, 1, 2, 3, 4, 5, 6, 7, 8,
)  # fmt: skip
ACCEPTED, CUT, REJECTED = 20, 20, 30
POSITION_LIMIT, GROSS_LIMIT, NET_LIMIT, SECTOR_LIMIT, ORDER_LIMIT, TURNOVER_LIMIT = 1, 2, 3, 4, 5, 6
NO_SHORTS, COLLAR, DUPLICATE, KILLED, NO_PRICE, TOO_SMALL, NO_EQUITY = 37, 38, 39, 40, 41, 42, 43
REPLACED, EXPIRED, EXITED, CANCELLED = 51, 52, 53, 54
WAITED, PARTIAL = 60, 61
SPLIT, DIVIDEND, FUNDING = 1, 2, 3
FILLS, LOGS, TRADES = 0, 1, 2
WEIGHT, CAPITAL, UNITS = 0, 1, 2
NOTHING = 0
NEVER = np.int64(2**62)
UNTIL_NEXT_SESSION, FOR_GOOD = 1, 2
OUTPUTS_EACH = 12  # most fills, and most log entries, of one bar

_ROOT = 3.0 - 2.0 * math.sqrt(2.0)


@njit(**COMPILED)
def _log(log, counts, at, row, symbol, decided_at, reason, wanted, allowed, price):
    place = counts[LOGS]
    counts[LOGS] = place + 1
    own = log[place]
    own.at, own.row, own.symbol = at, row, symbol
    own.decided_at, own.reason = decided_at, reason
    own.wanted, own.allowed, own.price = wanted, allowed, price


@njit(**COMPILED, inline="always")
def _traded(bar, own, halted, row):
    """Whether anything could be bought or sold in a bar."""
    if bar.volume <= 0.0 and own.volume_seen:  # some sources have no volume at all
        return False
    return len(halted) == 0 or not halted[row]


@njit(**COMPILED)
def _remark(account, own, multiplier, price):
    """Value a position at another price."""
    before = own.quantity * own.mark * multiplier if own.quantity != 0.0 else 0.0
    own.mark = price
    after = own.quantity * price * multiplier
    account.net += after - before
    account.gross += abs(after) - abs(before)


@njit(**COMPILED)
def _whole_lots(quantity, lot):
    """Towards zero; a hair below a whole number of lots is that number."""
    if lot <= 0.0:
        return quantity
    return math.copysign(math.floor(abs(quantity) / lot + 1e-9) * lot, quantity)


@njit(**COMPILED)
def _to_tick(price, tick, up):
    if tick <= 0.0 or math.isnan(price):
        return price
    ticks = price / tick
    whole = math.ceil(ticks - 1e-9) if up else math.floor(ticks + 1e-9)
    return whole * tick


@njit(**COMPILED)
def _half_spread(own, instrument, terms):
    """Fraction of the price, from what was known before the bar."""
    if terms.spread_kind == 1:
        return max(instrument.half_spread, terms.spread_volatility * math.sqrt(own.variance))
    if terms.spread_kind == 2:
        return max(instrument.half_spread, 0.5 * own.spread)
    return instrument.half_spread


@njit(**COMPILED)
def _commission(terms, units, value, base, paid):
    """Owed now for an order, of which `base` was counted and `paid` charged so far."""
    base += units * terms.commission_per_unit + value * terms.commission_rate
    owed = min(max(base, terms.commission_least), terms.commission_most)
    return base, owed - paid


@njit(**COMPILED)
def _close_trade(own, trades, counts, code, at, reason, multiplier):
    place = counts[TRADES]
    counts[TRADES] = place + 1
    trade = trades[place]
    trade.symbol, trade.opened_at, trade.closed_at = code, own.trade_opened, at
    trade.bars, trade.reason = own.trade_bars, reason
    trade.row_in, trade.row_out = own.trade_row, own.row
    units = own.trade_units
    side = 1.0 if own.trade_in > 0.0 else -1.0
    entry = abs(own.trade_in) / units / multiplier
    trade.quantity = side * units
    trade.entry = entry
    trade.exit = abs(own.trade_out) / own.trade_out_units / multiplier
    trade.gross = own.trade_value
    trade.cost = own.trade_cost
    high, low = own.trade_high / entry - 1.0, own.trade_low / entry - 1.0
    trade.adverse = min(low if side > 0.0 else -high, 0.0)
    trade.favourable = max(high if side > 0.0 else -low, 0.0)


@njit(**COMPILED)
def _into_trade(own, quantity, price, cost, at, multiplier):
    """Count a fill, or its part, towards the open round trip; `own.quantity` is still the old."""
    value = quantity * price * multiplier
    if own.quantity == 0.0:
        own.trade_value = own.trade_in = own.trade_out = 0.0
        own.trade_units = own.trade_out_units = own.trade_cost = 0.0
        own.trade_high = own.trade_low = price
        own.trade_opened, own.trade_row, own.trade_bars = at, own.row, 0
    if own.quantity * quantity >= 0.0:
        own.trade_in += value
        own.trade_units += abs(quantity)
    else:
        own.trade_out += value
        own.trade_out_units += abs(quantity)
    own.trade_value -= value
    own.trade_cost += cost
    own.trade_high = max(own.trade_high, price)
    own.trade_low = min(own.trade_low, price)


@njit(**COMPILED)
def _costs_of(own, instrument, terms, units, value, passive, reason, volume):
    """Commission, spread, slippage and impact of one fill."""
    spread = slippage = impact = 0.0
    if not passive:
        spread = value * _half_spread(own, instrument, terms)
        slippage = value * terms.slippage
        if terms.impact > 0.0 and volume > 0.0:
            # Square root of the share of volume: Almgren, Thum, Hauptmann, Li (2005).
            impact = value * terms.impact * math.sqrt(own.variance * units / volume)
    if reason == BY_ORDER:
        own.fee_base, commission = _commission(terms, units, value, own.fee_base, own.fee_paid)
        own.fee_paid += commission
    else:
        own.exit_base, commission = _commission(terms, units, value, own.exit_base, own.exit_paid)
        own.exit_paid += commission
    return commission, spread, slippage, impact


@njit(**COMPILED)
def _fill(
    account, own, instrument, terms, code, at, quantity, price, passive, reason, volume,
    fills, trades, counts,
):  # fmt: skip
    """Change the position to `quantity` at a price: costs, cash, round trips and the record.

    passive  whether the order rested in the book, so that it pays neither spread nor slippage
    """
    change = quantity - own.quantity
    units, multiplier = abs(change), instrument.multiplier
    value = units * price * multiplier
    commission, spread, slippage, impact = _costs_of(
        own, instrument, terms, units, value, passive, reason, volume
    )
    cost = commission + spread + slippage + impact
    _remark(account, own, multiplier, price)
    old = own.quantity
    if old * quantity < 0.0:  # through zero: one round trip ends, another begins
        share = abs(old) / units
        _into_trade(own, -old, price, cost * share, at, multiplier)
        _close_trade(own, trades, counts, code, at, reason, multiplier)
        own.quantity = 0.0
        _into_trade(own, quantity, price, cost * (1.0 - share), at, multiplier)
        own.entry = price
    else:
        _into_trade(own, change, price, cost, at, multiplier)
        if quantity == 0.0:
            _close_trade(own, trades, counts, code, at, reason, multiplier)
        elif abs(quantity) > abs(old):
            own.entry = (own.entry * abs(old) + price * units) / abs(quantity) if old else price
    own.quantity = quantity
    own.used += units
    account.net += change * price * multiplier
    account.gross += (abs(quantity) - abs(old)) * price * multiplier
    account.cash -= change * price * multiplier + cost
    account.commission += commission
    account.spread += spread
    account.slippage += slippage
    account.impact += impact
    account.turnover += value
    account.day_turnover += value
    place = counts[FILLS]
    counts[FILLS] = place + 1
    fill = fills[place]
    fill.at, fill.symbol, fill.row, fill.reason = at, code, own.row, reason
    fill.quantity, fill.price, fill.position = change, price, quantity
    fill.commission, fill.spread, fill.slippage, fill.impact = commission, spread, slippage, impact
    fill.cash, fill.equity = account.cash, account.cash + account.net
    fill.gross, fill.net = account.gross, account.net
    fill.decided_at = own.order_decided if reason == BY_ORDER else 0
    if quantity == 0.0:
        own.stop = own.take = own.trail = own.best = np.nan
        own.hold_bars = own.held_bars = own.exiting = 0
        own.exit_base = own.exit_paid = 0.0


@njit(**COMPILED)
def _within_volume(own, instrument, terms, quantity, volume):
    """The nearest position to `quantity` that this bar's share of volume still allows."""
    if terms.volume_share == np.inf or own.volume_seen == 0:
        return quantity
    change = quantity - own.quantity
    room = _whole_lots(max(terms.volume_share * volume - own.used, 0.0), instrument.lot)
    if abs(change) <= room:
        return quantity
    return own.quantity + math.copysign(room, change)


@njit(**COMPILED)
def _within_limits(account, own, instrument, terms, sector, quantity, price, gross, net, equity):
    """The nearest position to `quantity` that the limits allow, and the limit that binds.

    gross, net  of the account with this symbol's `own.quantity`, valued at `price`
    sector      gross value of the symbol's sector, likewise
    equity      of which the limits are fractions

    What lies between the position and zero is always allowed: nothing that reduces a position is
    ever refused.
    """
    held = own.quantity
    if held * quantity >= 0.0 and abs(quantity) <= abs(held):
        return quantity, NOTHING
    start = held if held * quantity > 0.0 else 0.0
    side = 1.0 if quantity > 0.0 else -1.0
    each = price * instrument.multiplier
    if side < 0.0 and terms.allow_short == 0:
        return 0.0, NO_SHORTS
    if equity <= 0.0:
        return start, NO_EQUITY
    others_gross = gross - abs(held) * each
    others_net = net - held * each
    others_sector = sector - abs(held) * each
    most, binding = abs(quantity) * each, NOTHING
    tiny = 1e-12 * equity  # rounding is no breach
    if most > terms.max_position * equity + tiny:
        most, binding = terms.max_position * equity, POSITION_LIMIT
    if most + others_gross > terms.max_gross * equity + tiny:
        most, binding = terms.max_gross * equity - others_gross, GROSS_LIMIT
    if most + side * others_net > terms.max_net * equity + tiny:
        most, binding = terms.max_net * equity - side * others_net, NET_LIMIT
    if most + others_sector > terms.max_sector * equity + tiny:
        most, binding = terms.max_sector * equity - others_sector, SECTOR_LIMIT
    closing = abs(held) * each if held * quantity < 0.0 else 0.0
    moved = most - abs(start) * each + closing
    if moved > terms.max_order * equity + tiny:
        most -= moved - terms.max_order * equity
        moved, binding = terms.max_order * equity, ORDER_LIMIT
    room = terms.max_turnover * account.day_start - account.day_turnover
    if moved > room + tiny:
        most, binding = most - (moved - room), TURNOVER_LIMIT
    if binding == NOTHING:
        return quantity, NOTHING
    allowed = side * max(_whole_lots(max(most, 0.0) / each, instrument.lot), abs(start))
    # Without lots a limit leaves dust; all or nothing leaves nothing, but a reversal still closes.
    if terms.cut == 0 or (abs(allowed) - abs(start)) * each <= 1e-9 * equity:
        allowed = start
    return allowed, binding


@njit(**COMPILED)
def _sector_gross(book, instruments, sector):
    total = 0.0
    for code in range(len(book)):
        if instruments[code].sector == sector and book[code].quantity != 0.0:
            total += abs(book[code].quantity) * book[code].mark * instruments[code].multiplier
    return total


@njit(**COMPILED)
def _drop_order(own, log, counts, at, code, reason):
    if own.order_kind != NOTHING:
        _log(
            log, counts, at, own.row, code, own.order_decided, reason,
            own.order_target, own.quantity, own.order_price,
        )  # fmt: skip
        own.order_kind = NOTHING


@njit(**COMPILED)
def _set_guards(own, instrument, terms, price):
    """Stop, target, trailing stop and time limit of a position that an order has just opened."""
    side = 1.0 if own.quantity > 0.0 else -1.0
    long = side > 0.0
    if terms.level_prices:
        stop, take = own.order_stop, own.order_take
        trail = own.order_trail
    else:
        stop, take = price * (1.0 - side * own.order_stop), price * (1.0 + side * own.order_take)
        trail = own.order_trail
    # A stop rounds to a worse price, a target to one that is harder to reach.
    own.stop = _to_tick(stop, instrument.tick, not long)
    own.take = _to_tick(take, instrument.tick, long)
    own.trail, own.best = trail, price
    if not math.isnan(trail):
        level = _trail_level(own, instrument, terms)
        if math.isnan(own.stop) or (level - own.stop) * side > 0.0:
            own.stop = level
    own.hold_bars = own.order_hold


@njit(**COMPILED)
def _trail_level(own, instrument, terms):
    long = own.quantity > 0.0
    side = 1.0 if long else -1.0
    distance = own.trail if terms.level_prices else own.best * own.trail
    return _to_tick(own.best - side * distance, instrument.tick, not long)


@njit(**COMPILED)
def _fill_order(
    account, book, instruments, terms, code, at, price, passive, low, high, volume, fills,
    log, trades, counts,
):  # fmt: skip
    """Fill a working order at a price, as far as limits and volume allow.

    low, high  range of prices that surely lay after the fill
    """
    own, instrument = book[code], instruments[code]
    if terms.collar < np.inf and not passive:
        drift = abs(price / own.order_mark - 1.0)
        if drift > terms.collar:
            _drop_order(own, log, counts, at, code, COLLAR)
            return
    _remark(account, own, instrument.multiplier, price)
    wanted = own.order_target
    sector = 0.0
    if terms.max_sector < np.inf:
        sector = _sector_gross(book, instruments, instrument.sector)
    target, binding = _within_limits(
        account, own, instrument, terms, sector, wanted, price, account.gross, account.net,
        account.cash + account.net,
    )  # fmt: skip
    if binding != NOTHING:
        reason = binding if binding >= NO_SHORTS else CUT + binding
        if target == own.quantity and binding < NO_SHORTS:
            reason = REJECTED + binding
        _log(
            log, counts, at, own.row, code, own.order_decided, reason, wanted, target,
            price,
        )  # fmt: skip
        own.order_target = target
    filled = _within_volume(own, instrument, terms, target, volume)
    old = own.quantity
    if filled != old:
        _fill(
            account, own, instrument, terms, code, at, filled, price, passive, BY_ORDER,
            volume, fills, trades, counts,
        )  # fmt: skip
        if filled != 0.0:
            opens = old * filled <= 0.0
            grows = abs(filled) > abs(old)
            given = not (
                math.isnan(own.order_stop)
                and math.isnan(own.order_take)
                and math.isnan(own.order_trail)
                and own.order_hold == 0
            )
            if opens:
                own.held_bars = 0
                own.entered = 1
                own.proven_low, own.proven_high = low, high
            if opens or (grows and given):
                _set_guards(own, instrument, terms, price)
                own.exiting = NOTHING
                own.exit_base = own.exit_paid = 0.0
                if not opens:
                    own.held_bars = 0
                    own.entered = 1
                    own.proven_low, own.proven_high = low, high
    if filled == target:
        own.order_kind = NOTHING


@njit(**COMPILED)
def _exit(
    account, book, instruments, terms, code, at, price, passive, reason, volume, fills, log,
    trades, counts,
):  # fmt: skip
    """Leave a position at a price; what volume does not allow follows at the next opens."""
    own, instrument = book[code], instruments[code]
    if own.order_target * own.quantity >= 0.0:  # an order to the other side still stands
        _drop_order(own, log, counts, at, code, EXITED)
    left = _within_volume(own, instrument, terms, 0.0, volume)
    if left != own.quantity:
        _fill(
            account, own, instrument, terms, code, at, left, price, passive, reason, volume,
            fills, trades, counts,
        )  # fmt: skip
    if own.quantity != 0.0 and not passive:
        own.exiting, own.exit_arrives = reason, at


@njit(**COMPILED)
def _reached(price, level, up, through, tick):
    """Whether a limit at `level` is filled by a price above it (`up`) or below."""
    if not through:
        return price >= level if up else price <= level
    if tick > 0.0:
        return price >= level + 0.999 * tick if up else price <= level - 0.999 * tick
    return price > level if up else price < level


@njit(**COMPILED)
def _guards_near(own, low, high):
    """Whether a stop or target can be reached within these prices, or a trailing stop can move."""
    if own.quantity > 0.0:
        return low <= own.stop or high >= own.take or not math.isnan(own.trail)
    return high >= own.stop or low <= own.take or not math.isnan(own.trail)


@njit(**COMPILED)
def _guards_at_open(
    account, book, instruments, terms, code, bar, fills, log, trades, counts
):  # fmt: skip
    """A bar that opens beyond a stop or target leaves at its open, never at the level."""
    own, tick = book[code], instruments[code].tick
    long = own.quantity > 0.0
    if (bar.open <= own.stop) if long else (bar.open >= own.stop):
        reason = BY_STOP if math.isnan(own.trail) else BY_TRAIL
        _exit(
            account, book, instruments, terms, code, bar.opened_at, bar.open, False, reason,
            bar.volume, fills, log, trades, counts,
        )  # fmt: skip
    elif _reached(bar.open, own.take, long, terms.through, tick):
        _exit(
            account, book, instruments, terms, code, bar.opened_at, bar.open, True,
            BY_TARGET, bar.volume, fills, log, trades, counts,
        )  # fmt: skip


@njit(**COMPILED)
def _guards_in_bar(
    account, book, instruments, terms, code, bar, low, high, fills, log, trades, counts
):  # fmt: skip
    """Stop, then target, within a range; then a trailing stop that the close proves."""
    own, instrument = book[code], instruments[code]
    long = own.quantity > 0.0
    side = 1.0 if long else -1.0
    if (low <= own.stop) if long else (high >= own.stop):
        reason = BY_STOP if math.isnan(own.trail) else BY_TRAIL
        _exit(
            account, book, instruments, terms, code, bar.closed_at, own.stop, False, reason,
            bar.volume, fills, log, trades, counts,
        )  # fmt: skip
        return
    if _reached(high if long else low, own.take, long, terms.through, instrument.tick):
        _exit(
            account, book, instruments, terms, code, bar.closed_at, own.take, True,
            BY_TARGET, bar.volume, fills, log, trades, counts,
        )  # fmt: skip
        return
    if math.isnan(own.trail):
        return
    reach = high if long else low
    if (reach - own.best) * side > 0.0:
        own.best = reach
        level = _trail_level(own, instrument, terms)
        if math.isnan(own.stop) or (level - own.stop) * side > 0.0:
            own.stop = level
            # The extreme came before the close, so a close beyond the new level crossed it.
            if (bar.close - level) * side <= 0.0:
                _exit(
                    account, book, instruments, terms, code, bar.closed_at, level, False,
                    BY_TRAIL, bar.volume, fills, log, trades, counts,
                )  # fmt: skip


@njit(**COMPILED)
def _order_at_open(
    account, book, instruments, terms, code, bar, only_reducing, fills, log, trades, counts
):  # fmt: skip
    own = book[code]
    if own.order_kind in (NOTHING, CLOSE) or own.order_arrives > bar.opened_at:
        return
    if terms.at_close and own.order_kind == MARKET:
        return
    target = own.order_target
    if _reduces(own.quantity, target) != only_reducing:
        return
    price, passive = bar.open, False
    up = target > own.quantity
    if own.order_kind == LIMIT:
        tick = instruments[code].tick
        if not _reached(bar.open, own.order_price, not up, terms.through, tick):
            return
        passive = True
    elif own.order_kind == STOP and (
        (bar.open < own.order_price) if up else (bar.open > own.order_price)
    ):
        return
    _fill_order(
        account, book, instruments, terms, code, bar.opened_at, price, passive, bar.low,
        bar.high, bar.volume, fills, log, trades, counts,
    )  # fmt: skip


@njit(**COMPILED)
def _on_the_way(bar, at):
    """Expected price at a time within a bar: the mean of a Brownian bridge, a straight line."""
    share = (at - bar.opened_at) / (bar.closed_at - bar.opened_at)
    return bar.open + share * (bar.close - bar.open)


@njit(**COMPILED)
def _order_in_bar(
    account, book, instruments, terms, code, bar, fills, log, trades, counts
):  # fmt: skip
    own, tick = book[code], instruments[code].tick
    kind, arrives = own.order_kind, own.order_arrives
    if kind == MARKET and not terms.at_close and bar.opened_at < arrives < bar.closed_at:
        price = _on_the_way(bar, arrives)
        _fill_order(
            account, book, instruments, terms, code, arrives, price, False,
            min(price, bar.close), max(price, bar.close), bar.volume, fills, log, trades, counts,
        )  # fmt: skip
        return
    if arrives > bar.opened_at or kind not in (LIMIT, STOP):
        return
    up = own.order_target > own.quantity
    level = own.order_price
    if kind == LIMIT:
        extreme = bar.low if up else bar.high
        if not _reached(extreme, level, not up, terms.through, tick):
            return
        # The extreme beyond the limit came after the limit was reached; the other one may not.
        low = bar.low if up else min(level, bar.close)
        high = max(level, bar.close) if up else bar.high
        passive = True
    else:
        if (bar.high < level) if up else (bar.low > level):
            return
        low = min(level, bar.close) if up else bar.low
        high = bar.high if up else max(level, bar.close)
        passive = False
    _fill_order(
        account, book, instruments, terms, code, bar.closed_at, level, passive, low, high,
        bar.volume, fills, log, trades, counts,
    )  # fmt: skip


@njit(**COMPILED)
def _wanted(account, own, instrument, terms, decision):
    """Units that a decision asks for, at the last mark."""
    wanted = decision.target
    if terms.unit == WEIGHT:
        wanted *= (account.cash + account.net) / (own.mark * instrument.multiplier)
    elif terms.unit == CAPITAL:
        wanted *= terms.capital / (own.mark * instrument.multiplier)
    return _whole_lots(wanted, instrument.lot)


@njit(**COMPILED)
def _reduces(quantity, target):
    return quantity * target >= 0.0 and abs(target) < abs(quantity)


@njit(**COMPILED)
def _decide_all(
    account, book, instruments, terms, codes, n_rows, rows, bars, decisions, heads, head_ends, at,
    log, counts,
):  # fmt: skip
    """Turn decisions that are due into orders: reductions first, as they make room for others.

    at  the close, or 0: then each symbol's are due that were made before its next bar opened
    """
    gross, net = _planned(account, book, instruments)
    for only_reducing in (True, False):
        for place in range(n_rows):
            code = codes[place]
            due = at if at > 0 else bars[rows[code]].opened_at
            head = heads[code]
            if head == head_ends[code] or decisions[head].decided_at > due:
                continue
            own = book[code]
            wanted = _wanted(account, own, instruments[code], terms, decisions[head])
            if _reduces(own.quantity, wanted) != only_reducing:
                continue
            while heads[code] < head_ends[code] and decisions[heads[code]].decided_at <= due:
                head = heads[code]
                heads[code] = head + 1
                gross, net = _decide(
                    account, book, instruments, terms, code, decisions[head], due, gross, net,
                    log, counts,
                )  # fmt: skip


@njit(**COMPILED)
def _set_order(own, instrument, decision, target):
    """Put an order to work. A limit rounds away from the market, a stop to a worse price."""
    up = target > own.quantity
    own.order_kind, own.order_target = decision.kind, target
    price = decision.price
    if decision.kind == LIMIT:
        price = _to_tick(price, instrument.tick, not up)
    elif decision.kind == STOP:
        price = _to_tick(price, instrument.tick, up)
    own.order_price, own.order_mark = price, own.mark
    own.order_stop, own.order_take, own.order_trail = decision.stop, decision.take, decision.trail
    own.order_hold, own.order_valid = decision.hold_bars, decision.valid_bars
    own.order_arrives = max(decision.arrives_at, decision.decided_at)
    own.order_decided = decision.decided_at
    own.order_forced = own.order_waited = 0
    own.fee_base = own.fee_paid = 0.0


@njit(**COMPILED)
def _planned_in_sector(book, instruments, sector):
    """Gross value of a sector once all working orders are filled."""
    total = 0.0
    for code in range(len(book)):
        own = book[code]
        if instruments[code].sector == sector and not math.isnan(own.mark):
            planned = own.order_target if own.order_kind != NOTHING else own.quantity
            total += abs(planned) * own.mark * instruments[code].multiplier
    return total


@njit(**COMPILED)
def _refusal(account, own, decision):
    """Why a decision is refused whatever it asks for."""
    if decision.decided_at == own.last_decided:
        return DUPLICATE
    if account.killed != 0 or own.exiting == BY_KILL:
        return KILLED
    return NO_PRICE if math.isnan(own.mark) else NOTHING


@njit(**COMPILED)
def _decide(
    account, book, instruments, terms, code, decision, at, gross, net, log, counts
):  # fmt: skip
    """Turn one decision into a working order, after the checks; returns planned gross and net."""
    own, instrument = book[code], instruments[code]
    decided_at, multiplier, mark = decision.decided_at, instrument.multiplier, own.mark
    refusal = _refusal(account, own, decision)
    own.last_decided = decided_at
    if refusal != NOTHING:
        _log(
            log, counts, at, own.row, code, decided_at, refusal, decision.target, own.quantity,
            mark,
        )  # fmt: skip
        return gross, net
    equity = account.cash + account.net
    wanted = _wanted(account, own, instrument, terms, decision)
    if own.order_kind != NOTHING:
        planned = own.order_target
        gross += (abs(own.quantity) - abs(planned)) * mark * multiplier
        net += (own.quantity - planned) * mark * multiplier
        _drop_order(own, log, counts, at, code, REPLACED)
    worth = abs(wanted - own.quantity) * mark * multiplier
    if worth <= 1e-12 * max(abs(equity), abs(own.quantity) * mark * multiplier):
        return gross, net  # it is held already
    if worth < terms.least_order and wanted != 0.0:
        _log(log, counts, at, own.row, code, decided_at, TOO_SMALL, wanted, own.quantity, mark)
        return gross, net
    sector = 0.0
    if terms.max_sector < np.inf:
        sector = _planned_in_sector(book, instruments, instrument.sector)
    allowed, binding = _within_limits(
        account, own, instrument, terms, sector, wanted, mark, gross, net, equity
    )
    reason = ACCEPTED
    if binding != NOTHING:
        whole = allowed == own.quantity
        reason = binding if binding >= NO_SHORTS else binding + (REJECTED if whole else CUT)
    _log(log, counts, at, own.row, code, decided_at, reason, wanted, allowed, mark)
    if allowed == own.quantity:
        return gross, net
    _set_order(own, instrument, decision, allowed)
    gross += (abs(allowed) - abs(own.quantity)) * mark * multiplier
    net += (allowed - own.quantity) * mark * multiplier
    return gross, net


@njit(**COMPILED)
def _accrue(account, own, instrument, terms, microseconds):
    """Borrowing of shares, and financing of positions that are not paid in full."""
    if own.quantity == 0.0 or microseconds <= 0:
        return
    rate = terms.long_rate if own.quantity > 0.0 else terms.short_rate
    paid = abs(own.quantity) * own.mark * instrument.multiplier * rate * microseconds / YEAR_US
    account.cash -= paid
    account.carry += paid
    own.trade_cost += paid


@njit(**COMPILED)
def _happen(account, own, instrument, event):
    """A split, a dividend or a payment of funding, to whoever holds the position then."""
    if event.kind == SPLIT:
        ratio = event.value
        # One share becomes `ratio`: a holder's value is unchanged.
        own.quantity *= ratio
        own.order_target *= ratio
        own.trade_units *= ratio
        own.trade_out_units *= ratio
        own.mark /= ratio
        own.entry /= ratio
        own.stop /= ratio
        own.take /= ratio
        own.best /= ratio
        own.order_price /= ratio
        own.order_mark /= ratio
        own.trade_high /= ratio
        own.trade_low /= ratio
        own.previous_close /= ratio
        own.previous_high /= ratio
        own.previous_low /= ratio
        return
    if own.quantity == 0.0:
        return
    if event.kind == DIVIDEND:
        paid = own.quantity * event.value * instrument.multiplier
        account.dividends += paid
    else:
        paid = -own.quantity * own.mark * instrument.multiplier * event.value
        account.funding -= paid
    account.cash += paid
    own.trade_value += paid


@njit(**COMPILED)
def _observe(own, bar, terms):
    """Volatility and spread as they are known after this bar."""
    if not math.isnan(own.previous_close):
        change = math.log(bar.close / own.previous_close)
        square = change * change
        own.seen_bars += 1
        # The plain mean at first, the exponential one as soon as that weighs the newest less.
        weight = max(1.0 / own.seen_bars, terms.decay)
        own.variance += (square - own.variance) * weight
        if terms.spread_kind == 2:
            high, low = bar.high, bar.low
            # A gap since the last close is no spread: Corwin and Schultz (2012), section II.
            shift = max(low - own.previous_close, 0.0) + min(high - own.previous_close, 0.0)
            high, low = high - shift, low - shift
            one, other = math.log(high / low), math.log(own.previous_high / own.previous_low)
            beta = one * one + other * other
            both = math.log(max(high, own.previous_high) / min(low, own.previous_low))
            alpha = (math.sqrt(2.0 * beta) - math.sqrt(beta)) / _ROOT
            alpha -= math.sqrt(both * both / _ROOT)
            estimate = max(2.0 * (math.exp(alpha) - 1.0) / (1.0 + math.exp(alpha)), 0.0)
            own.spread += (estimate - own.spread) * weight
    own.previous_close, own.previous_high, own.previous_low = bar.close, bar.high, bar.low


@njit(**COMPILED, inline="always")
def _revalue(account, book, instruments):
    """Sums over all positions afresh, so that rounding does not build up."""
    account.net = account.gross = 0.0
    for code in range(len(book)):
        own = book[code]
        if own.quantity != 0.0:
            value = own.quantity * own.mark * instruments[code].multiplier
            account.net += value
            account.gross += abs(value)
    account.equity = account.cash + account.net


@njit(**COMPILED)
def _planned(account, book, instruments):
    """Gross and net value once all working orders are filled."""
    gross, net = account.gross, account.net
    for code in range(len(book)):
        own = book[code]
        if own.order_kind != NOTHING:
            each = own.mark * instruments[code].multiplier
            gross += (abs(own.order_target) - abs(own.quantity)) * each
            net += (own.order_target - own.quantity) * each
    return gross, net


@njit(**COMPILED)
def _switches(account, book, instruments, terms, at, log, counts):
    """Loss limits that close everything, and the leverage that positions may drift to."""
    kill = 0
    if account.peak - account.equity > terms.max_drawdown * account.peak:
        kill = FOR_GOOD
    elif account.day_start - account.equity > terms.max_daily_loss * account.day_start:
        kill = UNTIL_NEXT_SESSION
    if kill > account.killed:
        account.killed = kill
        for code in range(len(book)):
            own = book[code]
            _drop_order(own, log, counts, at, code, CANCELLED)
            if own.quantity != 0.0:
                own.exiting, own.exit_arrives = BY_KILL, at + terms.latency_us
    elif account.killed == 0 and account.gross > terms.max_leverage * max(account.equity, 0.0):
        # All positions are cut back in proportion, as a broker would demand.
        keep = terms.max_leverage * max(account.equity, 0.0) / account.gross
        for code in range(len(book)):
            own = book[code]
            if own.quantity == 0.0 or (own.order_kind != NOTHING and own.order_forced):
                continue
            _drop_order(own, log, counts, at, code, CANCELLED)
            target = _whole_lots(own.quantity * keep, instruments[code].lot)
            _log(log, counts, at, own.row, code, at, BY_LEVERAGE, own.quantity, target, own.mark)
            own.order_kind, own.order_target, own.order_mark = MARKET, target, own.mark
            own.order_price = own.order_stop = own.order_take = own.order_trail = np.nan
            own.order_hold = own.order_valid = own.order_waited = 0
            own.order_arrives, own.order_decided = at + terms.latency_us, at
            own.order_forced, own.fee_base, own.fee_paid = 1, 0.0, 0.0


@njit(**COMPILED, inline="always")
def _next_group(account, book, bars, rows, row_ends, codes):
    """The next close, and how many symbols, listed in `codes`, have a bar that ends with it."""
    now = NEVER
    for code in range(len(book)):
        if rows[code] < row_ends[code]:
            now = min(now, bars[rows[code]].closed_at)
    n_rows, session = 0, account.session
    if now == NEVER:
        return now, n_rows
    for code in range(len(book)):
        if rows[code] < row_ends[code] and bars[rows[code]].closed_at == now:
            codes[n_rows] = code
            n_rows += 1
            book[code].row = rows[code] + book[code].row_base
            session = max(session, bars[rows[code]].session)
    if session != account.session:
        account.session, account.day_start, account.day_turnover = session, account.equity, 0.0
        if account.killed == UNTIL_NEXT_SESSION:
            account.killed = 0
    return now, n_rows


@njit(**COMPILED, inline="always")
def _before_open(
    account, book, instruments, terms, bars, rows, codes, n_rows, now, events, event_heads,
    event_ends,
):  # fmt: skip
    """What time costs up to each bar's open, and what happened to holders by then."""
    if terms.has_carry and account.time > 0:
        rate = terms.cash_rate if account.cash > 0.0 else terms.margin_rate
        earned = account.cash * rate * (now - account.time) / YEAR_US
        account.cash += earned
        account.carry -= earned
    for place in range(n_rows):
        code = codes[place]
        own, bar = book[code], bars[rows[code]]
        own.used, own.entered = 0.0, 0
        if terms.has_carry and own.seen_at > 0:
            _accrue(account, own, instruments[code], terms, bar.opened_at - own.seen_at)
        while event_heads[code] < event_ends[code] and (
            events[event_heads[code]].at <= bar.opened_at
        ):
            event = events[event_heads[code]]
            event_heads[code] += 1
            _happen(account, own, instruments[code], event)
            _revalue(account, book, instruments)


@njit(**COMPILED, inline="always")
def _exits_at_open(
    account, book, instruments, terms, code, bar, fills, log, trades, counts
):  # fmt: skip
    own = book[code]
    _remark(account, own, instruments[code].multiplier, bar.open)
    if own.quantity != 0.0:
        if own.exiting != NOTHING and own.exit_arrives <= bar.opened_at:
            _exit(
                account, book, instruments, terms, code, bar.opened_at, bar.open, False,
                own.exiting, bar.volume, fills, log, trades, counts,
            )  # fmt: skip
        elif _guards_near(own, bar.open, bar.open):
            _guards_at_open(
                account, book, instruments, terms, code, bar, fills, log, trades, counts
            )  # fmt: skip
    if own.order_kind != NOTHING:
        _order_at_open(
            account, book, instruments, terms, code, bar, True, fills, log, trades, counts
        )  # fmt: skip


@njit(**COMPILED, inline="always")
def _within_bar(account, book, instruments, terms, code, bar, fills, log, trades, counts):
    """Stop, target, exits and orders that arrive on the way, limits and stops, the entry bar."""
    own = book[code]
    late = bar.opened_at < own.exit_arrives < bar.closed_at
    if own.quantity != 0.0 and own.entered == 0:
        if (own.exiting == NOTHING or late) and _guards_near(own, bar.low, bar.high):
            _guards_in_bar(
                account, book, instruments, terms, code, bar, bar.low, bar.high, fills, log,
                trades, counts,
            )  # fmt: skip
        if own.quantity != 0.0 and own.exiting != NOTHING and late:
            _exit(
                account, book, instruments, terms, code, own.exit_arrives,
                _on_the_way(bar, own.exit_arrives), False, own.exiting, bar.volume, fills, log,
                trades, counts,
            )  # fmt: skip
    if own.order_kind != NOTHING:
        _order_in_bar(account, book, instruments, terms, code, bar, fills, log, trades, counts)
    low, high = bar.low, bar.high
    if own.entered:
        low, high = own.proven_low, own.proven_high
        if own.quantity != 0.0 and terms.entry_bar_exits:
            _guards_in_bar(
                account, book, instruments, terms, code, bar, low, high, fills, log, trades,
                counts,
            )  # fmt: skip
    if own.quantity != 0.0:
        own.trade_high = max(own.trade_high, high)
        own.trade_low = min(own.trade_low, low)


@njit(**COMPILED, inline="always")
def _at_close(account, book, instruments, terms, code, bar, fills, log, trades, counts):
    """Time exits, the session's end, orders at the close, orders that expire."""
    own = book[code]
    last = bar.closed_at >= bar.session_close
    if own.quantity != 0.0:
        own.held_bars += 1
        own.trade_bars += 1
        reason = NOTHING
        if own.hold_bars > 0 and own.held_bars >= own.hold_bars:
            reason = BY_TIME
        elif terms.flat_at_session_end and last:
            reason = BY_SESSION
        if reason != NOTHING:
            _exit(
                account, book, instruments, terms, code, bar.closed_at, bar.close, False, reason,
                bar.volume, fills, log, trades, counts,
            )  # fmt: skip
    if own.order_kind == CLOSE and own.order_arrives < bar.closed_at:
        _fill_order(
            account, book, instruments, terms, code, bar.closed_at, bar.close, False, bar.close,
            bar.close, bar.volume, fills, log, trades, counts,
        )  # fmt: skip
    if own.order_kind != NOTHING and own.order_arrives < bar.closed_at:
        if terms.day_orders and last:
            _drop_order(own, log, counts, bar.closed_at, code, EXPIRED)
        elif own.order_valid > 0:
            own.order_valid -= 1
            if own.order_valid == 0:
                _drop_order(own, log, counts, bar.closed_at, code, EXPIRED)


@njit(**COMPILED, inline="always")
def _mark(account, own, instrument, terms, bar, traded):
    """Value a position at the close; a bar that did not trade leaves the last traded price."""
    account.n_bars += 1
    if traded:
        if terms.constant_notional:
            if own.quantity != 0.0:
                # Back to the same value, free of charge, as the unit rule has it.
                moved = own.quantity * (1.0 - own.notional_mark / bar.close)
                account.cash += moved * bar.close * instrument.multiplier
                own.quantity -= moved
            own.notional_mark = bar.close
        own.mark = bar.close
        if terms.uses_variance:
            _observe(own, bar, terms)
    if terms.has_carry:
        _accrue(account, own, instrument, terms, bar.closed_at - bar.opened_at)
    own.seen_at = bar.closed_at
    if bar.volume > 0.0:
        own.volume_seen = 1


@njit(**COMPILED, inline="always")
def _waiting(bars, rows, codes, n_rows, decisions, heads, head_ends, now):
    """Whether a decision is due: by `now`, or where that is 0 by the open of its next bar."""
    for place in range(n_rows):
        code = codes[place]
        head = heads[code]
        if head < head_ends[code]:
            due = now if now > 0 else bars[rows[code]].opened_at
            if decisions[head].decided_at <= due:
                return True
    return False


@njit(**COMPILED, inline="always")
def _trade_group(
    account, book, instruments, terms, bars, halted, rows, codes, n_rows, fills, log, trades,
    counts,
):  # fmt: skip
    """All that can fill in the bars of one group."""
    busy = False
    for place in range(n_rows):
        code = codes[place]
        own, row = book[code], rows[code]
        if own.quantity == 0.0 and own.order_kind == NOTHING:
            continue
        bar = bars[row]
        if _traded(bar, own, halted, row):
            busy = True
            _exits_at_open(
                account, book, instruments, terms, code, bar, fills, log, trades, counts
            )  # fmt: skip
            continue
        account.n_untraded += 1
        if own.order_kind != NOTHING and own.order_waited == 0:
            own.order_waited = 1
            _log(
                log, counts, bar.opened_at, own.row, code, own.order_decided, WAITED,
                own.order_target, own.quantity, own.mark,
            )  # fmt: skip
    if not busy:
        return
    for place in range(n_rows):
        code = codes[place]
        own, row = book[code], rows[code]
        if own.quantity == 0.0 and own.order_kind == NOTHING:
            continue
        bar = bars[row]
        if not _traded(bar, own, halted, row):
            continue
        if own.order_kind != NOTHING:
            _order_at_open(
                account, book, instruments, terms, code, bar, False, fills, log, trades, counts
            )  # fmt: skip
        _within_bar(account, book, instruments, terms, code, bar, fills, log, trades, counts)
        _at_close(account, book, instruments, terms, code, bar, fills, log, trades, counts)


@njit(**COMPILED)
def _fill_at_own_close(
    account, book, instruments, terms, bars, halted, rows, codes, n_rows, now, fills, log, trades,
    counts,
):  # fmt: skip
    """Market orders at the close they were decided at, which nobody can trade."""
    for only_reducing in (True, False):
        for place in range(n_rows):
            code = codes[place]
            own, row = book[code], rows[code] - 1
            if (
                own.order_kind == MARKET
                and _reduces(own.quantity, own.order_target) == only_reducing
                and _traded(bars[row], own, halted, row)
            ):
                _fill_order(
                    account, book, instruments, terms, code, now, own.mark, False, own.mark,
                    own.mark, bars[row].volume, fills, log, trades, counts,
                )  # fmt: skip
    _revalue(account, book, instruments)


@njit(**COMPILED)
def advance(
    account, book, instruments, terms, bars, halted, rows, row_ends, decisions, heads, head_ends,
    events, event_heads, event_ends, codes, fills, log, trades, curve, counts, point,
):  # fmt: skip
    """Work through groups of bars until none is left or an output is full; returns the next point.

    account      one record of ACCOUNT
    book         (n_symbols,) of POSITION
    instruments  (n_symbols,) of INSTRUMENT
    terms        one record of TERMS
    bars         bars of all symbols, those of a symbol together in time order
    halted       (n_bars,) whether trading was suspended, or empty
    rows, ends   (n_symbols,) next bar of each symbol, and where its bars end
    decisions    of all symbols, those of a symbol together in order of `decided_at`
    heads, ends  (n_symbols,) next decision of each symbol, and where they end
    events       likewise by symbol
    codes        (n_symbols,) scratch
    curve        one point for each group from `point` on
    counts       (3,) fills, log entries and trades so far
    """
    room = OUTPUTS_EACH * len(book)
    while point < len(curve):
        if (
            counts[FILLS] + room > len(fills)
            or counts[LOGS] + room > len(log)
            or counts[TRADES] + room > len(trades)
        ):
            break
        now, n_rows = _next_group(account, book, bars, rows, row_ends, codes)
        if now == NEVER:
            break
        # Decisions made in a hole, which no bar of their own has met yet.
        if _waiting(bars, rows, codes, n_rows, decisions, heads, head_ends, 0):
            _decide_all(
                account, book, instruments, terms, codes, n_rows, rows, bars, decisions, heads,
                head_ends, 0, log, counts,
            )  # fmt: skip
        _before_open(
            account, book, instruments, terms, bars, rows, codes, n_rows, now, events,
            event_heads, event_ends,
        )  # fmt: skip
        _trade_group(
            account, book, instruments, terms, bars, halted, rows, codes, n_rows, fills, log,
            trades, counts,
        )  # fmt: skip
        for place in range(n_rows):
            code = codes[place]
            row = rows[code]
            rows[code] = row + 1
            traded = _traded(bars[row], book[code], halted, row)
            _mark(account, book[code], instruments[code], terms, bars[row], traded)
        _revalue(account, book, instruments)
        account.time = now
        account.peak = max(account.peak, account.equity)
        if terms.watches_losses:
            _switches(account, book, instruments, terms, now, log, counts)
        if _waiting(bars, rows, codes, n_rows, decisions, heads, head_ends, now):
            _decide_all(
                account, book, instruments, terms, codes, n_rows, rows, bars, decisions, heads,
                head_ends, now, log, counts,
            )  # fmt: skip
        if terms.at_close:
            _fill_at_own_close(
                account, book, instruments, terms, bars, halted, rows, codes, n_rows, now, fills,
                log, trades, counts,
            )  # fmt: skip
        own = curve[point]
        own.time, own.equity, own.cash = now, account.equity, account.cash
        own.net, own.gross, own.costs = account.net, account.gross, _costs(account)
        point += 1
    return point


@njit(**COMPILED)
def _costs(account):
    trading = account.commission + account.spread + account.slippage + account.impact
    return trading + account.carry + account.funding


@njit(**COMPILED)
def close_all(account, book, instruments, terms, fills, log, trades, counts):
    """Leave every position at its last mark, with costs: what is open at the end of the data."""
    for code in range(len(book)):
        own = book[code]
        _drop_order(own, log, counts, account.time, code, EXPIRED)
        if own.quantity != 0.0:
            own.used = 0.0
            _fill(
                account, own, instruments[code], terms, code, own.seen_at, 0.0,
                own.mark, False, BY_END, 0.0, fills, trades, counts,
            )  # fmt: skip
    _revalue(account, book, instruments)
