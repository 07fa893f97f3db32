"""Peak memory and seconds of a fit with very many atoms: train, encode, learn words, merge.

    python benchmarks/many_atoms.py                  # 65,536 atoms, 20,000 words; long
    python benchmarks/many_atoms.py --n-steps 20     # what memory needs does not depend on steps

Documents are drawn: sparse mixtures of 2,000 directions, each with words of its own.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import scipy.sparse as sp
from emission_input import peak_gigabytes

from saetm_plugins import SAETopicModel, train_sae


def main() -> None:
    args = parse_arguments()
    warnings.filterwarnings("ignore")
    embeddings, counts, words = draw_corpus(args.n_documents, args.n_words)
    print(f"| {args.n_atoms:,} atoms, {args.n_words:,} words | seconds | peak so far, GB |")
    print("|---|---|---|")
    report("the corpus itself", 0.0)
    started = time.perf_counter()
    sae = train_sae(embeddings, n_atoms=args.n_atoms, n_steps=args.n_steps)
    report("train", time.perf_counter() - started)
    started = time.perf_counter()
    model = SAETopicModel(args.n_topics, sae=sae, merge="kmeans", word_vectors="corpus")
    model.fit(None, embeddings=embeddings, bow=counts, vocabulary=words)
    report("encode, learn words, merge", time.perf_counter() - started)
    started = time.perf_counter()
    model.retopic(args.n_topics // 2)
    report("cut again", time.perf_counter() - started)
    print(f"{(model.atom_prevalence_ > 0).sum():,} atoms live")


def draw_corpus(n_documents: int, n_words: int) -> tuple[np.ndarray, sp.csr_matrix, list[str]]:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(2000, 384)).astype(np.float32)
    themes = rng.integers(2000, size=(n_documents, 3))
    embeddings = directions[themes].sum(axis=1)
    embeddings += 10 * rng.normal(size=embeddings.shape).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    drawn = themes[:, rng.integers(3, size=60)] * 7 + rng.integers(40, size=(n_documents, 60))
    drawn %= n_words
    rows = np.repeat(np.arange(n_documents), 60)
    counts = sp.csr_matrix(
        (np.ones(drawn.size, np.float32), (rows, drawn.ravel())), (n_documents, n_words)
    )
    return embeddings, counts, [f"word{i}" for i in range(n_words)]


def report(what: str, seconds: float) -> None:
    peak = peak_gigabytes()
    print(f"| {what} | {seconds:.0f} | {peak:.2f} |", flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-documents", type=int, default=60_000)
    parser.add_argument("--n-atoms", type=int, default=65_536)
    parser.add_argument("--n-words", type=int, default=20_000)
    parser.add_argument("--n-topics", type=int, default=200)
    parser.add_argument("--n-steps", type=int, default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
