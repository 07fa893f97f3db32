"""Generated input to BERTopic's, gensim's, OCTIS' and scikit-learn's face of the model."""

import copy

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    SAE,
    TEXTS,
    clear,
    fuzz,
    junk,
    matrices,
    numbers,
    state,
    texts,
)
from hypothesis import given, settings

bertopic = pytest.importorskip("saetm_plugins.bertopic")
pytest.importorskip("gensim")

whole_fits = settings(fuzz, max_examples=max(1, fuzz.max_examples // 3))  # each is a whole fit


@pytest.fixture(scope="module")
def gensim_model():
    return FITTED.to_gensim()


@fuzz
@given(
    bags=st.lists(st.one_of(junk, st.lists(st.tuples(numbers, numbers), max_size=3)), max_size=3)
)
def test_gensim_bags(gensim_model, bags):
    found = clear(lambda: gensim_model.inference(bags)[0], "corpus", "bow")
    if found is not None:
        assert found.shape == (len(bags), gensim_model.num_topics)
        assert np.isfinite(found).all()


@whole_fits
@given(matrices(), st.one_of(st.none(), st.none(), junk), junk)
def test_clusterer(rows, classes, threshold):
    made = bertopic.SAEClusterer(2, sae=SAE, outlier_threshold=threshold)
    found = clear(
        lambda: made.fit(rows, classes), "outlier_threshold", "X", "y", "n_topics", "embeddings",
        "array", "data", "sample", "convert", "argument must be",
    )  # fmt: skip
    if found is not None:
        assert ((found.labels_ >= -1) & (found.labels_ < found.n_topics_)).all()


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
    assert sum(model.topic_sizes_.values()) == model.sae_model_.n_documents_seen_
    assert {-1, *model.topic_representations_} == {-1, *range(n_topics)}


@whole_fits
@given(st.sampled_from(PARAMETERS), junk)
def test_bertopic_parameters(name, value):
    parameters = {"n_topics": 4, "sae": SAE, "word_vectors": "corpus", name: value}
    made = clear(lambda: bertopic.SAEBERTopic(**parameters), name)
    if made is None:
        return
    before = dict(vars(made))
    if clear(lambda: made.fit(TEXTS, EMBEDDINGS), name) is None:
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
    "topics_over_time": ("docs", "timestamps", "topics", "nr_bins", "datetime_format"),
    "topics_per_class": ("docs", "classes"),
    "get_document_info": ("docs", "df", "metadata"),
    "hierarchical_topics": ("docs", "linkage_function", "distance_function"),
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
values = st.one_of(
    junk,
    matrices(),
    st.lists(st.one_of(texts, junk), max_size=4),
    st.lists(junk, min_size=40, max_size=40),
    st.lists(st.integers(-1, 3), min_size=40, max_size=40),
    st.lists(st.lists(st.integers(-2, 6), max_size=3), max_size=3),
    st.dictionaries(st.one_of(st.integers(-1, 5), texts), junk, max_size=3),
)


@fuzz
@given(
    call=st.sampled_from([(name, argument) for name, each in CALLS.items() for argument in each]),
    value=values,
)
def test_bertopic_calls(fitted, call, value):
    name, argument = call
    model = copy.copy(fitted)
    arguments = {**VALID.get(name, {"docs": TEXTS}), argument: value}
    before, inner = dict(vars(model)), state(fitted.sae_model_)
    errors = (
        ValueError,
        TypeError,
        FileNotFoundError,
        *([IndexError] if argument == "document" else []),
    )
    names = (argument, *ALSO.get(argument, ()))
    found = clear(lambda: (getattr(model, name)(**arguments),), *names, errors=errors)
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
