"""Emission on 20 Newsgroups: EM beside the paper's Adam, to the same log-likelihood.

    python benchmarks/emission_speed.py --data DIR            # 3 seeds, 10 epochs: ~10 minutes
    python benchmarks/emission_speed.py --data DIR --seeds 1 --epochs 2

One process, V = 10,000 words, K = 1536 atoms, 32 active. For each seed: Adam's epochs, then the EM
passes that it takes to pass Adam's log-likelihood, timed as one whole call to `fit_emissions`
(checks, weighting and layout included, compilation not); then a fit with defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from statistics import median

import scipy.sparse as sp
from emission_input import mixtures, newsgroups_counts

from saetm_plugins.emission import Emissions, fit_emissions


def timed(theta: sp.csr_matrix, bow: sp.csr_matrix, repeat: int = 1, **options: object):
    """Return the shortest (seconds, CPU seconds) of `repeat` fits, and the fit."""
    seconds, cpu_seconds = [], []
    for _ in range(repeat):
        start, cpu_start = time.perf_counter(), time.process_time()
        emissions: Emissions = fit_emissions(theta, bow, **options)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    return (min(seconds), min(cpu_seconds)), emissions


def measure(theta: sp.csr_matrix, bow: sp.csr_matrix, epochs: int, seed: int) -> dict[str, float]:
    """Run Adam, then EM to Adam's log-likelihood and with defaults."""
    (adam_s, adam_cpu), adam = timed(theta, bow, solver="adam", n_iter=epochs, random_state=seed)
    target = adam.score(theta, bow)
    for passes in range(1, 51):
        (em_s, em_cpu), em = timed(theta, bow, repeat=5, n_iter=passes, prior=0.0)
        if em.score(theta, bow) >= target:
            break
    (ten_s, _), _ = timed(theta, bow, repeat=3, n_iter=12, prior=0.0)
    (two_s, _), _ = timed(theta, bow, repeat=3, n_iter=2, prior=0.0)
    (map_ten_s, _), _ = timed(theta, bow, repeat=3, n_iter=12)
    (map_two_s, _), _ = timed(theta, bow, repeat=3, n_iter=2)
    (default_s, _), default = timed(theta, bow, repeat=3)
    return {
        "seed": seed,
        "adam_epochs": epochs,
        "adam_s": adam_s,
        "adam_ll": target,
        "em_passes": passes,
        "em_s": em_s,
        "em_ll": em.score(theta, bow),
        "ratio": adam_s / em_s,
        "cpu_ratio": adam_cpu / em_cpu,
        "pass_s": (ten_s - two_s) / 10,
        "pass_with_prior_s": (map_ten_s - map_two_s) / 10,
        "default_s": default_s,
        "default_passes": default.n_iter_,
        "default_ll": default.score(theta, bow),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--n-atoms", type=int, default=1536)
    parser.add_argument("--active", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    bow, embeddings = newsgroups_counts(args.data)
    rows = []
    for seed in range(args.seeds):
        theta = mixtures(embeddings, args.n_atoms, args.active, seed)
        if seed == 0:
            (first_s, _), _ = timed(theta, bow)
        rows.append(measure(theta, bow, args.epochs, seed))
        print(json.dumps(rows[-1]), flush=True)
    middle = {key: median(row[key] for row in rows) for key in rows[0]}
    print(
        f"\n{bow.shape[0]} documents, V = {bow.shape[1]}, {bow.nnz} nonzero counts, "
        f"K = {args.n_atoms}, {theta.nnz / theta.shape[0]:.1f} active; {os.cpu_count()} cores; "
        f"medians of {args.seeds} seeds\n\n| solver | seconds | log-likelihood |\n|---|---|---|"
    )
    print(f"| Adam, {args.epochs} epochs | {middle['adam_s']:.1f} | {middle['adam_ll']:.3f} |")
    print(
        f"| EM to the same, {middle['em_passes']:.0f} passes | {middle['em_s']:.3f} "
        f"(**{middle['ratio']:.0f} × faster**, {middle['cpu_ratio']:.0f} × in CPU seconds) "
        f"| {middle['em_ll']:.3f} |"
    )
    print(
        f"| EM, defaults, {middle['default_passes']:.0f} passes | {middle['default_s']:.3f} "
        f"| {middle['default_ll']:.3f} |"
    )
    print(f"| one EM pass | {middle['pass_s']:.3f} | |")
    print(f"| one EM pass with the prior | {middle['pass_with_prior_s']:.3f} | |")
    print(f"| first call ever (compiling, or reading the cache) | {first_s:.2f} | |")


if __name__ == "__main__":
    main()
