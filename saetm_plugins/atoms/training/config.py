"""Settings of stage 1, shared by :func:`train_sae`, the command line and the saved model."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from saetm_plugins.atoms.encoding import ACTIVATIONS
from saetm_plugins.atoms.normalization import NORMALIZATIONS

PRECISIONS = ("auto", "fp32", "bf16")

# The paper's text recipe (sec. 4): L1 with lambda 2, four atoms a dimension, batches of 1000,
# 50,000 steps at rate 1e-3, warm-ups over the first tenth. Lambda is relative to the scale of the
# data: squared norms of d on average.
PRESETS: dict[str, dict[str, Any]] = {
    "saetm-paper": {
        "activation": "l1",
        "sparsity": 2.0,
        "expansion": 4.0,
        "k": 32,
        "batch_size": 1000,
        "n_steps": 50_000,
        "learning_rate": 1e-3,
        "warmup": 0.1,
        "decay": 0.2,
        "anneal": 1.0,
        "normalization": "scale",
    },
    "gpu": {"expansion": 4.0, "k": 32, "batch_size": 16_384, "learning_rate": 2e-3},
}


_BATCHES = ((2**12, 256), (2**15, 512), (2**20, 1024), (math.inf, 8192))
"""Pairs: below so many documents, the batch size."""
_FEW_ATOMS = 64
"""With so few atoms asked for, each should be a topic: training is longer, and anneals k."""
_TIME_TO_ANNEAL = 1000  # steps; in fewer, "l1" does not come down to k active atoms
_SIZE = [Interval(Integral, 1, 2**63, closed="left"), None]
_SHARE = [Interval(Real, 0, 1, closed="both")]
_CONSTRAINTS: dict[str, Any] = {
    "n_atoms": _SIZE,
    "expansion": [Interval(Real, 0, 1e6, closed="right"), None],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "k": _SIZE,
    "n_steps": _SIZE,
    "batch_size": _SIZE,
    "anneal": [Interval(Real, 1, None, closed="left"), None],
    "learning_rate": [Interval(Real, 0, 1, closed="right")],
    "warmup": _SHARE,
    "decay": _SHARE,
    "sparsity": [Interval(Real, 0, None, closed="left"), None],
    "resample": _SHARE,
    "normalization": [StrOptions(set(NORMALIZATIONS)), None],
    "levels": [list, tuple],
    "precision": [StrOptions(set(PRECISIONS))],
    "compile": ["boolean"],
}


@dataclass(frozen=True)
class TrainingConfig:
    """How a sparse autoencoder is trained; None is filled in from the size of the corpus.

    Attributes
    ----------
    n_atoms : int, optional
        Size K of the dictionary.
    expansion : float, optional
        Atoms per embedding dimension, where `n_atoms` is not given.
    activation : {"topk", "batch_topk", "l1", "jumprelu"}
        What makes the code sparse.
    k : int, optional
        Active atoms per document, exact for "topk", on average for the others.
    n_steps, batch_size : int, optional
        Optimizer steps, and documents in each.
    anneal : float, optional
        Multiple of `k` to start from, falling to `k` over the first half of the steps. Above 1,
        training is slower and finds more of the true directions. Default: 5 for `n_atoms` of at
        most 64 and 1,000 steps or more; else 1.
    learning_rate : float
        Peak of Adam's rate, at most 1.
    warmup : float
        Share of the steps, at the start, over which rate and sparsity penalty rise.
    decay : float
        Share of the steps, at the end, over which the rate falls to 0.
    sparsity : float, optional
        Weight of the penalty of "l1" (on the summed activations) and "jumprelu" (on the number of
        active atoms); None: steered so that `k` atoms are active on average.
    resample : float
        Share of the steps, at the start, in which dead atoms are replaced.
    normalization : {"unit", "scale", "none"}, optional
        See :class:`SparseAutoencoder`; None is "unit", or "scale" where lengths of embeddings vary.
    levels : tuple of float
        Matryoshka: shares of the atoms whose prefixes must each reconstruct alone, ascending, the
        last 1.0 (Bussmann et al. 2025).
    precision : {"auto", "fp32", "bf16"}
        Of the dense products; "auto": bfloat16 where the hardware has it. Activations of "topk" and
        "batch_topk" on CPU are float32 always: bfloat16 scores only propose atoms.
    compile : bool
        Compile the training step with ``torch.compile`` (needs a compiler on the machine).
    """

    n_atoms: int | None = None
    expansion: float | None = None
    activation: str = "batch_topk"
    k: int | None = None
    n_steps: int | None = None
    batch_size: int | None = None
    anneal: float | None = None
    learning_rate: float = 5e-3
    warmup: float = 0.1
    decay: float = 0.8
    sparsity: float | None = None
    resample: float = 0.6
    normalization: str | None = None
    levels: tuple[float, ...] = (1.0,)
    precision: str = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        given = vars(self)
        for name, value in given.items():
            if isinstance(value, bool) and name != "compile":  # an int, for Python
                raise TypeError(f"{name} must not be {value}")
        validate_parameter_constraints(_CONSTRAINTS, given, caller_name="train_sae")
        for name in ("n_atoms", "k", "n_steps", "batch_size"):
            if given[name] is not None:  # NumPy's small integers could overflow
                object.__setattr__(self, name, int(given[name]))
        if self.sparsity is not None:  # torch takes no large int
            object.__setattr__(self, "sparsity", float(self.sparsity))
        levels = list(self.levels)
        if not levels or levels[-1] != 1 or sorted({0.0, *levels}) != [0.0, *levels]:
            raise ValueError(f"levels must rise from above 0 to 1.0; found {self.levels!r}")
        if self.n_atoms is not None and self.k is not None and self.k > self.n_atoms:
            raise ValueError(f"k must be at most n_atoms ({self.n_atoms}); found {self.k}")

    def resolve(self, n_documents: int, n_features: int) -> ResolvedConfig:
        """Fill in what is None from the size of the corpus."""
        n_atoms = self.n_atoms
        if n_atoms is None and self.expansion is not None:
            n_atoms = max(1, round(self.expansion * n_features))
        if n_atoms is None:
            by_size = 2 ** round(0.7 * math.log2(n_documents))
            n_atoms = max(1, min(n_documents // 2, max(2048, by_size), 4096))
            n_atoms = max(n_atoms, self.k or 1)
        few = self.n_atoms is not None and n_atoms <= _FEW_ATOMS
        k = self.k or max(1, min(n_atoms // 16, 16 if n_atoms >= 4096 else 8))
        if few and self.k is None:
            k = min(n_atoms, max(k, 3))
        by_size = next(size for fewer, size in _BATCHES if n_documents < fewer)
        batch_size = self.batch_size or min(n_documents, by_size)
        enough = 2000 if few else 600 if n_atoms < 2048 else 450
        n_steps = self.n_steps or max(enough, n_documents // batch_size)
        anneal = self.anneal or (5.0 if few and n_steps >= _TIME_TO_ANNEAL else 1.0)
        sizes = {"n_atoms": n_atoms, "k": k, "batch_size": batch_size, "n_steps": n_steps}
        return ResolvedConfig(**{**asdict(self), **sizes, "anneal": anneal})


@dataclass(frozen=True, kw_only=True)
class ResolvedConfig(TrainingConfig):
    """A configuration with all sizes filled in."""

    n_atoms: int
    k: int
    n_steps: int
    batch_size: int
    anneal: float

    def level_ends(self) -> list[int]:
        """Return the number of atoms in each nested prefix; one number unless Matryoshka."""
        return sorted({max(1, round(share * self.n_atoms)) for share in self.levels})

    def rate_at(self, step: int) -> float:
        """Return the learning rate of `step` (from 0), which rises, stays, and falls to 0."""
        rise = (step + 1) / max(1.0, self.warmup * self.n_steps)
        fall = (self.n_steps - step) / max(1.0, self.decay * self.n_steps)
        return self.learning_rate * min(1.0, rise, fall)

    def k_at(self, step: int) -> int:
        """Return the number of active atoms aimed at in `step`."""
        left = max(0.0, 1 - step / (0.5 * self.n_steps))
        return min(self.n_atoms, round(self.k * (1 + (self.anneal - 1) * left)))

    def sparsity_at(self, step: int) -> float:
        """Return the factor of the sparsity penalty at `step`."""
        return min(1.0, (step + 1) / max(1.0, self.warmup * self.n_steps))
