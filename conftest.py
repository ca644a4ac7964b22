"""Of all tests and doctests: they count nothing in the ledger of whoever runs them."""

from __future__ import annotations

import os

os.environ["BARSTACK_LEDGER"] = "off"
