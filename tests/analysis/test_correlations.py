"""Which topics occur together, counted by hand and beside scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from saetm_plugins.analysis import topic_correlations


@pytest.fixture(scope="module")
def mixtures():
    """Topics 0 and 1 in the same documents, 2 in the others, 3 by chance, 4 everywhere."""
    rng = np.random.default_rng(0)
    shares = np.zeros((600, 5), dtype=np.float32)
    together = rng.random(600) < 0.3
    shares[:, 0] = together & (rng.random(600) < 0.9)
    shares[:, 1] = together & (rng.random(600) < 0.9)
    shares[:, 2] = ~together
    shares[:, 3] = rng.random(600) < 0.5
    shares[:, 4] = 1
    return shares / shares.sum(axis=1, keepdims=True)


def test_counts_npmi_and_phi(fitted, mixtures):
    table = topic_correlations(fitted, doc_topics=mixtures, threshold=0.05)
    assert " ".join(table) == (
        "topic_a topic_b words_a words_b documents_a documents_b documents_both npmi phi"
    )
    assert len(table) == 10
    present = mixtures > 0.05
    for row in table.itertuples():
        a, b = present[:, row.topic_a], present[:, row.topic_b]
        assert row.documents_both == (a & b).sum()
        assert row.phi == pytest.approx(matthews_corrcoef(a, b))
        joint = (a & b).mean()
        if joint == 0:
            assert row.npmi == -1
        else:
            expected = np.log(joint / (a.mean() * b.mean())) / -np.log(joint)
            assert row.npmi == pytest.approx(expected, abs=1e-12)
    assert (table["topic_a"][0], table["topic_b"][0]) == (0, 1)
    assert table["npmi"][0] > 0.7
    by_pair = table.set_index(["topic_a", "topic_b"])
    assert by_pair.loc[(0, 2), "npmi"] == -1
    assert abs(by_pair.loc[(0, 3), "phi"]) < 0.1
    assert by_pair.loc[(3, 4), "phi"] == 0


def test_atoms_that_meet_are_listed(fitted, active_atoms):
    table = topic_correlations(fitted, level="atoms", min_documents=15)
    assert list(table)[:2] == ["atom_a", "atom_b"]
    active = active_atoms(fitted)
    both = active.T.astype(int) @ active
    pairs = np.argwhere(np.triu(both, k=1) >= 15)
    assert sorted(zip(table["atom_a"], table["atom_b"], strict=True)) == list(map(tuple, pairs))
    assert (table["atom_a"] < table["atom_b"]).all()


def test_rare_topics_are_left_out(fitted, mixtures):
    rare = mixtures.copy()
    rare[5:, 3] = 0
    table = topic_correlations(fitted, doc_topics=rare, threshold=0.05)
    assert 3 not in set(table["topic_a"]) | set(table["topic_b"])
    assert topic_correlations(fitted, doc_topics=rare, threshold=0.99).empty
