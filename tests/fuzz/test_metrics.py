"""Generated input to the measures of topics, and to the judge, whose model answers at random."""

import hypothesis.strategies as st
import numpy as np
import pytest
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    GROUPS,
    TEXTS,
    THEMES,
    WORDS,
    Entry,
    arguments,
    check_call,
    examples,
)
from hypothesis import given
from strategies import Choice, labels, rows, texts, word_lists

from saetm_plugins import evaluation

VECTORS = {word: EMBEDDINGS[place] for place, word in enumerate(WORDS)}
TOPICS = FITTED.get_topics(5)
TOKENS = [text.split() for text in TEXTS]
ASSIGNED = THEMES.tolist()


@st.composite
def vectors(draw):
    """Vectors of words, one of them changed."""
    made = dict(VECTORS)
    word = draw(st.sampled_from(WORDS))
    what = draw(st.sampled_from(["same", "gone", "zero", "list", "rows", "wrong"]))
    if what == "gone":
        del made[word]
    elif what == "rows":
        changed = draw(rows(EMBEDDINGS))
        if len(np.shape(changed)) == 2 and isinstance(changed, np.ndarray):
            made = dict(zip(WORDS, changed, strict=False))
    elif what != "same":
        made[word] = {
            "zero": np.zeros(6), "list": [1, 0, 0, 0, 0, 2],
            "wrong": draw(st.sampled_from([None, np.zeros(3), "x", np.full(6, np.nan), 5, []])),
        }[what]  # fmt: skip
    return made


def between(low, high):
    def check(found, _):
        found = np.asarray(found, dtype=float)
        assert ((found >= low - 1e-6) & (found <= high + 1e-6)).all()

    return check


def judged(topics, n_repeats=1, n_words=5, random_state=0):
    """The judge's two measures, answered by one that always names the first word shown."""
    chat = evaluation.CallableChat(lambda prompt: "2")
    judge = evaluation.TopicJudge(chat)
    judge.estimate_cost(topics, n_repeats, n_words)
    return judge.coherence_rating(topics, n_words)


def significance(topic_words, doc_topics):
    """Divergences; infinite where they are, never NaN."""
    return [np.minimum(scores, 1e9) for scores in
            evaluation.topic_significance(topic_words, doc_topics)]  # fmt: skip


TOPIC_LISTS = word_lists(TOPICS)
N_WORDS = Choice(3, 2, 4, np.uint8(5))
WORDED = {"topics": TOPIC_LISTS, "n_words": N_WORDS}
EMBEDDED = {**WORDED, "word_vectors": vectors()}
NAMES = ("topics", "topic", "n_words")
ENTRIES = {
    "nmi": Entry(evaluation.normalized_mutual_information,
                 {"classes": GROUPS, "labels": ASSIGNED}, {}, (), between(0, 1)),
    "purity": Entry(evaluation.purity, {"classes": GROUPS, "labels": ASSIGNED}, {}, (),
                    between(0, 1)),
    "coverage": Entry(evaluation.coverage, {"labels": labels(ASSIGNED)}, {}, (), between(0, 1)),
    "diversity": Entry(evaluation.topic_diversity, WORDED, {}, NAMES,
                       between(0, 1)),
    "coherence": Entry(
        evaluation.topic_coherence, {**WORDED, "texts": word_lists(TOKENS)},
        {"measure": Choice("c_npmi", "c_v", "u_mass", "c_uci"), "n_jobs": Choice(1)},
        (*NAMES, "texts"), None,
    ),
    "significance": Entry(
        significance,
        {"topic_words": FITTED.components_, "doc_topics": FITTED.doc_topics_}, {},
        ("Complex", "topic"), None,
    ),
    "f1": Entry(
        evaluation.classification_f1, {"doc_topics": FITTED.doc_topics_, "classes": GROUPS},
        {"n_folds": Choice(2, 3, np.int64(4)), "random_state": 0}, ("Complex",), between(0, 1),
    ),
    "embedding_coherence": Entry(
        evaluation.embedding_coherence, EMBEDDED,
        {}, NAMES, between(-1, 1),
    ),
    "intruders": Entry(
        evaluation.embedding_intruder_accuracy, EMBEDDED,
        {"n_repeats": 2, "random_state": 0}, NAMES, between(0, 1),
    ),
    "wmd": Entry(
        evaluation.wmd_diversity, EMBEDDED,
        {}, NAMES, None,
    ),
    "judge": Entry(judged, {"topics": TOPIC_LISTS},
                   {"n_repeats": 1, "n_words": 3}, NAMES, between(0, 100)),
}  # fmt: skip
PARTS = {"coherence": 0.1, "f1": 0.2}


@pytest.mark.parametrize("name", ENTRIES)
def test_metrics(name):
    entry = ENTRIES[name]
    if name == "coherence":
        pytest.importorskip("gensim")

    @examples(PARTS.get(name, 1))
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed, errors=(ValueError, TypeError, evaluation.JudgeError))

    run()


@examples()
@given(answers=st.lists(texts, min_size=1, max_size=4), n_attempts=st.integers(1, 3))
def test_whatever_the_judge_answers(answers, n_attempts):
    judge = evaluation.TopicJudge(
        evaluation.CallableChat(lambda prompt: answers[len(prompt) % len(answers)]),
        n_attempts=n_attempts,
    )
    try:
        found = judge.coherence_rating(TOPICS, 5)
    except evaluation.JudgeError:
        return
    assert ((found >= 0) & (found <= 100)).all()
