"""Entries of the adapters: the models of BERTopic, gensim and OCTIS."""

import copy
import warnings
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from core_entries import CHUNKS, LEGAL, MERGES, PARAMETERS, TIMES
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    GROUPS,
    SAE,
    TEXTS,
    TOKENS,
    WORDS,
    Encoder,
    check_mixtures,
    entry,
    on_a_copy,
    state,
    unchanged_if_it_raises,
)
from sklearn.feature_extraction.text import CountVectorizer
from strategies import (
    Choice,
    Only,
    integers,
    junk,
    labels,
    lists,
    numbers,
    often,
    rows,
    word_lists,
)

bertopic = pytest.importorskip("saetm_plugins.bertopic")
gensim = pytest.importorskip("saetm_plugins.gensim")
octis = pytest.importorskip("saetm_plugins.octis")

N = len(TEXTS)
BASE = {"sae": SAE, "word_vectors": "corpus"}


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CLUSTERER = bertopic.SAEClusterer(3, sae=SAE).fit(EMBEDDINGS)
    BERTOPIC = bertopic.SAEBERTopic(4, **BASE, embedding_model=Encoder()).fit(TEXTS, EMBEDDINGS)
    BERTOPIC.delete_topics([3])  # so that there is a topic -1
OF_BERTOPIC = {
    **LEGAL, "documents": lists(TEXTS), "docs": lists(TEXTS), "X": rows(EMBEDDINGS),
    "y": Choice(None, GROUPS), "nr_topics": Choice(2, 3, "auto"),
    "topic": often(st.integers(0, 2), integers),
    "topics": labels([0, 1, 2, -1] * 10), "classes": labels(GROUPS), "timestamps": TIMES,
    "topics_to_merge": st.one_of(st.lists(st.integers(-1, 2), max_size=3),
                                 st.sampled_from([[[0, 1]], [[0, 1], [2, 3]]])),
    "topics_to_delete": st.lists(integers, max_size=2), "top_n_words": 5,
    "topic_labels": st.dictionaries(st.integers(-1, 2), st.text(max_size=9), max_size=3),
    "n_gram_range": Choice((1, 1), (1, 2)), "nr_bins": Choice(4, None), "soft": False,
    "vectorizer_model": Choice(None, CountVectorizer(), CountVectorizer(ngram_range=(1, 2))),
    "strategy": Choice("c-tf-idf", "distributions"), "probabilities": FITTED.doc_topics_[:, :3],
    "df": pd.DataFrame({"x": range(N)}), "metadata": Choice(None, {"y": list(range(N))}),
}  # fmt: skip


def check_topics(model):
    inner = model.sae_model_
    shares = inner.doc_topics_.sum(axis=1)  # without those of deleted topics
    assert ((shares >= 0) & (shares < 1.001)).all()
    if inner.components_ is not None:
        check_mixtures(inner.components_)
    assert set(model.topics_) <= {-1, *range(inner.n_topics_)}
    assert sum(model.topic_sizes_.values()) >= inner.n_documents_seen_
    assert {-1, *model.topic_representations_} == {-1, *range(inner.n_topics_)}


EDITS = ("fit", "partial_fit", "reduce_topics", "merge_topics", "split_topic", "delete_topics",
         "set_topic_labels", "update_topics")  # fmt: skip


def of_bertopic(name, given=""):
    """Return the entry of a method, which changes a copy of the model at most."""

    def call(**made):
        model, inner = copy.copy(BERTOPIC), dict(state(BERTOPIC.sae_model_))
        try:
            found = unchanged_if_it_raises(getattr(model, name), model, made)
        finally:
            assert all(inner[key] is value for key, value in state(BERTOPIC.sae_model_))
        return model if name in EDITS else found

    check = check_topics if name in EDITS else None
    return entry(call, OF_BERTOPIC, given, check, of=getattr(bertopic.SAEBERTopic, name))


def fit_bertopic(**parameters):
    if parameters.get("sae", SAE) in (None, "auto") or parameters.get("verbose"):
        raise ValueError  # atoms that take a second to train; lines printed
    made = bertopic.SAEBERTopic(**{"n_topics": 4, **BASE} | parameters, embedding_model=Encoder())
    return made.fit(TEXTS, EMBEDDINGS)


def cluster(name):
    check = check_mixtures if name == "transform" else None
    of = getattr(bertopic.SAEClusterer, name)
    return entry(on_a_copy(CLUSTERER, name), OF_BERTOPIC, "", check, of=of)


OWN = "n_topics merge sharpening word_vectors solver emission_n_iter random_state"
BERTOPIC_ENTRIES = {
    "parameters": entry(
        fit_bertopic, {}, check=check_topics, **{name: PARAMETERS[name] for name in OWN.split()},
        target_weight=0.5, outlier_threshold=Choice(None, 0.5, 0.99), chunk=CHUNKS,
        top_n_words=Choice(10, 3), n_gram_range=Choice((1, 1), (1, 2)),
        nr_topics=Choice(None, 3, "auto"), calculate_probabilities=Choice(False, True),
        vectorizer_model=OF_BERTOPIC["vectorizer_model"], zeroshot_min_similarity=0.7,
        seed_topic_list=Choice(None, [[WORDS[0]], [WORDS[7]]]),
        zeroshot_topic_list=Choice(None, ["a name"], np.array(["one", "two"]))),
    **{name: of_bertopic(name, "documents embeddings") for name in
       ("fit", "partial_fit", "transform")},
    "reduce_topics": of_bertopic("reduce_topics", "nr_topics"),
    "reduce_outliers": of_bertopic("reduce_outliers", "strategy"),
    **{name: of_bertopic(name) for name in
       ("merge_topics", "split_topic", "delete_topics", "set_topic_labels", "update_topics",
        "topics_over_time", "topics_per_class", "get_document_info", "explain_document")},
    **{f"clusterer {name}": cluster(name) for name in
       ("fit", "partial_fit", "predict", "transform")},
}  # fmt: skip
counted = st.tuples(st.integers(0, len(WORDS) - 1), st.integers(1, 9))
odd_pairs = st.tuples(integers, st.one_of(numbers, st.floats(0, 9)))
bags = st.lists(often(st.lists(counted, max_size=6), st.lists(odd_pairs, max_size=2)), max_size=3)
GENSIM = FITTED.to_gensim()
FEWER = copy.copy(FITTED).retopic(2).to_gensim()
BAGS = [GENSIM.id2word.doc2bow(tokens) for tokens in TOKENS]
corpora = Only(often(st.just(BAGS), st.one_of(bags, bags.map(iter), junk)))
bag = Choice([(0, 2), (3, 1)], [], [[(1, 1)], []], [(10**6, 1)], [(-1, 1)], [(0, np.nan)])
OF_GENSIM = {
    "bow": bag, "chunk": corpora, "corpus": corpora, "documents": Only(lists(TEXTS)),
    "embeddings": EMBEDDINGS, "minimum_probability": 0.01, "minimum_phi_value": 0.01,
    "per_word_topics": False, "gamma": rows(np.ones((N, 4))), "total_docs": Choice(None, 5),
    "num_words": 5, "topicid": Choice(0, 3, -1), "topn": 5, "word_id": Choice(WORDS[0], 0, 99),
    "coherence": Choice("u_mass", "c_npmi"), "texts": word_lists(TOKENS), "processes": Choice(1),
    "other": Choice(GENSIM, FEWER), "n_ann_terms": 3, "chunksize": Choice(None, 1, 3),
    "distance": Choice("kullback_leibler", "hellinger", "jaccard", "jensen_shannon"),
    "merge": Choice(None, "ward"),
}  # fmt: skip


def of_gensim(name, given="", part=1.0, **own):
    def call(**made):
        estimator = copy.copy(FITTED)
        estimator.encoder = Encoder()
        model = estimator.to_gensim()
        before = model.get_topics().copy()
        try:
            found = getattr(model, name)(**made)
            found = list(found) if hasattr(found, "corpus") else found  # read lazily
        except BaseException:
            np.testing.assert_array_equal(model.get_topics(), before)
            raise
        check_mixtures(model.get_topics())
        return None if found is model else found

    return entry(call, OF_GENSIM, given, None, part, getattr(gensim.SaeModel, name), **own)


def check_gensim(model):
    check_mixtures(model.get_topics())
    assert np.isfinite(model.alpha).all()
    assert np.isfinite(model.inference(BAGS[:3])[0]).all()


def make_gensim(model=None, **made):
    try:
        if model is not None:
            return gensim.SaeModel.from_model(model, **made)
        return gensim.SaeModel(**BASE, encoder=Encoder(), **made)
    except AssertionError as error:  # gensim's for a prior of another length
        raise ValueError from error


SETTINGS = {
    "alpha": Choice("auto", "symmetric", "asymmetric", 0.1, np.full(4, 0.2)),
    "eta": Choice(None, "symmetric", 0.01), "iterations": Choice(50, 3), "random_state": 0,
    "id2word": Choice(None, GENSIM.id2word, dict(enumerate(WORDS))), "minimum_probability": 0.01,
}  # fmt: skip
GENSIM_ENTRIES = {
    **{name: of_gensim(name) for name in (
        "get_document_topics", "inference", "bound", "log_perplexity", "get_topic_terms",
        "get_term_topics", "diff", "update")},
    "lookup": of_gensim("__getitem__", eps=0.01),
    "show_topics": of_gensim("show_topics", num_topics=Choice(3, -1)),
    "top_topics": of_gensim("top_topics", "corpus processes", 0.3),
    "retopic": of_gensim("retopic", num_topics=Choice(3, "auto", 1)),
    "settings": entry(make_gensim, {}, "model", check_gensim, model=Only(st.just(FITTED)),
                      **SETTINGS),
    "training": entry(
        make_gensim, OF_GENSIM, "corpus embeddings num_topics", check_gensim, 0.5,
        num_topics=Choice(3, "auto"), corpus=corpora, embeddings=EMBEDDINGS, chunksize=7,
        documents=Only(lists(TEXTS)), alpha=Choice("auto", 0.1)),
}  # fmt: skip


def train_octis(corpus, vocabulary, parts, embeddings, **settings):
    first, last = parts
    dataset = SimpleNamespace(
        get_corpus=lambda: corpus, get_vocabulary=lambda: vocabulary,
        get_metadata=lambda: {"total_documents": len(corpus)},
        get_partitioned_corpus=lambda use_validation=True: [
            corpus[:first], corpus[len(corpus) - last :]
        ],
    )  # fmt: skip
    model = octis.SAETM(**{"num_topics": 3, **BASE} | settings, embeddings=embeddings)
    return model.train_model(dataset)


def check_output(output):
    check_mixtures(output["topic-word-matrix"])
    check_mixtures(output["topic-document-matrix"].T)
    assert len(output["topics"]) == len(output["topic-word-matrix"])


ADAPTERS = {
    **{f"bertopic {name}": each for name, each in BERTOPIC_ENTRIES.items()},
    **{f"gensim {name}": each for name, each in GENSIM_ENTRIES.items()},
    "octis": entry(
        train_octis, {}, "", check_output,
        corpus=word_lists(TOKENS), vocabulary=Choice(WORDS, WORDS[:9], WORDS[::-1], None),
        parts=st.tuples(st.integers(0, 41), st.integers(5, 40)), embeddings=EMBEDDINGS,
        num_topics=Choice(3, 1, 40, "auto"), merge=MERGES, sharpening=2.0,
        solver=PARAMETERS["solver"], emission_n_iter=Choice(None, 2)),
}  # fmt: skip
