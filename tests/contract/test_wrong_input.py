"""The common mistakes: each is an error that names the argument, and changes no fitted model.

A row is a call, the argument that is wrong, and its values.
"""

import copy
import inspect
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from saetm_plugins import SAETopicModel, analysis, evaluation, train_sae
from saetm_plugins.emission import fit_emissions, infer_doc_atoms

SURROGATE = "a\ud800"  # half of a surrogate pair, which no file can hold
N = 400
EYE = np.eye(3, dtype=np.float32)
WORDS = [list("abc"), list("def")]
VECTORS = {word: np.eye(6)[row] for row, word in enumerate("abcdef")}


@pytest.fixture(scope="module")
def made(corpus, sae, fitted):
    """A fitted model, and arguments that are legal."""
    rng = np.random.default_rng(0)
    theta = rng.dirichlet(np.full(6, 0.3), size=60).astype(np.float32)
    counts = rng.poisson(0.5, size=(60, 20)).astype(np.float32)
    return SimpleNamespace(
        sae=sae, model=fitted, texts=corpus.documents, rows=corpus.embeddings, theta=theta,
        counts=counts, emissions=fit_emissions(theta, counts),
        groups=["a" if theme > 2 else "b" for theme in corpus.themes],
    )  # fmt: skip


def fit(m, **wrong):
    """Fit, where parameters of the model are among what is wrong."""
    names = SAETopicModel().get_params().keys() & wrong.keys()
    parameters = {"sae": m.sae, **{name: wrong.pop(name) for name in names}}
    model = copy.copy(m.model).set_params(**parameters)
    return same(model, "fit", {"documents": m.texts, "embeddings": m.rows} | wrong)


def on_model(name, *legal):
    """Return a call of a method with arguments that are legal but for those that are wrong."""

    def call(m, **wrong):
        given = {"documents": m.texts, "embeddings": m.rows}
        return same(copy.copy(m.model), name, {key: given[key] for key in legal} | wrong)

    return call


def same(model, name, arguments):
    """Call a method; where it raises, the model must be as it was."""
    before = dict(vars(model))
    try:
        return getattr(model, name)(**arguments)
    except BaseException:
        after = vars(model)
        assert before.keys() == after.keys()
        assert all(before[key] is value for key, value in after.items())
        raise


def function(call, **legal):
    return lambda m, **wrong: call(**legal | wrong)


def analyze(name, **legal):
    return lambda m, **wrong: getattr(analysis, name)(m.model, **legal | wrong)


CALLS = {
    "fit": fit,
    "partial_fit": on_model("partial_fit", "documents", "embeddings"),
    "transform": on_model("transform", "documents", "embeddings"),
    "counts": lambda m, **wrong: same(copy.copy(m.model), "fit", {
        "embeddings": m.rows, "bow": np.ones((N, 2)), "vocabulary": ["a", "b"]} | wrong),
    **{name: on_model(name.split()[0]) for name in (
        "fit rows", "transform rows", "retopic", "merge_topics", "split_topic", "drop_atoms",
        "set_topic_labels", "get_topics", "document_table", "merge_models")},
    "train_sae": lambda m, **wrong: train_sae(
        **{"embeddings": m.rows, "n_atoms": 16, "n_steps": 20} | wrong),
    "encode": lambda m, embeddings: m.sae.transform(embeddings),
    "emissions": lambda m, **wrong: fit_emissions(
        **{"doc_atoms": m.theta, "bow": m.counts} | wrong),
    "infer": lambda m, **wrong: infer_doc_atoms(
        **{"bow": m.counts, "emissions": m.emissions} | wrong),
    "shares": lambda m, **wrong: analysis.topic_shares(m.model, **{"groups": m.groups} | wrong),
    "compare": lambda m, **wrong: analysis.compare_groups(
        m.model, **{"groups": m.groups, "a": "a"} | wrong),
    "trends": lambda m, **wrong: analysis.topic_trends(
        m.model, **{"times": list(range(N))} | wrong),
    "find": analyze("find_documents"),
    "explain": analyze("explain_document", document=0),
    "taxonomy_json": function(analysis.taxonomy_json),
    "coverage": function(evaluation.coverage),
    "nmi": function(evaluation.normalized_mutual_information, classes=[1, 2], labels=[1, 2]),
    "purity": function(evaluation.purity, classes=[1, 2], labels=[1, 2]),
    "f1": function(evaluation.classification_f1, doc_topics=np.eye(10), classes=[1, 2] * 5,
                   n_folds=2),
    "significance": function(evaluation.topic_significance, topic_words=EYE, doc_topics=EYE),
    "diversity": function(evaluation.topic_diversity),
    "coherence": function(evaluation.topic_coherence, topics=WORDS, texts=[list("abcdef")],
                          n_words=3),
    "wmd": function(evaluation.wmd_diversity, topics=WORDS, word_vectors=VECTORS, n_words=3),
    "intruders": function(evaluation.embedding_intruder_accuracy, topics=WORDS, n_words=3,
                          word_vectors=VECTORS),
}  # fmt: skip


def masked(array):
    return np.ma.masked_equal(array, np.ravel(array)[0])


ROWS = np.random.default_rng(0).normal(size=(N, 24)).astype(np.float32)
NO_TEXTS = [{"a", "b"}, {"a": 1}, 5, [], [b"a"] * N, [None] * N, [SURROGATE] * N,
            pd.DataFrame({"a": [1]})]  # fmt: skip
NO_ROWS = [masked(ROWS), torch.zeros(N, 24, device="meta"), np.where(ROWS > 3, np.nan, ROWS),
           ROWS * np.float32(1e30), [["a"]] * N, ROWS[0], ROWS[:0], sp.csr_matrix(ROWS),
           [None] * N, ROWS + 1j]  # fmt: skip
ROWS_OF_MISTAKES = [
    ("fit", "documents", NO_TEXTS), ("partial_fit", "documents", [*NO_TEXTS, None]),
    ("transform", "documents", NO_TEXTS), ("fit rows", "embeddings", NO_ROWS),
    ("transform rows", "embeddings", [*NO_ROWS, ROWS[:, :7]]),
    ("transform", "embeddings", [ROWS[:9]]), ("partial_fit", "embeddings", [ROWS[:9]]),
    ("train_sae", "embeddings", NO_ROWS), ("encode", "embeddings", NO_ROWS),
    ("fit", "n_topics", [0, -1, 2.5, "many", True, 10_000]),
    ("fit", "sae", ["magic", object(), "default"]), ("fit", "activation", ["magic"]),
    ("fit", "merge", [3, [], "unknown"]), ("fit", "solver", [None, "sgd"]),
    ("fit", "device", [None, 3.5, "meta"]), ("fit", "random_state", ["x", -1, 1.5]),
    ("fit", "sharpening", [200, -1, 0, np.nan, "2"]),
    ("fit", "vectorizer", [3, CountVectorizer, HashingVectorizer()]),
    ("fit", "seed_topics", [{"a": None}, {"a": [3]}, {SURROGATE: ["x"]}, 3]),
    ("fit", "word_vectors", [None, "magic", {"commona": None}, {"commona": "x"}]),
    ("fit", "classes", [[None] * N, 5, [[1, 2]] * N, ["a"] * 9]),
    ("fit", "languages", [[3] * N, ["en"]]),
    ("counts", "bow", [np.ones((N, 2)) * 1j, masked(np.eye(N, 2)), np.full((N, 2), 1e38),
                       -np.ones((N, 2)), np.ones((9, 2)), "x"]),
    ("counts", "vocabulary", [[1, 2], [None, "b"], [["a"], ["b"]], 5, ["a", "a"], ["a"],
                              [SURROGATE, "b"]]),
    ("partial_fit", "decay", [np.inf, np.nan, -1, None, "1", True]),
    ("retopic", "n_topics", [0, True, 2.0, 33, "x"]), ("get_topics", "language", [[], 3]),
    ("merge_topics", "topics_to_merge", [3, [1.0, 2], [[True, 2]], [[1, 99]], [[1, 2], [2, 3]]]),
    ("split_topic", "topic", [True, 1.0, 99]),
    ("drop_atoms", "atoms", [3, [1.0], [-1], [99]]),
    ("set_topic_labels", "topic_labels", [5, "abcde", {0: b"x"}, {0: 3}, {99: "x"}, ["x"],
                                          {0: SURROGATE}]),
    ("document_table", "ids", [["a"]]),
    ("merge_models", "models", [None, [], [3], EYE]),
    ("train_sae", "learning_rate", [np.nan, 1e30, "x"]),
    ("train_sae", "n_atoms", [0, 10**12, 2.5]), ("train_sae", "batch_size", [0, 10**12]),
    ("train_sae", "warmup", [True, 2.0]), ("train_sae", "checkpoint_dir", [3]),
    ("emissions", "word_weights", [masked([1.0] * 20), ["a"] * 20, np.full(20, 3e38)]),
    ("emissions", "prior", ["x", 1e300]), ("emissions", "background_weight", [1, "x"]),
    ("infer", "prevalence", [np.zeros(6), "x", masked(np.full(6, 0.1))]),
    ("infer", "prior", [1e300, -1]),
    ("shares", "groups", [None, 3, ["a"], [None] * N]), ("compare", "a", ["z", None]),
    ("trends", "times", [None, ["?"] * N, [1, 2]]),
    ("trends", "bins", [0, 2**31, "x"]),
    ("find", "atoms", [EYE, ["x"]]), ("find", "topic", [99, "x"]),
    ("explain", "document", [N, None]), ("taxonomy_json", "table", [None, [1]]),
    ("coverage", "labels", [[], ["a"], [None], None, [[0, 1]], masked([0, 1, 1])]),
    ("nmi", "classes", [[], [None, 1], [1], [[1, 2]]]),
    ("purity", "classes", [None, [np.nan, 1], [], masked([0, 1])]),
    ("f1", "doc_topics", [None, np.zeros((0, 2))]),
    ("f1", "classes", [[1, None] * 5, [1] * 10]), ("f1", "n_folds", ["a", 1]),
    ("significance", "topic_words", [None, [["a"]], np.ones((2, 0)), masked(EYE)]),
    ("significance", "doc_topics", [np.ones((0, 3)), EYE * 0]),
    ("diversity", "topics", [None, [None], [[None] * 10], []]),
    ("coherence", "texts", [None, [None], ["abcdef"], [["a", None]]]),
    ("coherence", "n_words", [1, "x"]),
    ("wmd", "word_vectors", [5, dict.fromkeys("abcdef"), {key: [np.nan, 1] for key in "abcdef"},
                             {word: np.ones(row + 1) for row, word in enumerate("abcdef")}]),
    ("intruders", "word_vectors", [None]), ("intruders", "random_state", ["x"]),
]  # fmt: skip
MISTAKES = [
    pytest.param(call, argument, value, id=f"{call}-{argument}-{number}")
    for call, argument, values in ROWS_OF_MISTAKES
    for number, value in enumerate(values)
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("call", "argument", "value"), MISTAKES)
def test_a_mistake_is_an_error_that_names_the_argument(made, call, argument, value):
    with pytest.raises((ValueError, TypeError, IndexError), match=argument):
        CALLS[call](made, **{argument: value})


def damaged(kind, shape=(N, 2), last=None):
    """Return a sparse matrix of which an index, or the number of entries, is wrong."""
    matrix = sp.random(*shape, density=0.5, format=kind, random_state=0, dtype=np.float32)
    if last is None:
        (matrix.indices if hasattr(matrix, "indices") else matrix.col)[3] = 10**6
    else:
        matrix.indptr[1:] = [*[10**6] * (len(matrix.indptr) - 2), last]
    return matrix


@pytest.mark.parametrize(("kind", "last"), [
    ("csr", None), ("csc", None), ("coo", None), ("csr", 0), ("csr", -1)
])  # fmt: skip
def test_no_compiled_loop_sees_an_index_out_of_range(made, kind, last):
    atoms, wide = damaged(kind, (60, 6), last), damaged(kind, (60, 20), last)
    calls = {
        "bow": [("emissions", {"bow": wide}), ("infer", {"bow": wide}),
                ("counts", {"bow": damaged(kind, last=last)})],
        "doc_atoms": [("emissions", {"doc_atoms": atoms}),
                      ("partial_fit", {"doc_atoms": damaged(kind, (N, 32), last),
                                       "embeddings": None})],
    }  # fmt: skip
    for name, several in calls.items():
        for call, wrong in several:
            with pytest.raises(ValueError, match=f"{name} is a damaged sparse matrix"):
                CALLS[call](made, **wrong)
    with pytest.raises(ValueError, match="doc_atoms is a damaged"):
        made.model.topics_of(damaged(kind, (N, 32), last))


MISTAKES_OF_BERTOPIC = [
    ("fit", "documents", ["a", None] * 200, r"documents\[1\]"),
    ("fit", "y", [None, *[0] * (N - 1)], r"y\[0\]"),
    ("fit", "images", ["none.png"] * N, r"images\[0\]: no picture"),
    ("transform", "documents", ["a", np.nan], r"documents\[1\]"),
    ("partial_fit", "documents", ["a", None] * 200, r"documents\[1\]"),
    ("reduce_topics", "docs", ["a", None] * 200, r"docs\[1\]"),
    ("get_document_info", "docs", ["a", None] * 200, r"docs\[1\]"),
    ("topics_over_time", "timestamps", [1.0, np.nan] * 200, r"timestamps\[1\] is nan"),
    ("topics_over_time", "timestamps", ["2001-01-01", "?"] * 200, r"timestamps\[1\]"),
    ("topics_over_time", "timestamps", [1], "timestamps has"),
    ("topics_per_class", "classes", ["a", None] * 200, r"classes\[1\] is None"),
    ("topics_per_class", "classes", [SURROGATE] * N, r"classes\[0\]"),
    ("update_topics", "n_gram_range", (900, 900), "n_gram_range: empty"),
]


class TestBERTopic:
    """Mistakes of SAEBERTopic and SAEClusterer that BERTopic would take in silence."""

    @pytest.fixture(scope="class")
    def bertopic(self):
        return pytest.importorskip("saetm_plugins.bertopic")

    @pytest.fixture(scope="class")
    def model(self, bertopic, made):
        model = bertopic.SAEBERTopic(5, sae=made.sae, word_vectors="corpus")
        return model.fit(made.texts, made.rows)

    @pytest.mark.parametrize(("name", "argument", "value", "words"), MISTAKES_OF_BERTOPIC)
    def test_a_mistake_names_the_argument(self, made, model, name, argument, value, words):
        legal = {"documents": made.texts, "docs": made.texts, "embeddings": made.rows}
        known = inspect.signature(getattr(model, name)).parameters.keys()
        given = {key: legal[key] for key in legal.keys() & known}
        if name == "transform":
            del given["embeddings"]  # which are of another number of documents
        before = dict(vars(model))
        with pytest.raises((ValueError, TypeError, FileNotFoundError), match=words):
            getattr(model, name)(**given | {argument: value})
        assert all(before[key] is kept for key, kept in vars(model).items())

    @pytest.mark.parametrize("wrong", [3, b"name", ["a"], np.zeros(2), dict])
    def test_an_embedding_model_embeds(self, bertopic, tmp_path, wrong):
        for make in (
            lambda: bertopic.SAEBERTopic(5, embedding_model=wrong),
            lambda: bertopic.SAEBERTopic.load(tmp_path, embedding_model=wrong),
        ):
            with pytest.raises((ValueError, TypeError), match="embedding_model"):
                make()

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [("outlier_threshold", "x"), ("outlier_threshold", 2.0), ("outlier_threshold", np.nan),
         ("target_weight", [1]), ("n_topics", True), ("n_topics", 0), ("merge", "unknown")],
    )  # fmt: skip
    def test_parameters_of_the_clusterer(self, bertopic, made, parameter, value):
        fitted = bertopic.SAEClusterer(5, sae=made.sae).fit(made.rows)
        labels = fitted.labels_
        fitted.set_params(**{parameter: value})
        with pytest.raises((ValueError, TypeError), match=parameter):
            fitted.fit(made.rows, made.groups)
        assert fitted.labels_ is labels

    def test_rows_of_the_clusterer(self, bertopic, made):
        fitted = bertopic.SAEClusterer(5, sae=made.sae).fit(made.rows)
        for call in (fitted.predict, bertopic.SAEClusterer(5, sae=made.sae).fit):
            with pytest.raises(ValueError, match="X is a masked array"):
                call(masked(ROWS))
