"""Generated input to gensim's face of the model: what is read off it, its settings, its files."""

import copy

import hypothesis.strategies as st
import numpy as np
import pytest
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    SAE,
    TEXTS,
    WORDS,
    Encoder,
    Entry,
    arguments,
    check_call,
    clear,
    examples,
    fuzz,
)
from hypothesis import given
from strategies import (
    Choice,
    Only,
    documents,
    fractions,
    integers,
    junk,
    numbers,
    often,
    rows,
    texts,
)

gensim = pytest.importorskip("saetm_plugins.gensim")

counted = st.tuples(st.integers(0, len(WORDS) - 1), st.integers(1, 9))
pairs = st.lists(counted, min_size=1).map(lambda bag: [(np.int64(w), float(n)) for w, n in bag])
odd_pairs = st.tuples(st.one_of(integers, st.just(0)), st.one_of(numbers, fractions))
bags = st.lists(
    often(st.lists(counted, max_size=6), st.one_of(pairs, st.lists(odd_pairs, max_size=2))),
    max_size=3,
)
corpora = Only(often(bags, st.one_of(bags.map(iter), st.lists(junk, max_size=2), junk)))
MODEL = FITTED.to_gensim()
FEWER = copy.copy(FITTED).retopic(2).to_gensim()
OTHER = copy.copy(FITTED).fit(TEXTS[:20], embeddings=EMBEDDINGS[:20]).to_gensim()
TOKENS = [text.split() for text in TEXTS]
BAGS = [MODEL.id2word.doc2bow(tokens) for tokens in TOKENS]


@fuzz
@given(corpus=corpora.strategy)
def test_gensim_bags(corpus):
    found = clear(lambda: MODEL.inference(corpus)[0], "corpus", "bow")
    if found is not None:
        assert found.shape[1] == MODEL.num_topics
        assert np.isfinite(found).all()
        assert (found >= 0).all()


token_lists = Only(often(st.just(TOKENS), st.one_of(
    st.lists(st.lists(st.sampled_from(WORDS)), max_size=4), st.just(TEXTS), junk,
    st.lists(st.one_of(st.lists(texts, max_size=3), junk), max_size=3),
)))  # fmt: skip
ids = Choice(0, 3, -1)
READERS = {
    "get_document_topics": (
        {"bow": Choice([(0, 2), (3, 1)], [], [[(1, 1)], []])},
        {"minimum_probability": 0.01, "minimum_phi_value": 0.01, "per_word_topics": False},
    ),
    "__getitem__": ({"bow": Choice([(0, 2), (3, 1)], [], [[(1, 1)], []])}, {"eps": 0.01}),
    "inference": (
        {"chunk": Choice(BAGS[:40])},
        {"collect_sstats": False, "documents": Only(documents(TEXTS)), "embeddings": EMBEDDINGS},
    ),
    "bound": (
        {"corpus": Choice([[(0, 2)], [(1, 1), (5, 3)]])},
        {"gamma": rows(np.ones((2, 4))), "subsample_ratio": 1.0},
    ),
    "log_perplexity": ({"chunk": Choice([[(0, 2)], [(1, 1)]])}, {"total_docs": Choice(None, 5)}),
    "show_topics": (
        {}, {"num_topics": Choice(3, -1), "num_words": 5, "log": False, "formatted": True}
    ),
    "print_topics": ({}, {"num_topics": Choice(3, -1), "num_words": 5}),
    "show_topic": ({"topicid": ids}, {"topn": 5}),
    "print_topic": ({"topicno": ids}, {"topn": 5}),
    "get_topic_terms": ({"topicid": ids}, {"topn": Choice(5, None)}),
    "get_term_topics": (
        {"word_id": Choice(WORDS[0], 0, np.int64(3))}, {"minimum_probability": Choice(None, 0.01)}
    ),
    "top_topics": (
        {"corpus": Only(often(st.just(BAGS), corpora.strategy))},
        {"topn": 5, "coherence": Choice("u_mass", "c_npmi", "c_v"), "texts": token_lists,
         "window_size": Choice(None, 5), "dictionary": Choice(None, MODEL.id2word),
         "processes": Only(st.one_of(st.just(1), junk))},
    ),
    "diff": (
        {"other": Choice(MODEL, FEWER, OTHER)},
        {"distance": Choice("kullback_leibler", "hellinger", "jaccard", "jensen_shannon"),
         "num_words": 5, "n_ann_terms": 3, "diagonal": False, "annotation": True, "normed": True},
    ),
    "retopic": ({"num_topics": Choice(3, "auto", 1)}, {"merge": Choice(None, "ward")}),
    "update": (
        {"corpus": Only(st.one_of(st.just(BAGS), corpora.strategy))},
        {"chunksize": Choice(None, 1, 3), "embeddings": EMBEDDINGS,
         "documents": Only(documents(TEXTS))},
    ),
}  # fmt: skip
ALSO = ("corpus", "bow", "chunk", "topicid", "topn", "num_topics", "n_topics", "live atoms",
        "embeddings", "documents", "minimum_probability", "coherence", "texts", "word_id",
        "distance", "gamma", "other")  # fmt: skip
PARTS = {"top_topics": 0.1}


@pytest.mark.parametrize("name", READERS)
def test_gensim_readers(name):
    always, options = READERS[name]

    def call(**made):
        estimator = copy.copy(FITTED)
        estimator.encoder = Encoder()
        model = estimator.to_gensim()
        before = model.get_topics().copy()
        try:
            found = getattr(model, name)(**made)
            found = list(found) if hasattr(found, "corpus") else found  # which is read lazily
        except BaseException:
            np.testing.assert_array_equal(model.get_topics(), before)
            raise
        return None if found is model else found

    entry = Entry(call, always, options, ALSO)

    @examples(PARTS.get(name, 0.25))
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed, errors=(ValueError, TypeError, IndexError))

    run()


SETTINGS = {
    "alpha": Choice("auto", "symmetric", "asymmetric", 0.1, np.full(4, 0.2), [0.1, 0.2, 0.3, 0.4]),
    "eta": Choice(None, "symmetric", "auto", 0.01), "chunksize": Choice(2000, 7),
    "minimum_probability": 0.01, "minimum_phi_value": Choice(0.01, None), "per_word_topics": False,
    "iterations": Choice(50, 3), "gamma_threshold": 0.001, "inference_passes": Choice(3, 1),
    "random_state": Choice(0, None), "id2word": Choice(None, MODEL.id2word, dict(enumerate(WORDS))),
}  # fmt: skip


def check_settings(model, *_):
    topics = model.get_topics()
    np.testing.assert_allclose(topics.sum(axis=1), 1, atol=1e-3)
    assert np.isfinite(model.alpha).all()
    gamma, _ = model.inference(BAGS[:3])
    assert np.isfinite(gamma).all()


def test_gensim_settings():
    entry = Entry(lambda **made: gensim.SaeModel.from_model(FITTED, **made), {}, SETTINGS, (),
                  check_settings)  # fmt: skip

    @examples(0.2)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed, errors=(ValueError, TypeError, AssertionError))

    run()


def test_gensim_training():
    entry = Entry(
        lambda **made: gensim.SaeModel(sae=SAE, word_vectors="corpus", **made),
        {"corpus": Only(often(st.just(BAGS), corpora.strategy)),
         "embeddings": EMBEDDINGS, "num_topics": Choice(3, "auto")},
        {"id2word": Choice(None, MODEL.id2word),
         "alpha": Choice("auto", 0.1), "merge": Choice("ward", "kmeans"), "chunksize": 7,
         "documents": Only(documents(TEXTS)), "solver": Choice("em", "adam"),
         "passes": Choice(1, 3), "dtype": Choice(np.float32)},
        (*ALSO, "n_topics", "Complex"),
        check_settings,
    )  # fmt: skip

    @examples(0.1)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed, errors=(ValueError, TypeError, AssertionError))

    run()
