"""Generated input to the estimator: what it is made with, every method, lives of many calls."""

import copy

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse as sp
from fuzzing import (
    BOW,
    CURATED,
    EMBEDDINGS,
    FITTED,
    GROUPS,
    SAE,
    TEXTS,
    WORDS,
    Encoder,
    Entry,
    arguments,
    check_call,
    check_mixtures,
    check_model,
    check_unchanged,
    clear,
    examples,
    fuzz,
    state,
)
from hypothesis import given
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from strategies import Choice, Only, documents, integers, rows, texts, values_like

from saetm_plugins import SAETopicModel
from saetm_plugins.text import Chunker, WordVectorizer

WORD_VECTORS = {word: EMBEDDINGS[place % 40] for place, word in enumerate(WORDS)}
VECTORIZERS = Choice(
    None, CountVectorizer(), CountVectorizer(ngram_range=(1, 2), min_df=2), TfidfVectorizer(),
    WordVectorizer("german"), CountVectorizer(vocabulary=WORDS[:5]), CountVectorizer(max_df=0.0),
    HashingVectorizer(), CountVectorizer, CountVectorizer(token_pattern="x"),
    CountVectorizer(lowercase=3), CountVectorizer(tokenizer=str.split),
)  # fmt: skip
PARAMETERS = {
    "n_topics": Choice(4, "auto", None, 1, 8, 10),
    "sae": Choice(SAE, "default"),
    "encoder": Choice(None, Encoder()),
    "vectorizer": VECTORIZERS,
    "random_state": Choice(0, None, np.random.RandomState(3), 2**32 - 1, np.int64(7)),
    "merge": Choice("auto", "nmf", "kmeans", "ward", "hdbscan"),
    "n_atoms": Choice(8, None, 12),
    "k": Choice(2, None, 3),
    "activation": Choice("batch_topk", "topk", "jumprelu", "l1"),
    "sharpening": Choice(2.0, None, 1, 0.3, 50),
    "seed_topics": Choice(None, {"one": [WORDS[0]], "two": [WORDS[6], WORDS[7]]}, {"x": WORDS[0]},
                          {"none": ["unknown"]}, {}),
    "word_vectors": Choice("corpus", "auto", WORD_VECTORS, {}, {WORDS[0]: EMBEDDINGS[0]}),
    "solver": Choice("em", "adam"),
    "emission_n_iter": Choice(None, 1, 3),
    "device": Choice("cpu", "auto"),
    "language": Choice("auto", None, "english", "de", ["en", "fr"]),
}  # fmt: skip
FIT = {
    "n_topics": 4, "sae": SAE, "word_vectors": "corpus",
}  # fmt: skip


@fuzz
@given(arguments(Entry(None, {}, PARAMETERS)), st.booleans())
def test_parameters(changed, with_words):
    made, names = changed
    if isinstance(made.get("encoder"), str):
        return  # the name of a model on the hub
    if made.get("sae", SAE) is None or (isinstance(made.get("sae"), str) and made["sae"] == "auto"):
        return  # trains for a second, see test_training.py
    model = SAETopicModel(**FIT | made)
    before = state(model)
    names += ["n_topics", "embeddings", "seed_topics"] if {"sae", "n_atoms", "k"} & {*names} else []
    names += ["documents", "vocabulary"] if "vectorizer" in names or "language" in names else []
    names += ["live atoms", "HDBSCAN"] if "merge" in names or "n_topics" in names else []
    given_texts = TEXTS if with_words else None
    if clear(lambda: model.fit(given_texts, embeddings=EMBEDDINGS), *names) is None:
        check_unchanged(model, before)
    else:
        check_model(model)


def on_a_copy(name, model=FITTED):
    """Return a call of a method that changes a model, on a copy; refused, it changes nothing."""

    def call(**made):
        subject = copy.copy(model)
        before = state(subject)
        try:
            return getattr(subject, name)(**made)
        except BaseException:
            check_unchanged(subject, before)
            raise

    return call


PAIRED = {"documents": TEXTS, "embeddings": EMBEDDINGS}
CHUNKS = Choice("auto", None, Chunker(), Chunker(max_tokens=8), Chunker("paragraph"), "fitted")
LANGUAGES = ["en", "de"] * 20
NAMED = ("documents", "embeddings", "Complex")
DOC_ATOMS = FITTED.doc_atoms_


def fit(**made):
    model = SAETopicModel(4, sae=SAE, encoder=Encoder(), word_vectors="corpus")
    before = state(model)
    try:
        return model.fit(**made)
    except BaseException:
        check_unchanged(model, before)
        raise


def fit_on_counts(**made):
    return fit(embeddings=EMBEDDINGS, **made)


def merged(models):
    return SAETopicModel.merge_models(models)


def check_labels(found, _):
    check_mixtures(found[1])
    assert ((found[0] >= -1) & (found[0] < FITTED.n_topics_)).all()


METHODS = {
    "fit": Entry(
        fit,
        PAIRED,
        {"classes": GROUPS, "class_weight": 0.5, "chunk": CHUNKS, "y": Only(st.just(GROUPS)),
         "languages": LANGUAGES},
        also=(*NAMED, "bow", "n_topics"),
        check=check_model,
    ),
    "fit_counts": Entry(
        fit_on_counts,
        {"bow": BOW, "vocabulary": WORDS},
        {"class_weight": 0.5, "classes": GROUPS},
        also=("documents", "vocabulary", "bow", "Complex"),
        check=check_model,
    ),
    "partial_fit": Entry(
        on_a_copy("partial_fit"), PAIRED, {"decay": 1.0, "chunk": CHUNKS}, NAMED, check_model
    ),
    "partial_fit_atoms": Entry(
        on_a_copy("partial_fit", CURATED),
        {"documents": TEXTS, "doc_atoms": DOC_ATOMS}, {"decay": 1.0}, ("doc_atoms",), check_model,
    ),
    "partial_fit_counts": Entry(
        on_a_copy("partial_fit"),
        {"embeddings": EMBEDDINGS, "bow": BOW, "vocabulary": WORDS},
        {"decay": Choice(1.0, 0, 0.5, 1e6, 2)},
        ("documents", "vocabulary", "bow", "Complex"),
        check_model,
    ),
    "transform": Entry(
        FITTED.transform, PAIRED, {"chunk": CHUNKS}, NAMED, check_mixtures
    ),
    "transform_atoms": Entry(
        CURATED.transform_atoms, PAIRED, {"chunk": CHUNKS}, NAMED, None
    ),
    "encode": Entry(FITTED.encode, {"documents": TEXTS}),
    "embed_passages": Entry(
        FITTED.embed_passages, {"documents": TEXTS},
        {"chunker": Choice(Chunker(max_tokens=8), None, Chunker("paragraph"))}, ("encoder",),
    ),
    "prepare_topic_data": Entry(
        FITTED.prepare_topic_data, {"corpus": TEXTS}, {"embeddings": EMBEDDINGS}, NAMED
    ),
    "relearn_words": Entry(
        on_a_copy("relearn_words"), {"bow": BOW, "vocabulary": WORDS}, {}, ("documents",),
        check_model,
    ),
    "merge_models": Entry(
        merged, {"models": st.lists(st.sampled_from([FITTED, FITTED, CURATED]), max_size=3)},
        {}, ("models",), check_model,
    ),
    "retopic": Entry(
        on_a_copy("retopic"),
        {"n_topics": st.one_of(integers, st.sampled_from([None, "auto", "x"]))},
        {"merge": PARAMETERS["merge"]},
        ("live atoms",),
        check_model,
    ),
    "merge_topics": Entry(
        on_a_copy("merge_topics"),
        {"topics_to_merge": st.one_of(
            st.lists(st.integers(0, 3), min_size=2, max_size=3, unique=True),
            st.lists(st.integers(0, 4), max_size=4),
            st.lists(st.lists(integers, min_size=2, max_size=3), max_size=2),
            st.lists(st.integers(0, 3), min_size=2, max_size=2, unique=True).map(np.array),
            st.permutations(range(4)).map(lambda p: [p[:2], p[2:]]),
        )},
        check=check_model,
    ),
    "split_topic": Entry(
        on_a_copy("split_topic"), {"topic": st.one_of(st.integers(0, 3), integers)},
        {"n": st.sampled_from([2, 2, 3, 4, 1, "x"])},
        ("n=", "n "), check_model,
    ),
    "drop_atoms": Entry(
        on_a_copy("drop_atoms"),
        {"atoms": st.one_of(
            st.lists(st.integers(0, 9), max_size=4), st.lists(integers, max_size=3),
            st.lists(st.integers(0, 9)).map(np.array), st.sets(st.integers(0, 9)),
        )},
        {}, ("topic",), check_model,
    ),
    "set_topic_labels": Entry(
        on_a_copy("set_topic_labels", CURATED),
        {"topic_labels": st.one_of(
            st.dictionaries(st.integers(0, 2), texts, max_size=3),
            st.dictionaries(integers.filter(np.isscalar), st.one_of(texts, st.none()), max_size=2),
            st.lists(st.one_of(texts, texts, st.none()), min_size=3, max_size=3),
            st.lists(texts, max_size=4),
        )},
        check=check_model,
    ),
    "topics_of": Entry(FITTED.topics_of, {"doc_atoms": DOC_ATOMS}, {}, (), check_labels),
    "get_topics": Entry(
        FITTED.get_topics, {}, {"n_words": 5, "language": Choice(None, None, "en")},
        ("words", "several"),
    ),
    "get_representative_indices": Entry(
        FITTED.get_representative_indices, {"n_documents": 2}
    ),
    "document_table": Entry(
        FITTED.document_table, {}, {"doc_topics": FITTED.doc_topics_, "ids": GROUPS, "n_next": 2},
        ("documents", "Complex"),
    ),
    "topic_table": Entry(CURATED.topic_table, {}, {"n_words": 3}),
    "to_gensim": Entry(
        FITTED.to_gensim, {},
        {"id2word": st.permutations(WORDS).map(lambda words: dict(enumerate(words)))},
        ("words",),
    ),
}  # fmt: skip
SLOW = {"fit": 1, "to_gensim": 0.3}


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    entry = METHODS[name]
    if name == "to_gensim":
        pytest.importorskip("gensim")

    @examples(SLOW.get(name, 1))
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()


BATCHES = st.tuples(
    st.integers(1, 12), st.sampled_from([1.0, 0.5, 0, 2, 1e6]), st.booleans(), st.integers(0, 39)
)
STEPS = st.one_of(
    st.tuples(st.just("partial_fit"), BATCHES),
    st.tuples(st.just("retopic"), st.integers(1, 10)),
    st.tuples(st.just("merge_topics"), st.lists(st.integers(0, 3), max_size=3)),
    st.tuples(st.just("split_topic"), st.integers(0, 4)),
    st.tuples(st.just("drop_atoms"), st.lists(st.integers(0, 9), max_size=2)),
    st.tuples(st.just("set_topic_labels"), st.dictionaries(st.integers(0, 4), texts, max_size=2)),
    st.tuples(st.just("undo"), st.none()),
    st.tuples(st.just("save"), st.none()),
    st.tuples(st.just("relearn_words"), st.integers(1, 10)),
)
LIVES = st.lists(STEPS, min_size=1, max_size=8)
MEANT = {
    "partial_fit": ("decay", "documents", "bow"), "retopic": ("n_topics", "merge"),
    "merge_topics": ("topics_to_merge",), "split_topic": ("topic", "n="), "undo": ("undo",),
    "drop_atoms": ("atoms", "topic"), "set_topic_labels": ("topic_labels",), "save": ("path",),
    "relearn_words": ("bow",),
}  # fmt: skip


def act(model, step, value, folder):
    """Take one step of a life; return the model, the loaded one where it was saved."""
    if step == "partial_fit":
        n, decay, odd, start = value
        chosen = [(start + place) % 40 for place in range(n)]
        words = ["" if odd and place % 3 == 0 else TEXTS[place] for place in chosen]
        return model.partial_fit(words, embeddings=EMBEDDINGS[chosen], decay=decay)
    if step == "save":
        model.save(folder / "model", overwrite=True)
        return SAETopicModel.load(folder / "model", encoder=Encoder())
    if step == "undo":
        return model.undo()
    if step == "relearn_words":
        rows_of_batch = model.doc_atoms_.shape[0]
        return model.relearn_words(sp.csr_matrix(BOW[:rows_of_batch, :value]), WORDS[:value])
    return getattr(model, step)(value)


@fuzz
@given(
    life=st.lists(STEPS, min_size=1, max_size=8), merge=st.sampled_from(["nmf", "kmeans", "ward"])
)
def test_lives(tmp_path_factory, life, merge):
    folder = tmp_path_factory.getbasetemp()
    model = copy.copy(FITTED)
    model.merge = merge
    for step, value in life:
        before, subject = state(model), model
        found = clear(lambda: act(model, step, value, folder), *MEANT[step])  # noqa: B023
        if found is None:
            check_unchanged(subject, before)
            continue
        model = found
        check_model(model)
        check_mixtures(model.transform(None, EMBEDDINGS[:3]))


@fuzz
@given(documents(TEXTS), st.one_of(st.none(), rows(EMBEDDINGS)))
def test_texts_and_embeddings_in_any_shape(given_texts, embeddings):
    model = copy.copy(FITTED)
    before = state(model)
    names = ("documents", "embeddings", "Complex", "encoder output")
    found = clear(lambda: model.transform(given_texts, embeddings), *names)
    if found is not None:
        check_mixtures(found)
    check_unchanged(model, before)


@fuzz
@given(values_like(EMBEDDINGS), values_like(CHUNKS))
def test_embeddings_alone(embeddings, chunk):
    found = clear(
        lambda: FITTED.transform(None, embeddings, chunk=chunk), *("embeddings", "Complex", "chunk")
    )
    if found is not None:
        check_mixtures(found)
