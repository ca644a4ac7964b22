"""Fits side by side in threads, and on several threads, learn the same to the bit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.models.cases import dataset_of, settings

from barstack.core.arrays import Floats
from barstack.core.forecast import Task
from barstack.models import MODELS, FoldTrainer, Model, train
from barstack.models._libraries import one_blas_thread
from barstack.testing import small_dataset, training_rows

SMALL = {"trees": 25}


def model_of(name: str) -> Model:
    kind = MODELS.get(name)
    few = SMALL if "trees" in kind.model_fields else {}
    return MODELS.parse(settings(name, kind.tasks[0], few))


CONCURRENT = [name for name in MODELS.names() if model_of(name).concurrent]
THREADED = [name for name in MODELS.names() if model_of(name).threaded]


def task_of(name: str) -> Task:
    return model_of(name).tasks[0]


def forecasts(name: str, place: int, threads: int) -> Floats:
    """Of a fit on rows and with a seed of its own."""
    model = model_of(name)
    dataset = dataset_of(model, task_of(name))
    rows = training_rows(dataset, 0.4 + 0.05 * place)
    fitted = train(model, dataset, rows, seed=place, threads=threads)
    return fitted.predict(dataset.features, training_rows(dataset)[-50:])


def test_most_models_may_be_fitted_at_once() -> None:
    slow = {name for name in MODELS.names() if MODELS.get(name).family in ("neural", "pretrained")}
    assert set(CONCURRENT) == set(MODELS.names()) - slow - {"reptile"}


@pytest.mark.parametrize("name", CONCURRENT)
def test_six_fits_at_once_are_those_of_one_after_the_other(name: str) -> None:
    alone = [forecasts(name, place, 1) for place in range(6)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda place: forecasts(name, place, 1), range(6)))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("name", THREADED)
def test_the_number_of_threads_changes_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barstack.models._libraries._ROWS_WORTH_THREADS", 0)
    np.testing.assert_array_equal(forecasts(name, 2, 1), forecasts(name, 2, 2))


def test_all_kinds_at_once_on_the_folds_of_one_dataset() -> None:
    """A fit of one kind leaves the libraries' threads as another finds them."""
    names = [name for name in CONCURRENT if "return" in MODELS.get(name).tasks]
    names = [name for name in names if name not in ("per_ticker", "transfer")]
    dataset = small_dataset("return")
    folds = [training_rows(dataset, 0.5), training_rows(dataset, 0.7)]

    def fitted(trainer: FoldTrainer, name: str, fold: int) -> Floats:
        own = trainer.train(model_of(name), fold, seed=1, threads=1)
        return own.predict(dataset.features, training_rows(dataset)[-50:])

    each = [(name, fold) for name in names for fold in range(2)]
    alone, shared = FoldTrainer(dataset, folds), FoldTrainer(dataset, folds)
    one_by_one = [fitted(alone, *case) for case in each]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda case: fitted(shared, *case), each))
    np.testing.assert_array_equal(together, one_by_one)


def test_the_limit_of_blas_ends_with_its_last_user() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def blas() -> set[int]:
        found = threadpoolctl.threadpool_info()
        return {each["num_threads"] for each in found if each["user_api"] == "blas"}

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        with one_blas_thread:
            with one_blas_thread:
                assert blas() == {1}
            assert blas() == {1}
        assert blas() == {2}
