import multiprocessing
import queue

import numpy as np
import torch.distributed as dist

from saetm_plugins.emission import fit_emissions


def fit_shard(rank, world, rendezvous, theta, bow, results):
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=world)
    for backend in ("numba", "torch"):
        em = fit_emissions(
            theta,
            bow,
            n_iter=5,
            backend=backend,
            device="cpu",
            process_group=dist.group.WORLD,
        )
        results.put((backend, rank, em.atom_words, em.background, em.log_likelihood_))
    dist.destroy_process_group()


def test_two_processes_equal_one(corpus, tmp_path):
    theta, bow = corpus
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    rendezvous = f"file://{tmp_path}/rendezvous"
    other = context.Process(
        target=fit_shard, args=(1, 2, rendezvous, theta[100:], bow[100:], results)
    )
    other.start()
    mine = queue.Queue()
    fit_shard(0, 2, rendezvous, theta[:100], bow[:100], mine)
    rows = [source.get(timeout=60) for source in (mine, mine, results, results)]
    other.join(60)
    found = {row[:2]: row[2:] for row in rows}
    whole = fit_emissions(theta, bow, n_iter=5)
    for atom_words, background, history in found.values():
        np.testing.assert_allclose(atom_words, whole.atom_words, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(background, whole.background, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(history, whole.log_likelihood_, atol=1e-5)
    for backend in ("numba", "torch"):
        assert np.array_equal(found[backend, 0][0], found[backend, 1][0])
