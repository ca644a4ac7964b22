"""Values that the engines of one process share, so that experiments make what they share once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

from barstack.core.spec import content_id

from ._task import Task

_MOST = 64  # values; one experiment has about ten


class KeptValues:
    """Values of tasks by content key, the least recently used dropped first; keys of sources.

    Attributes
    ----------
    sources
        Content keys of what was read, such as a provider's bars, by what it was read with. A
        process that is handed them need not read the bars to know what they are.
    """

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self._values: OrderedDict[str, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Any:
        """The value under a key; None where it is not kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: str, value: Any) -> None:
        """Keep a value."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > _MOST:
                self._values.popitem(last=False)

    def source_key(self, task: Task) -> str | None:
        """Key of what a source gave before; None where it was not read."""
        return self.sources.get(_read_with(task))

    def put_source(self, task: Task, key: str) -> None:
        """Remember what a source gave."""
        self.sources[_read_with(task)] = key

    def add_sources(self, sources: Mapping[str, str]) -> None:
        """Take over what another process has read."""
        self.sources.update(sources)


def _read_with(task: Task) -> str:
    """What a source is read with; its own key is the content that it gave."""
    return content_id([task.operation.name, task.key([])])
