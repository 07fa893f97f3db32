"""Generated input to BERTopic's and scikit-learn's face of the model."""

import copy

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    GROUPS,
    SAE,
    TEXTS,
    WORDS,
    Entry,
    arguments,
    check_call,
    check_mixtures,
    clear,
    examples,
    fuzz,
    state,
)
from hypothesis import given
from sklearn.feature_extraction.text import CountVectorizer
from strategies import (
    Choice,
    Only,
    documents,
    fractions,
    integers,
    junk,
    labels,
    mostly,
    rows,
    values_like,
)

bertopic = pytest.importorskip("saetm_plugins.bertopic")

whole_fits = examples(1 / 3)  # each is a whole fit


@whole_fits
@given(
    rows(EMBEDDINGS),
    st.one_of(st.none(), st.none(), labels(GROUPS)),
    st.one_of(st.none(), st.floats(0, 1), values_like(0.5)),
)
def test_clusterer(points, classes, threshold):
    made = bertopic.SAEClusterer(2, sae=SAE, outlier_threshold=threshold)
    found = clear(
        lambda: made.fit(points, classes), "outlier_threshold", "X", "y", "n_topics", "embeddings",
        "array", "data", "sample", "convert", "argument must be",
    )  # fmt: skip
    if found is not None:
        assert ((found.labels_ >= -1) & (found.labels_ < found.n_topics_)).all()


CLUSTERER = bertopic.SAEClusterer(3, sae=SAE).fit(EMBEDDINGS)
CLUSTERED = {
    "predict": {"X": rows(EMBEDDINGS[:5])},
    "transform": {"X": rows(EMBEDDINGS[:5])},
    "partial_fit": {"X": rows(EMBEDDINGS)},  # y is looked at in the first batch only
    "fit_predict": {"X": EMBEDDINGS, "y": Choice(None, GROUPS)},
    "fit_transform": {"X": EMBEDDINGS, "y": Choice(None, GROUPS)},
    "set_params": {"n_topics": Choice(2, None, "auto"), "merge": Choice("ward", "kmeans"),
                   "sharpening": Choice(2.0, None), "target_weight": 0.5,
                   "outlier_threshold": Choice(None, 0.5), "random_state": Choice(0, None),
                   "activation": Choice("batch_topk", "topk"), "device": Choice("cpu", "auto"),
                   "calculate_probabilities": False},
}  # fmt: skip
OF_X = ("X", "embeddings", "array", "data", "sample", "convert", "argument must be", "classes", "y")


@pytest.mark.parametrize("name", CLUSTERED)
def test_clusterer_methods(name):
    legal = CLUSTERED[name]
    before = CLUSTERER.labels_.copy()

    def call(**made):
        model = copy.copy(CLUSTERER)
        if name == "set_params":
            return model.set_params(**made).fit(EMBEDDINGS).transform(EMBEDDINGS)
        try:
            return getattr(model, name)(**made)
        except BaseException:
            assert all(vars(CLUSTERER)[key] is kept for key, kept in vars(model).items())
            raise

    def check(found, _):
        np.testing.assert_array_equal(CLUSTERER.labels_, before)
        if name in ("transform", "fit_transform", "set_params"):
            check_mixtures(found)
        elif name in ("predict", "fit_predict"):
            assert ((found >= -1) & (found < 3)).all()

    always = {each: value for each, value in legal.items() if each == "X"}
    options = {each: value for each, value in legal.items() if each != "X"}
    also = OF_X if "X" in legal else ("n_topics", "live atoms")
    entry = Entry(call, always, options, also, check)

    @examples(0.1 if name == "set_params" else 0.25)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()


# Of BERTopic's own parameters, those that SAEBERTopic reads while it fits.
PARAMETERS = sorted(
    (set(bertopic.SAEBERTopic._get_param_names()) - {"verbose", "language", "sae", "device"})
    - {"umap_model", "hdbscan_model", "embedding_model", "low_memory", "min_topic_size"}
)


def check_topics(model):
    shares = model.sae_model_.doc_topics_.sum(axis=1)  # less what deleted topics had
    assert ((shares >= 0) & (shares < 1.001)).all()
    if model.sae_model_.components_ is not None:
        np.testing.assert_allclose(model.sae_model_.components_.sum(axis=1), 1, atol=1e-3)
    n_topics = model.sae_model_.n_topics_
    assert set(model.topics_) <= {-1, *range(n_topics)}
    # A blank text counts among the sizes, under -1, and not as a document learned from.
    assert sum(model.topic_sizes_.values()) >= model.sae_model_.n_documents_seen_
    assert {-1, *model.topic_representations_} == {-1, *range(n_topics)}


# Legal values of parameters; the others are legal as they are by default, or junk.
LEGAL = {
    "n_topics": Choice(4, "auto", None, 1), "merge": Choice("nmf", "ward", "kmeans"),
    "sharpening": Choice(2.0, None), "word_vectors": Choice("corpus", {WORDS[0]: EMBEDDINGS[0]}),
    "solver": Choice("em", "adam"), "emission_n_iter": Choice(None, 3), "target_weight": 0.5,
    "outlier_threshold": Choice(None, 0.5, 0.99), "random_state": Choice(0, None),
    "top_n_words": Choice(10, 3), "n_gram_range": Choice((1, 1), (1, 2)),
    "nr_topics": Choice(None, 3, "auto"), "calculate_probabilities": Choice(False, True),
    "vectorizer_model": Choice(None, CountVectorizer(), CountVectorizer(min_df=2)),
    "chunk": Choice("auto", None), "seed_topic_list": Choice(None, [[WORDS[0]], [WORDS[7]]]),
    "zeroshot_topic_list": Choice(None, ["a name"], np.array(["one", "two"])),
    "zeroshot_min_similarity": 0.7,
    "activation": Choice("batch_topk", "topk"), "n_atoms": Choice(None, 8), "k": Choice(None, 2),
}  # fmt: skip


@st.composite
def parameters(draw):
    name = draw(st.sampled_from(PARAMETERS))
    value = draw(values_like(LEGAL[name]) if name in LEGAL else junk)
    if name == "emission_n_iter" and isinstance(value, (int, float)) and value > 100:
        value = 7  # what is asked for would be done
    return name, value


@whole_fits
@given(parameters())
def test_bertopic_parameters(parameter):
    name, value = parameter
    chosen = {"n_topics": 4, "sae": SAE, "word_vectors": "corpus", name: value}
    made = clear(lambda: bertopic.SAEBERTopic(**chosen), name)
    if made is None:
        return
    before = dict(vars(made))
    if clear(lambda: made.fit(TEXTS, embeddings=EMBEDDINGS), name) is None:
        assert vars(made).keys() == before.keys()
        assert all(before[key] is kept for key, kept in vars(made).items())
    else:
        check_topics(made)


@pytest.fixture(scope="module")
def fitted():
    model = bertopic.SAEBERTopic(4, sae=SAE, word_vectors="corpus").fit(TEXTS, EMBEDDINGS)
    model.delete_topics([3])  # so that there is a topic -1
    return model


# The arguments of each method that are generated, one at a time; the others are as in VALID.
CALLS = {
    "fit": ("documents", "embeddings", "images", "y"),
    "transform": ("documents", "embeddings", "images"),
    "partial_fit": ("documents", "embeddings"),
    "reduce_topics": ("docs", "nr_topics", "merge"),
    "merge_topics": ("docs", "topics_to_merge"),
    "split_topic": ("docs", "topic", "n"),
    "delete_topics": ("topics_to_delete",),
    "set_topic_labels": ("topic_labels",),
    "update_topics": ("docs", "topics", "top_n_words", "n_gram_range", "vectorizer_model")
    + ("representation_model", "ctfidf_model"),
    "reduce_outliers": ("documents", "topics", "strategy", "probabilities", "threshold"),
    "topics_over_time": ("docs", "timestamps", "topics"),
    "topics_per_class": ("docs", "classes"),
    "get_document_info": ("docs", "df", "metadata"),
    "hierarchical_topics": ("docs",),
    "explain_document": ("document", "n_words"),
}
VALID = {
    "fit": {"documents": TEXTS, "embeddings": EMBEDDINGS},
    "transform": {"documents": TEXTS, "embeddings": EMBEDDINGS},
    "partial_fit": {"documents": TEXTS, "embeddings": EMBEDDINGS},
    "reduce_topics": {"docs": TEXTS, "nr_topics": 2},
    "merge_topics": {"docs": TEXTS, "topics_to_merge": [0, 1]},
    "split_topic": {"docs": TEXTS, "topic": 0},
    "delete_topics": {},
    "set_topic_labels": {},
    "reduce_outliers": {"documents": TEXTS, "topics": [-1, 0, 1, 2] * 10, "strategy": "c-tf-idf"},
    "topics_over_time": {"docs": TEXTS, "timestamps": list(range(40))},
    "topics_per_class": {"docs": TEXTS, "classes": ["a", "b"] * 20},
    "explain_document": {"document": 0},
}
# What an error may name beside the argument.
ALSO = {
    "document": ("texts need embeddings",),
    "documents": ("embeddings", "images", "docs"),
    "embeddings": ("documents", "Complex"),
    "images": ("embeddings",),
    "y": ("classes",),
    "nr_topics": ("n_topics",),
}
# Legal values, whichever method they are an argument of.
FORTY = [place % 4 - 1 for place in range(40)]
LEGAL_OF_CALLS = {
    "documents": documents(TEXTS), "docs": documents(TEXTS), "embeddings": EMBEDDINGS,
    "images": Choice(None), "y": GROUPS, "nr_topics": Choice(2, 3, "auto"),
    "merge": Choice("ward", "kmeans", "nmf", None), "topics_to_merge": st.one_of(
        st.lists(st.integers(-1, 2), max_size=3), st.just([[0, 1]]), st.just([[0, 1], [2, 3]])),
    "topic": integers, "n": Choice(2, 3), "topics_to_delete": st.lists(integers, max_size=2),
    "topic_labels": st.one_of(st.dictionaries(st.integers(-1, 2), st.text(max_size=9), max_size=3),
                              st.lists(st.text(max_size=5), min_size=3, max_size=4)),
    "topics": labels(FORTY), "top_n_words": 5, "n_gram_range": Choice((1, 1), (1, 2)),
    "vectorizer_model": Choice(CountVectorizer(), CountVectorizer(ngram_range=(1, 2))),
    "representation_model": Choice(None), "ctfidf_model": Choice(None),
    "strategy": Choice("c-tf-idf", "distributions"), "probabilities": FITTED.doc_topics_,
    "threshold": 0.1, "timestamps": labels(list(range(40))), "classes": labels(GROUPS),
    "df": pd.DataFrame({"x": range(40)}), "metadata": Choice({"y": list(range(40))}, None),
    "document": Choice(0, 5), "n_words": 4,
}  # fmt: skip


@st.composite
def calls(draw):
    name, argument = draw(
        st.sampled_from([(name, argument) for name, each in CALLS.items() for argument in each])
    )
    return name, argument, draw(values_like(LEGAL_OF_CALLS[argument]))


@fuzz
@given(call=calls())
def test_bertopic_calls(fitted, call):
    name, argument, value = call
    model = copy.copy(fitted)
    made = {**VALID.get(name, {"docs": TEXTS}), argument: value}
    before, inner = dict(vars(model)), state(fitted.sae_model_)
    errors = (
        ValueError,
        TypeError,
        FileNotFoundError,
        *([IndexError] if argument == "document" else []),
    )
    names = (argument, *ALSO.get(argument, ()))
    found = clear(lambda: (getattr(model, name)(**made),), *names, errors=errors)
    assert all(inner[key] is kept for key, kept in state(fitted.sae_model_).items())
    if found is None:
        assert all(before[key] is kept for key, kept in vars(model).items())
    elif name == "transform":
        shares = found[0][1].sum(axis=1)
        assert ((shares >= 0) & (shares < 1.001)).all()
    elif isinstance(found[0], pd.DataFrame):
        assert len(found[0].columns)
    else:
        check_topics(model)


OTHER = bertopic.SAEBERTopic(4, sae=SAE, word_vectors="corpus").fit(TEXTS[:20], EMBEDDINGS[:20])
ALONE = bertopic.SAEBERTopic(3, n_atoms=8, k=2, word_vectors="corpus").fit(TEXTS, EMBEDDINGS)


@examples(0.2)
@given(st.data(), values_like(Only(mostly(fractions))))
def test_merged_models(fitted, data, similarity):
    whole = [fitted, OTHER, ALONE]
    models = data.draw(mostly(st.one_of(
        st.lists(st.sampled_from(whole), min_size=1, max_size=3),
        st.lists(st.sampled_from(whole[:2]), min_size=2, max_size=3).map(tuple),
        st.lists(st.one_of(st.just(fitted), junk, st.just(bertopic.SAEBERTopic(3))), max_size=2),
    )))  # fmt: skip
    before = [dict(vars(model)) for model in whole]
    found = clear(lambda: bertopic.SAEBERTopic.merge_models(models, similarity), "models",
                  "min_similarity")  # fmt: skip
    for model, kept in zip(whole, before, strict=True):
        assert all(kept[key] is value for key, value in vars(model).items())
    if found is not None:
        assert len(found.get_topic_info())
        assert set(found.topics_) <= set(found.topic_sizes_)
