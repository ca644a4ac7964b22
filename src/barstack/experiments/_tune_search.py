"""The search for a member's settings: what to try next, and what to give up, by Optuna.

It requests trials in batches and receives their losses in the order of the requests, so that what
it does follows from the losses alone, and not from when or where they were computed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from barstack.core.errors import ConfigError, MissingPackageError, did_you_mean
from barstack.core.seeds import derive_seed
from barstack.models import Model

from ._space import Setting, choices_of, is_range, label_of

_REDUCTION = 2  # of the trials that reach a rung, the better half goes on
_DIGITS = 4  # of a number that is tried: one that people can read and type again


@dataclass(eq=False)
class Tried:
    """One trial: settings of a member, and how it did.

    Attributes
    ----------
    number
        0 is the member as the study has it.
    settings
        By name, those that are searched.
    model
        With them.
    folds
        Number of folds that it was judged on, the earliest ones.
    loss
        Of those folds, as a share of the naive loss, averaged over horizons; None where it failed.
    status
        "completed"; "pruned", given up before the last fold; or "failed".
    error
        A sentence; empty unless it failed.
    """

    member: str
    number: int
    settings: Mapping[str, Any]
    model: Model | None = None
    folds: int = 0
    loss: float | None = None
    status: str = "running"
    error: str = ""
    by_folds: dict[int, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.member} {settings_in_words(self.settings)}".strip()


def settings_in_words(settings: Mapping[str, Any]) -> str:
    """Settings on one line.

    >>> settings_in_words({"depth": 3, "learning_rate": 0.05})
    'depth=3 learning_rate=0.05'
    """
    return " ".join(f"{name}={label_of(value)}" for name, value in settings.items())


@dataclass(frozen=True)
class TrialRequest:
    """A trial's next folds to compute: the first `folds` of all; `ended` where no more follow."""

    trial: Tried
    folds: int
    ended: bool


@dataclass(frozen=True)
class TrialLoss:
    """The loss that was found, or why there is none."""

    loss: float | None
    error: str = ""


TrialLosses = Sequence[TrialLoss]
Steps = Generator[list[TrialRequest], TrialLosses, None]


def rungs_of(folds: int, *, prune: bool = True) -> list[int]:
    """Numbers of folds after which trials are compared, the last of them all folds.

    The first is half of them: what is good in one stretch of the market says little on the next.

    >>> rungs_of(8), rungs_of(5), rungs_of(4), rungs_of(1), rungs_of(4, prune=False)
    ([4, 8], [2, 4, 5], [2, 4], [1], [4])
    """
    rungs, following = [], _first_rung(folds)
    while prune and following < folds:
        rungs.append(following)
        following *= _REDUCTION
    return [*rungs, folds]


def _first_rung(folds: int) -> int:
    return max(folds // 2, 1)


class MemberSearch:
    """A search of one member's settings.

    Parameters
    ----------
    member, model
        Its name in the study, and the model as the study has it.
    space
        By setting, choices or a range.
    folds
        To judge by.
    trials, at_once, prune
        As of `Tuning`.
    seed
        Of the study.

    Raises
    ------
    ConfigError
        Where the space names a setting that the model does not have.
    """

    def __init__(
        self,
        member: str,
        model: Model,
        space: Mapping[str, Any],
        *,
        folds: int,
        trials: int,
        at_once: int,
        prune: bool,
        seed: int,
    ) -> None:
        self.member, self.model, self.space = member, model, space
        self.most, self.at_once, self.folds = trials, at_once, folds
        self.rungs = rungs_of(folds, prune=prune)
        self.trials: list[Tried] = []
        optuna = _optuna()
        self._distributions = {
            name: _distribution(name, values, setting_of(model, name))
            for name, values in space.items()
        }
        self._study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=derive_seed(seed, "tune", member)),
            pruner=optuna.pruners.SuccessiveHalvingPruner(
                min_resource=_first_rung(folds), reduction_factor=_REDUCTION
            ),
        )

    def steps(self, may_begin: Callable[[], bool]) -> Steps:
        """Batches to compute; each `send` takes the answers to the latest, in its order.

        may_begin  whether there is time for another batch
        """
        first = Tried(self.member, 0, self._current(), self.model)
        self.trials.append(first)
        (answer,) = yield [TrialRequest(first, self.folds, True)]
        self._judge(first, self.folds, answer)
        if answer.loss is None:
            return  # the study as it is cannot be run, and nothing can be compared with it
        first.status = "completed"
        self._enter(first)
        while len(self.trials) < self.most and may_begin():
            count = min(self.at_once, self.most - len(self.trials))
            yield from self._batch([self._ask() for _ in range(count)])

    def importance(self) -> dict[str, float]:
        """By setting, its share of the losses' variance that one setting explains; they sum to 1.

        By PED-ANOVA (Watanabe, Bansal, Hutter 2023); empty with fewer than ten completed trials.
        """
        done = [each for each in self._study.trials if each.state.name == "COMPLETE"]
        if len(done) < 10 or len({each.value for each in done}) < 2:
            return {}
        found = _optuna().importance.get_param_importances(self._study)
        return {name: float(share) for name, share in found.items()}

    def _batch(self, batch: list[tuple[Tried, Any]]) -> Steps:
        """One batch, rung by rung."""
        going = [(trial, handle) for trial, handle in batch if trial.status == "running"]
        given_up: list[Tried] = []
        for rung in self.rungs:
            last = rung == self.folds
            wanted = [TrialRequest(each, each.folds, True) for each in given_up]
            wanted += [TrialRequest(each, rung, last) for each, _ in going]
            if not wanted:
                return
            answers = (yield wanted)[len(given_up) :]
            given_up, left = [], []
            for (trial, handle), answer in zip(going, answers, strict=True):
                self._judge(trial, rung, answer)
                if answer.loss is None:
                    self._study.tell(handle, state=_optuna().trial.TrialState.FAIL)
                    continue
                handle.report(answer.loss, rung)
                if last:
                    trial.status = "completed"
                    self._study.tell(handle, answer.loss)
                elif handle.should_prune():
                    trial.status = "pruned"
                    given_up.append(trial)
                    self._study.tell(handle, state=_optuna().trial.TrialState.PRUNED)
                else:
                    left.append((trial, handle))
            going = left
        if given_up:
            yield [TrialRequest(each, each.folds, True) for each in given_up]

    def _ask(self) -> tuple[Tried, Any]:
        """The next trial; one whose settings the model refuses has failed already."""
        handle = self._study.ask(self._distributions)
        drawn = {name: self._value(name, value) for name, value in handle.params.items()}
        trial = Tried(self.member, len(self.trials), drawn)
        self.trials.append(trial)
        try:
            trial.model = with_settings(self.model, drawn)
        except ConfigError as error:
            trial.status, trial.error = "failed", str(error)
            self._study.tell(handle, state=_optuna().trial.TrialState.FAIL)
        return trial, handle

    def _judge(self, trial: Tried, folds: int, answer: TrialLoss) -> None:
        trial.folds, trial.loss = folds, answer.loss
        if answer.loss is None:
            trial.status, trial.error = "failed", answer.error
        else:
            trial.by_folds[folds] = answer.loss

    def _enter(self, first: Tried) -> None:
        """Tell Optuna of the member as the study has it, where that lies within the space."""
        params: dict[str, Any] = {}
        for name, values in self.space.items():
            value = first.settings[name]
            if not is_range(values):
                if label_of(value) not in _choices(name, values):
                    return
                params[name] = label_of(value)
            elif isinstance(value, int | float) and values["low"] <= value <= values["high"]:
                params[name] = value
            else:
                return
        found = _optuna().trial.create_trial(
            params=params, distributions=self._distributions, value=first.loss
        )
        self._study.add_trial(found)

    def _current(self) -> dict[str, Any]:
        return {name: setting_of(self.model, name) for name in self.space}

    def _value(self, name: str, drawn: Any) -> Any:
        """What Optuna drew, as a study file has it."""
        if not is_range(self.space[name]):
            return _choices(name, self.space[name])[drawn].value
        return drawn if isinstance(drawn, int) else float(f"{drawn:.{_DIGITS}g}")


def setting_of(model: Model, name: str) -> Any:
    """A setting of a model, or of the one within it: `of.SETTING`."""
    for part in name.split("."):
        if part not in type(model).model_fields:
            known = did_you_mean(part, type(model).model_fields)
            raise ConfigError(f"tune: {_called(model)} has no setting {part!r}. {known}")
        model = getattr(model, part)
    return model


def with_settings(model: Model, settings: Mapping[str, Any]) -> Model:
    """A model with other settings.

    >>> from barstack.models import PerTicker
    >>> with_settings(PerTicker(of="ridge"), {"of.penalty": 10.0}).of.penalty
    10.0
    """
    own = {name: value for name, value in settings.items() if "." not in name}
    within: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        first, dot, rest = name.partition(".")
        if dot:
            within.setdefault(first, {})[rest] = value
    own |= {name: with_settings(getattr(model, name), each) for name, each in within.items()}
    return model.model_copy(update=own)


def _distribution(name: str, values: Any, current: Any) -> Any:
    """Optuna's form of a space: whole numbers where the bounds are, and the setting is one."""
    found = _optuna().distributions
    if not is_range(values):
        return found.CategoricalDistribution(list(_choices(name, values)))
    low, high, step = values["low"], values["high"], values.get("step")
    log = bool(values.get("log", False))
    whole = all(float(each).is_integer() for each in (low, high, step or 1))
    if whole and isinstance(current, int) and not isinstance(current, bool):
        return found.IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return found.FloatDistribution(float(low), float(high), log=log, step=step)


def _choices(name: str, values: Any) -> dict[str, Setting]:
    return {choice.label: choice for choice in choices_of(name, values)}


def _called(model: Any) -> str:
    registered = getattr(model, "registered_as", None)
    return registered[1] if registered else type(model).__name__


def _optuna() -> Any:
    try:
        import optuna  # noqa: PLC0415 (half a second, and only tuning needs it)
    except ImportError:
        raise MissingPackageError(
            "Tuning needs the package optuna. Install it: pip install 'barstack[tune]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
