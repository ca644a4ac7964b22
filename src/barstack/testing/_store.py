"""What every store of forecasts and trials promises, for barstack's own and for others."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, StorageError
from barstack.core.forecast import EVERY_TASK, LEVELS, Forecast, Target, Task, uncrossed
from barstack.core.times import DecidedAt, TrainedThrough
from barstack.tracking import OutOfFold, Store, Trial

# Fresh processes; where they can be forked from one that has done the imports, that is faster.
_PROCESSES: Any = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
)
_PROCESSES.set_forkserver_preload([__name__])
_BATCH = 3  # trials recorded together


def made_up_trial(number: int, data: str = "bars", symbols: Iterable[str] = ("SPY",)) -> Trial:
    """A trial for examples and checks."""
    return Trial(
        id=f"trial {number}",
        data=data,
        name=f"ridge {number}",
        horizon="4h",
        symbols=tuple(symbols),
        first_at="2026-01-05 14:30 UTC",
        last_at="2026-02-05 21:00 UTC",
        forecasts=f"key-{number}",
    )


def made_up_forecasts(task: Task = "return", rows: int = 40, seed: int = 0) -> OutOfFold:
    """Out-of-fold forecasts of two symbols at two horizons, for examples and checks."""
    rng = np.random.default_rng(seed)
    target = Target(task, ("1h", "4h"), LEVELS if task == "quantiles" else ())
    minutes = np.sort(rng.choice(10 * rows, rows, replace=False)).astype("timedelta64[m]")
    decided_at = np.datetime64("2026-01-05", "us") + minutes
    forecast = Forecast(
        Decisions(("QQQ", "SPY"), rng.integers(0, 2, rows, dtype=np.int32), DecidedAt(decided_at)),
        target,
        uncrossed(rng.random((rows, 2, len(target.outputs))), target),
        TrainedThrough(decided_at - np.timedelta64(1, "D")),
    )
    return OutOfFold(forecast, rng.integers(0, 3, rows))


def assert_same_forecasts(one: OutOfFold, other: OutOfFold) -> None:
    """`AssertionError` unless both hold the same rows and numbers, to the bit."""
    assert one.forecast.target == other.forecast.target
    assert one.forecast.kind == other.forecast.kind
    assert one.forecast.decisions.symbols == other.forecast.decisions.symbols
    columns, others = one.forecast.columns(), other.forecast.columns()
    for name, column in (columns | {"fold": one.fold}).items():
        np.testing.assert_array_equal(column, (others | {"fold": other.fold})[name], name)


def check_begins_empty(store: Store) -> None:
    """A store in which nothing was written answers every question."""
    assert store.keys() == []
    assert not store.has("key")
    assert store.trials() == store.trials(["SPY"]) == []
    assert store.count(["SPY"]) == store.looks("trial 0") == 0
    assert store.head() == store.head()
    store.record([])
    store.verify()
    _assert_nothing_under(store, "key")


def check_reads_what_was_written(store: Store) -> None:
    """Forecasts of every task come back to the bit, in any order of rows."""
    written = {task: made_up_forecasts(task, seed=seed) for seed, task in enumerate(EVERY_TASK)}
    for task, forecasts in written.items():
        store.write(task, forecasts)
        assert store.has(task)
        assert_same_forecasts(store.read(task), forecasts)
    assert store.keys() == sorted(written)
    assert not store.has("another")
    _assert_nothing_under(store, "another")


def check_keys_never_change(store: Store) -> None:
    """The first writer wins, and no array that a caller holds reaches into the store."""
    first, other = made_up_forecasts(seed=1), made_up_forecasts(seed=2)
    expected = made_up_forecasts(seed=1)
    store.write("key", first)
    first.forecast.values[:] = 0.0
    first.fold[:] = 9
    store.write("key", other)
    store.write("key", expected)
    assert_same_forecasts(store.read("key"), expected)


def check_keys_are_file_names(store: Store) -> None:
    """No key reaches out of the place where forecasts are kept."""
    for key in ("", ".", "..", "../up", "/root", "a/b", "a\\b", "a\0b", "c:d"):
        try:
            store.write(key, made_up_forecasts())
        except ConfigError:
            continue
        raise AssertionError(f"The key {key!r} was accepted.")
    assert store.keys() == []


def check_counts_looks(store: Store) -> None:
    """A trial counts once per state of its data, and once however many symbols it is on."""
    both = ("SPY", "QQQ")
    store.record([made_up_trial(0), made_up_trial(1, symbols=both), made_up_trial(0)])
    store.record([made_up_trial(0), made_up_trial(0, "grown bars")])
    assert store.count(["SPY"]) == store.count(["SPY", "QQQ", "SPY"]) == 3
    assert store.count(["QQQ"]) == 1
    assert store.count(["IWM"]) == store.count([]) == 0
    assert [store.looks(f"trial {number}") for number in range(3)] == [2, 1, 0]
    found = [(trial.id, trial.data) for trial in store.trials()]
    assert found == [("trial 0", "bars"), ("trial 1", "bars"), ("trial 0", "grown bars")]
    assert [trial.id for trial in store.trials(["QQQ", "IWM"])] == ["trial 1"]


def check_trials_never_change(store: Store) -> None:
    """What was recorded first of a trial stays, all of it."""
    store.record([made_up_trial(0)])
    (recorded,) = store.trials()
    assert replace(recorded, recorded_at="") == made_up_trial(0)
    assert recorded.recorded_at.startswith("20")
    store.record([replace(made_up_trial(0), name="another", last_at="2027", forecasts=None)])
    assert store.trials() == [recorded]


def check_head_follows_the_trials(store: Store) -> None:
    """The head changes with every new trial, and with nothing else."""
    heads = [store.head()]
    for number in range(5):
        store.record([made_up_trial(number)])
        heads.append(store.head())
        store.record([made_up_trial(number)])
        store.write(f"key-{number}", made_up_forecasts())
        assert store.head() == heads[-1]
        store.verify()
    assert len(set(heads)) == 6


def check_threads(store: Store) -> None:
    """Many threads write the same and different trials and keys through one store."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(_write_much, store), range(8)))
    _assert_much_was_written(store, 8)


STORE_CHECKS = (
    check_begins_empty,
    check_reads_what_was_written,
    check_keys_never_change,
    check_keys_are_file_names,
    check_counts_looks,
    check_trials_never_change,
    check_head_follows_the_trials,
    check_threads,
)

# Of stores that several processes can open: each call returns a store of the same content, and can
# be sent to another process.
Opener = Callable[[], Store]


def check_sees_what_others_wrote(open_store: Opener) -> None:
    """Whatever one store has returned from, another sees."""
    one, other = open_store(), open_store()
    for number in range(3):
        one.record([made_up_trial(number)])
        other.write(f"key-{number}", made_up_forecasts(seed=number))
        assert other.trials() == one.trials()
        assert other.head() == one.head()
        assert_same_forecasts(one.read(f"key-{number}"), made_up_forecasts(seed=number))


def check_processes(open_store: Opener) -> None:
    """Several processes write the same and different trials and keys, into a new store."""
    with ProcessPoolExecutor(4, mp_context=_PROCESSES) as pool:
        list(pool.map(partial(_write_much_in_process, open_store), range(8)))
    _assert_much_was_written(open_store(), 8)


def check_killed_writers(open_store: Opener) -> None:
    """A writer killed at any moment leaves nothing half written, and nothing of it is lost."""
    rng = np.random.default_rng(0)
    for _ in range(6):
        receiver, sender = _PROCESSES.Pipe(duplex=False)
        writer = _PROCESSES.Process(target=_write_without_end, args=(open_store, sender))
        writer.start()
        sender.close()
        returned = receiver.recv()
        time.sleep(rng.uniform(0.0, 0.05))
        writer.kill()
        writer.join()
        while receiver.poll():
            try:
                returned = receiver.recv()
            except EOFError:
                break
        store = open_store()
        store.verify()
        trials = store.trials()
        assert len(trials) % _BATCH == 0
        assert returned * _BATCH <= len(trials)
        keys = store.keys()
        for key in keys:
            assert_same_forecasts(store.read(key), made_up_forecasts(seed=int(key)))
        assert {str(number) for number in range(returned)} <= set(keys)


SHARED_STORE_CHECKS = (check_sees_what_others_wrote, check_processes, check_killed_writers)


def _assert_nothing_under(store: Store, key: str) -> None:
    try:
        store.read(key)
    except StorageError:
        return
    raise AssertionError(f"Forecasts that nobody wrote were read under {key!r}.")


def _write_much(store: Store, worker: int) -> None:
    """Ten trials and a key that all workers write, ten trials and a key of its own."""
    store.write("shared", made_up_forecasts(seed=worker))
    store.write(f"of-{worker}", made_up_forecasts(seed=worker))
    for number in range(10):
        store.record([made_up_trial(number), made_up_trial(number, f"bars of {worker}")])


def _write_much_in_process(open_store: Opener, worker: int) -> None:
    _write_much(open_store(), worker)


def _assert_much_was_written(store: Store, workers: int) -> None:
    store.verify()
    assert store.count(["SPY"]) == 10 * (workers + 1)
    assert [store.looks(f"trial {number}") for number in range(10)] == [workers + 1] * 10
    own = [f"of-{worker}" for worker in range(workers)]
    assert store.keys() == [*own, "shared"]
    for worker, key in enumerate(own):
        assert_same_forecasts(store.read(key), made_up_forecasts(seed=worker))
    store.read("shared")


def _write_without_end(open_store: Opener, sender: Connection) -> None:
    """Batches of trials with a key each; after each the number of batches written so far."""
    store = open_store()
    number = len(store.trials()) // _BATCH
    while True:
        store.write(str(number), made_up_forecasts(seed=number))
        trials = range(number * _BATCH, (number + 1) * _BATCH)
        store.record(made_up_trial(each) for each in trials)
        number += 1
        sender.send(number)
