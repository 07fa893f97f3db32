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


def thread_counts():
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    return pools, torch.get_num_threads()


def test_calls_from_many_threads_give_what_one_gives(corpus):
    def live(seed):
        model = SAETopicModel(N_TOPICS, random_state=seed)
        model.fit(corpus.documents, embeddings=corpus.embeddings).retopic(8)
        return model.components_, model.transform(None, corpus.embeddings)

    alone = [live(seed) for seed in range(3)]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(live, [0, 1, 2] * 2))
    for seed, found in zip([0, 1, 2] * 2, together, strict=True):
        for one, other in zip(alone[seed], found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_settings_are_as_before_and_seen_unchanged_meanwhile(corpus):
    model = SAETopicModel(N_TOPICS)
    model.fit(
        corpus.documents, embeddings=corpus.embeddings
    )  # whatever is loaded lazily is loaded now
    before, seen, done = thread_counts(), [], threading.Event()

    def watch():
        while not done.is_set():
            seen.append(thread_counts())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(2) as threads:
        for _ in threads.map(
            lambda n: (
                SAETopicModel(n).fit(corpus.documents, embeddings=corpus.embeddings).retopic(n + 1)
            ),
            (4, 5),
        ):
            pass
    done.set()
    watcher.join(60)
    assert thread_counts() == before
    assert len(seen) > 2
    assert all(counts == before for counts in seen)


def end_after(seconds):
    """End a forked process: waiting for a thread that is not there must fail, not hang."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest-timeout's handler would be the parent's
    signal.alarm(seconds)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_fits_and_transforms(corpus):
    model = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
    expected = model.doc_topics_
    child = os.fork()
    if child == 0:
        code = 1
        end_after(60)
        try:
            again = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
            same = np.array_equal(again.doc_topics_, expected)
            code = int(
                not (same and np.array_equal(model.transform(None, corpus.embeddings), expected))
            )
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def locks():
    from numba.core.compiler_lock import global_compiler_lock
    from tqdm.auto import tqdm

    from saetm_plugins.corpus.encoders import _ENCODING

    return {
        "progress bars": tqdm.get_lock(),
        "compiler": global_compiler_lock,
        "tokenizer": _ENCODING,
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", ["progress bars", "compiler", "tokenizer"])
def test_a_process_forked_while_another_thread_holds_a_lock_fits(corpus, name):
    model = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
    held, let_go = threading.Event(), threading.Event()

    def hold():
        with locks()[name]:
            held.set()
            let_go.wait(60 if name == "progress bars" else 0.3)  # a fork waits for the others

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    child = os.fork()
    if child == 0:
        code = 1
        end_after(50)
        try:
            again = SAETopicModel(N_TOPICS, sae=model.sae_)
            again.fit(corpus.documents, embeddings=corpus.embeddings)
            code = int(not np.array_equal(again.doc_topics_, model.doc_topics_))
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    let_go.set()
    thread.join(60)
    assert status == 0


KILLED = """
import multiprocessing, os, signal
import saetm_plugins
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_process_takes_no_lock_of_progress_bars_with_it():
    run = subprocess.run(
        [sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=120
    )
    assert (run.returncode, run.stdout.split()) == (0, ["-9", "0"]), run.stderr[-800:]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_while_a_value_is_computed_computes_it():
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        @cached_property
        def value(self):
            begun.set()
            go_on.wait(60)
            return 1

    thread = threading.Thread(target=lambda: Slow().value)
    thread.start()
    assert begun.wait(60)
    child = os.fork()
    if child == 0:
        end_after(20)
        go_on.set()
        os._exit(Slow().value - 1)
    status = os.waitpid(child, 0)[1]
    go_on.set()
    thread.join(60)
    assert status == 0


def test_tasks_may_share_out_work_themselves():
    def outer(_, first, last):
        return sum(map_ranges(lambda i, a, b: b - a, [(0, first), (first, last)]))

    ranges = [(i, i + 5) for i in range(40)]
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: map_ranges(outer, ranges), range(8)))
    assert results == [[i + 5 for i in range(40)]] * 8


def test_an_error_in_a_task_is_raised_and_the_next_call_works():
    def fail(i, first, last):
        if i == 3:
            raise ZeroDivisionError
        return i

    with pytest.raises(ZeroDivisionError):
        map_ranges(fail, [(i, i + 1) for i in range(8)])
    assert map_ranges(lambda i, a, b: i, [(0, 1), (1, 2)]) == [0, 1]


def test_torch_is_single_threaded_inside_and_as_before_after():
    before = torch.get_num_threads()
    with single_threaded():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    assert set(map_ranges(lambda *_: torch.get_num_threads(), [(0, 1)] * 8)) == {1}
    assert torch.get_num_threads() == before
    assert n_threads() >= 1


def test_no_openmp_team_of_numba_is_started(corpus):
    """numba's own threads abort the process where two callers use them at once."""
    code = (
        "import numpy as np, numba\n"
        "from saetm_plugins import SAETopicModel\n"
        "x = np.random.default_rng(0).normal(size=(300, 16)).astype('f')\n"
        "SAETopicModel(4).fit(None, embeddings=x).transform(None, x)\n"
        "try:\n    print(numba.threading_layer())\nexcept ValueError:\n    print('none')\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    )
    assert found.stdout.strip() == "none"


def test_a_package_folder_that_cannot_be_written_needs_no_cache(tmp_path):
    """As in a container with a read-only file system and no home."""
    source = Path(saetm_plugins.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    package = Path(shutil.copytree(source, tmp_path / "saetm_plugins", ignore=ignored))
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()  # a file: not even root can write below it
    (tmp_path / "home").touch()
    code = (
        "import numpy as np, saetm_plugins\n"
        "from saetm_plugins import SAETopicModel\n"
        "x = np.random.default_rng(0).normal(size=(300, 16)).astype('f')\n"
        "print(SAETopicModel(4).fit(None, embeddings=x).n_topics_, saetm_plugins.__file__)\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=240,
    )
    assert found.returncode == 0, found.stderr[-800:]
    assert found.stdout.split() == ["4", str(package / "__init__.py")]
