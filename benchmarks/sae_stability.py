"""Share of atoms found again with another seed, over activations and sizes.

python benchmarks/sae_stability.py --data DIR [--n-atoms 64 256 1024]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from saetm_plugins.atoms import atom_stability, train_sae


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("SAETM_DATA"))
    parser.add_argument("--embeddings", default="20newsgroups_minilm_f16.npy")
    parser.add_argument("--n-atoms", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--activations", nargs="+", default=["batch_topk", "topk", "jumprelu"])
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("pass --data, or set SAETM_DATA")
    embeddings = np.load(Path(arguments.data) / arguments.embeddings)
    print("| activation | atoms | k | FVU | stability |")
    print("|---|---|---|---|---|")
    for activation in arguments.activations:
        for n_atoms in arguments.n_atoms:
            first, second = (
                train_sae(embeddings, n_atoms, activation, random_state=seed) for seed in (0, 1)
            )
            share = atom_stability(first, second)
            fvu = first.statistics_["fvu"]
            print(f"| {activation} | {n_atoms} | {first.k} | {fvu:.3f} | {share:.2f} |", flush=True)


if __name__ == "__main__":
    main()
