"""Experiments as runs of MLflow, for those who look at them there."""

from __future__ import annotations

from typing import Any

from barstack.core.errors import MissingPackageError, StorageError

from ._experiment import Experiment
from ._tracker import ExperimentTracker

_TAG = "barstack.experiment_id"
_MEASURES = ("directional_accuracy", "mse", "rmse", "mae", "r2", "ic", "training_seconds")
_FACTS = ("horizon_name", "symbol", "period", "timeframe", "study_id", "run_id", "sweep_id")
_STATUS = {"completed": "FINISHED", "failed": "FAILED"}
_AT_ONCE = 900  # of MLflow's 1,000 measures a call
_LONGEST_PARAMETER = 6_000  # characters
_MOST_PARAMETERS = 100  # a call


def log_to_mlflow(
    tracker: ExperimentTracker,
    uri: str,
    experiment: str = "barstack",
    *,
    sweep_id: str | None = None,
) -> int:
    """Log completed and failed experiments that MLflow does not have, and return how many.

    Each is a run with its parameters, measures and learning curves, tagged with its
    `barstack.experiment_id`, by which it is known again.

    Parameters
    ----------
    uri
        Tracking URI, such as `sqlite:///mlflow.db` or `http://127.0.0.1:5000`.
    experiment
        Name of MLflow's experiment.
    sweep_id
        Only experiments of this sweep.

    Raises
    ------
    MissingPackageError
        Without `mlflow`.
    StorageError
        Where MLflow refuses.
    """
    try:
        from mlflow import MlflowClient  # noqa: PLC0415
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError(
            "Logging to MLflow needs it: pip install 'barstack[mlflow]'"
        ) from error
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        place = client.create_experiment(experiment) if found is None else found.experiment_id
        known = _known(client, place)
        new = [
            each
            for each in tracker.experiments(sweep_id)
            if each.status in _STATUS and each.experiment_id not in known
        ]
        for each in new:
            _log(client, place, tracker, each)
    except MlflowException as error:
        raise StorageError(
            f"MLflow at {uri} refuses: {error}. What was logged before stays; the same call "
            "continues."
        ) from error
    return len(new)


def _known(client: Any, place: str) -> set[str]:
    """Experiments that were logged whole."""
    known: set[str] = set()
    token = None
    while True:
        page = client.search_runs(
            [place],
            filter_string=f"tags.`{_TAG}` LIKE '%'",
            max_results=1000,
            page_token=token,
        )
        known |= {run.data.tags[_TAG] for run in page if run.info.status in _STATUS.values()}
        if not (token := page.token):
            return known


def _log(client: Any, place: str, tracker: ExperimentTracker, experiment: Experiment) -> None:
    from mlflow.entities import Metric, Param  # noqa: PLC0415

    assert experiment.started_at is not None  # as of all that was entered
    started = int(experiment.started_at.timestamp() * 1000)
    ended = experiment.finished_at
    finished = started if ended is None else int(ended.timestamp() * 1000)
    tags = {name: getattr(experiment, name) for name in _FACTS}
    tags |= {_TAG: experiment.experiment_id, "barstack.error": experiment.error or ""}
    run = client.create_run(
        place,
        start_time=started,
        tags={name: value for name, value in tags.items() if value},
        run_name=f"{experiment.model_name} {experiment.horizon_name}".strip(),
    ).info.run_id
    params = {"model_name": experiment.model_name} | dict(experiment.params)
    measures = {name: getattr(experiment, name) for name in _MEASURES} | dict(experiment.metrics)
    metrics = [
        Metric(name, float(value), finished, 0)
        for name, value in measures.items()
        if isinstance(value, int | float)
    ]
    metrics += [
        Metric(f"{point.measure}/fold_{point.fold}", point.value, finished, point.epoch)
        for point in tracker.training_history(experiment.experiment_id)
    ]
    client.log_batch(
        run,
        params=[Param(name, str(value)[:_LONGEST_PARAMETER]) for name, value in params.items()][
            :99
        ],
    )
    for begin in range(0, len(metrics), _AT_ONCE):
        client.log_batch(run, metrics=metrics[begin : begin + _AT_ONCE])
    # Only a run that is whole has ended: one that was interrupted is logged again.
    client.set_terminated(run, status=_STATUS[experiment.status], end_time=finished)
