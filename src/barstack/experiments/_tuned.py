"""What tuning found: the best settings, all trials, and the tuned study as a file."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from barstack.core.errors import ConfigError
from barstack.core.files import new_file
from barstack.core.text import printable

from ._study import Study
from ._tune_held_back import HeldBack
from ._tune_search import Tried

if TYPE_CHECKING:
    import pandas as pd

_MARK = "# Tuned by barstack tune:"
_WIDTH = 96


@dataclass(frozen=True, eq=False, kw_only=True)
class MemberTuned:
    """What was found for one member.

    Attributes
    ----------
    member
        Its name in the study.
    before, best
        The trial of the study's own settings, and the one with the smallest loss.
    trials
        All of them, in the order in which they were chosen.
    importance
        By setting, its share of the variance that single settings explain; empty of few trials.
    held_back
        The best against those before, on folds that no choice has seen; None where none are held
        back, too few decision times are, or nothing better was found.
    """

    member: str
    before: Tried
    best: Tried
    trials: tuple[Tried, ...]
    importance: Mapping[str, float]
    held_back: HeldBack | None

    @property
    def improved(self) -> bool:
        """Whether any settings did better than the study's own, on the folds tuned on."""
        return self.best.number > 0

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        assert self.before.loss is not None
        assert self.best.loss is not None
        count = Counter(each.status for each in self.trials)
        tried = f"{len(self.trials):,} trials, {count['pruned']:,} of them pruned"
        if not self.improved:
            return f"{self.member}: nothing better than its own settings in {tried}."
        held = (
            self.held_back.sentence
            if self.held_back is not None
            else "Not compared on decisions that no choice has seen."
        )
        return (
            f"{self.member}: loss {self.best.loss:.4f} of the naive loss, {self.before.loss:.4f} "
            f"before, the best of {tried}. {held}"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class TuneResult:
    """What tuning found.

    Attributes
    ----------
    id
        Of the tuning; its trials are under it in the tracking database.
    study
        With the best settings of each member.
    members
        What was found for each.
    folds, all_folds
        The first so many folds were tuned on, of how many.
    counted
        Trials on these symbols that verdicts count from now on.
    seconds
        On the clock, of this call.
    notes
        What a user should know.
    file
        The tuned study, where it was written.
    """

    id: str
    study: Study
    members: tuple[MemberTuned, ...]
    folds: int
    all_folds: int
    counted: int
    seconds: float
    notes: tuple[str, ...] = ()
    file: Path | None = None

    def __repr__(self) -> str:
        count = sum(len(each.trials) for each in self.members)
        return f"TuneResult({self.id}, {count:,} trials)"

    def to_frame(self) -> pd.DataFrame:
        """One row for each trial: member, number, status, folds, loss, and its settings."""
        import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """The same as plain data."""
        return [
            {
                "member": each.member,
                "trial": each.number,
                "status": each.status,
                "folds": each.folds,
                "loss": each.loss,
                **each.settings,
                "error": each.error,
            }
            for found in self.members
            for each in found.trials
        ]

    def to_json(self) -> dict[str, Any]:
        """What the command line prints with --json."""
        return {
            "tuning": self.id,
            "folds": self.folds,
            "all_folds": self.all_folds,
            "trials_counted": self.counted,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "file": None if self.file is None else str(self.file),
            "members": [
                {
                    "member": each.member,
                    "settings": dict(each.best.settings),
                    "before": dict(each.before.settings),
                    "loss": each.best.loss,
                    "loss_before": each.before.loss,
                    "importance": dict(each.importance),
                    "held_back": each.held_back
                    and asdict(each.held_back) | {"sentence": each.held_back.sentence},
                    "sentence": each.sentence,
                }
                for each in self.members
            ],
            "trials": self.rows(),
        }

    def to_yaml(self, name: str = "tuned.yaml") -> str:
        """The tuned study as a commented file, which `barstack run` takes.

        name  of the file, for the command in its head
        """
        trials = sum(len(each.trials) for each in self.members)
        held = self.all_folds - self.folds
        seen = f" The latest {held} were held back." if held else ""
        lines = [
            *_comment(
                f"{_MARK[2:]} the best of {trials:,} trials on the first {self.folds} of "
                f"{self.all_folds} folds.{seen} Each trial counts in verdicts on these symbols."
            )
        ]
        for each in self.members:
            lines += ["#", *_comment(each.sentence)]
        lines += ["#", f"#   barstack run {printable(name)}", ""]
        content = self.study.content()
        members = content.pop("members")
        rest = yaml.safe_dump(content, sort_keys=False, allow_unicode=True).splitlines()
        return "\n".join([*lines, *rest, "", *self._members(members)]) + "\n"

    def _members(self, members: Mapping[str, Any]) -> Iterator[str]:
        """Members with their settings, beside a tuned one what it was before."""
        tuned = {each.member: each for each in self.members}
        yield "members:"
        for name, settings in members.items():
            yield f"  {name}:"
            before = tuned[name].before.settings if name in tuned else {}
            for setting, value in settings.items():
                text = yaml.safe_dump({setting: value}, allow_unicode=True, sort_keys=False)
                first, *more = text.rstrip("\n").splitlines()
                was = ""
                if setting in before and before[setting] != value:
                    was = f"  # {_flow(before[setting])} before"
                yield f"    {first}{was}"
                yield from (f"    {line}" for line in more)

    def write(self, file: Path | str) -> TuneResult:
        """Write `to_yaml` into a file, and return the same with it.

        Raises
        ------
        ConfigError
            Where a file is there that tuning has not written.
        """
        file = Path(file)
        check_free(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        with new_file(file) as scratch:
            scratch.write_text(self.to_yaml(str(file)), encoding="utf-8")
        return replace(self, file=file)


def check_free(file: Path) -> None:
    """`ConfigError` where there is a file that tuning has not written."""
    if not file.exists():
        return
    try:
        with file.open(encoding="utf-8") as stream:
            head = stream.read(len(_MARK))
    except (OSError, UnicodeDecodeError):
        head = ""
    if head != _MARK:
        raise ConfigError(f"{file} is there already. Name another file for the tuned study.")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        " ".join(printable(text).split()),
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
    )


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.strip().removesuffix("...").strip()
