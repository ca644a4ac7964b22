"""The plain records that the compiled step reads and writes: decisions, state, fills, log, trades.

Every field is eight bytes wide. Times are microseconds since 1970 UTC, 0 for none. Prices and
quantities that do not exist are NaN.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class OrderKind(IntEnum):
    """How an order is to be filled; `docs/fills.md` has the rule of each.

    >>> OrderKind["LIMIT"]
    <OrderKind.LIMIT: 2>
    """

    NONE = 0
    MARKET = 1
    LIMIT = 2
    STOP = 3
    CLOSE = 4


class Reason(IntEnum):
    """Why a fill happened, or what became of an order that did not fill.

    >>> Reason(1).name
    'STOP'
    """

    # Fills.
    ORDER = 0
    STOP = 1
    TARGET = 2
    TRAIL = 3
    TIME = 4
    SESSION_END = 5
    END_OF_DATA = 6
    KILL_SWITCH = 7
    LEVERAGE = 8
    # Orders: accepted, and accepted in part.
    ACCEPTED = 20
    CUT_POSITION = 21
    CUT_GROSS = 22
    CUT_NET = 23
    CUT_SECTOR = 24
    CUT_ORDER_SIZE = 25
    CUT_TURNOVER = 26
    # Orders that were not sent, or ended without a whole fill.
    REJECTED_POSITION = 31
    REJECTED_GROSS = 32
    REJECTED_NET = 33
    REJECTED_SECTOR = 34
    REJECTED_ORDER_SIZE = 35
    REJECTED_TURNOVER = 36
    REJECTED_SHORT = 37
    REJECTED_COLLAR = 38
    REJECTED_DUPLICATE = 39
    REJECTED_KILLED = 40
    REJECTED_NO_PRICE = 41
    REJECTED_TOO_SMALL = 42
    REJECTED_NO_EQUITY = 43
    REPLACED = 51
    EXPIRED = 52
    CANCELLED_BY_EXIT = 53
    CANCELLED_BY_KILL = 54
    WAITED_UNTRADED = 60
    FILLED_IN_PART = 61


class EventKind(IntEnum):
    """What may happen to a position between bars.

    >>> [kind.name for kind in EventKind]
    ['SPLIT', 'DIVIDEND', 'FUNDING']
    """

    SPLIT = 1
    DIVIDEND = 2
    FUNDING = 3


def _dtype(reals: str, wholes: str) -> np.dtype[np.void]:
    fields = [(name, "f8") for name in reals.split()] + [(name, "i8") for name in wholes.split()]
    return np.dtype(fields, align=True)


# A decision for one symbol: the position to hold, and how to get there. `target` is in the unit
# of `Sizing`; `stop`, `take` and `trail` belong to the position that the order opens.
DECISION = _dtype(
    "target price stop take trail",
    "decided_at arrives_at symbol kind hold_bars valid_bars",
)

# What is constant for a symbol.
INSTRUMENT = _dtype("lot tick multiplier half_spread", "sector")

# What happens to a holder at a time: ratio of a split, money per unit, or rate of funding.
EVENT = _dtype("value", "at symbol kind")

# Settings of fills, costs and limits, as numbers. Limits that do not exist are infinite.
TERMS = _dtype(
    "capital commission_per_unit commission_rate commission_least commission_most "
    "spread_volatility slippage impact volume_share short_rate long_rate margin_rate cash_rate "
    "decay max_position max_gross max_net max_sector max_order max_turnover max_leverage "
    "collar max_daily_loss max_drawdown least_order",
    "unit at_close through entry_bar_exits level_prices flat_at_session_end day_orders "
    "constant_notional spread_kind uses_variance has_carry watches_losses "
    "allow_short cut latency_us",
)

# One account.
ACCOUNT = _dtype(
    "cash equity net gross peak day_start day_turnover commission spread slippage impact carry "
    "dividends funding turnover",
    "time session killed n_bars n_untraded",
)

# One symbol's position, the levels that guard it, its working order and its open round trip.
POSITION = _dtype(
    "quantity mark entry stop take trail best proven_low proven_high used variance "
    "previous_high previous_low previous_close spread "
    "order_target order_price order_stop order_take order_trail order_mark fee_base fee_paid "
    "exit_base exit_paid trade_value trade_in trade_out trade_units trade_out_units trade_cost "
    "trade_high trade_low notional_mark",
    "hold_bars held_bars entered seen_at seen_bars volume_seen row row_base "
    "order_kind order_arrives order_decided order_hold order_valid order_waited order_forced "
    "exiting exit_arrives last_decided trade_opened trade_row trade_bars",
)

FILL = _dtype(
    "quantity price position commission spread slippage impact cash equity gross net",
    "at symbol row reason decided_at",
)
LOG = _dtype("wanted allowed price", "at symbol row decided_at reason")
TRADE = _dtype(
    "quantity entry exit gross cost adverse favourable",
    "symbol opened_at closed_at bars row_in row_out reason",
)
CURVE = _dtype("equity cash net gross costs", "time")
