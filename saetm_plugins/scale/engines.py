"""Who does the work: processes on this machine, Ray, Dask or Spark. All scheduling is theirs.

An engine maps a task over parts and, but for the local one, adds up the results in pairs, pairs of
pairs and so on: the order never depends on who is done first, and no machine gathers all of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import add
from typing import Any, Protocol

from saetm_plugins.numerics.parallel import n_threads
from saetm_plugins.validation import check_choice

_GROUP = 64  # parts that are added up on a cluster before the driver saves their sums


class Engine(Protocol):
    """What runs the passes."""

    group: int
    """Parts that are added up at a time: a power of two."""

    def map(self, task: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield ``task(item)`` of each, in any order."""

    def reduce(self, task: Callable[[Any], Any], items: list[Any]) -> Any:
        """Return the sum of ``task(item)``, added in pairs."""


class Local:
    """Processes on this machine, of one thread each."""

    group = 1

    def __init__(self, n_workers: int | None = None) -> None:
        self.n_workers = n_workers or n_threads()

    def map(self, task: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """See :class:`Engine`."""
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        with parallel_config("loky", inner_max_num_threads=1):
            run = Parallel(
                self.n_workers,
                return_as="generator_unordered",
                pre_dispatch=f"{self.n_workers + 1}",
                batch_size=1,
                max_nbytes=None,
            )
        try:
            yield from run(delayed(task)(item) for item in items)
        except TerminatedWorkerError as error:
            raise RuntimeError(
                "a worker was killed, most likely for want of memory; what is done is kept: call "
                "again, with fewer n_workers"
            ) from error

    def reduce(self, task: Callable[[Any], Any], items: list[Any]) -> Any:
        """See :class:`Engine`."""
        raise NotImplementedError


class Ray:
    """Tasks of Ray, on the cluster that ``ray.init`` connected to."""

    group = _GROUP

    def __init__(self) -> None:
        self.ray = _import("ray")
        if not self.ray.is_initialized():
            self.ray.init()
        self.call = self.ray.remote(_call)

    def map(self, task: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """See :class:`Engine`."""
        shared, waiting = self.ray.put(task), iter(items)
        ahead = 2 * int(self.ray.cluster_resources().get("CPU", 1))
        running = [self.call.remote(shared, item) for item in islice(waiting, ahead)]
        while running:
            (done, *_), running = self.ray.wait(running)
            running += [self.call.remote(shared, item) for item in islice(waiting, 1)]
            yield self.ray.get(done)

    def reduce(self, task: Callable[[Any], Any], items: list[Any]) -> Any:
        """See :class:`Engine`."""
        shared, plus = self.ray.put(task), self.ray.remote(_add)
        level = [self.call.remote(shared, item) for item in items]
        return self.ray.get(in_pairs(level, plus.remote))


class Dask:
    """Tasks of Dask: of the client that is connected, else on this machine."""

    group = _GROUP

    def __init__(self) -> None:
        self.dask = _import("dask")

    def map(self, task: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """See :class:`Engine`."""
        waiting, run = iter(items), self.dask.delayed(task)
        while chunk := [run(item) for item in islice(waiting, _GROUP)]:
            yield from self.dask.compute(*chunk)

    def reduce(self, task: Callable[[Any], Any], items: list[Any]) -> Any:
        """See :class:`Engine`."""
        run, plus = self.dask.delayed(task), self.dask.delayed(add)
        return in_pairs([run(item) for item in items], plus).compute()


class Spark:
    """Tasks of the Spark session that is active, or of a new one."""

    group = _GROUP

    def __init__(self) -> None:
        builder = _import("pyspark.sql", "pyspark").SparkSession.builder
        self.context = builder.getOrCreate().sparkContext

    def map(self, task: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """See :class:`Engine`."""
        waiting = iter(items)
        while chunk := list(islice(waiting, _GROUP)):
            yield from self.context.parallelize(chunk, len(chunk)).map(task).collect()

    def reduce(self, task: Callable[[Any], Any], items: list[Any]) -> Any:
        """See :class:`Engine`."""
        n = len(items)
        sums = self.context.parallelize(list(enumerate(items)), n).mapValues(task)
        while n > 1:
            n = -(-n // 2)
            pairs = sums.map(lambda pair: (pair[0] // 2, pair[1]))
            sums = pairs.reduceByKey(add, n)  # of two: their order does not matter
        return sums.values().first()


ENGINES = {"local": Local, "ray": Ray, "dask": Dask, "spark": Spark}


def make_engine(engine: str, n_workers: int | None = None) -> Engine:
    """Return an engine by its name; `n_workers` are those of "local"."""
    check_choice(engine, "engine", tuple(ENGINES))
    if engine == "local":
        return Local(n_workers)
    if n_workers is not None:
        raise ValueError(f"n_workers is for engine='local'; {engine} has settings of its own")
    made: Engine = ENGINES[engine]()
    return made


def in_pairs(level: list[Any], plus: Callable[[Any, Any], Any]) -> Any:
    """Add up a list in pairs, pairs of pairs and so on; of an odd number the last goes up alone."""
    while len(level) > 1:
        last = level[len(level) // 2 * 2 :]
        level = [plus(one, other) for one, other in zip(level[::2], level[1::2], strict=False)]
        level += last
    return level[0]


def _call(task: Callable[[Any], Any], item: Any) -> Any:
    return task(item)


def _add(one: Any, other: Any) -> Any:  # Ray takes no built-in function
    return one + other


def _import(module: str, extra: str | None = None) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        extra = (extra or module).removeprefix("py")
        raise ImportError(f"{error}: pip install 'saetm-plugins[{extra}]'") from None
