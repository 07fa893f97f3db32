"""Entries of the core: the estimator, the stages beneath it, analysis and evaluation.

Calls whose results hold no numbers (figures, texts) are not here: nothing of them can be checked.
"""

import copy

import hypothesis.strategies as st
import numpy as np
import pandas as pd
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
    check_model,
    entry,
    on_a_copy,
)  # fmt: skip
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from strategies import (
    Choice,
    Only,
    integers,
    labels,
    lists,
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

N = len(TEXTS)
N_TOPICS = FITTED.n_topics_
CHUNKS = Choice("auto", None, Chunker(), Chunker(max_tokens=8), Chunker("paragraph"), "fitted")
MERGES = Choice("ward", "nmf", "kmeans", "auto", "hdbscan")
SHIPPED = load_foundation(1024).mean_ + load_foundation(1024).decoder_[:9]
TIMES = st.one_of(
    labels(list(range(N))), labels([f"{2000 + row // 4}-01-01" for row in range(N)]),
    st.lists(st.datetimes(), min_size=N, max_size=N),
)  # fmt: skip
# Legal values of arguments, whichever function they are of.
LEGAL = {
    "documents": TEXTS, "embeddings": EMBEDDINGS, "bow": BOW, "vocabulary": WORDS,
    "classes": GROUPS, "class_weight": 0.5, "chunk": CHUNKS, "languages": ["en", "de"] * 20,
    "doc_atoms": shares(FITTED.doc_atoms_), "doc_topics": FITTED.doc_topics_,
    "decay": Choice(1.0, 0, 0.5, 1e6, 2), "n_words": 4, "n_documents": 2, "n_topics": 3,
    "merge": MERGES, "random_state": 0, "ids": list(range(N)), "groups": GROUPS,
    "strata": ["x", "y", "y", "x"] * 10, "a": Choice("a", "b"), "b": Choice(None, "b"),
    "times": TIMES, "bins": Choice(5, 4, "auto", "2Y", 1, 40),
    "threshold": 0.1, "max_mean": 0.4, "confidence": 0.95, "n_resamples": 20,
    "n_permutations": 20, "level": Choice("topics", "atoms"), "min_documents": 2,
    "method": Choice("spearman", "mann-kendall"), "document": Choice(0, 3, TEXTS[0]),
    "embedding": EMBEDDINGS[0], "columns": pd.DataFrame({"extra": range(N)}),
    "topic": Choice(0, 1, 3), "n": Choice(2, 3), "atoms": Choice([0, 1], 3),
    "words": Choice([WORDS[0]], WORDS[:3]), "like": Choice(0, EMBEDDINGS[0], TEXTS[0]),
    "query": Choice(TEXTS[0], "other"), "atom_weight": 0.5, "n_atoms": 2, "n_splits": 2,
    "levels": Choice([2, 4], [2], [3], None), "topics": Choice([0, 1, 2], None, [0, 1]),
    "least_overlap": 0.5, "seeds": Choice(1, [3]), "bootstraps": Choice(0, 1),
    "counts": Choice([2, 3], [4]), "text": Choice(TEXTS[0], TEXTS[0] + ". " + TEXTS[1]),
    "names": Choice(None, ["one", "two", "three", "four"]), "language": Choice(None, "en"),
    "n_iter": 3, "background_weight": Choice(0.3, 0, 1e-30, 0.9999999, 5e-324),
    "word_weights": Choice(None, np.ones(6), np.zeros(6), np.full(6, 1e-30)),
    "prior": Choice(1.0, 0.0, 1e-30, 1e6), "tol": Choice(2e-3, 0.0, 1.0),
    "backend": Choice("auto", "numba", "torch"), "solver": Choice("em", "em", "adam"),
    "k": 2, "n_steps": 5, "batch_size": Choice(16, 1, 40, 1000), "learning_rate": 0.005,
    "activation": Choice("batch_topk", "topk", "jumprelu", "l1"), "warmup": 0.1,
    "expansion": Choice(1.5, 2), "resample": 0.6, "normalization": Choice("unit", "none"),
    "anneal": Choice(None, 0.5), "sparsity": Choice(None, 0.1),
}  # fmt: skip


def core(call, given="", check=None, part=1.0, of=None, **own):
    return entry(call, LEGAL, given, check, part, of, **own)


def method(name, given="", check=None, part=1.0, model=FITTED, **own):
    """Return the entry of a method of the estimator."""
    of = getattr(SAETopicModel, name)
    return core(on_a_copy(model, name, encoder=Encoder()), given, check, part, of, **own)


def fit(**made):
    model = SAETopicModel(4, sae=SAE, encoder=Encoder(), word_vectors="corpus")
    return on_a_copy(model, "fit")(**made)


def fit_with(**parameters):
    """Fit a model of these parameters."""
    if isinstance(parameters.get("encoder"), str) or parameters.get("sae", SAE) in (None, "auto"):
        raise ValueError  # the name of a model to download; atoms that take a second to train
    model = SAETopicModel(**{"n_topics": 4, "sae": SAE, "word_vectors": "corpus"} | parameters)
    return on_a_copy(model, "fit")(documents=TEXTS, embeddings=EMBEDDINGS)


VECTORIZERS = Choice(
    None, CountVectorizer(), CountVectorizer(ngram_range=(1, 2), min_df=2), TfidfVectorizer(),
    WordVectorizer("german"), CountVectorizer(vocabulary=WORDS[:5]), CountVectorizer(max_df=0.0),
    HashingVectorizer(), CountVectorizer, CountVectorizer(tokenizer=str.split),
)  # fmt: skip
PARAMETERS = {
    "n_topics": Choice(4, "auto", None, 1, 8, 10), "sae": Choice(SAE, "default"),
    "encoder": Choice(None, Encoder()), "vectorizer": VECTORIZERS, "merge": MERGES,
    "random_state": Choice(0, None, np.random.RandomState(3), 2**32 - 1, np.int64(7)),
    "n_atoms": Choice(8, None), "k": Choice(2, None, 3), "sharpening": Choice(2.0, None, 0.3, 50),
    "activation": LEGAL["activation"], "solver": LEGAL["solver"],
    "seed_topics": Choice(None, {"one": [WORDS[0]], "two": [WORDS[6], WORDS[7]]}, {"x": ["?"]}),
    "word_vectors": Choice("corpus", "auto", WORD_VECTORS, {}, {WORDS[0]: EMBEDDINGS[0]}),
    "emission_n_iter": Choice(None, 1, 3), "device": Choice("cpu", "auto"),
    "language": Choice("auto", None, "english", "de", ["en", "fr"]),
}  # fmt: skip


def check_labels(found):
    check_mixtures(found[1])
    assert ((found[0] >= -1) & (found[0] < N_TOPICS)).all()


some_topics = st.lists(st.integers(0, N_TOPICS), max_size=4)
MODEL = {
    "parameters": core(fit_with, check=check_model, **PARAMETERS),
    "fit": core(fit, "documents embeddings", check_model, of=SAETopicModel.fit,
                y=Only(st.just(GROUPS))),
    "fit_counts": core(fit, "embeddings bow vocabulary", check_model, classes=GROUPS,
                       class_weight=0.5),
    "partial_fit": method("partial_fit", "documents embeddings", check_model),
    "partial_fit_atoms": core(on_a_copy(CURATED, "partial_fit"), "documents doc_atoms",
                              check_model, decay=LEGAL["decay"]),
    "partial_fit_counts": core(on_a_copy(FITTED, "partial_fit"), "embeddings bow vocabulary",
                               check_model, decay=LEGAL["decay"]),
    "transform": method("transform", "documents embeddings", check_mixtures),
    "transform_one": method("transform", "embeddings", check_mixtures, documents=Choice(None)),
    "transform_atoms": method("transform_atoms", "documents embeddings", model=CURATED),
    "encode": method("encode"),
    "embed_passages": method("embed_passages",
                             chunker=Choice(Chunker(max_tokens=8), None, Chunker("paragraph"))),
    "prepare_topic_data": method("prepare_topic_data", corpus=TEXTS),
    "relearn_words": method("relearn_words", "bow vocabulary", check_model),
    "merge_models": core(SAETopicModel.merge_models, "", check_model,
                         models=st.lists(st.sampled_from([FITTED, CURATED]), max_size=3)),
    "retopic": method("retopic", "", check_model, n_topics=Choice(3, 1, 10, "auto")),
    "merge_topics": method("merge_topics", "", check_model, topics_to_merge=st.one_of(
        st.lists(st.integers(0, 3), min_size=2, max_size=3, unique=True), some_topics,
        st.lists(st.lists(integers, min_size=2, max_size=3), max_size=2),
        st.permutations(range(4)).map(lambda p: [p[:2], p[2:]]))),
    "split_topic": method("split_topic", "", check_model, topic=st.integers(0, 4)),
    "drop_atoms": method("drop_atoms", "", check_model,
                         atoms=st.lists(st.integers(0, 10), max_size=4)),
    "set_topic_labels": method("set_topic_labels", "", check_model, model=CURATED,
                               topic_labels=st.one_of(
        st.dictionaries(st.integers(0, 3), texts, max_size=3),
        st.lists(st.one_of(texts, st.none()), min_size=3, max_size=4))),
    "topics_of": method("topics_of", "", check_labels),
    "get_representative_indices": method("get_representative_indices"),
    "document_table": method("document_table", n_next=2, ids=GROUPS),
    "topic_table": method("topic_table", model=CURATED),
}  # fmt: skip


def check_codes(codes):
    assert (codes.data >= 0).all()


def check_sae(sae):
    for array in (sae.encoder_, sae.decoder_, sae.thresholds_, sae.mean_):
        assert np.isfinite(array).all()
    if sae.n_features == EMBEDDINGS.shape[1]:
        check_codes(sae.transform(EMBEDDINGS))


def check_emissions(found):
    for words in (found.atom_words, found.background[None]):
        check_mixtures(words)
    assert np.isfinite(found.log_likelihood_).all()
    assert found.background_mass >= 0


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
STAGES = {
    "codes": core(SAE.transform, "", check_codes),
    "reconstruct": core(SAE.reconstruct),
    "weights": core(
        lambda weights, **more: SparseAutoencoder(weights, **{"activation": "topk", "k": 2} | more),
        "", check_sae, weights=weights_of_atoms(), k=2, keep_strongest=True, scale=1.0,
        activation=LEGAL["activation"], normalization=Choice("unit", "none", "scale")),
    "train": core(train_sae, "n_atoms k n_steps batch_size", check_sae, n_atoms=8, decay=0.8,
                  levels=Choice((1.0,), (0.5, 1.0), (0.25, 0.5, 1.0))),
    "emissions": core(fit_emissions, "n_iter", check_emissions, doc_atoms=THETA, bow=COUNTS),
    "pooled": core(
        lambda n_iter, background_weight: fit_pooled_emissions(
            SUMS.atom_words, SUMS.atom_pairs, SUMS.document_frequency, N, n_iter=n_iter,
            background_weight=background_weight), "", check_emissions),
    "inference": core(
        infer_doc_atoms, "", check_mixtures, bow=COUNTS, emissions=Choice(EMISSIONS),
        prevalence=Choice(np.full(4, 0.25), None, np.full(4, 1e-320), np.eye(4)[0]),
        n_candidates=Choice(128, 1, 2, 4), n_active=Choice(None, 1, 2, 4)),
    "merge": core(
        lambda name, n_topics: make_merge(name).fit(
            FITTED.atoms_.views(name)).cut(n_topics).atom_topics,
        name=Choice("nmf", "kmeans", "ward"), n_topics=integers),
    "vectorizer": core(
        lambda raw, **settings: WordVectorizer(**settings).fit_transform(raw),
        raw=Only(st.lists(st.one_of(st.sampled_from(TEXTS), texts), min_size=1)),
        language=Choice(None, "german", ["en", "ja"], "zh"), keep=Choice((), ("a",)),
        stop_words=Choice("auto", None, ["x"], "english"), min_df=Choice(1, 2, 0.1),
        max_df=Choice(1.0, 3, 0.5), ngram_range=Choice((1, 1), (1, 3), (2, 2))),
}  # fmt: skip


def analyze(name, given="", check=None, part=1.0, **own):
    function = getattr(analysis, name)

    def call(**made):
        if {"atoms", "words", "like", "query"} & made.keys() and name == "find_documents":
            made.pop("topic", None)
        return function(copy.copy(FITTED), **made)  # name_topics() gives it labels

    return core(call, given, check, part, of=function, **own)


FOUR = Choice([["x", "y"]] * 4, [["x", "z"], ["y"], [], ["y", "x"]])
ANALYSIS = {
    **{name: analyze(name) for name in (
        "topic_shares", "coverage", "rank_topics_by_variance", "trend_tests", "explain_document",
        "drill_down", "export_documents", "taxonomy", "topic_levels", "topic_linkage",
        "topic_words", "atom_words", "spans")},
    "compare_groups": analyze("compare_groups", "n_resamples n_permutations"),
    "topic_trends": analyze("topic_trends", "n_resamples"),
    "topic_correlations": analyze("topic_correlations", "threshold min_documents"),
    "find_documents": analyze("find_documents", "topic", documents=Choice(None)),
    "mixtures": analyze("mixtures", "documents embeddings", check_mixtures),
    "document_atoms": analyze("document_atoms", "documents embeddings"),
    "name_scores": analyze("name_scores", "documents", part=0.3, documents=Only(lists(TEXTS))),
    "suggest_n_topics": analyze("suggest_n_topics", "counts documents embeddings", part=0.2),
    "topic_stability": analyze("topic_stability", "documents embeddings seeds", part=0.2),
    "name_topics": analyze("name_topics", "documents", part=0.3),
    "match_topics": core(analysis.match_topics, words=FOUR, other_words=FOUR,
                         labels=FITTED.labels_, other_labels=FITTED.labels_),
    "document_npmi": core(analysis.document_npmi, bow=Only(weights(BOW)),
                          topic_words=Choice(np.array([[0, 1], [3, 2]]))),
    "explain_text": core(analysis.explain_text, "embedding",
                         embedding=Only(st.sampled_from(list(SHIPPED)))),
    "map_documents": core(map_documents, "method", vectors=EMBEDDINGS, method=Choice("pca")),
}  # fmt: skip
ASSIGNED = THEMES.tolist()
TOPICS = FITTED.get_topics(5)
WORDED = {"topics": word_lists(TOPICS), "n_words": Choice(3, 2, 4, np.uint8(5))}
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


EVALUATION = {
    **{function.__name__: core(function, "", between(0, 1), labels=ASSIGNED)
       for function in (evaluation.normalized_mutual_information, evaluation.purity)},
    "coverage of labels": core(evaluation.coverage, "", between(0, 1), labels=ASSIGNED),
    "diversity": core(evaluation.topic_diversity, "n_words", between(0, 1), **WORDED),
    "coherence": core(evaluation.topic_coherence, "n_words", part=0.3, **WORDED,
                      texts=word_lists(TOKENS), n_jobs=Choice(1),
                      measure=Choice("c_npmi", "c_v", "u_mass", "c_uci")),
    "significance": core(  # divergences may be infinite, but are numbers
        lambda topic_words, doc_topics: [np.minimum(each, 1e9) for each in
                                         evaluation.topic_significance(topic_words, doc_topics)],
        topic_words=FITTED.components_),
    "classification_f1": core(evaluation.classification_f1, "", between(0, 1), 0.3,
                              n_folds=Choice(2, 3, np.int64(4))),
    "embedding_coherence": core(evaluation.embedding_coherence, "n_words", between(-1, 1),
                                **WORDED, word_vectors=VECTORS),
    "intruders": core(evaluation.embedding_intruder_accuracy, "n_words", between(0, 1), **WORDED,
                      word_vectors=VECTORS, n_repeats=2),
    "wmd": core(evaluation.wmd_diversity, "n_words", **WORDED, word_vectors=VECTORS),
    "judge": core(judge, "n_words", between(0, 100), **WORDED, n_attempts=st.integers(1, 3),
                  answers=st.one_of(st.just("2"), st.lists(texts, min_size=1, max_size=4))),
}  # fmt: skip
CORE = {**MODEL, **STAGES, **ANALYSIS, **EVALUATION}
