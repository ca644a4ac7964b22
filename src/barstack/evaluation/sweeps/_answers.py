"""The research questions of a sweep, each with an effect, an interval and a corrected p-value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.horizon import Horizon

from .._diebold_mariano import holm
from .._standard_errors import FEWEST_BLOCKS
from ..significance import Overfitting, confidence_set, overfitting, resample
from ._combining import CombinedSeries, shared_gains
from ._comparisons import block_count, block_means, mean_tests, straddle
from ._contrasts import Contrasts, contrasts_against, contrasts_of
from ._luck import Luck, luck_of_best
from ._table import FEWEST_TIMES, SweepTable

LEVEL = 0.05
PERIODS = 4
_HISTORY = ("split.train_times", "bars.start")
_HALVES = 10  # blocks of time, of which each half is taken in turn
_QUESTIONS = {
    "architecture": "Which architecture?",
    "horizon": "Which horizon?",
    "settings": "Which settings?",
    "history": "How much history?",
    "combining": "Does combining help?",
    "features": "Do features help or hurt?",
    "more_features": "Do more features help the best?",
    "periods": "Is it stable across periods?",
}

_SAME = {
    "architecture": "all its completed experiments have the same model",
    "horizon": "all its completed experiments have the same horizon",
    "settings": "it varies no setting of models, labels or scaling",
    "history": "all its completed experiments have the same history",
    "features": "all its completed experiments have the same features",
}


@dataclass(frozen=True, kw_only=True)
class LevelEffect:
    """One level of a setting, a method or a period, against the others.

    Attributes
    ----------
    level
        As people read it.
    experiments
        How many there are of it.
    skill, right
        Share of the naive loss that is saved, and directional accuracy; None where not known.
    effect, effect_se
        By how much its skill lies above that of the others, other settings being equal.
    reach
        Standard errors that a 95 % interval reaches each way.
    p_value
        For all levels of this question.
    p_adjusted
        For all questions too.
    right_effect, right_effect_se
        The same as `effect`, of directional accuracy.
    may_be_best
        Whether it is in the model confidence set at 95 %; None where that is not known.
    """

    level: str
    experiments: int
    skill: float | None
    right: float | None
    effect: float
    effect_se: float | None
    reach: float
    p_value: float
    p_adjusted: float = 1.0
    right_effect: float | None = None
    right_effect_se: float | None = None
    may_be_best: bool | None = None

    @property
    def differs(self) -> bool:
        """Whether luck does as much in less than one sweep of twenty."""
        return self.p_adjusted < LEVEL


@dataclass(frozen=True, kw_only=True)
class SweepAnswer:
    """What the sweep says on one question.

    Attributes
    ----------
    key, question
        Such as `architecture`, "Which architecture?".
    path
        The setting; empty for combining and periods.
    outcome
        "found", "none" where no difference is found, or "open" where the sweep cannot answer.
    sentence
        The same in words, with figures.
    p_value, p_adjusted
        The smallest of its levels; None where it is open.
    levels
        In their own order.
    note
        What the figures rest on.
    """

    key: str
    question: str
    path: str
    outcome: str
    sentence: str
    p_value: float | None = None
    p_adjusted: float | None = None
    levels: tuple[LevelEffect, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class SweepAnswers:
    """Answers to all questions, and what luck alone does.

    Attributes
    ----------
    luck
        The best directional accuracy found beside that of as many worthless experiments.
    answers
        By question; several of the settings.
    rank_correlation
        Of the experiments' skill in the first and the second half of the time; None of one.
    overfitting
        What becomes of the best in one half in the other; None where there is too little.
    decisions
        Decision times that all were compared on.
    left_out
        By name, why an experiment was not compared.
    """

    luck: Luck
    answers: tuple[SweepAnswer, ...]
    rank_correlation: float | None
    overfitting: Overfitting | None
    decisions: int
    left_out: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        halves = self.overfitting
        return {
            "luck": asdict(self.luck),
            "answers": [asdict(each) for each in self.answers],
            "rank_correlation": self.rank_correlation,
            "probability_of_overfitting": None if halves is None else halves.probability,
            "decisions": self.decisions,
            "left_out": self.left_out,
        }


def answer_sweep(
    table: SweepTable,
    combined: Sequence[CombinedSeries] = (),
    further: SweepTable | str | None = None,
) -> SweepAnswers:
    """Answer the questions that the sweep can answer.

    Levels are compared within cells of equal other settings and on the same decision times; errors
    are of means over blocks of time. p-values are corrected for all levels of a question, and by
    Holm for all questions: the chance that a sweep in which nothing differs gets even one answer
    "found" stays below 5 %.

    Parameters
    ----------
    table
        Of the experiments.
    combined
        Ensembles by horizon.
    further
        The best experiments with and without additions, which their setting `more_features` names:
        "none" without. Of decisions that did not choose them. Or why they cannot be compared.

    >>> from barstack.testing import small_sweep_series
    >>> from barstack.evaluation.sweeps import sweep_table
    >>> found = answer_sweep(sweep_table(small_sweep_series(better={"model": "gru"})))
    >>> {each.key: each.outcome for each in found.answers}["architecture"]
    'found'
    """
    varied = list(dict.fromkeys(path for each in table.settings for path in each))
    found = [
        _of_setting(table, "architecture", "model"),
        _of_setting(table, "horizon", "horizon"),
        *_settings(table, varied),
        *_each(table, "history", [path for path in _HISTORY if path in varied] or _HISTORY[:1]),
        _combining(combined),
        *_each(table, "features", _feature_paths(varied) or ["features"]),
        *([] if further is None else [_more_features(further)]),
        _periods(table),
    ]
    adjusted = _adjusted(found)
    return SweepAnswers(
        luck=luck_of_best(table),
        answers=tuple(adjusted),
        rank_correlation=_rank_correlation(table.skill),
        overfitting=_overfitting(table.skill),
        decisions=len(table.times),
        left_out=dict(table.left_out),
    )


def _feature_paths(varied: Sequence[str]) -> list[str]:
    return [path for path in varied if path.split(".")[0] in ("features", "series")]


def _settings(table: SweepTable, varied: Sequence[str]) -> list[SweepAnswer]:
    known = {"model", "horizon", "horizons", *_HISTORY, *_feature_paths(varied)}
    return _each(table, "settings", [path for path in varied if path not in known] or [""])


def _each(table: SweepTable, key: str, paths: Sequence[str]) -> list[SweepAnswer]:
    return [_of_setting(table, key, path) for path in paths]


def _of_setting(table: SweepTable, key: str, path: str) -> SweepAnswer:
    question = _QUESTIONS[key]
    contrasts = contrasts_of(table.settings, path) if path else None
    if contrasts is None:
        values = {each[path] for each in table.settings if path in each}
        sentence = f"This sweep cannot answer: {_SAME[key]}."
        if len(values) > 1:
            sentence = (
                f"This sweep cannot answer: no two of its completed experiments differ in {path} "
                "and are comparable otherwise."
            )
        return SweepAnswer(key=key, question=question, path=path, outcome="open", sentence=sentence)
    equal = ", ".join(contrasts.held_equal) or "nothing"
    own = f"; each with {' and '.join(contrasts.own)} of its own" if contrasts.own else ""
    note = f"Compared within {contrasts.cells:,} cells of equal {equal}{own}."
    pair = len(contrasts.levels) == 2  # one difference, seen from both sides
    return _of_contrasts(table, key, contrasts, note, pair=pair)


def _more_features(table: SweepTable | str) -> SweepAnswer:
    """What each addition does to the experiments that it was added to."""
    key = path = "more_features"
    contrasts = None
    if not isinstance(table, str):
        contrasts = contrasts_against(table.settings, path, "none")
    if contrasts is None or isinstance(table, str):
        none = "no experiment with more features has completed."
        sentence = f"This sweep cannot answer: {table if isinstance(table, str) else none}"
        return SweepAnswer(
            key=key, question=_QUESTIONS[key], path=path, outcome="open", sentence=sentence
        )
    note = (
        f"Of {contrasts.cells:,} experiments, the best on the first half of the decisions; each "
        f"with an addition against itself without, on {len(table.times):,} later decisions."
    )
    return _of_contrasts(table, key, contrasts, note)


def _of_contrasts(
    table: SweepTable, key: str, contrasts: Contrasts, note: str, *, pair: bool = False
) -> SweepAnswer:
    path = contrasts.path
    effects = table.skill @ contrasts.weights
    tests = mean_tests(effects[:, :1] if pair else effects, table.span)
    p_values = np.repeat(tests.p_values, 2) if pair else tests.p_values
    se = np.repeat(tests.se, 2) if pair else tests.se
    right = _errors(table.right @ contrasts.weights, table.span)
    best = None if key == "more_features" else _best_set(table, contrasts)
    skill = (table.skill @ contrasts.means).mean(axis=0)
    accuracy = 0.5 + (table.right @ contrasts.means).mean(axis=0)
    right_effect = (table.right @ contrasts.weights).mean(axis=0)
    levels = tuple(
        LevelEffect(
            level=_read(level, path),
            experiments=int(contrasts.experiments[place]),
            skill=float(skill[place]),
            right=float(accuracy[place]),
            effect=float(effects[:, place].mean()),
            effect_se=_number(se[place]),
            reach=tests.reach,
            p_value=float(p_values[place]),
            right_effect=float(right_effect[place]),
            right_effect_se=_number(right[place]),
            may_be_best=None if best is None else bool(best[place] > LEVEL),
        )
        for place, level in enumerate(contrasts.levels)
    )
    return _answer(key, path, levels, note)


def _errors(series: Floats, span: int) -> Floats:
    """(n_series,) standard errors alone; NaN with too few blocks."""
    count = block_count(len(series), span)
    if count < FEWEST_BLOCKS:
        return np.full(series.shape[1], np.nan)
    blocks = block_means(series, count)
    return np.asarray(
        np.sqrt(blocks.var(axis=0, ddof=1) / count) * straddle(len(series), count, span)
    )


def _best_set(table: SweepTable, contrasts: Contrasts) -> Floats | None:
    """p-values of the model confidence set, where every level has the same cells."""
    cells = (contrasts.weights > 0).any(axis=1) | (contrasts.weights < 0).any(axis=1)
    of_level = np.argmax(contrasts.means[cells], axis=1)
    counts = np.bincount(of_level, minlength=len(contrasts.levels))
    if len(set(counts.tolist())) > 1:
        return None
    series = table.skill @ contrasts.means
    if not (series.std(axis=0) > 0).all():
        return None
    return confidence_set(resample(-series, span=table.span))


def _combining(combined: Sequence[CombinedSeries]) -> SweepAnswer:
    key = "combining"
    usable = [each for each in combined if each.gain]
    if not usable:
        sentence = (
            "This sweep cannot answer: no horizon has two completed experiments with forecasts of "
            "the same label to combine."
        )
        return SweepAnswer(
            key=key, question=_QUESTIONS[key], path="", outcome="open", sentence=sentence
        )
    gains, span = shared_gains(usable)
    against_mean, _ = shared_gains(usable, "above_mean")
    names = list(gains)
    series = np.column_stack(list(gains.values()))
    if len(series) < FEWEST_TIMES:
        sentence = f"This sweep cannot answer: {len(series)} decision times are too few to combine."
        return SweepAnswer(
            key=key, question=_QUESTIONS[key], path="", outcome="open", sentence=sentence
        )
    tests = mean_tests(series, span)
    levels = tuple(
        LevelEffect(
            level=name,
            experiments=sum(each.members for each in usable),
            skill=float(against_mean[name].mean()),
            right=None,
            effect=float(tests.mean[place]),
            effect_se=_number(tests.se[place]),
            reach=tests.reach,
            p_value=float(tests.p_values[place]),
        )
        for place, name in enumerate(names)
    )
    note = (
        "Effect: by how much the loss lies below that of the best single experiment so far, "
        f"chosen as the ensemble is, without what comes later; mean of {len(usable)} horizons."
    )
    return _answer(key, "", levels, note)


def _periods(table: SweepTable) -> SweepAnswer:
    """Whether the mean skill of all experiments differs between stretches of time."""
    key = "periods"
    series = table.skill.mean(axis=1, keepdims=True)
    count = block_count(len(series), table.span) // PERIODS * PERIODS
    if count < 2 * PERIODS:
        sentence = (
            f"This sweep cannot answer: {len(series):,} decision times hold too few labels that "
            f"do not overlap for {PERIODS} periods."
        )
        return SweepAnswer(
            key=key, question=_QUESTIONS[key], path="", outcome="open", sentence=sentence
        )
    blocks = block_means(series, count)[:, 0].reshape(PERIODS, -1)
    right = 0.5 + block_means(table.right.mean(axis=1, keepdims=True), count)
    right = right[:, 0].reshape(PERIODS, -1).mean(axis=1)
    overlap = straddle(len(series), count, table.span)
    each = blocks.shape[1]
    within = float(blocks.var(axis=1, ddof=1).mean()) * overlap**2
    means = blocks.mean(axis=1)
    edges = np.arange(PERIODS) * len(series) // PERIODS
    begins = [str(table.times[edge])[:10] for edge in edges]
    ends = [str(table.times[edge - 1])[:10] for edge in [*edges[1:], len(series)]]
    free = PERIODS * (each - 1)
    p_value = _f_test(each * float(means.var(ddof=1)), within, PERIODS - 1, free)
    scale = (within / each * PERIODS / (PERIODS - 1)) ** 0.5
    levels = tuple(
        LevelEffect(
            level=f"{begin} to {end}",
            experiments=len(table),
            skill=float(means[place]),
            right=float(right[place]),
            effect=float(means[place] - np.delete(means, place).mean()),
            effect_se=scale if scale > 0 else None,
            reach=_reach(free),
            p_value=p_value,
        )
        for place, (begin, end) in enumerate(zip(begins, ends, strict=True))
    )
    return _answer(key, "", levels, "The p-value is of all periods together: an F-test of blocks.")


def _f_test(between: float, within: float, free: int, left: int) -> float:
    from scipy.special import fdtrc  # noqa: PLC0415

    return float(fdtrc(free, left, between / within)) if within > 0.0 else 1.0


def _reach(free: int) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415

    return float(stdtrit(free, 0.975))


def _answer(key: str, path: str, levels: tuple[LevelEffect, ...], note: str) -> SweepAnswer:
    return SweepAnswer(
        key=key,
        question=_QUESTIONS[key],
        path=path,
        outcome="none",
        sentence="",
        p_value=min(each.p_value for each in levels),
        levels=levels,
        note=note,
    )


def _adjusted(answers: Sequence[SweepAnswer]) -> list[SweepAnswer]:
    """p-values for all questions: each within a question is raised as its smallest is by Holm."""
    found = []
    corrected = holm([each.p_value for each in answers])
    for each, p_adjusted in zip(answers, corrected, strict=True):
        if each.p_value is None or p_adjusted is None:
            found.append(each)
            continue
        times = p_adjusted / max(each.p_value, 1e-12)
        levels = tuple(
            replace(level, p_adjusted=min(1.0, max(level.p_value * times, p_adjusted)))
            for level in each.levels
        )
        differs = [level for level in levels if level.differs]
        changed = replace(
            each,
            p_adjusted=p_adjusted,
            levels=levels,
            outcome="found" if differs else "none",
        )
        found.append(replace(changed, sentence=_sentence(changed)))
    return found


def _sentence(answer: SweepAnswer) -> str:
    best = max(answer.levels, key=lambda each: each.effect)
    differs = [each for each in answer.levels if each.differs]
    if answer.key == "combining":
        return _on_combining(best, differs)
    if answer.key == "more_features":
        return _on_more_features(best, differs)
    if answer.key == "periods":
        worst = min(answer.levels, key=lambda each: each.effect)
        figures = (
            f"the mean skill is {_points(best.skill)} in {best.level} and {_points(worst.skill)} "
            f"in {worst.level} (p = {_p(answer.p_adjusted)})."
        )
        return ("It is not: " if differs else "No difference found: ") + figures
    what = f"{answer.path} " if answer.key == "settings" else ""
    if not differs:
        return (
            f"No difference found: {what}{best.level} is ahead of the others by "
            f"{_interval(best)}, which luck explains once all comparisons are counted "
            f"(p = {_p(best.p_adjusted)})."
        )
    ahead = [each for each in differs if each.effect > 0]
    behind = [each for each in differs if each.effect < 0]
    parts = []
    if ahead:
        first = max(ahead, key=lambda each: each.effect)
        parts.append(
            f"{what}{first.level} is better than the others by {_interval(first)} "
            f"(p = {_p(first.p_adjusted)})"
        )
    if behind and not (ahead and len(answer.levels) == 2):
        last = min(behind, key=lambda each: each.effect)
        rest = len(behind) - 1
        more = f", and so {'is' if rest == 1 else 'are'} {rest} more" if rest else ""
        parts.append(
            f"{what}{last.level} is worse than the others by {_interval(last)} "
            f"(p = {_p(last.p_adjusted)}){more}"
        )
    return "; ".join(parts) + "."


def _on_combining(best: LevelEffect, differs: Sequence[LevelEffect]) -> str:
    unit = "of the loss of the best experiment so far"
    figures = f"{_interval(best, unit)} (p = {_p(best.p_adjusted)})"
    if best.differs and best.effect > 0:
        return f"It does: {best.level} saves {figures}."
    if not differs:
        return (
            f"No difference found: {best.level} saves {_interval(best, unit)}, which luck explains "
            f"once all comparisons are counted (p = {_p(best.p_adjusted)})."
        )
    last = min(differs, key=lambda each: each.effect)
    return (
        f"It is not found to help: {best.level}, the best way to combine, saves {figures}; "
        f"{last.level} does worse than the best experiment so far, at {_interval(last, unit)} "
        f"(p = {_p(last.p_adjusted)})."
    )


def _on_more_features(best: LevelEffect, differs: Sequence[LevelEffect]) -> str:
    if not differs:
        return (
            f"No difference found: with {best.level}, the best addition, skill changes by "
            f"{_interval(best)}, which luck explains once all comparisons are counted "
            f"(p = {_p(best.p_adjusted)})."
        )
    parts = [
        f"{each.level} {'helps' if each.effect > 0 else 'hurts'}, by {_interval(each)} "
        f"(p = {_p(each.p_adjusted)})"
        for each in differs
    ]
    return "; ".join(parts) + "."


def _interval(level: LevelEffect, unit: str = "of the naive loss") -> str:
    size = _points(level.effect)
    if level.effect_se is None:
        return f"{size} {unit}"
    low = level.effect - level.reach * level.effect_se
    high = level.effect + level.reach * level.effect_se
    return f"{size} {unit} (95 % interval {_points(low)} to {_points(high)})"


def _points(value: float | None) -> str:
    if value is None:
        return "–"
    percent = 100.0 * value
    digits = 2 if abs(percent) < 10 else 0
    return f"{percent:+,.{digits}f} %".replace("-", "−")


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "below 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _read(level: str, path: str) -> str:
    return Horizon.parse(level).name if path == "horizon" else level


def _rank_correlation(skill: Floats) -> float | None:
    from barstack.core.arrays import ranks_of  # noqa: PLC0415

    half = len(skill) // 2
    if skill.shape[1] < 3:
        return None
    one, other = (ranks_of(part.mean(axis=0)) for part in (skill[:half], skill[half:]))
    if one.std() == 0.0 or other.std() == 0.0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _overfitting(skill: Floats) -> Overfitting | None:
    if skill.shape[1] < 2 or len(skill) < 2 * _HALVES:
        return None
    return overfitting(skill, blocks=_HALVES)
