"""What was measured on this machine, once, and is looked up from then on."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeGuard

import platformdirs

from barstack.core.errors import StorageError
from barstack.core.files import new_file
from barstack.core.spec import content_id

from ._workers import cores

Seconds = dict[str, float]


def file() -> Path:
    """In the user's cache folder or `BARSTACK_CACHE`."""
    folder = os.environ.get("BARSTACK_CACHE") or platformdirs.user_cache_path("barstack")
    return Path(folder) / "training.json"


def once(what: Any, names: tuple[str, ...], measure: Callable[[], Seconds]) -> Seconds:
    """Seconds by name, from the file if they are there, or else measured now and kept.

    what  plain data that says what is measured; PyTorch's version and the machine count as well
    """
    machine = [version("torch"), platform.machine(), platform.processor(), cores()]
    key = content_id([what, machine])
    found = _read().get(key)
    if _sound(found, names):
        return found
    own = measure()
    # Another process may have written meanwhile; what it wrote since this moment is measured anew.
    known = _read() | {key: own}
    # Where nothing can be kept it is measured again next time, which only takes longer.
    with suppress(StorageError), new_file(file()) as scratch:
        scratch.write_text(json.dumps(known, indent=1))
    return own


def _read() -> dict[str, Any]:
    """What is known; nothing where the file is damaged, so that it is measured again."""
    try:
        known = json.loads(file().read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _sound(found: Any, names: tuple[str, ...]) -> TypeGuard[Seconds]:
    return (
        isinstance(found, dict)
        and found.keys() == set(names)
        and all(isinstance(each, float) and math.isfinite(each) for each in found.values())
        and all(each > 0.0 for each in found.values())
    )
