"""Generated input to BERTopic's figures and readers of the model, and to the merge of several."""

import copy
import gc

import hypothesis.strategies as st
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from fuzzing import (
    EMBEDDINGS,
    EXAMPLES,
    FITTED,
    GROUPS,
    SAE,
    TEXTS,
    WORDS,
    Encoder,
    Entry,
    arguments,
    check_call,
    clear,
    examples,
    state,
)
from hypothesis import given
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import cosine_similarity
from strategies import (
    Choice,
    Only,
    documents,
    fractions,
    junk,
    mostly,
    often,
    rows,
    texts,
    values_like,
)

bertopic = pytest.importorskip("saetm_plugins.bertopic")
load_backend = pytest.importorskip("saetm_plugins.bertopic.backend").load_backend

MODEL = bertopic.SAEBERTopic(4, sae=SAE, word_vectors="corpus").fit(TEXTS, EMBEDDINGS)
OTHER = copy.copy(MODEL).fit(TEXTS[:20], embeddings=EMBEDDINGS[:20])
ALONE = bertopic.SAEBERTopic(3, n_atoms=8, k=2, word_vectors="corpus").fit(TEXTS, EMBEDDINGS)
MODEL.delete_topics([3])  # so that there is a topic -1
MODEL.set_topic_labels({0: "first"})
CLASSES = MODEL.topics_per_class(TEXTS, GROUPS)
TIMES = MODEL.topics_over_time(TEXTS, list(range(40)), nr_bins=4)
TREE = MODEL.hierarchical_topics(TEXTS)
TOKENS = MODEL.vectorizer_model.build_tokenizer()(TEXTS[0])
SHARES = np.full((len(TOKENS), 3), 0.2)


def tables(whole):
    """Draw a table as one is returned, with rows or columns gone: cells are as they were."""
    some = st.lists(st.integers(0, len(whole) - 1), max_size=9).map(lambda kept: whole.iloc[kept])
    columns = st.sampled_from(list(whole.columns))
    gone = columns.map(lambda name: whole.drop(columns=name))
    return Only(often(st.just(whole), st.one_of(some, gone, junk)))


def functions(*legal):
    """Draw a function of the caller's, or what is none."""
    wrong = [
        *(len, np.sum, dict, lambda: 1, lambda found: found, lambda found: found[:1]),
        *(lambda found: None, lambda found: np.full(3, np.nan), lambda found: -np.ones((3, 3))),
    ]
    return Only(often(st.sampled_from([None, *legal]), st.one_of(st.sampled_from(wrong), junk)))


TOPICS = Only(st.one_of(
    st.none(), st.lists(st.integers(0, 2), min_size=1, max_size=4), st.permutations([0, 1, 2]),
    st.lists(st.integers(-1, 3), max_size=4),
    st.sampled_from([(0, 2), np.array([1, 2, 0]), pd.Series([0, 1, 2], index=[4, 5, 6]), {0: 1}]),
    junk,
))  # fmt: skip
POINTS = EMBEDDINGS[:, :2]
LEGAL = {
    "topics": TOPICS, "top_n_topics": Choice(3, None), "n_words": 4, "n_clusters": Choice(2, None),
    "custom_labels": Choice(False, True), "title": texts, "width": Choice(400, 300.5),
    "height": 400, "autoscale": False, "use_ctfidf": False, "docs": Only(documents(TEXTS)),
    "reduced_embeddings": POINTS, "embeddings": EMBEDDINGS, "sample": Choice(None, 0.5, 3),
    "hide_annotations": False, "hide_document_hover": False, "nr_levels": 2,
    "level_scale": Choice("linear", "log"), "log_scale": False, "normalize_frequency": False,
    "min_probability": 0.01, "orientation": Choice("left", "bottom"), "color_threshold": 0.5,
    "linkage_function": functions(lambda found: linkage(found, "average")),
    "distance_function": functions(
        lambda found: 1 - cosine_similarity(found), lambda found: pdist(np.asarray(found.todense()))
    ),
    "enable_search": False, "topic_prefix": False,
    "sub_title": Choice(None, "under it"), "levels": Choice(None, [2, 3]),
    "datamap_kwds": Choice({}), "int_datamap_kwds": Choice({}), "normalize": False,
    "hierarchical_topics": tables(TREE),
}  # fmt: skip
# What each figure is given always, beside what may be given.
PLACED = {
    "docs": Only(often(st.just(TEXTS), documents(TEXTS))),
    "reduced_embeddings": Only(often(st.just(POINTS), mostly(rows(POINTS)))),
}
SHOWN = ("topics", "top_n_topics", "custom_labels", "title", "width", "height")
ANY_DOCUMENTS = ("topics", "embeddings", "sample", "hide_annotations", "hide_document_hover",
                 "custom_labels", "title", "width")  # fmt: skip
FIGURES = {
    "topics": ({}, (*SHOWN, "use_ctfidf")),
    "barchart": ({}, (*SHOWN, "n_words", "autoscale")),
    "heatmap": ({}, (*SHOWN, "n_clusters", "use_ctfidf")),
    "term_rank": ({}, ("topics", "log_scale", "custom_labels", "title", "width")),
    "hierarchy": ({}, (*SHOWN, "orientation", "use_ctfidf", "hierarchical_topics")
                  + ("linkage_function", "distance_function", "color_threshold")),
    "documents": (PLACED, ANY_DOCUMENTS),
    "hierarchical_documents": (
        {**PLACED, "hierarchical_topics": tables(TREE)},
        (*ANY_DOCUMENTS, "nr_levels", "level_scale"),
    ),
    "document_datamap": (
        PLACED, ("topics", "custom_labels", "title", "sub_title", "width", "topic_prefix")
        + ("datamap_kwds", "int_datamap_kwds", "enable_search"),  # the others need the network
    ),
    "topics_over_time": ({"topics_over_time": tables(TIMES)}, (*SHOWN, "normalize_frequency")),
    "topics_per_class": ({"topics_per_class": tables(CLASSES)}, (*SHOWN, "normalize_frequency")),
    "distribution": ({"probabilities": FITTED.doc_topics_[0, :3]},
                     ("min_probability", "custom_labels", "title", "width", "height")),
    "approximate_distribution": (
        {"document": Choice(TEXTS[0]), "topic_token_distribution": SHARES}, ("normalize",)
    ),
}  # fmt: skip
# Each draws a figure; UMAP and datamapplot take seconds to begin with, so with many inputs only.
PARTS = {
    "topics": 0.03, "document_datamap": 0.1, "hierarchical_documents": 0.3, "barchart": 0.15,
    "documents": 0.15, "term_rank": 0.15, "heatmap": 0.15, "hierarchy": 0.3,
    "topics_per_class": 0.3, "topics_over_time": 0.3, "distribution": 0.3,
}  # fmt: skip
SLOW = {"topics", "document_datamap"}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name, monkeypatch):
    if name in SLOW and EXAMPLES < 1000:
        pytest.skip("drawn by make fuzz")
    if name == "topics":
        MODEL.visualize_topics()  # UMAP is compiled, which is no hang
    if name == "document_datamap":  # whose font comes from the network
        rendering = pytest.importorskip("datamapplot").plot_rendering
        monkeypatch.setattr(rendering, "get_google_font", lambda name: None, raising=False)
    always, options = FIGURES[name]

    def call(**made):
        before, inner = dict(vars(MODEL)), state(MODEL.sae_model_)
        frames = {key: (value, value.copy()) for key, value in made.items()
                  if isinstance(value, pd.DataFrame)}  # fmt: skip
        try:
            getattr(MODEL, f"visualize_{name}")(**made)
        finally:
            plt.close("all")
            if name == "document_datamap":
                gc.collect()  # of large figures, which refer to themselves
            assert all(before[key] is kept for key, kept in vars(MODEL).items())
            assert all(inner[key] is kept for key, kept in state(MODEL.sae_model_).items())
            for value, copied in frames.values():
                pd.testing.assert_frame_equal(value, copied)

    entry = Entry(call, always, {each: LEGAL[each] for each in options}, ("topics",))

    @examples(PARTS.get(name, 1))
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()


READERS = {
    "approximate_distribution": (
        {"documents": Only(often(st.just(TEXTS), documents(TEXTS)))},
        {"window": 4, "stride": 1, "min_similarity": 0.1, "batch_size": Choice(1000, None, 3),
         "padding": False, "use_embedding_model": False, "calculate_tokens": False,
         "separator": Choice(" ", "-")},
    ),
    "generate_topic_labels": (
        {}, {"nr_words": 3, "topic_prefix": True, "word_length": Choice(None, 3),
             "separator": Choice("_", ", "), "aspect": Choice(None)},
    ),
    "find_topics": ({"search_term": Choice(WORDS[0], TEXTS[0])}, {"top_n": 3}),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_readers(name):
    model = copy.copy(MODEL)
    model.embedding_model = load_backend(Encoder(), None)
    entry = Entry(getattr(model, name), *READERS[name])

    @examples(0.3)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()


MODELS = mostly(st.one_of(
    st.lists(st.sampled_from([MODEL, OTHER, ALONE]), min_size=1, max_size=3),
    st.lists(st.sampled_from([MODEL, OTHER]), min_size=2, max_size=3).map(tuple),
    st.lists(st.one_of(st.just(MODEL), junk, st.just(bertopic.SAEBERTopic(3))), max_size=2),
))  # fmt: skip


@examples(0.2)
@given(MODELS, values_like(Only(mostly(fractions))))
def test_merged_models(models, similarity):
    before = [dict(vars(model)) for model in (MODEL, OTHER, ALONE)]
    found = clear(lambda: bertopic.SAEBERTopic.merge_models(models, similarity), "models",
                  "min_similarity")  # fmt: skip
    for model, kept in zip((MODEL, OTHER, ALONE), before, strict=True):
        assert all(kept[key] is value for key, value in vars(model).items())
    if found is not None:
        assert len(found.get_topic_info())
        assert set(found.topics_) <= set(found.topic_sizes_)
