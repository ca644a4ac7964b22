"""Seeds: every random choice in a run follows from one number and a name."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *names: object) -> int:
    """A 31-bit seed for one purpose; equal names give equal seeds on every machine.

    >>> derive_seed(7, "lstm", 0) == derive_seed(7, "lstm", 0) != derive_seed(7, "lstm", 1)
    True
    """
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
