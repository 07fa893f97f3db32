import numpy as np
import pytest

from saetm_plugins.emission import BlockFolder, fit_emissions, fit_emissions_blocks


def in_blocks(theta, bow, size=70):
    return [(theta[i : i + size], bow[i : i + size]) for i in range(0, theta.shape[0], size)]


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_blocks_from_disk_equal_the_corpus_in_memory(corpus, tmp_path, backend):
    folder = BlockFolder(tmp_path / "blocks")
    for block in in_blocks(*corpus):
        folder.append(*block)
    assert len(BlockFolder(tmp_path / "blocks")) == 5
    whole = fit_emissions(*corpus, n_iter=6)
    streamed = fit_emissions_blocks(folder, n_iter=6, backend=backend, device="cpu")
    np.testing.assert_allclose(streamed.atom_words, whole.atom_words, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(streamed.log_likelihood_, whole.log_likelihood_, atol=1e-5)
    np.testing.assert_allclose(streamed.word_totals, whole.word_totals)
    np.testing.assert_allclose(streamed.atom_mass, whole.atom_mass, rtol=1e-3)


def test_blocks_may_come_from_a_function_and_stop_by_themselves(corpus):
    em = fit_emissions_blocks(lambda: iter(in_blocks(*corpus)), tol=1e-2)
    assert 1 < em.n_iter_ < 50
    gains = np.diff(em.log_likelihood_)
    assert gains[-1] < 1e-2 <= gains[:-1].min()


def test_bad_blocks_are_named(corpus, tmp_path):
    theta, bow = corpus
    with pytest.raises(TypeError, match="blocks can be read only once"):
        fit_emissions_blocks(iter(in_blocks(*corpus)))
    with pytest.raises(ValueError, match="blocks is empty"):
        fit_emissions_blocks([])
    with pytest.raises(ValueError, match="bow has 79 words"):
        fit_emissions_blocks([(theta, bow), (theta, bow[:, 1:])])
    with pytest.raises(ValueError, match="doc_atoms has 11 atoms"):
        fit_emissions_blocks([(theta, bow), (theta[:, 1:], bow)])
    folder = BlockFolder(tmp_path)
    with pytest.raises(ValueError, match="doc_atoms has 299 documents"):
        folder.append(theta[1:], bow)
    assert len(folder) == 0
    folder.append(theta, bow)
    (tmp_path / "block-000000.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    with pytest.raises(ValueError, match=r"block-000000\.safetensors"):
        fit_emissions_blocks(folder)
