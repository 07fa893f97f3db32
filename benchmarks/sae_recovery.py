"""Where the theory holds: planted directions and mixtures against the number of contributions.

    python benchmarks/sae_recovery.py [--seeds 3] [--plot recovery.png]
    python benchmarks/sae_recovery.py --uneven [--seeds 3]

Many small contributions make a document's strengths follow its mixture; few do not. With
`--uneven`, documents differ in size: a mixture from Dirichlet(α), times a strength from
Gamma(shape).
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from saetm_plugins.atoms import match_directions, sample_ctm, train_sae

ACTIVATIONS = ("topk", "batch_topk", "l1", "jumprelu")


def measure(activation, n_contributions, seed):
    sample = sample_ctm(n_contributions=n_contributions, random_state=seed)
    sae = train_sae(sample.embeddings, 32, activation, random_state=seed)
    partners, cosines = match_directions(sample.directions, sae.decoder_)
    codes = sae.transform(sample.embeddings).toarray()[:, partners]
    mixtures = codes / codes.sum(axis=1, keepdims=True)
    return cosines.mean(), np.corrcoef(mixtures.ravel(), sample.mixtures.ravel())[0, 1]


def uneven_documents(concentration, shape, seed, n=20_000, n_topics=32, n_features=64, noise=0.05):
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(n_topics, n_features))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    mixtures = rng.dirichlet(np.full(n_topics, concentration), size=n)
    documents = rng.gamma(shape, size=n)[:, None] * mixtures @ directions
    return (documents + noise * rng.normal(size=(n, n_features))).astype(np.float32), directions


def measure_uneven(activations, seeds):
    print("| activation | α | shape | mean cosine of matched atoms, of each seed |")
    print("|---|---|---|---|")
    for activation in activations:
        for concentration, shape in itertools.product((0.02, 0.05, 0.2), (2, 8, 20)):
            found = []
            for seed in range(seeds):
                rows, directions = uneven_documents(concentration, shape, seed)
                sae = train_sae(rows, 32, activation, k=4, random_state=seed)
                found.append(f"{match_directions(directions, sae.decoder_)[1].mean():.3f}")
            print(f"| {activation} | {concentration} | {shape} | {', '.join(found)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--contributions", type=int, nargs="+", default=[1, 2, 5, 20, 100, 400])
    parser.add_argument("--activations", nargs="+", default=list(ACTIVATIONS))
    parser.add_argument("--uneven", action="store_true")
    parser.add_argument("--plot", help="also draw the table to this image file")
    arguments = parser.parse_args()
    if arguments.uneven:
        measure_uneven(
            [name for name in arguments.activations if name != "jumprelu"], arguments.seeds
        )
        return
    curves = {}
    print("| activation | contributions | mean cosine of matched atoms | correlation of mixtures |")
    print("|---|---|---|---|")
    for activation in arguments.activations:
        for number in arguments.contributions:
            results = [measure(activation, number, seed) for seed in range(arguments.seeds)]
            cosine, correlation = np.mean(results, axis=0)
            curves.setdefault(activation, []).append((cosine, correlation))
            print(f"| {activation} | {number} | {cosine:.3f} | {correlation:.3f} |", flush=True)
    if arguments.plot:
        from matplotlib import pyplot as plt

        figure, axes = plt.subplots(1, 2, figsize=(10, 4))
        for activation, points in curves.items():
            for axis, values in zip(axes, np.transpose(points), strict=True):
                axis.semilogx(arguments.contributions, values, marker="o", label=activation)
        axes[0].set(xlabel="contributions per document", ylabel="mean cosine of matched atoms")
        axes[1].set(xlabel="contributions per document", ylabel="correlation of mixtures")
        axes[1].legend()
        figure.tight_layout()
        figure.savefig(arguments.plot)


if __name__ == "__main__":
    main()
