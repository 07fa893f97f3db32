"""The registry of calls that take generated input.

In a list, "name:bow,vocabulary" is a function or method, and what each call gives beside the
arguments without a default; legal values are looked up by the argument's name. Calls whose results
hold no numbers (figures, texts) are not here: nothing of them can be checked.
"""

import copy
import functools
import warnings
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from fuzzing import (
    BOW,
    COUNTS,
    CURATED,
    EMBEDDINGS,
    EMISSIONS,
    FITTED,
    GROUPS,
    SAE,
    TEXTS,
    THEMES,
    THETA,
    TOKENS,
    WORD_VECTORS,
    WORDS,
    Encoder,
    between,
    check_mixtures,
    entry,
    on_a_copy,
    state,
    unchanged_if_it_raises,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
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
    shares,
    texts,
    weights,
    word_lists,
)

from saetm_plugins import SAETopicModel, SparseAutoencoder, analysis, evaluation, train_sae
from saetm_plugins.atoms.foundation import load_foundation
from saetm_plugins.corpus import Chunker, WordVectorizer
from saetm_plugins.emission import fit_emissions, fit_pooled_emissions, infer_doc_atoms
from saetm_plugins.merging import make_merge
from saetm_plugins.plotting import map_documents

bertopic = pytest.importorskip("saetm_plugins.bertopic")
gensim = pytest.importorskip("saetm_plugins.gensim")
octis = pytest.importorskip("saetm_plugins.octis")

N = len(TEXTS)
BASE = {"sae": SAE, "word_vectors": "corpus"}
CHUNKS = Choice("auto", None, Chunker(), Chunker(max_tokens=8), Chunker("paragraph"), "fitted")
MERGES = Choice("ward", "nmf", "kmeans", "auto", "hdbscan")
SHIPPED = load_foundation(1024).mean_ + load_foundation(1024).decoder_[:9]
TIMES = st.one_of(
    labels(list(range(N))), labels([f"{2000 + row // 4}-01-01" for row in range(N)]),
    st.lists(st.datetimes(), min_size=N, max_size=N),
)  # fmt: skip
some_topics = st.lists(st.integers(0, 3), min_size=2, max_size=3, unique=True)
# Legal values of arguments, whichever function they are of.
LEGAL = {
    "documents": TEXTS, "embeddings": EMBEDDINGS, "bow": BOW, "vocabulary": WORDS, "corpus": TEXTS,
    "classes": GROUPS, "class_weight": 0.5, "chunk": CHUNKS, "languages": ["en", "de"] * 20,
    "doc_atoms": shares(FITTED.doc_atoms_), "doc_topics": FITTED.doc_topics_,
    "decay": Choice(1.0, 0, 0.5, 1e6, 2), "n_words": 4, "n_documents": 2, "n_next": 2,
    "n_topics": Choice(3, 1, 10, "auto"), "y": Only(st.just(GROUPS)),
    "merge": MERGES, "random_state": 0, "ids": list(range(N)), "groups": GROUPS,
    "strata": ["x", "y", "y", "x"] * 10, "a": Choice("a", "b"), "b": Choice(None, "b"),
    "times": TIMES, "bins": Choice(5, 4, "auto", "2Y", 1, 40),
    "threshold": 0.1, "max_mean": 0.4, "confidence": 0.95, "n_resamples": 20,
    "n_permutations": 20, "level": Choice("topics", "atoms"), "min_documents": 2,
    "method": Choice("spearman", "mann-kendall"), "document": Choice(0, 3, TEXTS[0]),
    "embedding": EMBEDDINGS[0], "columns": pd.DataFrame({"extra": range(N)}),
    "topic": Choice(0, 1, 3), "n": Choice(2, 3), "atoms": Choice([0, 1], [3]),
    "words": Choice([WORDS[0]], WORDS[:3]), "like": Choice(0, EMBEDDINGS[0], TEXTS[0]),
    "query": Choice(TEXTS[0], "other"), "atom_weight": 0.5, "n_atoms": 2, "n_splits": 2,
    "levels": Choice([2, 4], [2], [3], None), "topics": Choice([0, 1, 2], None, [0, 1]),
    "least_overlap": 0.5, "seeds": Choice(1, [3]), "bootstraps": Choice(0, 1),
    "counts": Choice([2, 3], [4]), "text": Choice(TEXTS[0], TEXTS[0] + ". " + TEXTS[1]),
    "names": Choice(None, ["one", "two", "three", "four"]), "language": Choice(None, "en"),
    "chunker": Choice(Chunker(max_tokens=8), None, Chunker("paragraph")),
    "topics_to_merge": st.one_of(some_topics, st.lists(st.lists(integers, max_size=3), max_size=2),
                                 st.permutations(range(4)).map(lambda p: [p[:2], p[2:]])),
    "topics_to_delete": st.lists(integers, max_size=2),
    "topic_labels": st.dictionaries(st.integers(0, 2), texts, max_size=3),
    "models": st.lists(st.sampled_from([FITTED, CURATED]), max_size=3),
    "n_iter": 3, "background_weight": Choice(0.3, 0, 1e-30, 0.9999999, 5e-324),
    "word_weights": Choice(None, np.ones(6), np.zeros(6), np.full(6, 1e-30)),
    "prior": Choice(1.0, 0.0, 1e-30, 1e6), "tol": Choice(2e-3, 0.0, 1.0),
    "backend": Choice("auto", "numba", "torch"), "solver": Choice("em", "em", "adam"),
    "k": 2, "n_steps": 5, "batch_size": Choice(16, 1, 40, 1000), "learning_rate": 0.005,
    "activation": Choice("batch_topk", "topk", "jumprelu", "l1"), "warmup": 0.1,
    "expansion": Choice(1.5, 2), "resample": 0.6, "normalization": Choice("unit", "none"),
    "anneal": Choice(None, 0.5), "sparsity": Choice(None, 0.1),
}  # fmt: skip
PARAMETERS = {
    "n_topics": Choice(4, "auto", None, 1, 8, 10), "sae": Choice(SAE, "default"),
    "encoder": Choice(None, Encoder()), "merge": MERGES, "vectorizer": Choice(
        None, CountVectorizer(), CountVectorizer(ngram_range=(1, 2), min_df=2), TfidfVectorizer(),
        WordVectorizer("german"), CountVectorizer(vocabulary=WORDS[:5]), CountVectorizer,
        CountVectorizer(max_df=0.0), HashingVectorizer(), CountVectorizer(tokenizer=str.split)),
    "random_state": Choice(0, None, np.random.RandomState(3), 2**32 - 1, np.int64(7)),
    "n_atoms": Choice(8, None), "k": Choice(2, None, 3), "sharpening": Choice(2.0, None, 0.3, 50),
    "activation": LEGAL["activation"], "solver": LEGAL["solver"],
    "seed_topics": Choice(None, {"one": [WORDS[0]], "two": [WORDS[6], WORDS[7]]}, {"x": ["?"]}),
    "word_vectors": Choice("corpus", "auto", WORD_VECTORS, {}, {WORDS[0]: EMBEDDINGS[0]}),
    "emission_n_iter": Choice(None, 1, 3), "device": Choice("cpu", "auto"),
    "language": Choice("auto", None, "english", "de", ["en", "fr"]),
}  # fmt: skip
SLOW = {"name_scores": 0.3, "suggest_n_topics": 0.2, "topic_stability": 0.2, "name_topics": 0.3,
        "topic_coherence": 0.3, "classification_f1": 0.3, "top_topics": 0.3}  # fmt: skip


MIXTURES = {name: check_mixtures for name in ("transform", "mixtures", "infer_doc_atoms")}


def register(owner, names, call, legal=LEGAL, checks=MIXTURES):
    """Return an entry for each of "name:given,given"; `call` takes the name."""
    made = {}
    for each in names.split():
        name, _, given = each.partition(":")
        options = (given.replace(",", " "), checks.get(name), SLOW.get(name, 1.0))
        of = getattr(owner, name)
        made[f"{owner.__name__.split('.')[-1]} {each}"] = entry(call(name), legal, *options, of)
    return made


def method(name):
    if name == "merge_models":
        return SAETopicModel.merge_models
    new = SAETopicModel(4, **BASE)
    model = {"fit": new, "set_topic_labels": CURATED, "transform_atoms": CURATED}.get(name, FITTED)
    return on_a_copy(model, name, encoder=Encoder())


def fit_with(**parameters):
    """Fit a model of these parameters."""
    if isinstance(parameters.get("encoder"), str) or parameters.get("sae", SAE) in (None, "auto"):
        raise ValueError  # the name of a model to download; atoms that take a second to train
    return on_a_copy(SAETopicModel(**{"n_topics": 4, **BASE} | parameters), "fit")(
        documents=TEXTS, embeddings=EMBEDDINGS
    )


MODEL = {
    "parameters": entry(fit_with, {}, **PARAMETERS),
    **register(SAETopicModel, """
        fit:documents,embeddings fit:embeddings,bow,vocabulary partial_fit:documents,embeddings
        partial_fit:embeddings,bow,vocabulary partial_fit:documents,doc_atoms
        transform:documents,embeddings transform:embeddings transform_atoms:documents,embeddings
        score:embeddings encode embed_passages prepare_topic_data relearn_words merge_models
        retopic merge_topics split_topic delete_topics drop_atoms set_topic_labels topics_of
        get_representative_indices document_table topic_table""", method, checks={
            **MIXTURES, "topics_of": lambda found: check_mixtures(found[1])}),
}  # fmt: skip


@st.composite
def weights_of_atoms(draw):
    """Draw weights of an autoencoder with one of them changed."""
    names = ("encoder", "encoder_bias", "decoder", "decoder_bias", "thresholds", "mean")
    made = {name: getattr(SAE, f"{name}_") for name in names}
    name = draw(st.sampled_from(names))
    changed = draw(rows(np.atleast_2d(made[name])))
    if made[name].ndim == 1 and isinstance(changed, np.ndarray) and changed.ndim == 2:
        changed = changed.ravel()
    return {**made, name: changed}


SUMS = FITTED.atoms_.sums
OF_STAGES = LEGAL | {
    "n_atoms": 8, "levels": Choice((1.0,), (0.5, 1.0), (0.25, 0.5, 1.0)), "decay": 0.8,
    "weights": weights_of_atoms(), "keep_strongest": True, "scale": 1.0, "doc_atoms": THETA,
    "bow": COUNTS, "name": Choice("nmf", "kmeans", "ward"), "n_topics": integers,
    "emissions": Choice(EMISSIONS), "n_candidates": Choice(128, 1, 2, 4),
    "n_active": Choice(None, 1, 2, 4),
    "prevalence": Choice(np.full(4, 0.25), None, np.full(4, 1e-320), np.eye(4)[0]),
    "raw": Only(st.lists(st.one_of(st.sampled_from(TEXTS), texts), min_size=1)),
    "language": Choice(None, "german", ["en", "ja"], "zh"), "keep": Choice((), ("a",)),
    "stop_words": Choice("auto", None, ["x"], "english"), "min_df": Choice(1, 2, 0.1),
    "max_df": Choice(1.0, 3, 0.5), "ngram_range": Choice((1, 1), (1, 3), (2, 2)),
}  # fmt: skip


def pooled(n_iter, background_weight):
    sums = (SUMS.atom_words, SUMS.atom_pairs, SUMS.document_frequency, N)
    return fit_pooled_emissions(*sums, n_iter=n_iter, background_weight=background_weight)


def merge(name, n_topics):
    return make_merge(name).fit(FITTED.atoms_.views(name)).cut(n_topics).atom_topics


def count(raw, language, keep, stop_words, min_df, max_df, ngram_range):
    settings = {"keep": keep, "stop_words": stop_words, "min_df": min_df, "max_df": max_df}
    return WordVectorizer(language, ngram_range=ngram_range, **settings).fit_transform(raw)


STAGES = {
    f"stage {each.__name__}": entry(
        each, OF_STAGES, given, check_mixtures if each is infer_doc_atoms else None
    )
    for each, given in [
        (SAE.transform, ""), (SAE.reconstruct, ""), (train_sae, "n_atoms k n_steps batch_size"),
        (SparseAutoencoder, "activation k"), (fit_emissions, "n_iter"), (pooled, ""),
        (infer_doc_atoms, ""), (merge, ""), (count, ""),
    ]
}  # fmt: skip


def analyze(name):
    def call(**made):
        if name == "find_documents" and {"atoms", "words", "like", "query"} & made.keys():
            made.pop("topic", None)
        return getattr(analysis, name)(copy.copy(FITTED), **made)  # name_topics gives it labels

    return call


ANALYSIS = register(analysis, """
    topic_shares coverage rank_topics_by_variance trend_tests explain_document drill_down
    export_documents taxonomy topic_levels topic_linkage topic_words atom_words spans
    compare_groups:n_resamples,n_permutations topic_trends:n_resamples
    topic_correlations:threshold,min_documents find_documents:topic mixtures:documents,embeddings
    document_atoms:documents,embeddings name_scores:documents name_topics:documents
    suggest_n_topics:counts,documents,embeddings topic_stability:documents,embeddings,seeds""",
    analyze, LEGAL | {"levels": Choice([2, 4], [3, 4], None)})  # fmt: skip
FOUR = Choice([["x", "y"]] * 4, [["x", "z"], ["y"], [], ["y", "x"]])
ANALYSIS |= {
    "match_topics": entry(analysis.match_topics, {}, words=FOUR, other_words=FOUR,
                          labels=FITTED.labels_, other_labels=FITTED.labels_),
    "document_npmi": entry(analysis.document_npmi, {}, bow=Only(weights(BOW)),
                           topic_words=Choice(np.array([[0, 1], [3, 2]]))),
    "explain_text": entry(analysis.explain_text, LEGAL, "embedding",
                          embedding=Only(st.sampled_from(list(SHIPPED)))),
    "map_documents": entry(map_documents, LEGAL, "method", vectors=EMBEDDINGS,
                           method=Choice("pca")),
}  # fmt: skip
TOPICS = FITTED.get_topics(5)
VECTORS = st.sampled_from([
    WORD_VECTORS, WORD_VECTORS, {**WORD_VECTORS, WORDS[0]: np.zeros(6)},
    {**WORD_VECTORS, WORDS[1]: [1, 0, 0, 0, 0, 2]}, {**WORD_VECTORS, WORDS[0]: np.full(6, np.nan)},
    {**WORD_VECTORS, WORDS[0]: np.zeros(3)}, dict(list(WORD_VECTORS.items())[:8]),
])  # fmt: skip


def judge(topics, answers, n_attempts=1, n_words=5):
    """Rate topics by a model that gives these answers."""
    chat = evaluation.CallableChat(lambda prompt: answers[len(prompt) % len(answers)])
    rated = evaluation.TopicJudge(chat, n_attempts=n_attempts).coherence_rating(topics, n_words)
    return np.atleast_1d(rated)


def of_evaluation(name):
    if name == "topic_significance":  # divergences may be infinite, but are numbers
        return lambda **made: [np.minimum(part, 1e9) for part in
                               evaluation.topic_significance(**made)]  # fmt: skip
    return getattr(evaluation, name)


OF_EVALUATION = LEGAL | {
    "labels": THEMES.tolist(), "topics": word_lists(TOPICS), "word_vectors": VECTORS,
    "n_words": Choice(3, 2, 4, np.uint8(5)), "texts": word_lists(TOKENS), "n_jobs": Choice(1),
    "measure": Choice("c_npmi", "c_v", "u_mass", "c_uci"), "topic_words": FITTED.components_,
    "n_folds": Choice(2, 3, np.int64(4)), "n_repeats": 2, "n_attempts": st.integers(1, 3),
    "answers": st.one_of(st.just("2"), st.lists(texts, min_size=1, max_size=4)),
}  # fmt: skip
EVALUATION = register(evaluation, """
    normalized_mutual_information purity coverage topic_diversity:n_words topic_coherence:n_words
    topic_significance classification_f1 embedding_coherence:n_words wmd_diversity:n_words
    embedding_intruder_accuracy:n_words""", of_evaluation, OF_EVALUATION, {
        "embedding_coherence": between(-1, 1), **dict.fromkeys([
            "normalized_mutual_information", "purity", "coverage", "topic_diversity",
            "classification_f1", "embedding_intruder_accuracy"], between(0, 1)),
    })  # fmt: skip
EVALUATION["judge"] = entry(judge, OF_EVALUATION, "n_words", between(0, 100))

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CLUSTERER = bertopic.SAEClusterer(3, sae=SAE).fit(EMBEDDINGS)
    BERTOPIC = bertopic.SAEBERTopic(4, **BASE, embedding_model=Encoder()).fit(TEXTS, EMBEDDINGS)
    BERTOPIC.delete_topics([3])  # so that there is a topic -1
OF_BERTOPIC = LEGAL | {
    "documents": lists(TEXTS), "docs": lists(TEXTS), "X": rows(EMBEDDINGS),
    "y": Choice(None, GROUPS), "nr_topics": Choice(2, 3, "auto"),
    "topic": often(st.integers(0, 2), integers), "top_n_words": 5, "soft": False,
    "topics": labels([0, 1, 2, -1] * 10), "classes": labels(GROUPS), "timestamps": TIMES,
    "topics_to_merge": st.one_of(st.lists(st.integers(-1, 2), max_size=3),
                                 st.sampled_from([[[0, 1]], [[0, 1], [2, 3]]])),
    "n_gram_range": Choice((1, 1), (1, 2)), "nr_bins": Choice(4, None),
    "vectorizer_model": Choice(None, CountVectorizer(), CountVectorizer(ngram_range=(1, 2))),
    "strategy": Choice("c-tf-idf", "distributions"), "probabilities": FITTED.doc_topics_[:, :3],
    "df": pd.DataFrame({"x": range(N)}), "metadata": Choice(None, {"y": list(range(N))}),
}  # fmt: skip


def of_bertopic(name):
    """Return a call of a method, which changes a copy of the model at most."""

    def call(**made):
        model, inner = copy.copy(BERTOPIC), dict(state(BERTOPIC.sae_model_))
        try:
            found = unchanged_if_it_raises(getattr(model, name), model, made)
        finally:
            assert all(inner[key] is value for key, value in state(BERTOPIC.sae_model_))
        check_bertopic(model)
        return None if found is model else found

    return call


def check_bertopic(model):
    inner = model.sae_model_
    shares = inner.doc_topics_.sum(axis=1)  # without those of deleted topics
    assert ((shares >= 0) & (shares < 1.001)).all()
    if inner.components_ is not None:
        check_mixtures(inner.components_)
    assert set(model.topics_) <= {-1, *range(inner.n_topics_)}
    assert sum(model.topic_sizes_.values()) >= inner.n_documents_seen_
    assert {-1, *model.topic_representations_} == {-1, *range(inner.n_topics_)}


def fit_bertopic(**parameters):
    if parameters.get("sae", SAE) in (None, "auto") or parameters.get("verbose"):
        raise ValueError  # atoms that take a second to train; lines printed
    made = bertopic.SAEBERTopic(**{"n_topics": 4, **BASE} | parameters, embedding_model=Encoder())
    check_bertopic(made.fit(TEXTS, EMBEDDINGS))


OWN = "n_topics merge sharpening word_vectors solver emission_n_iter random_state"
BERTOPIC_ENTRIES = {
    "bertopic parameters": entry(
        fit_bertopic, {}, **{name: PARAMETERS[name] for name in OWN.split()},
        target_weight=0.5, outlier_threshold=Choice(None, 0.5, 0.99), chunk=CHUNKS,
        top_n_words=Choice(10, 3), n_gram_range=Choice((1, 1), (1, 2)),
        nr_topics=Choice(None, 3, "auto"), calculate_probabilities=Choice(False, True),
        vectorizer_model=OF_BERTOPIC["vectorizer_model"], zeroshot_min_similarity=0.7,
        seed_topic_list=Choice(None, [[WORDS[0]], [WORDS[7]]]),
        zeroshot_topic_list=Choice(None, ["a name"], np.array(["one", "two"]))),
    **register(bertopic.SAEBERTopic, """
        fit:documents,embeddings partial_fit:documents,embeddings transform:documents,embeddings
        reduce_topics:nr_topics reduce_outliers:strategy merge_topics split_topic delete_topics
        set_topic_labels update_topics topics_over_time topics_per_class get_document_info
        explain_document""", of_bertopic, OF_BERTOPIC, {}),
    **register(bertopic.SAEClusterer, """
        fit partial_fit predict transform""", functools.partial(on_a_copy, CLUSTERER), OF_BERTOPIC),
}  # fmt: skip
counted = st.tuples(st.integers(0, len(WORDS) - 1), st.integers(1, 9))
odd_pairs = st.tuples(integers, st.one_of(numbers, st.floats(0, 9)))
bags = st.lists(often(st.lists(counted, max_size=6), st.lists(odd_pairs, max_size=2)), max_size=3)
GENSIM = FITTED.to_gensim()
BAGS = [GENSIM.id2word.doc2bow(tokens) for tokens in TOKENS]
corpora = Only(often(st.just(BAGS), st.one_of(bags, bags.map(iter), junk)))
OF_GENSIM = {
    "bow": Choice([(0, 2), (3, 1)], [], [[(1, 1)], []], [(10**6, 1)], [(-1, 1)], [(0, np.nan)]),
    "chunk": corpora, "corpus": corpora, "documents": Only(lists(TEXTS)),
    "embeddings": EMBEDDINGS, "minimum_probability": 0.01, "minimum_phi_value": 0.01,
    "per_word_topics": False, "gamma": rows(np.ones((N, 4))), "total_docs": Choice(None, 5),
    "num_words": 5, "topicid": Choice(0, 3, -1), "topn": 5, "word_id": Choice(WORDS[0], 0, 99),
    "coherence": Choice("u_mass", "c_npmi"), "texts": word_lists(TOKENS), "processes": Choice(1),
    "other": Choice(GENSIM, copy.copy(FITTED).retopic(2).to_gensim()), "n_ann_terms": 3,
    "distance": Choice("kullback_leibler", "hellinger", "jaccard", "jensen_shannon"),
    "chunksize": Choice(None, 1, 3), "merge": Choice(None, "ward"), "eps": 0.01,
    "num_topics": Choice(3, "auto", 1), "alpha": Choice("auto", "symmetric", "asymmetric", 0.1,
                                                         np.full(4, 0.2)),
    "eta": Choice(None, "symmetric", 0.01), "iterations": Choice(50, 3), "random_state": 0,
    "id2word": Choice(None, GENSIM.id2word, dict(enumerate(WORDS))),
    "model": Only(st.just(FITTED)),
}  # fmt: skip


def of_gensim(name):
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

    return call


def make_gensim(model=None, **made):
    try:
        if model is not None:
            made = gensim.SaeModel.from_model(model, **made)
        else:
            made = gensim.SaeModel(**BASE, encoder=Encoder(), **made)
    except AssertionError as error:  # gensim's for a prior of another length
        raise ValueError from error
    check_mixtures(made.get_topics())
    assert np.isfinite(made.alpha).all()
    assert np.isfinite(made.inference(BAGS[:3])[0]).all()


GENSIM_ENTRIES = {
    **register(gensim.SaeModel, """
        get_document_topics inference bound log_perplexity get_topic_terms get_term_topics diff
        update __getitem__ show_topics top_topics:corpus,processes retopic:num_topics""",
        of_gensim, OF_GENSIM),
    "gensim settings": entry(
        make_gensim, OF_GENSIM, "model", of=gensim.SaeModel.from_model),
    "gensim training": entry(
        make_gensim, OF_GENSIM, "corpus embeddings num_topics", part=0.5,
        **{name: OF_GENSIM[name] for name in ("corpus", "embeddings", "documents", "chunksize")},
        num_topics=Choice(3, "auto"), alpha=Choice("auto", 0.1)),
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
    output = model.train_model(dataset)
    check_mixtures(output["topic-word-matrix"])
    check_mixtures(output["topic-document-matrix"].T)
    assert len(output["topics"]) == len(output["topic-word-matrix"])


OCTIS = entry(
    train_octis, {}, corpus=word_lists(TOKENS), embeddings=EMBEDDINGS,
    vocabulary=Choice(WORDS, WORDS[:9], WORDS[::-1], None),
    parts=st.tuples(st.integers(0, 41), st.integers(5, 40)),
    num_topics=Choice(3, 1, 40, "auto"), merge=MERGES, sharpening=2.0,
    solver=PARAMETERS["solver"], emission_n_iter=Choice(None, 2),
)  # fmt: skip
ENTRIES = {**MODEL, **STAGES, **ANALYSIS, **EVALUATION, **BERTOPIC_ENTRIES, **GENSIM_ENTRIES,
           "octis": OCTIS}  # fmt: skip
