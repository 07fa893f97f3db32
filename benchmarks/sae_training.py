"""Training speed of stage 1: share of torch.mm's FLOP/s, and other training loops, in one run.

python benchmarks/sae_training.py [--steps 60] [--peers]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from saetm_plugins.atoms.training.config import TrainingConfig
from saetm_plugins.atoms.training.initialization import initial_weights
from saetm_plugins.atoms.training.learner import make_learner

BATCH, D, ATOMS, ACTIVE = 1024, 384, 1024, 8


def best_of(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times), float(np.median(times))


def product_seconds(dtype, repeats):
    rows, atoms = torch.randn(BATCH, D).to(dtype), torch.randn(ATOMS, D).to(dtype)
    out = torch.empty(BATCH, ATOMS, dtype=dtype)
    torch.mm(rows, atoms.T, out=out)
    return best_of(lambda: torch.mm(rows, atoms.T, out=out), repeats)


def our_seconds(documents, activation, precision, repeats):
    config = TrainingConfig(
        ATOMS,
        activation=activation,
        k=ACTIVE,
        n_steps=10_000,
        batch_size=BATCH,
        precision=precision,
    ).resolve(len(documents), D)
    weights = initial_weights(documents.numpy(), config, np.random.default_rng(0))
    learner = make_learner(weights, config, "cpu")
    steps = iter(range(10_000))
    for _ in range(3):
        learner.step(documents, 1e-3, next(steps))
    return best_of(lambda: learner.step(documents, 1e-3, next(steps)), repeats)


def dictionary_learning_seconds(documents, activation, repeats):
    from dictionary_learning.trainers.batch_top_k import BatchTopKTrainer
    from dictionary_learning.trainers.top_k import TopKTrainer

    trainer_class = {"topk": TopKTrainer, "batch_topk": BatchTopKTrainer}[activation]
    trainer = trainer_class(
        steps=10_000,
        activation_dim=D,
        dict_size=ATOMS,
        k=ACTIVE,
        layer=0,
        lm_name="none",
        warmup_steps=100,
        device="cpu",
        seed=0,
    )
    steps = iter(range(10_000))
    for _ in range(3):
        trainer.update(next(steps), documents)
    return best_of(lambda: trainer.update(next(steps), documents), repeats)


def sparsify_seconds(documents, repeats):
    """Its Trainer needs a language model; these are the statements of its inner loop."""
    from sparsify import SparseCoder, SparseCoderConfig

    coder = SparseCoder(D, SparseCoderConfig(num_latents=ATOMS, k=ACTIVE))
    optimizer = torch.optim.Adam(coder.parameters(), lr=1e-3)

    def step():
        coder.set_decoder_norm_to_unit_norm()
        coder(documents).fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(3):
        step()
    return best_of(step, repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--peers", action="store_true", help="needs dictionary-learning, sparsify")
    arguments = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    documents = torch.nn.functional.normalize(torch.randn(BATCH, D, generator=generator), dim=1)
    print(f"batch {BATCH}, d {D}, K {ATOMS}, k {ACTIVE}, {torch.get_num_threads()} threads")
    dense_flops = 2 * BATCH * D * ATOMS
    products = {}
    for precision, dtype in [("fp32", torch.float32), ("bf16", torch.bfloat16)]:
        best, median = product_seconds(dtype, arguments.steps)
        products[precision] = best
        print(
            f"torch.mm {precision}: {1e3 * best:.2f} ms (median {1e3 * median:.2f}), "
            f"{dense_flops / best / 1e9:.0f} GFLOP/s"
        )
    # The one dense product of a step, and all else at the count of active atoms.
    sparse_flops = 8 * BATCH * ACTIVE * D + 12 * 2 * ATOMS * D
    print("| step | ms (best) | ms (median) | samples/s | share of torch.mm FLOP/s |")
    print("|---|---|---|---|---|")
    ours = {}
    for activation in ("topk", "batch_topk", "l1", "jumprelu"):
        for precision in ("fp32", "bf16"):
            best, median = our_seconds(documents, activation, precision, arguments.steps)
            ours[activation, precision] = best
            dense = activation in ("l1", "jumprelu")
            flops = 5 * dense_flops if dense else dense_flops + sparse_flops
            share = flops / best / (dense_flops / products[precision])
            print(
                f"| ours {activation} {precision} | {1e3 * best:.2f} | {1e3 * median:.2f} "
                f"| {BATCH / best:,.0f} | {share:.0%} |"
            )
    if not arguments.peers:
        return
    peers = {
        ("dictionary_learning", "topk"): lambda: dictionary_learning_seconds(
            documents, "topk", arguments.steps
        ),
        ("dictionary_learning", "batch_topk"): lambda: dictionary_learning_seconds(
            documents, "batch_topk", arguments.steps
        ),
        ("eai-sparsify", "topk"): lambda: sparsify_seconds(documents, arguments.steps),
    }
    for (library, activation), measure in peers.items():
        best, median = measure()
        print(
            f"| {library} {activation} | {1e3 * best:.2f} | {1e3 * median:.2f} "
            f"| {BATCH / best:,.0f} | – |"
        )
        for precision in ("fp32", "bf16"):
            print(f"  ours {precision} is {best / ours[activation, precision]:.1f} x faster")


if __name__ == "__main__":
    main()
