import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins.merging import AtomViews

N_THEMES = 6
ATOMS_PER_THEME = 8
WORDS_PER_THEME = 15


@pytest.fixture(scope="session")
def planted() -> tuple[AtomViews, np.ndarray]:
    """Atoms of six themes, by vectors and by keywords, and their themes; the last two are dead."""
    rng = np.random.default_rng(0)
    themes = np.repeat(np.arange(N_THEMES), ATOMS_PER_THEME)
    n_atoms, n_words = len(themes), N_THEMES * WORDS_PER_THEME
    centres = rng.normal(size=(N_THEMES, 16))
    vectors = centres[themes] + 0.3 * rng.normal(size=(n_atoms, 16))
    own = np.arange(n_words) // WORDS_PER_THEME == themes[:, None]
    keywords = rng.gamma(2.0, size=own.shape) * (own + 0.1 * (rng.random(own.shape) < 0.1))
    word_vectors = centres[np.arange(n_words) // WORDS_PER_THEME] + rng.normal(size=(n_words, 16))
    prevalence = rng.gamma(1.0, size=n_atoms) + 0.1
    prevalence[-2:] = 0
    keywords[-2:] = 0
    views = AtomViews(
        prevalence / prevalence.sum(),
        vectors.astype(np.float32),
        sp.csr_matrix(keywords.astype(np.float32)),
        word_vectors.astype(np.float32),
    )
    return views, themes
