"""The Ray engine: the same table as any other, also when a node is killed midway."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.experiments.sweep_kills import Sweeping, children, figures

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
# A cluster that another test has begun leaves a token in the home folder, which Ray then demands.
NO_TOKEN = {"RAY_AUTH_MODE": "disabled"}


def ray(*arguments: str, environment: dict[str, str]) -> None:
    """The `ray` command, which leaves its processes behind."""
    code = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def raylets(folder: str) -> list[int]:
    """Process ids of the nodes whose cluster has its files there, the first started first."""
    return sorted(
        pid
        for pid in everybody()
        if command_of(pid).split("\0")[0].endswith("raylet/raylet") and folder in command_of(pid)
    )


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    return [pid, *(each for child in children(pid) for each in family(child))]


class Cluster(NamedTuple):
    """Where it listens, and the folder of its files."""

    address: str
    folder: str


@pytest.fixture
def two_nodes(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of two nodes with one processor each, on which fits take a while."""
    site = tmp_path / "site"
    site.mkdir()
    Sweeping.write_site(site)
    paths = [str(site), *(each for each in sys.path if each)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "SWEEP_SLOW": "0.3"}
    environment["RAY_raylet_start_wait_time_s"] = "120"
    environment |= NO_TOKEN
    found = Cluster(f"127.0.0.1:{free_port()}", short(tmp_path))
    shared = ("--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=100000000")
    port = found.address.rpartition(":")[2]
    try:
        ray(
            "start", "--head", f"--port={port}", "--include-dashboard=false", *shared,
            f"--temp-dir={found.folder}", environment=environment,
        )  # fmt: skip
        ray("start", f"--address={found.address}", *shared, environment=environment)
        yield found
    finally:
        own = [pid for pid in everybody() if found.folder in command_of(pid)]
        for pid in {each for one in own for each in family(one)}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        Path(found.folder).unlink()


def short(folder: Path) -> str:
    """A short path to it: addresses of local sockets have at most a hundred characters."""
    link = Path("/tmp") / f"r{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(folder)
    return str(link)


def everybody() -> Iterator[int]:
    return (int(each.name) for each in Path("/proc").glob("[0-9]*"))


def command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def test_a_killed_node_changes_nothing(
    tmp_path: Path, sweep_file: Path, two_nodes: Cluster
) -> None:
    arguments = ("--json", "--engine", "ray")
    address: dict[str, Any] = {"RAY_ADDRESS": two_nodes.address, **NO_TOKEN}
    sweeping = Sweeping(tmp_path, sweep_file, *arguments, **address)
    deadline = time.monotonic() + 240
    while len(sweeping.finished()) < 4:
        assert sweeping.process.poll() is None, sweeping.ended()
        assert time.monotonic() < deadline, "no experiment ever ended"
        time.sleep(0.05)
    first, second = raylets(two_nodes.folder)
    for pid in family(second):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert len(sweeping.finished()) < 24
    code, out, err = sweeping.ended()
    assert code == 0, err
    calm = Sweeping(tmp_path, sweep_file, "--json", "--engine", "serial", runs=tmp_path / "calm")
    code, expected, err = calm.ended()
    assert code == 0, err
    assert figures(out) == figures(expected)
    assert bytes_of(sweeping.runs) == bytes_of(calm.runs)
    again = Sweeping(tmp_path, sweep_file, *arguments, **address)
    code, out, err = again.ended()
    assert code == 0, err
    assert json.loads(out)["made"] == 0
    assert first in raylets(two_nodes.folder)


def bytes_of(runs: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (runs / ".store/forecasts").glob("*.parquet")}
