"""A worker process: jobs come in as lines of JSON, replies go out as lines of JSON.

Nothing is pickled: what goes through the pipes is plain data.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import IO, Any

from ._experiment import Bench
from ._job import Job, work


def main(runs: str, folder: str) -> None:
    """Serve the process that started this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # that process decides, and ends us
    # What libraries print must not stand between replies.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin, jobs), daemon=True).start()
    bench = Bench(Path(runs), Path(folder))
    _send(replies, {"ready": True})
    while True:
        _send(replies, work(bench, Job(**jobs.get())).to_json())


def _receive(stream: IO[str], jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Put jobs into a queue; when the other side is gone, however it ended, end at once.

    Results appear whole or not at all, so that nothing is lost but what was being made.
    """
    for line in stream:
        jobs.put(json.loads(line))
    os._exit(0)


def _send(replies: IO[str], content: dict[str, Any]) -> None:
    replies.write(json.dumps(content) + "\n")
    replies.flush()
