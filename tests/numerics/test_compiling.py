"""All compiled loops: one signature each, so that processes may share what is on disk."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import saetm_plugins

ROOT = Path(saetm_plugins.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in ROOT.rglob("*.py")
    if "\n@compiled(" in path.read_text("utf-8")
)
LOOPS = [
    loop
    for module in MODULES
    for loop in vars(import_module(module)).values()
    if isinstance(loop, Dispatcher)
]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_a_loop_has_one_signature_and_takes_no_other(loop):
    assert len(loop.signatures) == 1
    assert not loop._can_compile


def test_a_loop_refuses_arrays_of_another_type_and_takes_those_that_are_read_only():
    from saetm_plugins.numerics._pair_kernel import products_of_pairs

    indptr, indices = np.array([0, 2, 2]), np.array([0, 2], dtype=np.int32)
    left, right = np.ones((2, 3), dtype=np.float32), np.ones((3, 3), dtype=np.float32)
    products = np.zeros(2, dtype=np.float32)
    with pytest.raises(TypeError, match="No matching definition"):
        products_of_pairs(0, 2, indptr, indices, left.astype(np.float64), right, products)
    for array in (indptr, indices, left, right):
        array.flags.writeable = False
    products_of_pairs(0, 2, indptr, indices, left, right, products)
    np.testing.assert_array_equal(products, [3, 3])


FOUR = """
import multiprocessing, numba, numpy as np, scipy.sparse as sp, sys
from saetm_plugins.emission import fit_emissions
from saetm_plugins.merging import AtomViews, make_merge
from saetm_plugins.numerics.pairs import products_of_pairs

def work(number):
    rng = np.random.default_rng(0)
    floats, ints = (np.float32, np.float64)[number % 2], (np.int32, np.int64)[number // 2 % 2]
    def given(array, dtype):
        array = array.astype(dtype)
        array.flags.writeable = number < 2
        return array
    vectors = given(rng.integers(-9, 9, size=(60, 8)), floats)
    dense = rng.integers(0, 2, size=(60, 40)) * rng.integers(1, 9, size=(60, 40))
    words = sp.csr_matrix(dense.astype(floats))
    words.indices, words.indptr = words.indices.astype(ints), words.indptr.astype(ints)
    views = AtomViews(np.full(60, 1 / 60), vectors, words, given(rng.normal(size=(40, 8)), floats))
    tasks = [
        lambda: fit_emissions(words[:, :12], words, n_iter=2).atom_words,
        *(lambda name=name: make_merge(name).fit(views).cut(5).atom_topics.toarray()
          for name in ("ward", "nmf")),
        lambda: products_of_pairs(words.indptr, words.indices, vectors, vectors[:40]),
    ]
    together.wait(timeout=200)
    found = {}
    for step in range(len(tasks)):
        task = (number + step) % len(tasks)
        found[task] = tasks[task]().round(5).tolist()
    return [found[task] for task in range(len(tasks))]

context = multiprocessing.get_context("fork")
together = context.Barrier(4)
with context.Pool(4) as pool:
    found = pool.map_async(work, range(4), chunksize=1).get(timeout=250)
assert all(each == found[0] for each in found)
"""


def test_four_processes_that_compile_at_once_agree(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "OMP_WAIT_POLICY": "PASSIVE"}
    subprocess.run(
        [sys.executable, "-c", FOUR], env=environment, cwd=ROOT.parent, check=True, timeout=280
    )
    loops, files = (sorted(tmp_path.rglob(f"*.{ending}")) for ending in ("nbi", "nbc"))
    assert len(loops) == len(files) > 10
