"""Who does the work: processes on this machine, Ray, Dask or Spark. All scheduling is theirs.

An engine has ``map(task, items)``, which yields the results in any order, and ``reduce(task,
items)``, which adds them up in pairs, pairs of pairs and so on: the order never depends on who is
done first, and no machine gathers all of them. `group` is how many parts are reduced at a time, a
power of two; the local engine leaves that to the run, which keeps the sum of each part.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import add
from typing import Any

from saetm_plugins.numerics.parallel import n_threads
from saetm_plugins.validation import check_choice, check_count

_GROUP = 64  # parts that are added up on a cluster before the driver saves their sum
Task = Callable[[Any], Any]


class _Local:
    """Processes on this machine, of one thread each."""

    group = 1

    def __init__(self, n_workers: int | None) -> None:
        self.n_workers = n_threads() if n_workers is None else check_count(n_workers, "n_workers")

    def map(self, task: Task, items: Iterable[Any]) -> Iterator[Any]:
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        ahead = str(self.n_workers + 1)
        options = {"return_as": "generator_unordered", "max_nbytes": None, "batch_size": 1}
        with parallel_config("loky", inner_max_num_threads=1):
            run = Parallel(self.n_workers, pre_dispatch=ahead, **options)
        try:
            yield from run(delayed(task)(item) for item in items)
        except TerminatedWorkerError as error:
            raise RuntimeError(
                "a worker was killed, most likely for want of memory; what is done is kept: call "
                "again, with fewer n_workers"
            ) from error


class _Ray:
    """Tasks of Ray, on the cluster that ``ray.init`` connected to."""

    group = _GROUP

    def __init__(self) -> None:
        self.ray = _import("ray")
        if not self.ray.is_initialized():
            self.ray.init()
        self.call = self.ray.remote(_call)

    def map(self, task: Task, items: Iterable[Any]) -> Iterator[Any]:
        shared, waiting = self.ray.put(task), iter(items)
        ahead = 2 * int(self.ray.cluster_resources().get("CPU", 1))
        running = [self.call.remote(shared, item) for item in islice(waiting, ahead)]
        while running:
            (done, *_), running = self.ray.wait(running)
            running += [self.call.remote(shared, item) for item in islice(waiting, 1)]
            yield self.ray.get(done)

    def reduce(self, task: Task, items: list[Any]) -> Any:
        shared, plus = self.ray.put(task), self.ray.remote(_add)
        level = [self.call.remote(shared, item) for item in items]
        return self.ray.get(_in_pairs(level, plus.remote))


class _Dask:
    """Tasks of Dask: of the client that is connected, else of threads on this machine."""

    group = _GROUP

    def __init__(self) -> None:
        self.dask = _import("dask")

    def map(self, task: Task, items: Iterable[Any]) -> Iterator[Any]:
        waiting, run = iter(items), self.dask.delayed(task)
        while chunk := [run(item) for item in islice(waiting, _GROUP)]:
            yield from self.dask.compute(*chunk)

    def reduce(self, task: Task, items: list[Any]) -> Any:
        run, plus = self.dask.delayed(task), self.dask.delayed(add)
        return _in_pairs([run(item) for item in items], plus).compute()


class _Spark:
    """Tasks of the Spark session that is active, or of a new one."""

    group = _GROUP

    def __init__(self) -> None:
        builder = _import("pyspark.sql", "spark").SparkSession.builder
        self.context = builder.getOrCreate().sparkContext

    def map(self, task: Task, items: Iterable[Any]) -> Iterator[Any]:
        waiting = iter(items)
        while chunk := list(islice(waiting, _GROUP)):
            yield from self.context.parallelize(chunk, len(chunk)).map(task).collect()

    def reduce(self, task: Task, items: list[Any]) -> Any:
        n = len(items)
        sums = self.context.parallelize(list(enumerate(items)), n).mapValues(task)
        while n > 1:
            n = -(-n // 2)
            pairs = sums.map(lambda pair: (pair[0] // 2, pair[1]))
            sums = pairs.reduceByKey(add, n)  # of two: their order does not matter
        return sums.values().first()


_CLUSTERS: dict[str, Callable[[], Any]] = {"ray": _Ray, "dask": _Dask, "spark": _Spark}


def make_engine(engine: str, n_workers: int | None = None) -> Any:
    """Return an engine by its name; `n_workers` are those of "local"."""
    check_choice(engine, "engine", ("local", *_CLUSTERS))
    if engine == "local":
        return _Local(n_workers)
    if n_workers is not None:
        raise ValueError(f"n_workers is for engine='local'; {engine} has settings of its own")
    return _CLUSTERS[engine]()


def _in_pairs(level: list[Any], plus: Callable[[Any, Any], Any]) -> Any:
    """Add up a list in pairs, pairs of pairs and so on; of an odd number the last goes up alone."""
    while len(level) > 1:
        last = level[len(level) // 2 * 2 :]
        level = [plus(one, other) for one, other in zip(level[::2], level[1::2], strict=False)]
        level += last
    return level[0]


def _call(task: Task, item: Any) -> Any:
    return task(item)


def _add(one: Any, other: Any) -> Any:  # Ray takes no built-in function
    return one + other


def _import(module: str, extra: str | None = None) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        hint = f"pip install 'saetm-plugins[{extra or module}]'"
        raise ImportError(f"{error}: {hint}") from None
