"""Wrong input to every stage: an error that names the argument, and nothing is changed."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from saetm_plugins import SAETopicModel, evaluation, train_sae
from saetm_plugins.emission import fit_emissions, fit_emissions_blocks, infer_doc_atoms

N_TOPICS = 5
HALF = "a\ud800"  # half of a surrogate pair, which no file can hold
TOPICS = [["a", "b", "c"], ["d", "e", "f"]]
VECTORS = {word: np.eye(6)[place] for place, word in enumerate("abcdef")}


@pytest.fixture(scope="module")
def sae(corpus):
    return train_sae(corpus.embeddings, n_atoms=32, k=3, n_steps=100)


@pytest.fixture
def model(corpus, sae):
    return SAETopicModel(N_TOPICS, sae=sae).fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture(scope="module")
def counted():
    rng = np.random.default_rng(0)
    theta = rng.dirichlet(np.full(6, 0.3), size=60).astype(np.float32)
    return theta, rng.poisson(0.5, size=(60, 20)).astype(np.float32)


def refused(error, name, act):
    with pytest.raises(error, match=name) as raised:
        act()
    assert type(raised.value) in (ValueError, TypeError), "an error from inside a library"


@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        *[("device", value, TypeError) for value in (None, 3.5, [])],
        ("device", "meta", ValueError),
        *[("random_state", value, ValueError) for value in ("x", -1, 1.5, True)],
        *[("merge", value, ValueError) for value in (3, [], np.array(["nmf", "kmeans"]))],
        *[("vectorizer", value, TypeError) for value in (3, CountVectorizer, HashingVectorizer())],
        *[("seed_topics", value, TypeError) for value in ({"a": None}, {"a": [3]}, {None: ["x"]})],
        ("seed_topics", {HALF: ["x"]}, ValueError),
        ("word_vectors", None, TypeError),
        ("solver", None, ValueError),
    ],
)
def test_a_wrong_parameter_is_named_before_the_work(corpus, sae, parameter, value, error):
    model = SAETopicModel(N_TOPICS, sae=sae, **{parameter: value})
    before = dict(vars(model))
    refused(error, parameter, lambda: model.fit(corpus.documents, embeddings=corpus.embeddings))
    assert vars(model) == before


@pytest.mark.parametrize("value", [None, "a", 1.0, [None, 1.0]])
def test_word_vectors_that_are_none_are_named(corpus, sae, value):
    words = dict.fromkeys(" ".join(corpus.documents).split(), value)
    model = SAETopicModel(N_TOPICS, sae=sae, word_vectors=words)
    refused(
        ValueError,
        "word_vectors",
        lambda: model.fit(corpus.documents, embeddings=corpus.embeddings),
    )


@pytest.mark.parametrize(
    ("documents", "error"),
    [
        (lambda texts: set(texts), TypeError),
        (lambda texts: frozenset(texts), TypeError),
        (lambda texts: dict.fromkeys(texts), TypeError),
        (lambda texts: 5, TypeError),
        (lambda texts: [text.encode() for text in texts], TypeError),
        (lambda texts: [HALF, *texts[1:]], ValueError),
    ],
    ids=["set", "frozenset", "dict", "int", "bytes", "surrogate"],
)
def test_documents_that_are_no_list_of_texts_are_named(corpus, model, documents, error):
    given = documents(corpus.documents)
    for act in (model.fit, model.partial_fit, model.transform):
        refused(error, "documents", lambda act=act: act(given, embeddings=corpus.embeddings))


@pytest.mark.parametrize(
    "embeddings",
    [
        lambda rows: np.ma.masked_equal(rows, rows[0, 0]),
        lambda rows: [np.ma.masked_equal(row, row[0]) for row in rows],
        lambda rows: torch.tensor(rows, device="meta"),
        lambda rows: np.where(np.arange(len(rows))[:, None] == 3, np.float32(1e30), rows),
        lambda rows: np.zeros(rows.shape, dtype="M8[s]"),
        lambda rows: np.zeros(rows.shape, dtype="m8[s]"),
        lambda rows: np.full(rows.shape, "1.5"),
        lambda rows: np.zeros(rows.shape, dtype="V4"),
        lambda rows: [None] * len(rows),
    ],
    ids=["masked", "rows masked", "meta", "1e30", "dates", "spans", "text", "void", "None"],
)
def test_embeddings_that_are_none_are_named(corpus, sae, model, embeddings):
    given = embeddings(corpus.embeddings)
    for act in (model.fit, model.partial_fit, model.transform):
        refused(ValueError, "embeddings", lambda act=act: act(None, embeddings=given))
    for act in (train_sae, sae.transform, sae.reconstruct):
        refused(ValueError, "embeddings", lambda act=act: act(given))


def test_tensors_that_require_grad_are_taken(corpus, sae, model):
    rows = torch.tensor(corpus.embeddings, requires_grad=True)
    np.testing.assert_array_equal(model.transform(None, rows), model.doc_topics_)
    mixed = [corpus.embeddings[0], rows[1]]
    np.testing.assert_array_equal(model.transform(None, mixed), model.doc_topics_[:2])
    assert np.isfinite(sae.reconstruct(rows)).all()


@pytest.mark.parametrize("scale", [1e-30, 1e17])
def test_what_can_be_reconstructed_is_finite(corpus, sae, scale):
    assert np.isfinite(sae.reconstruct(corpus.embeddings * np.float32(scale))).all()


@pytest.mark.parametrize(
    ("setting", "value", "error"),
    [
        ("learning_rate", 1e30, ValueError),
        ("learning_rate", float("nan"), ValueError),
        ("n_atoms", 10**12, ValueError),
        ("n_atoms", 2**70, ValueError),
        ("batch_size", 10**12, ValueError),
        ("warmup", True, TypeError),
        ("data_name", 3, TypeError),
        ("encoder_name", b"x", TypeError),
        ("checkpoint_dir", 3, TypeError),
    ],
)
def test_a_wrong_setting_of_training_is_named(corpus, setting, value, error):
    settings = {"n_atoms": 16, "n_steps": 20, setting: value}
    refused(error, setting, lambda: train_sae(corpus.embeddings, **settings))


@pytest.mark.parametrize(
    ("classes", "error"),
    [([None] * 400, ValueError), (5, ValueError), ([[1, 2]] * 400, ValueError)],
)
def test_classes_that_are_none_are_named(corpus, model, classes, error):
    refused(
        error,
        "classes",
        lambda: model.fit(corpus.documents, embeddings=corpus.embeddings, classes=classes),
    )


@pytest.mark.parametrize(
    ("bow", "vocabulary", "error", "name"),
    [
        (np.ones((400, 2)) * 1j, ["a", "b"], ValueError, "bow"),
        (np.ma.masked_equal(np.eye(400, 2), 0), ["a", "b"], ValueError, "bow"),
        (np.full((400, 2), 1e300), ["a", "b"], ValueError, "bow"),
        (np.full((400, 2), 1e38), ["a", "b"], ValueError, "bow"),
        ("x", ["a"], ValueError, "bow"),
        (np.ones((400, 2)), [1, 2], TypeError, "vocabulary"),
        (np.ones((400, 2)), [None, "b"], TypeError, "vocabulary"),
        (np.ones((400, 2)), [["a"], ["b"]], TypeError, "vocabulary"),
        (np.ones((400, 2)), 5, TypeError, "vocabulary"),
        (np.ones((400, 2)), [HALF, "b"], ValueError, "vocabulary"),
    ],
)
def test_counts_that_are_none_are_named(corpus, model, bow, vocabulary, error, name):
    refused(
        error,
        name,
        lambda: model.fit(None, embeddings=corpus.embeddings, bow=bow, vocabulary=vocabulary),
    )


def damaged(kind, shape=(400, 2)):
    """Return a sparse matrix of which one index was changed to lie outside of it."""
    matrix = sp.random(*shape, density=0.5, format=kind, random_state=0, dtype=np.float32)
    (matrix.indices if hasattr(matrix, "indices") else matrix.col)[3] = 10**6
    return matrix


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_no_compiled_loop_sees_an_index_out_of_range(corpus, model, counted, kind):
    theta, bow = counted
    wide = damaged(kind, bow.shape)
    emissions = fit_emissions(theta, bow)
    refused(ValueError, "bow", lambda: fit_emissions(theta, wide))
    refused(ValueError, "doc_atoms", lambda: fit_emissions(damaged(kind, theta.shape), bow))
    refused(ValueError, "bow", lambda: infer_doc_atoms(wide, emissions))
    refused(ValueError, "doc_atoms", lambda: model.topics_of(damaged(kind, (400, 32))))
    texts = corpus.documents
    refused(
        ValueError,
        "doc_atoms",
        lambda: model.partial_fit(texts, doc_atoms=damaged(kind, (400, 32))),
    )
    refused(
        ValueError,
        "bow",
        lambda: model.fit(
            None, embeddings=corpus.embeddings, bow=damaged(kind), vocabulary=["a", "b"]
        ),
    )


def test_labels_that_no_file_can_hold_are_named(model):
    refused(ValueError, "topic_labels", lambda: model.set_topic_labels({0: HALF}))


@pytest.mark.parametrize("decay", [np.inf, np.nan, -1, None, "1", 1e300, True])
def test_a_wrong_decay_changes_nothing(corpus, model, decay):
    before = dict(vars(model))
    refused(
        ValueError,
        "decay",
        lambda: model.partial_fit(corpus.documents, embeddings=corpus.embeddings, decay=decay),
    )
    assert all(before[key] is value for key, value in vars(model).items())


def test_a_decay_that_makes_too_many_documents_is_named(corpus, model):
    def fit_on():
        for _ in range(3):
            model.partial_fit(corpus.documents, embeddings=corpus.embeddings, decay=1e6)

    refused(ValueError, "decay", fit_on)
    assert np.isfinite(model.components_).all()


@pytest.mark.parametrize("decay", [1.0, 0.5, 0.0])
def test_a_batch_of_one_document_keeps_the_invariants_of_edited_topics(corpus, model, decay):
    model.merge_topics([0, 1]).drop_atoms(np.argsort(-model.atom_prevalence_)[:2])
    model.partial_fit(corpus.documents[:1], embeddings=corpus.embeddings[:1], decay=decay)
    assert (model.topic_prevalence_ >= 0).all()
    assert model.topic_prevalence_.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(model.components_.sum(axis=1), 1, atol=1e-4)


def test_the_vectorizer_is_as_it_was_after_a_call_that_raises(corpus, model):
    words, fitted = dict(model.vectorizer_.vocabulary_), model.vectorizer_
    calls = (
        lambda: model.partial_fit(["new words"], embeddings=corpus.embeddings[:1], decay=np.inf),
        lambda: model.retopic(33),
        lambda: model.fit(["new words"] * 3, embeddings=corpus.embeddings[:2]),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"decay|n_topics|embeddings"):
            call()
    assert model.vectorizer_ is fitted
    assert fitted.vocabulary_ == words
    again = SAETopicModel(N_TOPICS, sae=model.sae_).fit(
        corpus.documents, embeddings=corpus.embeddings
    )
    np.testing.assert_array_equal(model.retopic(4).components_, again.retopic(4).components_)


def test_batches_after_adam_are_one_fit_of_all(corpus, sae):
    vectorizer = CountVectorizer(vocabulary=sorted(set(" ".join(corpus.documents).split())))
    made = [
        SAETopicModel(N_TOPICS, sae=sae, solver="adam", emission_n_iter=5, vectorizer=vectorizer)
        for _ in range(2)
    ]
    made[0].fit(corpus.documents, embeddings=corpus.embeddings)
    made[1].fit(corpus.documents[:200], embeddings=corpus.embeddings[:200])
    made[1].partial_fit(corpus.documents[200:], embeddings=corpus.embeddings[200:])
    np.testing.assert_allclose(made[0].atom_words_, made[1].atom_words_, atol=1e-5)


@pytest.mark.parametrize("solver", ["em", "adam"])
@pytest.mark.parametrize(
    "change",
    [
        lambda theta, bow: (theta, bow * (np.arange(20) > 4)),
        lambda theta, bow: (theta * 0, bow),
        lambda theta, bow: (theta * (np.arange(60) > 4)[:, None] * (np.arange(6) != 2), bow),
        lambda theta, bow: (theta, bow * np.float32(1e-12)),
        lambda theta, bow: (theta, bow * np.float32(1e-29)),
        lambda theta, bow: (theta, bow * np.float32(1e10)),
        lambda theta, bow: (theta[:1], bow[:1]),
    ],
    ids=["unused words", "no atoms", "some without atoms", "tiny", "tinier", "large", "one"],
)
@pytest.mark.parametrize("background_weight", [0, 0.3, 0.9999999])
def test_words_are_probabilities_whatever_the_counts(counted, solver, change, background_weight):
    theta, bow = change(*counted)
    found = fit_emissions(
        theta.astype(np.float32),
        bow.astype(np.float32),
        solver=solver,
        background_weight=background_weight,
        n_iter=6,
    )
    for words in (found.atom_words, found.background[None]):
        assert (words >= 0).all()
        np.testing.assert_allclose(words.sum(axis=1), 1, atol=1e-5)
    assert np.isfinite(found.log_likelihood_).all()
    assert found.background_mass >= 0
    assert (found.atom_mass >= 0).all()
    if solver == "em":
        rounding = 1e-6 if bow.max() >= 1 else 1e-3  # of the prior, over almost no words
        assert (np.diff(found.log_likelihood_) > -rounding).all()


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"prior": 1e300}, ValueError, "prior"),
        ({"prior": "x"}, ValueError, "prior"),
        ({"word_weights": np.full(20, 3e38)}, ValueError, "word_weights"),
        ({"word_weights": ["a"] * 20}, ValueError, "word_weights"),
        ({"random_state": "x"}, ValueError, "random_state"),
        ({"device": None}, TypeError, "device"),
        ({"background_weight": 1}, ValueError, "background_weight"),
        ({"solver": "adam", "tol": np.nan}, ValueError, "tol"),
    ],
)
def test_a_wrong_option_of_the_emissions_is_named(counted, options, error, name):
    refused(error, name, lambda: fit_emissions(*counted, **options))


@pytest.mark.parametrize("blocks", [None, 5, [5], ["ab"]])
def test_blocks_that_are_no_pairs_are_named(blocks):
    with pytest.raises((TypeError, ValueError), match=r"blocks|bow|doc_atoms"):
        fit_emissions_blocks(blocks)


@pytest.mark.parametrize(
    "options", [{"prevalence": np.zeros(6)}, {"prevalence": "x"}, {"prior": 1e300}]
)
def test_a_prior_that_is_none_is_named_and_crashes_nothing(counted, options):
    emissions = fit_emissions(*counted)
    refused(
        ValueError, next(iter(options)), lambda: infer_doc_atoms(counted[1], emissions, **options)
    )


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1, 1e11])
@pytest.mark.parametrize("prevalence", [None, np.full(6, 1e308), np.full(6, 1e-320)])
def test_inferred_mixtures_sum_to_one_whatever_the_counts(counted, scale, prevalence):
    emissions = fit_emissions(*counted)
    found = infer_doc_atoms(counted[1] * np.float32(scale), emissions, prevalence, prior=0.0)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-4)


def test_the_kernel_of_inference_stays_within_bounds_of_what_is_not_a_number():
    from saetm_plugins.emission.inference_kernels import strongest

    places = np.full(4, -(2**31), dtype=np.int32)
    strongest(np.full(6, np.nan, dtype=np.float32), places)
    assert ((places >= 0) & (places < 6)).all()


METRICS = {
    "labels": lambda: evaluation.coverage([]),
    "labels must be numbers": lambda: evaluation.coverage(["a"]),
    r"labels\[0\] is None": lambda: evaluation.coverage([None]),
    "labels must hold one value per document": lambda: evaluation.coverage(None),
    "labels must hold one": lambda: evaluation.coverage([[0, 1]]),
    "classes must hold one": lambda: evaluation.normalized_mutual_information([], []),
    r"classes\[0\] is None": lambda: evaluation.normalized_mutual_information([None, 1], [1, 2]),
    "classes has 1 entries": lambda: evaluation.normalized_mutual_information([1], [1, 2]),
    "classes must": lambda: evaluation.purity(None, None),
    r"classes\[0\] is nan": lambda: evaluation.purity([np.nan, 1], [0, 0]),
    "classes must hold one value": lambda: evaluation.purity([], []),
    "doc_topics must be 2-D": lambda: evaluation.classification_f1(None, None),
    "doc_topics is empty": lambda: evaluation.classification_f1(np.zeros((0, 2)), []),
    r"classes\[1\] is None": lambda: evaluation.classification_f1(np.eye(10), [1, None] * 5),
    "classes holds 1 alone": lambda: evaluation.classification_f1(np.eye(10), [1] * 10),
    "n_folds": lambda: evaluation.classification_f1(np.eye(10), [1, 2] * 5, n_folds="a"),
    "topic_words is empty": lambda: evaluation.topic_significance(np.ones((0, 3)), np.ones((4, 0))),
    "topic_words is": lambda: evaluation.topic_significance(np.ones((2, 0)), np.ones((4, 2))),
    "doc_topics is emp": lambda: evaluation.topic_significance(np.ones((2, 3)), np.ones((0, 2))),
    "topic_words must be 2-D": lambda: evaluation.topic_significance(None, None),
    "topic_words must hold real": lambda: evaluation.topic_significance([["a"]], [["b"]]),
    "topics must hold lists": lambda: evaluation.topic_diversity(None),
    r"topics\[0\] must hold words; found None": lambda: evaluation.topic_diversity([None]),
    r"topics\[0\] must hold words": lambda: evaluation.topic_diversity([[None] * 10]),
    "topics must hold at least 1": lambda: evaluation.topic_diversity([]),
    "texts must hold lists": lambda: evaluation.topic_coherence(TOPICS, None, n_words=3),
    r"texts\[0\] must hold tokens": lambda: evaluation.topic_coherence(TOPICS, [None], n_words=3),
    r"texts\[0\] must": lambda: evaluation.topic_coherence(TOPICS, ["abcdef"], n_words=3),
    "n_words": lambda: evaluation.topic_coherence([["a"]], [["a"]], n_words=1),
    "n_jobs": lambda: evaluation.topic_coherence(TOPICS, [list("abcdef")], n_words=3, n_jobs="x"),
    "word_vectors must": lambda: evaluation.embedding_intruder_accuracy(TOPICS, None, n_words=3),
    "word_vectors must be": lambda: evaluation.wmd_diversity(TOPICS, 5, n_words=3),
    r"word_vectors\['a'\] is no vector": lambda: evaluation.wmd_diversity(
        TOPICS, dict.fromkeys("abcdef"), n_words=3
    ),
    r"word_vectors\['a'\] is no vector of finite": lambda: evaluation.wmd_diversity(
        TOPICS, {word: vector * np.nan for word, vector in VECTORS.items()}, n_words=3
    ),
    "word_vectors holds vectors of different": lambda: evaluation.wmd_diversity(
        TOPICS, {word: np.ones(place + 1) for place, word in enumerate("abcdef")}, n_words=3
    ),
    "random_state": lambda: evaluation.embedding_intruder_accuracy(
        TOPICS, VECTORS, n_words=3, random_state="x"
    ),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_of_nothing_is_refused(name):
    refused((ValueError, TypeError), name, METRICS[name])


def test_significance_of_the_smallest_and_largest_numbers_is_finite():
    for scale in (1e308, 1e-320):
        found = evaluation.topic_significance(np.eye(2, 3) * scale, np.eye(4, 2) * scale)
        assert np.isfinite(np.concatenate(found)).all()


@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        ("outlier_threshold", "x", ValueError),
        ("outlier_threshold", True, ValueError),
        ("outlier_threshold", np.nan, ValueError),
        ("target_weight", [1], ValueError),
        ("n_topics", True, TypeError),
    ],
)
def test_a_wrong_parameter_of_the_clusterer_is_named(corpus, sae, parameter, value, error):
    clusterer = pytest.importorskip("saetm_plugins.bertopic").SAEClusterer
    made = clusterer(**{"n_topics": N_TOPICS, "sae": sae, parameter: value})
    refused(error, parameter, lambda: made.fit(corpus.embeddings, corpus.themes))
    refused(ValueError, "y", lambda: clusterer(5, sae=sae).fit(corpus.embeddings, [None] * 400))


def test_the_clusterer_takes_tensors_and_no_masks(corpus, sae):
    made = pytest.importorskip("saetm_plugins.bertopic").SAEClusterer(N_TOPICS, sae=sae)
    masked = np.ma.masked_equal(corpus.embeddings, corpus.embeddings[0, 0])
    refused(ValueError, "X is a masked array", lambda: made.fit(masked))
    made.fit(torch.tensor(corpus.embeddings, requires_grad=True))
    np.testing.assert_array_equal(made.labels_, made.predict(torch.tensor(corpus.embeddings)))
    refused(ValueError, "X is a masked array", lambda: made.predict(masked))
    refused(ValueError, "'meta'", lambda: made.predict(torch.zeros(2, 24, device="meta")))
