"""How much memory there is for further processes."""

from __future__ import annotations

from pathlib import Path

WORKER_BYTES = 700 * 2**20  # of a process with PyTorch and a compiled feature or two


def available_bytes() -> int | None:
    """What new processes may use without others being swapped out; None where nobody says.

    The least of what the system and the limits of a container leave.
    """
    found = [each for each in (_of_system(), _of_container()) if each is not None]
    return min(found) if found else None


def workers_within(available: int | None, each: int, most: int) -> int:
    """How many processes of `each` bytes fit; at least one.

    >>> workers_within(10 * 2**30, 2**30, 16), workers_within(2**20, 2**30, 4)
    (9, 1)
    """
    if available is None:
        return most
    # A tenth stays free: what is counted as available is not all given up at once.
    return max(1, min(most, int(0.9 * available / each)))


def _of_system() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration, ValueError):
        return None


def _of_container() -> int | None:
    """Of the control group, in its second version; file pages that can be dropped are not used."""
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = (
            (group / name).read_text().strip() for name in ("memory.max", "memory.current")
        )
        facts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        dropped = int(facts.get("inactive_file", 0))
        return None if limit == "max" else max(0, int(limit) - int(used) + dropped)
    except (OSError, ValueError):
        return None
