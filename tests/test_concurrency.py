"""Many threads at once, and forked processes: the results of one, and nobody's settings changed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

import saetm_plugins
from saetm_plugins import SAETopicModel
from saetm_plugins.numerics.caching import cached_property
from saetm_plugins.numerics.parallel import map_ranges, n_threads, single_threaded

N_TOPICS = 5
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def thread_counts():
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    return pools, torch.get_num_threads()


@pytest.mark.usefixtures("quick_atoms")
def test_calls_from_many_threads_give_what_one_gives(corpus):
    def live(seed):
        model = SAETopicModel(N_TOPICS, random_state=seed)
        model.fit(corpus.documents, embeddings=corpus.embeddings).retopic(8)
        return model.components_, model.transform(None, corpus.embeddings)

    alone = [live(seed) for seed in range(2)]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(live, [0, 1] * 3))
    for seed, found in zip([0, 1] * 3, together, strict=True):
        for one, other in zip(alone[seed], found, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("quick_atoms")
def test_settings_are_as_before_and_seen_unchanged_meanwhile(corpus):
    def live(n_topics):
        model = SAETopicModel(n_topics).fit(corpus.documents, embeddings=corpus.embeddings)
        model.retopic(n_topics + 1)

    live(5)  # whatever is loaded lazily is loaded now
    before, seen, done = thread_counts(), [], threading.Event()

    def watch():
        while not done.is_set():
            seen.append(thread_counts())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(live, (4, 5)))
    done.set()
    watcher.join(60)
    assert thread_counts() == before
    assert len(seen) > 2
    assert all(counts == before for counts in seen)


def succeeds_in_a_fork(act):
    """Tell whether `act` returns True in a forked process, which ends after a minute.

    One that waits for a thread that it does not have would hang otherwise.
    """
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # without pytest-timeout's handler
        signal.alarm(60)
        code = 1
        try:
            code = int(not act())
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


@needs_fork
@pytest.mark.usefixtures("quick_atoms")
def test_a_forked_process_fits_and_transforms(corpus):
    def fit():
        return SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)

    model = fit()
    expected = model.doc_topics_
    assert succeeds_in_a_fork(
        lambda: (
            np.array_equal(fit().doc_topics_, expected)
            and np.array_equal(model.transform(None, corpus.embeddings), expected)
        )
    )


def locks():
    from numba.core.compiler_lock import global_compiler_lock
    from tqdm.auto import tqdm

    from saetm_plugins.corpus.encoders import _ENCODING

    bars = tqdm.get_lock()
    return {"progress bars": bars, "compiler": global_compiler_lock, "tokenizer": _ENCODING}


@needs_fork
@pytest.mark.parametrize("name", ["progress bars", "compiler", "tokenizer"])
def test_a_process_forked_while_another_thread_holds_a_lock_fits(corpus, fitted, sae, name):
    held, let_go = threading.Event(), threading.Event()

    def hold():
        with locks()[name]:
            held.set()
            let_go.wait(60 if name == "progress bars" else 0.3)  # a fork waits for the others

    def fit_again():
        again = SAETopicModel(N_TOPICS, sae=sae)
        again.fit(corpus.documents, embeddings=corpus.embeddings)
        return np.array_equal(again.doc_topics_, fitted.doc_topics_)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    succeeded = succeeds_in_a_fork(fit_again)
    let_go.set()
    thread.join(60)
    assert succeeded


KILLED = """
import multiprocessing, os, signal
from saetm_plugins import SAETopicModel
from tqdm.auto import tqdm

def die():
    tqdm.get_lock().acquire()
    os.kill(os.getpid(), signal.SIGKILL)

def bar():
    signal.alarm(20)
    tqdm([], disable=True)

fork = multiprocessing.get_context("fork")
tqdm([], disable=True)  # makes the lock
for target in (die, bar):
    child = fork.Process(target=target)
    child.start()
    child.join()
    print(child.exitcode)
bar()
"""


def run_python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=240, **options
    )


@needs_fork
def test_a_killed_process_takes_no_lock_of_progress_bars_with_it():
    run = run_python(KILLED)
    assert (run.returncode, run.stdout.split()) == (0, ["-9", "0"]), run.stderr[-800:]


@needs_fork
def test_a_process_forked_while_a_value_is_computed_computes_it():
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        @cached_property
        def value(self):
            begun.set()
            go_on.wait(60)
            return 1

    def compute():
        go_on.set()
        return Slow().value == 1

    thread = threading.Thread(target=lambda: Slow().value)
    thread.start()
    assert begun.wait(60)
    succeeded = succeeds_in_a_fork(compute)
    go_on.set()
    thread.join(60)
    assert succeeded


def test_tasks_may_share_out_work_themselves():
    def outer(_, first, last):
        return sum(map_ranges(lambda i, a, b: b - a, [(0, first), (first, last)]))

    ranges = [(i, i + 5) for i in range(40)]
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: map_ranges(outer, ranges), range(8)))
    assert results == [[i + 5 for i in range(40)]] * 8


def test_torch_is_single_threaded_inside_and_as_before_after():
    before = torch.get_num_threads()
    with single_threaded():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    assert set(map_ranges(lambda *_: torch.get_num_threads(), [(0, 1)] * 8)) == {1}
    assert torch.get_num_threads() == before
    assert n_threads() >= 1


FIT = """
import numba, numpy as np, saetm_plugins
from saetm_plugins import SAETopicModel, train_sae
x = np.random.default_rng(0).normal(size=(300, 16)).astype("f")
model = SAETopicModel(4, sae=train_sae(x, n_atoms=16, n_steps=20)).fit(None, embeddings=x)
print(model.transform(None, x).shape[1], saetm_plugins.__file__)
try:
    print(numba.threading_layer())
except ValueError:
    print("no team")
"""


def test_no_openmp_team_of_numba_is_started_and_no_cache_is_needed(tmp_path):
    """As in a container with a read-only file system and no home.

    numba's own threads abort the process where two callers use them at once.
    """
    source = Path(saetm_plugins.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    package = Path(shutil.copytree(source, tmp_path / "saetm_plugins", ignore=ignored))
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()  # a file: not even root can write below it
    (tmp_path / "home").touch()
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(tmp_path)}
    run = run_python(FIT, env=environment, cwd=tmp_path)
    assert run.returncode == 0, run.stderr[-800:]
    assert run.stdout.splitlines() == [f"4 {package / '__init__.py'}", "no team"]
