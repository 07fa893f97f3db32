"""Generated input to OCTIS' face of the model: hyperparameters, datasets, ready-made embeddings."""

import re
import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
from fuzzing import EMBEDDINGS, FITTED, TEXTS, Entry, arguments, check_call, clear, examples
from hypothesis import given
from strategies import Choice, Only, documents, junk, mostly, rows, texts, values_like, word_lists

from saetm_plugins import evaluation

octis = pytest.importorskip("saetm_plugins.octis")

TOKENS = [text.split() for text in TEXTS]
VOCABULARY = sorted({word for tokens in TOKENS for word in tokens})
whole_fits = examples(0.05)  # each trains atoms


class Dataset:
    """The four getters of OCTIS' Dataset that its models call."""

    def __init__(self, corpus=TOKENS, vocabulary=VOCABULARY, parts=(28, 12)):
        self.corpus, self.vocabulary, self.parts = corpus, vocabulary, parts

    def get_corpus(self):
        return self.corpus

    def get_vocabulary(self):
        return self.vocabulary

    def get_metadata(self):
        return {"total_documents": len(self.corpus)}

    def get_partitioned_corpus(self, use_validation=True):
        first, last = self.parts
        return [self.corpus[:first], self.corpus[len(self.corpus) - last :]]


def make(folder, **settings_):
    chosen = {"num_topics": 3, "n_atoms": 8, "k": 2, "word_vectors": "corpus"} | settings_
    chosen["embeddings"] = chosen.get("embeddings", EMBEDDINGS)
    return octis.SAETM(cache_folder=str(folder), **chosen)


def check(output):
    np.testing.assert_allclose(output["topic-word-matrix"].sum(axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(output["topic-document-matrix"].sum(axis=0), 1, atol=1e-3)
    assert len(output["topics"]) == len(output["topic-word-matrix"])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    model = make(tmp_path_factory.mktemp("cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.train_model(Dataset())
    return model


# An encoder or a path of embeddings is a name, for the hub or of a file.
PARAMETERS = sorted(
    set(octis.SAETM().hyperparameters) - {"encoder", "embeddings_path", "cache_folder", "device"}
)


@whole_fits
@given(
    name=st.sampled_from([*PARAMETERS, "unknown", "top_words"]),
    value=mostly(
        st.one_of(
            st.sampled_from(["nmf", "ward", "auto", "corpus", "topk", "adam", None]),
            st.integers(1, 4),
        )
    ),
)
def test_hyperparameters(fitted, name, value):
    before = dict(fitted.hyperparameters), fitted.trained_model
    arguments = {"top_words": value} if name == "top_words" else {"hyperparameters": {name: value}}
    output = clear(
        lambda: fitted.train_model(Dataset(), **arguments), name, "num_topics", "n_topics"
    )
    if output is None:
        assert (fitted.hyperparameters, fitted.trained_model) == before
    elif name == "top_words" and value == 0:
        assert "topics" not in output
    else:
        check(output)
        fitted.hyperparameters = before[0]


corpora = st.one_of(
    mostly(st.just(TOKENS)),
    st.lists(st.one_of(junk, st.lists(texts, max_size=3)), max_size=4),
    st.integers(0, 39).map(lambda row: [*TOKENS[:row], [], *TOKENS[row + 1 :]]),
    st.tuples(st.integers(0, 39), junk).map(
        lambda changed: [*TOKENS[: changed[0]], changed[1], *TOKENS[changed[0] + 1 :]]
    ),
    documents(TOKENS[0]).map(lambda found: [found, *TOKENS[1:]]),
    st.integers(10, 40).map(lambda n: TOKENS[:n]),
    st.just(TOKENS),
)


@whole_fits
@given(
    corpora,
    st.one_of(
        mostly(st.just(VOCABULARY)),
        st.permutations(VOCABULARY),
        st.none(),
        st.lists(st.sampled_from(VOCABULARY), min_size=2),
        st.lists(texts, max_size=3),
    ),
)
def test_datasets(tmp_path_factory, corpus, vocabulary):
    folder = tmp_path_factory.getbasetemp() / "octis"
    rows = len(corpus) if isinstance(corpus, list) else len(EMBEDDINGS)
    model = make(folder, embeddings=np.resize(EMBEDDINGS, (max(rows, 1), 6)))
    model.partitioning(use_partitions=False)
    names = ("dataset", "num_topics", "documents", "bow", "live atoms")
    output = clear(lambda: model.train_model(Dataset(corpus, vocabulary)), *names)
    if output is not None:
        check(output)


@whole_fits
@given(rows(EMBEDDINGS), st.tuples(st.integers(0, 41), st.integers(5, 40)))
def test_embeddings_of_a_dataset(tmp_path_factory, vectors, parts):
    model = make(tmp_path_factory.getbasetemp() / "octis", embeddings=vectors)
    corpus = TOKENS[: vectors.shape[0]] if getattr(vectors, "ndim", 0) == 2 else TOKENS
    names = ("embeddings", "dataset", "documents", "num_topics", "Complex", "bow", "live atoms")
    output = clear(lambda: model.train_model(Dataset(corpus, parts=parts)), *names)
    if output is not None:
        check(output)


OUTPUT = {
    "topics": FITTED.get_topics(10), "topic-word-matrix": FITTED.components_,
    "topic-document-matrix": FITTED.doc_topics_.T,
}  # fmt: skip
WORD_VECTORS = {word: EMBEDDINGS[place] for place, word in enumerate(FITTED.vocabulary_)}


@st.composite
def outputs(draw):
    """The output of a model, a part of it changed."""
    made = dict(OUTPUT)
    part = draw(st.sampled_from([*OUTPUT, "none"]))
    if part == "none":
        return draw(st.one_of(st.just(made), junk))
    what = draw(st.sampled_from(["gone", "other", "other", "junk", "same", "same"]))
    if what == "gone":
        del made[part]
    elif what == "junk":
        made[part] = draw(junk)
    elif part == "topics" and what == "other":
        made[part] = draw(word_lists(OUTPUT["topics"]))
    elif what == "other":
        made[part] = draw(values_like(OUTPUT[part]))
    return made


vectors = st.sampled_from([*[WORD_VECTORS] * 4, dict(list(WORD_VECTORS.items())[:8])])


def answer(prompt):
    """Name the first word shown, or rate by 2 where there are no words to choose from."""
    shown = re.search("Four of these five words.*: (.*),", prompt)
    return shown.group(1).split(", ")[0] if shown else "2"


chats = Only(st.just(evaluation.CallableChat(answer)))
METRICS = {
    "WMDDiversity": {"topk": Choice(5, 3), "word_vectors": vectors},
    "EmbeddingIntruder": {"topk": Choice(5, 3), "word_vectors": vectors, "n_repeats": 2,
                          "random_state": 0},
    "TopicSignificance": {"junk": Choice("vacuous", "uniform", "background")},
    "IntruderDetection": {"chat": chats},
    "CoherenceRating": {"chat": chats},
}  # fmt: skip


@pytest.mark.parametrize("name", METRICS)
def test_metrics_of_octis(name):
    def call(model_output, **made):
        found = getattr(octis, name)(**made).score(model_output)
        return min(found, 1e9)  # a divergence may be infinite

    always = {key: value for key, value in METRICS[name].items() if key in ("chat", "word_vectors")}
    options = {key: value for key, value in METRICS[name].items() if key not in always}
    names = ("model_output", "topic", "topics", "n_words", "topk", "word_vectors", "Complex")
    entry = Entry(call, {"model_output": Only(outputs()), **always}, options, names)

    @examples(0.2)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed, errors=(ValueError, TypeError, evaluation.JudgeError))

    run()
