"""Worlds of noise: prices are martingales, and nobody can forecast them."""

from __future__ import annotations

from ._noise import NOISES, Noise
from ._world import World, register


@register("martingale")
class Martingale(World):
    """Gaussian moves of constant volatility."""


@register("garch")
class Garch(World):
    """Volatility that clusters: GARCH(1,1). Bollerslev (1986)."""

    noise: Noise = NOISES["garch"]


@register("regime_volatility")
class RegimeVolatility(World):
    """Calm and turbulent times by a Markov chain, which volume shows. Hamilton (1989)."""

    noise: Noise = NOISES["regimes"]


@register("seasonal")
class Seasonal(World):
    """Volatility and volume high at the open and the close, or in New York's morning."""

    noise: Noise = NOISES["seasonal"]


@register("jumps")
class Jumps(World):
    """Now and then a bar that moves many times as far. After Merton (1976)."""

    noise: Noise = NOISES["jumps"]


@register("fat_tails")
class FatTails(World):
    """Moves with Student's t for a law. Praetz (1972)."""

    noise: Noise = NOISES["fat_tails"]


@register("market")
class Market(World):
    """All of these together, set to resemble real bars."""

    noise: Noise = NOISES["market"]
