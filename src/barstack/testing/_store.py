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
from ._expect import expect, fail, same

_PROCESSES: Any = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
)
_PROCESSES.set_forkserver_preload([__name__])
_BATCH = 3  # trials recorded together


def made_up_trial(number: int, data: str = "bars", symbols: Iterable[str] = ("SPY",)) -> Trial:
    """A trial for examples and checks.

    >>> made_up_trial(3).name
    'ridge 3'
    """
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
    """Out-of-fold forecasts of two symbols at two horizons, for examples and checks.

    >>> len(made_up_forecasts(rows=10).forecast)
    10
    """
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
    same(one.forecast.target, other.forecast.target, "The target of forecasts")
    same(one.forecast.kind, other.forecast.kind, "The kind of forecasts")
    symbols, others_symbols = (each.forecast.decisions.symbols for each in (one, other))
    same(symbols, others_symbols, "The symbols of forecasts")
    columns, others = one.forecast.columns(), other.forecast.columns()
    for name, column in (columns | {"fold": one.fold}).items():
        np.testing.assert_array_equal(column, (others | {"fold": other.fold})[name], name)


def check_begins_empty(store: Store) -> None:
    """A store in which nothing was written answers every question."""
    same(store.keys(), [], "keys() of a new store")
    expect(not store.has("key"), "has() finds a key in a new store.")
    same(store.trials(), [], "trials() of a new store")
    same(store.trials(["SPY"]), [], "trials(...) of a new store")
    same(store.count(["SPY"]), 0, "count() of a new store")
    same(store.looks("trial 0"), 0, "looks() of a new store")
    same(store.head(), store.head(), "head() when it is called again")
    store.record([])
    store.verify()
    _assert_nothing_under(store, "key")


def check_reads_what_was_written(store: Store) -> None:
    """Forecasts of every task come back to the bit, in any order of rows."""
    written = {task: made_up_forecasts(task, seed=seed) for seed, task in enumerate(EVERY_TASK)}
    for task, forecasts in written.items():
        store.write(task, forecasts)
        expect(store.has(task), f"has({task!r}) is false after write.")
        assert_same_forecasts(store.read(task), forecasts)
    same(store.keys(), sorted(written), "keys()")
    expect(not store.has("another"), "has() finds a key that was not written.")
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
        fail(f"The key {key!r} was accepted.")
    same(store.keys(), [], "keys() after refused writes")


def check_counts_looks(store: Store) -> None:
    """A trial counts once per state of its data, and once however many symbols it is on."""
    both = ("SPY", "QQQ")
    store.record([made_up_trial(0), made_up_trial(1, symbols=both), made_up_trial(0)])
    store.record([made_up_trial(0), made_up_trial(0, "grown bars")])
    counts = {("SPY",): 3, ("SPY", "QQQ", "SPY"): 3, ("QQQ",): 1, ("IWM",): 0, (): 0}
    for symbols, expected in counts.items():
        same(store.count(list(symbols)), expected, f"count({list(symbols)})")
    same([store.looks(f"trial {number}") for number in range(3)], [2, 1, 0], "looks() of trials")
    found = [(trial.id, trial.data) for trial in store.trials()]
    recorded = [("trial 0", "bars"), ("trial 1", "bars"), ("trial 0", "grown bars")]
    same(found, recorded, "trials(), in the order of their first recording,")
    same([trial.id for trial in store.trials(["QQQ", "IWM"])], ["trial 1"], "trials(...)")


def check_trials_never_change(store: Store) -> None:
    """What was recorded first of a trial stays, all of it."""
    store.record([made_up_trial(0)])
    (recorded,) = store.trials()
    same(
        replace(recorded, recorded_at=""), made_up_trial(0), "A trial but for when it was recorded"
    )
    expect(recorded.recorded_at.startswith("20"), "A trial does not say when it was recorded.")
    store.record([replace(made_up_trial(0), name="another", last_at="2027", forecasts=None)])
    same(store.trials(), [recorded], "trials() after another of the same id")


def check_head_follows_the_trials(store: Store) -> None:
    """The head changes with every new trial, and with nothing else."""
    heads = [store.head()]
    for number in range(5):
        store.record([made_up_trial(number)])
        heads.append(store.head())
        store.record([made_up_trial(number)])
        store.write(f"key-{number}", made_up_forecasts())
        same(store.head(), heads[-1], "head() after nothing new")
        store.verify()
    same(len(set(heads)), 6, "The number of different heads after five trials")


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
        same(other.trials(), one.trials(), "trials() of a second store")
        same(other.head(), one.head(), "head() of a second store")
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
        same(len(trials) % _BATCH, 0, "The number of trials of a batch that was half written")
        expect(returned * _BATCH <= len(trials), "Trials whose recording had ended are lost.")
        keys = store.keys()
        for key in keys:
            assert_same_forecasts(store.read(key), made_up_forecasts(seed=int(key)))
        expect(
            {str(number) for number in range(returned)} <= set(keys),
            "Forecasts whose writing had ended are lost.",
        )


SHARED_STORE_CHECKS = (check_sees_what_others_wrote, check_processes, check_killed_writers)


def _assert_nothing_under(store: Store, key: str) -> None:
    try:
        store.read(key)
    except StorageError:
        return
    fail(f"Forecasts that nobody wrote were read under {key!r}.")


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
    same(store.count(["SPY"]), 10 * (workers + 1), "count() after all writers")
    looks = [store.looks(f"trial {number}") for number in range(10)]
    same(looks, [workers + 1] * 10, "looks() of trials after all writers")
    own = [f"of-{worker}" for worker in range(workers)]
    same(store.keys(), [*own, "shared"], "keys() after all writers")
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
