"""Trials that were made elsewhere, brought into the ledger so that they count."""

from ._enter import Entered, enter_past
from ._read import read_past
from ._trial import PastTrial

__all__ = ["Entered", "PastTrial", "enter_past", "read_past"]
