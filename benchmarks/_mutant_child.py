"""Loads spoilt artifacts one after the other, and says how each ended. Run by `_models_mutants`.

Python itself tells, through an audit hook, of every name that a pickle looks up, every process that
is started, every code that is run and every file that is opened.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _hostile import AS_THEY_ARE, craft
from _mutations import mutate, reseal

import barstack
from barstack.core.errors import ArtifactError, BarstackError
from barstack.core.forecast import Task
from barstack.forecasting import TrainedEnsemble
from barstack.models import MODELS
from barstack.testing import small_dataset

ROWS = np.arange(400, 420)
ROOM = 2**30  # bytes of address space beyond what loading whole artifacts has taken
BANNED = (
    *("pickle.", "marshal.", "subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn"),
    *("os.fork", "os.remove", "os.rename", "socket.", "ctypes.", "urllib.", "exec"),
)
HOUSE = Path(barstack.__file__).parent
TRUSTED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib")})


class Witness:
    """What happened while it was watching that never may."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.seen: list[str] = []
        self.imported: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event == "import" and arguments[0] not in sys.modules:
            self.imported.append(str(arguments[0]))
        elif event == "open":
            self._opened(*arguments[:3])
        elif event == "exec" or event.startswith("marshal."):
            # A module that is imported late is unmarshalled and run: fine if it is installed.
            code = arguments[0] if event == "exec" else None
            name = getattr(code, "co_filename", "")
            if event == "exec" and not name.startswith((*TRUSTED, "<frozen", str(HOUSE))):
                self.seen.append(f"exec {name}")
        elif event.startswith(BANNED):
            self.seen.append(f"{event} {arguments!r}"[:200])

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if not isinstance(path, (str, bytes)):
            return
        name = path.decode(errors="replace") if isinstance(path, bytes) else path
        writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        installed = name.startswith((*TRUSTED, str(HOUSE), sys.prefix, sys.base_prefix))
        if writes or not (installed or Path(name).is_relative_to(self.folder or "")):
            self.seen.append(f"open {name} {mode}")


def main() -> None:
    """Arguments: the folder of whole artifacts, a folder to work in, seed, numbers to do."""
    whole, work, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    artifacts = sorted(whole.iterdir())
    tables = {task: small_dataset(task).features for task in _tasks(artifacts)}
    MODELS.names()  # imports every module of models, as a name that is unknown does
    for each in artifacts:  # with all that is imported and compiled once
        ended, why, _ = _ends(each, tables)
        if ended != "finite":
            print(f"{each.name}: {ended}: {why}", file=sys.stderr)
            sys.exit(1)
    now = _status("VmSize") * 1024
    resource.setrlimit(resource.RLIMIT_AS, (now + ROOM, now + ROOM))
    witness = Witness()
    print("ready", flush=True)
    for line in sys.stdin:
        number = int(line)
        source = artifacts[number % len(artifacts)]
        folder = work / "mutant"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(source, folder)
        rng = np.random.default_rng([seed, number])
        turn = number // len(artifacts) % 4
        hostile = turn < 3  # and the rest is spoilt at random, which may do no harm
        what = craft(folder, rng) if hostile else mutate(folder, rng, resealed=True)
        if hostile and what.split()[0] not in AS_THEY_ARE:
            reseal(folder, lie=False, rng=rng)
        children = _children()
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        witness.folder = folder
        ended, why, answer = _ends(folder, tables)
        again = _ends(folder, tables)
        witness.folder = None
        if ended == "finite" and (again[0] != "finite" or again[2] != answer):
            ended = "two loads answer differently"
        if _children() != children:
            ended = f"a process was started: {ended}"
        taken = (_status("VmHWM") - before) // 1024
        told = {"number": number, "artifact": source.name, "what": what, "ended": ended}
        told |= {"hostile": hostile, "why": why.replace(str(folder), "")[:200], "mib": taken}
        seen = {"seen": witness.seen[:5], "imported": witness.imported[:5]}
        print(json.dumps(told | seen), flush=True)
        witness.seen.clear()
        witness.imported.clear()


def _ends(folder: Path, tables: dict[Task, Any]) -> tuple[str, str, bytes]:
    """ "refused", "refused to forecast", "finite", or an ending that should not be; why; answer."""
    stage = "load"
    try:
        trained = TrainedEnsemble.load(folder)
        stage = "forecast"
        table = tables[trained.target.task]
        found = trained.forecast(table, ROWS, kind="in_sample")
    except ArtifactError as error:
        return "refused" if stage == "load" else "refused to forecast", str(error), b""
    except BarstackError as error:
        # What was loaded is whole and may still want more bars than there are.
        said = "refused to forecast" if stage == "forecast" else "load: another error"
        return said, str(error), b""
    except Exception as error:  # noqa: BLE001 (what is looked for)
        return f"{stage}: {type(error).__name__}", str(error), b""
    fine = all(np.isfinite(forecast.values).all() for forecast in found.values())
    answer = b"".join(forecast.values.tobytes() for forecast in found.values())
    return "finite" if fine else "not finite", "", answer


def _children() -> str:
    """Processes that this one has started."""
    return "".join(each.read_text() for each in Path("/proc/self/task").glob("*/children"))


def _tasks(artifacts: list[Path]) -> set[Task]:
    return {json.loads((each / "manifest.json").read_text())["task"] for each in artifacts}


def _status(name: str) -> int:
    """KiB, as the kernel counts them for this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
