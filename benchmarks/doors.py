"""Doors: whatever comes in, a sentence comes out, and memory and time stay bounded.

    .venv/bin/python benchmarks/doors.py                      2,000 cases, some twenty minutes
    .venv/bin/python benchmarks/doors.py --cases 200 --kind sources

Studies, calls, files of bars and answers of sources, drawn by the seed from generators of mistakes
and attacks, each given to the command line in a process of its own. Counted are tracebacks, exit
codes that the documentation does not allow, calls that hang or die, peaks of memory, and secrets
that any output shows. Beside them stand plugins that misbehave: each must be named in a sentence.
What was done is kept, and a run that was stopped goes on.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import _doors_bars
import _doors_sources
import _doors_studies
from _benchmark import arguments, at_most, finish
from _kept import Kept

HERE = Path(__file__).parent
LONGEST_S = 90.0  # of a call, on a machine that others use too
ROOM = 6 * 2**30  # address space; resident memory is what is measured
KINDS = ("studies", "bars", "sources")
_ROOMS = (
    *("core", "tracking", "bars", "worlds", "features", "labels", "splits", "datasets", "models"),
    *("ensembles", "forecasting", "evaluation", "experiments", "reports", "cli"),
)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--kind", choices=["all", *KINDS], default="all")
    parser.add_argument("--only", type=int, help="run this case alone, and show what it printed")
    options = parser.parse_args()
    kept = Kept("doors", _ROOMS)
    server = _doors_sources.Server()
    child = _Child()
    found = []
    try:
        for number in range(options.cases) if options.only is None else [options.only]:
            kind = KINDS[number % len(KINDS)] if options.kind == "all" else options.kind
            key = [options.seed, kind, number]
            if key not in kept or options.only is not None:
                kept[key] = _done(
                    kind, number, options.seed, server, child, options.only is not None
                )
            found.append(kept[key])
            if (number + 1) % 100 == 0:
                print(f"{number + 1:6} of {options.cases}", dict(_counts(found)), flush=True)
    finally:
        child.end()
        server.close()
    if options.only is not None:
        return
    _finish(found)


def _finish(found: list[dict[str, Any]]) -> None:
    counts, unnamed = _counts(found), _plugins_unnamed()
    for each in found:
        if each["faults"]:
            print(json.dumps(each))
    ended = Counter(str(each["code"]) for each in found)
    finish(
        "doors",
        {
            "tracebacks": at_most(counts["traceback"], 0),
            "wrong_exit_codes": at_most(counts["exit code"], 0),
            "hung": at_most(counts["hung"], 0),
            "secrets_seen": at_most(counts["secret"] + counts["control"], 0),
            "plugins_unnamed": at_most(unnamed, 0),
            "peak_gib": at_most(round(max(each["mib"] for each in found) / 1024, 2), 1),
        },
        {"cases": len(found), "exit_codes": dict(ended), "faults": dict(counts)},
    )


def _plugins_unnamed() -> int:
    """Of the plugins that misbehave, in a process that has not used threads before it forks."""
    count = "import _doors_plugins; print(_doors_plugins.unnamed(show=True))"
    done = subprocess.run(
        [sys.executable, "-c", count], cwd=HERE, stdout=subprocess.PIPE, text=True, check=True
    )
    print(done.stdout)
    return int(done.stdout.split()[-1])


def _counts(found: list[dict[str, Any]]) -> Counter[str]:
    return Counter(fault for each in found for fault in each["faults"])


def _done(
    kind: str, number: int, seed: int, server: Any, child: _Child, shown: bool
) -> dict[str, Any]:
    """How one case ended, and what of it may not be."""
    draw = random.Random(f"{seed}|{kind}|{number}")
    folder = Path(tempfile.mkdtemp(prefix="barstack_door_"))
    try:
        if kind == "studies":
            case = _doors_studies.cases(number, draw, folder)
        elif kind == "bars":
            case = _doors_bars.cases(number, draw, folder)
        else:
            case = _doors_sources.cases(number, draw, folder, server)
        case = {"environment": {}} | case | {"folder": str(folder)}
        told = child.ask({name: case[name] for name in ("folder", "arguments", "environment")})
        if shown:
            print(case, told["out"], told["err"], told["code"], told["mib"], sep="\n")
        return _judged(number, kind, case, told)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _judged(number: int, kind: str, case: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    printed = told["out"] + told["err"]
    faults = []
    if "Traceback" in printed:
        faults.append("traceback")
    if told["code"] == "hung":
        faults.append("hung")
    elif told["code"] not in case["codes"]:
        faults.append("exit code")
    if any(secret in printed for secret in case.get("secrets", ())):
        faults.append("secret")
    if any(character in printed for character in "\x1b\x07\u202e"):
        faults.append("control")
    if told["code"] not in (0, "hung") and not told["err"].strip() and not told["out"].strip():
        faults.append("silent")
    last = told["err"].strip().splitlines()[-1:] or [""]
    return {
        "number": number,
        "kind": kind,
        "what": case["what"][:200],
        "arguments": [each[:60] for each in case["arguments"]],
        "code": told["code"],
        "mib": told["mib"],
        "seconds": told["seconds"],
        "faults": faults,
        "said": last[0][:200],
    }


class _Child:
    """The process that forks one more for each case; replaced if it ever dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, case: dict[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self._process = self._begun()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], LONGEST_S + 30)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.end()
            return {"code": "hung", "out": "", "err": "", "mib": 0, "seconds": LONGEST_S}
        told: dict[str, Any] = json.loads(line)
        return told

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _begun(self) -> subprocess.Popen[str]:
        environment = dict(os.environ)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
            environment[name] = "1"
        process = subprocess.Popen(
            [sys.executable, str(HERE / "_doors_child.py"), str(LONGEST_S), str(ROOM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment | {"COLUMNS": "80"},
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("The process that forks could not begin.")
        return process


if __name__ == "__main__":
    main()
