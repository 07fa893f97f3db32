"""Sums over documents are right beyond 2**24, where those of float32 stop growing."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from saetm_plugins.analysis.names.by_phrases import _presence
from saetm_plugins.assignments import assign_documents
from saetm_plugins.corpus.classes import one_hot_classes
from saetm_plugins.corpus_sums import damp_counts, sum_documents
from saetm_plugins.emission import fit_emissions
from saetm_plugins.emission.inputs import Corpus
from saetm_plugins.emission.kernels import gather_word
from saetm_plugins.emission.passes import choose_passes, hold_out
from saetm_plugins.emission.torch_em import TorchEM
from saetm_plugins.merging.labels import find_label_targets
from saetm_plugins.numerics.arrays import column_sums
from saetm_plugins.topics import Topics

LARGE, MANY = 2.0**24, 2**18
TOTAL = LARGE + MANY  # float32 would stay at LARGE, 1.5 % below


@pytest.fixture(scope="module")
def column():
    """One large value, which stands for many documents, and many small ones."""
    values = np.ones(MANY + 1, dtype=np.float32)
    values[0] = LARGE
    return values


@pytest.fixture(scope="module")
def documents(column):
    """The column in the first of two atoms or words; the second has a last document to itself."""
    columns = np.zeros(len(column) + 1, dtype=np.int32)
    columns[-1] = 1
    values = np.append(column, np.float32(LARGE))
    return sp.csr_matrix((values, columns, np.arange(len(columns) + 1)), (len(columns), 2))


@pytest.mark.parametrize("layout", ["csr", "csc"])
def test_sums_of_columns(documents, layout):
    np.testing.assert_array_equal(column_sums(documents.asformat(layout)), [TOTAL, LARGE])


def test_mass_of_atoms(documents):
    theta = sp.csr_matrix((1, 2), dtype=np.float32)
    sums = sum_documents(theta, None, None, 3, mixtures=documents)
    np.testing.assert_array_equal(sums.atom_mass, [TOTAL, LARGE])


def test_mass_of_classes(documents):
    classes = one_hot_classes(["a"] * (MANY + 1) + ["b"], MANY + 2).codes
    mass = (documents.T @ classes).toarray()
    np.testing.assert_array_equal(mass, [[TOTAL, 0], [0, LARGE]])


def test_counts_of_a_word_in_the_loop(column):
    n = len(column)
    docs, atoms = np.arange(n, dtype=np.int32), np.zeros(n, dtype=np.int32)
    responses, probs, one = np.zeros(1), np.empty(n, np.float32), np.ones(1, np.float32)
    total = gather_word(
        0, n, docs, column, np.arange(n + 1), atoms, np.ones(n, np.float32), one,
        np.float32(0), responses, probs
    )  # fmt: skip
    assert total == responses[0] == TOTAL


def test_statistics_of_a_pass_in_torch():
    em = TorchEM(np.ones(1), 1, 0.5, 0.0, torch.device("cpu"))
    ones = np.ones((3, 1), dtype=np.float32)
    for sums in (em._responses, em._ratios):
        sums[:] = LARGE
    em._gather(em.load(Corpus(sp.csr_matrix(ones), sp.csc_matrix(ones))))
    assert [float(sums.ravel()[0]) for sums in (em._responses, em._ratios)] == [LARGE + 3] * 2


def test_totals_of_the_words_that_choose_the_passes():
    bow = sp.csc_matrix(np.array([LARGE, *[1] * 61], dtype=np.float32)[:, None])
    seen, _ = hold_out(bow, np.random.default_rng(0))
    assert seen.max() == LARGE
    totals = []

    class Stop(Exception):
        pass

    def start(word_totals):
        totals.append(word_totals)
        raise Stop

    with pytest.raises(Stop):
        choose_passes(start, Corpus(sp.csr_matrix(np.ones((62, 1))), bow), 0.0, 0)
    assert totals[0] == seen.toarray().sum(dtype=np.float64)


def test_mass_of_atoms_by_adam(column):
    counts = sp.csr_matrix(column[:, None][:4000])
    theta = sp.csr_matrix(np.ones((4000, 1)))
    mass = fit_emissions(theta, counts, solver="adam", n_iter=1, background_weight=0.0).atom_mass
    assert mass[0] == fit_emissions(theta, counts, n_iter=1).word_totals[0] == LARGE + 3999


def test_atoms_follow_their_documents(documents):
    theta = sp.csr_matrix(documents[:, [0]] + documents[:, [1]])
    atoms = SimpleNamespace(n_atoms=1, keywords=None, vocabulary=None, prevalence=np.ones(1))
    labels = np.zeros(MANY + 2, dtype=int)
    labels[-1] = 1
    one = Topics(sp.csr_matrix(np.ones((1, 1), np.float32)), None, np.ones(1, np.float32), (None,))
    weights = assign_documents(atoms, one, theta, labels).atom_topics.toarray()
    np.testing.assert_allclose(weights[0], np.array([TOTAL, LARGE]) / (TOTAL + LARGE), rtol=1e-6)


def test_words_and_centroids_of_bertopics_topics(documents):
    from saetm_plugins.bertopic.representation import _sum_groups
    from saetm_plugins.bertopic.tables import sum_by_topic, topic_centroids

    labels = np.zeros(MANY + 2, dtype=int)
    expected = [[TOTAL, LARGE]]
    np.testing.assert_array_equal(_sum_groups(documents, labels), expected)
    np.testing.assert_array_equal(sum_by_topic(labels, documents, 1).toarray(), expected)
    model = SimpleNamespace(
        atom_topics_=sp.csr_matrix(np.ones((2, 1))),
        atom_prevalence_=np.full(2, 0.5),
        doc_atoms_=documents,
        labels_=labels - 1,
        atoms_=SimpleNamespace(centroids=np.eye(2)),
    )
    centroids = topic_centroids(model, True)
    np.testing.assert_allclose(centroids[0], np.array(expected[0]) / sum(expected[0]), rtol=1e-6)


def test_means_of_embeddings(column):
    counts = sp.csr_matrix(np.ones((len(column), 1), dtype=np.float32))
    embeddings = np.column_stack([column, column])
    targets = find_label_targets({"a": ["word"]}, np.array(["word"]), counts, embeddings, None)
    np.testing.assert_allclose(targets.vectors, TOTAL / len(column), rtol=1e-6)


def test_documents_that_hold_a_phrase(documents):
    presence = _presence(documents, np.zeros(MANY + 2, dtype=int), 1)
    np.testing.assert_allclose(presence * (MANY + 2), [[TOTAL, LARGE]])


def test_expected_words_for_gensim(monkeypatch):
    from saetm_plugins.gensim import documents

    steps = [LARGE, *[1.0] * 64]
    model = SimpleNamespace(
        _check_trained=lambda: None,
        num_topics=1,
        word_columns=SimpleNamespace(n_words=1, spread=lambda sums: sums),
        chunksize=1,
        _infer=lambda step: (step, None, np.zeros((1, 1), np.float32)),
        _topics_of_words=lambda step, _: [([0], np.full((1, 1), step, np.float32))],
    )
    monkeypatch.setattr(documents, "blocks_beside", lambda *_: [(step,) for step in steps])
    _, sums = documents.TopicsOfDocuments.inference(model, [], collect_sstats=True)
    assert sums[0, 0] == sum(steps)


def test_a_document_has_the_say_of_a_page():
    rng = np.random.default_rng(0)
    counts = sp.csr_matrix(
        np.vstack([np.ones(3000), rng.integers(0, 2, 3000) * (np.arange(3000) < 300)])
    )
    damped = counts.astype(np.float64)
    damp_counts(damped)
    assert damped[0].sum() == pytest.approx(200)
    np.testing.assert_array_equal(damped[1].toarray(), counts[1].toarray())
